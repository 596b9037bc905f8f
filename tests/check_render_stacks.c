/* SPDX-License-Identifier: Apache-2.0 */
/* Formats that draw stacks. That equal profiles are equal bytes is golden, in check_render.c. */
#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness.h"
#include "tests/render_models.h"

Suite *check_render_stacks_suite(void);

START_TEST(callers_that_nobody_knows_have_no_node)
{
	struct stack_tree t = { 0 };

	stack_tree_add(&t, (uint32_t[]){ 5, UINT32_MAX, 7 }, 3, 1, 10);
	stack_tree_add(&t, (uint32_t[]){ 5, 7, UINT32_MAX }, 3, 0, 20);
	stack_tree_add(&t, (uint32_t[]){ 7 }, 1, 2, 30);
	ck_assert_uint_eq(t.nodes.nr, 3);
	ck_assert_uint_eq(t.nodes.at[1].function, 7);
	ck_assert_uint_eq(t.nodes.at[1].self, 30);
	ck_assert_uint_eq(t.nodes.at[1].nr_samples, 2);
	ck_assert_uint_eq(t.nodes.at[2].function, 5);
	ck_assert_uint_eq(t.nodes.at[2].caller, 1);
	ck_assert_uint_eq(t.nodes.at[2].self, 30);
	ck_assert_uint_eq(t.nodes.at[2].nr_samples, 1);
	stack_tree_release(&t);
}
END_TEST

static void check_stacks(json_t *profile, size_t nr_frames)
{
	json_t *samples = json_object_get(profile, "samples"), *stack, *frame;
	json_t *weights = json_object_get(profile, "weights");
	json_int_t total = 0;
	size_t i, k;

	ck_assert_str_eq(json_string_value(json_object_get(profile, "type")), "sampled");
	ck_assert(json_string_length(json_object_get(profile, "name")) > 0);
	ck_assert_uint_eq(json_array_size(samples), json_array_size(weights));
	json_array_foreach(samples, i, stack) {
		ck_assert_uint_gt(json_array_size(stack), 0);
		json_array_foreach(stack, k, frame)
			ck_assert_uint_lt((size_t)json_integer_value(frame), nr_frames);
		total += json_integer_value(json_array_get(weights, i));
	}
	ck_assert(json_is_integer(json_object_get(profile, "startValue")));
	ck_assert_int_eq(json_integer_value(json_object_get(profile, "endValue")), total);
}

/* What www.speedscope.app/file-format-schema.json asks for of the parts that we write. */
START_TEST(speedscope_has_what_its_schema_requires)
{
	size_t len, i;
	char *text;
	const char *model = render_model((size_t)_i, &render_speedscope, &text, &len);
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	json_t *profile, *frame;
	json_t *frames = json_object_get(json_object_get(root, "shared"), "frames");

	ck_assert(json_is_string(json_object_get(root, "$schema")));
	ck_assert(json_is_array(frames));
	json_array_foreach(frames, i, frame) {
		json_t *line = json_object_get(frame, "line");

		ck_assert(json_is_string(json_object_get(frame, "name")));
		ck_assert(json_is_string(json_object_get(frame, "file")));
		ck_assert(!line || json_integer_value(line) > 0);
	}
	json_array_foreach(json_object_get(root, "profiles"), i, profile) {
		const char *unit = json_string_value(json_object_get(profile, "unit"));

		ck_assert_str_eq(unit, strcmp(model, "cycles") ? "nanoseconds" : "none");
		check_stacks(profile, json_array_size(frames));
	}
	json_decref(root);
	free(text);
}
END_TEST

/* Of all lines, each of which ends in a number. */
static json_int_t sum_of_folded(int model)
{
	json_int_t sum = 0;
	char *text, *line, *rest;
	size_t len;

	render_model((size_t)model, &render_folded, &text, &len);
	rest = text;
	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line)
			sum += strtoll(strrchr(line, ' '), NULL, 10);
	free(text);
	return sum;
}

START_TEST(speedscope_has_what_is_folded)
{
	json_t *root, *profile;
	json_int_t sum = 0;
	size_t len, i;
	char *text;

	render_model((size_t)_i, &render_speedscope, &text, &len);
	root = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
	json_array_foreach(json_object_get(root, "profiles"), i, profile)
		sum += json_integer_value(json_object_get(profile, "endValue"));
	ck_assert_int_eq(sum, sum_of_folded(_i));
	json_decref(root);
	free(text);
}
END_TEST

/* What breaks a line, or turns what is seen round. */
static void shows_no_invisible_text(int model, const struct renderer *r)
{
	static const char *const invisible[] = { "\xe2\x80\xa8", "\xe2\x80\xae", "\xc2\xa0", "\xef\xbf\xbe" };
	size_t len, i;
	char *text;

	render_model((size_t)model, r, &text, &len);
	for (i = 0; i < ARRAY_LEN(invisible); i++)
		ck_assert_ptr_null(strstr(text, invisible[i]));
	free(text);
}

START_TEST(what_is_not_seen_is_escaped)
{
	shows_no_invisible_text(_i, &render_folded);
	shows_no_invisible_text(_i, &render_flamegraph);
}
END_TEST

static const char *rendered_file(int i, const struct renderer *r)
{
	const char *path;
	size_t len;
	char *text;

	render_model((size_t)i, r, &text, &len);
	path = harness_file(r->name, text, len);
	free(text);
	return path;
}

START_TEST(flamegraph_draws_what_is_folded)
{
	const char *folded = rendered_file(_i, &render_folded);
	const char *picture = rendered_file(_i, &render_flamegraph);
	struct run r = { 0 };

	run_shell(&r, "python3 tests/flame_referee.py '%s' '%s'", folded, picture);
	ck_assert_exit(&r, 0);
	run_release(&r);
}
END_TEST

Suite *check_render_stacks_suite(void)
{
	Suite *s = suite_create("render_stacks");
	TCase *tc = tcase_create("render_stacks"), *referee = tcase_create("referee");
	int nr = (int)nr_render_models();

	tcase_add_test(tc, callers_that_nobody_knows_have_no_node);
	tcase_add_loop_test(tc, speedscope_has_what_its_schema_requires, 0, nr);
	tcase_add_loop_test(tc, speedscope_has_what_is_folded, 0, nr);
	tcase_add_loop_test(tc, what_is_not_seen_is_escaped, 0, nr);
	suite_add_tcase(s, tc);
	tcase_set_timeout(referee, 60);
	tcase_add_loop_test(referee, flamegraph_draws_what_is_folded, 0, nr);
	if (!system("python3 -c '' >/dev/null 2>&1"))
		suite_add_tcase(s, referee);
	else
		harness_omit(s, "referee", "python3 is not here");
	return s;
}
