/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "base/alloc.h"
#include "report/protocol.h"
#include "tests/exchange.h"
#include "tests/script.h"

Suite *check_protocol_memcached_suite(void);

#define DID(nr, what) #nr " began; " #nr " " what "; " #nr " ended; "
#define VALUE	      "VALUE k 0 5\r\nhello\r\n"
#define END	      "END\r\n"
/* A header without a body, and one with a key of one byte; answers likewise. */
#define ASK(op)	     "\x80" op "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define ASK_KEY(op)  "\x80" op "\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0k"
#define TELL(op)     "\x81" op "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define TELL_KEY(op) "\x81" op "\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0k"

static const struct script cases[] = {
	{ "get", { IN("get k\r\n"), OUT(VALUE END) }, DID(1, "get"), 0 },
	{ "gets of many",
	  { IN("gets a b c\r\n"), OUT("VALUE a 0 3 17\r\nEND\r\n" VALUE END) },
	  DID(1, "gets"),
	  0 },
	{ "miss", { IN("gat 10 k\r\n"), OUT(END) }, DID(1, "gat"), 0 },
	{ "set", { IN("set k 0 0 5\r\nget a\r\n"), OUT("STORED\r\n") }, DID(1, "set"), 0 },
	{ "cas and append",
	  { IN("cas k 0 0 2 17\r\nab\r\nappend k 0 0 0\r\n\r\n"), OUT("EXISTS\r\nNOT_STORED\r\n") },
	  "1 began; 1 cas; 2 began; 2 append; 1 ended; 2 ended; ",
	  0 },
	{ "no reply",
	  { IN("set k 0 0 2 noreply\r\nab\r\ndelete k noreply\r\nincr k 1 noreply\r\n"
	       "flush_all noreply\r\nget k\r\n"),
	    OUT(END) },
	  DID(1, "set") DID(2, "delete") DID(3, "incr") DID(4, "flush_all") DID(5, "get"),
	  0 },
	{ "key noreply", { IN("delete noreply\r\n"), OUT("DELETED\r\n") }, DID(1, "delete"), 0 },
	{ "pipeline with silence",
	  { IN("get a\r\ntouch k 1 noreply\r\nget b\r\n"), OUT(VALUE), OUT(END END) },
	  "1 began; 1 get; 2 began; 2 touch; 2 ended; 3 began; 3 get; 1 ended; 3 ended; ",
	  0 },
	{ "numbers",
	  { IN("incr k 1\r\n"), OUT("17\r\n"), IN("decr k 1\r\n"), OUT("NOT_FOUND\r\n") },
	  DID(1, "incr") DID(2, "decr"),
	  0 },
	{ "stats",
	  { IN("stats\r\n"), OUT("STAT pid 1\r\nSTAT uptime 2\r\n"), OUT(END) },
	  DID(1, "stats"),
	  0 },
	{ "keys of a dump",
	  { IN("lru_crawler mgdump hash\r\n"), OUT("mg k\r\nmg aw== b\r\n"), OUT("mg l\r\nEN\r\n") },
	  DID(1, "lru_crawler"),
	  0 },
	{ "stats reset",
	  { IN("stats reset\r\n"), OUT("RESET\r\n"), IN("version\r\n"), OUT("VERSION 1.6\r\n") },
	  DID(1, "stats") DID(2, "version"),
	  0 },
	{ "quit", { IN("quit\r\n"), CLOSED }, DID(1, "quit"), 0 },
	{ "quit is open until the close", { IN("quit\r\n") }, "1 began; 1 quit; ", 0 },
	{ "quit behind others",
	  { IN("get k\r\nquit\r\n"), OUT(VALUE END), CLOSED },
	  "1 began; 1 get; 2 began; 2 quit; 1 ended; 2 ended; ",
	  0 },
	{ "quit behind an answer whose end did not travel",
	  { IN("get k\r\nquit\r\n"), OUT_CUT(VALUE "VALUE", 99), OUT(END), CLOSED },
	  "1 began; 1 get; 2 began; 2 quit; 1 ended; 2 ended; ",
	  0 },
	{ "quit behind quiet ones",
	  { IN_WHOLE("mg k v q\r\nquit\r\n"), CLOSED },
	  "1 began; 1 mg; 2 began; 2 quit; 1 unanswered; 2 ended; ",
	  0 },
	{ "nothing is asked for behind quit", { IN("quit\r\nget k\r\n"), IN("get k\r\n"), CLOSED }, DID(1, "quit"), 0 },
	{ "binary quit without an answer", { IN(ASK("\x17")), CLOSED }, DID(1, "quit"), 0 },
	{ "unknown command",
	  { IN("version\r\n"), OUT("VERSION 1\r\n"), IN("gett k\r\n"), OUT("ERROR\r\n") },
	  DID(1, "version") DID(2, "gett"),
	  0 },
	{ "unknown command with data",
	  { IN("version\r\n"), OUT("VERSION 1\r\n"), IN_WHOLE("put k 5\r\nhello\r\n"), OUT("HD\r\n"), IN("get k\r\n"),
	    OUT(END) },
	  DID(1, "version") DID(2, "put") DID(3, "get"),
	  0 },
	{ "a request behind an unknown command",
	  { IN("version\r\n"), OUT("VERSION 1\r\n"), IN_WHOLE("gett k\r\nget k\r\n"), OUT("ERROR\r\n" END) },
	  DID(1, "version") DID(2, "gett"),
	  7 },
	{ "no watch of its own",
	  { IN("watch k\r\n"), OUT("WATCHING 2\r\n"), IN("get k\r\n"), OUT(END) },
	  DID(1, "watch") DID(2, "get"),
	  0 },
	{ "too large",
	  { IN("set k 0 0 9\r\nabc"), OUT("SERVER_ERROR object too large for cache\r\n"),
	    IN("abcdef\r\nget k\r\n"), OUT(END) },
	  DID(1, "set") DID(2, "get"),
	  0 },
	{ "bad length",
	  { IN("version\r\n"), OUT("VERSION 1\r\n"), IN("set k 0 0 x\r\n"),
	    OUT("CLIENT_ERROR bad data chunk\r\n"), IN("get k\r\n"), OUT(END) },
	  DID(1, "version") DID(2, "set") DID(3, "get"),
	  0 },
	{ "meta",
	  { IN("mg k v\r\n"), OUT("VA 5\r\nhello\r\n"), IN("ms k 2 T0\r\nab\r\n"), OUT("HD\r\n"),
	    IN("md k\r\n"), OUT("NF\r\n"), IN("me k\r\n"), OUT("ME k exp=-1\r\n") },
	  DID(1, "mg") DID(2, "ms") DID(3, "md") DID(4, "me"),
	  0 },
	{ "quiet meta",
	  { IN_WHOLE("mg a v q\r\nmg b v q\r\nmn\r\n"), OUT("VA 1\r\na\r\n"), OUT("MN\r\n") },
	  "1 began; 1 mg; 2 began; 2 mg; 3 began; 3 mn; 1 ended; 2 ended; 3 ended; ",
	  0 },
	{ "quiet meta, then one that is not",
	  { IN_WHOLE("mg a v q\r\nmg b v\r\n"), OUT("EN\r\n"), IN("mg c v\r\n"), OUT("EN\r\n") },
	  "1 began; 1 mg; 2 began; 2 mg; 1 ended; 2 ended; " DID(3, "mg"),
	  0 },
	{ "quiet meta ends with the next exchange",
	  { IN_WHOLE("mg a v q\r\nmg b v\r\n"), OUT("VA 1\r\na\r\n"), IN("mn\r\n"), OUT("MN\r\n") },
	  "1 began; 1 mg; 2 began; 2 mg; 1 ended; 2 ended; " DID(3, "mn"),
	  0 },
	{ "quiet meta is not answered",
	  { IN_WHOLE("ms a 1 q\r\na\r\n"), IN_WHOLE("ms b 1 q\r\na\r\n"), IN_WHOLE("mn\r\n"),
	    OUT("MN\r\n") },
	  "1 began; 1 ms; 1 unanswered; 2 began; 2 ms; 2 unanswered; " DID(3, "mn"),
	  0 },
	{ "watch", { IN("watch\r\n"), OUT("OK\r\n"), OUT("ts=1 gid=2\r\n") }, DID(1, "watch"), 0 },
	{ "binary",
	  { IN(ASK_KEY("\0") ASK_KEY("\x04")), OUT(TELL_KEY("\0")), OUT(TELL("\x04")) },
	  "1 began; 1 get; 2 began; 2 delete; 1 ended; 2 ended; ",
	  0 },
	{ "binary, quiet",
	  { IN_WHOLE(ASK_KEY("\x0d") ASK_KEY("\x0d") ASK("\x0a")), OUT(TELL_KEY("\x0d")),
	    OUT(TELL("\x0a")) },
	  "1 began; 1 get; 2 began; 2 get; 3 began; 3 noop; 1 ended; 2 ended; 3 ended; ",
	  0 },
	{ "binary statistics",
	  { IN(ASK("\x10")), OUT(TELL_KEY("\x10") TELL_KEY("\x10")), OUT(TELL("\x10")),
	    IN(ASK("\x07")), OUT(TELL("\x07")) },
	  DID(1, "stats") DID(2, "quit"),
	  0 },
	{ "data that did not travel",
	  { IN_CUT("set k 0 0 1000\r\nab", 1000), IN("get k\r\n"), OUT("STORED\r\n"),
	    OUT_CUT("VALUE k 0 1000\r\nab", 1000), OUT(END) },
	  "1 began; 1 set; 2 began; 2 get; 1 ended; 2 ended; ",
	  0 },
	{ "keys that did not travel",
	  { IN_CUT("get a b ", 1000), OUT(END), IN("get k\r\n"), OUT(END) },
	  DID(1, "get") DID(2, "get"),
	  0 },
	{ "keys that did not travel, in two reads",
	  { IN("get a b "), IN_CUT("", 1000), OUT(END), IN("get k\r\n"), OUT(END) },
	  DID(1, "get") DID(2, "get"),
	  0 },
	{ "keys that did not travel, and a request behind them",
	  { IN_CUT("get a b ", 1000), OUT(END END), IN("get k\r\n"), OUT(END) },
	  DID(1, "get") DID(2, "get"),
	  1000 },
	{ "a line that did not travel, behind ones that want no reply",
	  { IN_CUT("incr a 1 noreply\r\nincr b 1 ", 1000), OUT("VERSION 1\r\n"), IN("get k\r\n"), OUT(END) },
	  DID(1, "incr") DID(2, "incr") DID(3, "get"),
	  1000 },
	{ "a line that did not travel, and may want no reply",
	  { IN_CUT("incr a 1 ", 1000), OUT("VERSION 1\r\n"), IN("get k\r\n"), OUT(END) },
	  DID(1, "incr") DID(2, "get"),
	  1000 },
	{ "answer whose end did not travel",
	  { IN("get a b\r\n"), OUT_CUT(VALUE "VALUE", 100), IN("get k\r\n"), OUT(END) },
	  DID(1, "get") DID(2, "get"),
	  0 },
	{ "from the middle of data",
	  { IN("(data)\r\n"), OUT("STORED\r\n"), IN("get k\r\n"), OUT(END) },
	  DID(1, "get"),
	  0 },
	{ "no command",
	  { IN("get k\r\n"), OUT(END), IN("?\r\n"), OUT("ERROR\r\n"), IN("get k\r\n"), OUT(END) },
	  DID(1, "get") "2 began; 2 ended; " DID(3, "get"),
	  0 },
	{ "no answer",
	  { IN("get k\r\n"), OUT("\1\r\n"), IN("get k\r\n"), OUT("VALUE k 0 x\r\n"),
	    IN("get k\r\n"), OUT(END) },
	  DID(1, "get") DID(2, "get") DID(3, "get"),
	  0 },
	{ "half a line that is answered",
	  { IN("get k"), OUT(END), IN("get k\r\n"), OUT(END) },
	  "1 began; 1 ended; " DID(2, "get"),
	  0 },
	{ "a part that was not heard",
	  { IN("set k 0 0 500\r\n"), OUT("STORED\r\n"), IN("get k\r\n"), OUT(END) },
	  DID(1, "set") DID(2, "get"),
	  0 },
};

START_TEST(script_says)
{
	script_check(&protocol_memcached, &cases[_i]);
}
END_TEST

/* What memcached 1.6 read and wrote in its binary protocol: the first quiet get is a miss. */
static const struct script binary = {
	"binary",
	{ IN_WHOLE("\200\001\000\001\010\000\000\000\000\000\000\n\000\000\000\000\000\000\000"
		   "\000\000\000\000\000\000\000\000\000\000\000\000\000kv"),
	  OUT("\201\001\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000"
	      "\000\000\000\000\000\004"),
	  IN_WHOLE("\200\000\000\001\000\000\000\000\000\000\000\001\000\000\000\000\000\000"
		   "\000\000\000\000\000\000k"),
	  OUT("\201\000\000\000\004\000\000\000\000\000\000\005\000\000\000\000\000\000"
	      "\000\000\000\000\000\004\000\000\000\000v"),
	  IN_WHOLE("\200\r\000\002\000\000\000\000\000\000\000\002\000\000\000\000\000\000\000"
		   "\000\000\000\000\000no\200\r\000\001\000\000\000\000\000\000\000\001\000"
		   "\000\000\000\000\000\000\000\000\000\000\000k\200\n"
		   "\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000"
		   "\000\000\000\000"),
	  OUT("\201\r\000\001\004\000\000\000\000\000\000\006\000\000\000\000\000\000\000"
	      "\000\000\000\000\004\000\000\000\000kv\201\n\000\000\000\000\000\000\000"
	      "\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000") },
	DID(1, "set") DID(2, "get") "3 began; 3 get; 4 began; 4 get; 5 began; 5 noop; 3 ended; 4 "
				    "ended; 5 ended; ",
	0
};

START_TEST(real_bytes_are_understood)
{
	script_check(&protocol_memcached, &binary);
}
END_TEST

START_TEST(cut_script_ends)
{
	script_check_known(&protocol_memcached, &cases[_i], 100, 6);
}
END_TEST

static const struct script_first firsts[] = {
	FIRST("", RECOGNIZED_MAYBE),
	FIRST("g", RECOGNIZED_MAYBE),
	FIRST("get", RECOGNIZED_MAYBE),
	FIRST("get k", RECOGNIZED_MAYBE),
	FIRST("get k\r\n", RECOGNIZED),
	FIRST("get k\n", RECOGNIZED),
	FIRST("get\r\n", RECOGNIZED_NOT),
	FIRST("GET k\r\n", RECOGNIZED_NOT),
	FIRST("GET / HTTP/1.1\r\n", RECOGNIZED_NOT),
	FIRST("get / HTTP/1.1\r\n", RECOGNIZED_NOT),
	FIRST("get http/1.1\r\n", RECOGNIZED),
	FIRST("set k 0 0 5\r\nhello", RECOGNIZED),
	FIRST("set k v\r\n", RECOGNIZED_NOT),
	FIRST("set k 0 0 x\r\n", RECOGNIZED_NOT),
	FIRST("ms k 5\r\n", RECOGNIZED),
	FIRST("mn\r\n", RECOGNIZED),
	FIRST("mn\r", RECOGNIZED_MAYBE),
	FIRST("stats\r\n", RECOGNIZED),
	FIRST("statss\r\n", RECOGNIZED_NOT),
	FIRST("ping\r\n", RECOGNIZED_NOT),
	FIRST("*1\r\n$4\r\nPING\r\n", RECOGNIZED_NOT),
	FIRST("\x80", RECOGNIZED_MAYBE),
	FIRST(ASK_KEY("\0"), RECOGNIZED),
	FIRST(ASK_KEY("\x7f"), RECOGNIZED_NOT),
	FIRST("\x80\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x01\0\0\0\0\0\0\0\0\0\0\0\0",
	      RECOGNIZED_NOT),
	FIRST("\x80\x00\x00\x01\x00\x01", RECOGNIZED_NOT),
	FIRST("\x81\0", RECOGNIZED_NOT),
	FIRST("\x16\3\1\2\0", RECOGNIZED_NOT),
	FIRST("\1\1\0\1\0\x08\0\0", RECOGNIZED_NOT),
	FIRST("d\0\0\0\5x", RECOGNIZED_NOT),
};

START_TEST(first_bytes_are_recognized)
{
	script_check_first(&protocol_memcached, &firsts[_i]);
}
END_TEST

Suite *check_protocol_memcached_suite(void)
{
	Suite *s = suite_create("protocol_memcached");
	TCase *tc = tcase_create("protocol_memcached");

	tcase_add_loop_test(tc, script_says, 0, ARRAY_LEN(cases));
	tcase_add_test(tc, real_bytes_are_understood);
	tcase_add_loop_test(tc, cut_script_ends, 0, ARRAY_LEN(cases));
	tcase_add_loop_test(tc, first_bytes_are_recognized, 0, ARRAY_LEN(firsts));
	suite_add_tcase(s, tc);
	return s;
}
