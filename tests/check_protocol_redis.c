/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "base/alloc.h"
#include "report/protocol.h"
#include "tests/exchange.h"
#include "tests/script.h"

Suite *check_protocol_redis_suite(void);

#define SUBSCRIBE     "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n"
#define SUBSCRIBED    "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"
#define MESSAGE	      "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n"
#define PUSH	      ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n"
#define LEFT	      "*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n"
#define PING	      "*1\r\n$4\r\nPING\r\n"
#define ACK	      "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$1\r\n1\r\n"
#define SYNC	      "*1\r\n$4\r\nSYNC\r\n"
#define GET	      "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
#define DID(nr, what) #nr " began; " #nr " " what "; " #nr " ended; "

static const struct script cases[] = {
	{ "array", { IN(GET), OUT("$5\r\nhello\r\n") }, DID(1, "GET"), 0 },
	{ "small letters", { IN("*1\r\n$4\r\nping\r\n"), OUT("+PONG\r\n") }, DID(1, "PING"), 0 },
	{ "inline", { IN("PING\r\n"), OUT("+PONG\r\n") }, DID(1, "PING"), 0 },
	{ "inline arguments", { IN("SET k v\n"), OUT("+OK\r\n") }, DID(1, "SET"), 0 },
	{ "subcommand",
	  { IN("*3\r\n$6\r\nconfig\r\n$3\r\nget\r\n$1\r\n*\r\n"), OUT("*0\r\n") },
	  DID(1, "CONFIG GET"),
	  0 },
	{ "no subcommand",
	  { IN("*1\r\n$7\r\nCOMMAND\r\n"), OUT("*-1\r\n") },
	  DID(1, "COMMAND"),
	  0 },
	{ "inline subcommand",
	  { IN(PING), OUT("+PONG\r\n"), IN("  \r\n"), IN("CLIENT  ID\r\n"), OUT(":7\r\n") },
	  DID(1, "PING") DID(2, "CLIENT ID"),
	  0 },
	{ "two in a row",
	  { IN(GET), OUT("$-1\r\n"), IN("\r\n" PING), OUT("+PONG\r\n") },
	  DID(1, "GET") DID(2, "PING"),
	  0 },
	{ "pipeline",
	  { IN(GET PING GET), OUT("$-1\r\n+PONG\r\n"), OUT("_\r\n") },
	  "1 began; 1 GET; 2 began; 2 PING; 3 began; 3 GET; 1 ended; 2 ended; 3 ended; ",
	  0 },
	{ "nested answer",
	  { IN(GET),
	    OUT("*2\r\n*3\r\n:1\r\n,1.5\r\n$2\r\n\r\n\r\n%1\r\n+a\r\n~2\r\n#t\r\n(12\r\n") },
	  DID(1, "GET"),
	  0 },
	{ "attribute before an answer",
	  { IN(GET PING), OUT("|1\r\n+ttl\r\n:3\r\n$1\r\na\r\n"), OUT("|0\r\n+PONG\r\n") },
	  "1 began; 1 GET; 2 began; 2 PING; 1 ended; 2 ended; ",
	  0 },
	{ "verbatim and bulk error",
	  { IN(GET PING), OUT("=5\r\ntxt:a\r\n"), OUT("!3\r\nERR\r\n") },
	  "1 began; 1 GET; 2 began; 2 PING; 1 ended; 2 ended; ",
	  0 },
	{ "push is no answer", { IN(GET), OUT(PUSH), OUT("$-1\r\n") }, DID(1, "GET"), 0 },
	{ "transaction",
	  { IN("*1\r\n$5\r\nMULTI\r\n"), OUT("+OK\r\n"), IN(GET), OUT("+QUEUED\r\n"),
	    IN("*1\r\n$4\r\nEXEC\r\n"), OUT("*1\r\n$1\r\nv\r\n") },
	  DID(1, "MULTI") DID(2, "GET") DID(3, "EXEC"),
	  0 },
	{ "subscription is left",
	  { IN(SUBSCRIBE), OUT(SUBSCRIBED), OUT(MESSAGE), IN(PING),
	    OUT("*2\r\n$4\r\npong\r\n$0\r\n\r\n"), OUT(MESSAGE), IN("*1\r\n$11\r\nUNSUBSCRIBE\r\n"),
	    OUT(LEFT), IN(GET), OUT(":0\r\n") },
	  DID(1, "SUBSCRIBE") DID(2, "PING") DID(3, "UNSUBSCRIBE") DID(4, "GET"),
	  0 },
	{ "what is no command's name",
	  { IN("AUTH PLAIN\r\n"), OUT("+ \r\n"), IN("AGJvYgBzZWNyZXQ=\r\n"), OUT("+OK\r\n"), IN("c2VjcmV0\r\n"), OUT("+OK\r\n"),
	    IN("Ym9i\r\n"), OUT("+OK\r\n"), IN("list\r\n"), OUT("+OK\r\n") },
	  DID(1, "AUTH") "2 began; 2 ended; 3 began; 3 ended; 4 began; 4 ended; " DID(5, "LIST"),
	  0 },
	{ "answers among messages",
	  { IN("*3\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n$1\r\nd\r\n" PING "*1\r\n$11\r\nUNSUBSCRIBE\r\n" GET),
	    OUT(SUBSCRIBED), OUT(SUBSCRIBED MESSAGE), OUT("*2\r\n$4\r\npong\r\n$0\r\n\r\n"),
	    OUT("*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:1\r\n" MESSAGE "*3\r\n$11\r\nunsubscribe\r\n$1\r\nd\r\n:0\r\n"),
	    OUT("$1\r\na\r\n") },
	  "1 began; 1 SUBSCRIBE; 2 began; 2 PING; 3 began; 3 UNSUBSCRIBE; 4 began; 4 GET; 1 ended; 2 ended; 3 ended; 4 ended; ",
	  0 },
	{ "an error among messages",
	  { IN(SUBSCRIBE), OUT(SUBSCRIBED), IN(GET PING), OUT(MESSAGE), OUT("-ERR only (P|S)SUBSCRIBE\r\n"),
	    OUT("*2\r\n$4\r\npong\r\n$0\r\n\r\n") },
	  DID(1, "SUBSCRIBE") "2 began; 2 GET; 3 began; 3 PING; 2 ended; 3 ended; ",
	  0 },
	{ "subscription is reset",
	  { IN(SUBSCRIBE), OUT(SUBSCRIBED), IN("RESET\r\n"), OUT("+RESET\r\n"), IN(GET),
	    OUT("$1\r\na\r\n") },
	  DID(1, "SUBSCRIBE") DID(2, "RESET") DID(3, "GET"),
	  0 },
	{ "subscription is refused",
	  { IN(SUBSCRIBE), OUT("-ERR\r\n"), IN(GET), OUT("$1\r\na\r\n") },
	  DID(1, "SUBSCRIBE") DID(2, "GET"),
	  0 },
	{ "subscription by pushes",
	  { IN(SUBSCRIBE), OUT(">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"), IN(GET), OUT(PUSH),
	    OUT("$1\r\na\r\n") },
	  DID(1, "SUBSCRIBE") DID(2, "GET"),
	  0 },
	{ "monitor",
	  { IN("MONITOR\r\n"), OUT("+OK\r\n"), OUT("+1.5 [0] \"GET\"\r\n"), IN("RESET\r\n"),
	    OUT("+RESET\r\n") },
	  DID(1, "MONITOR") DID(2, "RESET"),
	  0 },
	{ "a replica's stream, with what it brings",
	  { IN("*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n"), OUT("\n"), IN("\n"), OUT("\n\n+FULLRESYNC abc 0\r\n\n"),
	    OUT("$5\r\nhello" PING), IN(ACK ACK), OUT(PING), IN(ACK) },
	  DID(1, "PSYNC") DID(2, "REPLCONF") DID(3, "REPLCONF") DID(4, "REPLCONF"),
	  0 },
	{ "... of a length that is not known",
	  { IN(SYNC), OUT("\n"), OUT("$EOF:0123456789\r\n"), OUT("hello"), OUT("0123456789" PING), IN(ACK), OUT(PING), IN(ACK) },
	  DID(1, "SYNC") DID(2, "REPLCONF") DID(3, "REPLCONF"),
	  0 },
	{ "... of a length that is known",
	  { IN(SYNC), OUT("$5\r\n"), OUT("hello"), OUT(PING), IN(ACK), OUT(PING) },
	  DID(1, "SYNC") DID(2, "REPLCONF"),
	  0 },
	{ "... that is refused",
	  { IN(SYNC), OUT("\n-LOADING\r\n"), IN(GET), OUT("$1\r\na\r\n") },
	  DID(1, "SYNC") DID(2, "GET"),
	  0 },
	{ "... from the middle", { OUT(PING), IN(ACK), OUT(PING GET), IN(ACK) }, DID(1, "REPLCONF") DID(2, "REPLCONF"), 0 },
	{ "no replies",
	  { IN(PING), OUT("+PONG\r\n"), IN("CLIENT REPLY OFF\r\n" GET), IN("CLIENT REPLY ON\r\n"),
	    OUT("+OK\r\n"), IN("CLIENT REPLY SKIP\r\n" GET GET), OUT("$-1\r\n") },
	  DID(1, "PING") DID(2, "CLIENT REPLY") DID(3, "GET") DID(4, "CLIENT REPLY")
		  DID(5, "CLIENT REPLY") DID(6, "GET") DID(7, "GET"),
	  0 },
	{ "no command",
	  { IN(PING), OUT("+PONG\r\n"), IN("*0\r\n*-1\r\n" GET), OUT("$-1\r\n") },
	  DID(1, "PING") DID(2, "GET"),
	  0 },
	{ "no command at first", { IN("*0\r\n\r\n" GET), OUT("$-1\r\n") }, DID(1, "GET"), 0 },
	{ "large value that did not travel",
	  { IN_CUT("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000\r\nab", 1000), IN(PING), OUT("+OK\r\n"),
	    OUT("+PONG\r\n") },
	  "1 began; 1 SET; 2 began; 2 PING; 1 ended; 2 ended; ",
	  0 },
	{ "arguments that did not travel",
	  { IN_CUT("*99\r\n$4\r\nHSET\r\n$1\r\nk\r\n$", 900), IN_CUT("", 900), OUT(":49\r\n"), IN(PING),
	    OUT("+PONG\r\n") },
	  DID(1, "HSET") DID(2, "PING"),
	  0 },
	{ "arguments that did not travel, and a command behind them",
	  { IN_CUT("*99\r\n$4\r\nHSET\r\n$1\r\nk\r\n$", 900), IN_CUT("", 900), OUT(":49\r\n+PONG\r\n"),
	    IN(PING), OUT("+PONG\r\n") },
	  DID(1, "HSET") DID(2, "PING"),
	  1800 },
	{ "arguments that did not travel, of what wants no answer",
	  { IN_CUT("CLIENT REPLY OFF\r\n*99\r\n$4\r\nHSET\r\n$1\r\nk\r\n$", 900), OUT("+OK\r\n"), IN("CLIENT REPLY ON\r\n"),
	    OUT("+OK\r\n") },
	  DID(1, "CLIENT REPLY") DID(2, "HSET") DID(3, "CLIENT REPLY"),
	  900 },
	{ "large answer that did not travel",
	  { IN(GET PING), OUT_CUT("$1000\r\nab", 1000), OUT("+PONG\r\n") },
	  "1 began; 1 GET; 2 began; 2 PING; 1 ended; 2 ended; ",
	  0 },
	{ "requests that did not travel",
	  { IN_CUT(GET "*2\r", 100), OUT("$-1\r\n"), OUT("$-1\r\n+OK\r\n"), IN(PING),
	    OUT("+PONG\r\n") },
	  "1 began; 1 GET; 2 began; 1 ended; 2 ended; " DID(3, "PING"),
	  100 },
	{ "answer whose end did not travel",
	  { IN(GET), OUT_CUT("*1000\r\n$1\r\na\r\n", 7000), OUT("whatever"), IN(PING),
	    OUT("+PONG\r\n") },
	  DID(1, "GET") DID(2, "PING"),
	  0 },
	{ "answer whose end did not travel, at the end",
	  { IN(GET), OUT_CUT("*1000\r\n$1\r\na\r\n", 7000), CLOSED },
	  DID(1, "GET"),
	  0 },
	{ "from the middle of a value",
	  { IN("(data)\r\n*1\r\n"), OUT("+OK\r\n"), IN(PING), OUT("+PONG\r\n") },
	  DID(1, "PING"),
	  0 },
	{ "from the middle of an answer",
	  { OUT("data\r\n"), IN(PING), OUT("+PONG\r\n") },
	  DID(1, "PING"),
	  0 },
	{ "lengths that overflow",
	  { IN(GET), OUT("$99999999999999999999\r\n"), IN(GET), OUT("*999999999999999999\r\n"),
	    IN("*1\r\n$18446744073709551615\r\nGET\r\n"), OUT("-ERR\r\n"), IN(PING),
	    OUT("+PONG\r\n") },
	  DID(1, "GET") "2 began; 2 GET; not over; 2 ended; 3 began; 3 ended; " DID(4, "PING"),
	  0 },
	{ "an answer that is lost, and goes on behind the next command",
	  { IN(GET), OUT_CUT("*1000\r\n$1\r\na\r\n", 7000), IN(PING), OUT("ent-1\r\n"), OUT("$1\r\na\r\n+PONG\r\n"), IN(PING),
	    OUT("+PONG\r\n") },
	  DID(1, "GET") "2 began; 2 PING; not over; 2 ended; " DID(3, "PING"),
	  0 },
	{ "... as answers do, but nobody has asked for so many",
	  { IN(GET), OUT_CUT("*1000\r\n$1\r\na\r\n", 7000), IN_WHOLE(PING), { SCRIPT_OUT, "$1\r\na\r\n$1", 9, 0, true }, IN(PING),
	    OUT("+PONG\r\n") },
	  DID(1, "GET") "2 began; 2 PING; 2 ended; not over; " DID(3, "PING"),
	  0 },
	{ "several at once, whose answers are lost in one write",
	  { IN(GET PING), OUT_CUT("*1000\r\n$1\r\na\r\n", 7000), IN(PING), OUT("+PONG\r\n") },
	  "1 began; 1 GET; 2 began; 2 PING; 1 ended; 2 ended; " DID(3, "PING"),
	  0 },
	{ "several at once, whose answers are lost in several",
	  { IN(GET PING PING), OUT_CUT("*1000\r\n$1\r\na\r\n", 7000), OUT("+PONG\r\n"), IN(PING), OUT("+PONG\r\n") },
	  "1 began; 1 GET; 2 began; 2 PING; 3 began; 3 PING; 1 end unseen; 2 end unseen; 3 ended; " DID(4, "PING"),
	  0 },
	{ "half a line that is answered",
	  { IN("PING"), OUT("+PONG\r\n"), IN(PING), OUT("+PONG\r\n") },
	  "1 began; 1 ended; " DID(2, "PING"),
	  0 },
	{ "a part that was not heard",
	  { IN("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\n"), OUT("+OK\r\n"), IN(PING),
	    OUT("+PONG\r\n") },
	  DID(1, "SET") DID(2, "PING"),
	  0 },
};

START_TEST(script_says)
{
	script_check(&protocol_redis, &cases[_i]);
}
END_TEST

/* What Redis 7 read and wrote for redis-cli. */
static const struct script redis_cli = {
	"redis-cli",
	{ IN("*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n"),
	  OUT("%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n"
	      "$6\r\n7.0.15\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:9\r\n"
	      "$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\n"
	      "master\r\n$7\r\nmodules\r\n*0\r\n"),
	  IN("*2\r\n$9\r\nSUBSCRIBE\r\n$2\r\nch\r\n"),
	  OUT(">3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n") },
	DID(1, "HELLO") DID(2, "SUBSCRIBE"),
	0
};

START_TEST(real_bytes_are_understood)
{
	script_check(&protocol_redis, &redis_cli);
}
END_TEST

START_TEST(cut_script_ends)
{
	script_check_cuts(&protocol_redis, &cases[_i], PING, "+PONG\r\n");
}
END_TEST

static const struct script_first firsts[] = {
	FIRST("", RECOGNIZED_MAYBE),
	FIRST("*", RECOGNIZED_MAYBE),
	FIRST("*3\r\n$", RECOGNIZED_MAYBE),
	FIRST("*3\r\n$3\r\nSE", RECOGNIZED_MAYBE),
	FIRST("*3\r\n$3\r\nSET", RECOGNIZED),
	FIRST(GET, RECOGNIZED),
	FIRST("*1\r\n$10\r\nJSON.MERGE\r\n", RECOGNIZED),
	FIRST("*3\r\n:1\r\n", RECOGNIZED_NOT),
	FIRST("*0", RECOGNIZED_MAYBE),
	FIRST("*0\r", RECOGNIZED_MAYBE),
	FIRST("*0\r\n", RECOGNIZED_MAYBE),
	FIRST("*0\r\n" GET, RECOGNIZED),
	FIRST("*0\r\n\r\nGET / HTTP/1.1\r\n", RECOGNIZED_NOT),
	FIRST("\r\n", RECOGNIZED_NOT),
	FIRST("\r\n\r\nPI", RECOGNIZED_MAYBE),
	FIRST("\r\n\r\nPING\r\n", RECOGNIZED),
	FIRST("LLEN list\r\n", RECOGNIZED),
	FIRST("LLEN\r\n", RECOGNIZED_NOT),
	FIRST("TYPE I\r\n", RECOGNIZED_NOT),
	FIRST("CONFIG GET save\r\n", RECOGNIZED),
	FIRST("config get cluster\r\n", RECOGNIZED_NOT),
	FIRST("*1\r\n$3\r\n\x01\x02\x03\r\n", RECOGNIZED_NOT),
	FIRST("*1\r\n$3\r\nGETS\r\n", RECOGNIZED_NOT),
	FIRST("*99999999\r\n", RECOGNIZED_NOT),
	FIRST("PI", RECOGNIZED_MAYBE),
	FIRST("PING", RECOGNIZED_MAYBE),
	FIRST("PING\r", RECOGNIZED_MAYBE),
	FIRST("PING\r\n", RECOGNIZED),
	FIRST("ping\n", RECOGNIZED),
	FIRST("PING\rx", RECOGNIZED_NOT),
	FIRST("PINGS\r\n", RECOGNIZED_NOT),
	FIRST("GET k", RECOGNIZED_MAYBE),
	FIRST("GET k\r\n", RECOGNIZED),
	FIRST("get k\r\n", RECOGNIZED_NOT),
	FIRST("set k 0 0 1\r\n", RECOGNIZED_NOT),
	FIRST("GET\r\n", RECOGNIZED_NOT),
	FIRST("GET /", RECOGNIZED_NOT),
	FIRST("GET / HTTP/1.1\r\n", RECOGNIZED_NOT),
	FIRST("GET x HTTP/1.1\r\n", RECOGNIZED_NOT),
	FIRST("GET http://x", RECOGNIZED_NOT),
	FIRST("POST / HTTP/1.1\r\n", RECOGNIZED_NOT),
	FIRST("\x16\x03\x01", RECOGNIZED_NOT),
	FIRST("\x80\x01", RECOGNIZED_NOT),
	FIRST("+OK\r\n", RECOGNIZED_NOT),
};

START_TEST(first_bytes_are_recognized)
{
	script_check_first(&protocol_redis, &firsts[_i]);
}
END_TEST

START_TEST(unanswered_stays_open)
{
	static const struct script s = { "closed", { IN(GET), CLOSED }, "1 began; 1 GET; ", 0 };

	script_check(&protocol_redis, &s);
}
END_TEST

START_TEST(long_names_are_bounded)
{
	struct str b = { 0 };
	struct exchange x;
	size_t i;

	str_add(&b, "*2\r\n$6\r\nCONFIG\r\n$4000\r\n");
	for (i = 0; i < 4000; i++)
		str_add_char(&b, 'a');
	str_add(&b, "\r\n" PING);
	exchange_init(&x, &protocol_redis);
	exchange_in(&x, str_cstr(&b), 0);
	exchange_out(&x, "+OK\r\n+PONG\r\n", 0);
	ck_assert_uint_eq(exchange_nr_ended(&x), 2);
	ck_assert_uint_le(x.said.len, 200);
	exchange_release(&x);
	str_release(&b);
}
END_TEST

/* A client that asks without end and a server that does not answer. */
START_TEST(pipeline_is_bounded)
{
	struct exchange x;
	int i;

	exchange_init(&x, &protocol_redis);
	for (i = 0; i < 20000; i++)
		exchange_in(&x, PING, 0);
	ck_assert_uint_le(exchange_nr_began(&x), 16385);
	exchange_out(&x, "+PONG\r\n", 0);
	exchange_in(&x, PING, 0);
	exchange_out(&x, "+PONG\r\n", 0);
	ck_assert_uint_eq(exchange_nr_ended(&x), exchange_nr_began(&x));
	exchange_release(&x);
}
END_TEST

Suite *check_protocol_redis_suite(void)
{
	Suite *s = suite_create("protocol_redis");
	TCase *tc = tcase_create("protocol_redis");

	tcase_add_loop_test(tc, script_says, 0, ARRAY_LEN(cases));
	tcase_add_test(tc, real_bytes_are_understood);
	tcase_add_loop_test(tc, cut_script_ends, 0, ARRAY_LEN(cases));
	tcase_add_loop_test(tc, first_bytes_are_recognized, 0, ARRAY_LEN(firsts));
	tcase_add_test(tc, unanswered_stays_open);
	tcase_add_test(tc, long_names_are_bounded);
	tcase_add_test(tc, pipeline_is_bounded);
	suite_add_tcase(s, tc);
	return s;
}
