/* SPDX-License-Identifier: Apache-2.0 */
/* The feature sections behind the data of a file, which travel as records in a pipe stream. */
#ifndef RECORDING_FEATURE_H
#define RECORDING_FEATURE_H

#include "recording/decode.h"

struct build_id_entry {
	const char *path;
	struct build_id id;
};

/* What is known of the machine and the run. Valid when zeroed; strings are in the arena. */
struct features {
	const char *hostname, *os_release, *arch, *cmdline;
	uint64_t wall_ns, clock_ns;	/* one moment on both clocks; 0: not said */
	VEC(struct build_id_entry) build_ids;
	struct arena arena;
};

/*
 * Takes one section in; sections that nobody here reads are ignored. EVENT_DESC names the events in
 * ev. False: the section is cut short.
 */
bool feature_parse(struct features *f, struct events *ev, unsigned int feature, struct cursor section);
/* A HEADER_BUILD_ID record (or one entry of the BUILD_ID section), header included. */
bool feature_parse_build_id(struct features *f, struct cursor record);
void features_release(struct features *f);

#endif
