/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "base/alloc.h"
#include "report/turns.h"

Suite *check_turns_suite(void);

static enum recognition recognize(const uint8_t *bytes, size_t len)
{
	return !len ? RECOGNIZED_MAYBE : *bytes == 'y' ? RECOGNIZED : RECOGNIZED_NOT;
}

static const struct protocol protocol = { .recognize = recognize };

static void skipped(void *self, uint64_t nr_bytes)
{
	*(uint64_t *)self += nr_bytes;
}

/*
 * y, n: a read of bytes that are recognized, or not; p: one with an answer that goes on; w: a
 * write; r: the next read begins an exchange; P, A: place or answer is lost. Wanted of the last read: taken, over.
 */
static const struct {
	const char *events;
	bool is_taken, is_over;
	uint64_t nr_skipped;
} cases[] = {
	{ "y", true, false, 0 },    { "n", false, false, 7 },	 { "ny", false, false, 14 },
	{ "nwy", true, true, 7 },   { "wy", true, false, 0 },	 { "yn", true, false, 0 },
	{ "ywn", true, false, 0 },  { "yPy", false, false, 8 },	 { "yPwy", true, true, 1 },
	{ "yPwn", false, true, 8 }, { "yPwp", false, false, 8 }, { "ywAn", true, true, 0 },
	{ "ywAp", true, true, 0 },  { "ywAnn", true, false, 0 },   { "yPry", true, true, 1 },
	{ "yPwnry", true, true, 8 },
};

START_TEST(place_is_found_again)
{
	uint64_t nr_skipped = 0;
	struct exchange_listener l = { .self = &nr_skipped, .skipped = skipped };
	struct turn turn = { 0 };
	struct turns t = { 0 };
	const char *at;

	for (at = cases[_i].events; *at; at++) {
		uint8_t byte = *at == 'p' ? 'y' : (uint8_t)*at;
		struct chunk c = { &byte, 1, 8 };

		if (*at == 'w')
			turns_write(&t);
		else if (*at == 'r')
			turns_renew(&t);
		else if (*at == 'P')
			turns_lose_place(&t, 1, &l);
		else if (*at == 'A')
			turns_lose_answer(&t);
		else
			turn = turns_read(&t, &protocol, &c, *at == 'p', &l);
	}
	ck_assert(turn.is_taken == cases[_i].is_taken);
	ck_assert(turn.is_over == cases[_i].is_over);
	ck_assert_uint_eq(nr_skipped, cases[_i].nr_skipped);
}
END_TEST

START_TEST(close_completes_what_was_lost)
{
	struct exchange_listener l = { 0 };
	struct chunk c = { (const uint8_t *)"y", 1, 1 };
	struct turns t = { 0 };

	turns_read(&t, &protocol, &c, false, &l);
	ck_assert(turns_write(&t));
	ck_assert(!turns_close(&t));
	turns_lose_answer(&t);
	ck_assert(!turns_write(&t));
	ck_assert(turns_close(&t));
}
END_TEST

Suite *check_turns_suite(void)
{
	Suite *s = suite_create("turns");
	TCase *tc = tcase_create("turns");

	tcase_add_loop_test(tc, place_is_found_again, 0, ARRAY_LEN(cases));
	tcase_add_test(tc, close_completes_what_was_lost);
	suite_add_tcase(s, tc);
	return s;
}
