/* SPDX-License-Identifier: Apache-2.0 */
#include "report/gather.h"

#include <assert.h>

#define NO_GROUP UINT32_MAX

/* Keys of the groups that stand for nothing in particular. */
enum { KEY_ALL = 1, KEY_OUTSIDE = 2, KEY_OF_REQUESTS = 3, KEY_OF_OWNERS = 4, KEY_OTHER = 5 };

void gather_init(struct gather *g, enum group_by by, const struct selection *selection,
		 struct strings *strings)
{
	*g = (struct gather){ .by = by, .selection = selection, .strings = strings };
	g->has_selection = !selection_takes_all(selection) || selection_slowest(selection);
}

void gather_release(struct gather *g)
{
	vec_each(&g->groups, it) {
		weights_release(&it->weights);
		group_release(&it->group);
	}
	vec_each(&g->open, w)
		weights_release(w);
	vec_each(&g->slowest, c)
		weights_release(&c->weights);
	vec_release(&g->groups);
	vec_release(&g->open);
	vec_release(&g->owner_groups);
	vec_release(&g->slowest);
	hashidx_release(&g->index);
	u64map_release(&g->labelled);
}

static bool is_by_owner(const struct gather *g)
{
	return g->by == BY_THREAD || g->by == BY_PROCESS;
}

/* ---- groups ---- */

static uint32_t find_group(const struct gather *g, uint64_t kind, uint64_t value)
{
	hashidx_each(&g->index, hash_mix(kind, value), id)
		if (g->groups.at[id].key[0] == kind && g->groups.at[id].key[1] == value)
			return id;
	return NO_GROUP;
}

static uint32_t group_of_key(struct gather *g, uint64_t kind, uint64_t value)
{
	uint32_t found = find_group(g, kind, value), added = (uint32_t)g->groups.nr;

	if (found != NO_GROUP)
		return found;
	vec_push(&g->groups, (struct gathered){ .group = { .by = g->by,
							   .elapsed.nr_exact_max = DURATIONS_EXACT,
							   .calls = COUNT_UNKNOWN,
							   .primitive_calls = COUNT_UNKNOWN },
						.key = { kind, value },
						.merged_into = added });
	hashidx_add(&g->index, hash_mix(kind, value), added);
	return added;
}

static uint32_t group_of_all(struct gather *g)
{
	uint32_t id = group_of_key(g, KEY_ALL, 0);

	g->groups.at[id].group.path = strings_id(g->strings, "(all)");
	return id;
}

static uint32_t group_outside(struct gather *g)
{
	uint32_t id = group_of_key(g, KEY_OUTSIDE, 0);

	g->groups.at[id].group.path = strings_id(g->strings, "(outside)");
	g->groups.at[id].group.is_outside = true;
	return id;
}

/* owner: index of a thread or process. Its label waits until the input has ended: names change. */
static uint32_t group_of_owner(struct gather *g, uint32_t owner)
{
	while (g->owner_groups.nr <= owner)
		vec_push(&g->owner_groups, NO_GROUP);
	if (g->owner_groups.at[owner] == NO_GROUP)
		g->owner_groups.at[owner] = group_of_key(g, KEY_OF_OWNERS, g->groups.nr);
	return g->owner_groups.at[owner];
}

static uint32_t group_of_others(struct gather *g)
{
	uint32_t id = group_of_key(g, KEY_OTHER, 0);

	g->groups.at[id].group.path = strings_id(g->strings, OTHER_ENDPOINTS);
	g->nr_other++;
	return id;
}

/* A group that requests name: as many as there are requests, or up to a limit. */
static uint32_t group_named(struct gather *g, uint64_t key, uint32_t path)
{
	uint32_t id = find_group(g, KEY_OF_REQUESTS, key);

	if (id != NO_GROUP)
		return id;
	if (g->by != BY_REQUEST && g->nr_endpoints == ENDPOINTS_MAX)
		return group_of_others(g);
	g->nr_endpoints++;
	id = group_of_key(g, KEY_OF_REQUESTS, key);
	strings_hold(g->strings, path);
	g->groups.at[id].path = g->groups.at[id].group.path = path;
	return id;
}

static uint32_t label_of_status(struct gather *g, uint32_t status)
{
	char text[16];

	if (!status)
		return strings_id(g->strings, "(unknown)");
	snprintf(text, sizeof(text), "%u", status);
	return strings_id(g->strings, text);
}

static uint32_t group_of_request(struct gather *g, const struct request *r)
{
	uint32_t path = r->path;
	uint64_t key = r->id;

	switch (g->by) {
	case BY_ENDPOINT:
		key = (uint64_t)r->method << 32 | r->path;
		break;
	case BY_REQUEST:
		break;
	case BY_STATUS:
		key = r->status;
		path = label_of_status(g, r->status);
		break;
	case BY_METHOD:
		key = r->method;
		path = r->method ? r->method : strings_id(g->strings, "(unknown)");
		break;
	default:
		return group_of_all(g);
	}
	return group_named(g, key, path);
}

static void count_status(struct group *g, uint32_t status, uint64_t nr)
{
	size_t i;

	if (!status)
		return;
	for (i = 0; i < g->status.nr && g->status.at[i].status < status; i++)
		;
	if (i < g->status.nr && g->status.at[i].status == status)
		g->status.at[i].nr += nr;
	else
		vec_insert(&g->status, i, (struct status_count){ status, nr });
}

static void count_method(struct gather *g, struct gathered *it, uint32_t method)
{
	if (it->group.nr_requests || it->group.nr_unfinished) {
		if (it->group.method != method)
			it->group.method = 0;
		return;
	}
	strings_hold(g->strings, method);
	it->method = it->group.method = method;
}

/* What a table says of its requests. */
static void count_request(struct gather *gather, struct gathered *it, const struct request *r)
{
	struct group *g = &it->group;

	if (r->is_unfinished) {
		g->nr_unfinished++;
	} else {
		g->nr_requests++;
		durations_add(&g->elapsed, request_elapsed_ns(r));
	}
	/* So that they add up to no more than the requests; of the only one it is known all the same. */
	if (!r->is_unfinished || g->by == BY_REQUEST)
		count_status(g, r->status, 1);
	if (g->by != BY_REQUEST)
		return;
	g->request_id = r->id;
	strings_hold(gather->strings, r->raw_path);
	it->raw_path = g->raw_path = r->raw_path;
	g->begin_ns = r->begin_ns;
	g->begin_epoch_ns = r->begin_epoch_ns;
	g->end_ns = r->end_ns;
	g->tid = r->begin_tid;
}

/* ---- samples and requests ---- */

static uint32_t merged(const struct gather *g, uint32_t id)
{
	while (g->groups.at[id].merged_into != id)
		id = g->groups.at[id].merged_into;
	return id;
}

/* inputs: that it is from. */
static void add_to_group(struct gather *g, uint32_t id, struct stack_weight s, uint64_t inputs)
{
	struct weights *w = &g->groups.at[merged(g, id)].weights;

	s.group = 0;
	w->inputs |= inputs;
	weights_add(w, &s);
}

static uint32_t owner_of_thread(struct gather *g, const struct session *session, uint32_t thread)
{
	if (!is_by_owner(g))
		return 0;
	return group_of_owner(g, g->by == BY_THREAD ? thread : session->threads.at[thread].process);
}

static struct weights *open_weights(struct gather *g, const struct open_request *request)
{
	while (g->open.nr <= request->slot)
		vec_push(&g->open, (struct weights){ 0 });
	return &g->open.at[request->slot];
}

/* Whether any of its calls may have to be in another group. All that a thread has done may be in one. */
static bool is_in_doubt(const struct gather *g, const struct open_request *r)
{
	if (is_by_owner(g) || (g->by == BY_NONE && !g->has_selection))
		return false;
	return r->call_doubt == CALLS_OF_ANY || (r->call_doubt && (g->by != BY_ENDPOINT || g->has_selection));
}

/* Of what is in no request. owner: of its thread. */
static uint32_t group_without_request(struct gather *g, uint32_t owner)
{
	if (is_by_owner(g))
		return owner;
	return g->by == BY_NONE ? group_of_all(g) : group_outside(g);
}

/* s.group: of its thread. */
static void gather_again(struct gather *g, const struct open_request *request, struct stack_weight s)
{
	if (request)
		weights_add(open_weights(g, request), &s);
	else if (g->has_selection)
		g->nr_filtered += s.nr_samples;
	else
		add_to_group(g, group_without_request(g, s.group), s, input_bit(g->input));
}

void gather_begin_input(struct gather *g, const struct session *session)
{
	g->input = session->input;
}

void gather_stack(struct gather *g, const struct session *session, uint32_t thread,
		  const struct open_request *request, struct stack_weight s)
{
	s.group = owner_of_thread(g, session, thread);
	gather_again(g, request, s);
}

void gather_sample(struct gather *g, const struct session *session, uint32_t thread,
		   const struct open_request *request, uint32_t node, uint64_t weight)
{
	gather_stack(g, session, thread, request,
		     (struct stack_weight){ .node = node, .nr_samples = 1, .weight = weight });
}

void gather_partial(struct gather *g, const struct session *session, uint32_t thread,
		    const struct open_request *request)
{
	uint32_t owner = owner_of_thread(g, session, thread), id;

	if (request && (!is_by_owner(g) || g->has_selection)) {
		open_weights(g, request)->is_partial = true;
	} else if (!g->has_selection) {
		id = merged(g, group_without_request(g, owner));
		g->groups.at[id].weights.is_partial = true;
	}
}

static void doubt_outside(struct gather *g)
{
	uint32_t id;

	if (g->has_selection)
		return;
	id = merged(g, group_outside(g));
	g->groups.at[id].weights.is_partial = true;
	g->groups.at[id].weights.nr_doubtful++;
}

void gather_held(struct gather *g, const struct session *session, const struct open_request *held,
		 const struct open_request *to)
{
	struct weights *from = open_weights(g, held);

	if (from->is_partial)
		gather_partial(g, session, held->thread, to);
	if (!to && is_in_doubt(g, held))
		doubt_outside(g);
	/* Who takes them may be behind all that there are so far. */
	if (to)
		open_weights(g, to);
	from = open_weights(g, held);
	vec_each(&from->list, s)
		gather_again(g, to, *s);
	weights_clear(from);
}

void gather_forget(struct gather *g, const struct open_request *held)
{
	weights_clear(open_weights(g, held));
}

/* owner: group that counts the request, by thread or process. */
static void fold(struct gather *g, const struct request *r, uint32_t owner, const struct weights *w)
{
	uint32_t id = is_by_owner(g) ? owner : group_of_request(g, r);

	id = merged(g, id);
	count_method(g, &g->groups.at[id], r->method);
	count_request(g, &g->groups.at[id], r);
	g->groups.at[id].weights.is_partial |= w->is_partial;
	g->groups.at[id].weights.nr_doubtful += w->nr_doubtful;
	g->groups.at[id].weights.inputs |= w->inputs;
	vec_each(&w->list, s) {
		add_to_group(g, is_by_owner(g) ? s->group : id, *s, w->inputs);
		/* Whose calls are missing is not known any more. */
		if (is_by_owner(g))
			g->groups.at[merged(g, s->group)].weights.is_partial |= w->is_partial;
	}
}

/* Of equally slow ones the later is the faster: the first come stay. */
static bool is_faster(const struct candidate *a, const struct candidate *b)
{
	uint64_t x = request_elapsed_ns(&a->request), y = request_elapsed_ns(&b->request);

	return x != y ? x < y : a->request.id > b->request.id;
}

static void sift_down(struct gather *g, size_t at)
{
	for (;;) {
		size_t least = at, child;
		struct candidate moved;

		for (child = 2 * at + 1; child <= 2 * at + 2 && child < g->slowest.nr; child++)
			if (is_faster(&g->slowest.at[child], &g->slowest.at[least]))
				least = child;
		if (least == at)
			return;
		moved = g->slowest.at[at];
		g->slowest.at[at] = g->slowest.at[least];
		g->slowest.at[least] = moved;
		at = least;
	}
}

static void sift_up(struct gather *g, size_t at)
{
	while (at && is_faster(&g->slowest.at[at], &g->slowest.at[(at - 1) / 2])) {
		struct candidate moved = g->slowest.at[at];

		g->slowest.at[at] = g->slowest.at[(at - 1) / 2];
		g->slowest.at[(at - 1) / 2] = moved;
		at = (at - 1) / 2;
	}
}

/* Takes w over, or leaves it with the caller where the request is too fast. */
static void compete(struct gather *g, const struct request *r, uint32_t owner, struct weights *w)
{
	struct candidate c = { .request = *r, .group = owner, .weights = *w };

	if (g->slowest.nr < selection_slowest(g->selection)) {
		request_hold_strings(r, g->strings);
		vec_push(&g->slowest, c);
		sift_up(g, g->slowest.nr - 1);
		*w = (struct weights){ 0 };
	} else if (is_faster(&g->slowest.at[0], &c)) {
		g->nr_filtered += g->slowest.at[0].request.nr_samples;
		*w = g->slowest.at[0].weights;
		request_hold_strings(r, g->strings);
		request_drop_strings(&g->slowest.at[0].request, g->strings);
		g->slowest.at[0] = c;
		sift_down(g, 0);
	} else {
		g->nr_filtered += r->nr_samples;
	}
}

void gather_request(struct gather *g, const struct open_request *open)
{
	const struct request *r = &open->request;
	struct weights none = { 0 };
	struct weights *w = open->slot < g->open.nr ? &g->open.at[open->slot] : &none;
	uint64_t nr_slowest = selection_slowest(g->selection);
	uint32_t owner = 0;

	if (!selection_takes(g->selection, r, g->strings) || (nr_slowest && r->is_unfinished)) {
		g->nr_filtered += r->nr_samples;
	} else {
		if (is_by_owner(g))
			owner = group_of_owner(g, g->by == BY_THREAD ? open->thread :
								       open->process);
		w->nr_doubtful = is_in_doubt(g, open);
		w->is_partial |= w->nr_doubtful;
		if (open->is_left && is_in_doubt(g, open))
			doubt_outside(g);
		w->inputs = input_bit(g->input);
		if (nr_slowest)
			compete(g, r, owner, w);
		else
			fold(g, r, owner, w);
	}
	weights_clear(w);
	weights_release(&none);	/* a candidate that lost may have left its own there */
}

void gather_clear(struct gather *g)
{
	vec_each(&g->groups, it) {
		weights_release(&it->weights);
		group_release(&it->group);
		strings_drop(g->strings, it->path);
		strings_drop(g->strings, it->raw_path);
		strings_drop(g->strings, it->method);
	}
	g->groups.nr = g->nr_endpoints = 0;
	hashidx_clear(&g->index);
}

/* ---- the ends ---- */

static void merge_groups(struct gather *g, uint32_t into_id, uint32_t from_id)
{
	struct gathered *into = &g->groups.at[into_id], *from = &g->groups.at[from_id];

	if (!into->group.nr_requests && !into->group.nr_unfinished)
		into->group.method = from->group.method;
	else if (into->group.method != from->group.method)
		into->group.method = 0;
	into->group.nr_requests += from->group.nr_requests;
	into->group.nr_unfinished += from->group.nr_unfinished;
	durations_add_all(&into->group.elapsed, &from->group.elapsed);
	vec_each(&from->group.status, it)
		count_status(&into->group, it->status, it->nr);
	vec_each(&from->weights.list, s)
		weights_add(&into->weights, s);
	into->weights.is_partial |= from->weights.is_partial;
	into->weights.nr_doubtful += from->weights.nr_doubtful;
	into->weights.inputs |= from->weights.inputs;
	group_release(&from->group);
	weights_release(&from->weights);
	from->group = (struct group){ 0 };
	from->merged_into = into_id;
}

/* "nginx/123"; "?/123" where no record said its name; "(unknown)" where none said who it was. */
static uint32_t label_of_owner(struct gather *g, const struct session *session, uint32_t owner)
{
	bool is_thread = g->by == BY_THREAD;
	uint32_t name = is_thread ? session->threads.at[owner].name :
				    session->processes.at[owner].name;
	uint32_t number = is_thread ? session->threads.at[owner].tid :
				      session->processes.at[owner].pid;
	char *text;
	uint32_t label;

	if (number == UINT32_MAX)
		return strings_id(g->strings, "(unknown)");
	text = xasprintf("%s/%d", name ? strings_text(g->strings, name) : "?", (int)number);
	label = strings_id(g->strings, text);
	free(text);
	return label;
}

/* Of one label only one group is left: the same process in two recordings, or a pid used again. */
void gather_end_input(struct gather *g, const struct session *session)
{
	uint32_t owner;

	for (owner = 0; owner < g->owner_groups.nr; owner++) {
		uint32_t group = g->owner_groups.at[owner], label;
		const uint32_t *same;

		if (group == NO_GROUP)
			continue;
		label = label_of_owner(g, session, owner);
		same = u64map_get(&g->labelled, label);
		g->groups.at[group].group.path = label;
		if (same)
			merge_groups(g, *same, group);
		else
			u64map_set(&g->labelled, label, group);
	}
	g->owner_groups.nr = 0;
}

void gather_finish(struct gather *g, bool has_markers)
{
	vec_each(&g->slowest, c) {
		fold(g, &c->request, c->group, &c->weights);
		request_drop_strings(&c->request, g->strings);
	}
	vec_each(&g->groups, it) {
		struct group *group = &it->group;

		durations_settle(&group->elapsed);
		/* Where no request could have been seen, nothing is outside of one. */
		if (group->is_outside && !has_markers) {
			group->is_outside = false;
			group->by = BY_NONE;
			group->path = strings_id(g->strings, "(all)");
		}
	}
}
