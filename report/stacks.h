/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callchains to nodes of one tree, so that a sample's stack is a number and equal stacks are equal
 * numbers. A node is a place in code and the node of the place that called it:
 *
 *	0 (no code: below the outermost frame)
 *	+- 1 main+0x20
 *	   +- 2 serve+0x88
 *	   |  +- 3 parse+0x14		the chain parse, serve, main is node 3
 *	   +- 4 stop+0x4
 *
 * What is repeated is cheap: chains are remembered by a 128-bit hash of their bytes, the process
 * and the state of its mappings, so that a stack that was seen before costs that hash.
 */
#ifndef REPORT_STACKS_H
#define REPORT_STACKS_H

#include "report/inputs.h"
#include "report/session.h"
#include "report/stack_dumps.h"

enum location_kind {
	LOCATION_CODE,
	LOCATION_FUNCTION,	/* the whole function that begins there: its calls are counted */
	LOCATION_NAMED,		/* a function that came with its names; module is 0 */
	LOCATION_UNKNOWN,	/* who called is not known; all else is 0 */
};

/* A place in code; equal places have equal indexes. */
struct location {
	uint64_t addr;		/* in the module: enum module_kind; of a named one its line */
	uint32_t module;
	uint32_t name, file;	/* strings: of a named one; of a function what its file calls it */
	bool is_return, is_kernel;
	bool is_aliased;	/* of a function: it is shown by that name */
	/* Not looked at when places are compared: calls of it were not counted; its calls have their time. */
	bool is_inexact, is_timed;
	uint8_t kind;		/* enum location_kind */
	struct counting_inputs inputs;	/* of a function: where its calls are counted; nor is this */
};

struct stack_node {
	uint32_t caller;	/* node */
	uint32_t location;	/* of node 0: none */
};

struct chain_frame {
	uint64_t ip;
	uint16_t cpumode;
	bool is_return;
};

struct known_chain;
struct known_code;

struct stacks {
	VEC(struct location) locations;
	VEC(struct stack_node) nodes;
	struct hashidx location_index, node_index;
	struct known_chain *known_chains;
	size_t nr_places, nr_remembered;	/* of known_chains, and in them */
	struct known_code *known_code;
	VEC(struct chain_frame) frames;		/* scratch */
	struct stack_dumps dumps;
	struct counting_inputs naming;	/* whose counted functions come with their names: all that there are */
	uint64_t amiss;		/* input_bit() of each where calls are missing, nobody knows in which table */
};

void stacks_init(struct stacks *s);
void stacks_release(struct stacks *s);
/* Before another session: its processes are others, under the same indexes. */
void stacks_forget_processes(struct stacks *s);
/*
 * The node of the sample's innermost frame. At least one frame: a sample without callchain has the
 * place where it was taken. Where the user's part of the chain is missing and the sample has the
 * user's registers (a recording with stack dumps), it is unwound from them.
 */
uint32_t stacks_node(struct stacks *s, struct session *session, uint32_t process,
		     const struct record *sample);
/* The index of a place, and the node of it under a caller's: for what came as no chain. */
uint32_t stacks_location(struct stacks *s, const struct location *l);
uint32_t stacks_node_below(struct stacks *s, uint32_t caller, uint32_t location);

#endif
