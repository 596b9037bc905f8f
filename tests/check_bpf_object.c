/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <check.h>

#include "base/vec.h"
#include "collector/bpf_object.h"
#include "tests/harness.h"

Suite *check_bpf_object_suite(void);

BPF_OBJECT(follow);
BPF_OBJECT(calls);
BPF_OBJECT(probe);
BPF_OBJECT(python);
BPF_OBJECT(socket_calls);
BPF_OBJECT(socket_traced);

#define OBJECT(name) { #name, bpf_object_##name, bpf_object_##name##_end }

static const struct {
	const char *name;
	const uint8_t *begin, *end;
} objects[] = {
	OBJECT(follow), OBJECT(calls), OBJECT(probe), OBJECT(python), OBJECT(socket_calls), OBJECT(socket_traced),
};

/*
 * A recording begins when the kernel has looked at each way through the programs: a tenth of a second for 200,000
 * instructions. It refuses what takes a million.
 */
START_TEST(programs_are_verified_soon)
{
	enum { VERIFIED_MAX = 200000 };
	struct bpf_object *object;
	struct bpf_program *program;
	struct err e = { 0 };

	ck_assert_msg(!bpf_object_load_embedded(objects[_i].name, objects[_i].begin, objects[_i].end, NULL, &object, &e),
		      "%s: %s", objects[_i].name, e.what);
	bpf_object__for_each_program(program, object)
	{
		struct bpf_prog_info info = { 0 };
		uint32_t len = sizeof(info);

		if (bpf_program__fd(program) < 0)
			continue;	/* for tracepoints that this kernel does not have */
		ck_assert_int_eq(bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &len), 0);
		ck_assert_msg(info.verified_insns < VERIFIED_MAX, "%s: %u", info.name, info.verified_insns);
	}
	bpf_object__close(object);
}
END_TEST

Suite *check_bpf_object_suite(void)
{
	Suite *suite = suite_create("bpf_object");
	TCase *tc = tcase_create("bpf_object");

	tcase_set_timeout(tc, 60);
	if (harness_can_or_omit(suite, "programs_are_verified_soon", CAN_BPF))
		tcase_add_loop_test(tc, programs_are_verified_soon, 0, ARRAY_LEN(objects));
	suite_add_tcase(suite, tc);
	return suite;
}
