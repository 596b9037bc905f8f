/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "report/http1_line.h"

Suite *check_http1_line_suite(void);

static struct http1_line line_of(const char *s, bool is_cut)
{
	return (struct http1_line){ (const uint8_t *)s, strlen(s), is_cut };
}

static const struct {
	const char *bytes;
	size_t len;
	enum recognition want;
} beginnings[] = {
#define BEGINNING(bytes, want)                                                                     \
	{                                                                                          \
		bytes, sizeof(bytes) - 1, want                                                     \
	}
	BEGINNING("", RECOGNIZED_MAYBE),
	BEGINNING("G", RECOGNIZED_MAYBE),
	BEGINNING("GET", RECOGNIZED_MAYBE),
	BEGINNING("GET ", RECOGNIZED_MAYBE),
	BEGINNING("GET /", RECOGNIZED),
	BEGINNING("GET /\0\x1b", RECOGNIZED),
	BEGINNING("\r\n\nGET /", RECOGNIZED),
	BEGINNING("\r\n", RECOGNIZED_MAYBE),
	BEGINNING("\r", RECOGNIZED_MAYBE),
	BEGINNING("\rG", RECOGNIZED_NOT),
	BEGINNING("GET http", RECOGNIZED_MAYBE),
	BEGINNING("GET https", RECOGNIZED_MAYBE),
	BEGINNING("GET http://", RECOGNIZED),
	BEGINNING("GET https://", RECOGNIZED),
	BEGINNING("GET httpx", RECOGNIZED_NOT),
	BEGINNING("GET key", RECOGNIZED_NOT),
	BEGINNING("GET  /", RECOGNIZED),
	BEGINNING("GET\t/", RECOGNIZED_NOT),
	BEGINNING("GET\r\n", RECOGNIZED_NOT),
	BEGINNING("get /", RECOGNIZED_NOT),
	BEGINNING("Get /", RECOGNIZED_NOT),
	BEGINNING("G3T /", RECOGNIZED_NOT),
	BEGINNING(" /", RECOGNIZED_NOT),
	BEGINNING("KEYS *\r\n", RECOGNIZED_NOT),
	BEGINNING("OPTIONS *", RECOGNIZED_MAYBE),
	BEGINNING("OPTIONS * HTTP/1.", RECOGNIZED),
	BEGINNING("PRI * HTTP/", RECOGNIZED_MAYBE),
	BEGINNING("PRI * HTTP/2.0\r\n", RECOGNIZED_NOT),
	BEGINNING("CONNECT h", RECOGNIZED_MAYBE),
	BEGINNING("CONNECT h:", RECOGNIZED),
	BEGINNING("CONNECT :", RECOGNIZED_NOT),
	BEGINNING("CONNECT /", RECOGNIZED_NOT),
	BEGINNING("VERSION-CONTROL /", RECOGNIZED),
	BEGINNING("HTTP/1.1 200 OK", RECOGNIZED_NOT),
	BEGINNING("*1\r\n$4\r\nPING\r\n", RECOGNIZED_NOT),
	BEGINNING("\x16\x03\x01\x02\0\x01", RECOGNIZED_NOT),
	BEGINNING("\0\0\0\x08\x04\xd2\x16\x2f", RECOGNIZED_NOT),
	BEGINNING("\x01\x01\0\x01\0\x08\0\0", RECOGNIZED_NOT),
#undef BEGINNING
};

START_TEST(beginning_is_recognized)
{
	size_t len = beginnings[_i].len;
	char *copy = xmemdup(beginnings[_i].bytes, len + !len);

	ck_assert_int_eq(http1_line_recognize((uint8_t *)copy, len, HTTP1_CAPITALS), beginnings[_i].want);
	free(copy);
}
END_TEST

/* More bytes make a maybe a yes or a no, and change nothing else. */
START_TEST(recognition_is_final)
{
	const uint8_t *s = (const uint8_t *)beginnings[_i].bytes;
	enum recognition before = RECOGNIZED_MAYBE, now;
	size_t len;

	for (len = 0; len <= beginnings[_i].len; len++) {
		now = http1_line_recognize(s, len, HTTP1_CAPITALS);
		ck_assert(before == RECOGNIZED_MAYBE || now == before);
		before = now;
	}
}
END_TEST

START_TEST(long_host_is_none)
{
	struct str b = { 0 };

	str_add(&b, "CONNECT ");
	while (b.len < 500)
		str_add_char(&b, 'a');
	ck_assert_int_eq(http1_line_recognize((uint8_t *)b.s, 200, HTTP1_CAPITALS), RECOGNIZED_MAYBE);
	ck_assert_int_eq(http1_line_recognize((uint8_t *)b.s, b.len, HTTP1_CAPITALS), RECOGNIZED_NOT);
	str_release(&b);
}
END_TEST

/* After a message any token is a method: RFC 9110, 5.6.2. */
START_TEST(synced_method_is_any_token)
{
	const uint8_t *s = (const uint8_t *)"g3t! /", *bad = (const uint8_t *)"g@t /";

	ck_assert_int_eq(http1_line_recognize(s, 6, HTTP1_CAPITALS), RECOGNIZED_NOT);
	ck_assert_int_eq(http1_line_recognize(s, 6, HTTP1_TOKENS), RECOGNIZED);
	ck_assert_int_eq(http1_line_recognize(bad, 5, HTTP1_TOKENS), RECOGNIZED_NOT);
}
END_TEST

START_TEST(word_of_any_case_may_be_method)
{
	static const char *const words[] = { "patch /", "Patch /", "m-search *", "get http://h" };
	const uint8_t *s, *other = (const uint8_t *)"bodyGET /";
	size_t i;

	for (i = 0; i < ARRAY_LEN(words); i++) {
		s = (const uint8_t *)words[i];
		ck_assert_int_ne(http1_line_recognize(s, strlen(words[i]), HTTP1_WORDS), RECOGNIZED_NOT);
		ck_assert_int_eq(http1_line_recognize(s, strlen(words[i]), HTTP1_CAPITALS), RECOGNIZED_NOT);
	}
	ck_assert_int_eq(http1_line_recognize(other, 9, HTTP1_WORDS), RECOGNIZED_NOT);
	ck_assert_int_eq(http1_line_recognize(other, 9, HTTP1_TOKENS), RECOGNIZED);
}
END_TEST

static const struct {
	const char *line;
	bool is_cut;
	const char *method, *path;
	bool has_version;
} requests[] = {
	{ "GET / HTTP/1.1", false, "GET", "/", true },
	{ "GET /a HTTP/1.1 \t", false, "GET", "/a", true },
	{ "GET /a", false, "GET", "/a", false },
	{ "GET /a HTTP", false, "GET", "/a HTTP", false },
	{ "GET /a HTTP", true, "GET", "/a", true },
	{ "GET /a ", true, "GET", "/a", true },
	{ "GET /a", true, "GET", "/a", true },
	{ "GET", true, "GET", "", true },
	{ "GET http://h/a HTTP/1.1", false, "GET", "/a", true },
	{ "GET hTTps://h/ HTTP/1.1", false, "GET", "/", true },
	{ "GET http://h HTTP/1.1", false, "GET", "/", true },
	{ "GET http://h#f/a HTTP/1.1", false, "GET", "/", true },
	{ "GET http://h HT", true, "GET", "/", true },
	{ "GET http://h", true, "GET", "", true },
	{ "GET http:/ HTTP/1.1", false, "GET", "http:/", true },
	{ "CONNECT http://h:80 HTTP/1.1", false, "CONNECT", "http://h:80", true },
	{ "OPTIONS * HTTP/1.1", false, "OPTIONS", "*", true },
};

START_TEST(request_is_taken_apart)
{
	struct http1_request r =
		http1_line_request(line_of(requests[_i].line, requests[_i].is_cut));

	ck_assert_uint_eq(r.method.len, strlen(requests[_i].method));
	ck_assert_mem_eq(r.method.s, requests[_i].method, r.method.len);
	ck_assert_uint_eq(r.path.len, strlen(requests[_i].path));
	ck_assert_mem_eq(r.path.s, requests[_i].path, r.path.len);
	ck_assert_int_eq(r.has_version, requests[_i].has_version);
}
END_TEST

/* want 0: no status line. */
static const struct {
	const char *line;
	uint32_t want;
} statuses[] = {
	{ "HTTP/1.1 200 OK", 200 },
	{ "HTTP/1.0 404", 404 },
	{ "HTTP/1.1 999 ", 999 },
	{ "HTTP/1.1 100 x", 100 },
	{ "HTTP/1.1 099 x", 0 },
	{ "HTTP/1.1 2000", 0 },
	{ "HTTP/1.1 20", 0 },
	{ "HTTP/1.1 20x", 0 },
	{ "HTTP/1.1  200", 0 },
	{ "HTTP/1.1", 0 },
	{ "HTTP/1.1 ", 0 },
	{ "ICY 200 OK", 0 },
	{ "", 0 },
	{ " 200", 0 },
	{ "HTTP/1.1 :00", 0 },
};

START_TEST(status_is_read)
{
	uint32_t status = 0;
	bool is_one = http1_line_status(line_of(statuses[_i].line, false), &status);

	ck_assert_int_eq(is_one, statuses[_i].want != 0);
	ck_assert_uint_eq(status, statuses[_i].want);
}
END_TEST

static const struct {
	const char *line;
	bool is_size;
	uint64_t want;
} sizes[] = {
	{ "0", true, 0 },
	{ "1a", true, 26 },
	{ "FFFFFFFFFFFFFFFF", true, UINT64_MAX },
	{ "0000000000000000000000005", true, 5 },
	{ "5;a=b", true, 5 },
	{ "5 ;a", true, 5 },
	{ "5\t", true, 5 },
	{ "10000000000000000", false, 0 },
	{ "", false, 0 },
	{ ";a", false, 0 },
	{ " 5", false, 0 },
	{ "5g", false, 0 },
	{ "-5", false, 0 },
	{ "0x5", false, 0 },
};

START_TEST(chunk_size_is_read)
{
	uint64_t size = 0;
	bool is_size = http1_line_chunk_size(line_of(sizes[_i].line, false), &size);

	ck_assert_int_eq(is_size, sizes[_i].is_size);
	if (is_size)
		ck_assert_uint_eq(size, sizes[_i].want);
}
END_TEST

#define NR_FIELDS_MAX 3

static const struct {
	const char *fields[NR_FIELDS_MAX];
	struct http1_framing want;
} framings[] = {
#define NONE	   .length = 0
#define LENGTH(nr) .length = nr, .has_length = true
#define BAD	   .is_bad = true
	{ { "Host: x" }, { NONE } },
	{ { "Content-Length: 17" }, { LENGTH(17) } },
	{ { "content-length:17 \t" }, { LENGTH(17) } },
	{ { "Content-Length: 18446744073709551615" }, { LENGTH(UINT64_MAX) } },
	{ { "Content-Length: 18446744073709551616" }, { LENGTH(0), BAD } },
	{ { "Content-Length: 17", "Content-Length: 17" }, { LENGTH(17), BAD } },
	{ { "Content-Length: 17, 17" }, { LENGTH(0), BAD } },
	{ { "Content-Length: -0" }, { LENGTH(0), BAD } },
	{ { "Content-Length:" }, { LENGTH(0), BAD } },
	{ { "Content-Length : 17" }, { LENGTH(0), BAD } },
	{ { "Content-Length: 1", "\t7" }, { LENGTH(1), BAD } },
	{ { "Host: x", " y", "Content-Length: 1" }, { LENGTH(1) } },
	{ { "Content-Length-Hint: 17" }, { NONE } },
	{ { "Content-Length" }, { NONE } },
	{ { "X-Content-Length: 17" }, { NONE } },
	{ { "Transfer-Encoding: chunked" }, { .has_coding = true, .is_chunked = true } },
	{ { "transfer-encoding:gzip,\tCHUNKED " }, { .has_coding = true, .is_chunked = true } },
	{ { "Transfer-Encoding: gzip", "Transfer-Encoding: chunked" },
	  { .has_coding = true, .is_chunked = true } },
	{ { "Transfer-Encoding: chunked", "Transfer-Encoding: gzip" }, { .has_coding = true } },
	{ { "Transfer-Encoding: chunked, gzip" }, { .has_coding = true } },
	{ { "Transfer-Encoding: unchunked" }, { .has_coding = true } },
	{ { "Transfer-Encoding: chunkedy" }, { .has_coding = true } },
	{ { "Transfer-Encoding : chunked" }, { .has_coding = true } },
	{ { "Transfer-Encoding:" }, { .has_coding = true } },
	{ { "Content-Length: 17", "Transfer-Encoding: chunked" },
	  { LENGTH(17), .has_coding = true, .is_chunked = true } },
#undef NONE
#undef LENGTH
#undef BAD
};

START_TEST(fields_frame_a_body)
{
	const struct http1_framing *want = &framings[_i].want;
	struct http1_framing got = { 0 };
	size_t i;

	for (i = 0; i < NR_FIELDS_MAX && framings[_i].fields[i]; i++)
		http1_line_field(&got, line_of(framings[_i].fields[i], false));
	ck_assert_int_eq(got.is_bad, want->is_bad);
	ck_assert_int_eq(got.has_length, want->has_length);
	ck_assert_int_eq(got.has_coding, want->has_coding);
	ck_assert_int_eq(got.is_chunked, want->is_chunked);
	if (!got.is_bad)
		ck_assert_uint_eq(got.length, want->length);
}
END_TEST

START_TEST(cut_field_frames_nothing)
{
	struct http1_framing length = { 0 }, coding = { 0 };

	http1_line_field(&length, line_of("Content-Length: 1", true));
	http1_line_field(&coding, line_of("Transfer-Encoding: chunked", true));
	ck_assert(length.is_bad && coding.is_bad);
}
END_TEST

static const struct {
	const char *bytes;
	size_t want;
} chunked[] = {
	{ NULL, 0 },	/* a mark that says how many they were, and brought none */
	{ "b\r\n0\r\n\r\nGET / HTTP/1.1\r\n", 8 },
	{ "b\r\n0\r\n\r\nb\r\n0\r\n\r\nGET /", 16 },
	{ "b\r\n0\r\n\r\n", 8 },
	{ "b\r\n0\r\n\r\nb", 9 },
};

START_TEST(request_is_found_behind_chunks)
{
	const char *s = chunked[_i].bytes;

	ck_assert_uint_eq(http1_line_behind_chunks((const uint8_t *)s, s ? strlen(s) : 0), chunked[_i].want);
}
END_TEST

Suite *check_http1_line_suite(void)
{
	Suite *s = suite_create("http1_line");
	TCase *tc = tcase_create("http1_line");

	tcase_add_loop_test(tc, beginning_is_recognized, 0, ARRAY_LEN(beginnings));
	tcase_add_loop_test(tc, recognition_is_final, 0, ARRAY_LEN(beginnings));
	tcase_add_test(tc, long_host_is_none);
	tcase_add_test(tc, synced_method_is_any_token);
	tcase_add_test(tc, word_of_any_case_may_be_method);
	tcase_add_loop_test(tc, request_is_taken_apart, 0, ARRAY_LEN(requests));
	tcase_add_loop_test(tc, status_is_read, 0, ARRAY_LEN(statuses));
	tcase_add_loop_test(tc, chunk_size_is_read, 0, ARRAY_LEN(sizes));
	tcase_add_loop_test(tc, fields_frame_a_body, 0, ARRAY_LEN(framings));
	tcase_add_test(tc, cut_field_frames_nothing);
	tcase_add_loop_test(tc, request_is_found_behind_chunks, 0, ARRAY_LEN(chunked));
	suite_add_tcase(s, tc);
	return s;
}
