/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <inttypes.h>

#include "base/str.h"
#include "report/outstanding.h"

Suite *check_outstanding_suite(void);

static void began(void *self, uint64_t nr)
{
	str_addf(self, "+%" PRIu64, nr);
}

static void ended(void *self, uint64_t nr)
{
	str_addf(self, "-%" PRIu64, nr);
}

static void ask(struct outstanding *o, uint32_t kind, const struct exchange_listener *l)
{
	outstanding_begin(o, l);
	ck_assert(outstanding_asked(o, kind));
}

START_TEST(answers_come_in_order)
{
	struct str said = { 0 };
	struct exchange_listener l = { .self = &said, .began = began, .ended = ended };
	struct outstanding o = { 0 };
	uint32_t kind;

	ck_assert(!outstanding_first(&o, &kind));
	ask(&o, 0, &l);
	ask(&o, 0, &l);
	outstanding_begin(&o, &l);
	outstanding_end_open(&o, &l);
	ask(&o, 0, &l);
	ask(&o, 7, &l);
	outstanding_answered(&o, &l);
	outstanding_answered(&o, &l);
	outstanding_answered(&o, &l);
	ck_assert(outstanding_first(&o, &kind));
	ck_assert_uint_eq(kind, 7);
	outstanding_end(&o, &l);
	outstanding_end_open(&o, &l);
	ck_assert_str_eq(str_cstr(&said), "+1+2+3-3+4+5-1-2-4-5");
	outstanding_release(&o);
	str_release(&said);
}
END_TEST

/* Kinds that take turns are the worst case: one run each. */
START_TEST(requests_are_bounded)
{
	struct str said = { 0 };
	struct exchange_listener l = { .self = &said, .began = began, .ended = ended };
	struct outstanding o = { 0 };
	uint32_t i;

	for (i = 0; i < (_i ? OUTSTANDING_RUNS_MAX : OUTSTANDING_MAX); i++)
		ask(&o, _i ? i % 2 : 0, &l);
	outstanding_begin(&o, &l);
	ck_assert(!outstanding_asked(&o, _i ? i % 2 : 0));
	ck_assert_uint_eq(o.open, i + 1);
	ck_assert_uint_eq(o.nr_asked, i);
	outstanding_end(&o, &l);
	ck_assert_uint_eq(o.nr_asked, 0);
	outstanding_release(&o);
	str_release(&said);
}
END_TEST

Suite *check_outstanding_suite(void)
{
	Suite *s = suite_create("outstanding");
	TCase *tc = tcase_create("outstanding");

	tcase_add_test(tc, answers_come_in_order);
	tcase_add_loop_test(tc, requests_are_bounded, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
