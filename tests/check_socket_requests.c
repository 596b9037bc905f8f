/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>

#include "report/feed.h"
#include "tests/recording_builder.h"
#include "tests/symbolizer_rig.h"

Suite *check_socket_requests_suite(void);

#define MS 1000000ULL

/*
 * A script is a recording, one line a record, at times 1, 2, 3 ...: what, thread, connection, bytes.
 *
 *	new 11 5		thread 11 accepted connection 5 (tcp:80)
 *	old 11 5		the first that is seen of a connection that was there before
 *	up 11 9			the thread connects: 9, 19 ... are connections to other servers
 *	in 11 5 GET /a		reads; of a request line that is all, the rest of the head is added
 *	out 11 5 200		writes; a status alone stands for a whole answer without a body
 *	out 11 5 200+8		the head of an answer with 8 bytes to come
 *	out 11 5 +8		8 bytes of a body, which did not travel
 *	in 11 5 %0000ff		bytes in hexadecimal
 *	out 11 5 ^x		behind 9 bytes that were read, and are told of with it
 *	wait 11			waits for something new
 *	wait 11 9		the same, and its thread's time on the CPU is 9 more than marks told of
 *	close 11 5
 *	leave 11 5		closes, and is done with it
 *	less 11			from here on marks are missing
 *	sample 11  fork 11  exit 11  lost  -
 *	call 11			of a function that is counted, since its last mark
 *	probe 11		a probe's mark: a request begins
 *	later 5			so many milliseconds pass
 *
 * Any other bytes are as they stand. A thread's process is its tens: 11 and 12 are threads of 10. Its
 * time on the CPU is the time.
 */
struct word {
	char what[8], text[128];
	unsigned int tid, conn;
};

static bool is_status(const char *text, unsigned int *ret_status, unsigned int *ret_more)
{
	int end = 0;

	*ret_more = 0;
	if (text[0] == '+' || sscanf(text, "%3u%n", ret_status, &end) != 1 || end != 3)
		return false;
	return !text[3] || sscanf(text + 3, "+%u", ret_more) == 1;
}

static void add_hex(struct str *b, const char *digits)
{
	unsigned int byte;

	for (; sscanf(digits, "%2x", &byte) == 1; digits += 2)
		str_add_char(b, (char)byte);
}

#define MS 1000000ULL

/* What the words stand for. */
static void add_bytes(struct str *b, const struct word *w)
{
	unsigned int status, more;

	if (!strncmp(w->text, "GET ", 4) && !strchr(w->text + 4, ' '))
		str_addf(b, "%s HTTP/1.1\r\nHost: x\r\n\r\n", w->text);
	else if (!strcmp(w->what, "out") && is_status(w->text, &status, &more))
		str_addf(b, "HTTP/1.1 %u x\r\nContent-Length: %u\r\n\r\n", status, more);
	else if (w->text[0] == '%')
		add_hex(b, w->text + 1);
	else if (w->text[0] == '^')
		str_add(b, w->text + 1);
	else if (w->text[0] != '+')
		str_add(b, w->text);
}

static void build_mark(struct recording_builder *b, uint16_t flags, uint64_t time, const struct word *w)
{
	static const char *const kinds[] = { [SOCKET_IN] = "in",
					     [SOCKET_OUT] = "out",
					     [SOCKET_WAIT] = "wait",
					     [SOCKET_CLOSE] = "close",
					     [SOCKET_LOST] = "less",
					     [SOCKET_HANDED] = "hand",
					     [SOCKET_RESUMED] = "resume",
					     [SOCKET_IDLE] = "idle",
					     [SOCKET_RETURNED] = "return" };
	struct socket_name name = { .family = AF_INET, .local_port = 80 };
	struct socket_mark m = { .conn = w->conn, .cpu_ns = time, .ns = time, .flags = flags };
	unsigned int added = w->text[0] == '+' ? (unsigned int)atoi(w->text + 1) : 0, i;
	uint32_t pid = w->tid / 10 * 10;
	struct str bytes = { 0 };

	if (w->conn % 10 == 9 && strcmp(w->what, "hand"))
		m.flags |= SOCKET_IS_OUTGOING;
	if (!strcmp(w->what, "new") || !strcmp(w->what, "old") || !strcmp(w->what, "up")) {
		m.kind = SOCKET_OPEN;
		m.flags |= strcmp(w->what, "old") ? SOCKET_IS_NEW : 0;
		builder_socket_mark(b, time, pid, w->tid, m, &name, sizeof(name));
		return;
	}
	for (i = SOCKET_IN; i < ARRAY_LEN(kinds); i++)
		if (!strcmp(w->what, kinds[i]))
			m.kind = (uint16_t)i;
	if (!strcmp(w->what, "leave")) {
		m.kind = SOCKET_CLOSE;
		m.flags |= SOCKET_IS_LEFT;
	}
	ck_assert_msg(m.kind, "no such word: %s", w->what);
	add_bytes(&bytes, w);
	/* So much more has the scheduler added up than marks told of before. */
	if (m.kind == SOCKET_WAIT) {
		m.cpu_ns += m.conn;
		m.conn = 0;
	}
	/* What a woken thread has used is the time, as for all threads. */
	m.bytes = m.kind >= SOCKET_HANDED ? time : bytes.len + added;
	m.more_in_bytes = w->text[0] == '^' ? 9 : 0;
	builder_socket_mark(b, time, pid, w->tid, m, bytes.s, bytes.len);
	str_release(&bytes);
}

static void build_word(struct recording_builder *b, uint16_t flags, uint64_t time, const char *line)
{
	struct word w = { 0 };

	int at = 0;

	if (sscanf(line, "%7s %u %u %n", w.what, &w.tid, &w.conn, &at) == 3)
		snprintf(w.text, sizeof(w.text), "%s", line + at);
	if (!strcmp(w.what, "sample"))
		builder_sample(b, time, w.tid / 10 * 10, w.tid, (uint64_t[]){ 0x1000 }, 1);
	else if (!strcmp(w.what, "call"))
		builder_calls(b, time, w.tid / 10 * 10, w.tid, 0, &(struct call_row){ .node = 1, .ncalls = 1 }, 1);
	else if (!strcmp(w.what, "fork"))
		builder_fork(b, time, w.tid / 10 * 10, w.tid, w.tid / 10 * 10, w.tid / 10 * 10);
	else if (!strcmp(w.what, "exit"))
		builder_exit(b, time, w.tid / 10 * 10, w.tid);
	else if (!strcmp(w.what, "lost"))
		builder_lost(b, time, 1);
	else if (!strcmp(w.what, "probe"))
		builder_begin(b, time, w.tid / 10 * 10, w.tid, 1, "/p");
	else if (strcmp(w.what, "-"))
		build_mark(b, w.conn == 6 ? 0 : flags, time, &w);
}

/* flags: of marks, but for those of connection 6. */
static void build(struct recording_builder *b, uint16_t flags, const char *script)
{
	char *lines = xstrdup(script), *rest = lines, *line;
	uint64_t time = 0;

	builder_init(b, NULL);
	builder_marker(b, 0, MARKER_IS_SOCKETS, "");
	while ((line = strsep(&rest, ";")) != NULL) {
		if (!strncmp(line, "later ", 6))
			time += (uint64_t)atoi(line + 6) * MS;
		else
			build_word(b, flags, ++time, line);
	}
	free(lines);
}

struct outcome {
	struct strings strings;
	struct str text;
	struct feed feed;
	size_t nr_places;	/* for connections, at the last request's end */
};

/*
 * "GET /a 200 3-5 s1 c2": asked for, answered, from time 3 to 5, with 1 sample, on the CPU for 2; "?": it had no
 * end; "c2+": for 2 and more, or less; "c2*": together with others of its path. "~": its calls may be another one's, "=": of the same path.
 */
static void add_request(void *self, const struct session *session, const struct open_request *open)
{
	const struct request *r = &open->request;
	struct outcome *o = self;

	(void)session;
	ck_assert(r->has_cpu == open->is_by_bytes);
	o->nr_places = o->feed.attribute.by_bytes.connections.all.nr;
	str_addf(&o->text, "%s%s%s%s ", o->text.len ? ", " : "", strings_text(&o->strings, r->method),
		 r->method ? " " : "", strings_text(&o->strings, r->path));
	if (r->status)
		str_addf(&o->text, "%" PRIu32 " ", r->status);
	str_addf(&o->text, "%" PRIu64 "-", r->begin_ns);
	if (r->is_unfinished)
		str_add_char(&o->text, '?');
	else
		str_addf(&o->text, "%" PRIu64, r->end_ns);
	if (r->nr_samples)
		str_addf(&o->text, " s%" PRIu64, r->nr_samples);
	str_addf(&o->text, " c%" PRIu64 "%s%s", r->cpu_ns, r->is_cpu_shared ? "+" : r->is_cpu_joint ? "*" : "", ((const char *[]){ "", "=", "~" })[open->call_doubt]);
}

/* forgets_ended: indexes of threads and processes that have ended are used again. */
static void run_as(struct outcome *o, uint16_t flags, bool forgets_ended, const char *script)
{
	struct endpoint_options endpoints = { 0 };
	struct feed_listener listener = { .self = o, .request_ended = add_request };
	struct recording_builder b;
	struct reader *reader;
	struct err e = { 0 };
	const void *bytes;
	size_t len;

	*o = (struct outcome){ 0 };
	strings_id(&o->strings, "");
	build(&b, flags, script);
	bytes = builder_finish(&b, &len);
	feed_init(&o->feed, &o->strings, NULL, &endpoints, &listener);
	o->feed.forgets_ended = forgets_ended;
	ck_assert_int_eq(reader_open_bytes(bytes, len, &reader, &e), 0);
	ck_assert_int_eq(feed_reader(&o->feed, reader, "test", &e), 0);
	reader_free(reader);
	builder_release(&b);
}

static void run(struct outcome *o, uint16_t flags, const char *script)
{
	run_as(o, flags, false, script);
}

static void outcome_release(struct outcome *o)
{
	feed_release(&o->feed);
	str_release(&o->text);
	strings_release(&o->strings);
}

static const struct {
	const char *script, *want;
	uint64_t nr_outside;
} cases[] = {
	/* one thread, one connection: the answer is the end, and the time up to the wait its own */
	{ "new 11 5;in 11 5 GET /a;sample 11;out 11 5 200;sample 11;wait 11;sample 11",
	  "GET /a 200 2-4 s2 c4", 1 },
	/* the next on the same connection ends the work on the one before */
	{ "new 11 5;in 11 5 GET /a;out 11 5 200;in 11 5 GET /b;out 11 5 404;wait 11",
	  "GET /a 200 2-3 c2, GET /b 404 4-5 c2", 0 },
	/* a connection that was there before the recording */
	{ "old 11 5;in 11 5 GET /a;out 11 5 200;wait 11", "GET /a 200 2-3 c2", 0 },
	/* in the middle of a body, and of an answer */
	{ "old 11 5;in 11 5 of a body;out 11 5 200;in 11 5 GET /a;out 11 5 200;wait 11",
	  "GET /a 200 4-5 c2", 0 },
	{ "old 11 5;in 11 5 of a body;sample 11;out 11 5 200;sample 11;wait 11;close 11 5", "", 2 },
	/* ... also where its end may be somebody's beginning, or is read in pieces */
	{ "old 11 5;in 11 5 OK;out 11 5 200;wait 11;in 11 5 GET /a;out 11 5 200;wait 11", "GET /a 200 5-6 c2", 0 },
	{ "old 11 5;in 11 5 get well soon;out 11 5 200;wait 11;in 11 5 GET /a;out 11 5 200;wait 11", "GET /a 200 5-6 c2", 0 },
	{ "old 11 5;in 11 5 d;in 11 5 %20;in 11 5 xyz\r\n;out 11 5 200;wait 11;in 11 5 P;in 11 5 OST /a HTTP/1.1\r\n\r\n;out 11 5 200;"
	  "wait 11",
	  "POST /a 200 7-9 c3", 0 },
	{ "new 11 5;lost;in 11 5 OK;out 11 5 200;wait 11;in 11 5 GET /a;out 11 5 200;wait 11", "GET /a 200 6-7 c2", 0 },
	{ "old 11 5;out 11 5 200;sample 11;in 11 5 GET /a;out 11 5 200;wait 11",
	  "GET /a 200 4-5 c2", 1 },
	/* answered before its body was read: the bytes that follow are that body, and the next one */
	{ "new 11 5;in 11 5 POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\n;out 11 5 201;wait 11;in 11 5 body;"
	  "wait 11;in 11 5 GET /b;out 11 5 200;wait 11",
	  "POST /a 201 2-3 c2, GET /b 200 7-8 c2", 0 },
	/* ... and looks like the next one; or is but a line end behind a body; that one begins when it comes */
	{ "new 11 5;in 11 5 POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\n;out 11 5 201;wait 11;in 11 5 HELLO;wait 11;"
	  "later 5;in 11 5 GET /b;out 11 5 200;wait 11", "POST /a 201 2-3 c2, GET /b 200 5000007-5000008 c2", 0 },
	{ "new 11 5;in 11 5 POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody;out 11 5 201;wait 11;in 11 5 \r\n;wait 11;"
	  "later 5;in 11 5 GET /b;out 11 5 200;wait 11", "POST /a 201 2-3 c2, GET /b 200 5000007-5000008 c2", 0 },
	/* a line in pieces begins with the first of them, also before the answer to the one before */
	{ "new 11 5;in 11 5 G;later 5;in 11 5 ET /a HTTP/1.1\r\n\r\n;out 11 5 200;wait 11",
	  "GET /a 200 2-5000004 c5000003", 0 },
	{ "new 11 5;in 11 5 GET /a HTTP/1.1\r\n\r\nGE;out 11 5 200;later 5;in 11 5 T /b HTTP/1.1\r\n\r\n;out 11 5 200;wait 11",
	  "GET /a 200 2-3 c5000002, GET /b 200 2-5000005 c2", 0 },
	/* ... not behind a loss */
	{ "new 11 5;in 11 5 G;lost;later 5;in 11 5 GET /b;out 11 5 200;wait 11", "GET /b 200 5000004-5000005 c2", 0 },
	/* ... nor where its connection was closed */
	{ "new 11 5;in 11 5 G;sample 11;close 11 5;wait 11", "", 1 },
	/* a proxy has said whose it is, with the first bytes or before them */
	{ "new 11 5;in 11 5 PROXY TCP4 192.0.2.1 192.0.2.2 56324 80\r\nGET /a HTTP/1.1\r\n\r\n;out 11 5 200;wait 11",
	  "GET /a 200 2-3 c2", 0 },
	{ "new 11 5;in 11 5 %0d0a0d0a000d0a515549540a2111000cc0000201c0000202dc040050;wait 11;later 5;in 11 5 GET /a;out 11 5 200;"
	  "wait 11;in 11 5 PROXY TCP4 a HTTP/1.1\r\n\r\n;out 11 5 400", "GET /a 200 5000004-5000005 c2, PROXY TCP4 a 400 5000007-5000008 c1", 0 },
	/* its close was not seen, and its number is another one's */
	{ "new 11 5;in 11 5 GET /a;new 12 5;in 12 5 GET /b;out 12 5 200;in 12 5 GET /c;out 12 5 201",
	  "GET /a 2-? c0, GET /b 200 4-5 c2, GET /c 201 6-7 c1", 0 },
	/* an answer in many pieces, of which those that do not travel come with the wait */
	{ "new 11 5;in 11 5 GET /a;out 11 5 200+9;out 11 5 +5;sample 11;out 11 5 +4;wait 11",
	  "GET /a 200 2-6 s1 c5", 0 },
	/* where the answer ends did not travel: before the recording did, if who wrote has turned to something else */
	{ "new 11 5;in 11 5 GET /a;out 11 5 +99;out 11 5 +99;wait 11", "GET /a 2-4 c3", 0 },
	{ "new 11 5;in 11 5 GET /a;out 11 5 +99", "GET /a 2-? c1", 0 },
	/* ... of what is not read to its end, nobody knows; and what lasts until the close goes on */
	{ "new 11 5;in 11 5 GET /a HTTP/1.1\r\n\r\nGET /b HTT;out 11 5 +99;wait 11", "GET /a 2-3 c0+, tcp:80 2-? c0", 0 },
	{ "new 11 5;in 11 5 GET /a;out 11 5 HTTP/1.1 200 OK\r\n\r\nx;wait 11", "GET /a 200 2-? c2", 0 },
	/* ... whatever is read behind it, as long as that has no answer: for neither of the two */
	{ "new 11 5;in 11 5 GET /a;out 11 5 HTTP/1.1 200 OK\r\n\r\nx;wait 11;in 11 5 GET /b;sample 11;wait 11",
	  "GET /a 200 2-? c2+, GET /b 5-? c2+", 1 },
	{ "new 11 5;in 11 5 GET /a;out 11 5 HTTP/1.1 200 OK\r\n\r\nx;in 11 5 GET /b;lost", "GET /a 200 2-? c2+, GET /b 4-? c0+", 0 },
	{ "new 11 5;in 11 5 GET /a;out 11 5 HTTP/1.1 200 OK\r\n\r\nx;in 11 5 GET /b;wait 11;close 11 5",
	  "GET /a 200 2-3 c2, GET /b 4-? c1", 0 },
	/* one loop, two connections; answered in another order than asked: for the last one it was woken */
	{ "new 11 5;new 11 6;in 11 5 GET /a;wait 11;sample 11;in 11 6 GET /b;sample 11;out 11 6 200;"
	  "wait 11;sample 11;out 11 5 200;sample 11;wait 11",
	  "GET /b 200 6-8 s1 c3, GET /a 200 3-11 s2 c5", 1 },
	/* ... for both, maybe */
	{ "new 11 5;new 11 6;in 11 5 GET /a;wait 11;in 11 6 GET /b;wait 11;sample 11;out 11 5 200;wait 11;out 11 6 200",
	  "GET /a 200 3-8 c2, GET /b 200 5-10 c2", 1 },
	/* ... if that is more than next to nothing their times are not known */
	{ "new 11 5;new 11 6;in 11 5 GET /a;wait 11;in 11 6 GET /b;wait 11;sample 11;later 1;out 11 5 200;wait 11;out 11 6 200",
	  "GET /a 200 3-1000008 c2+, GET /b 200 5-1000010 c2+", 1 },
	/* ... nor where who answers has read another one, as one of those that hand on what they read */
	{ "new 12 6;in 12 6 GET /b;out 12 6 200;wait 12;in 12 6 GET /b;out 12 6 200;wait 12;new 11 5;in 11 5 GET /a;in 12 6 GET /c;sample 12;"
	  "later 1;out 12 5 200;wait 12;out 12 6 200;wait 12",
	  "GET /b 200 2-3 c2, GET /b 200 5-6 c2, GET /c 200 10-1000014 c2+, GET /a 200 9-1000012 c1+", 1 },
	/* ... what is given up is not waited for */
	{ "new 11 5;new 11 6;in 11 5 GET /a;wait 11;in 11 6 GET /b;wait 11;close 11 6;wait 11;sample 11;out 11 5 200",
	  "GET /b 5-? c1, GET /a 200 3-10 s1 c3", 0 },
	/* a pool: one thread reads, another one writes */
	{ "new 11 5;in 11 5 GET /a;wait 11;sample 12;out 12 5 200;sample 12;wait 12",
	  "GET /a 200 2-5 s1 c3", 1 },
	/* ... from when it began; what the thread did before is its own */
	{ "fork 12;sample 12;new 11 5;in 11 5 GET /a;wait 11;sample 12;out 12 5 200;sample 12;wait 12;sample 12",
	  "GET /a 200 4-7 s2 c6", 2 },
	/* ... and behind another one, without a wait between */
	{ "fork 12;new 11 5;new 11 6;in 11 5 GET /a;in 11 6 GET /b;wait 11;sample 12;out 12 5 200;sample 12;"
	  "sample 12;out 12 6 200;wait 12",
	  "GET /a 200 4-8 s1 c5, GET /b 200 5-11 s2 c5", 0 },
	/* a pool of those that read for each other: nothing that was read tells what they do */
	{ "new 11 5;new 12 6;in 11 5 GET /a;in 12 6 GET /b;sample 12;out 12 5 200;wait 12;sample 11;out 11 6 200;"
	  "wait 11",
	  "GET /a 200 3-6 s1 c4, GET /b 200 4-9 s1 c6", 0 },
	/* ... one that mostly does not, and now has two: nobody knows */
	{ "new 12 6;in 12 6 GET /b;out 12 6 200;wait 12;in 12 6 GET /b;out 12 6 200;wait 12;new 11 5;in 11 5 GET /a;"
	  "in 12 6 GET /c;sample 12;out 12 5 200;wait 12;out 12 6 200;wait 12",
	  "GET /b 200 2-3 c2, GET /b 200 5-6 c2, GET /c 200 10-14 c2, GET /a 200 9-12 c1", 1 },
	/* a loop that reads from all, and then answers all, works on each when it has read it, and when it answers */
	{ "new 11 5;new 11 6;in 11 5 GET /a;sample 11;in 11 6 GET /b;sample 11;sample 11;out 11 5 200;out 11 6 200;wait 11",
	  "GET /a 200 3-8 s1 c2, GET /b 200 5-9 s2 c5", 0 },
	/* ... unless what it does between the last read and the first answer is much more: that is for any */
	{ "new 11 5;new 11 6;in 11 5 GET /a;-;in 11 6 GET /b;sample 11;later 1;out 11 5 200;out 11 6 200;wait 11",
	  "GET /a 200 3-1000007 c2+, GET /b 200 5-1000008 c2+", 1 },
	/* a proxy: what comes from the connection that it opened is for the request that asked */
	{ "new 11 5;in 11 5 GET /a;up 11 9;out 11 9;wait 11;sample 11;in 11 9;sample 11;out 11 5 200;wait 11",
	  "GET /a 200 2-9 s1 c6", 1 },
	/* ... and whose socket it connects once more, to hear whether it is there */
	{ "new 11 5;new 11 6;in 11 5 GET /a;up 11 9;in 11 6 GET /b;wait 11;up 11 9;out 11 9;wait 11;in 11 9;sample 11;wait 11;"
	  "out 11 6 200;out 11 5 200;wait 11", "GET /b 200 5-13 c1, GET /a 200 3-14 s1 c7", 0 },
	/* ... in a pool: what it asks for is what it answers next */
	{ "fork 12;new 11 5;new 11 6;up 12 9;in 11 5 GET /a;in 11 6 GET /b;wait 11;sample 12;out 12 5 200;sample 12;"
	  "out 12 9;wait 12;sample 12;in 12 9;sample 12;sample 12;out 12 6 200;wait 12",
	  "GET /a 200 5-9 s1 c5, GET /b 200 6-17 s4 c10", 0 },
	/* ... on one that it opens for that, and on another one */
	{ "fork 12;new 11 5;new 11 6;in 11 5 GET /a;in 11 6 GET /b;wait 11;out 12 5 200;sample 12;up 12 9;wait 12;"
	  "sample 12;out 12 9;out 12 9;in 12 9;sample 12;close 12 9;up 12 19;out 12 19;in 12 19;in 12 19;out 12 6 200;wait 12",
	  "GET /a 200 4-7 c4, GET /b 200 5-21 s3 c16", 0 },
	/* ... of a thread that was made for that, where this is done */
	{ "fork 12;new 11 5;new 11 6;in 11 5 GET /a;in 11 6 GET /b;wait 11;out 12 5 200;exit 12;fork 13;sample 13;up 13 9;"
	  "out 13 9;sample 13;in 13 9;sample 13;out 13 6 200;exit 13",
	  "GET /a 200 4-7 c4, GET /b 200 5-16 s3 c8", 0 },
	/* ... unless it answers, or asks another, before it has its answer: nobody knows for what it has asked */
	{ "fork 12;new 11 5;new 11 6;up 12 9;in 11 5 GET /a;in 11 6 GET /b;wait 11;out 12 5 200;sample 12;"
	  "out 12 9;sample 12;out 12 6 200;wait 12;in 12 9;sample 12;wait 12",
	  "GET /a 200 5-8 c4, GET /b 200 6-12 s1 c4", 2 },
	{ "fork 12;new 11 5;new 11 6;up 12 9;up 12 19;in 11 5 GET /a;in 11 6 GET /b;wait 11;out 12 5 200;sample 12;"
	  "out 12 9;sample 12;out 12 19;in 12 9;out 12 6 200;wait 12",
	  "GET /a 200 6-9 c4, GET /b 200 7-15 c3", 2 },
	/* that connection is used again, for another one */
	{ "new 11 5;new 11 6;up 11 9;in 11 5 GET /a;out 11 9;wait 11;in 11 9;out 11 5 200;wait 11;"
	  "in 11 6 GET /b;out 11 9;wait 11;in 11 9;sample 11;out 11 6 200;wait 11",
	  "GET /a 200 4-8 c4, GET /b 200 10-15 s1 c5", 0 },
	/* what it is for has long been answered */
	{ "new 11 5;up 11 9;in 11 5 GET /a;out 11 9;out 11 5 200;wait 11;in 11 9;sample 11;wait 11",
	  "GET /a 200 3-5 c3", 1 },
	/* several at once, of one endpoint: the first has the samples, all share the CPU */
	{ "new 11 5;in 11 5 GET /a HTTP/1.1\r\n\r\nGET /a HTTP/1.1\r\n\r\n;sample 11;-;"
	  "out 11 5 HTTP/1.1 204 x\r\n\r\nHTTP/1.1 204 x\r\n\r\n;wait 11",
	  "GET /a 204 2-5 c1, GET /a 204 2-5 s1 c3", 0 },
	/* of several endpoints: nobody knows, until one is left */
	{ "new 11 5;in 11 5 GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n;sample 11;out 11 5 200;"
	  "sample 11;out 11 5 200;wait 11",
	  "GET /a 200 2-4 c0+, GET /b 200 2-6 s1 c3+", 1 },
	{ "new 11 5;in 11 5 GET /a;-;in 11 5 GET /b;-;out 11 5 HTTP/1.1 204 x\r\n\r\nHTTP/1.1 204 x\r\n\r\n;in 11 5 GET /a;out 11 5 200;"
	  "wait 11",
	  "GET /a 204 2-6 c1+, GET /b 204 4-6 c1+, GET /a 200 7-8 c2", 0 },
	/* what is handed to a thread that waits is the request's, until that waits again, and what it wakes the other for */
	{ "new 11 5;in 11 5 GET /a;hand 11 12;sample 12;wait 11;sample 11;return 12 11;sample 11;idle 12;sample 12;out 11 5 200;wait 11",
	  "GET /a 200 2-11 s3 c16", 1 },
	/* ... in turn */
	{ "new 11 5;new 11 6;in 11 5 GET /a;in 11 6 GET /b;hand 11 12;hand 11 13;sample 12;sample 13;sample 13;idle 13;idle 12;"
	  "out 11 6 200;out 11 5 200;wait 11", "GET /b 200 4-12 s2 c12, GET /a 200 3-13 s1 c9", 0 },
	/* ... but for what was read before the loop waited: it has begun with all that */
	{ "new 11 5;new 11 6;in 11 5 GET /a;wait 11;in 11 6 GET /b;hand 11 12;sample 12;idle 12;out 11 6 200;wait 11;out 11 5 200",
	  "GET /b 200 5-9 s1 c7, GET /a 200 3-11 c2", 0 },
	/* ... who waits soon after that is answered has done nothing else, unless he is not known to wait at all */
	{ "new 11 5;in 11 5 GET /a;hand 11 12;idle 12;out 11 5 200;wait 11;in 11 5 GET /b;hand 11 12;sample 12;out 11 5 200;wait 11;"
	  "sample 12;idle 12;sample 12", "GET /a 200 2-5 c5, GET /b 200 7-10 s2 c9", 1 },
	{ "new 11 5;in 11 5 GET /a;hand 11 12;sample 12;out 11 5 200;wait 11;sample 12;idle 12", "GET /a 200 2-5 s1 c4", 1 },
	/* ... who goes on for long does that for nobody, and is not waited for */
	{ "new 11 5;in 11 5 GET /a;hand 11 12;idle 12;hand 11 12;sample 12;out 11 5 200;wait 11;later 101;sample 12;new 11 6;"
	  "in 11 6 GET /b;later 9;lost", "GET /a 200 2-7 s1 c7, GET /b 101000011-? c0", 1 },
	/* ... not even where no more is known of him */
	{ "new 11 5;in 11 5 GET /a;hand 11 12;idle 12;hand 11 12;sample 12;out 11 5 200;wait 11;later 9;sample 12", "GET /a 200 2-7 s1 c7", 1 },
	{ "new 11 5;in 11 5 GET /a;hand 11 12;idle 12;hand 11 12;sample 12;later 9;sample 12", "GET /a 2-? s2 c1", 0 },
	/* ... who is kept busy, and wakes another one than before, has worked on what that one has read, if it is one, since it began */
	{ "new 11 5;new 13 6;in 11 5 GET /a;hand 11 12;idle 12;hand 11 12;return 12 11;sample 12;in 13 6 GET /b;sample 12;return 12 13;"
	  "sample 12;out 13 6 200;wait 13;out 11 5 200;wait 11", "GET /a 200 3-15 c15, GET /b 200 9-13 s1 c7", 2 },
	{ "new 11 5;new 13 6;in 11 5 GET /a;hand 11 12;idle 12;hand 11 12;return 12 11;out 11 5 200;wait 11;in 13 6 GET /b;sample 12;"
	  "return 12 13;out 13 6 200;wait 13;in 11 5 GET /c;sample 12;return 12 11;out 11 5 200;wait 11;idle 12",
	  "GET /a 200 3-8 c8, GET /b 200 10-13 s1 c6, GET /c 200 15-18 s1 c9", 0 },
	/* ... if several, nobody knows */
	{ "new 11 5;new 11 6;in 11 5 GET /a;hand 11 12;idle 12;hand 11 12;in 11 6 GET /b;wait 11;return 12 11;sample 12;return 12 11;"
	  "wait 11;out 11 5 200;out 11 6 200;wait 11", "GET /a 200 3-13 c12, GET /b 200 7-14 c3", 1 },
	/* ... what that took on the CPU those may lack that waited, unless they are handed back later */
	{ "new 11 5;new 11 6;new 11 7;in 11 5 GET /a;hand 11 12;wait 11;in 11 6 GET /a;in 11 7 GET /a;wait 11;return 12 11;out 11 5 200;"
	  "wait 11;later 1;sample 12;return 12 11;out 11 6 200;wait 11;later 1;sample 12;return 12 11;out 11 7 200;wait 11;idle 12",
	  "GET /a 200 4-11 c10, GET /a 200 7-1000015 c1000005+, GET /a 200 8-2000019 s1 c2000012", 1 },
	/* ... next to nothing does not matter */
	{ "new 11 5;new 11 6;new 11 7;in 11 5 GET /a;hand 11 12;wait 11;in 11 6 GET /a;in 11 7 GET /a;wait 11;return 12 11;out 11 5 200;"
	  "wait 11;sample 12;return 12 11;out 11 6 200;wait 11;out 11 7 200;wait 11;idle 12", "GET /a 200 4-11 c10, GET /a 200 7-15 c5, GET /a 200 8-17 c3", 1 },
	/* ... so may what another one was woken for lack what is done behind an answer, unless that one hands it back */
	{ "new 11 5;in 11 5 GET /a;hand 11 12;idle 12;hand 11 12;return 12 11;out 11 5 200;in 11 5 GET /b;hand 11 13;later 1;idle 12;idle 13;"
	  "out 11 5 200;wait 11", "GET /a 200 2-7 c8, GET /b 200 8-1000012 c2000007+", 0 },
	{ "new 11 5;in 11 5 GET /a;hand 11 12;idle 12;hand 11 12;return 12 11;out 11 5 200;in 11 5 GET /b;hand 11 13;later 1;idle 12;"
	  "return 13 11;idle 13;out 11 5 200;wait 11", "GET /a 200 2-7 c8, GET /b 200 8-1000013 c2000009", 0 },
	/* ... or who does it has never handed anything back: he keeps a log */
	{ "new 11 5;in 11 5 GET /a;hand 11 12;idle 12;hand 11 12;out 11 5 200;in 11 5 GET /b;hand 11 13;later 1;idle 12;idle 13;"
	  "out 11 5 200;wait 11", "GET /a 200 2-6 c7, GET /b 200 7-1000011 c2000007", 0 },
	/* ... also where no mark tells of that until it is answered */
	{ "new 11 5;in 11 5 GET /a;hand 11 12;idle 12;hand 11 12;return 12 11;out 11 5 200;in 11 5 GET /b;hand 11 13;idle 13;later 1;"
	  "out 11 5 200;idle 12;wait 11", "GET /a 200 2-7 c8, GET /b 200 8-1000011 c1000006+", 0 },
	/* who takes all that waits, and wakes the loop once, has done that for all which it answers then */
	{ "new 11 5;new 11 6;new 11 7;in 11 5 GET /a;hand 11 12;in 11 6 GET /a;in 11 7 GET /a;wait 11;later 1;wait 11;return 12 11;idle 12;"
	  "out 11 5 200;out 11 6 200;out 11 7 200;wait 11",
	  "GET /a 200 4-1000012 c1000011+, GET /a 200 6-1000013 c2+, GET /a 200 7-1000014 c3+", 0 },
	/* ... not for what another one has done meanwhile, nor for what is read then, nor if that was next to nothing */
	{ "new 11 5;new 11 6;in 11 5 GET /a;hand 11 12;in 11 6 GET /a;hand 11 13;wait 11;later 1;wait 11;return 12 11;idle 12;idle 13;"
	  "out 11 5 200;out 11 6 200;wait 11", "GET /a 200 3-1000012 c1000012, GET /a 200 5-1000013 c1000009", 0 },
	{ "new 11 5;new 11 6;in 11 5 GET /a;hand 11 12;wait 11;later 1;wait 11;return 12 11;in 11 6 GET /a;hand 11 13;idle 12;idle 13;"
	  "out 11 5 200;out 11 6 200;wait 11", "GET /a 200 3-1000012 c1000010, GET /a 200 1000008-1000013 c8", 0 },
	{ "new 11 5;new 11 6;in 11 5 GET /a;hand 11 12;in 11 6 GET /a;wait 11;return 12 11;idle 12;out 11 5 200;out 11 6 200;wait 11", "GET /a 200 3-9 c9, GET /a 200 5-10 c3", 0 },
	/* who waits for what another one has goes on with the same; not with what is answered */
	{ "new 11 5;in 11 5 GET /a;hand 11 12;idle 12;resume 13 12;sample 12;idle 12;out 11 5 200;wait 11", "GET /a 200 2-8 s1 c10", 0 },
	{ "new 11 5;in 11 5 GET /a;hand 11 12;idle 12;out 11 5 200;wait 11;resume 13 12;sample 12;idle 12", "GET /a 200 2-5 c5", 1 },
	/* who is made for it; another process is not, nor who is made by one that only accepts */
	{ "new 10 5;in 10 5 GET /a;fork 12;sample 12;out 10 5 200;wait 10", "GET /a 200 2-5 s1 c4", 0 },
	{ "new 11 5;in 11 5 GET /a;fork 22;sample 22;out 11 5 200;wait 11", "GET /a 200 2-5 c4", 1 },
	{ "fork 12;sample 12;new 12 5;in 12 5 GET /a;out 12 5 200;wait 12", "GET /a 200 4-5 c2", 1 },
	/* who reads himself is no such thread, whoever wakes him, nor is he from then on */
	{ "new 11 5;new 12 6;in 12 6 GET /b;out 12 6 200;wait 12;in 11 5 GET /a;hand 11 12;sample 12;out 11 5 200;wait 11",
	  "GET /b 200 3-4 c2, GET /a 200 6-9 c4", 1 },
	{ "new 11 5;in 11 5 GET /a;hand 11 12;sample 12;in 12 6 GET /b;out 12 6 200;idle 12;sample 12;out 11 5 200;wait 11",
	  "GET /a 200 2-9 c8, GET /b 200 5-6 s1 c1", 1 },
	/* ... who was woken for what another one took, and answers himself, has worked on that since */
	{ "new 11 5;new 11 6;in 11 5 GET /a;hand 11 12;idle 12;hand 11 12;in 11 6 GET /b;out 13 5 200;sample 12;out 12 6 200;wait 12;wait 11",
	  "GET /b 200 7-10 s1 c9, GET /a 200 3-8 c5", 0 },
	/* nobody knows of what: it is all answered, or it waited, and was woken by nobody that works */
	{ "new 11 5;in 11 5 GET /a;out 11 5 200;hand 11 12;sample 12;idle 12;wait 11;hand 11 12;sample 12;idle 12", "GET /a 200 2-3 c5", 2 },
	/* a path of which little is handed on: the only one that is left need not be it, where more is not answered */
	{ "new 11 5;new 11 6;in 11 5 GET /a;hand 11 12;idle 12;out 11 5 200;wait 11;in 11 6 GET /b;out 11 6 200;wait 11;"
	  "in 11 6 GET /b;out 11 6 200;wait 11;in 11 6 GET /b;out 11 6 200;wait 11;in 11 5 GET /a;hand 11 12;sample 12;"
	  "in 11 6 GET /b;hand 11 13;sample 13;idle 13;out 11 6 200;idle 12;out 11 5 200;wait 11",
	  "GET /a 200 3-6 c5, GET /b 200 8-9 c2, GET /b 200 11-12 c2, GET /b 200 14-15 c2, GET /b 200 20-24 c4, GET /a 200 17-26 s1 c13",
	  1 },
	/* a head in two pieces */
	{ "new 11 5;in 11 5 GET /a;out 11 5 200;wait 11;in 11 5 GET /b HT;in 11 5 TP/1.1\r\n\r\n;"
	  "out 11 5 200;wait 11",
	  "GET /a 200 2-3 c2, GET /b 200 5-7 c3", 0 },
	{ "new 11 5;in 11 5 G;-;in 11 5 ET /b HTTP/1.1\r\n\r\n;out 11 5 200;wait 11", "GET /b 200 2-5 c4", 0 },
	/* closed before the answer; closed as the end of the answer */
	{ "new 11 5;in 11 5 GET /a;close 11 5;wait 11", "GET /a 2-? c1", 0 },
	{ "new 11 5;in 11 5 GET /a;out 11 5 HTTP/1.0 200 x\r\n\r\nbytes;out 11 5 +9;close 11 5;wait 11",
	  "GET /a 200 2-4 c4", 0 },
	/* what is read meanwhile ends nothing; only an answer to it does, with what was written before */
	{ "new 11 5;in 11 5 POST /a HTTP/1.0\r\nContent-Length: 2\r\n\r\nxy;out 11 5 HTTP/1.0 200 x\r\n\r\nbytes;in 11 5 %0d0a;"
	  "out 11 5 +9;close 11 5;wait 11",
	  "POST /a 200 2-5 c5", 0 },
	{ "new 11 5;in 11 5 GET /a;out 11 5 HTTP/1.0 200 x\r\n\r\nbytes;in 11 5 GET /b;out 11 5 +9;close 11 5;wait 11",
	  "GET /a 200 2-5 c2+, GET /b 4-? c1+", 0 },
	/* ... till then what is done is for who asks; if the answer goes on behind that, for neither of the two */
	{ "new 11 5;in 11 5 GET /a;out 11 5 HTTP/1.0 200 x\r\n\r\nbytes;wait 11;in 11 5 GET /b;sample 11;out 11 5 +9;sample 11;"
	  "out 11 5 +9;close 11 5;wait 11",
	  "GET /a 200 2-9 c2+, GET /b 5-? c2+", 2 },
	{ "new 11 5;in 11 5 GET /a;sample 11;out 11 5 HTTP/1.0 200 x\r\n\r\nbytes;wait 11;in 11 5 GET /b;sample 11;"
	  "out 11 5 HTTP/1.0 200 x\r\n\r\n;in 11 5 GET /b;sample 11;sample 11;out 11 5 HTTP/1.0 200 x\r\n\r\n;close 11 5;wait 11",
	  "GET /a 200 2-4 s1 c3, GET /b 200 6-8 s1 c3, GET /b 200 9-12 s2 c5", 0 },
	{ "new 11 5;in 11 5 GET /a;out 11 5 HTTP/1.0 200 x\r\n\r\nbytes;in 11 5 GET /b;out 11 5 200+2;out 11 5 +2;wait 11;"
	  "in 11 5 GET /a;out 11 5 200;wait 11",
	  "GET /a 200 2-3 c2, GET /b 200 4-6 c3, GET /a 200 8-9 c2", 0 },
	/* what comes behind that is its own, or nobody's where it is done with it */
	{ "new 11 5;new 11 6;in 11 5 GET /a;out 11 5 200;close 11 5;sample 11;in 11 6 GET /b;out 11 6 200;wait 11",
	  "GET /a 200 3-4 s1 c4, GET /b 200 7-8 c2", 0 },
	{ "new 11 5;new 11 6;in 11 5 GET /a;out 11 5 200;leave 11 5;sample 11;in 11 6 GET /b;out 11 6 200;wait 11",
	  "GET /a 200 3-4 c2, GET /b 200 7-8 c2", 1 },
	/* what nothing answers has its end where the thread turns to something else, not where the client goes on */
	{ "new 11 5;in 11 5 mg k v q\r\n;wait 11;later 5;in 11 5 mn\r\n;out 11 5 MN\r\n;wait 11",
	  "mg 2-3 c1, mn 5000004-5000005 c2", 0 },
	{ "new 11 5;new 11 6;in 11 5 mg k v q\r\n;in 11 6 mn\r\n;out 11 6 MN\r\n;wait 11;later 5;close 11 5",
	  "mn 4-5 c2, mg 3-4 c1", 0 },
	/* it closes what it has not begun to answer: what it has done since the answer before was for that */
	{ "new 11 5;new 11 6;in 11 5 GET /a;in 11 6 GET /b;out 11 5 200;sample 11;close 11 6;wait 11", "GET /a 200 3-5 c1, GET /b 4-? s1 c2", 0 },
	{ "new 11 5;new 11 6;in 11 5 GET /a;out 12 5 200;in 11 6 GET /b;sample 12;close 12 6;wait 12", "GET /a 200 3-4 c3, GET /b 5-? s1 c2", 0 },
	/* ... unless it only looks after connections */
	{ "new 11 5;wait 12;in 11 5 GET /a;sample 12;close 12 5;wait 12", "GET /a 3-? c0", 1 },
	{ "new 11 5;wait 11;in 11 5 GET /a;wait 11;sample 11;close 11 5;wait 11", "GET /a 3-? c1", 1 },
	/* open at the end */
	{ "new 11 5;in 11 5 GET /a;sample 11", "GET /a 2-? s1 c0", 0 },
	/* ... with an answer of which not all travelled: that is all of it if the server waits */
	{ "new 11 5;in 11 5 get k\r\n;out 11 5 +99;out 11 5 +9;sample 11;wait 11", "get 2-4 s1 c4", 0 },
	{ "new 11 5;in 11 5 get k\r\n;out 11 5 +99;sample 11", "get 2-? s1 c1", 0 },
	{ "new 11 5;in 11 5 get k\r\n;wait 11;sample 11", "get 2-? c1", 1 },
	{ "new 11 5;in 11 5 get k\r\n;out 11 5 VALUE k 0 999\r\n;wait 11", "get 2-? c2", 0 },
	/* ... of several, it is the last one's end; where more was written behind that, nobody knows the others' */
	{ "new 11 5;in 11 5 *1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n;out 11 5 +99;in 11 5 *1\r\n$4\r\nPING\r\n;"
	  "out 11 5 %2b504f4e470d0a;wait 11", "PING 2-3 c1, PING 2-3 c1, PING 4-5 c2", 0 },
	{ "new 11 5;in 11 5 *1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n;out 11 5 +99;out 11 5 +9;in 11 5 *1\r\n$4\r\nPING\r\n;"
	  "out 11 5 %2b504f4e470d0a;wait 11", "PING 2-? c2, PING 2-4 c1, PING 5-6 c2", 0 },
	/* ... it goes on behind the next request: it was none, and that has not answered this one */
	{ "new 11 5;in 11 5 *1\r\n$4\r\nPING\r\n;out 11 5 +99;in 11 5 *1\r\n$4\r\nECHO\r\n;out 11 5 ?;out 11 5 +9;wait 11",
	  "PING 2-? c2+, ECHO 4-6 c3+", 0 },
	{ "new 11 5;in 11 5 *1\r\n$4\r\nPING\r\n;out 11 5 +99;in 11 5 *1\r\n$4\r\nECHO\r\n;out 11 5 $1\r\na\r\n$;wait 11",
	  "PING 2-? c2+, ECHO 4-? c2+", 0 },
	/* the thread ends with its work; another one goes on */
	{ "wait 12;new 11 5;in 11 5 GET /a;exit 11;out 12 5 200;wait 12", "GET /a 200 3-5 c3", 0 },
	/* ... behind its answer: what it does then is the request's, up to its last mark */
	{ "new 11 5;in 11 5 GET /a;out 11 5 200;sample 11;wait 11;sample 11;exit 11;sample 12", "GET /a 200 2-3 s1 c3", 2 },
	{ "new 11 5;in 11 5 GET /a;sample 11;wait 11;exit 11", "GET /a 2-? s1 c2", 0 },
	/* the process ends, and with it the connections that it had last: nobody closes them */
	{ "new 11 5;in 11 5 GET /a;out 11 5 HTTP/1.0 200 x\r\n\r\nbytes;exit 11", "GET /a 200 2-3 c1", 0 },
	{ "new 11 5;in 11 5 \x01?;out 11 5 x;exit 11;sample 12", "tcp:80 2-3 c1", 1 },
	{ "new 11 5;in 11 5 GET /a;exit 11", "GET /a 2-? c0", 0 },
	/* ... which another one answers on, that has it, too */
	{ "new 11 5;in 11 5 \x01?;fork 21;exit 11;later 200;out 21 5 x;in 21 5 \x01?;out 21 5 x;wait 21;close 21 5",
	  "tcp:80 2-200000005 c200000003, tcp:80 200000006-200000007 c2", 0 },
	/* ... for which a second is waited, if nothing was answered: what comes later is met anew */
	{ "new 11 5;in 11 5 GET /a;exit 11;later 1001;new 21 6;in 21 6 GET /b;out 21 6 200;wait 21;in 31 5 \x01?;out 31 5 x;wait 31",
	  "GET /a 2-? c0, GET /b 200 1001000005-1001000006 c2, tcp 1001000008-1001000009 c2", 0 },
	{ "new 11 5;in 11 5 POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n;exit 11;later 100;in 21 5 ab;later 1001;out 21 5 200;wait 21",
	  "POST /a 200 2-1101000005 c1001000002", 0 },
	/* what it has done comes behind its end */
	{ "new 11 5;in 11 5 GET /a;exit 11;out 11 5 HTTP/1.0 200 x\r\n\r\nbytes;sample 11", "GET /a 200 2-4 c0", 1 },
	{ "wait 12;new 11 5;in 11 5 GET /a;exit 11;out 11 5 200;sample 11", "GET /a 200 3-5 c0", 1 },
	{ "new 11 5;in 11 5 \x01?;out 11 5 x;exit 11;out 11 5 ^x", "tcp:80 2-3 c1, tcp:80 5-5 c0", 0 },
	{ "new 11 5;in 21 5 GET /a;exit 11;out 21 5 200;wait 21", "GET /a 200 2-4 c3", 0 },
	{ "new 11 5;in 21 5 GET /a;out 21 5 200;exit 21;in 11 5 GET /b;out 11 5 200;wait 11",
	  "GET /a 200 2-3 c1, GET /b 200 5-6 c2", 0 },
	/* a loss: nothing that is open has an end; the next exchange is known again */
	{ "new 11 5;in 11 5 GET /a;lost;sample 11;out 11 5 200;wait 11;in 11 5 GET /b;out 11 5 200;wait 11",
	  "GET /a 2-? c0, GET /b 200 7-8 c2", 1 },
	{ "new 11 5;in 11 5 GET /a;less 12;sample 11;out 11 5 200;wait 11;in 11 5 GET /b;out 11 5 200;wait 11",
	  "GET /a 2-? c0, GET /b 200 7-8 c2", 1 },
	/* nobody knows the protocol: exchanges, of the port */
	{ "new 11 5;in 11 5 \x01?;in 11 5 more;out 11 5 x;out 11 5 y;wait 11;in 11 5 \x01!;out 11 5 z;wait 11;"
	  "close 11 5",
	  "tcp:80 2-5 c4, tcp:80 7-8 c2", 0 },
	/* ... of one that was there before, from the first on */
	{ "old 11 5;in 11 5 \x01?;out 11 5 x;in 11 5 \x01?;out 11 5 y;close 11 5",
	  "tcp:80 2-3 c2, tcp:80 4-5 c2", 0 },
	{ "old 11 5;in 11 5 \x01?;out 11 5 x;close 11 5", "tcp:80 2-3 c2", 0 },
	/* ... the last one ends where the server waits */
	{ "new 11 5;in 11 5 \x01?;out 11 5 x;out 11 5 y;wait 11", "tcp:80 2-4 c3", 0 },
	{ "new 11 5;in 11 5 \x01?;out 11 5 x", "tcp:80 2-? c1", 0 },
	{ "new 11 5;in 11 5 \x01?;wait 11", "tcp:80 2-? c1", 0 },
	/* encrypted: nothing can be said */
	{ "new 11 5;in 11 5 \x16\x03\x01;sample 11;out 11 5 \x16\x03\x03;wait 11", "", 1 },
	/* what PostgreSQL is asked is SQL, whatever it begins with: "SHOW a;SELECT 5" */
	{ "old 11 5;in 11 5 %510000001453484f5720613b53454c454354203500;out 11 5 %5a0000000549;wait 11",
	  "SHOW a;SELECT ? 2-3 c2", 0 },
	/* the thread's sum, of before, comes late: it is no longer on the CPU than time passes */
	{ "new 11 5;in 11 5 GET /a;out 11 5 200;wait 11 9;in 11 5 GET /b;out 11 5 200;wait 11 9",
	  "GET /a 200 2-3 c2, GET /b 200 5-6 c2", 0 },
	/* its first mark is missing */
	{ "in 11 5 GET /a;out 11 5 200;wait 11", "GET /a 200 1-2 c2", 0 },
};

START_TEST(marks_become_requests)
{
	struct outcome o;

	run(&o, 0, cases[_i].script);
	ck_assert_str_eq(str_cstr(&o.text), cases[_i].want);
	ck_assert_uint_eq(o.feed.tallies.nr_outside, cases[_i].nr_outside);
	ck_assert_uint_eq(o.feed.tallies.nr_in_requests + o.feed.tallies.nr_outside, o.feed.tallies.nr_samples);
	outcome_release(&o);
}
END_TEST

/*
 * Each sample of thread 12's is taken behind one more request's begin, so that there are more pieces than are kept: who
 * began before all of them has all, who began between loses less than one piece in sixteen of what came since.
 */
START_TEST(many_begins_between_two_marks)
{
	enum { NR = 1000, BEGIN = 300 };
	uint32_t conn = _i ? BEGIN : 1, i;
	struct str script = { 0 };
	struct outcome o;
	unsigned int nr;

	str_add(&script, "fork 12");
	for (i = 1; i <= NR; i++)
		str_addf(&script, ";new 11 %u;in 11 %u GET /%s;sample 12", i + 10, i + 10, i == conn ? "a" : "other");
	str_addf(&script, ";out 12 %u 200;exit 12", conn + 10);
	run(&o, 0, str_cstr(&script));
	ck_assert_int_eq(sscanf(str_cstr(&o.text), "GET /a 200 %*u-%*u s%u", &nr), 1);
	ck_assert_uint_le(nr, NR - conn + 1);
	ck_assert_uint_ge(nr, (NR - conn + 1) - (_i ? NR / 16 : 0));
	ck_assert_uint_eq(o.feed.tallies.nr_in_requests, nr);
	ck_assert_uint_eq(o.feed.tallies.nr_outside, NR - nr);
	str_release(&script);
	outcome_release(&o);
}
END_TEST

/* A thread of which no mark comes is not held for ever. */
START_TEST(many_samples_between_two_marks)
{
	enum { HELD = HELD_MAX * HELD_TOGETHER_MAX, NR = HELD + 5000 };
	struct str script = { 0 };
	struct outcome o;
	uint32_t i;

	str_add(&script, "fork 12;new 11 5;in 11 5 GET /a");
	for (i = 1; i <= NR; i++)
		str_addf(&script, ";in 11 6 GET /b;sample 12;out 11 6 200");
	str_add(&script, ";out 12 5 200;sample 12;exit 12");
	run(&o, 0, str_cstr(&script));
	ck_assert_ptr_nonnull(strstr(str_cstr(&o.text), " s1 "));
	ck_assert_uint_eq(o.feed.tallies.nr_in_requests, 1);
	ck_assert_uint_eq(o.feed.tallies.nr_outside, NR);
	ck_assert_uint_le(o.feed.attribute.open.slots.nr, HELD_MAX + 2);
	str_release(&script);
	outcome_release(&o);
}
END_TEST

/* What a thread calls that work is handed to, and is woken or made for it, did not begin before; what goes on was. */
static const struct {
	const char *script;
	uint64_t nr_late;
} lates[] = {
	{ "new 11 5;in 11 5 GET /a;hand 11 12;call 12;idle 12;hand 11 12;call 12;return 12 11;call 12;idle 12;call 11;out 11 5 200;wait 11", 0 },
	{ "new 10 5;in 10 5 GET /a;fork 12;call 12;out 10 5 200;wait 10", 0 },
	{ "new 11 5;in 11 5 GET /a;hand 11 12;out 11 5 200;wait 11;in 11 5 GET /b;out 11 5 200;wait 11;call 12;idle 12", 1 },
	/* ... it was woken as it went to sleep, and has not slept: whose calls it has told of since nobody knows */
	{ "new 11 5;in 11 5 GET /a;hand 11 12;idle 12;wait 11;call 12;hand 11 12;call 12;idle 12;out 11 5 200;wait 11", 1 },
	{ "new 11 5;in 11 5 GET /a;hand 11 12;later 1;idle 12;wait 11;hand 11 12;call 12;later 1;idle 12;call 12;out 11 5 200;wait 11", 0 },
	/* ... also where another thread's probe has its marks in between */
	{ "fork 12;fork 13;new 11 5;in 11 5 GET /a;hand 11 12;lost;probe 13;call 12", 1 },
};

START_TEST(counts_of_who_is_handed_work)
{
	struct outcome o;

	run(&o, 0, lates[_i].script);
	ck_assert_uint_eq(o.feed.tallies.nr_calls_late, lates[_i].nr_late);
	outcome_release(&o);
}
END_TEST

/* A thread a connection: each has the index of one that has ended, and what it calls is its own. */
START_TEST(counts_of_who_has_the_index_of_another)
{
	enum { NR = 3 * SESSION_ENDED_KEPT };
	struct str script = { 0 };
	struct outcome o;
	unsigned int i;

	for (i = 1; i <= NR; i++)
		str_addf(&script, "%sfork 10%u;call 10%u;new 10%u %u5;in 10%u %u5 GET /a;call 10%u;out 10%u %u5 200;exit 10%u",
			 i > 1 ? ";" : "", i, i, i, i, i, i, i, i, i, i);
	run_as(&o, 0, true, str_cstr(&script));
	ck_assert_uint_eq(o.feed.nr_requests, NR);
	ck_assert_uint_eq(o.feed.tallies.nr_calls_late, 0);
	str_release(&script);
	outcome_release(&o);
}
END_TEST

/* Process 10, whose threads hand on what they read, has ended; the next one has its index, and does so once. */
START_TEST(habits_of_who_has_the_index_of_another)
{
	struct str script = { 0 };
	struct outcome with, without;
	unsigned int i;

	str_add(&script, "fork 11;fork 12");
	for (i = 0; i < 20; i++)
		str_add(&script, ";new 11 5;in 11 5 GET /a;wait 11;out 12 5 200;wait 12;close 11 5");
	str_add(&script, ";exit 11;exit 12;later 60");
	for (i = 0; i < SESSION_ENDED_KEPT; i++)
		str_addf(&script, ";fork %u;exit %u", 1001 + 10 * i, 1001 + 10 * i);
	str_add(&script, ";fork 50001;fork 50002");
	for (i = 0; i < 16; i++)
		str_add(&script, ";new 50002 7;in 50002 7 GET /n;out 50002 7 200;wait 50002;close 50002 7");
	str_add(&script, ";new 50001 7;in 50001 7 GET /n;wait 50001;out 50002 7 200;wait 50002;close 50001 7"
			 ";new 50002 17;new 50002 27;in 50002 17 GET /p;wait 50002;in 50002 27 GET /q;wait 50002"
			 ";sample 50002;sample 50002;out 50002 17 200;wait 50002;out 50002 27 200;wait 50002");
	run_as(&with, 0, true, str_cstr(&script));
	run_as(&without, 0, false, str_cstr(&script));
	ck_assert_str_eq(with.text.s, without.text.s);
	outcome_release(&with);
	outcome_release(&without);
	str_release(&script);
}
END_TEST

/* Of whose calls there is doubt. */
static const struct {
	const char *before, *script, *want;
} doubts[] = {
	/* one at a time: none */
	{ "", "new 11 5;wait 11;call 11;in 11 5 GET /a;call 11;out 11 5 200;call 11;in 11 5 GET /b;call 11;out 11 5 200;call 11;wait 11",
	  "GET /a 200 4-6 c4, GET /b 200 8-10 c4" },
	/* two at a time, but nothing was counted */
	{ "", "new 11 5;new 11 6;in 11 5 GET /a;in 11 6 GET /b;out 11 5 200;out 11 6 200;wait 11",
	  "GET /a 200 3-5 c1, GET /b 200 4-6 c2" },
	/* both may have it, and it is outside, unless they are of one endpoint */
	{ "", "new 11 5;new 11 6;in 11 5 GET /a;in 11 6 GET /b;call 11;out 11 5 200;out 11 6 200;wait 11",
	  "GET /a 200 3-6 c1~, GET /b 200 4-7 c2~" },
	{ "", "new 11 5;new 11 6;in 11 5 GET /a;in 11 6 GET /a;call 11;out 11 5 200;out 11 6 200;wait 11",
	  "GET /a 200 3-6 c3=, GET /a 200 4-7 c2=" },
	/* one waits while the other one is answered: what it has is its own and maybe not all */
	{ "", "new 11 5;new 11 6;in 11 5 GET /a;wait 11;in 11 6 GET /b;call 11;out 11 6 200;wait 11;out 11 5 200;wait 11",
	  "GET /b 200 5-7 c3~, GET /a 200 3-9 c3~" },
	/* outside, while one is underway */
	{ "", "new 11 5;new 11 6;in 11 5 GET /a;wait 11;call 11;in 11 6 GET /b;out 11 6 200;wait 11;out 11 5 200;wait 11",
	  "GET /b 200 6-7 c2, GET /a 200 3-9 c3~" },
	/* at the time of none */
	{ "", "new 11 5;new 11 6;call 11;in 11 5 GET /a;out 11 5 200;wait 11;call 11;in 11 6 GET /b;out 11 6 200;wait 11",
	  "GET /a 200 4-5 c2, GET /b 200 8-9 c2" },
	/* a loop that has always gone on with what it has read */
	{ "in 11 7 GET /c;out 11 7 200;", "new 11 5;new 11 6;in 11 5 GET /a;up 11 9;out 11 9 x;wait 11;in 11 6 GET /b;call 11;out 11 6 200;wait 11;"
	  "in 11 9 y;call 11;out 11 5 200;wait 11", "GET /b 200 47-49 c3, GET /a 200 43-53 c6" },
	/* behind a timer it goes on with one of several that wait: for that one, */
	{ "in 11 7 GET /c;out 11 7 200;", "new 11 5;new 11 6;in 11 5 GET /a;wait 11;in 11 6 GET /b;wait 11;call 11;out 11 5 200;wait 11;"
	  "call 11;out 11 6 200;wait 11", "GET /a 200 43-48 c2~, GET /b 200 45-51 c4~" },
	/* without an answer, before it reads for another one, */
	{ "in 11 7 GET /c;out 11 7 200;", "new 11 5;new 11 6;in 11 5 GET /a;wait 11;call 11;in 11 6 GET /b;out 11 6 200;wait 11;"
	  "out 11 5 200;wait 11", "GET /b 200 46-47 c2, GET /a 200 43-49 c3~" },
	/* or, since it does such things, behind what it has read */
	{ "in 11 7 GET /c;out 11 7 200;", "new 11 5;new 11 6;in 11 5 GET /a;wait 11;out 11 5 200;wait 11;in 11 5 GET /a;wait 11;"
	  "in 11 6 GET /b;call 11;wait 11;out 11 6 200;wait 11;out 11 5 200;wait 11", "GET /b 200 49-52 c3~, GET /a 200 47-54 c3~" },
	/* it wakes to read for the only one that waits */
	{ "in 11 7 GET /c;out 11 7 200;", "new 11 5;in 11 5 GET /a;up 11 9;out 11 9 x;wait 11;call 11;in 11 9 y;call 11;out 11 5 200;wait 11",
	  "GET /a 200 42-49 c6" },
	/* an answer in parts, and nothing else; while another one is read; and while that is answered in parts, too */
	{ "", "new 11 5;in 11 5 GET /a;call 11;out 11 5 200+3;wait 11;call 11;out 11 5 abc;call 11;wait 11", "GET /a 200 2-7 c7" },
	{ "in 11 7 GET /c;out 11 7 200;", "new 11 5;new 11 6;in 11 5 GET /a;out 11 5 200+3;wait 11;call 11;in 11 6 GET /b;out 11 6 200;wait 11;"
	  "out 11 5 abc;wait 11", "GET /b 200 47-48 c2, GET /a 200 43-50 c4~" },
	{ "", "new 11 5;new 11 6;in 11 5 GET /a;out 11 5 200+3;wait 11;in 11 6 GET /b;out 11 6 200+3;wait 11;call 11;"
	  "out 11 5 abc;wait 11;out 11 6 abc;wait 11", "GET /a 200 3-10 c5~, GET /b 200 6-12 c4~" },
	/* ... and it goes on with both behind one wait */
	{ "", "new 11 5;new 11 6;in 11 5 GET /a;out 11 5 200+3;wait 11;in 11 6 GET /b;out 11 6 200+3;wait 11;call 11;"
	  "out 11 6 abc;out 11 5 abc;wait 11", "GET /b 200 6-10 c4~, GET /a 200 3-11 c4~" },
	/* ... that ends with its connection, while nothing else, or another one, waits */
	{ "", "new 11 5;in 11 5 GET /a;out 11 5 HTTP/1.0 200 x\r\n\r\n;wait 11;call 11;close 11 5;call 11;wait 11", "GET /a 200 2-3 c6" },
	{ "", "new 11 5;new 11 6;in 11 6 GET /b;in 11 5 GET /a;out 11 5 HTTP/1.0 200 x\r\n\r\n;wait 11;call 11;close 11 5;wait 11;out 11 6 200;wait 11",
	  "GET /a 200 4-5 c5~, GET /b 200 3-10 c3~" },
	{ "", "new 11 5;new 11 6;in 11 5 GET /a;out 11 5 HTTP/1.0 200 x\r\n\r\n;wait 11;call 11;in 11 6 GET /b;out 11 6 200;wait 11;close 11 5;wait 11",
	  "GET /b 200 7-8 c2, GET /a 200 3-4 c4~" },
	/* ... and is given up: what is called for it behind the close is outside, if a mark does not tell that it works on it */
	{ "", "new 11 5;in 11 5 GET /a;out 11 5 200+3;call 11;close 11 5;call 11;wait 11", "GET /a 200 2-? c3" },
	{ "", "new 11 5;in 11 5 GET /a;out 11 5 200+3;wait 11;call 11;close 11 5;call 11;wait 11", "GET /a 200 2-? c4~" },
	{ "", "new 11 5;in 11 5 GET /a;out 11 5 200+3;wait 11;call 11;out 11 5 a;wait 11;call 11;close 11 5;call 11;wait 11", "GET /a 200 2-? c7~" },
	/* ... or has not begun */
	{ "", "new 11 5;in 11 5 GET /a;wait 11;call 11;close 11 5;wait 11", "GET /a 2-? c1~" },
	/* ... or what goes on when the recording ends */
	{ "", "new 11 5;in 11 5 GET /a;out 11 5 200+3;wait 11;call 11;in 11 6 GET /b;out 11 6 200;wait 11", "GET /b 200 6-7 c2, GET /a 200 2-? c2~" },
	{ "", "new 11 5;in 11 5 GET /a;out 11 5 200+3;wait 11;call 11", "GET /a 200 2-? c2~" },
	/* who is handed work tells of his calls when he waits for more, long behind the answer maybe: if nothing else was asked for
	   they are that one's, as is what was sampled with them; else they may be another's */
	{ "", "new 11 5;in 11 5 GET /a;hand 11 12;idle 12;hand 11 12;out 11 5 200;wait 11;later 2;sample 12;call 12;idle 12",
	  "GET /a 200 2-6 s1 c7" },
	{ "", "new 11 5;new 11 6;in 11 5 GET /a;hand 11 12;idle 12;hand 11 12;out 11 5 200;wait 11;in 11 6 GET /b;later 2;sample 12;"
	  "call 12;idle 12;out 11 6 200;wait 11", "GET /a 200 3-7 c7~, GET /b 200 9-2000013 c2000005~" },
	/* who is kept busy has called for who waits for it; with what is answered, and told of by no such mark, maybe */
	{ "", "new 11 5;new 13 6;in 11 5 GET /a;hand 11 12;idle 12;hand 11 12;call 12;return 12 11;in 13 6 GET /b;call 12;return 12 13;out 11 5 200;"
	  "out 13 6 200;wait 11;wait 13;call 12;idle 12", "GET /a 200 3-12 c14, GET /b 200 9-13 c14" },
	{ "", "new 11 5;new 13 6;in 11 5 GET /a;hand 11 12;idle 12;hand 11 12;in 13 6 GET /b;out 11 5 200;wait 11;call 12;return 12 13;"
	  "out 13 6 200;wait 13", "GET /a 200 3-8 c7~, GET /b 200 7-12 c10~" },
	{ "", "new 11 5;new 13 6;new 14 7;in 11 5 GET /a;hand 11 12;idle 12;hand 11 12;call 12;return 12 11;in 13 6 GET /b;in 14 7 GET /c;"
	  "out 14 7 200;wait 14;call 12;return 12 13;out 11 5 200;out 13 6 200;wait 11;wait 13", "GET /c 200 11-12 c2~, GET /a 200 4-16 c17~, GET /b 200 10-17 c14~" },
	/* ... also where another one was woken for that, and found it taken; unless he wakes who waits for it, or answers himself */
	{ "", "new 11 5;in 11 5 GET /a;hand 11 12;idle 12;hand 11 12;call 12;return 12 11;out 11 5 200;in 11 5 GET /b;hand 11 13;call 12;idle 12;"
	  "idle 13;out 11 5 200;wait 11", "GET /a 200 2-8 c15~, GET /b 200 9-14 c9~" },
	{ "", "new 11 5;in 11 5 GET /a;hand 11 12;idle 12;hand 11 12;call 12;return 12 11;out 11 5 200;in 11 5 GET /b;hand 11 13;idle 13;call 12;"
	  "out 11 5 200;idle 12;wait 11", "GET /a 200 2-8 c17~, GET /b 200 9-13 c7~" },
	{ "", "new 11 5;in 11 5 GET /a;hand 11 12;idle 12;hand 11 12;call 12;return 12 11;out 11 5 200;in 11 5 GET /b;hand 11 13;idle 12;call 13;"
	  "return 13 11;out 11 5 200;idle 13;wait 11", "GET /a 200 2-8 c14, GET /b 200 9-14 c10" },
	{ "", "new 11 5;in 11 5 GET /a;fork 12;new 11 6;in 11 6 GET /b;fork 13;call 12;call 13;out 12 5 200;exit 12;out 13 6 200;"
	  "exit 13;wait 11", "GET /a 200 2-9 c9, GET /b 200 5-11 c13" },
	/* ... to one of several that it answers then */
	{ "", "new 11 5;new 11 6;in 11 5 GET /a;hand 11 12;in 11 6 GET /b;wait 11;call 12;return 12 11;idle 12;out 11 5 200;out 11 6 200;wait 11",
	  "GET /a 200 3-10 c11~, GET /b 200 5-11 c3~" },
	/* ... it has not told yet that another one's is done */
	{ "", "new 11 5;new 13 6;in 11 5 GET /a;hand 11 12;in 13 6 GET /b;call 12;return 12 13;out 13 6 200;out 11 5 200;wait 11;wait 13", "GET /a 200 3-9 c10~, GET /b 200 5-8 c6~" },
	/* ... to several */
	{ "", "new 11 5;new 11 6;in 11 5 GET /a;hand 11 12;idle 12;hand 11 12;in 11 6 GET /b;wait 11;call 12;return 12 11;call 12;return 12 11;"
	  "wait 11;out 11 5 200;out 11 6 200;wait 11", "GET /a 200 3-14 c14~, GET /b 200 7-15 c3~" },
	/* no mark tells that what was handed on is done, and the loop goes on: if it owes one answer it hands that on again, */
	{ "", "new 11 5;in 11 5 GET /a;call 11;hand 11 12;call 12;idle 12;wait 11;call 11;hand 11 12;call 12;idle 12;call 11;out 11 5 200;wait 11",
	  "GET /a 200 2-13 c16" },
	/* if several, one of these, and nobody knows which */
	{ "", "new 11 5;new 11 6;in 11 5 GET /a;hand 11 12;call 12;idle 12;wait 11;in 11 6 GET /b;hand 11 12;idle 12;wait 11;hand 11 12;call 12;"
	  "idle 12;out 11 5 200;wait 11;out 11 6 200;wait 11", "GET /a 200 3-15 c7~, GET /b 200 8-17 c6~" },
	/* another thread answers what was read for it, one after the other */
	{ "", "new 11 5;new 11 6;in 11 5 GET /a;in 11 6 GET /b;call 12;out 12 5 200;call 12;out 12 6 200;wait 12;wait 11",
	  "GET /a 200 3-6 c1~, GET /b 200 4-8 c9~" },
	{ "", "new 11 5;new 11 6;in 11 5 GET /a;in 11 6 GET /a;call 12;out 12 5 200;call 12;out 12 6 200;wait 12;wait 11",
	  "GET /a 200 3-6 c1=, GET /a 200 4-8 c9=" },
};

/* want: the last requests. */
static void check_last(const char *before, const char *script, const char *want)
{
	enum { NR_BEFORE = 20 };
	struct str lines = { 0 };
	struct outcome o;
	const char *text;
	uint32_t i;

	for (i = 0; i < NR_BEFORE && before[0]; i++)
		str_add(&lines, before);
	str_add(&lines, script);
	run(&o, 0, str_cstr(&lines));
	text = str_cstr(&o.text);
	ck_assert_uint_ge(strlen(text), strlen(want));
	ck_assert_str_eq(text + strlen(text) - strlen(want), want);
	str_release(&lines);
	outcome_release(&o);
}

START_TEST(calls_are_in_doubt)
{
	check_last(doubts[_i].before, doubts[_i].script, doubts[_i].want);
}
END_TEST

/* Whose it is what is done before a part of an answer. */
static const struct {
	const char *before, *script, *want;
} parts[] = {
	/* that answer's, if all have begun: in turn, */
	{ "", "new 11 5;new 11 6;in 11 5 GET /a;out 11 5 200+6;in 11 6 GET /b;out 11 6 200+6;-;sample 11;out 11 5 abc;sample 11;sample 11;-;-;"
	  "out 11 6 abc;sample 11;out 11 5 abc;-;-;-;out 11 6 abc;wait 11",
	  "GET /a 200 3-16 s2 c7, GET /b 200 5-20 s2 c11" },
	/* or behind a wait; another one's begins */
	{ "", "new 11 5;new 11 6;in 11 5 GET /a;out 11 5 200+3;wait 11;in 11 6 GET /b;out 11 6 200+3;wait 11;sample 11;-;out 11 5 abc;wait 11;-;-;"
	  "out 11 6 abc;wait 11",
	  "GET /a 200 3-11 s1 c6, GET /b 200 6-15 c6" },
	{ "", "new 11 5;new 11 6;in 11 6 GET /b;-;in 11 5 GET /a;out 11 5 200+3;sample 11;-;-;out 11 6 200;wait 11;out 11 5 abc;wait 11",
	  "GET /b 200 3-10 s1 c7, GET /a 200 5-12 c3" },
	/* ... but it is no part, but the next one's that came with another one */
	{ "", "new 11 5;new 11 6;in 11 6 GET /b HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n;out 11 6 HTTP/1.1 204 x\r\n\r\n;"
	  "in 11 5 GET /a HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n;sample 11;-;-;out 11 6 HTTP/1.1 204 x\r\n\r\n;wait 11",
	  "GET /b 204 3-4 c1, GET /b 204 3-9 c2, GET /a 5-? c0, GET /c 5-? c0" },
	/* who has read something, and works for that before it writes to others, publishes: it goes on with that */
	{ "in 11 6 GET /p;later 1;out 11 5 abc;out 11 6 200;wait 11;", "new 11 5;in 11 5 GET /s;out 11 5 200+99;wait 11;in 11 6 GET /p;sample 11;"
	  "later 1;out 11 5 abc;sample 11;later 1;out 11 9 x;wait 11;in 11 9 y;sample 11;out 11 6 200;wait 11;close 11 5",
	  "GET /p 200 20000085-22000093 s3 c2000008, GET /s 200 20000082-? c3" },
	/* ... but not if it works as long before all that it writes; too little is known */
	{ "in 11 6 GET /r;later 1;out 11 5 abc;later 1;out 11 6 200;wait 11;", "new 11 5;in 11 5 GET /s;out 11 5 200+3;wait 11;in 11 6 GET /r;"
	  "sample 11;later 1;out 11 5 abc;sample 11;later 1;out 11 6 200;wait 11",
	  "GET /s 200 40000082-41000087 s1 c1000004, GET /r 200 40000085-42000089 s1 c1000003" },
	{ "", "new 11 5;new 11 6;in 11 5 GET /s;out 11 5 200+3;wait 11;in 11 6 GET /r;sample 11;later 1;out 11 5 abc;out 11 6 200;wait 11",
	  "GET /s 200 3-1000008 c2+, GET /r 200 6-1000009 s1 c1000004+" },
	/* also where it has read several before it works; if it goes on with others in turn they have it; or too little is known */
	{ "in 11 7 GET /b;in 11 8 GET /p;later 1;out 11 7 200;later 1;out 11 5 abc;out 11 6 abc;out 11 8 200;wait 11;", "new 11 5;new 11 6;in 11 5 GET /s;out 11 5 200+99;in 11 6 GET /s;out 11 6 200+99;wait 11;in 11 7 GET /b;in 11 8 GET /p;sample 11;"
	  "later 1;out 11 7 200;sample 11;sample 11;later 1;out 11 5 abc;out 11 6 abc;out 11 8 200;wait 11", "GET /b 200 40000148-41000151 s1 c1000003, GET /p 200 40000149-42000156 s2 c1000006, GET /s 200 40000143-? c2, GET /s 200 40000145-? c2" },
	{ "in 11 7 GET /b;in 11 8 GET /p;later 1;out 11 7 200;later 1;out 11 5 abc;later 1;out 11 6 abc;out 11 8 200;wait 11;",
	  "new 11 5;new 11 6;in 11 5 GET /s;out 11 5 200+99;in 11 6 GET /s;out 11 6 200+99;wait 11;in 11 7 GET /b;in 11 8 GET /p;sample 11;"
	  "later 1;out 11 7 200;sample 11;sample 11;later 1;out 11 5 abc;out 11 6 abc;out 11 8 200;wait 11;close 11 5;close 11 6", "GET /b 200 60000148-61000151 s1 c1000003, GET /p 200 60000149-62000156 c2, GET /s 200 60000143-? s2 c1000006, GET /s 200 60000145-? c4" },
	{ "", "new 11 5;new 11 6;in 11 5 GET /s;out 11 5 200+99;in 11 6 GET /s;out 11 6 200+99;wait 11;in 11 7 GET /b;in 11 8 GET /p;sample 11;"
	  "later 1;out 11 7 200;sample 11;sample 11;call 11;later 1;out 11 5 abc;out 11 6 abc;out 11 8 200;wait 11", "GET /b 200 8-1000011 c1+~, GET /p 200 9-2000017 c2+~, GET /s 200 3-? c2+~, GET /s 200 5-? c3~" },
	/* ... it does not answer right behind that: nobody knows */
	{ "in 11 7 GET /b;in 11 8 GET /p;later 1;out 11 7 200;later 1;out 11 5 abc;out 11 6 abc;out 11 8 200;wait 11;", "new 11 5;new 11 6;in 11 5 GET /s;out 11 5 200+99;in 11 6 GET /s;out 11 6 200+99;wait 11;in 11 7 GET /b;in 11 8 GET /p;sample 11;"
	  "later 1;out 11 5 abc;out 11 6 abc;wait 11;out 11 8 200;out 11 7 200;wait 11", "GET /p 200 40000149-41000154 c1+, GET /b 200 40000148-41000155 c3+, GET /s 200 40000143-? c2, GET /s 200 40000145-? c2" },
	{ "in 11 7 GET /b;in 11 8 GET /p;later 1;out 11 7 200;later 1;out 11 5 abc;out 11 6 abc;out 11 8 200;wait 11;", "new 11 5;new 11 6;in 11 5 GET /s;out 11 5 200+99;in 11 6 GET /s;out 11 6 200+99;wait 11;in 11 7 GET /b;in 11 8 GET /p;sample 11;"
	  "later 1;out 11 5 abc;out 11 6 abc;later 1;out 11 8 200;out 11 7 200;wait 11", "GET /p 200 40000149-42000153 c1000001+, GET /b 200 40000148-42000154 c3+, GET /s 200 40000143-? c2, GET /s 200 40000145-? c2" },
	/* ... and to who waits for an answer since long */
	{ "in 11 5 GET /w;in 11 6 GET /w;wait 11;in 11 7 GET /b;in 11 8 GET /p;later 1;out 11 7 200;later 1;out 11 5 200;out 11 6 200;out 11 8 200;"
	  "wait 11;", "in 11 5 GET /w;in 11 6 GET /w;wait 11;in 11 7 GET /b;in 11 8 GET /p;sample 11;later 1;out 11 7 200;sample 11;sample 11;later 1;"
	  "out 11 5 200;out 11 6 200;out 11 8 200;wait 11", "GET /w 200 40000202-42000211 c1, GET /b 200 40000204-41000207 s1 c1000003, GET /p 200 40000205-42000212 s2 c1000006" },
	{ "in 11 5 GET /w;in 11 6 GET /w;wait 11;in 11 7 GET /b;in 11 8 GET /p;later 1;out 11 7 200;later 1;out 11 5 200;later 1;out 11 6 200;out 11 8 200;"
	  "wait 11;", "in 11 5 GET /w;in 11 6 GET /w;wait 11;in 11 7 GET /b;in 11 8 GET /p;sample 11;later 1;out 11 7 200;sample 11;sample 11;later 1;"
	  "out 11 5 200;out 11 6 200;out 11 8 200;wait 11", "GET /w 200 60000201-62000210 s2 c1000004, GET /w 200 60000202-62000211 c2, GET /p 200 60000205-62000212 c2" },
	/* ... also where it has begun nothing since: others do not wait for it to wait, or not as often */
	{ "in 11 7 GET /b;out 11 7 200;in 11 7 GET /b;out 11 7 200;in 11 7 GET /b;out 11 7 200;"
	  "in 11 5 GET /w;in 11 6 GET /w;wait 11;in 11 8 GET /p;later 1;out 11 5 200;out 11 6 200;out 11 8 200;wait 11;",
	  "in 11 5 GET /w;in 11 6 GET /w;wait 11;in 11 8 GET /p;sample 11;later 1;out 11 5 200;out 11 6 200;out 11 8 200;wait 11", "GET /w 200 20000282-21000287 c1, GET /p 200 20000284-21000288 s1 c1000005" },
	{ "in 11 5 GET /w;in 11 6 GET /w;wait 11;wait 11;in 11 8 GET /p;wait 11;later 1;out 11 5 200;out 11 6 200;out 11 8 200;wait 11;",
	  "in 11 5 GET /w;in 11 6 GET /w;wait 11;wait 11;in 11 8 GET /p;wait 11;sample 11;later 1;out 11 5 200;out 11 6 200;out 11 8 200;wait 11", "GET /w 200 20000202-21000209 c1, GET /p 200 20000205-21000210 s1 c1000006" },
	/* an answer's end is its connection's: what is done before that is its own, too, whether it is whole or given up, */
	{ "", "new 11 5;in 11 5 GET /a;out 11 5 HTTP/1.0 200 x\r\n\r\n;wait 11;sample 11;-;close 11 5;wait 11", "GET /a 200 2-3 s1 c6" },
	{ "", "new 11 5;new 11 6;in 11 6 GET /b;in 11 5 GET /a;out 11 5 200+3;wait 11;sample 11;-;close 11 5;wait 11;out 11 6 200;wait 11",
	  "GET /a 200 4-? s1 c5, GET /b 200 3-11 c3" },
	/* ... but it may be because of what was read last, also where loops take turns */
	{ "", "new 11 5;in 11 5 GET /s;out 11 5 HTTP/1.0 200 x\r\n\r\n;wait 11;in 11 6 GET /k;sample 11;later 1;close 11 5;out 11 6 200;wait 11",
	  "GET /s 200 2-3 c2+, GET /k 200 5-1000008 s1 c1000004+" },
	{ "in 11 6 GET /r;later 1;out 11 5 abc;later 1;out 11 6 200;wait 11;", "new 11 5;in 11 5 GET /s;out 11 5 HTTP/1.0 200 x\r\n\r\n;wait 11;"
	  "in 11 6 GET /k;sample 11;later 1;close 11 5;out 11 6 200;wait 11", "GET /s 200 40000082-40000083 c2+, GET /k 200 40000085-41000088 s1 c1000004+" },
	/* ... and one that has no such end may have been over before */
	{ "", "new 11 5;in 11 5 \x01?;out 11 5 x;wait 11;sample 11;-;close 11 5;wait 11", "tcp:80 2-3 c2" },
	/* it works for all, and then writes to all */
	{ "in 11 5 GET /a;in 11 6 GET /b;wait 11;later 1;out 11 5 200;out 11 6 200;wait 11;", "new 11 5;new 11 6;in 11 5 GET /a;out 11 5 200+3;"
	  "in 11 6 GET /b;out 11 6 200+3;wait 11;sample 11;later 1;out 11 5 abc;out 11 6 abc;wait 11",
	  "GET /a 200 20000123-21000129 c2+, GET /b 200 20000125-21000130 c4+" },
};

START_TEST(parts_are_of_their_answers)
{
	check_last(parts[_i].before, parts[_i].script, parts[_i].want);
}
END_TEST

/* What a thread does again and again tells what it does behind a wait, or behind a read, before it answers another. */
static const struct {
	const char *round;	/* with one sample */
	bool is_known;		/* whose that is */
	const char *last_cpu;	/* what is known of the last request's time on the CPU, as of add_request(); NULL: all */
} rounds[] = {
	/* woken, it works for one and answers it, works for the next and answers it */
	{ ";in 11 5 GET /a;in 11 6 GET /b;wait 11;sample 11;out 11 5 200;-;out 11 6 200;wait 11", true, NULL },
	/* it works for both, and then answers both */
	{ ";in 11 5 GET /a;in 11 6 GET /b;wait 11;sample 11;-;-;-;-;-;-;out 11 5 200;out 11 6 200;wait 11", false, "+" },
	/* ... of one endpoint */
	{ ";in 11 5 GET /a;in 11 6 GET /a;wait 11;sample 11;-;-;-;-;-;-;out 11 5 200;out 11 6 200;wait 11", true, "*" },
	/* it reads from both, works for one and answers it, works for the other and answers it */
	{ ";in 11 5 GET /a;in 11 6 GET /b;-;sample 11;-;out 11 5 200;-;-;out 11 6 200;wait 11", true, NULL },
	/* it reads from both, works for both, and then answers both */
	{ ";in 11 5 GET /a;in 11 6 GET /b;-;-;-;-;-;-;-;-;-;-;-;-;-;-;-;sample 11;-;-;-;-;-;-;-;-;-;-;-;-;-;-;-;-;-;-;"
	  "out 11 5 200;-;-;out 11 6 200;wait 11", false, "+" },
	/* the same, and now and then it answers first what it has read last (uvloop) */
	{ ";in 11 5 GET /a;in 11 6 GET /b;later 1;out 11 5 200;-;out 11 6 200;wait 11"
	  ";in 11 5 GET /a;in 11 6 GET /b;later 1;sample 11;out 11 6 200;-;out 11 5 200;wait 11", false, "+" },
	/* ... always */
	{ ";in 11 5 GET /a;in 11 6 GET /b;sample 11;later 1;out 11 6 200;-;out 11 5 200;wait 11", false, "+" },
	/* ... and does something for each when it has read it */
	{ ";in 11 5 GET /a;later 1;in 11 6 GET /b;later 4;out 11 5 200;-;out 11 6 200;wait 11"
	  ";in 11 5 GET /a;later 1;in 11 6 GET /b;later 4;sample 11;out 11 6 200;-;out 11 5 200;wait 11", false, "+" },
	/* ... both of one endpoint; of one path, but asked for by two methods */
	{ ";in 11 5 GET /a;in 11 6 GET /a;later 1;out 11 5 200;-;out 11 6 200;wait 11"
	  ";in 11 5 GET /a;in 11 6 GET /a;later 1;sample 11;out 11 6 200;-;out 11 5 200;wait 11", true, "*" },
	{ ";in 11 5 GET /a;in 11 6 HEAD /a HTTP/1.1\r\n\r\n;later 1;out 11 5 200;-;out 11 6 200;wait 11"
	  ";in 11 5 GET /a;in 11 6 HEAD /a HTTP/1.1\r\n\r\n;later 1;sample 11;out 11 6 200;-;out 11 5 200;wait 11", false, "+" },
	/* ... it looks for more before it works, and between its answers */
	{ ";in 11 5 GET /a;in 11 6 GET /b;later 1;out 11 5 200;-;out 11 6 200;wait 11"
	  ";in 11 5 GET /a;wait 11;in 11 6 GET /b;in 11 7 GET /b;later 1;sample 11;out 11 6 200;-;out 11 7 200;wait 11;-;out 11 5 200;wait 11",
	  false, "+" },
	/* ... but what it has read first waits for something then: it has worked for the last one alone */
	{ ";in 11 5 GET /a;in 11 6 GET /b;later 1;out 11 5 200;-;out 11 6 200;wait 11"
	  ";in 11 5 GET /a;in 11 6 GET /b;later 1;sample 11;out 11 6 200;wait 11;out 11 5 200;wait 11", true, NULL },
	/* ... but it is a moment's chores */
	{ ";in 11 5 GET /a;in 11 6 GET /b;-;-;-;-;-;-;-;-;-;-;-;-;-;-;-;-;-;-;-;-;-;-;-;-;-;-;-;out 11 5 200;-;out 11 6 200;wait 11"
	  ";in 11 5 GET /a;in 11 6 GET /b;-;-;-;-;-;-;-;sample 11;-;-;-;-;-;-;-;out 11 6 200;-;out 11 5 200;wait 11", true, NULL },
};

START_TEST(rounds_tell_what_a_thread_does)
{
	enum { NR_ROUNDS = 200, NR_BEFORE = 16 };
	struct str script = { 0 };
	struct outcome o;
	uint64_t nr_outside;
	char last;
	uint32_t i;

	str_add(&script, "new 11 5;new 11 6;new 11 7");
	for (i = 0; i < NR_ROUNDS; i++)
		str_add(&script, rounds[_i].round);
	run(&o, 0, str_cstr(&script));
	nr_outside = o.feed.tallies.nr_outside;
	ck_assert_uint_eq(nr_outside + o.feed.tallies.nr_in_requests, NR_ROUNDS);
	if (rounds[_i].is_known)
		ck_assert_uint_le(nr_outside, NR_BEFORE);
	else
		ck_assert_uint_ge(nr_outside, NR_ROUNDS - NR_BEFORE);
	last = o.text.s[o.text.len - 1];
	ck_assert_msg(rounds[_i].last_cpu ? last == rounds[_i].last_cpu[0] : !strchr("+*", last), "%s", strrchr(o.text.s, ','));
	str_release(&script);
	outcome_release(&o);
}
END_TEST

/* One of those that read for each other has answered alone for so long. */
static const struct {
	const char *since, *round, *want;	/* the last one's requests */
} alone[] = {
	/* while none of the others gets a CPU: what it reads is for any of them still, and it works for what was read before */
	{ ";in 11 5 GET /a", ";in 11 6 GET /b;sample 11;out 11 5 200;in 11 5 GET /a;out 11 6 200",
	  "GET /a 200 1093-1097 s1 c3, GET /b 200 1095-1099 c1, GET /a 1098-? c0" },
	/* for longer than any waits for one: it works for what it reads */
	{ ";later 1001", ";in 11 6 GET /b;-;sample 11;-;in 11 5 GET /a;-;out 11 6 200;out 11 5 200;wait 11",
	  "GET /b 200 1001001890-1001001896 s1 c4, GET /a 200 1001001894-1001001897 c4" },
};

START_TEST(one_of_a_pool_goes_on_alone)
{
	enum { NR_TOGETHER = 16, NR_ALONE = 200 };
	struct str script = { 0 };
	struct outcome o;
	const char *text;
	uint32_t i;

	str_add(&script, "new 11 5;new 12 6");
	for (i = 0; i < NR_TOGETHER; i++)
		str_add(&script, ";in 11 5 GET /a;in 12 6 GET /b;out 12 5 200;wait 12;out 11 6 200;wait 11");
	str_add(&script, alone[_i].since);
	for (i = 0; i < NR_ALONE; i++)
		str_add(&script, alone[_i].round);
	run(&o, 0, str_cstr(&script));
	text = str_cstr(&o.text);
	ck_assert_uint_ge(strlen(text), strlen(alone[_i].want));
	ck_assert_str_eq(text + strlen(text) - strlen(alone[_i].want), alone[_i].want);
	str_release(&script);
	outcome_release(&o);
}
END_TEST

/* A loop that reads from all, and then works for one after the other, each right before its answer, asks another server. */
static const struct {
	const char *last, *want;	/* behind its rounds, and what comes of that */
} askings[] = {
	/* for what it read first, as it has begun with nothing yet */
	{ ";in 11 5 GET /asks;in 11 6 GET /c;sample 11;out 11 9;sample 11;out 11 6 200;wait 11;in 11 9;sample 11;out 11 5 200;"
	  "wait 11", "GET /c 200 2004-2008 s1 c3, GET /asks 200 2003-2012 s2 c6" },
	/* ... on a connection that it opens for that */
	{ ";in 11 5 GET /c;in 11 6 GET /asks;sample 11;out 11 5 200;sample 11;up 11 19;out 11 19;wait 11;in 11 19;"
	  "sample 11;out 11 6 200;wait 11", "GET /c 200 2003-2006 s1 c3, GET /asks 200 2004-2013 s2 c7" },
	/* where it has asked before it goes on with the same one */
	{ ";in 11 5 GET /asks;out 11 9;wait 11;in 11 9;in 11 6 GET /c;sample 11;out 11 9;sample 11;out 11 6 200;wait 11;"
	  "in 11 9;out 11 5 200;wait 11", "GET /c 200 2007-2011 s1 c3, GET /asks 200 2003-2014 s1 c7" },
};

START_TEST(loops_begin_in_turn)
{
	enum { NR_ROUNDS = 200 };	/* of ten lines, behind two */
	struct str script = { 0 };
	struct outcome o;
	const char *got;
	uint32_t i;

	str_add(&script, "new 11 5;new 11 6");
	for (i = 0; i < NR_ROUNDS; i++)
		str_add(&script, ";in 11 5 GET /a;in 11 6 GET /b;-;-;-;out 11 5 200;-;-;out 11 6 200;wait 11");
	str_add(&script, askings[_i].last);
	run(&o, 0, str_cstr(&script));
	got = strstr(str_cstr(&o.text), "GET /c");
	ck_assert_str_eq(got ? got : str_cstr(&o.text), askings[_i].want);
	str_release(&script);
	outcome_release(&o);
}
END_TEST

START_TEST(http_alone_is_taken_where_asked_for)
{
	struct outcome o;

	run(&o, SOCKET_IS_HTTP,
	    "new 11 5;new 11 6;new 11 7;in 11 5 \x01?;sample 11;out 11 5 x;wait 11;in 11 7 GET /a;out 11 7 200;wait 11;"
	    "in 11 6 \x01?;out 11 6 x;wait 11;close 11 6");
	ck_assert_str_eq(str_cstr(&o.text), "GET /a 200 8-9 c2, tcp:80 11-12 c2");
	ck_assert_uint_eq(o.feed.tallies.nr_outside, 1);
	outcome_release(&o);
}
END_TEST

/* Each connection counts once, however it goes on; one that was there before has its first bytes in the middle. */
START_TEST(what_cannot_be_read_is_counted)
{
	struct outcome o;

	run(&o, 0,
	    "new 11 5;in 11 5 \x16\x03\x01;out 11 5 \x16\x03\x03;in 11 5 \x17\x03\x03;in 11 5 GET /a;wait 11;"
	    "old 11 6;in 11 6 \x17\x03\x03;out 11 6 x;wait 11;"
	    "new 11 7;in 11 7 PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n;out 11 7 x;in 11 7 GET /a;wait 11;"
	    /* PostgreSQL's SSLRequest, taken up and not */
	    "new 11 8;in 11 8 %0000000804d2162f;out 11 8 S;in 11 8 \x16\x03\x01;out 11 8 \x16\x03\x03;wait 11;"
	    "new 11 10;in 11 10 %0000000804d2162f;out 11 10 N;in 11 10 %51000000064100;wait 11");
	ck_assert_str_eq(str_cstr(&o.text), "A 23-? c1");
	ck_assert_uint_eq(o.feed.tallies.nr_tls, 3);
	ck_assert_uint_eq(o.feed.tallies.nr_http2, 1);
	outcome_release(&o);
}
END_TEST

/* A GET, and the end of its answer; the reset of a stream. */
#define H2_ASKS	   "%000004010500000005828684be"
#define H2_ANSWERS "%00000101050000000588"
#define H2_RESET   "%00000403000000000500000008"

/* The preface of a connection that was there before was sent before; a new one begins with it. */
static const struct {
	const char *script, *want;
	uint64_t nr_http2;
} http2_cases[] = {
	{ "old 11 5;in 11 5 " H2_ASKS ";out 11 5 " H2_ANSWERS ";wait 11;in 11 5 " H2_ASKS ";out 11 5 " H2_ANSWERS
	  ";in 11 5 GET /a;out 11 5 200;wait 11;close 11 5",
	  "", 1 },
	/* in the middle of a frame, and of an answer */
	{ "old 11 5;in 11 5 82;out 11 5 " H2_ANSWERS ";in 11 5 " H2_ASKS ";out 11 5 " H2_ANSWERS ";wait 11", "", 1 },
	{ "old 11 5;out 11 5 " H2_ANSWERS ";in 11 5 " H2_RESET ";wait 11", "", 1 },
	/* taken for nobody's protocol before: that request has its end */
	{ "old 11 5;out 11 5 x;in 11 5 \x01?;out 11 5 x;wait 11;in 11 5 " H2_ASKS ";out 11 5 x;wait 11",
	  "tcp:80 3-4 c2", 1 },
	/* switched to; what another request has in it is no preface */
	{ "new 11 5;in 11 5 GET /a;out 11 5 101;in 11 5 PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n;out 11 5 " H2_ANSWERS
	  ";in 11 5 " H2_ASKS ";out 11 5 " H2_ANSWERS ";wait 11", "GET /a 101 2-3 c2", 1 },
	{ "new 11 5;in 11 5 GET /a;out 11 5 101;in 11 5 %8180;out 11 5 %8100;in 11 5 GET /b;wait 11", "GET /a 101 2-3 c2", 0 },
	{ "new 11 5;in 11 5 POST /a HTTP/1.1\r\nContent-Length: 24\r\n\r\n;in 11 5 PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n;"
	  "out 11 5 200;in 11 5 GET /b;out 11 5 200;wait 11", "POST /a 200 2-4 c3, GET /b 200 5-6 c2", 0 },
	{ "new 11 5;in 11 5 " H2_ASKS ";out 11 5 " H2_ANSWERS ";wait 11;close 11 5", "tcp:80 2-3 c2", 0 },
};

START_TEST(http2_is_known_by_its_frames)
{
	struct outcome o;

	run(&o, 0, http2_cases[_i].script);
	ck_assert_str_eq(str_cstr(&o.text), http2_cases[_i].want);
	ck_assert_uint_eq(o.feed.tallies.nr_http2, http2_cases[_i].nr_http2);
	outcome_release(&o);
}
END_TEST

/* What is read behind an upgrade or in a tunnel, whatever it is; what is only written there tells of none. */
static const struct {
	const char *script, *want;
	uint64_t nr_switched;
} switched_cases[] = {
	{ "new 11 5;in 11 5 GET /a;out 11 5 101;in 11 5 %8180;out 11 5 %8100;in 11 5 GET /b;out 11 5 200;wait 11",
	  "GET /a 101 2-3 c2", 1 },
	{ "new 11 5;in 11 5 CONNECT a:1 HTTP/1.1\r\n\r\n;out 11 5 HTTP/1.1 200 x\r\n\r\n;in 11 5 +9;in 11 5 \x16\x03\x01;"
	  "wait 11;close 11 5",
	  "CONNECT a:1 200 2-3 c2", 1 },
	{ "new 11 5;in 11 5 GET /a;out 11 5 101;wait 11;out 11 5 %8100;close 11 5", "GET /a 101 2-3 c2", 0 },
	{ "new 11 5;in 11 5 CONNECT a:1 HTTP/1.1\r\n\r\n;out 11 5 502;in 11 5 GET /a;out 11 5 200;wait 11",
	  "CONNECT a:1 502 2-3 c2, GET /a 200 4-5 c2", 0 },
};

START_TEST(what_http1_is_left_for_is_counted)
{
	struct outcome o;

	run(&o, 0, switched_cases[_i].script);
	ck_assert_str_eq(str_cstr(&o.text), switched_cases[_i].want);
	ck_assert_uint_eq(o.feed.tallies.nr_switched, switched_cases[_i].nr_switched);
	ck_assert_uint_eq(o.feed.tallies.nr_tls, 0);
	outcome_release(&o);
}
END_TEST

/* Bytes in the middle look like some protocol's; what follows does not. */
static const struct {
	const char *script, *want;
	uint16_t flags;
} guesses[] = {
	/* one byte: memcached's, HTTP's */
	{ "old 11 5;in 11 5 g;out 11 5 \x01;in 11 5 \x01?;out 11 5 x;wait 11;close 11 5", "tcp:80 2-3 c2, tcp:80 4-5 c2",
	  0 },
	{ "old 11 5;in 11 5 G;out 11 5 \x01;in 11 5 \x01?;out 11 5 x;wait 11;close 11 5", "tcp:80 2-3 c2, tcp:80 4-5 c2",
	  0 },
	{ "new 11 5;in 11 5 g;in 11 5 \x01;out 11 5 \x01;in 11 5 \x01?;out 11 5 x;wait 11;close 11 5",
	  "tcp:80 2-4 c3, tcp:80 5-6 c2", 0 },
	/* lines as HTTP/0.9 has them: who goes on behind the answer speaks something else */
	{ "new 11 5;in 11 5 GET /a\n;out 11 5 1\n;in 11 5 PUT /a 1\n;out 11 5 ok\n;in 11 5 GET /a\n;out 11 5 1\n;"
	  "in 11 5 END\n;out 11 5 ok\n;wait 11;close 11 5",
	  "tcp:80 2-3 c2, tcp:80 4-5 c2, tcp:80 6-7 c2, tcp:80 8-9 c2", 0 },
	{ "new 11 5;in 11 5 CWD /a\n;out 11 5 250\n;wait 11;close 11 5", "tcp:80 2-3 c2", 0 },
	{ "new 11 5;in 11 5 GET /a\n;out 11 5 <html>;wait 11;close 11 5", "GET /a 2-3 c3", 0 },
	/* a line of a body: memcached's; a query of PostgreSQL's */
	{ "old 11 5;in 11 5 get stars\n;out 11 5 200;in 11 5 GET /a;out 11 5 200;wait 11", "tcp:80 2-3 c2, GET /a 200 4-5 c2",
	  0 },
	{ "old 11 5;in 11 5 %5100100000410d;out 11 5 200;in 11 5 GET /a;out 11 5 200;wait 11",
	  "tcp:80 2-3 c2, GET /a 200 4-5 c2", 0 },
	{ "old 11 5;in 11 5 %5100100000410d;out 11 5 200;in 11 5 GET /a;out 11 5 200;wait 11", "GET /a 200 4-5 c2",
	  SOCKET_IS_HTTP },
	/* asked again, wrong again, and right at last */
	{ "old 11 5;in 11 5 g;out 11 5 x;in 11 5 %5100100000410d;out 11 5 x;in 11 5 DEL k\r\n;out 11 5 :0\r\n;"
	  "in 11 5 DEL k\r\n;out 11 5 :-1\r\n;wait 11",
	  "tcp:80 2-3 c2, tcp:80 4-5 c2, DEL 6-7 c2, DEL 8-9 c2", 0 },
	/* a new one that nobody knows may look like somebody's later */
	{ "new 11 5;in 11 5 \x01?;out 11 5 x;in 11 5 %5100100000410d;out 11 5 x;in 11 5 \x01?;out 11 5 x;wait 11;"
	  "close 11 5",
	  "tcp:80 2-3 c2, tcp:80 4-5 c2, tcp:80 6-7 c2", 0 },
	/* right guesses: a body between the parts of an answer, and an answer that did not come */
	{ "old 11 5;in 11 5 POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n;out 11 5 HTTP/1.1 100 x\r\n\r\n;in 11 5 ok;"
	  "out 11 5 200;wait 11",
	  "POST /a 200 2-5 c4", 0 },
	{ "old 11 5;in 11 5 get k\r\n;out 11 5 END\r\n;in 11 5 \x01?;out 11 5 x;in 11 5 get k\r\n;out 11 5 END\r\n;"
	  "wait 11",
	  "get 2-3 c2, tcp:80 4-5 c2, get 6-7 c2", 0 },
	{ "old 11 5;in 11 5 get k\r\n", "get 2-? c0", 0 },
	{ "old 11 5;in 11 5 lru_crawler mgdump hash\r\n;out 11 5 mg k\r\nEN\r\n;wait 11", "lru_crawler 2-3 c2", 0 },
	/* too few bytes: Redis's, HTTP's, PostgreSQL's; with those that follow they are another one's, from the first on */
	{ "new 11 5;in 11 5 se;later 5;in 11 5 t k 0 0 1\r\nx\r\n;out 11 5 STORED\r\n;wait 11;close 11 5", "set 2-5000004 c5000003",
	  0 },
	{ "new 11 5;in 11 5 PI;later 5;in 11 5 NG\r\n;out 11 5 %2b504f4e470d0a;wait 11;close 11 5", "PING 2-5000004 c5000003", 0 },
	{ "new 11 5;in 11 5 d;later 5;in 11 5 e;in 11 5 lete k\r\n;in 11 5 get k\r\n;out 11 5 DELETED\r\nEND\r\n;wait 11;"
	  "close 11 5",
	  "delete 2-5000006 c2500002+, get 5000005-5000006 c2500001+", 0 },
	{ "old 11 5;in 11 5 Q;later 5;in 11 5 %000000064100;out 11 5 %5a0000000549;wait 11;close 11 5", "A 2-5000004 c5000003", 0 },
	/* an empty array is no request */
	{ "new 11 5;in 11 5 %2a300d0a;later 5;in 11 5 PING\r\n;out 11 5 %2b504f4e470d0a;wait 11;close 11 5", "PING 5000003-5000004 c2",
	  0 },
	/* ... not where some did not travel, or came behind an answer */
	{ "new 11 5;in 11 5 se;in 11 5 ^t k 0 0 1\r\nx\r\n;out 11 5 x;wait 11;close 11 5", "tcp:80 2-4 c3", 0 },
	{ "new 11 5;in 11 5 se;out 11 5 x;in 11 5 t k 0 0 1\r\nx\r\n;out 11 5 STORED\r\n;wait 11;close 11 5",
	  "tcp:80 2-3 c2, tcp:80 4-5 c2", 0 },
	/* ... nobody's: heads that are read by themselves, lines a byte at a time, words without a line's end */
	{ "new 11 5;in 11 5 %00000014;in 11 5 \x82key;out 11 5 x;in 11 5 %00000014;in 11 5 \x82key;out 11 5 x;close 11 5",
	  "tcp:80 2-4 c3, tcp:80 5-7 c3", 0 },
	{ "new 11 5;in 11 5 RPCM;in 11 5 \x01?;in 11 5 \x82key;out 11 5 x;in 11 5 RPCM;in 11 5 \x01?;out 11 5 x;close 11 5",
	  "tcp:80 2-5 c4, tcp:80 6-8 c3", 0 },
	{ "new 11 5;in 11 5 L;in 11 5 O;in 11 5 k;in 11 5 \n;out 11 5 x;in 11 5 L;in 11 5 \n;out 11 5 x;close 11 5",
	  "tcp:80 2-6 c5, tcp:80 7-9 c3", 0 },
	{ "new 11 5;in 11 5 STATUS;out 11 5 up;wait 11;in 11 5 STATUS;out 11 5 up;wait 11", "tcp:80 2-3 c2, tcp:80 5-6 c2", 0 },
	{ "new 11 5;in 11 5 hello world;out 11 5 hello world;close 11 5", "tcp:80 2-3 c2", 0 },
	/* the rest of what was underway is no request, whatever was read of it */
	{ "old 11 5;in 11 5 %6400000006aabb;out 11 5 %5a0000000549;in 11 5 %51000000064100;out 11 5 %5a0000000549;wait 11",
	  "A 4-5 c2", 0 },
	{ "old 11 5;in 11 5 %6400000006aabb;in 11 5 %6300000004;out 11 5 %5a0000000549;in 11 5 %51000000064100;"
	  "out 11 5 %5a0000000549;wait 11",
	  "A 5-6 c2", 0 },
	/* ... of nobody's protocol it may be one */
	{ "old 11 5;in 11 5 %6400000006aabb;out 11 5 x;in 11 5 %6400000006aabb;out 11 5 x;wait 11", "tcp:80 2-3 c2, tcp:80 4-5 c2",
	  0 },
	/* ... that begins with a head by itself, behind an answer, or a loss */
	{ "old 11 5;in 11 5 %7000000006;in 11 5 aa;out 11 5 x;wait 11;in 11 5 %7000000006;in 11 5 bb;out 11 5 x;wait 11",
	  "tcp:80 2-4 c3, tcp:80 6-8 c3", 0 },
	{ "old 11 5;out 11 5 x;wait 11;in 11 5 %7000000006aabb;out 11 5 x;wait 11;in 11 5 d 100 200\n;out 11 5 x;wait 11",
	  "tcp:80 4-5 c2, tcp:80 7-8 c2", 0 },
	{ "new 11 5;lost;in 11 5 %6600000006;in 11 5 aa;out 11 5 x;wait 11;in 11 5 %6600000006;in 11 5 bb;out 11 5 x;wait 11",
	  "tcp:80 3-5 c3, tcp:80 7-9 c3", 0 },
	/* ... of FastCGI's and PostgreSQL's it is none, behind an answer, too; nor is it the next one's beginning */
	{ "old 11 5;out 11 5 +9;in 11 5 %0105000100000000;in 11 5 %01010001000800000001010000000000;in 11 5 %0104000100000000;"
	  "out 11 5 %01030001000800000000000000000000;wait 11",
	  "tcp:80 4-6 c3", 0 },
	{ "old 11 5;out 11 5 %4700000004;in 11 5 %6400000006aabb;in 11 5 %6300000004;out 11 5 %5a0000000549;"
	  "in 11 5 %51000000064100;out 11 5 %5a0000000549;wait 11",
	  "A 6-7 c2", 0 },
	/* ... nor where the next one is read in pieces, or looks like it at last */
	{ "old 11 5;in 11 5 v9zy\r\n;out 11 5 STORED\r\n;wait 11;in 11 5 ge;in 11 5 t k\r\n;out 11 5 END\r\n;wait 11", "get 5-7 c3",
	  0 },
	{ "old 11 5;in 11 5 v9zy\r\n;out 11 5 %2b4f4b0d0a;wait 11;in 11 5 *;in 11 5 1\r\n$4\r\nPI;in 11 5 NG\r\n;out 11 5 %2b4f4b0d0a;wait 11",
	  "PING 5-8 c4", 0 },
	{ "old 11 5;in 11 5 xyz;out 11 5 %5a0000000549;wait 11;in 11 5 Q;in 11 5 %000000064100;out 11 5 %5a0000000549;wait 11",
	  "A 5-7 c3", 0 },
	/* ... if it does not, that is a request, which has its end */
	{ "old 11 5;in 11 5 v9zy\r\n;out 11 5 x;wait 11;in 11 5 ge;in 11 5 t it\r\n;out 11 5 x;wait 11;close 11 5",
	  "tcp:80 2-3 c2, tcp:80 5-7 c3", 0 },
	{ "old 11 5;in 11 5 v9zy\r\n;out 11 5 x;wait 11;in 11 5 ge;out 11 5 x;wait 11;close 11 5", "tcp:80 2-3 c2, tcp:80 5-6 c2",
	  0 },
	{ "old 11 5;in 11 5 v9zy\r\n;out 11 5 x;wait 11;in 11 5 ge;close 11 5", "tcp:80 2-3 c2", 0 },
	{ "old 11 5;in 11 5 v9zy\r\n;out 11 5 x;in 11 5 +9;out 11 5 x;in 11 5 +9;out 11 5 x;close 11 5",
	  "tcp:80 2-3 c2, tcp:80 4-5 c2, tcp:80 6-7 c2", 0 },
	/* answers that are none of the protocol's, also to a connection's first bytes */
	{ "new 11 5;in 11 5 SET k v\n;out 11 5 done\n;in 11 5 SET k v\n;out 11 5 done\n;close 11 5",
	  "tcp:80 2-3 c2, tcp:80 4-5 c2", 0 },
	{ "new 11 5;in 11 5 SET k v\n;out 11 5 done\n;wait 11", "tcp:80 2-3 c2", 0 },
	{ "new 11 5;in 11 5 SET k v\n;out 11 5 done\n", "tcp:80 2-? c1", 0 },
	{ "new 11 5;in 11 5 get k\n;out 11 5 value of k\n;close 11 5", "tcp:80 2-3 c2", 0 },
	{ "new 11 5;in 11 5 %800000000000000000000000000000000000000000000000;out 11 5 \x05;close 11 5", "tcp:80 2-3 c2", 0 },
	{ "old 11 5;in 11 5 %500000000861004100;out 11 5 hello;in 11 5 %500000000861004100;out 11 5 hello;close 11 5",
	  "tcp:80 2-3 c2, tcp:80 4-5 c2", 0 },
	{ "old 11 5;in 11 5 %51000000064100;out 11 5 hello;close 11 5", "tcp:80 2-3 c2", 0 },
	{ "new 11 5;in 11 5 stats\r\n;out 11 5 INSERTED 1\r\n;in 11 5 put 1 0 9 3\r\nabc\r\n;out 11 5 INSERTED 2\r\n;close 11 5",
	  "stats 2-3 c2, tcp:80 4-5 c2", 0 },
	/* ... also behind some that were: an answer, a verb that nobody knows with its data, what is no verb */
	{ "new 11 5;in 11 5 touch 1\r\n;out 11 5 TOUCHED\r\n;in 11 5 put 0 0 60 5\r\nhello\r\n;out 11 5 INSERTED 2\r\n;"
	  "in 11 5 reserve\r\n;out 11 5 RESERVED 2 5\r\nhello\r\n;in 11 5 delete 2\r\n;out 11 5 DELETED\r\n;close 11 5",
	  "touch 2-3 c2, put 4-5 c2, tcp:80 6-7 c2, delete 8-9 c2", 0 },
	{ "new 11 5;in 11 5 delete 1\r\n;out 11 5 DELETED\r\n;in 11 5 stats-tube t\r\n;out 11 5 OK 4\r\n---\n\r\n;"
	  "in 11 5 put 0 0 60 5\r\nhello\r\n;out 11 5 INSERTED 2\r\n;in 11 5 put 0 0 60 5\r\nhello\r\n;"
	  "out 11 5 INSERTED 3\r\n;close 11 5",
	  "delete 2-3 c2, tcp:80 4-5 c2, tcp:80 6-7 c2, tcp:80 8-9 c2", 0 },
	{ "new 11 5;in 11 5 delete 1\r\n;out 11 5 DELETED\r\n;in 11 5 watch t\r\n;out 11 5 WATCHING 2\r\n;"
	  "in 11 5 reserve\r\n;out 11 5 TIMED_OUT\r\n;in 11 5 delete 2\r\n;out 11 5 NOT_FOUND\r\n;close 11 5",
	  "delete 2-3 c2, watch 4-5 c2, tcp:80 6-7 c2, delete 8-9 c2", 0 },
	/* ... where HTTP's head is another protocol's, too: a mail's, a line of it, a head in the middle */
	{ "new 11 5;in 11 5 DATA\r\n;out 11 5 354 go\r\n;in 11 5 GET /a HTTP/1.1\r\nx: y\r\n\r\nb\r\n.\r\n;out 11 5 250 ok\r\n;"
	  "in 11 5 more\r\n;out 11 5 250 ok\r\n;in 11 5 more\r\n;out 11 5 250 ok\r\n;close 11 5",
	  "tcp:80 2-3 c2, tcp:80 4-5 c2, tcp:80 6-7 c2, tcp:80 8-9 c2", 0 },
	{ "new 11 5;in 11 5 GET /a HTTP/1.1\r\n;out 11 5 x;in 11 5 more\r\n;out 11 5 250 ok\r\n;close 11 5",
	  "tcp:80 2-3 c2, tcp:80 4-5 c2", 0 },
	{ "old 11 5;in 11 5 GET /a;out 11 5 250 ok\r\n;in 11 5 more\r\n;out 11 5 250 ok\r\n;in 11 5 GET /b;out 11 5 200;close 11 5",
	  "tcp:80 2-3 c2, tcp:80 4-5 c2, GET /b 200 6-7 c2", 0 },
	/* ... and not where it is HTTP's: a stream's answer, the rest of one that began before, a body behind that */
	{ "new 11 5;in 11 5 GET /a;out 11 5 ICY 200 OK\r\n;out 11 5 +9;close 11 5", "GET /a 2-4 c3", 0 },
	{ "old 11 5;in 11 5 GET /a;out 11 5 xyz;out 11 5 200;in 11 5 GET /b;out 11 5 200;wait 11", "GET /a 200 2-4 c3, GET /b 200 5-6 c2",
	  0 },
	{ "old 11 5;in 11 5 GET /a;out 11 5 xyz;in 11 5 GET /b;out 11 5 200;wait 11", "GET /a 2-3 c2, GET /b 200 4-5 c2", 0 },
	{ "old 11 5;in 11 5 POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n;out 11 5 xyz;in 11 5 ok;out 11 5 200;wait 11",
	  "POST /a 200 2-5 c4", 0 },
	/* ... memcached's quit gets none, and ends with the connection */
	{ "new 11 5;in 11 5 quit\r\n;close 11 5", "quit 2-3 c1", 0 },
	{ "new 11 5;in 11 5 get k\r\n;out 11 5 END\r\n;in 11 5 quit\r\n;exit 11;later 1100;wait 21", "get 2-3 c2, quit 4-5 c0",
	  0 },
	{ "new 11 5;out 11 5 220\r\n;in 11 5 quit\r\n;out 11 5 221 bye\r\n;wait 11;close 11 5", "tcp:80 3-4 c2", 0 },
	{ "new 11 5;in 11 5 quit\r\n;out 11 5 OK\r\n;in 11 5 more\r\n;out 11 5 OK\r\n;close 11 5",
	  "tcp:80 2-3 c2, tcp:80 4-5 c2", 0 },
	{ "new 11 5;in 11 5 quit\r\n;in 11 5 get k\r\n;out 11 5 END\r\n;close 11 5", "tcp:80 2-4 c3", 0 },
	/* ... PostgreSQL's begin with a message without a type */
	{ "new 11 5;in 11 5 %51000000064100;out 11 5 %4400000004;in 11 5 %51000000064100;out 11 5 %4400000004;close 11 5",
	  "tcp:80 2-3 c2, tcp:80 4-5 c2", 0 },
};

START_TEST(guesses_are_dropped)
{
	struct outcome o;

	run(&o, guesses[_i].flags, guesses[_i].script);
	ck_assert_str_eq(str_cstr(&o.text), guesses[_i].want);
	outcome_release(&o);
}
END_TEST

static void add_random(struct str *script, const char *words, uint64_t *random)
{
	int i;

	str_add(script, words);
	for (i = 0; i < 36; i++)
		str_addf(script, "%02x", (unsigned int)(rig_random(random) & 255));
}

/*
 * An encrypted connection's exchanges. 1 of 100 looks like PostgreSQL's, and half of these like what is no
 * request there.
 */
START_TEST(random_bytes_have_no_names)
{
	enum { NR = 3000 };
	uint64_t random = RIG_SEED + (uint64_t)_i;
	struct str script = { 0 };
	struct outcome o;
	const char *at;
	int i, nr = 0;

	str_add(&script, _i ? "new 11 5" : "old 11 5");
	for (i = 0; i < NR; i++) {
		add_random(&script, ";in 11 5 %", &random);
		add_random(&script, ";out 11 5 %", &random);
	}
	str_add(&script, ";close 11 5");
	run(&o, 0, str_cstr(&script));
	for (at = str_cstr(&o.text); at && nr < NR; at = strstr(at, ", ")) {
		at += nr++ ? 2 : 0;
		ck_assert_msg(!strncmp(at, "tcp:80 ", 7), "request %d: %.60s", nr, at);
	}
	ck_assert_int_ge(nr, NR * 98 / 100);
	ck_assert_uint_eq(o.feed.tallies.nr_unfinished, 0);
	outcome_release(&o);
	str_release(&script);
}
END_TEST

/* Which of null statuses are said: those of answers that did not travel, of requests that have an end. */
static const struct {
	const char *script, *want;
	uint64_t nr;
} unseen[] = {
	{ "new 11 5;in 11 5 GET /a HTTP/1.1\r\n\r\nGET /a HTTP/1.1\r\n\r\n;out 11 5 200;out 11 5 +99;wait 11;close 11 5",
	  "GET /a 200 2-3 c1, GET /a 2-4 c2", 1 },
	{ "new 11 5;in 11 5 GET /a;out 11 5 +99;wait 11;close 11 5", "GET /a 2-3 c2", 1 },
	{ "new 11 5;in 11 5 GET /a;out 11 5 +99;wait 11", "GET /a 2-3 c2", 1 },
	{ "new 11 5;in 11 5 GET /a;out 11 5 +99", "GET /a 2-? c1", 0 },
	{ "new 11 5;in 11 5 \x01?;out 11 5 +99;wait 11;close 11 5", "tcp:80 2-3 c2", 0 },
	{ "new 11 5;in 11 5 get k\r\n;out 11 5 +99;wait 11;close 11 5", "get 2-3 c2", 0 },
};

START_TEST(unseen_statuses_are_counted)
{
	struct outcome o;

	run(&o, 0, unseen[_i].script);
	ck_assert_str_eq(str_cstr(&o.text), unseen[_i].want);
	ck_assert_uint_eq(o.feed.tallies.nr_status_unseen, unseen[_i].nr);
	outcome_release(&o);
}
END_TEST

/* Bytes that were read unseen: requests in them are missing. */
static const struct {
	const char *script;
	uint64_t nr;
} skips[] = {
	/* The first is not told of, where the beginning was not seen. */
	{ "old 11 5;out 11 5 200;out 11 5 ^x;out 11 5 ^x;close 11 5", 18 },
	{ "old 11 5;out 11 5 +99;out 11 5 ^x;out 11 5 ^x;close 11 5", 18 },
	{ "new 11 5;in 11 5 +9;out 11 5 200;in 11 5 +9;out 11 5 200;close 11 5", 18 },
	/* Of a request that began before the recording. */
	{ "old 11 5;in 11 5 +9;out 11 5 ^x;close 11 5", 0 },
	{ "new 11 5;in 11 5 POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n;out 11 5 ^x;close 11 5", 0 },
	{ "new 11 5;in 11 5 %16030100;out 11 5 x;in 11 5 +9;close 11 5", 0 },
};

START_TEST(bytes_that_were_read_unseen_are_counted)
{
	struct outcome o;

	run(&o, 0, skips[_i].script);
	ck_assert_uint_eq(o.feed.tallies.nr_bytes_skipped, skips[_i].nr);
	outcome_release(&o);
}
END_TEST

/* The most that there was at the end of a request. */
struct extent {
	struct outcome o;
	size_t nr_places, nr_known, nr_open, nr_strings, nr_workers;
};

static void note(size_t *most, size_t nr)
{
	*most = nr > *most ? nr : *most;
}

static void note_extent(void *self, const struct session *session, const struct open_request *open)
{
	struct extent *x = self;
	const struct attribute *a = &x->o.feed.attribute;

	(void)session;
	note(&x->nr_places, a->by_bytes.connections.all.nr);
	note(&x->nr_known, a->by_bytes.connections.of_inode.of_key.pairs.nr);
	note(&x->nr_open, a->open.slots.nr);
	note(&x->nr_workers, a->by_bytes.workers.all.nr);
	note(&x->nr_strings, x->o.strings.text.nr);
	request_drop_strings(&open->request, &x->o.strings);
}

/* Who serves number i: a thread of process 10, or a process. */
struct server {
	uint32_t pid, tid;
};

static void add_transfer(struct recording_builder *b, uint64_t time, struct server by, struct socket_mark m,
			 const char *bytes)
{
	m.ns = time;
	m.bytes = strlen(bytes);
	builder_socket_mark(b, time, by.pid, by.tid, m, bytes, strlen(bytes));
}

/*
 * A client's, and one to another server, as a proxy has them, in a thread of their own that closes them, or a
 * process that does not; the client asks for what nobody else did.
 */
static void add_connections(struct recording_builder *b, uint64_t time, uint32_t i, bool is_process)
{
	struct server by = { is_process ? 100 + i : 10, 100 + i };
	struct socket_name name = { .family = AF_INET, .local_port = 80 };
	struct socket_mark m = { .conn = 2 * i, .flags = SOCKET_IS_NEW }, up = m;
	char asks[64];

	up.conn++;
	up.flags |= SOCKET_IS_OUTGOING;
	m.kind = up.kind = SOCKET_OPEN;
	m.ns = up.ns = time;
	builder_fork(b, time, by.pid, by.tid, 10, 10);
	builder_socket_mark(b, time, by.pid, by.tid, m, &name, sizeof(name));
	name.local_port = (uint16_t)(1024 + i);
	builder_socket_mark(b, time + 1, by.pid, by.tid, up, &name, sizeof(name));
	snprintf(asks, sizeof(asks), "GET /user/%u HTTP/1.1\r\n\r\n", i);
	m.kind = SOCKET_IN;
	add_transfer(b, time + 2, by, m, asks);
	up.kind = SOCKET_OUT;
	add_transfer(b, time + 3, by, up, asks);
	m.kind = SOCKET_OUT;
	add_transfer(b, time + 4, by, m, "HTTP/1.1 204 x\r\n\r\n");
	m.kind = up.kind = SOCKET_CLOSE;
	if (!is_process) {
		add_transfer(b, time + 5, by, up, "");
		add_transfer(b, time + 6, by, m, "");
	}
	builder_exit(b, time + 7, by.pid, by.tid);
}

/* Connections come and go, and what stays in memory is what is open. */
START_TEST(memory_is_what_is_open)
{
	enum { NR = 20000 };
	struct extent x = { 0 };
	struct endpoint_options endpoints = { 0 };
	struct feed_listener listener = { .self = &x, .request_ended = note_extent };
	struct recording_builder b;
	struct reader *reader;
	struct err e = { 0 };
	const void *bytes;
	uint32_t i;
	size_t len;

	strings_id(&x.o.strings, "");
	builder_init(&b, NULL);
	for (i = 1; i <= NR; i++)
		add_connections(&b, MS * i, i, _i);
	bytes = builder_finish(&b, &len);
	feed_init(&x.o.feed, &x.o.strings, NULL, &endpoints, &listener);
	x.o.feed.forgets_ended = true;
	ck_assert_int_eq(reader_open_bytes(bytes, len, &reader, &e), 0);
	ck_assert_int_eq(feed_reader(&x.o.feed, reader, "test", &e), 0);
	ck_assert_uint_eq(x.o.feed.nr_requests, NR);
	ck_assert_uint_eq(x.o.feed.tallies.nr_unfinished, 0);
	/* Whose process has ended are there for 50 ms. */
	ck_assert_uint_le(x.nr_places, _i ? 2 * 55 : 2);
	ck_assert_uint_le(x.nr_known, x.nr_places);
	ck_assert_uint_le(x.nr_open, 2);
	ck_assert_uint_le(x.nr_workers, SESSION_ENDED_KEPT + 2);
	ck_assert_uint_le(x.nr_strings, 20);
	reader_free(reader);
	builder_release(&b);
	outcome_release(&x.o);
}
END_TEST

/* A child each, which reads and ends: nobody answers, and nobody closes. */
START_TEST(those_that_nobody_answers_are_forgotten)
{
	enum { NR = 5000, A_SECOND = 1000 };
	struct str script = { 0 };
	struct outcome o;
	unsigned int i;

	for (i = 1; i <= NR; i++)
		str_addf(&script, "new %u1 %u7;in %u1 %u7 GET /a;exit %u1;later 1;", i + 1, i, i + 1, i, i + 1);
	str_add(&script, "new 11 6;in 11 6 GET /b;out 11 6 200;wait 11");
	run(&o, 0, str_cstr(&script));
	ck_assert_uint_eq(o.feed.nr_requests, NR + 1);
	ck_assert_uint_eq(o.feed.tallies.nr_unfinished, NR);
	ck_assert_uint_le(o.nr_places, A_SECOND + 10);
	str_release(&script);
	outcome_release(&o);
}
END_TEST

/* Each loss has the closes of a thousand in it. */
START_TEST(those_whose_close_was_lost_are_forgotten)
{
	enum { NR = 20, NR_LOST = 1000, KEPT_MAX = 4096 + 2 * NR_LOST };
	struct str script = { 0 };
	struct outcome o;
	unsigned int i;

	str_add(&script, "new 11 5;in 11 5 GET /a;out 11 5 200");
	for (i = 0; i < NR * NR_LOST; i++)
		str_addf(&script, ";new 12 %u7%s", i + 1, i % NR_LOST ? "" : ";lost;in 11 5 GET /a;out 11 5 200");
	run(&o, 0, str_cstr(&script));
	ck_assert_uint_eq(o.feed.nr_requests, NR + 1);
	ck_assert_uint_le(o.nr_places, KEPT_MAX);
	str_release(&script);
	outcome_release(&o);
}
END_TEST

/* Nobody sees the closes of Unix sockets where tracepoints are looked at. */
START_TEST(those_without_a_close_are_forgotten)
{
	enum { NR = 200000, NR_KEPT = 20, KEPT_MAX = 2 * 32768 + 1 };
	struct str script = { 0 };
	struct outcome o;
	unsigned int i;

	str_add(&script, "new 11 5");
	for (i = 0; i < NR; i++) {
		if (i % (NR / NR_KEPT) == 0)
			str_add(&script, ";in 11 5 GET /a;out 11 5 200");
		str_addf(&script, ";new 12 %u7", i + 1);
	}
	run(&o, 0, str_cstr(&script));
	ck_assert_uint_eq(o.feed.nr_requests, NR_KEPT);
	ck_assert_uint_le(o.nr_places, KEPT_MAX);
	str_release(&script);
	outcome_release(&o);
}
END_TEST

/* ... what they have asked has its end where it was answered; of a wrong guess, too */
START_TEST(those_that_are_forgotten_were_answered)
{
	static const char *const asked[] = { ";in 12 %u7 ?;out 12 %u7 x;wait 12",
					     ";in 12 %u7 SET k v\n;out 12 %u7 done\n;wait 12" };
	enum { NR = 70000 };
	struct str script = { 0 };
	struct outcome o;
	unsigned int i;

	str_add(&script, "fork 12");
	for (i = 0; i < NR; i++) {
		str_addf(&script, ";new 12 %u7", i + 1);
		str_addf(&script, asked[_i], i + 1, i + 1);
	}
	run(&o, 0, str_cstr(&script));
	ck_assert_uint_eq(o.feed.nr_requests, NR);
	ck_assert_uint_eq(o.feed.tallies.nr_unfinished, 0);
	ck_assert_ptr_null(strstr(str_cstr(&o.text), "SET"));
	str_release(&script);
	outcome_release(&o);
}
END_TEST

Suite *check_socket_requests_suite(void)
{
	Suite *s = suite_create("socket_requests");
	TCase *tc = tcase_create("socket_requests");

	tcase_add_loop_test(tc, marks_become_requests, 0, ARRAY_LEN(cases));
	tcase_add_loop_test(tc, counts_of_who_is_handed_work, 0, ARRAY_LEN(lates));
	tcase_add_test(tc, counts_of_who_has_the_index_of_another);
	tcase_add_test(tc, habits_of_who_has_the_index_of_another);
	tcase_add_loop_test(tc, many_begins_between_two_marks, 0, 2);
	tcase_add_test(tc, many_samples_between_two_marks);
	tcase_add_loop_test(tc, rounds_tell_what_a_thread_does, 0, ARRAY_LEN(rounds));
	tcase_add_loop_test(tc, one_of_a_pool_goes_on_alone, 0, ARRAY_LEN(alone));
	tcase_add_loop_test(tc, loops_begin_in_turn, 0, ARRAY_LEN(askings));
	tcase_add_loop_test(tc, calls_are_in_doubt, 0, ARRAY_LEN(doubts));
	tcase_add_loop_test(tc, parts_are_of_their_answers, 0, ARRAY_LEN(parts));
	tcase_add_test(tc, http_alone_is_taken_where_asked_for);
	tcase_add_test(tc, what_cannot_be_read_is_counted);
	tcase_add_loop_test(tc, unseen_statuses_are_counted, 0, ARRAY_LEN(unseen));
	tcase_add_loop_test(tc, bytes_that_were_read_unseen_are_counted, 0, ARRAY_LEN(skips));
	tcase_add_loop_test(tc, guesses_are_dropped, 0, ARRAY_LEN(guesses));
	tcase_add_loop_test(tc, random_bytes_have_no_names, 0, 2);
	tcase_add_loop_test(tc, http2_is_known_by_its_frames, 0, ARRAY_LEN(http2_cases));
	tcase_add_loop_test(tc, what_http1_is_left_for_is_counted, 0, ARRAY_LEN(switched_cases));
	tcase_add_test(tc, those_whose_close_was_lost_are_forgotten);
	tcase_add_test(tc, those_that_nobody_answers_are_forgotten);
	tcase_add_test(tc, those_without_a_close_are_forgotten);
	tcase_add_loop_test(tc, those_that_are_forgotten_were_answered, 0, 2);
	tcase_add_loop_test(tc, memory_is_what_is_open, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
