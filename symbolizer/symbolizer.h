/* SPDX-License-Identifier: Apache-2.0 */
/*
 * (module, offset) -> frames. A module is one file as one build (path and build-id), the kernel, or a
 * process's JIT code; space.h turns a process's runtime address into a module and an offset in it.
 *
 *	sym = symbolizer_new(&options, strings);
 *	module = symbolizer_module(sym, &key);
 *	symbolizer_resolve(sym, module, (struct code_addr){ off, is_return }, &frames, &nr);
 *
 * Files are opened when their first address is resolved, and each distinct (module, lookup address)
 * is resolved once. A file whose build-id is not the recorded one is never used: its frames stay hex,
 * and one warning a module says why.
 */
#ifndef SYMBOLIZER_SYMBOLIZER_H
#define SYMBOLIZER_SYMBOLIZER_H

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/vec.h"

/* A pc and a return address differ, and this is the one place that knows by how much. */
struct code_addr {
	uint64_t addr;
	bool is_return;
};

static inline uint64_t code_addr_lookup(struct code_addr a)
{
	return a.is_return ? a.addr - 1 : a.addr;	/* inside the call, not after it */
}

enum module_kind {
	MODULE_ELF,	/* addr is an offset in the file */
	MODULE_KERNEL,	/* addr is a kernel address; modules of the kernel included */
	MODULE_JIT,	/* addr is an address in the process: its perf-PID.map, if any, names it */
	MODULE_UNKNOWN,	/* addr is an address that no mapping covers */
};

struct module_key {
	enum module_kind kind;
	const char *path;		/* as mapped: "/usr/lib/libc.so.6", "[vdso]"; "[kernel]", "//anon" */
	const uint8_t *build_id;	/* or the checksum of a file that has none: file_sum.h; NULL: not recorded */
	size_t build_id_len;
	uint32_t pid;			/* of MODULE_JIT; else 0 */
	uint32_t recording;		/* of MODULE_KERNEL and MODULE_JIT: the symbolizer's own count */
	uint64_t kernel_start;		/* MODULE_KERNEL: runtime address of _stext or _text as recorded; 0: unknown */
};

/* Innermost first: an address inside inlined code has several. Strings are ids in `strings`. */
struct frame {
	uint32_t function;	/* demangled unless asked not to; "" where there is no symbol */
	uint32_t file;		/* of the definition; "" where there is no line info */
	uint32_t line;		/* of the definition; 0: unknown */
	uint32_t at_file;	/* of the code at the address */
	uint32_t at_line;	/* 0: unknown */
	uint32_t module;	/* path of the module */
	uint64_t vaddr;		/* what to print where there is no symbol: link-time address in the module */
	bool is_inlined;	/* into the next frame */
	bool is_kernel;
};

struct symbolizer_options {
	bool no_inline;		/* one frame an address */
	bool no_demangle;
	const char *sysroot;	/* prefix for paths of files; NULL: none */
};

struct symbolizer;

/* strings is lent and must outlive the symbolizer. */
struct symbolizer *symbolizer_new(const struct symbolizer_options *options, struct strings *strings);
void symbolizer_free(struct symbolizer *s);

/*
 * What is asked and added from here on is of another recording: its pids are other processes, and its
 * kernel's names are those that it brought along.
 */
void symbolizer_next_recording(struct symbolizer *s);
/*
 * This recording (up to the next symbolizer_next_recording()) brought the maps of its JIT code along:
 * what has their names in this machine's /tmp is somebody else's.
 */
void symbolizer_set_self_contained(struct symbolizer *s);
/*
 * When it began, in ns since 1970: a file whose build-id was not recorded, and that has been changed since, or put in its
 * place, is used with a warning. Of several recordings, the first counts.
 */
void symbolizer_set_begin(struct symbolizer *s, uint64_t epoch_ns);
/* The module's id: equal keys give equal ids. key's pointers are copied. */
uint32_t symbolizer_module(struct symbolizer *s, const struct module_key *key);
/*
 * A file that travelled in the recording: an ELF image (looked up by build-id, or by path where it has
 * none) or the text of a perf-PID.map (looked up by pid). The bytes are copied. An image that comes after its
 * module was looked for in vain serves what is asked from then on.
 */
void symbolizer_add_elf(struct symbolizer *s, const char *path, const uint8_t *build_id,
			size_t build_id_len, const void *bytes, size_t len);
/*
 * Lines of /proc/kallsyms, _stext's (or _text's) among them: they serve this recording's MODULE_KERNEL
 * if it has that build-id and that symbol's address as its kernel_start; the running kernel is not
 * asked then. To be given before its first address is resolved. Copied.
 */
void symbolizer_add_kallsyms(struct symbolizer *s, const uint8_t *build_id, size_t build_id_len,
			     const char *text, size_t len);
/*
 * Code that the kernel made as it ran, up to addr + len: a BPF program. It serves this recording's MODULE_KERNEL; of
 * several at one address the last. To be given before that is resolved. The name is copied.
 */
void symbolizer_add_kernel_code(struct symbolizer *s, uint64_t addr, uint32_t len, const char *name);
void symbolizer_add_perf_map(struct symbolizer *s, uint32_t pid, const void *text, size_t len);

/*
 * The frames of one address, innermost first; always at least one: the last source, hex, always
 * takes. The array is lent until the symbolizer is freed, and equal arguments give the same array.
 */
void symbolizer_resolve(struct symbolizer *s, uint32_t module, struct code_addr at,
			const struct frame **ret_frames, size_t *ret_nr);

/* The string id of how a function of that symbol is shown: demangled unless asked not to, without its version. */
uint32_t symbolizer_name(struct symbolizer *s, const char *symbol);

/*
 * The program file of a MODULE_ELF, checked and open, or NULL where there is none that may be used. Lent
 * until the symbolizer is freed. Its addresses are link-time ones. Who asks for it has code in it, whose names
 * will be asked for, too: their file is looked for meanwhile.
 */
Elf *symbolizer_elf(struct symbolizer *s, uint32_t module);

/* What was asked for, and what was missing: for tests. */
struct symbolizer_stats {
	uint64_t nr_resolved;		/* distinct (module, address) */
	uint64_t nr_no_symbol;
	uint64_t nr_wrong_build_id;	/* modules refused */
	uint64_t nr_missing_files;	/* modules */
};
void symbolizer_stats(const struct symbolizer *s, struct symbolizer_stats *ret);

#endif
