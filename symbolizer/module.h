/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One module of symbolizer.h while it is worked on: the file found and checked, its indexes, and
 * what every frame source needs to write a frame.
 */
#ifndef SYMBOLIZER_MODULE_H
#define SYMBOLIZER_MODULE_H

#include "symbolizer/debug_info.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/kallsyms.h"
#include "symbolizer/symbolizer.h"
#include "symbolizer/symtab.h"

/* A file that travelled in the recording. */
struct travelled {
	char *path;		/* of an ELF image; else NULL */
	bool is_kallsyms;	/* neither ELF image nor perf map, but lines of /proc/kallsyms */
	uint8_t *build_id;
	size_t build_id_len;
	uint32_t pid;		/* of a perf map */
	uint32_t recording;	/* of a perf map, and of lines of kallsyms */
	void *bytes;
	size_t len;
};

/* See symbolizer_add_kernel_code(). */
struct kernel_code {
	uint32_t recording, len;
	uint64_t addr;
	char *name;
};

struct baggage {
	VEC(struct travelled) items;
	VEC(struct kernel_code) kernel_code;
	VEC(uint32_t) self_contained;	/* recordings: see symbolizer_set_self_contained() */
	uint64_t begin_epoch_ns;	/* of the first of them; 0: not known */
};

enum module_state {
	MODULE_UNOPENED,
	MODULE_OPEN,		/* or there is nothing to open for its kind */
	MODULE_MISSING,
	MODULE_WRONG_BUILD_ID,
};

struct module {
	struct module_key key;			/* owns what it points to */
	const struct symbolizer_options *options;
	struct strings *strings;
	const struct baggage *baggage;
	struct crew *crew;			/* lent: for what can be done before it is asked for */
	uint32_t path;				/* string id */
	enum module_state state;
	struct elf_file file;			/* .mod is NULL where no file may be used */
	bool is_newer;				/* what has its path now was put there since the recording began */
	bool has_names;				/* debug and symbols have been looked for */
	struct debug_info *debug;		/* NULL: none */
	struct symtab symbols;			/* of file */
	struct kallsyms *kallsyms;		/* the running kernel's, while they are read */
};

struct module *module_new(const struct module_key *key, const struct symbolizer_options *options,
			  struct strings *strings, const struct baggage *baggage, struct crew *crew);
void module_free(struct module *m);
/* Finds, checks and opens the file, and warns once where it may not be used. */
void module_open(struct module *m);
/* True: no file was found for it so far, this one is meant for it, and will be tried. */
bool module_may_open_now(struct module *m, const struct travelled *t);
/* The same as module_open(), and reads what names its code: debug info and symbols. */
void module_open_names(struct module *m);
/* The module's recording brought along all that it needs of the machine it was made on. */
bool module_is_self_contained(const struct module *m);
/* The running kernel's names will be asked for: the crew is to read them. */
void module_expect_kallsyms(struct module *m);
void module_forget_kallsyms(struct module *m);
/* The address as the sources take it: link-time where the file is open, else as it came. */
uint64_t module_vaddr(const struct module *m, uint64_t addr);
/* The string id of a function's name as it is to be shown. */
uint32_t module_function(struct module *m, const char *linkage_name);
/* The same of a symbol: without its version, and marked where it is a stub. */
uint32_t module_symbol(struct module *m, const struct symbol *s);
/* The string id of its path; 0 where it has none. */
uint32_t module_file(struct module *m, struct source_line at);

#endif
