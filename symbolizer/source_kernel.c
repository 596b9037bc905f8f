/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel and its modules, from the lines of /proc/kallsyms that the recording brought along, else
 * from the file itself, if the kernel that was recorded is the one that runs now: its build-id is the
 * one in /sys/kernel/notes. One line a symbol:
 *
 *	ffffffff81000000 T _text
 *	ffffffffc0201000 t helper	[module]
 *
 * The same kernel may have been loaded elsewhere since (KASLR): where _text was and is gives the
 * distance. Modules have been loaded wherever there was room then, and are not to be found again. Nor is
 * what the kernel itself makes and drops as it runs, BPF programs and trampolines: only the recording's own
 * lines name those, or its records of the kernel's making them, which perf asks for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/log.h"
#include "base/str.h"
#include "symbolizer/source.h"
#include "symbolizer/symtab.h"

#define NT_BUILD_ID	 3	/* NT_GNU_BUILD_ID */
/* No function is longer: what lies further from the last symbol is in a gap. */
#define MAX_FUNCTION_LEN (1 << 20)

struct kernel {
	struct module *module;
	struct symtab table;	/* names lend from the text that they stood in */
	char *text;		/* what travelled; the running kernel's is the module's */
	char *own;		/* the running kernel's own symbols, in order; NULL: none */
	size_t own_len;
	uint64_t distance;	/* of the recorded kernel from the running one */
};

static void release(struct kernel *k)
{
	symtab_release(&k->table);
	free(k->text);
	free(k);
}

/* Walks ELF notes: u32 name and content lengths, u32 type, both padded to 4 bytes. */
static struct build_id find_build_id(const void *notes, size_t len)
{
	struct cursor c = cursor_of(notes, len);

	while (cursor_left(&c) && !c.failed) {
		uint32_t name_len = cursor_u32(&c), desc_len = cursor_u32(&c), type = cursor_u32(&c);
		const char *name = cursor_take(&c, (name_len + 3ULL) & ~3ULL);
		const uint8_t *desc = cursor_take(&c, (desc_len + 3ULL) & ~3ULL);

		if (name && desc && type == NT_BUILD_ID && name_len == 4 && !memcmp(name, "GNU", 4))
			return (struct build_id){ desc, desc_len };
	}
	return (struct build_id){ 0 };
}

static bool is_running_kernel(const struct module_key *key)
{
	uint8_t notes[4096];
	struct build_id has;
	ssize_t len;
	int fd = open("/sys/kernel/notes", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	len = read(fd, notes, sizeof(notes));
	close(fd);
	has = find_build_id(notes, len > 0 ? (size_t)len : 0);
	return has.len && has.len <= key->build_id_len &&
	       !memcmp(has.bytes, key->build_id, has.len);
}

static bool is_named(const struct kallsyms_line *line, const char *name)
{
	return line->name_len == strlen(name) && !memcmp(line->name, name, line->name_len);
}

/* "[bpf]", "[__builtin__ftrace]", "[__builtin__kprobes]": no module has such a name. */
static bool is_made_as_it_runs(const struct kallsyms_line *line)
{
	return str_starts(line->module, "[bpf]") || str_starts(line->module, "[__builtin__");
}

/* The name ends in the text itself. "": nobody knows what was there, but it was not what stands before. */
static void add_symbol(struct kernel *k, const struct kallsyms_line *line, const char *name)
{
	struct symbol symbol = {
		.start = line->addr,
		.end = line->addr,
		.limit = line->addr + MAX_FUNCTION_LEN,
		.name = name,
		.module = strings_id_n(k->module->strings, line->module, line->module_len),
	};

	line->name[line->name_len] = '\0';
	/* Of several names for one address perf shows the one that is listed last. */
	if (k->table.symbols.nr && vec_last(&k->table.symbols)->start == symbol.start)
		*vec_last(&k->table.symbols) = symbol;
	else
		vec_push(&k->table.symbols, symbol);
}

/*
 * Returns where the kernel is in these lines: _text, or _stext where that is what was recorded.
 * is_then: they are of when it was recorded.
 */
static uint64_t read_kallsyms(struct kernel *k, char *text, bool is_then)
{
	uint64_t recorded = k->module->key.kernel_start, start = 0;
	struct kallsyms_line line;
	char *next;

	for (; *text; text = next) {
		next = text + strcspn(text, "\n");
		next += *next == '\n';
		if (!kallsyms_parse(text, &line) || !line.addr)
			continue;
		if ((is_named(&line, "_text") && start != recorded) ||
		    (is_named(&line, "_stext") && (!start || line.addr == recorded)))
			start = line.addr;
		if (kallsyms_is_function(&line))
			add_symbol(k, &line, is_then || !is_made_as_it_runs(&line) ? line.name : "");
	}
	return start;
}

/* Where the running kernel begins: _text, or _stext where that is what was recorded. */
static uint64_t running_start(char *text, uint64_t recorded)
{
	uint64_t stext = kallsyms_address(text, "_stext"), begin = kallsyms_address(text, "_text");

	return stext == recorded || !begin ? stext : begin;
}

/* Not even a build-id: the place is the only sign left that it is the same kernel. */
static bool may_use(const struct module_key *key, uint64_t start)
{
	if (!start) {
		log_warn("the kernel hides the addresses of its symbols: its functions stay addresses "
			 "(record as root, and their names are in the recording)");
		return false;
	}
	if (!key->build_id && key->kernel_start != start) {
		log_warn("%s: neither build-id nor place are those of the running kernel: its "
			 "functions stay addresses", key->path);
		return false;
	}
	return true;
}

static bool is_of_kernel(const struct travelled *t, const struct module_key *key)
{
	return t->is_kallsyms && t->len && t->recording == key->recording &&
	       t->build_id_len == key->build_id_len &&
	       (!t->build_id_len || !memcmp(t->build_id, key->build_id, t->build_id_len));
}

/* What travelled in the recording is of that very boot: nothing moved since. */
static struct kernel *open_travelled(struct module *m)
{
	vec_each(&m->baggage->items, t) {
		struct kernel *k;
		uint64_t start;

		if (!is_of_kernel(t, &m->key))
			continue;
		k = xcalloc(1, sizeof(*k));
		k->module = m;
		k->text = xstrndup(t->bytes, t->len);
		start = read_kallsyms(k, k->text, true);
		if (start && start == m->key.kernel_start) {
			symtab_finish(&k->table);
			return k;
		}
		release(k);
	}
	return NULL;
}

/*
 * The kernel's own symbols stay text: to look some hundred of them up there takes less than to make a table
 * of all. If the kernel has moved since, nobody knows where its modules were.
 */
static struct kernel *of_running_kernel(struct module *m, char *text, size_t len, uint64_t start)
{
	struct kernel *k = xcalloc(1, sizeof(*k));

	k->module = m;
	k->own = text;
	k->own_len = kallsyms_own_len(text, len);
	if (m->key.kernel_start)
		k->distance = m->key.kernel_start - start;
	if (!k->distance)
		read_kallsyms(k, text + k->own_len, false);
	symtab_finish(&k->table);
	return k;
}

static bool kernel_open(struct module *m, void **ret_self)
{
	struct kernel *k;
	uint64_t start;
	size_t len;
	char *text;

	if (m->key.kind != MODULE_KERNEL)
		return false;
	k = open_travelled(m);
	if (k) {
		*ret_self = k;
		return true;
	}
	if (m->key.build_id && !is_running_kernel(&m->key)) {
		m->state = MODULE_WRONG_BUILD_ID;
		log_warn("%s is not the kernel that was recorded: its functions stay addresses",
			 m->key.path);
		return false;
	}
	module_expect_kallsyms(m);
	text = kallsyms_wait(m->kallsyms, &len);
	if (!text) {
		m->state = MODULE_MISSING;
		log_warn("/proc/kallsyms: %m: functions of the kernel stay addresses");
		return false;
	}
	start = running_start(text, m->key.kernel_start);
	if (!may_use(&m->key, start)) {
		m->state = MODULE_MISSING;
		return false;
	}
	*ret_self = of_running_kernel(m, text, len, start);
	return true;
}

static struct frame frame_of(struct kernel *k, const char *name, uint32_t module)
{
	return (struct frame){ .function = module_function(k->module, name), .module = module };
}

static bool resolve_own(struct kernel *k, uint64_t addr, struct frames *out)
{
	struct kallsyms_line line;
	uint64_t next;
	char *name;

	addr -= k->distance;
	if (!k->own || !kallsyms_find(k->own, k->own_len, addr, &line, &next) || addr >= next ||
	    addr - line.addr >= MAX_FUNCTION_LEN)
		return false;
	name = xstrndup(line.name, line.name_len);
	vec_push(&out->list, frame_of(k, name, 0));
	free(name);
	return true;
}

/* NULL: none was there. */
static const struct kernel_code *code_at(const struct module *m, uint64_t addr)
{
	size_t i;

	for (i = m->baggage->kernel_code.nr; i; i--) {
		const struct kernel_code *code = &m->baggage->kernel_code.at[i - 1];

		if (code->recording == m->key.recording && addr - code->addr < code->len)
			return code;
	}
	return NULL;
}

static int kernel_resolve(void *arg, uint64_t addr, struct frames *out)
{
	struct kernel *k = arg;
	const struct kernel_code *code = code_at(k->module, addr);
	const struct symbol *s = symtab_find(&k->table, addr);

	if (code) {
		vec_push(&out->list, frame_of(k, code->name, strings_id(k->module->strings, "[bpf]")));
		return true;
	}
	if (!s)
		return resolve_own(k, addr, out);
	if (*s->name)
		vec_push(&out->list, frame_of(k, s->name, s->module));
	return *s->name != '\0';
}

static void kernel_close(void *arg)
{
	release(arg);
}

const struct frame_source source_kernel = {
	.name = "kernel",
	.open = kernel_open,
	.resolve = kernel_resolve,
	.close = kernel_close,
};
