/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of kallsyms that a recording brought along; the running kernel's are check_symbolizer.c's. */
#include <check.h>
#include <string.h>

#include "symbolizer/symbolizer.h"

Suite *check_source_kernel_suite(void);

/* Where no kernel of this machine is, so that nothing of it can answer. */
#define START 0xffffff8012340000ULL
static const char lines[] = "ffffff8012340000 T _text\n"
			    "ffffff8012340000 T _stext\n"
			    "ffffff8012341000 t do_work\n"
			    "ffffff8012342000 T do_more\n"
			    "ffffffc0aabb0000 t helper\t[some_module]\n";
static const char elsewhere[] = "ffffff8000000000 T _stext\n"
				"ffffff8012341000 t wrong\n";
static const uint8_t build_id[20] = "of no machine at all";

struct fixture {
	struct strings strings;
	struct symbolizer_options options;
	struct symbolizer *symbolizer;
};

static void setup(struct fixture *f)
{
	*f = (struct fixture){ 0 };
	strings_id(&f->strings, "");
	f->symbolizer = symbolizer_new(&f->options, &f->strings);
}

static void teardown(struct fixture *f)
{
	symbolizer_free(f->symbolizer);
	strings_release(&f->strings);
}

static uint32_t kernel(struct fixture *f)
{
	const struct module_key key = { .kind = MODULE_KERNEL,
					.path = "[kernel]",
					.build_id = build_id,
					.build_id_len = sizeof(build_id),
					.kernel_start = START };

	return symbolizer_module(f->symbolizer, &key);
}

static const struct frame *frame_at(struct fixture *f, uint32_t module, struct code_addr at)
{
	const struct frame *frames;
	size_t nr;

	symbolizer_resolve(f->symbolizer, module, at, &frames, &nr);
	ck_assert_uint_eq(nr, 1);
	ck_assert(frames[0].is_kernel);
	return &frames[0];
}

static const struct {
	struct code_addr at;
	const char *function, *module;
} cases[] = {
	{ { START + 0x1000, false }, "do_work", "[kernel]" },
	{ { START + 0x1fff, false }, "do_work", "[kernel]" },
	{ { START + 0x2000, false }, "do_more", "[kernel]" },
	{ { START + 0x2000, true }, "do_work", "[kernel]" },	/* the call stands before */
	{ { 0xffffffc0aabb0010, false }, "helper", "[some_module]" },
	{ { START - 0x1000, false }, "", "[kernel]" },
};

START_TEST(lines_name_kernel_and_modules)
{
	const struct frame *frame;
	struct fixture f;

	setup(&f);
	symbolizer_next_recording(f.symbolizer);
	symbolizer_add_kallsyms(f.symbolizer, build_id, sizeof(build_id), lines, sizeof(lines) - 1);
	frame = frame_at(&f, kernel(&f), cases[_i].at);
	ck_assert_str_eq(strings_text(&f.strings, frame->function), cases[_i].function);
	ck_assert_str_eq(strings_text(&f.strings, frame->module), cases[_i].module);
	teardown(&f);
}
END_TEST

/* The same kernel in a recording that brought nothing along: its samples may need other lines. */
START_TEST(lines_serve_their_recording_only)
{
	const struct code_addr at = { START + 0x1000, false };
	uint32_t first, second;
	struct fixture f;

	setup(&f);
	symbolizer_next_recording(f.symbolizer);
	symbolizer_add_kallsyms(f.symbolizer, build_id, sizeof(build_id), lines, sizeof(lines) - 1);
	first = kernel(&f);
	symbolizer_next_recording(f.symbolizer);
	second = kernel(&f);
	ck_assert_uint_ne(first, second);
	ck_assert_str_eq(strings_text(&f.strings, frame_at(&f, first, at)->function), "do_work");
	ck_assert_str_eq(strings_text(&f.strings, frame_at(&f, second, at)->function), "");
	teardown(&f);
}
END_TEST

/* Another boot (KASLR), another build: the lines are not its own. */
START_TEST(lines_of_another_kernel_are_not_used)
{
	const struct code_addr at = { START + 0x1000, false };
	uint8_t other[sizeof(build_id)];
	struct fixture f;

	setup(&f);
	memcpy(other, build_id, sizeof(other));
	other[0] ^= 1;
	symbolizer_next_recording(f.symbolizer);
	symbolizer_add_kallsyms(f.symbolizer, other, sizeof(other), lines, sizeof(lines) - 1);
	symbolizer_add_kallsyms(f.symbolizer, build_id, sizeof(build_id),
				elsewhere, sizeof(elsewhere) - 1);
	ck_assert_str_eq(strings_text(&f.strings, frame_at(&f, kernel(&f), at)->function), "");
	teardown(&f);
}
END_TEST

/* Of one address the last; of one recording, and not beyond its end. */
START_TEST(code_that_the_kernel_made_has_its_name)
{
	static const uint64_t addr = 0xffffffffc0005000;
	struct fixture f;
	uint32_t module;

	setup(&f);
	symbolizer_next_recording(f.symbolizer);
	symbolizer_add_kallsyms(f.symbolizer, build_id, sizeof(build_id), lines, sizeof(lines) - 1);
	symbolizer_add_kernel_code(f.symbolizer, addr, 0x100, "bpf_prog_first");
	symbolizer_add_kernel_code(f.symbolizer, addr, 0x80, "bpf_prog_second");
	module = kernel(&f);
	ck_assert_str_eq(strings_text(&f.strings, frame_at(&f, module, (struct code_addr){ addr, false })->function),
			 "bpf_prog_second");
	ck_assert_str_eq(strings_text(&f.strings, frame_at(&f, module, (struct code_addr){ addr + 0x7f, false })->module),
			 "[bpf]");
	ck_assert_str_eq(strings_text(&f.strings, frame_at(&f, module, (struct code_addr){ addr + 0x90, false })->function),
			 "bpf_prog_first");
	ck_assert_str_eq(strings_text(&f.strings, frame_at(&f, module, (struct code_addr){ addr + 0x100, false })->function),
			 "");
	symbolizer_next_recording(f.symbolizer);
	ck_assert_str_eq(strings_text(&f.strings, frame_at(&f, kernel(&f), (struct code_addr){ addr, false })->function), "");
	teardown(&f);
}
END_TEST

Suite *check_source_kernel_suite(void)
{
	Suite *s = suite_create("source_kernel");
	TCase *tc = tcase_create("travelled");

	tcase_add_loop_test(tc, lines_name_kernel_and_modules, 0, ARRAY_LEN(cases));
	tcase_add_test(tc, lines_serve_their_recording_only);
	tcase_add_test(tc, lines_of_another_kernel_are_not_used);
	tcase_add_test(tc, code_that_the_kernel_made_has_its_name);
	suite_add_tcase(s, tc);
	return s;
}
