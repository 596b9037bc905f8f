/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "tests/exchange.h"
#include "tests/script.h"

Suite *check_protocol_http1_suite(void);

#define OK_EMPTY     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define OK_BODY	     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define GET_A	     "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
#define GET_B	     "GET /b HTTP/1.1\r\nHost: x\r\n\r\n"
#define CHUNKED_A    "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
#define OK_CHUNK     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n"
#define UNTIL_CLOSE  "HTTP/1.1 200 OK\r\n\r\n"
#define A_BEGAN	     "1 began; 1 GET /a; "
#define A_OK	     "1 status 200; 1 ended; "
#define B_BEGAN	     "2 began; 2 GET /b; "
#define B_OK	     "2 status 200; 2 ended; "

/* What is said here does not depend on where reads and writes are split. */
static const struct script whole[] = {
	/* One request after the other. */
	{ .steps = { IN(GET_A), OUT(OK_BODY), IN(GET_B), OUT(OK_EMPTY), CLOSED },
	  .want = A_BEGAN A_OK B_BEGAN B_OK },
	{ .steps = { IN("GET /a HTTP/1.0\r\n\r\n"), OUT("HTTP/1.0 404 Not Found\r\n\r\n"),
		     OUT("gone"), CLOSED },
	  .want = A_BEGAN "1 status 404; 1 ended; " },
	{ .steps = { IN(GET_A), CLOSED }, .want = A_BEGAN },
	{ .steps = { IN(GET_A), OUT("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel"), CLOSED },
	  .want = A_BEGAN "1 status 200; " },
	{ .steps = { IN(GET_A), OUT("HTTP/1.1 500\r\nContent-Length:\t2 \r\n\r\n{}") },
	  .want = A_BEGAN "1 status 500; 1 ended; " },
	{ .steps = { IN("GET /a HTTP/1.1\nHost: x\n\n"),
		     OUT("HTTP/1.1 200 OK\nContent-Length: 2\n\nok"), IN(GET_B) },
	  .want = A_BEGAN A_OK B_BEGAN },
	{ .steps = { IN("\r\n\n\r\n" GET_A "\r\n\r\n" GET_B), OUT(OK_BODY OK_EMPTY) },
	  .want = A_BEGAN B_BEGAN A_OK B_OK },
	/* Pipelining. */
	{ .steps = { IN(GET_A GET_B "HEAD /c HTTP/1.1\r\n\r\n"), OUT(OK_BODY OK_EMPTY),
		     OUT("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n") },
	  .want = A_BEGAN B_BEGAN "3 began; 3 HEAD /c; " A_OK B_OK "3 status 200; 3 ended; " },
	{ .steps = { IN(GET_A GET_B "GET"), OUT(OK_BODY), IN(" /c HTTP/1.1\r\n\r\n"),
		     OUT(OK_EMPTY "HTTP/1.1 404 No\r\ncontent-length:0\r\n\r\n") },
	  .want = A_BEGAN B_BEGAN A_OK "3 began; 3 GET /c; " B_OK "3 status 404; 3 ended; " },
	{ .steps = { IN("POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nGET " GET_B),
		     OUT(OK_BODY OK_BODY) },
	  .want = "1 began; 1 POST /a; " B_BEGAN A_OK B_OK },
	/* Bodies of requests. */
	{ .steps = { IN("POST /a HTTP/1.1\r\nCONTENT-length: 11\r\n\r\nhello"), IN(" world"),
		     OUT(OK_EMPTY), IN(GET_B) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN },
	{ .steps = { IN("PUT /a HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n"
			"5;name=\"v\"\r\nhello\r\n00A \r\n0123456789\r\n0\r\nX-Sum: "
			"1\r\n\r\n" GET_B),
		     OUT(OK_EMPTY OK_EMPTY) },
	  .want = "1 began; 1 PUT /a; " B_BEGAN A_OK B_OK },
	{ .steps = { IN("PUT /a HTTP/1.1\r\nContent-Length: 100\r\nTransfer-Encoding: "
			"chunked\r\n\r\n"
			"1\nx\n0\n\n" GET_B),
		     OUT(OK_EMPTY OK_EMPTY) },
	  .want = "1 began; 1 PUT /a; " B_BEGAN A_OK B_OK },
	{ .steps = { IN("POST /a HTTP/1.1\r\nContent-Length: 0\r\n\r\n" GET_B) },
	  .want = "1 began; 1 POST /a; " B_BEGAN },
	/* Interim answers. */
	{ .steps = { IN("PUT /a HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"),
		     OUT("HTTP/1.1 100 Continue\r\n\r\n"), IN("hello"),
		     OUT("HTTP/1.1 102 Processing\r\nX: y\r\n\r\nHTTP/1.1 201 Created\r\n"
			 "Content-Length: 2\r\n\r\nok"),
		     IN(GET_B) },
	  .want = "1 began; 1 PUT /a; 1 status 201; 1 ended; " B_BEGAN },
	{ .steps = { IN(GET_A),
		     OUT("HTTP/1.1 103 Early Hints\r\nContent-Length: 7\r\n\r\n" OK_BODY),
		     IN(GET_B) },
	  .want = A_BEGAN A_OK B_BEGAN },
	/* Early answers. */
	{ .steps = { IN("POST /a HTTP/1.1\r\nContent-Length: 10\r\n\r\nhel"),
		     OUT("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: "
			 "close\r\n\r\nbig"),
		     CLOSED },
	  .want = "1 began; 1 POST /a; 1 status 413; 1 ended; " },
	{ .steps = { IN("POST /a HTTP/1.1\r\nContent-Length: 10\r\n\r\nhel"),
		     OUT("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"),
		     IN("lo worl" GET_B), OUT(OK_EMPTY) },
	  .want = "1 began; 1 POST /a; 1 status 413; 1 ended; " B_BEGAN B_OK },
	{ .steps = { IN("POST /a HTTP/1.1\r\nContent-Length: 10\r\n\r\nhel"),
		     OUT("HTTP/1.1 413 Too Large\r\n\r\n"), IN("lo worl"), OUT("too much"), CLOSED },
	  .want = "1 began; 1 POST /a; 1 status 413; 1 ended; " },
	{ .steps = { IN("GET /a HTTP/1.1\r\nX: "),
		     OUT("HTTP/1.1 431 Too Large\r\nContent-Length: 0\r\n\r\n"),
		     IN("y\r\n\r\n" GET_B) },
	  .want = A_BEGAN "1 status 431; 1 ended; " B_BEGAN },
	{ .steps = { IN("GET /lo"), OUT("HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n"),
		     IN("ng HTTP/1.1\r\n\r\n" GET_B) },
	  .want = "1 began; 1 status 408; 1 ended; " B_BEGAN },
	/* Bodies of answers, and answers that have none. */
	{ .steps = { IN(GET_A), OUT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
		     OUT("4\r\nwiki\r\n"),
		     OUT("6;x\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\nExpires: never\r\n\r\n"),
		     IN(GET_B) },
	  .want = A_BEGAN A_OK B_BEGAN },
	{ .steps = { IN("HEAD /a HTTP/1.1\r\n\r\n" GET_B),
		     OUT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" OK_BODY) },
	  .want = "1 began; 1 HEAD /a; " B_BEGAN A_OK B_OK },
	{ .steps = { IN(GET_A GET_B),
		     OUT("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"
			 "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n") },
	  .want = A_BEGAN B_BEGAN "1 status 304; 1 ended; 2 status 204; 2 ended; " },
	{ .steps = { IN(GET_A),
		     OUT("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: "
			 "1\r\n\r\nabc"),
		     OUT("def"), CLOSED },
	  .want = A_BEGAN A_OK },
	/* ... of which one lasts until the close: whoever is behind it is not answered. */
	{ .steps = { IN(GET_A GET_B), OUT(UNTIL_CLOSE OK_EMPTY), CLOSED }, .want = A_BEGAN B_BEGAN A_OK },
	{ .steps = { IN(GET_A GET_B), OUT(UNTIL_CLOSE "x"), IN("\r\n"), OUT("y"), CLOSED }, .want = A_BEGAN B_BEGAN A_OK },
	{ .steps = { IN(GET_A), OUT(UNTIL_CLOSE "x"), IN(GET_B), OUT("y"), IN(GET_A), CLOSED },
	  .want = A_BEGAN A_OK B_BEGAN "1 goes on; 3 began; 3 GET /a; 1 ended; " },
	{ .steps = { IN("POST /a HTTP/1.0\r\nContent-Length: 2\r\n\r\nxy"), OUT(UNTIL_CLOSE "x"), IN("\r\n"), OUT("y") },
	  .want = "1 began; 1 POST /a; 1 status 200; " },
	/* What is spoken could change, and does not. */
	{ .steps = { IN("GET /a HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"), OUT(OK_BODY), IN(GET_B),
		     OUT(OK_BODY) },
	  .want = A_BEGAN A_OK B_BEGAN B_OK },
	{ .steps = { IN("CONNECT [::1]:443 HTTP/1.1\r\n\r\n"),
		     OUT("HTTP/1.1 407 Auth\r\nContent-Length: 2\r\n\r\nno"),
		     IN("GET /b HTTP/1.1\r\nHost: x\r\n\r\n"), OUT(OK_BODY) },
	  .want = "1 began; 1 CONNECT [::1]:443; 1 status 407; 1 ended; " B_BEGAN B_OK },
	/* Methods and targets. */
	{ .steps = { IN("OPTIONS * HTTP/1.1\r\n\r\nPROPFIND /b HTTP/1.1\r\n\r\n"
			"M-SEARCH * HTTP/1.1\r\n\r\nx!#$%&'*+.^_`|~9 /d HTTP/1.1\r\n\r\n") },
	  .want = "1 began; 1 OPTIONS *; 2 began; 2 PROPFIND /b; 3 began; 3 M-SEARCH *; "
		  "4 began; 4 x!#$%&'*+.^_`|~9 /d; " },
	{ .steps = { IN("GET http://h/a?x=1 HTTP/1.1\r\n\r\nGET HTTPS://u@h:8/b HTTP/1.1\r\n\r\n"
			"GET http://h HTTP/1.1\r\n\r\nGET http://h?x=/y HTTP/1.1\r\n\r\n"
			"GET /http://h/e HTTP/1.1\r\n\r\n") },
	  .want = "1 began; 1 GET /a?x=1; 2 began; 2 GET /b; 3 began; 3 GET /; 4 began; 4 GET /; "
		  "5 began; 5 GET /http://h/e; " },
	{ .steps = { IN("GET /a b HTTP/1.1 \r\n\r\nGET /\x1b[1m\x7f\xff HTTP/1.1\r\n\r\n") },
	  .want = "1 began; 1 GET /a b; 2 began; 2 GET /\x1b[1m\x7f\xff; " },
	{ .steps = { IN("ABCDEFGHIJKLMNOPQRSTUVWXYZ-_ABCD /a HTTP/1.1\r\n\r\n") },
	  .want = "1 began; 1 ABCDEFGHIJKLMNOPQRSTUVWXYZ-_ABCD /a; " },
	/* Servers take more, or say that they do not. */
	{ .steps = { IN("GET  /a  HTTP/1.1\r\n\r\nABCDEFGHIJKLMNOPQRSTUVWXYZ-_ABCDEFGHIJKL /b HTTP/1.1\r\n\r\n"
			"g@t c d HTTP/1.1\r\n\r\nGET HTTP/1.1\r\n\r\n" GET_A) },
	  .want = "1 began; 1 GET /a; 2 began; 2 ABCDEFGHIJKLMNOPQRSTUVWXYZ-_ABCDEFGHIJKL /b; 3 began; 3 g@t c d; "
		  "4 began; 4 GET; 5 began; 5 GET /a; " },
	/* HTTP/0.9, and an answer that knows better. */
	{ .steps = { IN("GET /\n"), OUT("<html>\n\n"), OUT("bye"), CLOSED },
	  .want = "1 began; 1 GET /; 1 ended; " },
	{ .steps = { IN("GET /a\r\n"), OUT("HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\nno") },
	  .want = A_BEGAN "1 status 400; 1 ended; " },
	{ .steps = { IN("GET /a\r\n"), CLOSED }, .want = A_BEGAN },
	{ .steps = { IN("GET /a\r\n"), OUT("text"), OUT(OK_BODY), CLOSED },
	  .want = A_BEGAN "1 ended; " },
/* Framing that is none: RFC 9112, 6.3. The exchange ends what the message does not. */
#define LOST_REQUEST(fields)                                                                       \
	{                                                                                          \
		.steps = { IN("POST /a HTTP/1.1\r\n" fields "\r\n\r\n" GET_A), OUT(OK_BODY),       \
			   IN(GET_B), OUT(OK_BODY) },                                              \
		.want = "1 began; 1 POST /a; " A_OK B_BEGAN B_OK                                   \
	}
	LOST_REQUEST("Content-Length: 1\r\nContent-Length: 2"),
	LOST_REQUEST("Content-Length: 1\r\nContent-Length: 1"),
	LOST_REQUEST("Content-Length: 1, 1"),
	LOST_REQUEST("Content-Length: -1"),
	LOST_REQUEST("Content-Length: +1"),
	LOST_REQUEST("Content-Length: 0x1"),
	LOST_REQUEST("Content-Length:"),
	LOST_REQUEST("Content-Length : 1"),
	LOST_REQUEST("Content-Length: 1\r\n 2"),
	LOST_REQUEST("Content-Length: 18446744073709551616"),
	LOST_REQUEST("Content-Length: 99999999999999999999999999999999"),
	LOST_REQUEST("Transfer-Encoding: gzip"),
	LOST_REQUEST("Transfer-Encoding: chunked, gzip"),
	LOST_REQUEST("Transfer-Encoding: xchunked"),
	LOST_REQUEST("Transfer-Encoding: chunked"),
	LOST_REQUEST("Transfer-Encoding: chunked\r\n\r\n-1\r\n"),
	LOST_REQUEST("Transfer-Encoding: chunked\r\n\r\n\r\n"),
	LOST_REQUEST("Transfer-Encoding: chunked\r\n\r\n1x\r\n"),
	LOST_REQUEST("Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n"),
#undef LOST_REQUEST
#define LOST_ANSWER(head)                                                                          \
	{                                                                                          \
		.steps = { IN(GET_A), OUT("HTTP/1.1 200 OK\r\n" head "\r\n\r\n?" OK_BODY),         \
			   OUT(OK_BODY), IN(GET_B), OUT(OK_BODY) },                                \
		.want = A_BEGAN A_OK B_BEGAN B_OK                                                  \
	}
	LOST_ANSWER("Content-Length: 1\r\nContent-Length: 2"),
	LOST_ANSWER("Content-Length: 18446744073709551616"),
	LOST_ANSWER("Content-Length: none"),
	LOST_ANSWER("Transfer-Encoding: chunked\r\n\r\nx\r\n"),
	LOST_ANSWER("Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n"),
#undef LOST_ANSWER
#define UNENDED_ANSWER(head)                                                                       \
	{                                                                                          \
		.steps = { IN(GET_A), OUT("HTTP/1.1 200 OK\r\n" head "\r\n\r\n?"), OUT(OK_BODY) }, \
		.want = A_BEGAN "1 status 200; "                                                   \
	}
	UNENDED_ANSWER("X: y"),
	UNENDED_ANSWER("Content-Length: 1\r\nContent-Length: 1"),
	UNENDED_ANSWER("Content-Length: 0\r\nTransfer-Encoding: gzip"),
	UNENDED_ANSWER("Transfer-Encoding: chunked"),
	UNENDED_ANSWER("Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n"),
#undef UNENDED_ANSWER
	{ .steps = { IN(GET_A), OUT("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n?"), CLOSED },
	  .want = A_BEGAN A_OK },
	/* The longest lengths that there are. */
	{ .steps = { IN("PUT /a HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n" GET_B),
		     OUT(OK_EMPTY) },
	  .want = "1 began; 1 PUT /a; " A_OK },
	{ .steps = { IN("PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
			"FFFFFFFFFFFFFFFF\r\n" GET_B),
		     OUT(OK_EMPTY) },
	  .want = "1 began; 1 PUT /a; " A_OK },
	/* No requests. */
	{ .steps = { IN("get / http/1.1\r\n\r\n"), OUT(OK_BODY), CLOSED }, .want = "" },
	{ .steps = { IN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), OUT("x") }, .want = "" },
	{ .steps = { IN("ABCDEFGHIJKLMNOPQRSTUVWXYZ-_ABCDE /a HTTP/2.0\r\n\r\n") }, .want = "" },
	{ .steps = { OUT(OK_BODY), IN(GET_A), OUT(OK_BODY) }, .want = A_BEGAN A_OK },
	{ .steps = { IN(GET_A), OUT(OK_BODY OK_BODY "rest"), IN(GET_B), OUT(OK_BODY) },
	  .want = A_BEGAN A_OK B_BEGAN B_OK },
	/* ... where one is due: what is not looked at is counted. */
	{ .steps = { IN(GET_A), OUT(OK_BODY), IN("\x16"), CLOSED }, .want = A_BEGAN A_OK, .want_skipped = 1 },
	{ .steps = { IN(GET_A), OUT(OK_BODY), IN("!\n"), CLOSED }, .want = A_BEGAN A_OK, .want_skipped = 2 },
	{ .steps = { IN("x\r\n"), OUT(""), IN(GET_A) }, .want = "" },
};

/* What is spoken changes: what looks like one request more is none. */
static const struct script switched[] = {
	{ .steps = { IN("GET /a HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
		     OUT("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
		     IN(GET_B), OUT(OK_BODY), IN("\x81\x05hello"), CLOSED },
	  .want = A_BEGAN "1 status 101; 1 ended; " },
	{ .steps = { IN("CONNECT h.example:443 HTTP/1.1\r\nHost: h\r\n\r\n"),
		     OUT("HTTP/1.1 200 Established\r\nContent-Length: 9\r\n\r\n"), IN(GET_A),
		     OUT(OK_BODY), CLOSED },
	  .want = "1 began; 1 CONNECT h.example:443; 1 status 200; 1 ended; " },
	{ .steps = { IN("CONNECT h:443 HTTP/1.1\r\n\r\n" GET_A), OUT("HTTP/1.1 200 OK\r\n\r\n") },
	  .want = "1 began; 1 CONNECT h:443; " A_OK },
	/* A chunk that is longer than it says; what is behind it looks like the end of a body. */
	{ .steps = { IN(CHUNKED_A "2\r\nabc\r\n0\r\n\r\n" GET_A), OUT(OK_BODY), IN(GET_B), OUT(OK_BODY) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN B_OK },
};

START_TEST(connection_is_told)
{
	script_check(&protocol_http1, &whole[_i]);
}
END_TEST

START_TEST(connection_that_is_switched_is_told)
{
	script_check(&protocol_http1, &switched[_i]);
}
END_TEST

/* Bytes that did not travel, and connections that are joined in their middle. */
static const struct script cut[] = {
	/* Bodies are passed by their length. */
	{ .steps = { IN_CUT("POST /a HTTP/1.1\r\nContent-Length: 1000\r\n\r\nhel", 997),
		     OUT_CUT("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 500),
		     OUT_CUT("", 499), OUT("x"), IN(GET_B) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN },
	{ .steps = { IN_CUT("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nx", 98),
		     IN_CUT("y\r\n3e8\r\n", 1000), IN("\r\n0\r\n\r\n" GET_B),
		     OUT_CUT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8000\r\n",
			     32768),
		     OUT("\r\n0\r\n\r\n" OK_EMPTY) },
	  .want = "1 began; 1 POST /a; " B_BEGAN A_OK B_OK },
	/* ... and what is behind one is another request, also where nobody else waits */
	{ .steps = { IN_CUT("POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel", 2 + 28), OUT_CUT("HTTP/1.1 200 OK\r\nX: ", 99) },
	  .want = "1 began; 1 POST /a; 1 status 200; ",
	  .want_skipped = 28 },
	/* ... and what is behind a chunk by what there can be */
	{ .steps = { IN(GET_A GET_B), OUT_CUT(OK_CHUNK "x", 1023 + 2), OUT("1\r\nx\r\n"), OUT_CUT("400\r\n", 1024 + 7),
		     OUT_CUT(OK_CHUNK, 1024 + 7) },
	  .want = A_BEGAN B_BEGAN A_OK B_OK },
	{ .steps = { IN(GET_A), OUT_CUT(OK_CHUNK, 1024 + 6), OUT("0\r\n\r\n"), IN(GET_B) },
	  .want = A_BEGAN A_OK B_BEGAN },
	{ .steps = { IN_CUT("POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\n", 109), IN(GET_B),
		     OUT(OK_BODY), IN(GET_B) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN,
	  .want_skipped = 100 + 28 },
	{ .steps = { IN_CUT("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n", 29),
		     OUT(OK_BODY), IN(GET_B) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN },
	/* What is read behind them, and given up, is counted with them: the end of the same read, and a line's begin before. */
	{ .steps = { IN_CUT(GET_A "GE", 99), IN("Host: x\r\n\r\n"), OUT(OK_BODY), IN(GET_B), OUT(OK_BODY) },
	  .want = A_BEGAN A_OK B_BEGAN B_OK,
	  .want_skipped = 2 + 99 + 11 },
	/* Heads of requests are cut: nobody is behind them, unless something shows one. */
	{ .steps = { IN_CUT("GET /a HTTP/1.1\r\nHost: x\r\nCoo", 100), OUT(OK_BODY),
		     IN_CUT("GET /b HTTP/1.1\r\nHost: x\r\nCoo", 100), OUT(OK_EMPTY) },
	  .want = A_BEGAN A_OK B_BEGAN B_OK },
	{ .steps = { IN_CUT("GET /a HTTP/1.1\r\nHost: x\r\n", 100), IN_CUT("k=v\r\n\r\n", 7),
		     IN(GET_B), OUT(OK_BODY) },
	  .want = A_BEGAN A_OK,
	  .want_skipped = 107 + 7 + 28 },
	{ .steps = { IN_CUT("PUT /a HTTP/1.1\r\nExpect: 100-con", 100),
		     OUT("HTTP/1.1 100 Continue\r\n\r\n"), IN_CUT("{}", 5), OUT(OK_BODY),
		     IN(GET_B) },
	  .want = "1 began; 1 PUT /a; " A_OK B_BEGAN },
	/* ... also where it was told to go on: a body may look like requests. */
	{ .steps = { IN_CUT("PUT /a HTTP/1.1\r\nX: y", 100), IN("z\r\nExpect: 100-continue\r\n\r\n"),
		     OUT("HTTP/1.1 100 Continue\r\n\r\n"), IN(GET_B GET_B), IN_CUT(GET_B, 200), OUT(OK_BODY), IN(GET_B),
		     OUT(OK_BODY) },
	  .want = "1 began; 1 PUT /a; " A_OK B_BEGAN B_OK },
	{ .steps = { IN_CUT("PUT /a HTTP/1.1\r\nX: y", 100), OUT("HTTP/1.1 102 Processing\r\n\r\n"),
		     OUT("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"), IN(GET_B), OUT(OK_BODY), IN(GET_B), OUT(OK_BODY) },
	  .want = "1 began; 1 PUT /a; " A_OK B_BEGAN B_OK },
	{ .steps = { IN_CUT("GET /a", 10), OUT(OK_EMPTY) }, .want = A_BEGAN A_OK },
	{ .steps = { IN_CUT("GET /a HT", 10), OUT(OK_EMPTY) },
	  .want = A_BEGAN A_OK },
	{ .steps = { IN_CUT("GET /a ", 10), OUT(OK_EMPTY) }, .want = A_BEGAN A_OK },
	{ .steps = { IN_CUT("GET /a HTTP/1.1\r", 10), OUT(OK_EMPTY) },
	  .want = A_BEGAN A_OK },
	{ .steps = { IN_CUT("GET /a HTTX", 10) },
	  .want = "1 began; 1 GET /a HTTX; " },
	{ .steps = { IN_CUT("GET http://ho", 10) }, .want = "1 began; 1 GET; " },
	{ .steps = { IN_CUT("GET http://ho/a", 10) }, .want = A_BEGAN },
	{ .steps = { IN_CUT("GE", 10), IN_CUT("GET /b", 10), OUT(OK_BODY), IN(GET_A) },
	  .want = A_BEGAN,
	  .want_skipped = 2 + 10 + 6 + 10 },
	{ .steps = { IN_CUT("", 10), OUT(OK_BODY), IN(GET_A) }, .want = A_BEGAN, .want_skipped = 10 },
	{ .steps = { IN_CUT("HEAD /a", 10), OUT("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
		     IN(GET_B) },
	  .want = "1 began; 1 HEAD /a; " A_OK B_BEGAN },
	{ .steps = { IN_CUT("CONNECT h:443", 10), OUT("HTTP/1.1 200 OK\r\n\r\n"),
		     IN_CUT(GET_B, 7) },
	  .want = "1 began; 1 CONNECT h:443; " A_OK },
	{ .steps = { IN_CUT("GET /a HTTP/1.1\r\nHost: x\r\nCoo", 100), OUT(OK_BODY), OUT(OK_BODY), IN(GET_B) },
	  .want = A_BEGAN A_OK B_BEGAN,
	  .want_skipped = 100 },
	{ .steps = { IN_CUT("GET /a", 10), OUT_CUT(OK_BODY, 1) }, .want = A_BEGAN A_OK, .want_skipped = 10 },
	{ .steps = { IN_CUT(GET_A "GET /b HTTP/1.1\r\n", 80), OUT(OK_BODY OK_BODY OK_BODY) },
	  .want = A_BEGAN B_BEGAN A_OK B_OK,
	  .want_skipped = 80 },
	{ .steps = { IN_CUT("GET /a\r\n", 10), OUT_CUT("", 10), CLOSED },
	  .want = A_BEGAN "1 ended; " },
	/* Chunked bodies are cut: nobody is behind them, unless there is an answer that nobody asked for. */
	{ .steps = { IN_CUT(CHUNKED_A "400\r\nhello", 2000), IN_CUT("more", 3000), OUT(OK_BODY), IN(GET_B),
		     OUT(OK_BODY) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN B_OK },
	{ .steps = { IN(CHUNKED_A "5\r\nhello"), IN_CUT("", 999), OUT(OK_BODY), OUT(OK_BODY), IN(GET_B) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN,
	  .want_skipped = 999 },
	{ .steps = { IN_CUT(CHUNKED_A "400\r\nhello", 2000), IN_CUT("", 3000), OUT(OK_BODY OK_BODY), IN(GET_B) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN,
	  .want_skipped = 2000 - (1024 - 5) + 3000 },
	{ .steps = { IN_CUT(CHUNKED_A "400\r\nhello", 2000), IN("\r\n0\r\n\r\n" GET_B), OUT_CUT("HTTP/1.1 200 OK\r\nSer", 99),
		     OUT_CUT("HTTP/1.1 200 OK\r\nSer", 99), IN(GET_B), OUT(OK_BODY) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN B_OK,
	  .want_skipped = 2000 - (1024 - 5) + 7 + 28 },
	{ .steps = { IN_CUT(CHUNKED_A, 99), OUT_CUT(OK_BODY, 1), IN(GET_B) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN,
	  .want_skipped = 99 },
	/* What looks like their end, and another one behind it, may be a body's: only who is answered has had his end. */
	{ .steps = { IN_CUT(CHUNKED_A "400\r\nhello", 2000), IN("more\r\n0\r\n\r\n" GET_B), OUT(OK_BODY OK_BODY) },
	  .want = "1 began; 1 POST /a; " A_OK,
	  .want_skipped = 2000 - (1024 - 5) + 11 + 28 },
	{ .steps = { IN_CUT(CHUNKED_A "400\r\nhello", 2000), IN("more\r\n0\r\n\r\n" GET_A), IN(GET_A), IN("\r\n0\r\n\r\n"),
		     OUT(OK_BODY), IN(GET_B), OUT(OK_BODY) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN B_OK },
	/* ... and of who was answered before, the rest may have lines like these in it. */
	{ .steps = { IN(CHUNKED_A "400\r\n"), OUT(OK_BODY), IN_CUT("hello", 2000), IN("GET /x HTTP/1.1\" 200\nGET /"),
		     IN_CUT("GET /x HTTP/1.1\r\n\r\nGET /x", 2000), IN("\r\n0\r\n\r\nGET /x HTTP/1.1\" 200\n"), IN(GET_B),
		     OUT(OK_BODY) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN B_OK },
	{ .steps = { IN_CUT(CHUNKED_A "400\r\nhello", 2000), OUT(OK_BODY), IN("GET /x HTTP/1.1\" 200\n"), IN("GET /x\n"),
		     IN_CUT("GET /x HTTP/1.1\r\n\r\nGET /x", 2000), IN(GET_B), OUT(OK_BODY) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN B_OK },
	/* ... what is as long as it says is another one, in its pieces, too. */
	{ .steps = { IN_CUT(CHUNKED_A "400\r\nhello", 2000), OUT(OK_BODY), IN(GET_B GET_A), OUT(OK_BODY OK_BODY) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN "3 began; 3 GET /a; " B_OK "3 status 200; 3 ended; " },
	{ .steps = { IN_CUT(CHUNKED_A "400\r\nhello", 2000), OUT(OK_BODY), IN("G"), IN("ET /b HTTP/1.1\r\n"), IN("Host: x\r\n\r\n"),
		     OUT(OK_BODY) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN B_OK },
	{ .steps = { IN_CUT(CHUNKED_A "400\r\nhello", 2000), OUT(OK_BODY),
		     IN_CUT("POST /b HTTP/1.1\r\nContent-Length: 999\r\n\r\n", 999), OUT(OK_BODY) },
	  .want = "1 began; 1 POST /a; " A_OK "2 began; 2 POST /b; " B_OK },
	{ .steps = { IN_CUT(CHUNKED_A "400\r\nhello", 2000), OUT(OK_BODY), IN_CUT("GET /b HTTP/1.1\r\nCookie: ", 999), OUT(OK_BODY) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN B_OK },
	{ .steps = { IN(CHUNKED_A "400\r\n"), OUT(OK_BODY), IN_CUT("hello", 2000),
		     IN("\r\n0\r\n\r\nx\r\n0\r\n\r\n" GET_B), OUT(OK_BODY) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN B_OK },
	{ .steps = { IN(CHUNKED_A "400\r\n"), OUT(OK_BODY), IN_CUT("hello", 2000), IN("\r\n0\r\n\r\nx y"), OUT(OK_BODY),
		     IN(GET_B) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN,
	  .want_skipped = 2000 - (1024 - 5) + 10 },
	/* The next exchange has its own. */
	{ .steps = { IN_CUT(CHUNKED_A, 99), OUT(OK_BODY), IN(GET_B), OUT(OK_BODY OK_BODY) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN B_OK },
	/* Answered before it was read: what does not look like a request is its rest, in however many reads. */
	{ .steps = { IN_CUT(CHUNKED_A, 99), OUT(OK_BODY), IN_CUT("x", 99), IN_CUT("y\r\n0\r\n\r\n", 9), IN(GET_B),
		     OUT(OK_BODY) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN B_OK },
	/* Answers are cut. */
	{ .steps = { IN(GET_A), OUT_CUT("HTTP/1.1 200 OK\r\nSer", 999), OUT("x"), IN(GET_B) },
	  .want = A_BEGAN A_OK B_BEGAN },
	{ .steps = { IN(GET_A), OUT_CUT("HTTP/1.1 200", 999), CLOSED }, .want = A_BEGAN A_OK },
	{ .steps = { IN(GET_A), OUT_CUT("HTTP/1.1 20", 999), IN(GET_B), OUT(OK_BODY) },
	  .want = A_BEGAN "1 status unseen; 1 ended; " B_BEGAN B_OK },
	{ .steps = { IN(GET_A), OUT_CUT("", 999), OUT(OK_BODY), IN(GET_B) },
	  .want = A_BEGAN "1 status unseen; 1 ended; " B_BEGAN },
	{ .steps = { IN(GET_A GET_B), OUT_CUT("HTTP/1.1 200 OK\r\n", 999), IN(GET_A) },
	  .want = A_BEGAN B_BEGAN A_OK "2 status unseen; 2 ended; 3 began; 3 GET /a; " },
	{ .steps = { IN(GET_A GET_B), OUT_CUT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 99),
		     OUT(OK_BODY), CLOSED },
	  .want = A_BEGAN B_BEGAN A_OK "2 status unseen; 2 ended; " },
	{ .steps = { IN(GET_A GET_B), OUT_CUT(OK_BODY, 99), CLOSED },
	  .want = A_BEGAN B_BEGAN A_OK "2 status unseen; 2 ended; " },
	{ .steps = { IN(GET_A GET_B), OUT_CUT(OK_BODY, 99), IN(GET_A), OUT(OK_BODY) },
	  .want = A_BEGAN B_BEGAN A_OK "2 status unseen; 2 ended; 3 began; 3 GET /a; 3 status 200; 3 ended; " },
	/* ... and where some of several may be to come, whose statuses these are is not known, up to where none waits. */
	{ .steps = { IN(GET_A GET_A GET_B), OUT_CUT(OK_BODY, 99), IN(GET_B GET_A), OUT(OK_BODY), OUT(OK_BODY), OUT(OK_BODY),
		     IN(GET_B), OUT(OK_BODY), CLOSED },
	  .want = A_BEGAN "2 began; 2 GET /a; 3 began; 3 GET /b; " A_OK "2 status unseen; 2 ended; 3 status unseen; 3 ended; "
		  "4 began; 4 GET /b; 5 began; 5 GET /a; 4 status unseen; 4 ended; 5 status unseen; 5 ended; "
		  "6 began; 6 GET /b; 6 status 200; 6 ended; " },
	/* ... before the body was read, whose rest is no other request. */
	{ .steps = { IN("POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\n"), OUT_CUT(OK_CHUNK, 3000), IN("x"), IN("yz"), IN(GET_B),
		     OUT(OK_BODY) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN B_OK },
	{ .steps = { IN("POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\n"), OUT_CUT(OK_CHUNK, 3000), IN("x"), IN("yz" GET_B),
		     OUT(OK_BODY) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN B_OK },
	/* ... or goes on, with its place lost: the answer may go on, too. */
	{ .steps = { IN_CUT(CHUNKED_A "400\r\nhello", 2000), OUT_CUT(OK_CHUNK, 3000), IN_CUT("more", 3000), OUT_CUT("x", 99),
		     IN("\r\n0\r\n\r\n") },
	  .want = "1 began; 1 POST /a; 1 status 200; " },
	{ .steps = { IN_CUT(CHUNKED_A "400\r\nhello", 2000), OUT_CUT(OK_CHUNK, 3000), IN_CUT("more", 3000), OUT_CUT("x", 99),
		     IN("\r\n0\r\n\r\n"), OUT("0\r\n\r\n"), IN(GET_B), OUT(OK_BODY) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN B_OK },
	/* ... of what was written behind it, only the last byte is known to end one. */
	{ .steps = { IN(GET_A GET_B), OUT_CUT(OK_CHUNK, 3000), OUT("x"), IN(GET_A) },
	  .want = A_BEGAN B_BEGAN "1 status 200; 1 end unseen; 2 status unseen; 2 ended; 3 began; 3 GET /a; " },
	/* What begins like no answer is the rest of the lost one, and the next that does is the only one's that waits. */
	{ .steps = { IN(GET_A), OUT_CUT(OK_CHUNK, 3000), IN(GET_B), OUT_CUT("x", 99), OUT("0\r\n\r\n"), OUT(OK_BODY), IN(GET_A),
		     OUT(OK_BODY) },
	  .want = A_BEGAN A_OK B_BEGAN "not over; " B_OK "3 began; 3 GET /a; 3 status 200; 3 ended; " },
	/* ... of several, or where one may be behind the rest, nobody knows whose it is, until an exchange was even, */
	{ .steps = { IN(GET_A), OUT_CUT(OK_CHUNK, 3000), IN(GET_B), OUT_CUT("x\r\n0\r\n\r\n", 99), IN(GET_A), OUT(OK_BODY),
		     IN(GET_B), OUT(OK_BODY), CLOSED },
	  .want = A_BEGAN A_OK B_BEGAN "not over; 2 status unseen; 2 end unseen; 3 began; 3 GET /a; 3 status unseen; "
		  "3 end unseen; 4 began; 4 GET /b; 4 status 200; 4 ended; " },
	{ .steps = { IN(GET_A), OUT_CUT(OK_CHUNK, 3000), IN(GET_B), OUT("x"), CLOSED },
	  .want = A_BEGAN A_OK B_BEGAN "not over; 2 status unseen; 2 end unseen; " },
	/* ... nor of what is asked for while a head is half read, or answered for the time being, */
	{ .steps = { IN(GET_A), OUT_CUT(OK_CHUNK, 3000), IN(GET_B), OUT_CUT("x", 99), IN(GET_A "GET /b HT"),
		     OUT("HTTP/1.1 103 Early Hints\r\n\r\n"), OUT(OK_BODY), IN("TP/1.1\r\n\r\n"), OUT(OK_BODY) },
	  .want = A_BEGAN A_OK B_BEGAN "not over; 2 status unseen; 2 end unseen; 3 began; 3 GET /a; 4 began; "
		  "3 status unseen; 3 end unseen; 4 GET /b; 4 status unseen; 4 end unseen; " },
	/* ... until as many have come as may have been late. */
	{ .steps = { IN(GET_A), OUT_CUT(OK_CHUNK, 3000), IN(GET_B GET_A), OUT("x"), OUT(OK_BODY), OUT(OK_BODY), IN(GET_B),
		     OUT(OK_BODY) },
	  .want = A_BEGAN A_OK B_BEGAN "3 began; 3 GET /a; not over; 2 status unseen; 2 end unseen; 3 status unseen; "
		  "3 end unseen; 4 began; 4 GET /b; 4 status 200; 4 ended; " },
	{ .steps = { IN("GET /a\r\n"), OUT_CUT("", 99), CLOSED }, .want = A_BEGAN "1 ended; " },
	{ .steps = { IN(GET_A), OUT_CUT("HTTP/1.1 103 Early Hints\r\nLink: ", 99), IN(GET_B), OUT(OK_BODY) },
	  .want = A_BEGAN "1 status unseen; 1 ended; " B_BEGAN B_OK },
	{ .steps = { IN(GET_A "POST /b HTTP/1.1\r\nContent-Length: 2\r\n\r\nx"),
		     OUT_CUT("HTTP/1.1 200 OK\r\n", 999), IN("y"), OUT(OK_BODY) },
	  .want = A_BEGAN "2 began; 2 POST /b; " A_OK B_OK },
	{ .steps = { IN(GET_A), OUT_CUT("HTTP/1.1 103 Early Hints\r\nLink: ", 99), OUT(OK_BODY),
		     IN(GET_B) },
	  .want = A_BEGAN A_OK B_BEGAN },
	{ .steps = { IN(GET_A), OUT_CUT("HTTP/1.1 101 Switching Protocols\r\nSec-", 99), IN(GET_B),
		     OUT(OK_BODY) },
	  .want = A_BEGAN "1 status 101; 1 ended; " },
	{ .steps = { IN(GET_A),
		     OUT_CUT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r",
			     999),
		     OUT(OK_BODY), IN(GET_B) },
	  .want = A_BEGAN A_OK B_BEGAN },
	{ .steps = { IN(GET_A), OUT_CUT(UNTIL_CLOSE, 999), OUT_CUT("", 999), IN(GET_B) },
	  .want = A_BEGAN A_OK B_BEGAN },
	/* One that lasts until the close did not, if one that is asked for behind it begins with the next write. */
	{ .steps = { IN(GET_A), OUT(UNTIL_CLOSE "abc"), IN(GET_B), OUT(OK_BODY), IN(GET_A), OUT(OK_BODY) },
	  .want = A_BEGAN A_OK B_BEGAN B_OK "3 began; 3 GET /a; 3 status 200; 3 ended; " },
	{ .steps = { IN(GET_A), OUT(UNTIL_CLOSE "abc"), IN(GET_B), OUT("def"), OUT(OK_BODY) },
	  .want = A_BEGAN A_OK B_BEGAN "1 goes on; 1 ended before; " B_OK },
	{ .steps = { IN("GET /a\r\n"), OUT("text"), IN(GET_B), OUT(OK_EMPTY) },
	  .want = A_BEGAN "1 ended; " B_BEGAN B_OK },
	/* ... not one that was asked for before it: then it may hold that, and more may be late. */
	{ .steps = { IN(GET_A GET_B), OUT(UNTIL_CLOSE), OUT(OK_BODY), IN(GET_A), OUT(OK_BODY), OUT(OK_BODY), IN(GET_B),
		     OUT(OK_BODY) },
	  .want = A_BEGAN B_BEGAN "1 status 200; 3 began; 3 GET /a; 1 ended before; 2 status unseen; 2 end unseen; "
		  "3 status unseen; 3 end unseen; 4 began; 4 GET /b; 4 status 200; 4 ended; " },
	/* The connection is joined in the middle of a request, or of an answer. */
	{ .steps = { IN("Host: x\r\n\r\n"), OUT(OK_BODY), IN(GET_A) }, .want = A_BEGAN },
	{ .steps = { IN("ABC"), OUT(OK_BODY), IN(GET_A) }, .want = A_BEGAN },
	{ .steps = { IN_CUT("x", 9), IN(GET_A), OUT(OK_BODY), IN(GET_A) },
	  .want = A_BEGAN,
	  .want_skipped = 1 + 9 + 28 },
	{ .steps = { OUT_CUT("GET /b HTTP/1.1\r\n\r\n", 99), IN(GET_A), OUT(OK_BODY) },
	  .want = A_BEGAN A_OK },
	{ .steps = { OUT("ld"), IN(GET_A), OUT(" of the"), OUT(OK_BODY) }, .want = A_BEGAN A_OK },
	{ .steps = { IN(GET_A), OUT_CUT("llo\r\n" OK_BODY, 5), OUT(OK_BODY), IN(GET_B) },
	  .want = A_BEGAN A_OK B_BEGAN },
	{ .steps = { IN(GET_A), OUT("llo\r\n"), IN(GET_B), OUT(OK_BODY) },
	  .want = A_BEGAN "1 ended; " B_BEGAN B_OK },
	{ .steps = { IN(GET_A), OUT("llo\r\n"), CLOSED }, .want = A_BEGAN "1 ended; " },
	{ .steps = { IN(GET_A), OUT("HTTP/1.1 099 Low\r\n\r\n"), CLOSED },
	  .want = A_BEGAN "1 ended; " },
	/* A method of which only the end travelled is not known; any other is. */
	{ .steps = { IN(GET_A), IN_CUT("", 2), OUT(OK_BODY), IN("T /b HT"), IN("TP/1.1\r\n\r\n"), OUT(OK_BODY) },
	  .want = A_BEGAN A_OK "2 began; 2 /b; " B_OK,
	  .want_skipped = 2 },
	{ .steps = { IN(GET_A), IN_CUT("", 2), OUT(OK_BODY), IN("LOCK /b HTTP/1.1\r\n\r\n"), OUT(OK_BODY) },
	  .want = A_BEGAN A_OK "2 began; 2 LOCK /b; " B_OK,
	  .want_skipped = 2 },
	{ .steps = { IN(GET_A), OUT(OK_BODY), IN("T /b HTTP/1.1\r\n\r\n"), OUT(OK_BODY) },
	  .want = A_BEGAN A_OK "2 began; 2 T /b; " B_OK },
	/* A line of which the first word did not travel is no request, also where one is due. */
	{ .steps = { IN("/a HTTP/1.1\r\n\r\n"), OUT(OK_EMPTY), IN(GET_A), OUT(OK_BODY) }, .want = A_BEGAN A_OK },
	{ .steps = { IN("POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nxy"), OUT(OK_BODY), IN("/b HTTP/1.1\r\n"), OUT(OK_EMPTY),
		     IN(GET_B), OUT(OK_BODY) },
	  .want = "1 began; 1 POST /a; " A_OK B_BEGAN B_OK,
	  .want_skipped = 13 },
	/* Behind an answer whose head was lost, an early or interim one to who is not read to its end is not that one's rest. */
#define BEHIND_LOST                                                                                         \
	IN(GET_A "PUT /b HTTP/1.1\r\nContent-Length: 2\r\n\r\n"), OUT_CUT("HTTP/1.1 200 OK\r\nX: ", 99)
#define BEHIND_LOST_SAID A_BEGAN "2 began; 2 PUT /b; 1 status 200; 1 ended before; "
	{ .steps = { BEHIND_LOST, OUT("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"), IN("xy"), IN(GET_A), OUT(OK_BODY) },
	  .want = BEHIND_LOST_SAID "2 status 401; 2 ended; 3 began; 3 GET /a; 3 status 200; 3 ended; " },
	{ .steps = { BEHIND_LOST, OUT("HTTP/1.1 100 Go\r\n\r\n"), IN("xy"), OUT(OK_BODY) },
	  .want = BEHIND_LOST_SAID B_OK },
	{ .steps = { BEHIND_LOST, OUT("more"), IN("xy"), OUT(OK_BODY) },
	  .want = A_BEGAN "2 began; 2 PUT /b; 1 status 200; 1 ended; " B_OK },
	/* A client that was told no keeps its body to itself: RFC 9110, 10.1.1. */
	{ .steps = { IN("PUT /a HTTP/1.1\r\nContent-Length: 99\r\nExpect: 100-continue\r\n\r\n"),
		     OUT("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"), IN(GET_B), OUT(OK_BODY) },
	  .want = "1 began; 1 PUT /a; 1 status 417; 1 ended; " B_BEGAN B_OK },
	{ .steps = { IN("PUT /a HTTP/1.1\r\nContent-Length: 99\r\nExpect: 100-continue\r\n\r\n"),
		     OUT("HTTP/1.0 417 No\r\n\r\nno"), IN(GET_B), OUT(OK_BODY) },
	  .want = "1 began; 1 PUT /a; 1 status 417; 1 ended; " B_BEGAN B_OK },
	{ .steps = { IN("PUT /a HTTP/1.1\r\nContent-Length: 99\r\nExpect: 100-continue\r\n\r\n"),
		     OUT("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"), IN("GET /b HTTP/1.1\r\nHo"), IN("st: x\r\n\r\n"),
		     OUT(OK_BODY) },
	  .want = "1 began; 1 PUT /a; 1 status 417; 1 ended; " B_BEGAN B_OK },
	/* ... or sends it: what looks like a part of a line is its. */
	{ .steps = { IN("PUT /a HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"),
		     OUT("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"), IN("GET /"), IN(GET_B), OUT(OK_BODY) },
	  .want = "1 began; 1 PUT /a; 1 status 417; 1 ended; " B_BEGAN B_OK },
#define REFUSED(field)                                                                                  \
	IN("PUT /a HTTP/1.1\r\n" field "\r\nExpect: 100-continue\r\n\r\n"),                           \
		OUT("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
#define REFUSED_SAID "1 began; 1 PUT /a; 1 status 417; 1 ended; "
	{ .steps = { REFUSED("Content-Length: 18"), IN("GET /"), IN("b in its body"), IN(GET_B), OUT(OK_BODY) },
	  .want = REFUSED_SAID B_BEGAN B_OK },
	{ .steps = { REFUSED("Content-Length: 9"), IN("GET /"), IN("\nxyz" GET_B), OUT(OK_BODY) },
	  .want = REFUSED_SAID B_BEGAN B_OK },
	{ .steps = { REFUSED("Content-Length: 18"), IN("GET /"), IN_CUT("b", 5), IN(" HTTP/1" GET_B), OUT(OK_BODY) },
	  .want = REFUSED_SAID B_BEGAN B_OK },
	{ .steps = { REFUSED("Transfer-Encoding: chunked"), IN("A"), IN("\r\n0123456789\r\n0\r\n\r\n" GET_B), OUT(OK_BODY) },
	  .want = REFUSED_SAID B_BEGAN B_OK },
	/* ... until the line is one. */
	{ .steps = { REFUSED("Content-Length: 99"), IN("GET "), IN("/b HTTP/"), IN("1.1\r\n\r\n"), OUT(OK_BODY) },
	  .want = REFUSED_SAID B_BEGAN B_OK },
	{ .steps = { REFUSED("Content-Length: 5"), IN("GET"), IN(" /b HT"), IN("TP/1.1\r\n\r\n" GET_A), OUT(OK_BODY) },
	  .want = REFUSED_SAID B_BEGAN "3 began; 3 GET /a; " B_OK },
	{ .steps = { REFUSED("Content-Length: 5"), IN("DELETE "), IN("/b HTTP/1.1\r\n\r\n"), OUT(OK_BODY) },
	  .want = REFUSED_SAID "2 began; 2 DELETE /b; " B_OK },
	{ .steps = { REFUSED("Transfer-Encoding: chunked"), IN("GET /"), IN("b HTTP/1.1\r\n\r\n"), OUT(OK_BODY) },
	  .want = REFUSED_SAID B_BEGAN B_OK },
	/* ... with empty lines before it: RFC 9112, 2.2. */
#define EMPTY_LINE(field)                                                                                   \
	{ .steps = { REFUSED(field), IN("\r\n" GET_B), OUT(OK_BODY) }, .want = REFUSED_SAID B_BEGAN B_OK },   \
	{ .steps = { REFUSED(field), IN("\r\n\nGET /b HTTP/1.1\r\nHo"), IN("st: x\r\n\r\n"), OUT(OK_BODY) },   \
	  .want = REFUSED_SAID B_BEGAN B_OK },                                                               \
	{ .steps = { REFUSED(field), IN("\r\n"), IN(GET_B), OUT(OK_BODY) }, .want = REFUSED_SAID B_BEGAN B_OK }, \
	{ .steps = { REFUSED(field), IN("\r"), IN("\nGE"), IN("T /b HTTP/1.1\r\n\r\n"), OUT(OK_BODY) },         \
	  .want = REFUSED_SAID B_BEGAN B_OK }
	EMPTY_LINE("Content-Length: 2"), EMPTY_LINE("Content-Length: 5"), EMPTY_LINE("Content-Length: 5000"),
	EMPTY_LINE("Transfer-Encoding: chunked"),
	/* ... whose method need not be in capitals: RFC 9110, 9.1. */
#define SMALL(field)                                                                                        \
	{ .steps = { REFUSED(field), IN("get /b HTTP/1.1\r\n\r\n"), OUT(OK_BODY) },                         \
	  .want = REFUSED_SAID "2 began; 2 get /b; " B_OK },                                                  \
	{ .steps = { REFUSED(field), IN("pat"), IN("ch /b HT"), IN("TP/1.1\r\n\r\n"), OUT(OK_BODY) },           \
	  .want = REFUSED_SAID "2 began; 2 patch /b; " B_OK }
	SMALL("Content-Length: 2"), SMALL("Content-Length: 300"), SMALL("Transfer-Encoding: chunked"),
	{ .steps = { REFUSED("Content-Length: 5"), IN("hello" GET_B), OUT(OK_BODY) }, .want = REFUSED_SAID B_BEGAN B_OK },
	{ .steps = { REFUSED("Content-Length: 5"), IN("hel"), IN("lo" GET_B), OUT(OK_BODY) }, .want = REFUSED_SAID B_BEGAN B_OK },
	{ .steps = { REFUSED("Transfer-Encoding: chunked"), IN("a"), IN("\r\n0123456789\r\n0\r\n\r\n" GET_B), OUT(OK_BODY) },
	  .want = REFUSED_SAID B_BEGAN B_OK },
	{ .steps = { IN("CONNECT a:1 HTTP/1.1\r\n\r\n"), OUT("HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n"),
		     IN("get /b HTTP/1.1\r\n\r\n"), OUT(OK_BODY) },
	  .want = "1 began; 1 CONNECT a:1; 1 status 405; 1 ended; 2 began; 2 get /b; " B_OK },
	/* ... which may be the body's, too. */
	{ .steps = { REFUSED("Content-Length: 9"), IN("\r\n"), IN("\r\n{}GET" GET_B), OUT(OK_BODY) },
	  .want = REFUSED_SAID B_BEGAN B_OK },
	/* ... but not behind something else. */
	{ .steps = { REFUSED("Content-Length: 32"), IN("GET"), OUT("x"), IN(" " GET_A), IN(GET_B), OUT(OK_BODY) },
	  .want = REFUSED_SAID B_BEGAN B_OK },
	/* One that did not ask sends it, whatever it looks like. */
	{ .steps = { IN("PUT /a HTTP/1.1\r\nContent-Length: 56\r\n\r\n" GET_B), OUT(OK_BODY), IN(GET_B GET_A),
		     OUT(OK_BODY) },
	  .want = "1 began; 1 PUT /a; " A_OK "2 began; 2 GET /a; 2 status 200; 2 ended; " },
	/* Nothing was read or written, and nothing is after the close. */
	{ .steps = { IN(GET_A), OUT_CUT("HTTP/1.1 200 OK", 9), IN("") },
	  .want = A_BEGAN "1 status 200; " },
	{ .steps = { IN(""), OUT(""), IN(GET_A), CLOSED, OUT(OK_BODY), IN(GET_B) },
	  .want = A_BEGAN },
};

START_TEST(unknown_bytes_are_waited_out)
{
	script_play(&protocol_http1, &cut[_i]);
}
END_TEST

START_TEST(path_may_hold_nuls)
{
	static const char bytes[] = "GET /a\0b HTTP/1.1\r\n\r\n", want[] = "1 began; 1 GET /a\0b; ";
	struct exchange x;

	exchange_init(&x, &protocol_http1);
	exchange_in_n(&x, bytes, sizeof(bytes) - 1, 0);
	ck_assert_uint_eq(x.said.len, sizeof(want) - 1);
	ck_assert_mem_eq(x.said.s, want, x.said.len);
	exchange_release(&x);
}
END_TEST

static void add_many(struct str *b, char c, size_t nr)
{
	while (nr--)
		str_add_char(b, c);
}

/* So long a path, in pieces of so many bytes. */
static const struct {
	size_t len, piece, want;
} paths[] = {
	{ 1024, 4096, 1024 }, { 1025, 4096, 1024 }, { 1240, 4096, 1024 }, { 1300, 4096, 1024 },
	{ 3000, 4096, 1024 }, { 1024, 100, 1024 },  { 1025, 100, 1024 },  { 1240, 100, 1024 },
	{ 1300, 100, 1024 },  { 3000, 100, 1024 },  { 3000, 1, 1024 },
};

START_TEST(path_is_cut_where_it_is_long)
{
	struct str b = { 0 }, want = { 0 };
	struct exchange x;
	size_t at;

	str_add(&b, "GET /");
	add_many(&b, 'a', paths[_i].len - 1);
	str_add(&b, " HTTP/1.1\r\nContent-Length: 2\r\n\r\nxy" GET_B);
	str_add(&want, "1 began; 1 GET /");
	add_many(&want, 'a', paths[_i].want - 1);
	str_add(&want, "; 2 began; 2 GET /b; ");
	exchange_init(&x, &protocol_http1);
	for (at = 0; at < b.len; at += paths[_i].piece)
		exchange_in_n(&x, b.s + at,
			      b.len - at < paths[_i].piece ? b.len - at : paths[_i].piece, 0);
	ck_assert_str_eq(str_cstr(&x.said), want.s);
	exchange_release(&x);
	str_release(&b);
	str_release(&want);
}
END_TEST

/* The answer to a line that never ends: a name is there before it. */
START_TEST(endless_line_is_named)
{
	struct exchange x;
	int i;

	exchange_init(&x, &protocol_http1);
	exchange_in(&x, "GET /", 0);
	for (i = 0; i < 2000; i++)
		exchange_in(&x, "a", 0);
	exchange_out(&x, "HTTP/1.1 414 Too Long\r\nContent-Length: 0\r\n\r\n", 0);
	ck_assert(str_starts(x.said.s, "1 began; 1 GET /aaa"));
	ck_assert(str_ends(x.said.s, "a; 1 status 414; 1 ended; "));
	exchange_release(&x);
}
END_TEST

/* Each of these lines is sent in pieces, and the last one is followed by a request. */
static const char *const fillers[] = {
	"GET /a HTTP/1.1\r\nX: ",
	"GET /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;",
	"GET /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX:",
};

START_TEST(memory_is_bounded)
{
	struct exchange x;
	char piece[4096];
	size_t before, i;

	memset(piece, 'x', sizeof(piece));
	exchange_init(&x, &protocol_http1);
	exchange_in(&x, fillers[_i], 0);
	before = mallinfo2().uordblks;
	for (i = 0; i < 256; i++)
		exchange_in_n(&x, piece, sizeof(piece), 0);
	ck_assert_uint_le(mallinfo2().uordblks, before + 2048);
	exchange_release(&x);
}
END_TEST

/* The field's name is within what is kept, its value is not: the length is not known. */
START_TEST(long_length_is_none)
{
	struct str b = { 0 };
	struct exchange x;

	str_add(&b, "POST /a HTTP/1.1\r\nContent-Length: ");
	add_many(&b, '0', 300);
	str_add(&b, "2\r\n\r\nxy" GET_B);
	exchange_init(&x, &protocol_http1);
	exchange_in(&x, b.s, 0);
	ck_assert_str_eq(str_cstr(&x.said), "1 began; 1 POST /a; ");
	exchange_release(&x);
	str_release(&b);
}
END_TEST

/* More requests than are remembered, every fifth with an answer of its own form. */
START_TEST(pipeline_is_bounded)
{
	struct str asked = { 0 }, answered = { 0 };
	int nr = _i ? 1025 : 1024, i;
	struct exchange x;

	for (i = 0; i < nr; i++)
		str_add(&asked, i % 5 ? GET_A : "HEAD /h HTTP/1.1\r\n\r\n");
	for (i = 0; i < nr; i++)
		str_add(&answered,
			i % 5 ? OK_BODY : "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
	exchange_init(&x, &protocol_http1);
	exchange_in(&x, asked.s, 0);
	ck_assert_uint_eq(exchange_nr_began(&x), 1024);
	exchange_out(&x, answered.s, 0);
	ck_assert_uint_eq(exchange_nr_ended(&x), _i ? 0 : 1024);
	exchange_in(&x, GET_B, 0);
	ck_assert_uint_eq(exchange_nr_ended(&x), 1024);
	exchange_out(&x, OK_BODY, 0);
	ck_assert(str_ends(x.said.s, _i ? "1025 began; 1025 GET /b; 1025 status unseen; 1025 ended; " :
					  "1025 began; 1025 GET /b; 1025 status 200; 1025 ended; "));
	exchange_release(&x);
	str_release(&asked);
	str_release(&answered);
}
END_TEST

/* Behind an answer without an end, requests in reads of so many bytes; more of that answer is written behind them, or nothing. */
static const struct {
	size_t piece;
	bool has_answers;
} floods[] = { { 28, true }, { 28, false }, { 7, true }, { 7, false }, { 2 * 28, true }, { 1, false } };

START_TEST(requests_that_are_too_many_are_told_of)
{
	enum { NR = 3000 };
	struct str asked = { 0 };
	struct exchange x;
	size_t at;
	int i;

	for (i = 0; i < NR; i++)
		str_add(&asked, GET_B);
	exchange_init(&x, &protocol_http1);
	exchange_in(&x, GET_A, 0);
	exchange_out(&x, UNTIL_CLOSE, 0);
	for (at = 0; at < asked.len; at += floods[_i].piece) {
		exchange_in_n(&x, asked.s + at, floods[_i].piece, 0);
		if (floods[_i].has_answers && (at + floods[_i].piece) % strlen(GET_B) == 0)
			exchange_out(&x, "x", 0);
	}
	ck_assert_uint_eq(exchange_nr_began(&x), 1024);
	ck_assert_uint_eq(x.nr_skipped, (1 + NR - 1024) * strlen(GET_B));
	exchange_release(&x);
	str_release(&asked);
}
END_TEST

/* What is remembered of a request is forgotten when its place is taken by a later one. */
START_TEST(pipeline_goes_on)
{
	struct exchange x;
	int i;

	exchange_init(&x, &protocol_http1);
	exchange_in(&x, "HEAD /h HTTP/1.1\r\n\r\n", 0);
	for (i = 0; i < 2000; i++) {
		exchange_in(&x, GET_A, 0);
		exchange_out(&x, i ? OK_BODY : OK_EMPTY, 0);
		ck_assert_uint_eq(exchange_nr_ended(&x), i + 1);
	}
	exchange_release(&x);
}
END_TEST

START_TEST(first_bytes_name_the_protocol)
{
	const uint8_t *s = (const uint8_t *)GET_A;

	ck_assert_str_eq(protocol_http1.name, "http");
	ck_assert_int_eq(protocol_http1.recognize(s, strlen(GET_A)), RECOGNIZED);
	ck_assert_int_eq(protocol_http1.recognize(s, 4), RECOGNIZED_MAYBE);
	ck_assert_int_eq(protocol_http1.recognize(s + 1, 0), RECOGNIZED_MAYBE);
	ck_assert_int_eq(protocol_http1.recognize(s + 3, 2), RECOGNIZED_NOT);
}
END_TEST

/* Numerical Recipes' generator: the same on every host. */
static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* A step in random parts, of some of which only the first bytes travel. */
static void play_cut(struct exchange *x, const struct script_step *s, uint32_t *random)
{
	struct script_step piece = *s;
	size_t from, part;

	for (from = 0; from < s->len; from += part) {
		part = 1 + next_random(random) % (s->len - from);
		piece.bytes = s->bytes + from;
		piece.len = next_random(random) % 4 ? part : next_random(random) % part;
		piece.nr_unknown = part - piece.len;
		script_step_play(x, &piece);
	}
}

/* Whatever is missing: no request is told that was not sent. The exchange checks the rest. */
static void check_cuts(const struct script *s, uint64_t nr_sent, uint32_t random)
{
	struct exchange x;
	int round;
	size_t i;

	for (round = 0; round < 300; round++) {
		exchange_init(&x, &protocol_http1);
		for (i = 0; i < SCRIPT_STEPS && s->steps[i].verb; i++)
			play_cut(&x, &s->steps[i], &random);
		exchange_close(&x);
		ck_assert_uint_le(exchange_nr_began(&x), nr_sent);
		exchange_release(&x);
	}
}

START_TEST(cuts_invent_nothing)
{
	check_cuts(&whole[_i], script_play(&protocol_http1, &whole[_i]), 1 + (uint32_t)_i);
}
END_TEST

START_TEST(cuts_may_hide_a_switch)
{
	check_cuts(&switched[_i], script_play(&protocol_http1, &switched[_i]) + 1, 1 + (uint32_t)_i);
}
END_TEST

/* However many exchanges lose bytes, the one after them is told. */
START_TEST(connection_recovers)
{
	static const struct script_step asks = IN(GET_A), answers = OUT(OK_BODY);
	uint32_t random = 17 + (uint32_t)_i;
	struct str want = { 0 };
	struct exchange x;
	unsigned int nr;
	int round;

	exchange_init(&x, &protocol_http1);
	for (round = 0; round < 100; round++) {
		play_cut(&x, &asks, &random);
		play_cut(&x, &answers, &random);
	}
	exchange_in(&x, GET_A, 0);
	exchange_out(&x, OK_BODY, 0);
	nr = (unsigned int)exchange_nr_began(&x);
	ck_assert_uint_ge(nr, 50);
	ck_assert_uint_eq(exchange_nr_ended(&x), nr);
	str_addf(&want, "%u began; %u GET /a; %u status 200; %u ended; ", nr, nr, nr, nr);
	ck_assert(str_ends(str_cstr(&x.said), str_cstr(&want)));
	exchange_release(&x);
	str_release(&want);
}
END_TEST

Suite *check_protocol_http1_suite(void)
{
	Suite *s = suite_create("protocol_http1");
	TCase *tc = tcase_create("protocol_http1");

	tcase_add_loop_test(tc, connection_is_told, 0, ARRAY_LEN(whole));
	tcase_add_loop_test(tc, connection_that_is_switched_is_told, 0, ARRAY_LEN(switched));
	tcase_add_loop_test(tc, unknown_bytes_are_waited_out, 0, ARRAY_LEN(cut));
	tcase_add_test(tc, path_may_hold_nuls);
	tcase_add_loop_test(tc, path_is_cut_where_it_is_long, 0, ARRAY_LEN(paths));
	tcase_add_test(tc, endless_line_is_named);
	tcase_add_loop_test(tc, memory_is_bounded, 0, ARRAY_LEN(fillers));
	tcase_add_test(tc, long_length_is_none);
	tcase_add_loop_test(tc, pipeline_is_bounded, 0, 2);
	tcase_add_loop_test(tc, requests_that_are_too_many_are_told_of, 0, ARRAY_LEN(floods));
	tcase_add_test(tc, pipeline_goes_on);
	tcase_add_test(tc, first_bytes_name_the_protocol);
	tcase_add_loop_test(tc, cuts_invent_nothing, 0, ARRAY_LEN(whole));
	tcase_add_loop_test(tc, cuts_may_hide_a_switch, 0, ARRAY_LEN(switched));
	tcase_add_loop_test(tc, connection_recovers, 0, 20);
	suite_add_tcase(s, tc);
	return s;
}
