/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/stack_walker.h"

#include <elf.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/str.h"
#include "collector/call_place.h"
#include "collector/hidden_returns.h"
#include "collector/mapped_file.h"
#include "collector/probed_places.h"
#include "collector/root.h"
#include "collector/stack_pages.h"
#include "recording/space.h"
#include "unwinder/unwind.h"

/* A file that one process's mapping does not lead to may be had by another's; not for ever. */
enum { MAX_TRIES = 8 };

struct module {
	struct cfi *cfi;	/* NULL: not opened, or not to be had */
	char *path;
	struct writer_mmap mapping;	/* the last one of it that was seen: the road to its file */
	uint8_t nr_tries;
	bool is_done;		/* cfi is what it will be */
	bool is_kernels;	/* code that the kernel put there for its probes */
};

struct process {
	struct space space;
	uint64_t stamp;		/* see unwind_space */
	uint32_t pid;
	VEC(uint64_t) probes;	/* addresses of functions that have one on their first byte */
};

enum {
	COPY_BYTES = 128,		/* arch/x86/include/asm/uprobes.h, UPROBE_XOL_SLOT_BYTES */
	CALL_BYTES = 5,			/* of one that the kernel does itself */
};

struct stack_walker {
	const struct unwind_arch *arch;
	struct unwinder *unwinder;
	uint32_t stack_bytes;		/* that the kernel was asked for */
	struct strings module_keys;	/* id: index in modules */
	VEC(struct module) modules;
	struct placemap of_pid;		/* in processes */
	VEC(struct process) processes;
	uint64_t last_stamp;
	struct hidden_returns hidden;
	struct probed_places places;
	uint64_t copy_pc;		/* where the thread is in a copy, called by the first of frames; 0: in none */
	struct unwind_frames frames;
};

struct stack_walker *stack_walker_new(void)
{
	const struct unwind_arch *arch = unwind_arch_native();
	struct stack_walker *w;

	if (!arch)
		return NULL;
	w = xcalloc(1, sizeof(*w));
	w->arch = arch;
	w->unwinder = unwinder_new(arch);
	strings_id(&w->module_keys, "");
	vec_push(&w->modules, (struct module){ .is_done = true });
	return w;
}

void stack_walker_free(struct stack_walker *w)
{
	if (!w)
		return;
	vec_each(&w->modules, m) {
		cfi_free(m->cfi);
		free(m->path);
	}
	vec_each(&w->processes, p) {
		space_release(&p->space);
		vec_release(&p->probes);
	}
	hidden_returns_release(&w->hidden);
	probed_places_release(&w->places);
	vec_release(&w->modules);
	vec_release(&w->processes);
	vec_release(&w->frames.at);
	strings_release(&w->module_keys);
	placemap_release(&w->of_pid);
	unwinder_free(w->unwinder);
	free(w);
}

const struct unwind_tally *stack_walker_tally(const struct stack_walker *w)
{
	return unwinder_tally(w->unwinder);
}

/* ---- what is asked of the kernel ---- */

void stack_walker_ask(struct stack_walker *w, uint32_t stack_bytes, struct perf_event_attr *attr)
{
	w->stack_bytes = stack_bytes;
	attr->sample_type |= PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER;
	attr->sample_regs_user = w->arch->perf_mask;
	attr->sample_stack_user = stack_bytes;
	attr->exclude_callchain_user = 1;
}

void stack_walker_describe(struct perf_event_attr *attr)
{
	attr->sample_type &= ~(uint64_t)(PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER);
	attr->sample_regs_user = 0;
	attr->sample_stack_user = 0;
	attr->exclude_callchain_user = 0;
}

/* ---- processes ---- */

static struct process *find_process(struct stack_walker *w, uint32_t pid)
{
	uint32_t place = placemap_find(&w->of_pid, pid);

	return place != NO_PLACE ? &w->processes.at[place] : NULL;
}

/* Made where it is not known. It moves with the next one that is made. */
static struct process *process_of(struct stack_walker *w, uint32_t pid)
{
	struct process *known = find_process(w, pid);
	uint32_t place;

	if (known)
		return known;
	place = placemap_add(&w->of_pid, pid);
	if (place == w->processes.nr)
		vec_push(&w->processes, (struct process){ 0 });
	w->processes.at[place] = (struct process){ .pid = pid, .stamp = ++w->last_stamp };
	return &w->processes.at[place];
}

void stack_walker_forget(struct stack_walker *w, uint32_t pid)
{
	struct process *p = find_process(w, pid);

	if (!p)
		return;
	space_release(&p->space);
	vec_release(&p->probes);
	placemap_remove(&w->of_pid, pid);
}

static bool is_probed(const struct process *p, uint64_t addr)
{
	vec_each(&p->probes, probe)
		if (*probe == addr)
			return true;
	return false;
}

/* The mapping at addr, if it is the program's. */
static const struct mapping *find_mapping(const struct stack_walker *w, const struct process *p, uint64_t addr)
{
	const struct mapping *m = space_find(&p->space, addr);

	return m && !w->modules.at[m->module].is_kernels ? m : NULL;
}

/*
 * What stands at or below the new one has returned; but a function that was jumped to from one with a
 * probe of its own finds the trampoline where its return address should be.
 */
void stack_walker_called(struct stack_walker *w, uint32_t pid, uint32_t tid, uint64_t slot,
			 uint64_t return_addr)
{
	const struct process *p = find_process(w, pid);

	hidden_returns_leave_below(&w->hidden, tid, slot);
	if (p && hidden_returns_at(&w->hidden, tid, slot) && !find_mapping(w, p, return_addr))
		return;
	hidden_returns_add(&w->hidden, tid, slot, return_addr);
}

/* System V ABI AMD64, section 3.2.2: where a function begins, 8 and the stack pointer are a multiple of 16. */
static bool may_be_entry(const struct unwind_arch *arch, uint64_t sp)
{
	return arch->pushes_return && sp % 16 == 8;
}

void stack_walker_probed(struct stack_walker *w, uint32_t pid, uint64_t addr, uint64_t sp)
{
	struct process *p = find_process(w, pid);

	if (p && may_be_entry(w->arch, sp) && !is_probed(p, addr))
		vec_push(&p->probes, addr);
}

void stack_walker_probed_file(struct stack_walker *w, uint64_t dev, uint64_t inode, uint64_t off, uint32_t sp_add)
{
	probed_places_add(&w->places, &(struct probed_place){ dev, inode, off, sp_add });
}

void stack_walker_stepped(struct stack_walker *w, uint32_t copy_off, uint32_t sp_add)
{
	probed_places_add_step(&w->places, &(struct probed_step){ copy_off, sp_add });
}

/* NULL: there is none at the address, which lies in the mapping. */
static const struct probed_place *find_place(const struct stack_walker *w, const struct mapping *m, uint64_t addr)
{
	return probed_places_find(&w->places, &w->modules.at[m->module].mapping, addr - m->start + m->off);
}

static void take_fork(struct stack_walker *w, const struct record *r)
{
	struct process *child;

	/* The number may have been another thread's, whose end was lost. */
	hidden_returns_forget(&w->hidden, r->tid);
	if (r->pid == r->task.ppid)
		return;
	/* Trampolines included. */
	hidden_returns_copy(&w->hidden, r->task.ptid, r->tid);
	child = process_of(w, r->pid);
	child->stamp = ++w->last_stamp;
	/* The parent is looked up behind the child, whose making may have moved it. */
	if (find_process(w, r->task.ppid))
		space_fork(&child->space, &find_process(w, r->task.ppid)->space);
	else
		space_clear(&child->space);
}

void stack_walker_record(struct stack_walker *w, const struct record *r)
{
	if (r->type == PERF_RECORD_FORK) {
		take_fork(w, r);
	} else if (r->type == PERF_RECORD_EXIT) {
		hidden_returns_forget(&w->hidden, r->tid);
	} else if (r->type == PERF_RECORD_COMM && r->comm.is_exec) {
		struct process *p = process_of(w, r->pid);

		hidden_returns_forget(&w->hidden, r->tid);
		space_clear(&p->space);
		p->probes.nr = 0;
		p->stamp = ++w->last_stamp;
	}
}

/* ---- modules ---- */

static uint32_t module_of(struct stack_walker *w, const struct writer_mmap *m)
{
	struct str key = { 0 };
	uint32_t id;

	str_addf(&key, "%u:%u:%llu:", m->dev_major, m->dev_minor, (unsigned long long)m->inode);
	str_add_bytes(&key, m->build_id.bytes, m->build_id.len);
	str_addf(&key, " %s", m->path);
	id = strings_id_n(&w->module_keys, key.s, key.len);
	str_release(&key);
	if (id == w->modules.nr)
		vec_push(&w->modules, (struct module){ .path = xstrdup(m->path),
						       .is_kernels = !strcmp(m->path, "[uprobes]") });
	w->modules.at[id].mapping = *m;
	w->modules.at[id].mapping.path = w->modules.at[id].path;
	return id;
}

void stack_walker_mmap(struct stack_walker *w, const struct writer_mmap *m)
{
	bool is_vdso = !strcmp(m->path, "[vdso]");
	struct mapping mapping = { .start = m->start, .end = m->start + m->len, .off = is_vdso ? 0 : m->off };
	struct process *p;

	mapping.module = module_of(w, m);
	p = process_of(w, m->pid);
	space_map(&p->space, mapping);
	p->stamp = ++w->last_stamp;
}

static int open_module(const struct module *m)
{
	struct stat ignored;
	int found = mapped_file_find(&m->mapping, &ignored), fd;

	if (found < 0)
		return found;
	fd = root_reopen(found);
	close(found);
	return fd;
}

/* Every process of our kind has this kernel's vdso, and so have we. */
static struct cfi *open_vdso(void)
{
	const uint8_t *image = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	struct err ignored;
	Elf64_Ehdr header;

	if (!image)
		return NULL;
	memcpy(&header, image, sizeof(header));
	return cfi_open_image(image, header.e_shoff + (size_t)header.e_shnum * header.e_shentsize, &ignored);
}

static struct cfi *open_file(struct module *m)
{
	struct cfi *cfi;
	struct err e;
	int fd = open_module(m);

	m->is_done = fd >= 0 || ++m->nr_tries == MAX_TRIES;
	if (fd < 0)
		return NULL;
	cfi = cfi_open(fd, &e);
	if (!cfi)
		log_debug("%s: %s", m->path, e.what);
	return cfi;
}

static struct cfi *cfi_of(struct module *m)
{
	if (m->is_done)
		return m->cfi;
	if (m->path[0] == '/' && m->path[1] != '/') {
		m->cfi = open_file(m);
	} else {
		m->cfi = strcmp(m->path, "[vdso]") ? NULL : open_vdso();
		m->is_done = true;
	}
	return m->cfi;
}

/* ---- samples ---- */

struct place {
	struct stack_walker *walker;
	const struct process *process;
	const struct stack_copy *stack;
	uint32_t tid;
};

static bool find_code(void *ctx, uint64_t addr, struct unwind_code *ret)
{
	const struct place *place = ctx;
	const struct mapping *m = find_mapping(place->walker, place->process, addr);

	if (!m)
		return false;
	ret->cfi = cfi_of(&place->walker->modules.at[m->module]);
	if (ret->cfi && (cfi_arch(ret->cfi) != place->walker->arch ||
			 !cfi_vaddr(ret->cfi, addr - m->start + m->off, &ret->vaddr)))
		ret->cfi = NULL;
	return true;
}

static bool find_hidden(void *ctx, uint64_t slot, uint64_t *ret_addr)
{
	const struct place *place = ctx;
	const struct hidden_return *h = hidden_returns_at(&place->walker->hidden, place->tid, slot);

	if (h)
		*ret_addr = h->addr;
	return h;
}

static const struct hidden_return *innermost(const struct place *place, uint64_t sp)
{
	return hidden_returns_innermost(&place->walker->hidden, place->tid, sp);
}

/*
 * In the kernel's page, which begins with the code that return probes return to. It has taken the return address
 * off the stack, and put up to three registers there (arch/x86/kernel/uprobes.c). Behind it are copies of probed
 * instructions, a function's first among them: the return address is on top of the stack. In the program's eyes
 * both stand behind the call.
 */
static bool return_from_page(const struct place *place, const struct mapping *page, struct regs *regs)
{
	uint64_t *sp = &regs->value[place->walker->arch->sp];
	const struct hidden_return *h = innermost(place, *sp);

	if (!h || (regs->pc - page->start < COPY_BYTES ? h->slot > *sp + 16 : h->slot != *sp))
		return false;
	regs->pc = h->addr;
	*sp = h->slot + 8;
	return true;
}

static bool is_code_at(const struct place *place, uint64_t slot)
{
	uint64_t word;

	return stack_read(place->stack, slot, &word) == UNWIND_STOP_ROOT && space_find(&place->process->space, word);
}

/* As the word is that a push has put there; a return address is in no register. */
static bool is_register_at(const struct place *place, const struct regs *regs, uint64_t slot)
{
	uint64_t word;
	uint8_t reg;

	if (stack_read(place->stack, slot, &word) != UNWIND_STOP_ROOT)
		return false;
	for (reg = 0; reg < place->walker->arch->nr_regs; reg++)
		if (regs->known >> reg & 1 && regs->value[reg] == word)
			return true;
	return false;
}

/*
 * Where the return address is while the kernel runs a copy. It does not tell whose: where it may be in several places,
 * the stack pointer of a function's begin decides. 0: that is not known.
 */
static uint64_t find_return_slot(const struct place *place, uint64_t copy_off, uint64_t sp)
{
	const struct stack_walker *w = place->walker;
	size_t nr_places = 0, nr_found = 0;
	uint64_t found = 0;

	vec_each(&w->places.steps, s)
		nr_places += s->copy_off == copy_off;
	vec_each(&w->places.steps, s) {
		if (s->copy_off != copy_off || s->sp_add == CALL_PLACE_NO_SP || !is_code_at(place, sp + s->sp_add) ||
		    (nr_places > 1 && !may_be_entry(w->arch, sp + s->sp_add)))
			continue;
		found = sp + s->sp_add;
		nr_found++;
	}
	return nr_found == 1 ? found : 0;
}

/* Also where the kernel's stands in its place. */
static bool read_return(struct place *place, uint64_t slot, uint64_t *ret_addr)
{
	return stack_read(place->stack, slot, ret_addr) == UNWIND_STOP_ROOT &&
	       (find_mapping(place->walker, place->process, *ret_addr) || find_hidden(place, slot, ret_addr));
}

/*
 * In a copy of a counted function's instruction. Which one's is not known, but who called it is, where the return address is.
 * Elsewhere the frame pointer would be of no use: it may be the caller's still.
 */
static void leave_copy(struct place *place, const struct mapping *page, struct regs *regs)
{
	const struct unwind_arch *arch = place->walker->arch;
	uint64_t off = regs->pc - page->start, *sp = &regs->value[arch->sp];
	uint64_t slot = off < COPY_BYTES ? 0 : find_return_slot(place, off % COPY_BYTES, *sp), addr;

	if (!slot || !read_return(place, slot, &addr)) {
		regs->known &= ~(1ULL << arch->fp);
		return;
	}
	place->walker->copy_pc = regs->pc;
	regs->pc = addr;
	*sp = slot + 8;
}

/* The place's push is done: the return address is a word further up. What was pushed may be code, too. */
static bool has_pushed(const struct place *place, const struct probed_place *p, const struct regs *regs)
{
	uint64_t sp = regs->value[place->walker->arch->sp], slot = sp + p->sp_add;

	return is_code_at(place, slot + 8) && (!is_code_at(place, slot) || is_register_at(place, regs, sp));
}

/* A call there has put up where it returns to, and that is where the kernel has the thread until it jumps. */
static bool has_called(const struct place *place, const struct mapping *m, const struct regs *regs)
{
	uint64_t word;

	return stack_read(place->stack, regs->value[place->walker->arch->sp], &word) == UNWIND_STOP_ROOT && word == regs->pc &&
	       word - m->start >= CALL_BYTES && find_place(place->walker, m, word - CALL_BYTES);
}

/* It was behind the breakpoint, with nothing done; or a push or a call was done, and the thread not yet behind it. */
static bool leave_place(const struct place *place, const struct mapping *m, struct regs *regs)
{
	uint64_t *sp = &regs->value[place->walker->arch->sp];
	const struct probed_place *p = regs->pc > m->start ? find_place(place->walker, m, regs->pc - 1) : NULL;

	if (p && is_code_at(place, *sp + p->sp_add) && !has_pushed(place, p, regs)) {
		regs->pc--;
		return true;
	}
	p = find_place(place->walker, m, regs->pc);
	if (p && has_pushed(place, p, regs)) {
		*sp += 8;
		return true;
	}
	if (has_called(place, m, regs)) {
		regs->pc -= CALL_BYTES;
		*sp += 8;
		return true;
	}
	return false;
}

/*
 * Where the program stands, as opposed to the kernel, which works on a probe. A breakpoint leaves the
 * thread one byte behind it until the kernel has seen whose it is; and a push that the kernel does itself moves
 * the stack pointer before it is over.
 */
static void leave_probe(struct place *place, struct regs *regs)
{
	const struct mapping *m = space_find(&place->process->space, regs->pc);
	const struct unwind_arch *arch = place->walker->arch;
	uint64_t *sp = &regs->value[arch->sp];
	const struct hidden_return *h;

	if (m && place->walker->modules.at[m->module].is_kernels) {
		if (!return_from_page(place, m, regs))
			leave_copy(place, m, regs);
	} else if (m && leave_place(place, m, regs)) {
		return;
	} else if (may_be_entry(arch, *sp)) {
		regs->pc -= is_probed(place->process, regs->pc - 1);
	} else if (is_probed(place->process, regs->pc)) {
		h = innermost(place, *sp);
		if (h && h->slot == *sp + 8)
			*sp = h->slot;
	}
}

static void walk(struct stack_walker *w, const struct record *r)
{
	const struct process *process = process_of(w, r->pid);
	struct stack_copy stack = { .bytes = r->sample.user_stack,
				    .len = r->sample.user_stack_len,
				    .is_cut = r->sample.is_user_stack_cut };
	struct place place = { w, process, &stack, r->tid };
	struct unwind_space space = { &place, find_code, find_hidden, process->stamp };
	struct regs regs;

	w->frames.at.nr = 0;
	w->copy_pc = 0;
	/* A thread of the kernel's, or one that is about to end, has no user's side. */
	if (r->sample.user_regs_abi == PERF_SAMPLE_REGS_ABI_NONE)
		return;
	if (r->sample.user_regs_abi != PERF_SAMPLE_REGS_ABI_64 ||
	    !regs_of_perf(w->arch, r->sample.user_regs_mask, r->sample.user_regs, r->sample.nr_user_regs,
			  &regs)) {
		unwinder_count(w->unwinder, UNWIND_STOP_NO_REGS);
		return;
	}
	stack.start = regs.value[w->arch->sp];
	leave_probe(&place, &regs);
	if (unwind(w->unwinder, &space, &regs, &stack, &w->frames) != UNWIND_STOP_ROOT && !stack.is_cut)
		stack_pages_bring(r->pid, &stack, w->stack_bytes);
}

/*
 * Who reads a chain takes one off all addresses but the first, to get from the return address into the
 * call. Where a signal came in, there is no call, and the one is given beforehand.
 */
static uint64_t written_addr(const struct unwind_frame *f, bool is_first)
{
	return is_first || f->is_return ? f->addr : f->addr + 1;
}

size_t stack_walker_sample(struct stack_walker *w, const struct record *r, void *out)
{
	const uint8_t *begin = r->body - sizeof(struct perf_event_header);
	size_t before = (size_t)(r->sample.chain.ips - sizeof(uint64_t) - begin), size, i;
	uint64_t *chain = (uint64_t *)((uint8_t *)out + before), *next = chain + 1;
	struct perf_event_header header;

	walk(w, r);
	memcpy(out, begin, before);
	for (i = 0; i < r->sample.chain.nr && i < 1000; i++)
		*next++ = callchain_at(&r->sample.chain, i);
	if (w->frames.at.nr)
		*next++ = PERF_CONTEXT_USER;
	if (w->copy_pc)
		*next++ = w->copy_pc;
	vec_each(&w->frames.at, f)
		*next++ = written_addr(f, f == w->frames.at.at);
	*chain = (uint64_t)(next - chain - 1);
	size = (size_t)((uint8_t *)next - (uint8_t *)out);
	memcpy(&header, out, sizeof(header));
	header.size = (uint16_t)size;
	memcpy(out, &header, sizeof(header));
	return size;
}
