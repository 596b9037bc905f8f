/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <stdio.h>

#include "recording/socket_marks.h"
#include "report/order.h"
#include "tests/recording_builder.h"

Suite *check_order_suite(void);

/*
 * Socket marks that were sent together: comma-separated times, each also the mark's thread and its bytes; '!' is
 * no mark, but as long.
 */
static void add_marks(struct recording_builder *b, uint64_t time, char *times)
{
	struct str marks = { 0 };
	char *word;

	while ((word = strsep(&times, ",")) != NULL) {
		uint64_t ns = strtoull(word, NULL, 10);
		struct socket_mark m = { .magic = *word == '!' ? 0 : SOCKET_MARK_MAGIC, .kind = SOCKET_IN,
					 .ns = ns, .pid = 7, .tid = (uint32_t)ns, .len = sizeof(ns),
					 .room = sizeof(ns) };

		str_add_bytes(&marks, &m, sizeof(m));
		str_add_bytes(&marks, &ns, sizeof(ns));
	}
	builder_socket_marks(b, time, 1, 1, marks.s, marks.len);
	str_release(&marks);
}

/*
 * Times in the order of the file; '|' ends a round, '0' is a record without time, 'TIME<TIMES' one of socket
 * marks, '?TIME' one that tells of a loss.
 */
static void build(struct recording_builder *b, const char *script)
{
	char *words = xstrdup(script), *rest = words, *word, *marks;

	builder_init(b, NULL);
	while ((word = strsep(&rest, " ")) != NULL)
		if (*word == '|')
			builder_round(b);
		else if (*word == '0')
			builder_comm(b, 0, 1, 1, "x", false);
		else if ((marks = strchr(word, '<')) != NULL)
			add_marks(b, strtoull(word, NULL, 10), marks + 1);
		else if (*word == '?')
			builder_lost(b, strtoull(word + 1, NULL, 10), 1);
		else if (*word)
			builder_exit(b, strtoull(word, NULL, 10), 1, 1);
	free(words);
}

/* Each mark is a record of its own, of its own thread. */
static void check_mark(const struct record *r)
{
	struct cursor c = cursor_of(r->sample.raw, r->sample.raw_len);
	struct socket_mark m;
	const uint8_t *bytes;
	uint64_t ns;

	if (!socket_marks_are_in(r))
		return;
	ck_assert(socket_marks_next(&c, &m, &bytes));
	memcpy(&ns, bytes, sizeof(ns));
	ck_assert_uint_eq(ns, m.ns);
	ck_assert_uint_eq(r->pid, 7);
	ck_assert_uint_eq(r->tid, m.ns);
	ck_assert_uint_le(r->time, m.ns);
	ck_assert_uint_lt(cursor_left(&c), sizeof(m));
}

static void order_all(struct reader *reader, struct str *ret_times, uint64_t *ret_late)
{
	struct order o;
	struct record r;
	struct err e = { 0 };
	int more;

	order_init(&o, reader);
	while ((more = order_next(&o, &r, &e)) > 0) {
		str_addf(ret_times, "%s%llu", ret_times->len ? " " : "",
			 (unsigned long long)r.time);
		check_mark(&r);
	}
	ck_assert_int_eq(more, 0);
	ck_assert_int_eq(order_next(&o, &r, &e), 0);
	*ret_late = o.nr_late;
	order_release(&o);
}

static const struct {
	const char *file, *want;
	uint64_t nr_late;
} scripts[] = {
	{ "", "", 0 },
	{ "3 1 2", "1 2 3", 0 },
	{ "5 6 7 1 2 3 4", "1 2 3 4 5 6 7", 0 },
	{ "9 8 7 6 5 4 3 2 1", "1 2 3 4 5 6 7 8 9", 0 },
	/* Without time: at once, before all that waits. */
	{ "3 0 1 0", "0 0 1 3", 0 },
	/* What is younger than the round before stays: the next ring may have older ones. */
	{ "1 4 | 2 3 5 | 6 |", "1 2 3 4 5 6", 0 },
	{ "10 20 15 | 30 18 25 | 40 22 | 50 |", "10 15 18 20 22 25 30 40 50", 0 },
	/* Nothing goes out at the first round, and all of it at the end. */
	{ "2 | 1", "1 2", 0 },
	/* The second round lets 2 go, so that 1 comes late: it is given out and counted. */
	{ "2 | 3 | 1 4", "2 1 3 4", 1 },
	{ "| | |", "", 0 },
	{ "7 7 7 | 7 7", "7 7 7 7 7", 0 },
	/* Marks are in their own places, not in that of who sent them. */
	{ "9<3,5,8", "3 5 8", 0 },
	{ "4 6 9<3,5,8 7 12<1,10", "1 3 4 5 6 7 8 10", 0 },
	{ "5 | 6 7<4 | 8 |", "4 5 6 8", 0 },
	/* Those of a batch that waited for a round too many come late, and are given out. */
	{ "5 | 6 | 7<4 |", "5 4 6", 1 },
	/* None is from the future. */
	{ "6<4,9 7", "4 6 7", 0 },
	/* A loss is told of with a time that is later than that of the record behind it; not with that of one from elsewhere. */
	{ "?9 8", "8 8", 0 },
	{ "5 ?9 8 10", "5 8 8 10", 0 },
	{ "7 ?9 9<4,8", "4 7 8 9", 0 },
	{ "?9", "9", 0 },
	{ "?9 | 3 8 |", "3 8 9", 0 },
	{ "?9 10 8", "8 9 10", 0 },
	/* What is no mark is a record as any other. */
	{ "9<3,!,4 5", "3 5 9", 0 },
	{ "9<! 5", "5 9", 0 },
};

START_TEST(order_sorts_by_rounds)
{
	struct recording_builder b;
	struct reader *reader;
	struct str times = { 0 };
	struct err e = { 0 };
	uint64_t nr_late;
	const void *bytes;
	size_t len;

	build(&b, scripts[_i].file);
	bytes = builder_finish(&b, &len);
	ck_assert_int_eq(reader_open_bytes(bytes, len, &reader, &e), 0);
	order_all(reader, &times, &nr_late);
	ck_assert_str_eq(str_cstr(&times), scripts[_i].want);
	ck_assert_uint_eq(nr_late, scripts[_i].nr_late);
	str_release(&times);
	reader_free(reader);
	builder_release(&b);
}
END_TEST

/* Small and repeatable; the low bits of such generators are poor, so they are not used. */
static uint32_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*state >> 33);
}

/* Three rings that a recorder drains in rounds: what it writes keeps the promise of rounds. */
static size_t build_rings(struct recording_builder *b, uint64_t seed)
{
	uint64_t now = 1000, last[3] = { 0 }, at;
	size_t nr = 0, ring, k, round;

	builder_init(b, NULL);
	for (round = 0; round < 40; round++) {
		uint64_t begin = now;

		for (ring = 0; ring < 3; ring++, now += next_random(&seed) % 5) {
			at = last[ring] > begin - 50 ? last[ring] : begin - 50;
			for (k = next_random(&seed) % 20; k > 0 && at < now; k--, nr++) {
				builder_exit(b, at, (uint32_t)ring, (uint32_t)nr);
				at += next_random(&seed) % 3;
				last[ring] = at;
			}
		}
		now += 100;
		builder_round(b);
	}
	return nr;
}

START_TEST(order_is_by_time_and_then_by_file)
{
	uint64_t last_time = 0, last_pos = 0;
	struct recording_builder b;
	struct reader *reader;
	struct err e = { 0 };
	struct record r;
	struct order o;
	size_t nr = build_rings(&b, (uint64_t)_i * 7919 + 1), len, seen = 0;
	const void *bytes = builder_finish(&b, &len);

	ck_assert_int_eq(reader_open_bytes(bytes, len, &reader, &e), 0);
	order_init(&o, reader);
	while (order_next(&o, &r, &e) > 0) {
		ck_assert_uint_ge(r.time, last_time);
		ck_assert(r.time > last_time || r.pos > last_pos);
		last_time = r.time;
		last_pos = r.pos;
		seen++;
	}
	ck_assert_uint_eq(seen, nr);
	ck_assert_uint_eq(o.nr_late, 0);
	order_release(&o);
	reader_free(reader);
	builder_release(&b);
}
END_TEST

START_TEST(order_gives_what_was_read_before_an_error)
{
	static const uint64_t no_record[] = { 2, 0 };	/* a header of size 0 */
	struct recording_builder b;
	struct reader *reader;
	struct err e = { 0 };
	struct record r;
	struct order o;
	const void *bytes;
	size_t len;

	build(&b, "2 1");
	str_add_bytes(&b.bytes, no_record, sizeof(no_record));
	bytes = builder_finish(&b, &len);
	ck_assert_int_eq(reader_open_bytes(bytes, len, &reader, &e), 0);
	order_init(&o, reader);
	ck_assert_int_eq(order_next(&o, &r, &e), 1);
	ck_assert_uint_eq(r.time, 1);
	ck_assert_int_eq(order_next(&o, &r, &e), 1);
	ck_assert_uint_eq(r.time, 2);
	ck_assert_int_eq(order_next(&o, &r, &e), -EINVAL);
	ck_assert_int_eq(order_next(&o, &r, &e), -EINVAL);
	ck_assert(strstr(e.what, "offset") != NULL);
	order_release(&o);
	reader_free(reader);
	builder_release(&b);
}
END_TEST

Suite *check_order_suite(void)
{
	Suite *s = suite_create("order");
	TCase *tc = tcase_create("order");

	tcase_add_loop_test(tc, order_sorts_by_rounds, 0, ARRAY_LEN(scripts));
	tcase_add_loop_test(tc, order_is_by_time_and_then_by_file, 0, 50);
	tcase_add_test(tc, order_gives_what_was_read_before_an_error);
	suite_add_tcase(s, tc);
	return s;
}
