/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/seeds.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "recording/note.h"
#include "tests/sketch.h"

static bool write_seed(const char *dir, const char *fuzzer, const char *name, const struct str *b)
{
	char *folder = xasprintf("%s/%s", dir, fuzzer), *path = xasprintf("%s/%s", folder, name);
	FILE *f = NULL;
	bool is_good;

	if (!mkdir(folder, 0755) || errno == EEXIST)
		f = fopen(path, "we");
	is_good = f && fwrite(b->s, 1, b->len, f) == b->len;
	if (!is_good)
		perror(path);
	if (f)
		is_good &= !fclose(f);
	free(folder);
	free(path);
	return is_good;
}

/* Every fuzzer of something that reads recordings gets both forms. */
static bool write_recordings(const char *dir)
{
	static const char *const fuzzers[] = { "fuzz_reader", "fuzz_report", "fuzz_session" };
	bool is_good = true;
	size_t i;
	int form;

	for (i = 0; i < ARRAY_LEN(fuzzers); i++)
		for (form = 0; form < 2; form++) {
			struct sketch s = { 0 };

			sketch_everything(&s, form == 1);
			is_good &= write_seed(dir, fuzzers[i], form ? "pipe" : "file", &s.bytes);
			sketch_release(&s);
		}
	return is_good;
}

/* fuzz_ring: u8 tail in units of 8, u8 pattern of what is dropped, then the records. */
static bool write_ring(const char *dir)
{
	struct sketch s = { 0 };
	struct str b = { 0 };
	bool is_good;

	sketch_everything(&s, true);
	str_add_bytes(&b, "\x05\x0a", 2);
	str_add_bytes(&b, s.bytes.s + s.data_at, s.bytes.len - s.data_at);
	is_good = write_seed(dir, "fuzz_ring", "records", &b);
	sketch_release(&s);
	str_release(&b);
	return is_good;
}

/* fuzz_note: u8 kind, then the payload. */
static bool write_notes(const char *dir)
{
	static const struct {
		const char *name, *bytes;
		size_t len;
	} notes[] = {
#define NOTE(name, bytes) { name, bytes, sizeof(bytes) }
		NOTE("info", "\x01version\0000.1.0\0cmdline\0wperf record\0"),
		NOTE("marker", "\x02\1\0\0\0\5\0\0\0func:f\0f"),
		NOTE("file", "\x03\1\0\0\0\2\0\0\0\x11\0\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
			     "\2\xab\xcd/tmp/perf-17.map\0\4\0\0\0abc\n"),
		NOTE("tally", "\x04lost\0\3\0\0\0\0\0\0\0"),
#undef NOTE
	};
	bool is_good = true;
	size_t i;

	for (i = 0; i < ARRAY_LEN(notes); i++) {
		struct str b = { 0 };

		str_add_bytes(&b, notes[i].bytes, notes[i].len);
		is_good &= write_seed(dir, "fuzz_note", notes[i].name, &b);
		str_release(&b);
	}
	return is_good;
}

/* The first bytes of this very program: a real header, real segments, a real build-id. */
static bool write_elf(const char *dir)
{
	static const char *const fuzzers[] = { "fuzz_build_id" };
	FILE *f = fopen("/proc/self/exe", "re");
	char bytes[4096];
	struct str b = { 0 };
	bool is_good = true;
	size_t i;

	if (!f)
		return false;
	str_add_bytes(&b, bytes, fread(bytes, 1, sizeof(bytes), f));
	fclose(f);
	for (i = 0; i < ARRAY_LEN(fuzzers); i++)
		is_good &= write_seed(dir, fuzzers[i], "elf", &b);
	str_release(&b);
	return is_good;
}

/* tests/golden/CASE/in.data: real recordings. */
static bool write_golden(const char *dir)
{
	bool is_good = true;
	glob_t found;
	size_t i;

	if (glob("tests/golden/*/in.data", 0, NULL, &found))
		return true;
	for (i = 0; i < found.gl_pathc; i++) {
		char *name = xasprintf("golden-%zu", i), piece[4096];
		FILE *f = fopen(found.gl_pathv[i], "re");
		struct str b = { 0 };
		size_t len;

		while (f && (len = fread(piece, 1, sizeof(piece), f)))
			str_add_bytes(&b, piece, len);
		is_good &= f && write_seed(dir, "fuzz_reader", name, &b);
		if (f)
			fclose(f);
		str_release(&b);
		free(name);
	}
	globfree(&found);
	return is_good;
}

bool seeds_write(const char *dir)
{
	return write_recordings(dir) && write_ring(dir) && write_notes(dir) && write_elf(dir) &&
	       write_golden(dir);
}
