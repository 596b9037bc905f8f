/* SPDX-License-Identifier: Apache-2.0 */
#include "report/socket_requests.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "recording/socket_mark.h"

/* One that is gone stays NULL in the array until its place is taken again. */
struct connection {
	uint64_t inode;
	bool is_outgoing;
	bool is_complete;	/* all bytes since its first one have been seen */
	bool is_opaque;		/* no request can be known of it, or none was asked for */
	bool is_out;		/* the last bytes were the server's */
	uint32_t name;		/* what a request is called that says no name */
	const struct protocol *protocol;	/* NULL: no bytes yet */
	void *parser;
	/* Requests that are not answered, by the parser's numbers; some of them NO_SLOT: answered early. */
	VEC(uint32_t) queue;
	size_t head;		/* of the queue: the oldest */
	uint64_t first_nr;	/* the number of queue.at[0] */
	uint32_t nr_changes;	/* neighbours in the queue that are not of one endpoint */
	uint64_t last_out_ns;
	uint64_t in_since_ns;	/* bytes came that may be a request's, the first of them then; 0: none */
	struct {
		uint32_t slot;
		uint64_t id;	/* of the request: slots are used again */
	} owner;		/* of an outgoing one: what it is used for */
};

/* One mark of a sample. */
struct mark {
	struct socket_mark head;
	struct chunk chunk;
	const struct record *rec;
};

/* What a parser's listener has to know. */
struct feeding {
	struct socket_requests *s;
	struct connection *c;
	const struct record *rec;	/* NULL: at the end */
	uint64_t ns;
	VEC(uint32_t) answered;		/* slots, by these bytes */
};

void socket_requests_init(struct socket_requests *s, struct session *session,
			  const struct endpoint_options *endpoints, struct open_requests *open)
{
	*s = (struct socket_requests){ .session = session, .endpoints = endpoints, .open = open };
}

static void free_connection(struct connection *c)
{
	if (!c)
		return;
	if (c->protocol)
		c->protocol->release(c->parser);
	free(c->parser);
	vec_release(&c->queue);
	free(c);
}

void socket_requests_release(struct socket_requests *s)
{
	vec_each(&s->connections, c)
		free_connection(*c);
	vec_release(&s->connections);
	vec_release(&s->free_connections);
	u64map_release(&s->connection_of);
	vec_release(&s->workers);
	str_release(&s->text);
}

/* ---- who works on what ---- */

static struct worker *worker_of(struct socket_requests *s, uint32_t thread)
{
	while (s->workers.nr <= thread)
		vec_push(&s->workers, (struct worker){ .slot = NO_SLOT });
	return &s->workers.at[thread];
}

/* An answered request is over when nobody works on it any more. */
static void close_if_over(struct socket_requests *s, uint32_t slot)
{
	const struct open_request *r = &s->open->slots.at[slot];

	if (r->is_open && r->is_answered && !r->nr_workers)
		open_requests_close(s->open, slot, r->answered_ns ? r->answered_ns : 1);
}

static void work_on(struct socket_requests *s, struct worker *w, uint32_t slot)
{
	uint32_t before = w->slot;

	if (slot == before)
		return;
	w->slot = slot;
	if (slot != NO_SLOT)
		s->open->slots.at[slot].nr_workers++;
	if (before == NO_SLOT)
		return;
	s->open->slots.at[before].nr_workers--;
	close_if_over(s, before);
}

/* The thread's time on the CPU up to its mark is that of what it worked on. */
static void count_cpu(struct socket_requests *s, struct worker *w, uint64_t cpu_ns)
{
	if (w->is_known && w->slot != NO_SLOT && cpu_ns > w->cpu_ns)
		s->open->slots.at[w->slot].request.cpu_ns += cpu_ns - w->cpu_ns;
	w->cpu_ns = cpu_ns;
	w->is_known = true;
}

/* It was given up while threads worked on it. */
static void give_up(struct socket_requests *s, uint32_t slot)
{
	if (s->open->slots.at[slot].nr_workers)
		vec_each(&s->workers, w)
			if (w->slot == slot)
				w->slot = NO_SLOT;
	s->open->slots.at[slot].nr_workers = 0;
	open_requests_close(s->open, slot, 0);
}

/* ---- a connection's requests ---- */

static bool is_owing(const struct connection *c)
{
	return c->head < c->queue.nr;
}

static bool is_one_endpoint(const struct socket_requests *s, uint32_t x, uint32_t y)
{
	const struct request *a, *b;

	if (x == NO_SLOT || y == NO_SLOT)
		return true;
	a = &s->open->slots.at[x].request;
	b = &s->open->slots.at[y].request;
	return a->path == b->path && a->method == b->method;
}

/* Changes between the request at that place and its neighbours. */
static uint32_t changes_at(const struct socket_requests *s, const struct connection *c, size_t at)
{
	uint32_t nr = 0;

	if (at > c->head)
		nr += !is_one_endpoint(s, c->queue.at[at - 1], c->queue.at[at]);
	if (at + 1 < c->queue.nr)
		nr += !is_one_endpoint(s, c->queue.at[at], c->queue.at[at + 1]);
	return nr;
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

/* The place of the parser's request in the queue; false: there is none, or it was answered. */
static bool find_queued(const struct connection *c, uint64_t nr, size_t *ret_at)
{
	uint64_t at = nr - c->first_nr;

	if (nr < c->first_nr || at >= c->queue.nr || c->queue.at[at] == NO_SLOT)
		return false;
	*ret_at = (size_t)at;
	return true;
}

/*
 * The oldest one that is not answered, if all of them are of one endpoint: several that came at once may
 * be worked on in turn or together. NO_SLOT: none, or nobody knows.
 */
static uint32_t worked_on(const struct connection *c)
{
	return is_owing(c) && !c->nr_changes ? c->queue.at[c->head] : NO_SLOT;
}

static void began(void *self, uint64_t nr)
{
	struct feeding *f = self;
	const struct record *rec = f->rec;
	struct open_request like = { .is_by_bytes = true, .nr_on_connection = nr };
	struct connection *c = f->c;

	like.thread = session_thread(f->s->session, rec->pid, rec->tid);
	like.process = f->s->session->threads.at[like.thread].process;
	like.request = (struct request){ .path = c->name,
					 .raw_path = c->name,
					 .begin_pid = rec->pid,
					 .begin_tid = rec->tid,
					 .begin_ns = c->in_since_ns ? c->in_since_ns : f->ns,
					 .has_cpu = true };
	c->in_since_ns = 0;
	if (!is_owing(c)) {
		c->queue.nr = c->head = 0;
		c->first_nr = nr;
	}
	vec_push(&c->queue, open_requests_add(f->s->open, &like)->slot);
	c->nr_changes += changes_at(f->s, c, c->queue.nr - 1);
}

static void named(void *self, uint64_t nr, const char *method, size_t method_len, const char *path,
		  size_t path_len)
{
	struct feeding *f = self;
	struct socket_requests *s = f->s;
	struct strings *strings = s->session->strings;
	struct request *r;
	size_t at;

	if (!find_queued(f->c, nr, &at))
		return;
	f->c->nr_changes -= changes_at(s, f->c, at);
	r = &s->open->slots.at[f->c->queue.at[at]].request;
	strings_drop(strings, r->method);
	r->method = strings_hold_n(strings, method, method_len);
	if (path_len) {
		request_drop_paths(r, strings);
		r->raw_path = strings_hold_n(strings, path, path_len);
		str_clear(&s->text);
		endpoint_add(&s->text, s->endpoints, path, path_len);
		r->path = strings_hold_n(strings, str_cstr(&s->text), s->text.len);
	}
	f->c->nr_changes += changes_at(s, f->c, at);
}

static void status(void *self, uint64_t nr, uint32_t status)
{
	struct feeding *f = self;
	size_t at;

	if (find_queued(f->c, nr, &at))
		f->s->open->slots.at[f->c->queue.at[at]].request.status = status;
}

static void ended(void *self, uint64_t nr)
{
	struct feeding *f = self;
	struct connection *c = f->c;
	struct open_request *r;
	size_t at;

	if (!find_queued(c, nr, &at))
		return;
	r = &f->s->open->slots.at[c->queue.at[at]];
	r->is_answered = true;
	r->answered_ns = c->last_out_ns > r->request.begin_ns ? c->last_out_ns : f->ns;
	vec_push(&f->answered, r->slot);
	c->nr_changes -= changes_at(f->s, c, at);
	c->queue.at[at] = NO_SLOT;
	/* Its neighbours are each other's now. */
	if (at > c->head && at + 1 < c->queue.nr)
		c->nr_changes += !is_one_endpoint(f->s, c->queue.at[at - 1], c->queue.at[at + 1]);
	trim_queue(c);
}

static void skipped(void *self, uint64_t nr_bytes)
{
	struct feeding *f = self;

	f->s->nr_skipped_bytes += nr_bytes;
}

/* Requests that one write answered were worked on together. */
static void share_cpu(struct socket_requests *s, const uint32_t *slots, size_t nr)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < nr; i++)
		sum += s->open->slots.at[slots[i]].request.cpu_ns;
	for (i = 0; i < nr; i++)
		s->open->slots.at[slots[i]].request.cpu_ns = sum / nr + (i < sum % nr);
}

/* ---- bytes to parsers ---- */

/* Longer than a record's u16 says, it is not. */
enum { TLS_HANDSHAKE = 0x16, TLS_DATA = 0x17, TLS_MAJOR = 3 };

static bool is_tls(const struct chunk *b)
{
	return b->len >= 2 && (b->bytes[0] == TLS_HANDSHAKE || b->bytes[0] == TLS_DATA) &&
	       b->bytes[1] == TLS_MAJOR;
}

static bool is_http2(const struct chunk *b)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n";

	return b->len >= sizeof(preface) - 1 && !memcmp(b->bytes, preface, sizeof(preface) - 1);
}

static bool wants_http_only(const struct socket_requests *s)
{
	vec_each(&s->session->markers, m)
		if (m->flags & MARKER_IS_SOCKETS && !(m->flags & MARKER_IS_HTTP))
			return false;
	return s->session->markers.nr;
}

static void set_protocol(struct connection *c, const struct protocol *p)
{
	if (c->protocol)
		c->protocol->release(c->parser);
	free(c->parser);
	c->parser = xcalloc(1, p->parser_size);
	c->protocol = p;
	c->queue.nr = c->head = 0;
	c->nr_changes = 0;
}

static struct exchange_listener listener_of(struct feeding *f)
{
	return (struct exchange_listener){ .self = f,
					   .began = began,
					   .named = named,
					   .status = status,
					   .ended = ended,
					   .skipped = skipped };
}

/*
 * At the beginning of an exchange: whose bytes are these? What no parser has known so far is asked for
 * again: it may have begun before the recording.
 */
static void recognize(struct feeding *f, const struct chunk *b)
{
	struct connection *c = f->c;
	const struct exchange_listener l = listener_of(f);
	const struct protocol *p;

	if (c->protocol && (c->protocol != &protocol_unknown || !c->is_out))
		return;
	if (is_tls(b) || is_http2(b)) {
		c->is_opaque = true;
		f->s->nr_tls += is_tls(b);
		f->s->nr_http2 += is_http2(b);
		return;
	}
	p = protocol_of(b->bytes, b->len);
	if (!p && wants_http_only(f->s)) {
		c->is_opaque = c->is_complete || c->is_out;
		return;
	}
	/* Of what came in the middle of something, nobody knows where the next begins. */
	if (!p && !c->is_complete && !c->is_out)
		return;
	if (c->protocol == &protocol_unknown && p)
		c->protocol->closed(c->parser, &l);
	if (p || !c->protocol)
		set_protocol(c, p ? p : &protocol_unknown);
	c->is_opaque = p && p != &protocol_http1 && wants_http_only(f->s);
}

/* After the bytes: who was answered by them is shared out, and closed if nobody works on it. */
static void settle(struct feeding *f)
{
	if (f->answered.nr > 1)
		share_cpu(f->s, f->answered.at, f->answered.nr);
	vec_each(&f->answered, slot)
		close_if_over(f->s, *slot);
	vec_release(&f->answered);
}

/* Bytes that begin a request, as far as they go. */
static bool may_begin(const struct connection *c, const struct chunk *b)
{
	return c->protocol && c->protocol->recognize(b->bytes, b->len) != RECOGNIZED_NOT;
}

static void feed_in(struct socket_requests *s, struct connection *c, const struct mark *m,
		    const struct chunk *b)
{
	struct feeding f = { .s = s, .c = c, .rec = m->rec, .ns = m->head.ns };
	const struct exchange_listener l = listener_of(&f);

	if (c->is_opaque || !b->total)
		return;
	if (b->len)
		recognize(&f, b);
	if (!is_owing(c) && !c->in_since_ns && may_begin(c, b))
		c->in_since_ns = m->head.ns;
	if (c->protocol && !c->is_opaque)
		c->protocol->inbound(c->parser, b, &l);
	c->is_out = false;
	settle(&f);
}

static void feed_out(struct socket_requests *s, struct connection *c, const struct mark *m)
{
	struct feeding f = { .s = s, .c = c, .rec = m->rec, .ns = m->head.ns };
	const struct exchange_listener l = listener_of(&f);

	if (c->is_opaque || !m->chunk.total)
		return;
	c->in_since_ns = 0;
	c->last_out_ns = m->head.ns;
	c->is_out = true;
	if (c->protocol)
		c->protocol->outbound(c->parser, &m->chunk, &l);
	settle(&f);
}

/* ---- connections ---- */

static void name_connection(struct socket_requests *s, struct connection *c,
			    const struct socket_name *n)
{
	const char *path = n->path;
	size_t len = n->path_len;

	str_clear(&s->text);
	if (n->family != AF_UNIX) {
		str_addf(&s->text, "tcp:%u", n->local_port);
	} else if (len && len <= sizeof(n->path)) {
		bool is_abstract = !path[0];

		str_add(&s->text, is_abstract ? "unix:@" : "unix:");
		str_add_bytes(&s->text, path + is_abstract,
			      is_abstract ? len - 1 : strnlen(path, len));
	} else {
		str_add(&s->text, "unix");
	}
	c->name = strings_id_n(s->session->strings, str_cstr(&s->text), s->text.len);
}

static struct connection *find_connection(const struct socket_requests *s, uint64_t inode)
{
	const uint32_t *index = u64map_get(&s->connection_of, inode);
	struct connection *c = index ? s->connections.at[*index] : NULL;

	return c && c->inode == inode ? c : NULL;
}

/* The map cannot forget: it is made anew when most of it is of connections that are gone. */
static void forget_closed(struct socket_requests *s)
{
	size_t nr_open = s->connections.nr - s->free_connections.nr, i;

	if (s->connection_of.pairs.nr < 1024 || s->connection_of.pairs.nr < 4 * nr_open)
		return;
	u64map_release(&s->connection_of);
	for (i = 0; i < s->connections.nr; i++)
		if (s->connections.at[i])
			u64map_set(&s->connection_of, s->connections.at[i]->inode, (uint32_t)i);
}

static struct connection *add_connection(struct socket_requests *s, const struct socket_mark *m)
{
	struct connection *c = xcalloc(1, sizeof(*c));
	uint32_t index;

	*c = (struct connection){ .inode = m->conn,
				  .is_outgoing = m->flags & SOCKET_IS_OUTGOING,
				  .is_complete = m->flags & SOCKET_IS_NEW,
				  .name = strings_id(s->session->strings, "tcp"),
				  .owner = { .slot = NO_SLOT } };
	forget_closed(s);
	if (s->free_connections.nr) {
		index = *vec_last(&s->free_connections);
		s->free_connections.nr--;
		s->connections.at[index] = c;
	} else {
		index = (uint32_t)s->connections.nr;
		vec_push(&s->connections, c);
	}
	u64map_set(&s->connection_of, m->conn, index);
	return c;
}

static void give_up_all(struct socket_requests *s, struct connection *c)
{
	size_t i;

	for (i = c->head; i < c->queue.nr; i++)
		if (c->queue.at[i] != NO_SLOT)
			give_up(s, c->queue.at[i]);
	c->queue.nr = c->head = 0;
	c->nr_changes = 0;
}

/* What its end completes is answered; what then still waits for an answer gets none. m NULL: at the end. */
static void close_connection(struct socket_requests *s, struct connection *c, const struct mark *m)
{
	uint32_t *index = u64map_get(&s->connection_of, c->inode);
	struct feeding f = { .s = s, .c = c, .rec = m ? m->rec : NULL, .ns = m ? m->head.ns : 0 };
	const struct exchange_listener l = listener_of(&f);

	if (c->protocol && !c->is_opaque && m) {
		c->protocol->closed(c->parser, &l);
		settle(&f);
	}
	give_up_all(s, c);
	s->connections.at[*index] = NULL;
	vec_push(&s->free_connections, *index);
	free_connection(c);
}

/* What it is used for, if that is still open. */
static uint32_t owner_of(const struct socket_requests *s, const struct connection *c)
{
	const struct open_request *r;

	if (c->owner.slot == NO_SLOT)
		return NO_SLOT;
	r = &s->open->slots.at[c->owner.slot];
	return r->is_open && r->request.id == c->owner.id ? c->owner.slot : NO_SLOT;
}

static void own(struct socket_requests *s, struct connection *c, uint32_t slot)
{
	if (slot == NO_SLOT)
		return;
	c->owner.slot = slot;
	c->owner.id = s->open->slots.at[slot].request.id;
}

/* ---- marks ---- */

static void take_served(struct socket_requests *s, struct connection *c, const struct mark *m,
			struct worker *w)
{
	if (m->head.kind == SOCKET_IN) {
		feed_in(s, c, m, &m->chunk);
		work_on(s, w, worked_on(c));
		return;
	}
	if (is_owing(c))
		work_on(s, w, worked_on(c));
	feed_out(s, c, m);
	/* The next of several that came at once; else what was answered is cleaned up after. */
	if (is_owing(c))
		work_on(s, w, worked_on(c));
}

static void take_outgoing(struct socket_requests *s, struct connection *c, const struct mark *m,
			  struct worker *w)
{
	if (m->head.kind == SOCKET_OUT && w->slot != NO_SLOT)
		own(s, c, w->slot);
	if (owner_of(s, c) != NO_SLOT)
		work_on(s, w, owner_of(s, c));
}

static void open_connection(struct socket_requests *s, const struct mark *m, struct worker *w)
{
	struct connection *c = find_connection(s, m->head.conn);
	struct socket_name name = { 0 };

	/* Told of twice: the kernel's memory of it was needed for others. */
	if (!c)
		c = add_connection(s, &m->head);
	memcpy(&name, m->chunk.bytes, m->chunk.len < sizeof(name) ? m->chunk.len : sizeof(name));
	name_connection(s, c, &name);
	if (c->is_outgoing)
		own(s, c, w->slot);
}

static void take_transfer(struct socket_requests *s, const struct mark *m, struct worker *w)
{
	struct connection *c = find_connection(s, m->head.conn);
	/* What was added up in the kernel happened before the mark that brings it. */
	const struct chunk more = { .total = m->head.more_in_bytes };

	/* Its first mark was lost, or stood before the recording's first record. */
	if (!c && m->head.kind != SOCKET_CLOSE)
		c = add_connection(s, &m->head);
	if (!c)
		return;
	if (!c->is_outgoing)
		feed_in(s, c, m, &more);
	if (m->head.kind == SOCKET_CLOSE)
		close_connection(s, c, m);
	else if (c->is_outgoing)
		take_outgoing(s, c, m, w);
	else
		take_served(s, c, m, w);
}

static void take(struct socket_requests *s, const struct mark *m, struct worker *w)
{
	count_cpu(s, w, m->head.cpu_ns);
	s->nr_data_lost += !!(m->head.flags & SOCKET_DATA_LOST);
	if (m->head.kind == SOCKET_OPEN)
		open_connection(s, m, w);
	else if (m->head.kind == SOCKET_WAIT)
		work_on(s, w, NO_SLOT);
	else
		take_transfer(s, m, w);
}

/* The next mark; false: it makes no sense. */
static bool parse(struct cursor *c, struct mark *ret)
{
	cursor_copy(c, &ret->head, sizeof(ret->head));
	ret->chunk = (struct chunk){ .len = ret->head.len, .total = ret->head.bytes };
	ret->chunk.bytes = cursor_take(c, ret->head.room);
	if (ret->chunk.total < ret->chunk.len)
		ret->chunk.total = ret->chunk.len;
	return !c->failed && ret->head.magic == SOCKET_MARK_MAGIC && ret->head.len <= ret->head.room &&
	       ret->head.kind >= SOCKET_OPEN && ret->head.kind <= SOCKET_CLOSE;
}

bool socket_requests_mark(struct socket_requests *s, const struct record *rec)
{
	struct cursor c = cursor_of(rec->sample.raw, rec->sample.raw_len);
	uint32_t thread = session_thread(s->session, rec->pid, rec->tid);
	struct mark m = { .rec = rec };

	/* What pads a sample is less than a mark. */
	do {
		if (!parse(&c, &m))
			return false;
		take(s, &m, worker_of(s, thread));
	} while (cursor_left(&c) >= sizeof(m.head));
	return true;
}

/* ---- other ends ---- */

static void thread_ended(struct socket_requests *s, const struct record *rec)
{
	uint32_t thread = session_find_thread(s->session, rec->pid, rec->tid);

	if (thread == UINT32_MAX || thread >= s->workers.nr)
		return;
	work_on(s, &s->workers.at[thread], NO_SLOT);
	s->workers.at[thread].is_known = false;
}

/* Marks may be among what was lost: nothing that is known of a connection is sure any more. */
static void lost(struct socket_requests *s)
{
	vec_each(&s->workers, w)
		work_on(s, w, NO_SLOT);
	vec_each(&s->connections, it) {
		struct connection *c = *it;

		if (!c)
			continue;
		give_up_all(s, c);
		if (c->protocol)
			c->protocol->release(c->parser);
		free(c->parser);
		c->parser = NULL;
		c->protocol = NULL;
		c->is_complete = c->is_out = false;
	}
}

void socket_requests_record(struct socket_requests *s, const struct record *rec)
{
	if (rec->type == PERF_RECORD_LOST)
		lost(s);
	else if (rec->type == PERF_RECORD_EXIT || rec->type == PERF_RECORD_FORK)
		thread_ended(s, rec);
}

uint32_t socket_requests_of(const struct socket_requests *s, uint32_t thread)
{
	return thread < s->workers.nr ? s->workers.at[thread].slot : NO_SLOT;
}

void socket_requests_finish(struct socket_requests *s)
{
	size_t i;

	vec_each(&s->workers, w)
		work_on(s, w, NO_SLOT);
	for (i = 0; i < s->connections.nr; i++)
		if (s->connections.at[i])
			close_connection(s, s->connections.at[i], NULL);
}
