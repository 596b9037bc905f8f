/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "base/alloc.h"
#include "report/protocol.h"
#include "tests/exchange.h"
#include "tests/script.h"

Suite *check_protocol_fastcgi_suite(void);

#define RECORD(type, id, len, padding) "\1" type "\0" id "\0" len padding "\0"
#define BEGIN(id)		       RECORD("\1", id, "\x08", "\0") "\0\1\1\0\0\0\0\0"
#define PARAMS(id)		       RECORD("\4", id, "\x29", "\4") PAIRS "pad."
#define PAIRS                                                                                      \
	"\x0e\3REQUEST_METHODGET"                                                                  \
	"\x0b\5REQUEST_URI/a?b="                                                                   \
	"\1\1xy"
#define SCRIPT_ONLY(id) RECORD("\4", id, "\x10", "\0") "\x0b\3SCRIPT_NAME/ab"
#define PARAMS_END(id)	RECORD("\4", id, "\0", "\0")
#define STDIN_END(id)	RECORD("\5", id, "\0", "\0")
#define STDOUT(id, len) RECORD("\6", id, len, "\0")
#define END(id)		RECORD("\3", id, "\x08", "\0") "\0\0\0\0\0\0\0\0"
#define ASK(id)		BEGIN(id) PARAMS(id) PARAMS_END(id) STDIN_END(id)
#define TELL(id)	STDOUT(id, "\x18") "Content-Type: a/b\r\n\r\nhi." STDOUT(id, "\0") END(id)
#define NOT_FOUND(id)	STDOUT(id, "\x19") "Status: 404 Not Found\r\n\r\n" END(id)
#define DID(nr, what, status)                                                                      \
#nr " began; " #nr " " what "; " #nr " status " #status "; " #nr " ended; "

static const struct script cases[] = {
	{ "request", { IN(ASK("\1")), OUT(TELL("\1")) }, DID(1, "GET /a?b=", 200), 0 },
	{ "status", { IN(ASK("\1")), OUT(NOT_FOUND("\1")) }, DID(1, "GET /a?b=", 404), 0 },
	{ "kept connection",
	  { IN(ASK("\1")), OUT(TELL("\1")), IN(ASK("\1")), OUT(NOT_FOUND("\1")) },
	  DID(1, "GET /a?b=", 200) DID(2, "GET /a?b=", 404),
	  0 },
	{ "location",
	  { IN(ASK("\1")), OUT(STDOUT("\1", "\x12") "location: /login\n\n" END("\1")) },
	  DID(1, "GET /a?b=", 302),
	  0 },
	{ "location and status",
	  { IN(ASK("\1")),
	    OUT(STDOUT("\1", "\x1f") "Location: /x\nSTATUS:301 Moved\n\n" END("\1")) },
	  DID(1, "GET /a?b=", 301),
	  0 },
	{ "header in two records",
	  { IN(ASK("\1")),
	    OUT(STDOUT("\1", "\5") "Statu" STDOUT("\1", "\7") "s: 500\n" END("\1")) },
	  DID(1, "GET /a?b=", 500),
	  0 },
	{ "status that is none",
	  { IN(ASK("\1")), OUT(STDOUT("\1", "\x0d") "Status: 1e3\n\n" END("\1")) },
	  "1 began; 1 GET /a?b=; 1 ended; ",
	  0 },
	{ "standard error is no header",
	  { IN(ASK("\1")), OUT(RECORD("\7", "\1", "\x0c", "\0") "Status: 500\n"), OUT(TELL("\1")) },
	  DID(1, "GET /a?b=", 200),
	  0 },
	{ "script in place of a target",
	  { IN(BEGIN("\1") SCRIPT_ONLY("\1") PARAMS_END("\1")), OUT(TELL("\1")) },
	  DID(1, "/ab", 200),
	  0 },
	{ "pair in two records",
	  { IN(BEGIN("\1") RECORD("\4", "\1", "\4", "\0") "\x0e\3RE"),
	    IN(RECORD("\4", "\1", "\x0f", "\0") "QUEST_METHODPUT" SCRIPT_ONLY("\1")
		       PARAMS_END("\1")),
	    OUT(TELL("\1")) },
	  DID(1, "PUT /ab", 200),
	  0 },
	{ "long lengths",
	  { IN(BEGIN("\1") RECORD("\4", "\1", "\x16",
				  "\0") "\x80\0\0\x0b\x80\0\0\3REQUEST_URI/ab" PARAMS_END("\1")),
	    OUT(TELL("\1")) },
	  DID(1, "/ab", 200),
	  0 },
	{ "no parameters",
	  { IN(BEGIN("\1") PARAMS_END("\1") STDIN_END("\1")), OUT(TELL("\1")) },
	  "1 began; 1 status 200; 1 ended; ",
	  0 },
	{ "body of a request",
	  { IN(BEGIN("\1") PARAMS("\1") PARAMS_END("\1")),
	    IN(RECORD("\5", "\1", "\3", "\1") "\1\1\1."), OUT(TELL("\1")) },
	  DID(1, "GET /a?b=", 200),
	  0 },
	{ "two at a time",
	  { IN(BEGIN("\1") BEGIN("\2") PARAMS("\2") PARAMS("\1")), OUT(NOT_FOUND("\2")),
	    OUT(TELL("\1")) },
	  "1 began; 2 began; 2 GET /a?b=; 1 GET /a?b=; 2 status 404; 2 ended; "
	  "1 status 200; 1 ended; ",
	  0 },
	{ "question about values",
	  { IN(RECORD("\x09", "\0", "\x10", "\0") "\x0e\0FCGI_MAX_CONNS"),
	    OUT(RECORD("\x0a", "\0", "\x11", "\0") "\x0e\1FCGI_MAX_CONNS1"), IN(ASK("\1")),
	    OUT(TELL("\1")) },
	  DID(1, "GET /a?b=", 200),
	  0 },
	{ "body that did not travel",
	  { IN(BEGIN("\1") PARAMS("\1") PARAMS_END("\1")), IN_CUT("\1\5\0\1\x20\0\0\0abc", 0x1ffd),
	    IN(STDIN_END("\1")), OUT_CUT(STDOUT("\1", "\x81") "\n", 128), OUT(END("\1")) },
	  DID(1, "GET /a?b=", 200),
	  0 },
	{ "value that did not travel, of no matter",
	  { IN_CUT(BEGIN("\1") "\1\4\0\1\2\x19\0\0"
			       "\x0e\3REQUEST_METHODGET"
			       "\1\x80\0\2\0xvalue",
		   507),
	    IN(RECORD("\4", "\1", "\x12", "\0") "\x0b\5REQUEST_URI/a?b=" PARAMS_END("\1")),
	    OUT(TELL("\1")) },
	  DID(1, "GET /a?b=", 200),
	  0 },
	{ "target that did not travel",
	  { IN_CUT(BEGIN("\1") "\1\4\0\1\0\x24\0\0"
			       "\x0b\3SCRIPT_NAME/ab"
			       "\x0b\7REQUEST_URI/a",
		   5),
	    IN(PARAMS_END("\1")), OUT(TELL("\1")) },
	  DID(1, "/ab", 200),
	  0 },
	{ "parameters that did not travel",
	  { IN_CUT(BEGIN("\1") "\1\4\0\1\1\0\0\0"
			       "\x0b\3SCRIPT_NAME/ab",
		   240 + 8),
	    OUT(TELL("\1")), IN(ASK("\1")), OUT(TELL("\1")) },
	  DID(1, "/ab", 200) DID(2, "GET /a?b=", 200),
	  0 },
	{ "records that did not travel",
	  { IN_CUT(BEGIN("\1") PARAMS("\1") "\1", 500), OUT(TELL("\1")), IN(ASK("\1")),
	    OUT(TELL("\1")) },
	  DID(1, "GET /a?b=", 200) DID(2, "GET /a?b=", 200),
	  0 },
	/* ... nobody is behind it, unless there is an answer that nobody asked for */
	{ "a request that did not travel, behind parameters",
	  { IN_CUT(BEGIN("\1") PARAMS("\1") "\1", 500), OUT(TELL("\1") TELL("\1")), IN(ASK("\1")),
	    OUT(TELL("\1")) },
	  DID(1, "GET /a?b=", 200) DID(2, "GET /a?b=", 200),
	  500 },
	{ "a body's records that did not travel",
	  { IN_CUT(BEGIN("\1") PARAMS("\1") PARAMS_END("\1") "\1\5\0\1\0\3\0\0abc", 500), IN_CUT("x", 600),
	    OUT(TELL("\1")), IN(ASK("\1")), OUT(TELL("\1")) },
	  DID(1, "GET /a?b=", 200) DID(2, "GET /a?b=", 200),
	  0 },
	{ "a body's records that did not travel, whose end is read behind the answer",
	  { IN(BEGIN("\1") PARAMS("\1") PARAMS_END("\1")), IN_CUT("\1\5\0\1\x20\0\0\0abc", 0x1ffd),
	    IN_CUT("", 600), OUT(TELL("\1")), IN(STDIN_END("\1")), IN(ASK("\1")), OUT(TELL("\1")) },
	  DID(1, "GET /a?b=", 200) DID(2, "GET /a?b=", 200),
	  0 },
	{ "from the middle, with the end of a body",
	  { OUT(TELL("\1")), IN(STDIN_END("\1")), IN(ASK("\1")), OUT(TELL("\1")) },
	  DID(1, "GET /a?b=", 200),
	  0 },
	{ "a request that did not travel, behind a body",
	  { IN_CUT(BEGIN("\1") PARAMS("\1") PARAMS_END("\1") "\1\5\0\1\0\3\0\0abc", 500), IN_CUT("x", 600),
	    OUT(TELL("\1") TELL("\1")), IN(ASK("\1")), OUT(TELL("\1") TELL("\1")) },
	  DID(1, "GET /a?b=", 200) DID(2, "GET /a?b=", 200),
	  1100 },
	{ "records of several requests that did not travel",
	  { IN_CUT(BEGIN("\2") BEGIN("\1") PARAMS("\1") PARAMS_END("\1") "\1\5\0\1\0\3\0\0abc", 500),
	    OUT(TELL("\1") END("\2")) },
	  "1 began; 2 began; 2 GET /a?b=; 2 status 200; 2 ended; 1 ended; ",
	  500 },
	{ "end that did not travel",
	  { IN(ASK("\1")), OUT_CUT(STDOUT("\1", "\2") "\n.", 16), IN(ASK("\1")), OUT(TELL("\1")) },
	  DID(1, "GET /a?b=", 200) DID(2, "GET /a?b=", 200),
	  0 },
	{ "answer that did not travel",
	  { IN(ASK("\1")), OUT_CUT("", 99), IN(ASK("\1")), OUT(TELL("\1")) },
	  "1 began; 1 GET /a?b=; 1 status unseen; 1 ended; " DID(2, "GET /a?b=", 200),
	  0 },
	{ "fields that did not travel",
	  { IN(ASK("\1")), OUT_CUT("\1\6\0\1\0\x20\0\0X-A: b\r\n", 24), OUT(END("\1")) },
	  "1 began; 1 GET /a?b=; 1 status unseen; 1 ended; ",
	  0 },
	{ "end that did not travel, at the end",
	  { IN(ASK("\1")), OUT_CUT(STDOUT("\1", "\2") "\n.", 16), CLOSED },
	  DID(1, "GET /a?b=", 200),
	  0 },
	{ "from the middle",
	  { IN(PARAMS("\1")), OUT(TELL("\1")), IN(ASK("\1")), OUT(TELL("\1")) },
	  DID(1, "GET /a?b=", 200),
	  0 },
	{ "no record",
	  { IN(ASK("\1") "\2\1\0\1\0\0\0\0"), OUT("\2\1\0\1\0\0\0\0"), IN(ASK("\1")),
	    OUT(TELL("\1")) },
	  "1 began; 1 GET /a?b=; 1 ended; " DID(2, "GET /a?b=", 200),
	  0 },
	{ "begun again",
	  { IN(BEGIN("\1") ASK("\1")), OUT(TELL("\1")) },
	  "1 began; 1 ended; " DID(2, "GET /a?b=", 200),
	  0 },
};

START_TEST(script_says)
{
	script_check(&protocol_fastcgi, &cases[_i]);
}
END_TEST

START_TEST(cut_script_ends)
{
	script_check_known(&protocol_fastcgi, &cases[_i], 200, 2);
}
END_TEST

static const struct script_first firsts[] = {
	FIRST("", RECOGNIZED_MAYBE),
	FIRST("\1", RECOGNIZED_MAYBE),
	FIRST("\1\1\0\1\0\x08\0", RECOGNIZED_MAYBE),
	FIRST("\1\1\0\1\0\x08\0\0", RECOGNIZED),
	FIRST(BEGIN("\1"), RECOGNIZED),
	FIRST("\1\1\0\1\0\x08\0\0\0\4", RECOGNIZED_NOT),
	FIRST("\1\1\0\0\0\x08\0\0", RECOGNIZED_NOT),
	FIRST("\1\1\0\1\0\x09\0\0", RECOGNIZED_NOT),
	FIRST("\1\4\0\1\0\x09\0\0", RECOGNIZED_NOT),
	FIRST("\1\5\0\1\0\0\0", RECOGNIZED_MAYBE),
	FIRST(STDIN_END("\1"), RECOGNIZED_REST),
	FIRST(STDIN_END("\1") BEGIN("\1"), RECOGNIZED_REST),
	FIRST("\1\5\0\1\0\1\0\0", RECOGNIZED_NOT),
	FIRST("\1\5\0\0\0\0\0\0", RECOGNIZED_NOT),
	FIRST("\1\x09\0\0\0\x10\0\0", RECOGNIZED),
	FIRST("\1\x09\0\1\0\x10\0\0", RECOGNIZED_NOT),
	FIRST("GET / HTTP/1.1\r\n", RECOGNIZED_NOT),
	FIRST("\x16\3\1\2\0", RECOGNIZED_NOT),
};

START_TEST(first_bytes_are_recognized)
{
	script_check_first(&protocol_fastcgi, &firsts[_i]);
}
END_TEST

/* More requests at a time than are followed are none, but counted; those that are stay right. */
START_TEST(requests_at_a_time_are_bounded)
{
	char begin[] = BEGIN("\1"), end[] = END("\1");
	struct exchange x;
	int i;

	exchange_init(&x, &protocol_fastcgi);
	for (i = 1; i <= 300; i++) {
		begin[2] = (char)(i >> 8);
		begin[3] = (char)i;
		exchange_in_n(&x, begin, sizeof(begin) - 1, 0);
	}
	ck_assert_uint_eq(exchange_nr_began(&x), 256);
	ck_assert_uint_eq(x.nr_skipped, (300 - 256) * (sizeof(begin) - 1));
	for (i = 300; i; i--) {
		end[2] = (char)(i >> 8);
		end[3] = (char)i;
		exchange_out_n(&x, end, sizeof(end) - 1, 0);
	}
	ck_assert_uint_eq(exchange_nr_ended(&x), 256);
	exchange_release(&x);
}
END_TEST

Suite *check_protocol_fastcgi_suite(void)
{
	Suite *s = suite_create("protocol_fastcgi");
	TCase *tc = tcase_create("protocol_fastcgi");

	tcase_add_loop_test(tc, script_says, 0, ARRAY_LEN(cases));
	tcase_add_loop_test(tc, cut_script_ends, 0, ARRAY_LEN(cases));
	tcase_add_loop_test(tc, first_bytes_are_recognized, 0, ARRAY_LEN(firsts));
	tcase_add_test(tc, requests_at_a_time_are_bounded);
	suite_add_tcase(s, tc);
	return s;
}
