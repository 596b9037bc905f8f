/* SPDX-License-Identifier: Apache-2.0 */
/* Return addresses that are hidden behind return probes, of each thread: where the stack has the kernel's instead. */
#ifndef COLLECTOR_HIDDEN_RETURNS_H
#define COLLECTOR_HIDDEN_RETURNS_H

#include <stdint.h>

#include "base/hash.h"
#include "base/vec.h"

struct hidden_return {
	uint64_t slot, addr;	/* where on the stack it should be; what should be there */
};

/* Those of one thread, the innermost last: their slots descend. */
struct hidden_thread {
	VEC(struct hidden_return) all;
};

/* Zeroed: none. */
struct hidden_returns {
	struct placemap of_tid;		/* in threads */
	VEC(struct hidden_thread) threads;
};

/* What has its slot below that one has returned. */
void hidden_returns_leave_below(struct hidden_returns *h, uint32_t tid, uint64_t slot);
/* Those below have left. In the place of one that has the same slot. */
void hidden_returns_add(struct hidden_returns *h, uint32_t tid, uint64_t slot, uint64_t addr);
/* What these two return is valid until any changes. NULL: there is none. */
const struct hidden_return *hidden_returns_at(const struct hidden_returns *h, uint32_t tid, uint64_t slot);
/* Of the calls that have not returned, the innermost: at sp or above, or it took sp along. */
const struct hidden_return *hidden_returns_innermost(const struct hidden_returns *h, uint32_t tid, uint64_t sp);
/* A thread that is new goes on where another one is. */
void hidden_returns_copy(struct hidden_returns *h, uint32_t from, uint32_t to);
void hidden_returns_forget(struct hidden_returns *h, uint32_t tid);
void hidden_returns_release(struct hidden_returns *h);

#endif
