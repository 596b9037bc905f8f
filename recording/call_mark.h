/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that were counted. They are added up in the kernel, for each thread, by the node of a tree:
 * a node is a function and the node of the function that called it. What was added up is sent as the raw
 * part of a sample of the BPF output event, as marks are, right before any mark of the same thread: so
 * the calls belong to what the thread works on at that moment, as a sample there would. BPF programs
 * write this struct, so it includes nothing but integer types.
 *
 *	struct call_counts (16 bytes) | nr struct call_row (24 bytes each)
 *
 * Functions and nodes are described by notes (note.h), which stand in the stream before the first row
 * that needs them; the same one may come again. A node's parent has a lower number than the node.
 */
#ifndef RECORDING_CALL_MARK_H
#define RECORDING_CALL_MARK_H

#define CALL_MARK_MAGIC 0x314b4357U	/* "WCK1" */

/* The parent of functions that were called by none that is counted. */
#define CALL_ROOT 0U
/* In the place of a parent: which function called is not known. */
#define CALL_UNKNOWN 0x7fffffffU
/* In the place of a node's function: those that call one another there, and are not told apart. They have no rows. */
#define CALL_SEVERAL 0U
/* Or'ed to a function, in the place of a node: that function, whoever called it. It needs no note. */
#define CALL_LONE 0x80000000U

enum call_flags {
	CALL_IS_PARTIAL = 1,	/* there were calls since the thread's last mark that are in no row */
	CALL_IS_LATE = 2,	/* some of the rows are of a time before that mark */
	CALL_IS_UNCOUNTED = 4,	/* nor will any of the process be, until it runs another program */
};

/* Most rows in one record. */
#define CALL_ROWS_MAX 128

struct call_counts {
	unsigned int magic;
	unsigned short flags;		/* enum call_flags */
	unsigned short nr;		/* rows that follow; with CALL_IS_PARTIAL there may be none */
	unsigned int tid;		/* of that thread of the same process; 0: the one that the sample is of */
	unsigned int zero;
};

struct call_row {
	unsigned int node, zero;
	unsigned long long ncalls;	/* 0: it was called before, and still ran */
	unsigned long long self_ns;	/* wall clock; 0 where time is not counted: FUNCTION_IS_TIMED */
};

#endif
