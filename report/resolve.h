/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stack's node to the functions on it, as a report shows them: inlined calls expanded, the
 * kernel's part shown, folded or hidden, and cut off at --root. Each place in code is resolved
 * once.
 */
#ifndef REPORT_RESOLVE_H
#define REPORT_RESOLVE_H

#include "base/str.h"
#include "report/profile.h"
#include "report/stacks.h"

#define KERNEL_FRAMES(X) X(SHOW, "show") X(FOLD, "fold") X(HIDE, "hide")
#define KERNEL_FRAMES_ID(id, text) KERNEL_##id,
enum kernel_frames { KERNEL_FRAMES(KERNEL_FRAMES_ID) NR_KERNEL_FRAMES };

struct resolve_options {
	enum kernel_frames kernel;
	bool is_native;		/* in tables that have calls with their time: samples too */
	const char *root;	/* glob, or part of the name of a function; NULL: all is shown */
	/* function_sums.callers too: of programs with many paths the largest part of a profile. */
	bool wants_callers;
	bool wants_trees;	/* group.tree: as large as the stacks are different */
};

/* In a chain: who called is not known. */
#define NO_FUNCTION UINT32_MAX

/* A function that was asked for by another name than the one that it would be shown by. */
struct asked_name {
	uint32_t shown, file, line, module;	/* as of struct function */
	uint32_t name;
};

/* The functions of one location, innermost first. */
struct place {
	uint32_t first, nr;	/* in resolve.functions; nr 0: not resolved yet */
};

struct resolve {
	const struct resolve_options *options;	/* lent, as all that is pointed to */
	const struct stacks *stacks;
	struct symbolizer *symbolizer;
	struct profile *profile;	/* its functions grow */
	struct hashidx function_index;
	struct hashidx asked_index;
	VEC(struct asked_name) asked;
	size_t nr_looked_at;		/* locations of which it is known whether they have such a name */
	size_t nr_resolved;		/* locations that resolve_sampled() has been at */
	VEC(struct place) places;	/* by location */
	VEC(uint32_t) functions;	/* indexes in profile->functions */
	VEC(bool) is_root;		/* by function */
	VEC(uint32_t) chain;		/* what resolve_chain() found; innermost first */
	bool is_open;			/* somewhere on the stack, above --root too, who called is not known: */
	bool is_lone;			/* not even who is outermost */
	struct str text;
};

void resolve_init(struct resolve *r, const struct resolve_options *options,
		  const struct stacks *stacks, struct symbolizer *symbolizer,
		  struct profile *profile);
void resolve_release(struct resolve *r);
/* The functions of one location; nr is 1 at least. */
struct place resolve_place(struct resolve *r, uint32_t location);
/* All places of the program's that samples found, whether or not they are asked for: then r->is_root knows them. */
void resolve_sampled(struct resolve *r);
/* The path of the module that the location is in. */
uint32_t resolve_module(struct resolve *r, uint32_t location);
/*
 * Leaves the node's functions in r->chain: at least one, and indexes in profile->functions; behind
 * the first there may be NO_FUNCTION. False: --root is not on this stack, or where r->is_open, on what is
 * known of it; the chain is that.
 */
bool resolve_chain(struct resolve *r, uint32_t node);

#endif
