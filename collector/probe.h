/* SPDX-License-Identifier: Apache-2.0 */
/* What probe.bpf.c and marker_probe.c share. Plain integer types only: BPF includes it. */
#ifndef COLLECTOR_PROBE_H
#define COLLECTOR_PROBE_H

#include "collector/follow.h"
#include "collector/probe_arg.h"
#include "recording/mark.h"

/* Places where markers of one recording are attached. */
#define PROBE_MAX_SITES 256
/*
 * Labels that are being read at the same moment, by threads that preempted each other on one CPU;
 * a mark that finds no buffer goes without its label and says so. Powers of two.
 */
#define PROBE_BUFFERS_PER_CPU 8
#define PROBE_MAX_BUFFERS 512

/* A conditional jump is hit whether it is taken or not: cc is the low half of its opcode. */
#define EXIT_CONDITION(cc) ((cc) + 1)

/* What to do at one site. */
struct probe_program {
	unsigned int marker;		/* id of the NOTE_MARKER */
	unsigned short kind;		/* enum mark_kind */
	unsigned short sp_add;		/* bytes from the stack pointer at the probe to what a mark has */
	unsigned short condition;	/* of the jump that is probed: EXIT_CONDITION(); 0: none */
	unsigned short is_go;		/* of a program of Go's: see goroutine_place() */
	struct probe_arg label, id;	/* kind PROBE_ARG_NONE: none */
};

struct probe_counts {
	unsigned long long nr_hits;
	unsigned long long nr_unsent;	/* marks that found no room in a ring, or could not be sent */
};

#endif
