/* SPDX-License-Identifier: Apache-2.0 */
#include "report/socket_requests.h"

#include <string.h>

#include "recording/socket_marks.h"
#include "report/handed.h"
#include "report/socket_bytes.h"

void socket_requests_init(struct socket_requests *s, struct session *session,
			  const struct endpoint_options *endpoints, struct open_requests *open)
{
	*s = (struct socket_requests){ .session = session, .endpoints = endpoints, .open = open };
	s->workers.session = session;
	s->workers.open = open;
	s->workers.moved = UINT32_MAX;
}

void socket_requests_release(struct socket_requests *s)
{
	connections_release(&s->connections);
	workers_release(&s->workers);
	vec_release(&s->ended);
	str_release(&s->text);
}

/* ---- marks ---- */

/* The mark is of the first bytes of an answer: who writes them has worked on that. */
static bool begins_answer(const struct connection *c, const struct mark *m)
{
	return m->head.kind == SOCKET_OUT && !c->is_outgoing && !c->is_claimed && connection_is_owing(c);
}

static void note_begun(struct socket_requests *s, const struct connection *c)
{
	uint32_t answered = connection_worked_on(c);

	if (answered != NO_SLOT)
		workers_note_begun(&s->workers, answered);
}

static void take_served(struct socket_requests *s, struct connection *c, const struct mark *m,
			struct worker *w)
{
	if (m->head.kind == SOCKET_IN) {
		socket_bytes_in(s, c, m, &m->chunk);
		worker_work_on(&s->workers, w,
			       work_reads_for_others(&s->workers, w) ? NO_SLOT : connection_worked_on(c));
		worker_let_wait(&s->workers, w, connection_worked_on(c));
		if (connection_is_owing(c))
			worker_note_owed(&s->workers, w, connection_worked_on(c));
		handed_read(&s->workers, w, connection_worked_on(c));
		return;
	}
	if (connection_is_owing(c) && !w->is_amidst)
		worker_work_on(&s->workers, w, connection_worked_on(c));
	note_begun(s, c);
	socket_bytes_out(s, c, m);
	/* The next of several that came at once; else what was answered is cleaned up after. */
	if (connection_is_owing(c) && !w->is_amidst)
		worker_work_on(&s->workers, w, connection_worked_on(c));
}

static void take_outgoing(struct socket_requests *s, struct connection *c, const struct mark *m,
			  struct worker *w)
{
	if (w->peer) {
		connection_disown(c);
		return;
	}
	if (m->head.kind == SOCKET_OUT && w->slot != NO_SLOT)
		connection_own(c, s->open, w->slot);
	if (connection_owner(c, s->open) != NO_SLOT)
		worker_work_on(&s->workers, w, connection_owner(c, s->open));
}

/* Some ends pass no mark: by tracepoints those of Unix sockets. Who has had none while so many others came goes. */
static void make_room(struct socket_requests *s)
{
	enum { CAME = 32768 };

	vec_each(&s->connections.all, c) {
		if (*c && (*c)->is_quiet)
			socket_bytes_close(s, *c, NULL);
		else if (*c)
			(*c)->is_quiet = true;
	}
	s->nr_connections_max = connections_nr(&s->connections) + CAME;
}

static struct connection *add_connection(struct socket_requests *s, const struct mark *m)
{
	struct connection *c;

	if (connections_nr(&s->connections) >= s->nr_connections_max)
		make_room(s);
	c = connections_add(&s->connections, &m->head, strings_id(s->session->strings, "tcp"));
	s->nr_served += !c->is_outgoing;
	return c;
}

static void note_mark(struct socket_requests *s, struct connection *c, const struct mark *m)
{
	connections_set_pid(&s->connections, c, m->rec->pid);
	c->is_quiet = c->is_orphan = false;
}

/* Who waits for an outgoing one may connect its socket again, to hear that it is there: that is the same one. */
static bool is_another(const struct connection *c, const struct socket_mark *m)
{
	return m->flags & SOCKET_IS_NEW && !(c->is_outgoing && m->flags & SOCKET_IS_OUTGOING);
}

static void open_connection(struct socket_requests *s, const struct mark *m, struct worker *w)
{
	struct connection *c = connections_find(&s->connections, m->head.conn);
	struct socket_name name = { 0 };

	/* Told of twice: the kernel's memory of it was needed for others. */
	if (c && is_another(c, &m->head)) {
		/* Its close was not seen, and its inode's number is another one's now. */
		socket_bytes_close(s, c, m);
		c = NULL;
	}
	if (!c)
		c = add_connection(s, m);
	note_mark(s, c, m);
	memcpy(&name, m->chunk.bytes, m->chunk.len < sizeof(name) ? m->chunk.len : sizeof(name));
	/* Only requests are called by it, and an outgoing one's port is any. */
	if (c->is_outgoing && !w->peer)
		connection_own(c, s->open, w->slot);
	if (!c->is_outgoing)
		connection_set_name(c, &name, s->session->strings, &s->text);
}

static void take_transfer(struct socket_requests *s, const struct mark *m, struct worker *w)
{
	struct connection *c = connections_find(&s->connections, m->head.conn);
	/* What was added up in the kernel happened before the mark that brings it. */
	const struct chunk more = { .total = m->head.more_in_bytes };

	/* Its first mark was lost, or stood before the recording's first record. */
	if (!c && m->head.kind != SOCKET_CLOSE)
		c = add_connection(s, m);
	if (c && (m->head.kind == SOCKET_IN || more.total)) {
		c->reader = worker_thread(&s->workers, w);
		c->is_claimed = false;
	}
	if (c && !c->is_outgoing)
		socket_bytes_in(s, c, m, &more);
	if (c && begins_answer(c, m)) {
		work_claim(&s->workers, c, &m->head, w);
		handed_answered(&s->workers, connection_worked_on(c), m->head.ns);
	} else {
		work_up_to(&s->workers, c, w, &m->head);
	}
	if (!c)
		return;
	note_mark(s, c, m);
	if (m->head.kind == SOCKET_CLOSE)
		socket_bytes_close(s, c, m);
	else if (c->is_outgoing)
		take_outgoing(s, c, m, w);
	else
		take_served(s, c, m, w);
}

/* Does the thread turn to something else behind a read or write? */
static void note_left(struct socket_requests *s, const struct worker *w, const struct socket_mark *m)
{
	struct connection *c = NULL;

	if (w->last_conn && w->last_conn != m->conn)
		c = connections_find(&s->connections, w->last_conn);
	if (c && !c->left_ns)
		c->left_ns = m->ns;
}

static void take(struct socket_requests *s, const struct mark *m, struct worker *w)
{
	note_left(s, w, &m->head);
	s->nr_data_lost += !!(m->head.flags & SOCKET_DATA_LOST);
	handed_note(&s->workers, w, &m->head);
	worker_note_turn(w, &m->head);
	if (m->head.kind == SOCKET_IN || m->head.kind == SOCKET_OUT || m->head.kind == SOCKET_CLOSE)
		take_transfer(s, m, w);
	else
		work_up_to(&s->workers, NULL, w, &m->head);
	if (m->head.kind == SOCKET_OPEN)
		open_connection(s, m, w);
	if (m->head.kind == SOCKET_WAIT || m->head.flags & SOCKET_IS_LEFT)
		worker_work_on(&s->workers, w, NO_SLOT);
}

/* ---- connections that nobody closes ---- */

/* Sockets are closed by the last one that has them, which may be behind its EXIT. */
#define LAST_MARK_NS (50 * 1000 * 1000ULL)

/*
 * A process that ends behind a request, without a word, may have left it to another one: a login's, which hands the
 * connection on. So long that one may take until it reads or writes there.
 */
#define ORPHAN_NS (1000 * 1000 * 1000ULL)

static bool is_waited_on(const struct connection *c)
{
	return connection_is_owing(c) && !c->is_out;
}

static void settle(struct socket_requests *s, const struct ended_process *p)
{
	const struct mark m = { .head.ns = p->ns };
	struct connection *c, *next;

	for (c = connections_of(&s->connections, p->pid); c; c = next) {
		next = c->next;
		if (is_waited_on(c))
			c->is_orphan = true;
		else
			socket_bytes_close(s, c, &m);
	}
}

static void close_orphans(struct socket_requests *s, const struct ended_process *p)
{
	const struct mark m = { .head.ns = p->ns };
	struct connection *c, *next;

	for (c = connections_of(&s->connections, p->pid); c; c = next) {
		next = c->next;
		if (c->is_orphan)
			socket_bytes_close(s, c, &m);
	}
}

/*
 * The kernel closes what a process has not, and no call tells. Where another process has such a connection,
 * too, it is met again.
 */
static void close_left_behind(struct socket_requests *s, uint64_t now_ns)
{
	while (s->nr_settled < s->ended.nr && now_ns > s->ended.at[s->nr_settled].ns + LAST_MARK_NS)
		settle(s, &s->ended.at[s->nr_settled++]);
	while (s->nr_over < s->nr_settled && now_ns > s->ended.at[s->nr_over].ns + ORPHAN_NS)
		close_orphans(s, &s->ended.at[s->nr_over++]);
	if (!s->nr_over || s->nr_over * 2 < s->ended.nr)
		return;
	s->ended.nr -= s->nr_over;
	memmove(s->ended.at, s->ended.at + s->nr_over, s->ended.nr * sizeof(*s->ended.at));
	s->nr_settled -= s->nr_over;
	s->nr_over = 0;
}

/* ---- marks as they come ---- */

/* What closed it may be among what was lost. So many are remembered all the same, by their names. */
enum { QUIET_MAX = 4096 };

static void note_loss(struct socket_requests *s, struct connection *c)
{
	socket_bytes_lose(s, c);
	c->is_complete = c->is_out = false;
	if (c->is_quiet && connections_nr(&s->connections) > QUIET_MAX)
		connections_remove(&s->connections, c);
	else
		c->is_quiet = true;
}

/* Marks may be among what was lost: nothing that is known of a connection is sure any more. */
static void lost(struct socket_requests *s)
{
	vec_each(&s->workers.all, w)
		work_stop(&s->workers, w);
	vec_each(&s->connections.all, c)
		if (*c)
			note_loss(s, *c);
}

bool socket_requests_mark(struct socket_requests *s, const struct record *rec)
{
	struct cursor c = cursor_of(rec->sample.raw, rec->sample.raw_len);
	struct mark m = { .rec = rec };
	uint32_t thread;

	if (!socket_marks_next(&c, &m.head, &m.chunk.bytes))
		return false;
	m.chunk.len = m.head.len;
	m.chunk.total = m.head.bytes < m.head.len ? m.head.len : m.head.bytes;
	close_left_behind(s, rec->time);
	if (m.head.kind == SOCKET_LOST) {
		lost(s);
		return true;
	}
	thread = session_thread(s->session, rec->pid, rec->tid);
	s->workers.moved = UINT32_MAX;
	if (m.head.kind >= SOCKET_HANDED) {
		if (m.head.kind <= SOCKET_RETURNED)
			handed_mark(&s->workers, rec->pid, thread, &m.head);
		return true;
	}
	take(s, &m, workers_get(&s->workers, thread));
	/* Sockets are closed behind their thread's end. */
	if (s->session->threads.at[thread].is_ended)
		worker_stop(&s->workers, workers_get(&s->workers, thread));
	return true;
}

void socket_requests_time(struct socket_requests *s, uint64_t ns)
{
	handed_time(&s->workers, ns);
}

/* ---- other ends ---- */

static void thread_ended(struct socket_requests *s, const struct record *rec)
{
	uint32_t thread = session_find_thread(s->session, rec->pid, rec->tid);

	if (thread == UINT32_MAX)
		return;
	if (thread < s->workers.all.nr) {
		worker_stop(&s->workers, &s->workers.all.at[thread]);
		worker_renew(&s->workers.all.at[thread]);
	}
	if (rec->type != PERF_RECORD_EXIT || !session_is_last_thread(s->session, thread))
		return;
	workers_forget_process(&s->workers, s->session->threads.at[thread].process);
	vec_push(&s->ended, (struct ended_process){ rec->pid, rec->time });
}

void socket_requests_record(struct socket_requests *s, const struct record *rec)
{
	if (rec->time)
		close_left_behind(s, rec->time);
	if (rec->type == PERF_RECORD_LOST)
		lost(s);
	else if (rec->type == PERF_RECORD_EXIT || rec->type == PERF_RECORD_FORK)
		thread_ended(s, rec);
}

static bool has_marks(const struct socket_requests *s)
{
	vec_each(&s->session->markers, m)
		if (m->flags & MARKER_IS_SOCKETS)
			return true;
	return false;
}

/* The scheduler's sum of a new thread's time begins with 0 (Linux: kernel/sched/core.c, __sched_fork()). */
void socket_requests_thread_began(struct socket_requests *s, uint32_t thread, uint32_t parent, uint64_t ns)
{
	struct worker *w;

	if (!has_marks(s))
		return;
	s->workers.moved = UINT32_MAX;
	w = workers_get(&s->workers, thread);
	worker_note_cpu(w, 0, ns);
	if (parent != UINT32_MAX)
		handed_new(&s->workers, thread, parent, ns);
}

uint32_t socket_requests_of(const struct socket_requests *s, uint32_t thread)
{
	return thread < s->workers.all.nr ? s->workers.all.at[thread].slot : NO_SLOT;
}

uint32_t socket_requests_hold(struct socket_requests *s, uint32_t thread)
{
	struct held_samples *h = worker_hold(&s->workers, thread, false);

	if (!h)
		return socket_requests_of(s, thread);
	h->nr_samples++;
	return h->slot;
}

uint32_t socket_requests_hold_calls(struct socket_requests *s, uint32_t thread)
{
	struct held_samples *h = worker_hold(&s->workers, thread, true);

	s->workers.has_calls = true;
	if (thread < s->workers.all.nr)
		s->workers.all.at[thread].has_calls = true;
	return h ? h->slot : socket_requests_of(s, thread);
}

void socket_requests_finish(struct socket_requests *s)
{
	size_t i;

	vec_each(&s->workers.all, w)
		work_stop(&s->workers, w);
	while (s->nr_settled < s->ended.nr)
		settle(s, &s->ended.at[s->nr_settled++]);
	for (i = 0; i < s->connections.all.nr; i++)
		if (s->connections.all.at[i])
			socket_bytes_close(s, s->connections.all.at[i], NULL);
}
