/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting and summing of the list; list_write.c prints it. */
#include "report/list.h"

#include "base/units.h"
#include "report/endpoint.h"

void list_release(struct request_list *l)
{
	vec_each(&l->endpoints, it)
		durations_release(&it->elapsed);
	vec_release(&l->endpoints);
	u64map_release(&l->line_of_endpoint);
	vec_release(&l->requests);
}

bool list_is_time(const struct request_list *l)
{
	return !strcmp(l->unit, "seconds");
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* ids are in the order of begin within an input only. */
static int by_begin(const void *a, const void *b, void *list)
{
	const struct request *x = a, *y = b;

	int order = compare_u64(x->begin_ns, y->begin_ns);

	(void)list;
	return order ? order : compare_u64(x->id, y->id);
}

static int by_elapsed(const void *a, const void *b, void *list)
{
	const struct request *x = a, *y = b;
	int order = compare_u64(request_elapsed_ns(y), request_elapsed_ns(x));

	return order ? order : by_begin(a, b, list);
}

/* What stands in the column, for comparison; nothing where that is "-". */
static uint64_t shown_cpu(const struct request_list *l, bool is_exact, uint64_t cpu_ns, uint64_t weight)
{
	if (!l->has_cpu)
		return weight;
	if (is_exact)
		return cpu_ns;
	return list_is_time(l) ? whole_number((double)weight * l->seconds_per_weight * (double)NS_PER_SEC) : 0;
}

static uint64_t shown_cpu_of_request(const struct request_list *l, const struct request *r)
{
	return shown_cpu(l, r->has_cpu, request_is_cpu_known(r) ? r->cpu_ns : 0, r->weight);
}

static int by_cpu(const void *a, const void *b, void *list)
{
	const struct request_list *l = list;
	const struct request *x = a, *y = b;
	int order = compare_u64(shown_cpu_of_request(l, y), shown_cpu_of_request(l, x));

	return order ? order : by_begin(a, b, list);
}

static int compare_text(const struct request_list *l, uint32_t a, uint32_t b)
{
	return a == b ? 0 : strcmp(strings_text(l->strings, a), strings_text(l->strings, b));
}

static int by_path(const void *a, const void *b, void *list)
{
	const struct request *x = a, *y = b;
	int order = compare_text(list, x->path, y->path);

	order = order ? order : compare_text(list, x->method, y->method);
	return order ? order : by_begin(a, b, list);
}

static bool is_answered(const struct request *r)
{
	return !r->is_unfinished || r->is_end_unseen;
}

static bool has_cpu(const struct request_list *l)
{
	vec_each(&l->requests, r)
		if (r->has_cpu && is_answered(r))
			return true;
	return false;
}

void list_sort(struct request_list *l, enum list_sort by)
{
	static int (*const orders[NR_LIST_SORTS])(const void *, const void *, void *) = {
		[LIST_BY_BEGIN] = by_begin,
		[LIST_BY_ELAPSED] = by_elapsed,
		[LIST_BY_CPU] = by_cpu,
		[LIST_BY_PATH] = by_path,
	};

	l->has_cpu = has_cpu(l);
	if (l->requests.nr)
		qsort_r(l->requests.at, l->requests.nr, sizeof(*l->requests.at), orders[by], l);
}

/* An unfinished one is not known to be slow. */
void list_keep_slowest(struct request_list *l, uint64_t nr)
{
	size_t kept = 0, i;

	list_sort(l, LIST_BY_ELAPSED);
	for (i = 0; i < l->requests.nr; i++)
		if (kept < nr && !l->requests.at[i].is_unfinished)
			l->requests.at[kept++] = l->requests.at[i];
		else
			request_drop_strings(&l->requests.at[i], l->strings);
	l->requests.nr = kept;
}

/* ---- the summary ---- */

static struct endpoint_line *add_line(struct request_list *l, uint32_t method, uint32_t path)
{
	vec_push(&l->endpoints,
		 (struct endpoint_line){ .method = method,
					 .path = path,
					 .elapsed = { .nr_exact_max = l->nr_exact_max } });
	strings_hold(l->strings, method);
	strings_hold(l->strings, path);
	return vec_last(&l->endpoints);
}

static struct endpoint_line *line_of_others(struct request_list *l)
{
	l->nr_other++;
	if (!l->has_other) {
		l->has_other = true;
		l->other = l->endpoints.nr;
		add_line(l, 0, strings_id(l->strings, OTHER_ENDPOINTS));
	}
	return &l->endpoints.at[l->other];
}

static struct endpoint_line *line_of(struct request_list *l, uint32_t method, uint32_t path)
{
	uint64_t key = (uint64_t)method << 32 | path;
	const uint32_t *known = u64map_get(&l->line_of_endpoint, key);

	if (known)
		return &l->endpoints.at[*known];
	if (l->nr_endpoints_max && l->endpoints.nr - l->has_other >= l->nr_endpoints_max)
		return line_of_others(l);
	u64map_set(&l->line_of_endpoint, key, (uint32_t)l->endpoints.nr);
	return add_line(l, method, path);
}

void list_count(struct request_list *l, const struct request *r)
{
	struct endpoint_line *line = line_of(l, r->method, r->path);
	bool is_shared = r->is_cpu_shared || (r->is_cpu_joint && l->is_part);

	if (!line->begin_ns || r->begin_ns < line->begin_ns)
		line->begin_ns = r->begin_ns;
	line->nr_samples += r->nr_samples;
	line->weight += r->weight;
	line->nr_without_cpu += !r->has_cpu;
	if (r->has_cpu && is_answered(r)) {
		line->cpu_ns += r->cpu_ns;
		line->nr_cpu += !is_shared;
		line->nr_cpu_shared += is_shared;
	}
	if (r->is_unfinished) {
		line->nr_unfinished++;
		return;
	}
	durations_add(&line->elapsed, request_elapsed_ns(r));
}

static int lines_by_path(const void *a, const void *b, void *list)
{
	const struct endpoint_line *x = a, *y = b;
	int order = compare_text(list, x->path, y->path);

	return order ? order : compare_text(list, x->method, y->method);
}

static int lines_by_begin(const void *a, const void *b, void *list)
{
	const struct endpoint_line *x = a, *y = b;
	int order = compare_u64(x->begin_ns, y->begin_ns);

	return order ? order : lines_by_path(a, b, list);
}

static int lines_by_elapsed(const void *a, const void *b, void *list)
{
	const struct endpoint_line *x = a, *y = b;
	int order = compare_u64(y->elapsed.max_ns, x->elapsed.max_ns);

	return order ? order : lines_by_path(a, b, list);
}

static uint64_t shown_cpu_of_line(const struct request_list *l, const struct endpoint_line *line)
{
	return shown_cpu(l, !line->nr_without_cpu, line->nr_cpu ? line->cpu_ns : 0, line->weight);
}

static int lines_by_cpu(const void *a, const void *b, void *list)
{
	const struct request_list *l = list;
	const struct endpoint_line *x = a, *y = b;
	int order = compare_u64(shown_cpu_of_line(l, y), shown_cpu_of_line(l, x));

	return order ? order : lines_by_path(a, b, list);
}

void list_sort_endpoints(struct request_list *l, enum list_sort by)
{
	static int (*const orders[NR_LIST_SORTS])(const void *, const void *, void *) = {
		[LIST_BY_BEGIN] = lines_by_begin,
		[LIST_BY_ELAPSED] = lines_by_elapsed,
		[LIST_BY_CPU] = lines_by_cpu,
		[LIST_BY_PATH] = lines_by_path,
	};

	l->has_cpu = false;
	vec_each(&l->endpoints, line) {
		l->has_cpu |= line->nr_cpu || line->nr_cpu_shared;
		durations_settle(&line->elapsed);
	}
	if (l->endpoints.nr)
		qsort_r(l->endpoints.at, l->endpoints.nr, sizeof(*l->endpoints.at), orders[by], l);
}
