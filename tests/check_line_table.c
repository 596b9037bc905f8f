/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/source_lines.h"
#include "tests/cfi_image.h"
#include "tests/harness.h"
#include "tests/line_program.h"

Suite *check_line_table_suite(void);

/* "FILE:LINE", or "-" where nothing covers addr. Lent until the next call. */
static const char *line_at(struct line_table *t, uint64_t addr)
{
	static char text[256];
	const char *file;
	uint64_t number;
	uint32_t line;

	if (!line_table_find(t, addr, &number, &line))
		return "-";
	file = line_table_file(t, number);
	snprintf(text, sizeof(text), "%s:%u", file ? file : "?", line);
	return text;
}

/* ---- programs by hand ---- */

static const struct {
	const char *what, *operations;
	size_t len;
	struct {
		uint64_t addr;
		const char *want;	/* NULL: no more */
	} at[6];
} programs[] = {
	{ "copy, and the end",
	  BYTES("\x03\x09\x01\x02\x10\0\x01\x01"),
	  { { 0xfff, "-" }, { 0x1000, "/src/main.c:10" }, { 0x100f, "/src/main.c:10" }, { 0x1010, "-" } } },
	{ "special operations: 20 is +2 lines, 4b is +1 line and +4 bytes",
	  BYTES("\x14\x4b\x02\x08\0\x01\x01"),
	  { { 0x1000, "/src/main.c:3" }, { 0x1003, "/src/main.c:3" }, { 0x1004, "/src/main.c:4" },
	    { 0x100b, "/src/main.c:4" }, { 0x100c, "-" } } },
	{ "const_add_pc is 17 bytes, fixed_advance_pc 16 bits",
	  BYTES("\x01\x08\x14\x09\x00\x01\x14\0\x01\x01"),
	  { { 0x1010, "/src/main.c:1" }, { 0x1011, "/src/main.c:3" }, { 0x1110, "/src/main.c:3" },
	    { 0x1111, "-" } } },
	{ "another file, back to a line before, and to no line",
	  BYTES("\x14\x04\x02\x15\x02\x04\x03\x7e\x01\x02\x04\x03\x7c\x01\x02\x04\0\x01\x01"),
	  { { 0x1000, "inc/two.h:6" }, { 0x1004, "inc/two.h:4" }, { 0x1008, "inc/two.h:0" } } },
	{ "what does not matter: column, statement, block, prologue, epilogue, isa, discriminator",
	  BYTES("\x05\x07\x06\x07\x0a\x0b\x0c\x01\0\x02\x04\x03\x01\x02\x04\0\x01\x01"),
	  { { 0x1000, "/src/main.c:1" }, { 0x1003, "/src/main.c:1" }, { 0x1004, "-" } } },
	{ "of two rows of one address the last one counts",
	  BYTES("\x14\x14\x02\x04\x14\x14\x14\x02\x04\0\x01\x01"),
	  { { 0x1000, "/src/main.c:5" }, { 0x1004, "/src/main.c:11" } } },
	{ "a sequence of no bytes covers none",
	  BYTES("\x14\0\x01\x01"), { { 0xfff, "-" }, { 0x1000, "-" } } },
	{ "without an end the last row is it",
	  BYTES("\x14\x02\x08\x14"), { { 0x1007, "/src/main.c:3" }, { 0x1008, "-" } } },
	{ "a file that is not there",
	  BYTES("\x04\x07\x01\x02\x04\0\x01\x01"), { { 0x1000, "?:1" } } },
};

/* Each of them in all versions of the format; the paths are the same. */
static void check_program(size_t i, uint16_t version, bool is_64)
{
	struct line_program p = { .version = version, .is_64 = is_64 };
	struct line_table *t;
	size_t n;

	line_program_begin(&p);
	line_program_address(&p, 0x1000);
	line_program_add(&p, programs[i].operations, programs[i].len);
	line_program_finish(&p);
	t = line_table_new(&p.sections, 0, 8, "/src");
	ck_assert_msg(t, "%s, version %u", programs[i].what, version);
	for (n = 0; n < ARRAY_LEN(programs[i].at) && programs[i].at[n].want; n++) {
		const char *got = line_at(t, programs[i].at[n].addr);

		ck_assert_msg(!strcmp(got, programs[i].at[n].want), "%s, version %u, at %llx: %s", programs[i].what,
			      version, (unsigned long long)programs[i].at[n].addr, got);
	}
	line_table_free(t);
	line_program_release(&p);
}

START_TEST(operations_do_what_the_standard_says)
{
	uint16_t version;

	for (version = 2; version <= 5; version++) {
		check_program((size_t)_i, version, false);
		check_program((size_t)_i, version, true);
	}
}
END_TEST

START_TEST(sequences_come_in_any_order)
{
	struct line_program p = { .version = 5, .min_instruction_bytes = 4 };
	struct line_table *t;
	unsigned int i;

	line_program_begin(&p);
	/* long ones, so that marks are looked for, too */
	for (i = 0; i < 1000; i++)
		line_program_row(&p, 0x9000 + 4 * i, 1, 10 + i);
	line_program_end(&p, 0x9000 + 4 * 1000);
	for (i = 0; i < 500; i++)
		line_program_row(&p, 0x2000 + 4 * i, 2, 5000 - i);
	line_program_end(&p, 0x2000 + 4 * 500);
	/* what the linker dropped lies at 0, over others' addresses: who begins later is there */
	line_program_row(&p, 0, 1, 1);
	line_program_end(&p, 0x9800);
	line_program_finish(&p);
	t = line_table_new(&p.sections, 0, 8, NULL);
	ck_assert_ptr_nonnull(t);
	for (i = 0; i < 4000; i++) {
		char want[64];

		snprintf(want, sizeof(want), "/src/main.c:%u", 10 + i / 4);
		ck_assert_str_eq(line_at(t, 0x9000 + i), want);
		snprintf(want, sizeof(want), "inc/two.h:%u", 5000 - i / 4);
		if (i < 2000)
			ck_assert_str_eq(line_at(t, 0x2000 + i), want);
	}
	ck_assert_str_eq(line_at(t, 0x9000 + 4000), "-");
	line_table_free(t);
	line_program_release(&p);
}
END_TEST

START_TEST(only_old_tables_need_the_units_directory)
{
	static const char *const dirs[] = { NULL, "/elsewhere" }, *const want[] = { "main.c:1", "/elsewhere/main.c:1" };
	struct line_program p = { .version = (uint16_t)_i };
	size_t i;

	line_program_begin(&p);
	line_program_row(&p, 0x1000, 1, 1);
	line_program_end(&p, 0x1010);
	line_program_finish(&p);
	for (i = 0; i < 2; i++) {
		struct line_table *t = line_table_new(&p.sections, 0, 8, dirs[i]);

		ck_assert_str_eq(line_at(t, 0x1000), _i == 5 ? "/src/main.c:1" : want[i]);
		ck_assert_str_eq(line_table_file(t, 2), "inc/two.h");
		ck_assert_ptr_null(line_table_file(t, 3));
		line_table_free(t);
	}
	line_program_release(&p);
}
END_TEST

/* ---- damage ---- */

static const struct {
	const char *what, *operations;
	size_t len;
} unknown[] = {
	{ "an address that descends", BYTES("\x01\x02\x08\x01\0\x09\x02\x07\x10\0\0\0\0\0\0\x01\x02\x08\0\x01\x01") },
	{ "an end before its rows", BYTES("\x01\x02\x08\x01\0\x09\x02\x07\x10\0\0\0\0\0\0\0\x01\x01") },
	{ "an extended operation of nobody's", BYTES("\x01\0\x02\x80\0\x02\x08\0\x01\x01") },
	{ "an operand that is cut off", BYTES("\x01\x02\x80") },
	{ "an address that is cut off", BYTES("\x01\0\x05\x02\0\0\0\0") },
};

START_TEST(what_it_does_not_know_is_left_to_others)
{
	struct line_program p = { .version = 4 };

	line_program_begin(&p);
	line_program_address(&p, 0x1000);
	line_program_add(&p, unknown[_i].operations, unknown[_i].len);
	line_program_finish(&p);
	ck_assert_msg(!line_table_new(&p.sections, 0, 8, "/src"), "%s", unknown[_i].what);
	line_program_release(&p);
}
END_TEST

/* Any byte changed, any end: no table, or one that answers; see the sanitizers. */
START_TEST(damaged_tables_end)
{
	struct line_program p = { .version = (uint16_t)_i };
	struct line_sections cut;
	size_t at;

	line_program_begin(&p);
	line_program_row(&p, 0x1000, 1, 1);
	line_program_row(&p, 0x1008, 2, 9);
	line_program_end(&p, 0x1010);
	line_program_finish(&p);
	ck_assert_uint_eq(line_table_bytes(&p.sections, 0), p.bytes.len - 4);
	ck_assert_uint_eq(line_table_bytes(&p.sections, p.bytes.len), 0);
	for (at = 0; at < p.bytes.len; at++) {
		unsigned int value;

		for (value = 0; value < 256; value += 5) {
			char old = p.bytes.s[at];
			struct line_table *t;

			p.bytes.s[at] = (char)value;
			t = line_table_new(&p.sections, 0, 8, "/src");
			if (t)
				line_at(t, 0x1008);
			line_table_free(t);
			p.bytes.s[at] = old;
		}
		cut = p.sections;
		cut.line.len = at;
		ck_assert_ptr_null(line_table_new(&cut, 0, 8, "/src"));
	}
	line_program_release(&p);
}
END_TEST

/* ---- libdw is the referee ---- */

static const char source[] =
	"#include <stdlib.h>\n"
	"static inline int twice(int x)\n{\n\treturn 2 * x;\n}\n"
	"int loop(const char *s)\n{\n\tint sum = 0;\n\n\tfor (; *s; s++)\n\t\tsum += twice(*s);\n\treturn sum;\n}\n"
	"__attribute__((cold, noinline)) void die(void)\n{\n\tabort();\n}\n"
	"int main(int argc, char **argv)\n{\n\tif (argc > 5)\n\t\tdie();\n\treturn loop(argv[0]);\n}\n";

static const char *const ways[] = {
	"gcc -O0 -g -gdwarf-2", "gcc -O2 -g -gdwarf-3", "gcc -O2 -g -gdwarf-4", "gcc -O2 -g -gdwarf-5",
	"gcc -O2 -g -gdwarf-5 -gdwarf64", "gcc -Os -g -ffunction-sections -Wl,--gc-sections", "gcc -O3 -g -gz=zlib",
	"gcc -O2 -g -static", "clang -O2 -g", "clang -O2 -g -gdwarf-4 -ffunction-sections",
};

struct comparison {
	struct source_lines lines;
	Dwarf_Die unit;
	Dwarf_Lines *rows;
	size_t nr_rows, nr_same, nr_beyond;
};

static Dwarf_Addr address_of(Dwarf_Line *row)
{
	Dwarf_Addr addr;

	ck_assert_int_eq(dwarf_lineaddr(row, &addr), 0);
	return addr;
}

/*
 * A last row at the address where its sequence ends covers nothing. libdw has it behind that end, and so goes on
 * with it up to whatever comes next.
 */
static bool is_beyond(const struct comparison *c, Dwarf_Line *row)
{
	size_t i;
	bool is_end;

	for (i = 0; i < c->nr_rows; i++)
		if (address_of(dwarf_onesrcline(c->rows, i)) == address_of(row) &&
		    !dwarf_lineendsequence(dwarf_onesrcline(c->rows, i), &is_end) && is_end)
			return true;
	return false;
}

static void compare_at(struct comparison *c, Dwarf_Addr addr)
{
	Dwarf_Line *row = dwarf_getsrc_die(&c->unit, addr);
	struct source_line got = source_lines_at(&c->lines, &c->unit, addr);
	int line = 0;

	if (row && !got.file && is_beyond(c, row)) {
		c->nr_beyond++;
		return;
	}
	ck_assert_msg(!row == !got.file, "%llx: %s", (unsigned long long)addr, got.file);
	if (!row)
		return;
	dwarf_lineno(row, &line);
	ck_assert_str_eq(got.file, dwarf_linesrc(row, NULL, NULL));
	ck_assert_int_eq(got.line, line);
	c->nr_same++;
}

/* Around every step-th row of a unit. */
static void compare_unit(struct comparison *c, size_t step)
{
	size_t i;

	if (dwarf_getsrclines(&c->unit, &c->rows, &c->nr_rows))
		return;
	for (i = 0; i < c->nr_rows; i += step) {
		Dwarf_Addr addr = address_of(dwarf_onesrcline(c->rows, i));

		compare_at(c, addr);
		compare_at(c, addr - 1);
		compare_at(c, addr + 1);
	}
}

static void compare_file(const char *path, size_t step, size_t min_same)
{
	struct comparison c = { .nr_same = 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Dwarf *dw = dwarf_begin(fd, DWARF_C_READ);
	Dwarf_CU *cu = NULL;
	uint8_t type;

	ck_assert_ptr_nonnull(dw);
	source_lines_init(&c.lines, dw);
	while (!dwarf_get_units(dw, cu, &cu, NULL, &type, &c.unit, NULL))
		if (type == DW_UT_compile)
			compare_unit(&c, step);
	/* it knew them all itself */
	vec_each(&c.lines.tables, t)
		ck_assert_ptr_nonnull(*t);
	printf("%s: %zu lines as libdw, %zu beyond a sequence\n", path, c.nr_same, c.nr_beyond);
	ck_assert_uint_gt(c.nr_same, min_same);
	source_lines_release(&c.lines);
	dwarf_end(dw);
	close(fd);
}

START_TEST(lines_are_those_of_libdw)
{
	const char *file = harness_file("p.c", source, strlen(source)), *out = harness_path("p");
	char command[4096];

	snprintf(command, sizeof(command), "%s -o '%s' '%s'", ways[_i], out, file);
	ck_assert_int_eq(system(command), 0);
	compare_file(out, 1, 30);
}
END_TEST

START_TEST(lines_of_the_tests_themselves_are_those_of_libdw)
{
	char path[4096] = "";

	ck_assert_int_gt(readlink("/proc/self/exe", path, sizeof(path) - 1), 0);
	compare_file(path, 7, 10000);
}
END_TEST

static bool has_clang(void)
{
	return !access("/usr/bin/clang", X_OK);
}

Suite *check_line_table_suite(void)
{
	Suite *s = suite_create("line_table");
	TCase *tc = tcase_create("by hand");
	int i;

	tcase_add_loop_test(tc, operations_do_what_the_standard_says, 0, ARRAY_LEN(programs));
	tcase_add_test(tc, sequences_come_in_any_order);
	tcase_add_loop_test(tc, only_old_tables_need_the_units_directory, 2, 6);
	tcase_add_loop_test(tc, what_it_does_not_know_is_left_to_others, 0, ARRAY_LEN(unknown));
	tcase_add_loop_test(tc, damaged_tables_end, 2, 6);
	suite_add_tcase(s, tc);

	tc = tcase_create("referee");
	tcase_set_timeout(tc, 60);
	for (i = 0; i < (int)ARRAY_LEN(ways); i++)
		if (!str_starts(ways[i], "clang") || has_clang())
			tcase_add_loop_test(tc, lines_are_those_of_libdw, i, i + 1);
		else
			harness_omit(s, ways[i], "no clang");
	tcase_add_test(tc, lines_of_the_tests_themselves_are_those_of_libdw);
	if (harness_can_or_omit(s, "referee", CAN_COMPILE))
		suite_add_tcase(s, tc);
	return s;
}
