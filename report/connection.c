/* SPDX-License-Identifier: Apache-2.0 */
#include "report/connection.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"

/* ---- those of one process ---- */

struct connection *connections_of(const struct connections *cs, uint32_t pid)
{
	const uint32_t *place = u64map_get(&cs->first_of, pid);

	return place ? cs->all.at[*place] : NULL;
}

static uint32_t place_of(const struct connections *cs, const struct connection *c)
{
	return placemap_find(&cs->of_inode, c->inode);
}

static void put_first(struct connections *cs, struct connection *c)
{
	c->prev = NULL;
	c->next = connections_of(cs, c->pid);
	if (c->next)
		c->next->prev = c;
	u64map_set(&cs->first_of, c->pid, place_of(cs, c));
}

static void take_out(struct connections *cs, struct connection *c)
{
	if (c->next)
		c->next->prev = c->prev;
	if (c->prev)
		c->prev->next = c->next;
	else if (c->next)
		u64map_set(&cs->first_of, c->pid, place_of(cs, c->next));
	else
		u64map_remove(&cs->first_of, c->pid);
}

void connections_set_pid(struct connections *cs, struct connection *c, uint32_t pid)
{
	if (c->pid == pid)
		return;
	take_out(cs, c);
	c->pid = pid;
	put_first(cs, c);
}

/* ---- all of them ---- */

static void free_connection(struct connection *c)
{
	connection_speak(c, NULL);
	vec_release(&c->queue);
	vec_release(&c->over);
	free(c);
}

void connections_release(struct connections *cs)
{
	vec_each(&cs->all, c)
		if (*c)
			free_connection(*c);
	vec_release(&cs->all);
	placemap_release(&cs->of_inode);
	u64map_release(&cs->first_of);
}

size_t connections_nr(const struct connections *cs)
{
	return placemap_nr(&cs->of_inode);
}

struct connection *connections_find(const struct connections *cs, uint64_t inode)
{
	uint32_t place = placemap_find(&cs->of_inode, inode);

	return place != NO_PLACE ? cs->all.at[place] : NULL;
}

struct connection *connections_add(struct connections *cs, const struct socket_mark *m,
				   uint32_t name)
{
	struct connection *c = xcalloc(1, sizeof(*c));
	uint32_t place;

	*c = (struct connection){ .inode = m->conn,
				  .is_outgoing = m->flags & SOCKET_IS_OUTGOING,
				  .is_complete = m->flags & SOCKET_IS_NEW,
				  .is_http = m->flags & SOCKET_IS_HTTP,
				  .name = name,
				  .rest = NO_SLOT,
				  .owner = { .slot = NO_SLOT } };
	place = placemap_add(&cs->of_inode, m->conn);
	if (place == cs->all.nr)
		vec_push(&cs->all, NULL);
	cs->all.at[place] = c;
	put_first(cs, c);
	return c;
}

void connections_remove(struct connections *cs, struct connection *c)
{
	uint32_t place = place_of(cs, c);

	take_out(cs, c);
	cs->all.at[place] = NULL;
	placemap_remove(&cs->of_inode, c->inode);
	free_connection(c);
}

/* ---- one of them ---- */

void connection_set_name(struct connection *c, const struct socket_name *n,
			 struct strings *strings, struct str *text)
{
	const char *path = n->path;
	size_t len = n->path_len;

	str_clear(text);
	if (n->family != AF_UNIX) {
		str_addf(text, "tcp:%u", n->local_port);
	} else if (len && len <= sizeof(n->path)) {
		bool is_abstract = !path[0];

		str_add(text, is_abstract ? "unix:@" : "unix:");
		str_add_bytes(text, path + is_abstract,
			      is_abstract ? len - 1 : strnlen(path, len));
	} else {
		str_add(text, "unix");
	}
	c->name = strings_id_n(strings, str_cstr(text), text->len);
}

/* What the new parser has still to tell of is there already. */
static void number_from_1(struct connection *c)
{
	if (!connection_is_owing(c))
		return;
	c->queue.at[0] = c->queue.at[c->head];
	c->queue.nr = 1;
	c->head = 0;
	c->first_nr = 1;
}

void connection_guess(struct connection *c, const struct protocol *p)
{
	number_from_1(c);
	c->belief = BELIEF_GUESS;
	c->is_refuted = false;
	c->mixed_nr = 0;
	if (c->protocol)
		c->protocol->release(c->parser);
	free(c->parser);
	c->parser = p ? xcalloc(1, p->parser_size) : NULL;
	c->protocol = p;
}

void connection_speak(struct connection *c, const struct protocol *p)
{
	connection_clear_queue(c);
	connection_guess(c, p);
	vec_release(&c->guessed_by);
	c->in_since_ns = 0;
}

/* ---- its queue ---- */

void connection_clear_queue(struct connection *c)
{
	c->queue.nr = c->head = 0;
	c->nr_changes = 0;
}

static bool is_one_endpoint(const struct open_requests *open, uint32_t x, uint32_t y)
{
	return x == NO_SLOT || y == NO_SLOT ||
	       request_is_of_endpoint(&open->slots.at[x].request, &open->slots.at[y].request);
}

/* The nearest one before that place that is not answered; NO_SLOT: there is none. */
static uint32_t slot_before(const struct connection *c, size_t at)
{
	while (at > c->head)
		if (c->queue.at[--at] != NO_SLOT)
			return c->queue.at[at];
	return NO_SLOT;
}

static uint32_t slot_after(const struct connection *c, size_t at)
{
	while (++at < c->queue.nr)
		if (c->queue.at[at] != NO_SLOT)
			return c->queue.at[at];
	return NO_SLOT;
}

uint32_t connection_changes_at(const struct connection *c, const struct open_requests *open,
			       size_t at)
{
	uint32_t slot = c->queue.at[at];

	return (uint32_t)!is_one_endpoint(open, slot_before(c, at), slot) +
	       (uint32_t)!is_one_endpoint(open, slot, slot_after(c, at));
}

void connection_asked(struct connection *c, const struct open_requests *open, uint64_t nr,
		      uint32_t slot)
{
	if (!connection_is_owing(c)) {
		c->queue.nr = c->head = 0;
		c->first_nr = nr;
	}
	vec_push(&c->queue, slot);
	c->nr_changes += connection_changes_at(c, open, c->queue.nr - 1);
}

bool connection_find_request(const struct connection *c, uint64_t nr, size_t *ret_at)
{
	uint64_t at = nr - c->first_nr;

	if (nr < c->first_nr || at >= c->queue.nr || c->queue.at[at] == NO_SLOT)
		return false;
	*ret_at = (size_t)at;
	return true;
}

/* Those at the front that were answered go; what is left moves up when it is the lesser part. */
static void trim_queue(struct connection *c)
{
	while (c->head < c->queue.nr && c->queue.at[c->head] == NO_SLOT)
		c->head++;
	if (c->head * 2 < c->queue.nr)
		return;
	c->queue.nr -= c->head;
	memmove(c->queue.at, c->queue.at + c->head, c->queue.nr * sizeof(*c->queue.at));
	c->first_nr += c->head;
	c->head = 0;
}

void connection_answered(struct connection *c, const struct open_requests *open, size_t at)
{
	c->nr_changes -= connection_changes_at(c, open, at);
	c->queue.at[at] = NO_SLOT;
	/* Its neighbours are each other's now. */
	c->nr_changes += !is_one_endpoint(open, slot_before(c, at), slot_after(c, at));
	trim_queue(c);
}

void connection_reopened(struct connection *c, const struct open_requests *open, uint32_t slot)
{
	if (!c->head) {
		vec_push(&c->queue, NO_SLOT);
		memmove(c->queue.at + 1, c->queue.at, (c->queue.nr - 1) * sizeof(*c->queue.at));
		c->first_nr--;
		c->head++;
	}
	c->queue.at[--c->head] = slot;
	c->nr_changes += connection_changes_at(c, open, c->head);
}

uint32_t connection_worked_on(const struct connection *c)
{
	return connection_is_owing(c) && !c->nr_changes ? c->queue.at[c->head] : NO_SLOT;
}

void connection_mix(struct connection *c)
{
	if (connection_is_owing(c))
		c->mixed_nr = c->first_nr + c->queue.nr - 1;
}

/* ---- what it is used for ---- */

void connection_own(struct connection *c, const struct open_requests *open, uint32_t slot)
{
	if (slot == NO_SLOT)
		return;
	c->owner.slot = slot;
	c->owner.id = open->slots.at[slot].request.id;
}

void connection_disown(struct connection *c)
{
	c->owner.slot = NO_SLOT;
}

uint32_t connection_owner(const struct connection *c, const struct open_requests *open)
{
	const struct open_request *r;

	if (c->owner.slot == NO_SLOT)
		return NO_SLOT;
	r = &open->slots.at[c->owner.slot];
	return r->is_open && r->request.id == c->owner.id ? c->owner.slot : NO_SLOT;
}
