/* SPDX-License-Identifier: Apache-2.0 */
/* What a recording is to be: what the options of wperf record said. */
#ifndef COLLECTOR_RECORDER_CONFIG_H
#define COLLECTOR_RECORDER_CONFIG_H

#include "collector/counting.h"
#include "collector/sampler.h"
#include "collector/target.h"

/* Lent while the recorder runs. */
struct recorder_config {
	struct pids pids;		/* -p */
	char *const *command;		/* NULL: none */
	bool command_is_target;		/* without -p; else its run time only sets the length */
	const char *output;
	uint64_t duration_ns;		/* 0: until told */
	uint64_t max_bytes;		/* 0: no end */
	struct sampler_config sampler;
	bool is_default_event;		/* nobody asked for it: it is told */
	const char *const *marker_specs;	/* NULL-terminated; empty: none */
	struct counting_config counting;
	int argc;
	char **argv;
	bool is_quiet, has_no_progress;
};

#endif
