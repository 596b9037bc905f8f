/* SPDX-License-Identifier: Apache-2.0 */
/*
 * perf.data, version 2, as bytes (linux/tools/perf/Documentation/perf.data-file-format.txt and
 * util/header.h). All numbers are little-endian here; a file of the other order is refused.
 *
 *	file form					pipe form
 *	+--------------------------+ 0			+--------------------------+
 *	| struct file_header (104) |			| struct pipe_header (16)  |
 *	+--------------------------+			+--------------------------+
 *	| ids of event 0, 1, ...   | u64 each		| HEADER_ATTR records      |
 *	+--------------------------+ attrs.off		| HEADER_FEATURE records   |
 *	| perf_event_attr + ids    | per event		| records ...              |
 *	+--------------------------+ data.off		+--------------------------+
 *	| records ...              |
 *	+--------------------------+ data.off + data.size
 *	| struct file_section      | per feature bit
 *	| feature sections         |
 *	+--------------------------+
 *
 * data.size is 0 until the recording is finished; then the data goes on to the end of the file.
 */
#ifndef RECORDING_PERF_FORMAT_H
#define RECORDING_PERF_FORMAT_H

#include <linux/perf_event.h>
#include <stdint.h>

#define PERF_MAGIC2 0x32454c4946524550ULL	/* "PERFILE2" */

struct file_section {
	uint64_t off, size;
};

struct file_header {
	uint64_t magic;
	uint64_t size;		/* of this header */
	uint64_t attr_size;	/* of one entry of attrs: perf_event_attr + file_section */
	struct file_section attrs, data, event_types;
	uint64_t features[4];	/* bit n: section for feature n stands behind the data */
};

struct pipe_header {
	uint64_t magic;
	uint64_t size;		/* 16 */
};

/* Records that perf itself writes; the kernel's own stand in linux/perf_event.h. */
enum perf_user_record {
	PERF_RECORD_HEADER_ATTR = 64,
	PERF_RECORD_HEADER_EVENT_TYPE = 65,
	PERF_RECORD_HEADER_TRACING_DATA = 66,	/* u32 size follows; that many bytes behind it */
	PERF_RECORD_HEADER_BUILD_ID = 67,
	PERF_RECORD_FINISHED_ROUND = 68,	/* see report/order.h */
	PERF_RECORD_ID_INDEX = 69,
	PERF_RECORD_AUXTRACE_INFO = 70,
	PERF_RECORD_AUXTRACE = 71,		/* u64 size follows; that many bytes behind it */
	PERF_RECORD_EVENT_UPDATE = 78,		/* names in the pipe form; our notes, see note.h */
	PERF_RECORD_TIME_CONV = 79,
	PERF_RECORD_HEADER_FEATURE = 80,
	PERF_RECORD_COMPRESSED = 81,
	PERF_RECORD_FINISHED_INIT = 82,
	PERF_RECORD_COMPRESSED2 = 83,
};

enum perf_feature {
	FEATURE_BUILD_ID = 2,
	FEATURE_HOSTNAME = 3,
	FEATURE_OSRELEASE = 4,
	FEATURE_VERSION = 5,
	FEATURE_ARCH = 6,
	FEATURE_NRCPUS = 7,
	FEATURE_CPUDESC = 8,
	FEATURE_CMDLINE = 11,
	FEATURE_EVENT_DESC = 12,
	FEATURE_SAMPLE_TIME = 21,
	FEATURE_CLOCKID = 23,
	FEATURE_CLOCK_DATA = 29,
};

enum event_update { EVENT_UPDATE_NAME = 2 };

#endif
