/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "symbolizer/ranges.h"
#include "recording/space.h"

Suite *check_space_suite(void);

struct wanted {
	uint64_t addr;
	uint32_t module;	/* 0: none */
	uint64_t off;		/* of addr in the file */
};

static const struct {
	struct mapping maps[6];
	struct wanted want[8];
} space_cases[] = {
	{ .maps = { { 0x1000, 0x2000, 0x500, 1 } },
	  .want = { { 0xfff, 0, 0 },
		    { 0x1000, 1, 0x500 },
		    { 0x1fff, 1, 0x14ff },
		    { 0x2000, 0, 0 } } },
	/* in the middle: what it replaced goes on after it */
	{ .maps = { { 0x1000, 0x5000, 0, 1 }, { 0x2000, 0x3000, 0x10, 2 } },
	  .want = { { 0x1fff, 1, 0xfff },
		    { 0x2000, 2, 0x10 },
		    { 0x2fff, 2, 0x100f },
		    { 0x3000, 1, 0x2000 },
		    { 0x4fff, 1, 0x3fff } } },
	/* over several, the outer ones cut */
	{ .maps = { { 0x1000, 0x2000, 0, 1 },
		    { 0x2000, 0x3000, 0, 2 },
		    { 0x4000, 0x5000, 0, 3 },
		    { 0x1800, 0x4800, 0, 4 } },
	  .want = { { 0x17ff, 1, 0x7ff },
		    { 0x1800, 4, 0 },
		    { 0x2800, 4, 0x1000 },
		    { 0x3800, 4, 0x2000 },
		    { 0x4800, 3, 0x800 } } },
	/* exactly over one, and over nothing */
	{ .maps = { { 0x1000, 0x2000, 0, 1 }, { 0x1000, 0x2000, 0, 2 }, { 0x8000, 0x9000, 0, 3 } },
	  .want = { { 0x1000, 2, 0 }, { 0x1fff, 2, 0xfff }, { 0x8000, 3, 0 } } },
	/* empty and wrapped ones are ignored */
	{ .maps = { { 0x1000, 0x1000, 0, 1 }, { 0x3000, 0x2000, 0, 2 } },
	  .want = { { 0x1000, 0, 0 }, { 0x2800, 0, 0 } } },
	/* up to the end of the address space */
	{ .maps = { { UINT64_MAX - 0xfff, UINT64_MAX, 0, 1 } },
	  .want = { { UINT64_MAX - 1, 1, 0xffe }, { UINT64_MAX, 0, 0 } } },
};

static void expect(const struct space *s, const struct wanted *want)
{
	for (; want->addr; want++) {
		const struct mapping *m = space_find(s, want->addr);

		ck_assert_uint_eq(m ? m->module : 0, want->module);
		if (m)
			ck_assert_uint_eq(m->off + (want->addr - m->start), want->off);
	}
}

START_TEST(space_keeps_the_latest_mapping)
{
	struct space s = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(space_cases[_i].maps); i++)
		space_map(&s, space_cases[_i].maps[i]);
	expect(&s, space_cases[_i].want);
	space_release(&s);
}
END_TEST

START_TEST(space_forks_and_clears)
{
	struct space parent = { 0 }, child = { 0 };
	uint32_t generation;

	space_map(&parent, (struct mapping){ 0x1000, 0x2000, 0, 1 });
	space_map(&child, (struct mapping){ 0x7000, 0x8000, 0, 9 });
	generation = child.generation;
	space_fork(&child, &parent);
	ck_assert_uint_gt(child.generation, generation);
	ck_assert_ptr_null(space_find(&child, 0x7000));
	space_map(&parent, (struct mapping){ 0x1000, 0x2000, 0, 2 });
	ck_assert_uint_eq(space_find(&child, 0x1000)->module, 1);
	ck_assert_uint_eq(space_find(&parent, 0x1000)->module, 2);
	generation = child.generation;
	space_clear(&child);
	ck_assert_uint_gt(child.generation, generation);
	ck_assert_ptr_null(space_find(&child, 0x1000));
	space_fork(&parent, &child);
	ck_assert_ptr_null(space_find(&parent, 0x1000));
	space_release(&parent);
	space_release(&child);
}
END_TEST

/* Of many children of one process, those that change nothing have no mappings of their own. */
START_TEST(space_shares_mappings_until_they_change)
{
	struct space s[4] = { { 0 } };
	size_t i;

	space_map(&s[0], (struct mapping){ 0x1000, 0x2000, 0, 1 });
	for (i = 1; i < ARRAY_LEN(s); i++) {
		space_fork(&s[i], &s[i - 1]);
		ck_assert_ptr_eq(s[i].maps, s[0].maps);
	}
	space_map(&s[1], (struct mapping){ 0x1800, 0x3000, 0, 2 });
	ck_assert_ptr_ne(s[1].maps, s[0].maps);
	ck_assert_uint_eq(space_find(&s[1], 0x1800)->module, 2);
	ck_assert_uint_eq(space_find(&s[0], 0x1800)->module, 1);
	ck_assert_ptr_null(space_find(&s[0], 0x2000));
	space_release(&s[0]);
	ck_assert_ptr_null(space_find(&s[0], 0x1800));
	space_clear(&s[2]);
	ck_assert_ptr_null(space_find(&s[2], 0x1800));
	/* The last one that has them changes them in place. */
	space_map(&s[3], (struct mapping){ 0x1800, 0x3000, 0, 3 });
	ck_assert_uint_eq(space_find(&s[3], 0x1800)->module, 3);
	ck_assert_uint_eq(space_find(&s[3], 0x17ff)->module, 1);
	for (i = 0; i < ARRAY_LEN(s); i++)
		space_release(&s[i]);
}
END_TEST

#define NR_PAGES 64

/* Against an array with one entry a page, which has no cases to get wrong. */
START_TEST(space_agrees_with_an_array)
{
	uint32_t pages[NR_PAGES] = { 0 };
	struct space s = { 0 };
	uint32_t i, page;

	srand((unsigned int)_i);
	for (i = 1; i < 200; i++) {
		uint32_t from = (uint32_t)rand() % NR_PAGES;
		uint32_t to = from + (uint32_t)rand() % (NR_PAGES - from) + 1;

		space_map(&s, (struct mapping){ from * 0x1000ULL, to * 0x1000ULL,
						from * 0x1000ULL, i });
		for (page = from; page < to; page++)
			pages[page] = i;
		for (page = 0; page < NR_PAGES; page++) {
			const struct mapping *m = space_find(&s, page * 0x1000ULL + 7);

			ck_assert_uint_eq(m ? m->module : 0, pages[page]);
			if (m)
				ck_assert_uint_eq(m->off, m->start);
		}
	}
	space_release(&s);
}
END_TEST

static const struct {
	enum ranges_rule rule;
	struct range in[5];
	struct range out[6];
} ranges_cases[] = {
	{ RANGES_INNERMOST, { { 10, 20, 1 }, { 30, 40, 2 } }, { { 10, 20, 1 }, { 30, 40, 2 } } },
	{ RANGES_INNERMOST, { { 10, 50, 1 }, { 20, 30, 2 }, { 24, 26, 3 } },
	  { { 10, 20, 1 }, { 20, 24, 2 }, { 24, 26, 3 }, { 26, 30, 2 }, { 30, 50, 1 } } },
	/* the same start: the shorter lies further in; the same range: the higher id */
	{ RANGES_INNERMOST, { { 10, 20, 1 }, { 10, 40, 2 } }, { { 10, 20, 1 }, { 20, 40, 2 } } },
	{ RANGES_INNERMOST, { { 10, 20, 2 }, { 10, 20, 1 } }, { { 10, 20, 2 } } },
	{ RANGES_INNERMOST, { { 10, 30, 1 }, { 20, 40, 2 } }, { { 10, 20, 1 }, { 20, 40, 2 } } },
	{ RANGES_LATEST, { { 10, 30, 2 }, { 20, 40, 1 } }, { { 10, 30, 2 }, { 30, 40, 1 } } },
	{ RANGES_LATEST, { { 10, 50, 3 }, { 20, 30, 1 }, { 45, 60, 4 } },
	  { { 10, 45, 3 }, { 45, 60, 4 } } },
	{ RANGES_LATEST, { { 20, 10, 1 }, { 5, 5, 2 } }, { { 0 } } },
};

START_TEST(ranges_are_cut_to_one_owner)
{
	struct ranges r = { 0 };
	size_t i, nr = 0;

	for (i = 0; i < ARRAY_LEN(ranges_cases[_i].in); i++)
		ranges_add(&r, ranges_cases[_i].in[i].start, ranges_cases[_i].in[i].end,
			   ranges_cases[_i].in[i].id);
	ranges_flatten(&r, ranges_cases[_i].rule);
	while (nr < ARRAY_LEN(ranges_cases[_i].out) && ranges_cases[_i].out[nr].end)
		nr++;
	ck_assert_uint_eq(r.list.nr, nr);
	for (i = 0; i < nr; i++) {
		ck_assert_uint_eq(r.list.at[i].start, ranges_cases[_i].out[i].start);
		ck_assert_uint_eq(r.list.at[i].end, ranges_cases[_i].out[i].end);
		ck_assert_uint_eq(r.list.at[i].id, ranges_cases[_i].out[i].id);
	}
	ranges_release(&r);
}
END_TEST

/* Who owns a byte, by the words of ranges.h. */
static uint32_t owner(const struct range *all, uint32_t nr, enum ranges_rule rule, uint64_t addr)
{
	const struct range *best = NULL;
	uint32_t i;

	for (i = 0; i < nr; i++) {
		const struct range *r = &all[i];

		if (addr < r->start || addr >= r->end)
			continue;
		if (!best || (rule == RANGES_LATEST ? r->id > best->id :
			      r->start != best->start ? r->start > best->start :
			      r->end != best->end ? r->end < best->end : r->id > best->id))
			best = r;
	}
	return best ? best->id : 0;
}

START_TEST(ranges_agree_with_their_definition)
{
	enum ranges_rule rule = _i & 1 ? RANGES_LATEST : RANGES_INNERMOST;
	struct range all[40];
	struct ranges r = { 0 };
	uint64_t addr;
	uint32_t i;

	srand((unsigned int)_i);
	for (i = 0; i < ARRAY_LEN(all); i++) {
		all[i].start = (uint64_t)(rand() % 200);
		all[i].end = all[i].start + (uint64_t)(rand() % 60);
		all[i].id = i + 1;
		ranges_add(&r, all[i].start, all[i].end, all[i].id);
	}
	ranges_flatten(&r, rule);
	ck_assert_uint_le(r.list.nr, 2 * ARRAY_LEN(all));
	for (addr = 0; addr < 300; addr++) {
		uint32_t id = 0;

		ranges_find(&r, addr, &id);
		ck_assert_uint_eq(id, owner(all, ARRAY_LEN(all), rule, addr));
	}
	ranges_release(&r);
}
END_TEST

Suite *check_space_suite(void)
{
	Suite *s = suite_create("space");
	TCase *tc = tcase_create("space");

	tcase_add_loop_test(tc, space_keeps_the_latest_mapping, 0, ARRAY_LEN(space_cases));
	tcase_add_test(tc, space_forks_and_clears);
	tcase_add_test(tc, space_shares_mappings_until_they_change);
	tcase_add_loop_test(tc, space_agrees_with_an_array, 0, 20);
	suite_add_tcase(s, tc);
	tc = tcase_create("ranges");
	tcase_add_loop_test(tc, ranges_are_cut_to_one_owner, 0, ARRAY_LEN(ranges_cases));
	tcase_add_loop_test(tc, ranges_agree_with_their_definition, 0, 40);
	suite_add_tcase(s, tc);
	return s;
}
