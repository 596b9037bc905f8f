/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/seeds.h"

#include <elf.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/alloc.h"
#include "recording/note.h"
#include "tests/cfi_image.h"
#include "tests/elf_image.h"
#include "tests/line_program.h"
#include "tests/script.h"
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

/* Unwind info of every form that compilers write: pushes, a frame pointer, the PLT's, a signal frame's. */
static void build_image(struct cfi_image *i, bool is_aarch64)
{
	size_t at;

	i->machine = is_aarch64 ? EM_AARCH64 : EM_X86_64;
	cfi_image_cie(i, "zR", is_aarch64 ? "\x0c\x1f\0\0" : "\x0c\7\x08\x90\1", is_aarch64 ? 4 : 5);
	at = cfi_image_fde(i, CFI_IMAGE_TEXT, 32, BYTES("\x44\x0e\x20\x83\3\x0a\x44\x0e\x10\x44\x0b"));
	cfi_image_entry(i, CFI_IMAGE_TEXT, at);
	at = cfi_image_fde(i, CFI_IMAGE_TEXT + 32, 32, BYTES("\x44\x0e\x10\x86\2\x44\x0d\6"));
	cfi_image_entry(i, CFI_IMAGE_TEXT + 32, at);
	at = cfi_image_fde(i, CFI_IMAGE_TEXT + 64, 32,
			   BYTES("\x0f\x0b\x77\x08\x80\0\x3f\x1a\x3b\x2a\x33\x24\x22"));
	cfi_image_entry(i, CFI_IMAGE_TEXT + 64, at);
	cfi_image_cie(i, "zRS", BYTES("\x0f\3\x77\xa0\1\x10\3\3\x77\x80\1\x10\x10\3\x77\xa8\1"));
	at = cfi_image_fde(i, CFI_IMAGE_TEXT + 96, 32, BYTES("\x16\6\3\x91\0\x06"));
	cfi_image_entry(i, CFI_IMAGE_TEXT + 96, at);
	cfi_image_finish(i);
}

/* fuzz_unwind has flags, registers and a stack before it: return addresses into each of the functions. */
static void add_stack(struct str *b, bool is_aarch64)
{
	uint64_t word;

	str_add_char(b, is_aarch64 ? 5 : 4);
	str_add_char(b, 8);
	for (word = 0; word < 1 + (is_aarch64 ? 32 : 17); word++)
		str_add_char(b, (char)(word % 16));
	for (word = 0; word < 16; word++) {
		uint64_t value = word % 2 ? CFI_IMAGE_TEXT + 8 * word : 0x7000 + 8 * (word + 4);

		str_add_bytes(b, &value, sizeof(value));
	}
}

static bool write_unwind_info(const char *dir)
{
	bool is_good = true;
	int is_aarch64;

	for (is_aarch64 = 0; is_aarch64 < 2; is_aarch64++) {
		const char *name = is_aarch64 ? "aarch64" : "x86_64";
		struct cfi_image i = { 0 };
		struct str b = { 0 };

		build_image(&i, is_aarch64);
		is_good &= write_seed(dir, "fuzz_cfi", name, &i.file);
		add_stack(&b, is_aarch64);
		str_add_bytes(&b, i.file.s, i.file.len);
		is_good &= write_seed(dir, "fuzz_unwind", name, &b);
		str_release(&b);
		cfi_image_release(&i);
	}
	return is_good;
}

/* fuzz_line_table: each version of the format, with two sequences. */
static bool write_line_tables(const char *dir)
{
	bool is_good = true;
	uint16_t version;

	for (version = 2; version <= 5; version++) {
		struct line_program p = { .version = version, .is_64 = version == 3 };
		char name[] = { 'v', (char)('0' + version), '\0' };
		struct str b = { 0 };

		line_program_begin(&p);
		line_program_row(&p, 0x1000, 1, 7);
		line_program_add(&p, BYTES("\x14\x4b\x08\x09\x10\0\x02\x04\x05\x07\x0a\0\x02\x04\x03\x01"));
		line_program_end(&p, 0x1100);
		line_program_row(&p, 0x800, 2, 1);
		line_program_end(&p, 0x880);
		line_program_finish(&p);
		str_add_char(&b, 2);
		str_add_char(&b, (char)p.sections.line_str.len);
		str_add_bytes(&b, p.sections.line_str.bytes, p.sections.line_str.len);
		str_add_bytes(&b, p.bytes.s, p.bytes.len);
		is_good &= write_seed(dir, "fuzz_line_table", name, &b);
		str_release(&b);
		line_program_release(&p);
	}
	return is_good;
}

/* fuzz_http1: see there for the form of its steps. */
static bool write_http1(const char *dir)
{
	static const struct {
		const char *name, *asks, *answers;
	} seeds[] = {
		{ "length", "POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi",
		  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" },
		{ "chunked", "PUT /a HTTP/1.1\nTransfer-Encoding: chunked\n\n2;x\nhi\n0\nY: z\n\n",
		  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: x, "
		  "chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n" },
		{ "pipeline", "HEAD http://h/ HTTP/1.1\r\n\r\nGET /b HTTP/1.0\r\n\r\nGET /",
		  "HTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.0 404 Not Found\r\n\r\nx" },
		{ "tunnel", "CONNECT h:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n" },
		{ "switch", "OPTIONS * HTTP/1.1\r\nUpgrade: x\r\n\r\n",
		  "HTTP/1.1 101 Y\r\n\r\n" },
		{ "bare", "GET /\n", "<html>" },
	};
	bool is_good = true;
	size_t i;

	for (i = 0; i < ARRAY_LEN(seeds); i++) {
		struct str b = { 0 };

		str_add_char(&b, '\0');
		str_add_char(&b, (char)strlen(seeds[i].asks));
		str_add(&b, seeds[i].asks);
		str_add_char(&b, '\1');
		str_add_char(&b, (char)strlen(seeds[i].answers));
		str_add(&b, seeds[i].answers);
		is_good &= write_seed(dir, "fuzz_http1", seeds[i].name, &b);
		str_release(&b);
	}
	return is_good;
}

/* fuzz_protocols: see tests/script.h. */
static bool write_protocols(const char *dir)
{
	static const struct script scripts[] = {
		{ "redis",
		  { IN("*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$4\r\nSKIP\r\nGET k\r\n"),
		    IN("*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n"),
		    OUT(">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n|1\r\n+a\r\n%1\r\n_\r\n") },
		  NULL, 0 },
		{ "postgres",
		  { IN("\0\0\0\x08\x04\xd2\x16\x2f"), OUT("N"),
		    IN("\0\0\0\x11\0\3\0\0user\0me\0\0"), OUT("R\0\0\0\x08\0\0\0\0Z\0\0\0\5I"),
		    IN("P\0\0\0\x12s1\0SELECT 2\0\0\0B\0\0\0\x0e\0s1\0\0\0\0\0\0\0"
		       "E\0\0\0\x09\0\0\0\0\0S\0\0\0\4"),
		    OUT("D\0\0\0\x0b\0\1\0\0\0\1xZ\0\0\0\5I"),
		    IN("Q\0\0\0\x0dSELECT 1\0"), OUT("E\0\0\0\x0bSERROR\0") },
		  NULL, 0 },
		{ "memcached",
		  { IN("set k 0 0 2 noreply\r\nab\r\nmg k v q\r\nmn\r\nget k\r\n"),
		    OUT("VA 2\r\nab\r\nMN\r\nVALUE k 0 2\r\nab\r\nEND\r\n"),
		    IN("\x80\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0k"),
		    OUT("\x81\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0") },
		  NULL, 0 },
		{ "fastcgi",
		  { IN("\1\1\0\1\0\x08\0\0\0\1\1\0\0\0\0\0"
		       "\1\4\0\1\0\x10\0\0\x0b\3SCRIPT_NAME/ab\1\4\0\1\0\0\0\0"),
		    OUT("\1\6\0\1\0\x0d\0\0Status: 404\n\n\1\3\0\1\0\x08\0\0\0\0\0\0\0\0\0\0") },
		  NULL, 0 },
	};
	bool is_good = true;
	size_t i;

	for (i = 0; i < ARRAY_LEN(scripts); i++) {
		struct str b = { 0 };

		script_add_seed(&b, (uint8_t)i, &scripts[i]);
		is_good &= write_seed(dir, "fuzz_protocols", scripts[i].name, &b);
		str_release(&b);
	}
	return is_good;
}

/* What USDT's macros leave: DTRACE_PROBE2(python, function__return, x, y), with and without a semaphore. */
static void add_usdt_notes(struct str *b, uint64_t vaddr)
{
	static const char strings[] = "python\0function__return\0-4@%edi 8@16(%rsp)\0\0\0";
	int has_semaphore;

	for (has_semaphore = 0; has_semaphore < 2; has_semaphore++) {
		const uint32_t header[] = { 8, 24 + sizeof(strings) - 1, 3 };
		const uint64_t places[] = { vaddr, 0, has_semaphore ? vaddr + 8 : 0 };

		str_add_bytes(b, header, sizeof(header));
		str_add_bytes(b, BYTES("stapsdt\0"));
		str_add_bytes(b, places, sizeof(places));
		str_add_bytes(b, strings, sizeof(strings) - 1);
		while (b->len % 4)
			str_add_bytes(b, "", 1);
	}
}

/* A unit of C++ with code, a namespace, a function with code and one without. */
#define ABBREVIATIONS "\1\x11\1\3\x08\x13\x0b\x11\1\x12\7\0\0" "\2\x39\1\3\x08\0\0" \
		      "\3\x2e\0\3\x08\x11\1\x12\7\0\0" "\4\x2e\0\3\x08\0\0\0"

static void add_debug_info(struct str *b, uint64_t vaddr)
{
	const uint64_t place[] = { vaddr, 33 };
	uint32_t len;

	str_add_bytes(b, BYTES("\0\0\0\0\4\0\0\0\0\0\x08\1unit\0\4"));
	str_add_bytes(b, place, sizeof(place));
	str_add_bytes(b, BYTES("\2space\0\3f\0"));
	str_add_bytes(b, place, sizeof(place));
	str_add_bytes(b, BYTES("\4inlined\0\0\0"));
	len = (uint32_t)(b->len - sizeof(len));
	memcpy(b->s, &len, sizeof(len));
}

/*
 * fuzz_image: two functions, one of C++ with a cold part, code that catches, USDT probes, debug info, and what is asked
 * of Python: its version, and a function by its name.
 */
static bool write_image(const char *dir)
{
	static const char code[] = "\x55\x48\x89\xe5\x53\x48\x89\xfb\x85\xff\x0f\x84\x10\0\0\0"
				   "\x48\x89\x5d\x38\x5b\x5d\xc3\x90"
				   "\xe8\xe3\xff\xff\xff\x31\xc0\x0f\x0b\x0b\x03\0";
	static const struct {
		const char *name;
		uint32_t at, size;
	} functions[] = { { "main", 0, 23 },
			  { "_ZN1a1fIiEEvT_", 24, 9 },
			  { "_ZN1a1fIiEEvT_.cold", 29, 4 },
			  { "_PyEval_EvalFrameDefault", 0, 23 },
			  { "Py_Version", 32, 8 } };
	const uint8_t type = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
	struct str symbols = { 0 }, notes = { 0 }, names = { 0 }, info = { 0 };
	struct elf_image i = { 0 };
	size_t text, strings, k;
	bool is_good;

	text = elf_image_section(&i, ".text", SHT_PROGBITS, code, sizeof(code));
	elf_image_symbol(&symbols, 0, 0, 0, 0);
	str_add_bytes(&names, "", 1);
	for (k = 0; k < ARRAY_LEN(functions); k++) {
		elf_image_symbol(&symbols, (uint32_t)names.len, type,
				 i.sections.at[text].sh_addr + functions[k].at, functions[k].size);
		str_add_bytes(&names, functions[k].name, strlen(functions[k].name) + 1);
	}
	add_usdt_notes(&notes, i.sections.at[text].sh_addr + 8);
	strings = elf_image_section(&i, ".dynstr", SHT_STRTAB, names.s, names.len);
	elf_image_symbols(&i, ".dynsym", SHT_DYNSYM, &symbols, strings);
	elf_image_section(&i, ".note.stapsdt", SHT_NOTE, notes.s, notes.len);
	elf_image_section(&i, ".gcc_except_table", SHT_PROGBITS, "", 1);
	elf_image_section(&i, ".debug_abbrev", SHT_PROGBITS, BYTES(ABBREVIATIONS));
	add_debug_info(&info, i.sections.at[text].sh_addr);
	elf_image_section(&i, ".debug_info", SHT_PROGBITS, info.s, info.len);
	elf_image_finish(&i);
	is_good = write_seed(dir, "fuzz_image", "dynamic", &i.file) &
		  write_seed(dir, "fuzz_symbolizer", "dynamic", &i.file);
	elf_image_put_last(&i, strings);
	is_good &= write_seed(dir, "fuzz_image", "strings_last", &i.file);
	elf_image_release(&i);
	str_release(&symbols);
	str_release(&notes);
	str_release(&names);
	str_release(&info);
	return is_good;
}

/* The kernel's own: a real file. */
static bool write_vdso(const char *dir)
{
	const char *at = (const char *)getauxval(AT_SYSINFO_EHDR);
	struct str b = { 0 };
	Elf64_Ehdr e;
	bool is_good;

	if (!at)
		return true;
	memcpy(&e, at, sizeof(e));
	str_add_bytes(&b, at, e.e_shoff + e.e_shnum * (size_t)e.e_shentsize);
	is_good = write_seed(dir, "fuzz_image", "vdso", &b);
	str_release(&b);
	return is_good;
}

/* fuzz_inflate: a section as `gcc -gz` writes it, one that is left out, and one that is not compressed. */
static bool write_debug_file(const char *dir)
{
	static const char text[] = "DWARF DWARF DWARF DWARF DWARF DWARF DWARF DWARF DWARF DWARF";
	const Elf64_Chdr header = { .ch_type = ELFCOMPRESS_ZLIB, .ch_size = sizeof(text), .ch_addralign = 1 };
	unsigned char packed[128];
	uLongf len = sizeof(packed);
	struct elf_image i = { 0 };
	struct str b = { 0 };
	size_t info, loc;
	bool is_good;

	compress(packed, &len, (const unsigned char *)text, sizeof(text));
	str_add_bytes(&b, &header, sizeof(header));
	str_add_bytes(&b, packed, len);
	info = elf_image_section(&i, ".debug_info", SHT_PROGBITS, b.s, b.len);
	loc = elf_image_section(&i, ".debug_loclists", SHT_PROGBITS, b.s, b.len);
	elf_image_section(&i, ".debug_str", SHT_PROGBITS, text, sizeof(text));
	i.sections.at[info].sh_flags = i.sections.at[loc].sh_flags = SHF_COMPRESSED;
	elf_image_finish(&i);
	is_good = write_seed(dir, "fuzz_inflate", "zlib", &i.file);
	elf_image_release(&i);
	str_release(&b);
	return is_good;
}

static bool write_kallsyms(const char *dir)
{
	struct str b = { 0 };
	bool is_good;

	str_add(&b, "ffffffff81000000 T _stext\nffffffff81000000 T _text\nffffffff81000040 t first\n"
		    "ffffffff81000040 W alias\nffffffff81000080 D data\nffffffff81000100 w last\n"
		    "ffffffffc0201000 t helper\t[module]\nffffffffc0301000 t bpf_prog_1\t[bpf]\n");
	is_good = write_seed(dir, "fuzz_kallsyms", "lines", &b);
	str_release(&b);
	return is_good;
}

bool seeds_write(const char *dir)
{
	return write_http1(dir) && write_protocols(dir) && write_unwind_info(dir) && write_line_tables(dir) &&
	       write_recordings(dir) && write_ring(dir) && write_notes(dir) && write_elf(dir) && write_golden(dir) &&
	       write_image(dir) && write_vdso(dir) && write_debug_file(dir) && write_kallsyms(dir);
}
