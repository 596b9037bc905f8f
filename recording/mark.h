/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mark: a request begins or ends here. It is the raw part of a sample of the BPF output event, so
 * that it stands in the same rings and the same order as the samples; thread, CPU and time are the
 * sample's own. The BPF programs write this struct, so it includes nothing but integer types.
 *
 *	struct mark_head (32 bytes) | label_len bytes of label, no NUL | padding
 */
#ifndef RECORDING_MARK_H
#define RECORDING_MARK_H

#define MARK_MAGIC 0x314b4d57U	/* "WMK1" */

enum mark_kind {
	MARK_BEGIN = 1,
	MARK_END = 2,
	MARK_CALLED = 3,	/* for the collector only: id is the return address that stands at sp */
};

enum mark_flags {
	MARK_HAS_ID = 1,
	MARK_HAS_LABEL = 2,
	MARK_LABEL_CUT = 4,	/* the label is longer than what is here */
	MARK_LABEL_FAULT = 8,	/* its memory could not be read; label_len is 0 */
};

/* Longest label that travels, bytes. Long enough for the shape of an SQL statement. */
#define MARK_LABEL_MAX 1024

struct mark_head {
	unsigned int magic;
	unsigned short kind;		/* enum mark_kind */
	unsigned short flags;		/* enum mark_flags */
	unsigned int marker;		/* id of the NOTE_MARKER */
	unsigned int label_len;		/* bytes */
	unsigned long long id;		/* joins begin and end; valid with MARK_HAS_ID */
	/*
	 * The stack pointer at the probe. On a goroutine's stack, which may move, a number in its place that stays: no
	 * address, but among the goroutine's own in the same order and distance, and far from those of all others.
	 */
	unsigned long long sp;
};

#endif
