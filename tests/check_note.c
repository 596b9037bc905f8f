/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "recording/note.h"
#include "tests/sketch.h"

Suite *check_note_suite(void);

/* The payload from memory that ends where it does. */
static struct cursor payload_of(const struct sketch *s, size_t len, uint8_t **ret_copy)
{
	*ret_copy = xmemdup(s->bytes.s, len);
	return cursor_of(*ret_copy, len);
}

static void add_marker(struct sketch *s)
{
	sketch_u32(s, 3);
	sketch_u32(s, MARKER_HAS_LABEL | MARKER_HAS_ID);
	sketch_str(s, "func:handle");
	sketch_str(s, "handle");
}

START_TEST(marker_is_read)
{
	struct sketch s = { 0 };
	struct note_marker m;
	uint8_t *copy;

	add_marker(&s);
	ck_assert(note_parse_marker(payload_of(&s, s.bytes.len, &copy), &m));
	ck_assert_uint_eq(m.id, 3);
	ck_assert_uint_eq(m.flags, MARKER_HAS_LABEL | MARKER_HAS_ID);
	ck_assert_str_eq(m.spec, "func:handle");
	ck_assert_str_eq(m.name, "handle");
	free(copy);
	sketch_release(&s);
}
END_TEST

struct file_values {
	uint64_t size, off;
	uint8_t id_len;
	uint32_t chunk_len;
	bool is_good;
};

static void add_file(struct sketch *s, const struct file_values *v)
{
	sketch_u32(s, 5);
	sketch_u32(s, FILE_ELF);
	sketch_u32(s, 17);
	sketch_u64(s, v->size);
	sketch_u64(s, v->off);
	sketch_u8(s, v->id_len);
	sketch_add(s, "0123456789abcdefghijk", v->id_len < 21 ? v->id_len : 21);
	sketch_str(s, "/usr/bin/gone");
	sketch_u32(s, v->chunk_len);
	sketch_add(s, "chunk", 5);
}

static const struct file_values files[] = {
	{ 5, 0, 20, 5, true },
	{ 100, 95, 0, 5, true },
	{ 100, 100, 8, 0, true },
	{ 100, 96, 8, 5, false },
	{ 100, 101, 8, 0, false },
	{ 100, UINT64_MAX, 8, 5, false },
	{ UINT64_MAX, UINT64_MAX, 8, 5, false },
	{ 100, 0, 21, 5, false },
	{ 100, 0, 255, 5, false },
	{ 100, 0, 20, 6, false },
	{ 100, 0, 20, UINT32_MAX, false },
};

START_TEST(file_chunk_lies_in_the_file)
{
	struct sketch s = { 0 };
	struct note_file f = { .id = 42 };
	uint8_t *copy;

	add_file(&s, &files[_i]);
	ck_assert(note_parse_file(payload_of(&s, s.bytes.len, &copy), &f) == files[_i].is_good);
	if (files[_i].is_good) {
		ck_assert_uint_eq(f.id, 5);
		ck_assert_uint_eq(f.kind, FILE_ELF);
		ck_assert_uint_eq(f.pid, 17);
		ck_assert_uint_eq(f.size, files[_i].size);
		ck_assert_uint_eq(f.off, files[_i].off);
		ck_assert_uint_eq(f.build_id.len, files[_i].id_len);
		ck_assert_mem_eq(f.build_id.bytes, "0123456789abcdefghij", files[_i].id_len);
		ck_assert_str_eq(f.path, "/usr/bin/gone");
		ck_assert_uint_eq(f.chunk_len, files[_i].chunk_len);
		ck_assert_mem_eq(f.chunk, "chunk", files[_i].chunk_len);
	} else {
		ck_assert_uint_eq(f.id, 42);
	}
	free(copy);
	sketch_release(&s);
}
END_TEST

START_TEST(cut_payloads_are_refused)
{
	struct note_marker m = { .id = 42 };
	struct note_file f = { .id = 42 };
	struct sketch s = { 0 };
	uint8_t *copy;
	size_t len;

	add_marker(&s);
	for (len = 0; len < s.bytes.len; len++) {
		ck_assert(!note_parse_marker(payload_of(&s, len, &copy), &m));
		ck_assert_uint_eq(m.id, 42);
		free(copy);
	}
	sketch_release(&s);
	add_file(&s, &files[0]);
	for (len = 0; len < s.bytes.len; len++) {
		ck_assert(!note_parse_file(payload_of(&s, len, &copy), &f));
		ck_assert_uint_eq(f.id, 42);
		free(copy);
	}
	sketch_release(&s);
}
END_TEST

static void add_function(struct sketch *s, uint8_t id_len)
{
	sketch_u32(s, 5);
	sketch_u32(s, FUNCTION_IS_NAMED);
	sketch_u32(s, 17);
	sketch_u32(s, 4);
	sketch_u64(s, 0);
	sketch_u8(s, id_len);
	sketch_add(s, "0123456789abcdefghijk", id_len < 21 ? id_len : 21);
	sketch_str(s, "app.py");
	sketch_str(s, "fib");
}

START_TEST(functions_are_whole_or_refused)
{
	static const uint8_t id_lens[] = { 0, 20, 21, 255 };
	struct note_function f = { .id = 42 };
	struct sketch s = { 0 };
	uint8_t *copy;
	size_t len;

	add_function(&s, id_lens[_i]);
	for (len = 0; len < s.bytes.len; len++) {
		ck_assert(!note_parse_function(payload_of(&s, len, &copy), &f));
		ck_assert_uint_eq(f.id, 42);
		free(copy);
	}
	ck_assert(note_parse_function(payload_of(&s, len, &copy), &f) == (id_lens[_i] <= 20));
	if (id_lens[_i] <= 20) {
		ck_assert_uint_eq(f.id, 5);
		ck_assert_uint_eq(f.flags, FUNCTION_IS_NAMED);
		ck_assert_uint_eq(f.pid, 17);
		ck_assert_uint_eq(f.line, 4);
		ck_assert_str_eq(f.file, "app.py");
		ck_assert_str_eq(f.name, "fib");
		ck_assert_uint_eq(f.build_id.len, id_lens[_i]);
	}
	free(copy);
	sketch_release(&s);
}
END_TEST

START_TEST(nodes_end_with_0_or_a_cut)
{
	static const uint32_t words[] = { 1, 0, 7, 2, 1, 8, 0, 3, 1, 9 };
	size_t len;

	for (len = 0; len <= sizeof(words); len++) {
		uint8_t *copy = xmemdup(words, len);
		struct cursor c = cursor_of(copy, len);
		struct note_node n;
		unsigned int nr = 0;

		for (; note_next_node(&c, &n); nr++)
			ck_assert_mem_eq(&n, words + 3 * nr, sizeof(n));
		ck_assert_uint_eq(nr, len >= 24 ? 2 : len >= 12 ? 1 : 0);
		free(copy);
	}
}
END_TEST

#define TEXT(t)                                                                                    \
	{                                                                                          \
		t, sizeof(t) - 1                                                                   \
	}

static const struct {
	struct {
		const char *bytes;
		size_t len;
	} in;
	const char *want;
} infos[] = {
	{ TEXT(""), "" },
	{ TEXT("\0"), "" },
	{ TEXT("version\0000.1\0\0"), "version=0.1;" },
	{ TEXT("a\0b\0c\0d\0\0e\0f\0"), "a=b;c=d;" },
	{ TEXT("a\0\0\0"), "a=;" },
	{ TEXT("a\0b\0c"), "a=b;" },
	{ TEXT("a\0b\0c\0d"), "a=b;" },
	{ TEXT("a\0b\0"), "a=b;" },
};

START_TEST(info_pairs_end_with_an_empty_key_or_a_cut)
{
	uint8_t *copy = xmemdup(infos[_i].in.bytes, infos[_i].in.len);
	struct cursor c = cursor_of(copy, infos[_i].in.len);
	struct str got = { 0 };
	const char *key, *value;

	while (note_next_info(&c, &key, &value))
		str_addf(&got, "%s=%s;", key, value);
	ck_assert_str_eq(str_cstr(&got), infos[_i].want);
	str_release(&got);
	free(copy);
}
END_TEST

START_TEST(tallies_are_counts)
{
	static const char bytes[] = "lost\0\3\0\0\0\0\0\0\0big\0\377\377\377\377\377\377\377\377\0";
	size_t len;

	for (len = 0; len < sizeof(bytes); len++) {
		uint8_t *copy = xmemdup(bytes, len);
		struct cursor c = cursor_of(copy, len);
		uint64_t count, sum = 0;
		const char *key;
		unsigned int nr = 0;

		while (note_next_tally(&c, &key, &count)) {
			ck_assert_str_eq(key, nr ? "big" : "lost");
			sum += count;
			nr++;
		}
		ck_assert_uint_eq(nr, len >= 25 ? 2 : len >= 13 ? 1 : 0);
		ck_assert_uint_eq(sum, nr == 2 ? 2 : nr == 1 ? 3 : 0);
		free(copy);
	}
}
END_TEST

Suite *check_note_suite(void)
{
	Suite *s = suite_create("note");
	TCase *tc = tcase_create("note");

	tcase_add_test(tc, marker_is_read);
	tcase_add_loop_test(tc, file_chunk_lies_in_the_file, 0, ARRAY_LEN(files));
	tcase_add_test(tc, cut_payloads_are_refused);
	tcase_add_loop_test(tc, info_pairs_end_with_an_empty_key_or_a_cut, 0, ARRAY_LEN(infos));
	tcase_add_test(tc, tallies_are_counts);
	tcase_add_loop_test(tc, functions_are_whole_or_refused, 0, 4);
	tcase_add_test(tc, nodes_end_with_0_or_a_cut);
	suite_add_tcase(s, tc);
	return s;
}
