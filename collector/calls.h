/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the BPF programs that count calls share with the collector, and with each other. Plain integer
 * types only: BPF includes it.
 *
 * Each thread has a struct call_thread, in its task storage: the functions that it is in, and what was
 * added up since its last mark. Nodes of the tree (recording/call_mark.h) are all threads': a map leads
 * from a node and a function that it calls to the next one, and an array says of each what it is. Its
 * index is the node, so that whoever sees a node can look it up, and nothing has to be told in time.
 */
#ifndef COLLECTOR_CALLS_H
#define COLLECTOR_CALLS_H

#include "recording/call_mark.h"

/*
 * Nodes that are told apart. 72 bytes each, allocated at once. Of calls beyond it is not known who
 * called.
 */
#define CALLS_MAX_NODES (1 << 17)
/* Native functions that are counted; the ids of others begin there (see below). */
#define CALLS_MAX_FUNCTIONS (1 << 16)

/*
 * Stacks that a thread is known to run on at a time: its own, one for signals, coroutines'. Together
 * with all else struct call_thread has to stay below 16 KiB, which the kernel would double.
 */
#define CALLS_MAX_STACKS 4
/* How deep calls are told apart on the first one, and on the others. */
#define CALLS_FRAMES_OF_FIRST 480
#define CALLS_FRAMES_OF_OTHER 96
#define CALLS_MAX_FRAMES (CALLS_FRAMES_OF_FIRST + (CALLS_MAX_STACKS - 1) * CALLS_FRAMES_OF_OTHER)

#define CALLS_INDEX_SLOTS 256
/* Files whose functions' code can be told apart at a time; a power of 2. */
#define CALLS_MAX_BASES 16

/* A call that was not seen to return. */
struct call_frame {
	unsigned long long key;		/* native: the stack pointer at the function's entry */
	unsigned int node;
	unsigned int check;		/* native: the low half of what stood there, the return address */
};

struct call_stack {
	unsigned long long begin, end;	/* where it lies; end 0: the place is free */
	unsigned int nr_frames;		/* may be more than have room */
	unsigned int root;		/* what calls the outermost: CALL_ROOT, CALL_UNKNOWN */
};

/* Native functions: what addresses in a file, by its id (0: none), are more than link-time ones there. */
struct call_base {
	unsigned long long add;
	unsigned int file, zero;
};

/*
 * is_busy is set while a program changes it: who is called meanwhile must leave it alone. At the end it is set for good:
 * what was left has been read, and is sent by nobody any more.
 */
enum { CALLS_BUSY = 1, CALLS_READ = 2 };

struct call_thread {
	unsigned int is_busy;
	unsigned short flags;		/* enum call_flags, of what is sent next */
	unsigned short current;		/* in stacks */
	unsigned long long last_ns;	/* up to here time was given to a node; 0: not at all */
	unsigned int running;		/* the node that time goes to, where it is counted */
	unsigned int zero;
	struct call_stack stacks[CALLS_MAX_STACKS];
	struct call_base bases[CALLS_MAX_BASES];	/* by the file's id modulo that many */
	unsigned char index[CALLS_INDEX_SLOTS];	/* hash of a node -> its row and 1; 0: free */
	struct call_counts head;	/* what is sent: it, */
	struct call_row rows[CALL_ROWS_MAX];	/* and head.nr of these */
	struct call_frame frames[CALLS_MAX_FRAMES];	/* the first stack's, and so on */
};

/* function 0: it is being made, on another CPU. */
struct call_node {
	unsigned int parent, function;
};

/* One for all. */
struct call_state {
	unsigned int next_node;		/* from 1; beyond CALLS_MAX_NODES there was no room */
	unsigned int generation;	/* of the probes: those of another one count nothing */
	unsigned long long untimed_ns;	/* not 0: from then on nothing is counted that has time, nor the time of it */
	unsigned int command;		/* a child of wperf's, up to its exec(2): what it calls is not the command's; 0: none */
	unsigned int zero;
};

/* By CPU. */
struct call_totals {
	unsigned long long nr_unsent;	/* records that found no room, but whose counts wait */
	unsigned long long nr_lost;	/* calls that are in no row */
	unsigned long long nr_callerless;	/* calls of which it is not known who called: CALL_LONE */
	unsigned long long nr_untold;	/* what no record tells of, nor struct call_hits: of other than native functions */
};

/* By CPU and native function. */
struct call_hits {
	unsigned long long nr;
	unsigned long long nr_lost;
	unsigned long long nr_looks;	/* activations that were looked at, to find who has returned */
};

/* By native function: where its code lies, in link-time addresses of its file. */
struct call_extent {
	unsigned long long probe, begin;
	unsigned int size;		/* 0: not known */
	unsigned int file;		/* its id, from 1 */
};

/*
 * What a probe of a native function carries, its cookie: the function, how far below its value at the
 * entry the stack pointer is at the probe, and the generation.
 */
#define CALLS_COOKIE(function, sp_add, generation)                                                 \
	((unsigned long long)(function) | (unsigned long long)(sp_add) << 32 |                     \
	 (unsigned long long)(generation) << 48)
/* In the place of sp_add: nothing can be told from the stack pointer. */
#define CALLS_NO_NESTING 0xffff
#define CALLS_COOKIE_FUNCTION(cookie)	((unsigned int)(cookie))
#define CALLS_COOKIE_SP_ADD(cookie)	((unsigned int)((cookie) >> 32) & 0xffff)
#define CALLS_COOKIE_GENERATION(cookie) ((unsigned int)((cookie) >> 48))

/* What calls_rest (calls.bpf.c) says of each thread: this, struct call_counts, its rows. */
struct call_rest {
	unsigned int pid, tid;
};

#endif
