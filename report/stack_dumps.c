/* SPDX-License-Identifier: Apache-2.0 */
#include "report/stack_dumps.h"

struct place {
	struct stack_dumps *dumps;
	struct session *session;
	uint32_t process;
};

void stack_dumps_forget_processes(struct stack_dumps *d)
{
	if (d->unwinder)
		unwind_tally_add(&d->tally, unwinder_tally(d->unwinder));
	unwinder_free(d->unwinder);
	d->unwinder = NULL;
	d->arch = NULL;
}

void stack_dumps_release(struct stack_dumps *d)
{
	stack_dumps_forget_processes(d);
	vec_each(&d->cfi_of_module, c)
		cfi_free(*c);
	vec_release(&d->cfi_of_module);
	vec_release(&d->has_tried);
	vec_release(&d->frames.at);
}

static struct cfi *cfi_of(struct stack_dumps *d, struct session *s, uint32_t module)
{
	struct err ignored;
	Elf *elf;

	while (d->has_tried.nr <= module) {
		vec_push(&d->has_tried, false);
		vec_push(&d->cfi_of_module, NULL);
	}
	if (d->has_tried.at[module])
		return d->cfi_of_module.at[module];
	d->has_tried.at[module] = true;
	elf = symbolizer_elf(s->symbolizer, module);
	if (elf)
		d->cfi_of_module.at[module] = cfi_of_elf(elf, &ignored);
	return d->cfi_of_module.at[module];
}

static bool find_code(void *ctx, uint64_t addr, struct unwind_code *ret)
{
	const struct place *p = ctx;
	const struct mapping *m = space_find(&p->session->processes.at[p->process].space, addr);

	if (!m)
		return false;
	ret->cfi = cfi_of(p->dumps, p->session, m->module);
	if (ret->cfi && (cfi_arch(ret->cfi) != p->dumps->arch ||
			 !cfi_vaddr(ret->cfi, addr - m->start + m->off, &ret->vaddr)))
		ret->cfi = NULL;
	return true;
}

static const struct unwind_arch *arch_of(const struct session *s)
{
	const char *name = reader_arch(s->reader);

	return name ? unwind_arch_find(name) : unwind_arch_native();
}

bool stack_dumps_can(struct stack_dumps *d, const struct session *s, const struct record *r)
{
	if (!r->sample.user_regs || !s->symbolizer)
		return false;
	if (!d->arch) {
		d->arch = arch_of(s);
		d->unwinder = d->arch ? unwinder_new(d->arch) : NULL;
	}
	return d->arch && r->sample.user_regs_abi == PERF_SAMPLE_REGS_ABI_64;
}

const struct unwind_frames *stack_dumps_unwind(struct stack_dumps *d, struct session *s,
					       uint32_t process, const struct record *r)
{
	struct place place = { d, s, process };
	struct unwind_space space = {
		.ctx = &place,
		.find = find_code,
		.stamp = ((uint64_t)process + 1) << 32 | s->processes.at[process].space.generation,
	};
	struct stack_copy stack = { .bytes = r->sample.user_stack,
				    .len = r->sample.user_stack_len,
				    .is_cut = r->sample.is_user_stack_cut };
	struct regs regs;

	d->frames.at.nr = 0;
	if (!regs_of_perf(d->arch, r->sample.user_regs_mask, r->sample.user_regs, r->sample.nr_user_regs,
			  &regs)) {
		unwinder_count(d->unwinder, UNWIND_STOP_NO_REGS);
		return &d->frames;
	}
	stack.start = regs.value[d->arch->sp];
	unwind(d->unwinder, &space, &regs, &stack, &d->frames);
	return &d->frames;
}
