/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples that carry registers and a copy of the user's stack (perf record --call-graph dwarf) to user
 * frames: the unwinder over the session's mappings and the symbolizer's files.
 */
#ifndef REPORT_STACK_DUMPS_H
#define REPORT_STACK_DUMPS_H

#include "report/session.h"
#include "unwinder/unwind.h"

struct stack_dumps {
	const struct unwind_arch *arch;		/* NULL before the first dump */
	struct unwinder *unwinder;
	VEC(struct cfi *) cfi_of_module;	/* by the symbolizer's number */
	VEC(bool) has_tried;			/* the same */
	struct unwind_frames frames;
	struct unwind_tally tally;		/* of all recordings */
};

/* Valid when zeroed. */
void stack_dumps_release(struct stack_dumps *d);
/* Before another session: its processes are others, under the same indexes. */
void stack_dumps_forget_processes(struct stack_dumps *d);

/* There are registers to start from, and this processor's rules are known. */
bool stack_dumps_can(struct stack_dumps *d, const struct session *s, const struct record *sample);
/*
 * The user's frames of a sample that stack_dumps_can() said yes to, innermost first; at least one.
 * Lent until the next call.
 */
const struct unwind_frames *stack_dumps_unwind(struct stack_dumps *d, struct session *s,
					       uint32_t process, const struct record *sample);

#endif
