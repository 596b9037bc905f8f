/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `wperf requests` prints: the requests that the selection took, or a line for each endpoint.
 * A const list in, bytes out.
 */
#ifndef REPORT_LIST_H
#define REPORT_LIST_H

#include <stdio.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/vec.h"
#include "report/durations.h"
#include "report/request.h"

#define LIST_SORTS(X) X(BEGIN, "begin") X(ELAPSED, "elapsed") X(CPU, "cpu") X(PATH, "path")
#define LIST_SORT_ID(id, text) LIST_BY_##id,
enum list_sort { LIST_SORTS(LIST_SORT_ID) NR_LIST_SORTS };

#define LIST_FORMATS(X) X(TABLE, "table") X(JSON, "json") X(JSONL, "jsonl")
#define LIST_FORMAT_ID(id, text) LIST_##id,
enum list_format { LIST_FORMATS(LIST_FORMAT_ID) NR_LIST_FORMATS };

/* The requests of one endpoint. */
struct endpoint_line {
	uint32_t method, path;
	uint64_t begin_ns;		/* of the first */
	uint64_t nr_unfinished, nr_samples, weight;
	uint64_t cpu_ns, nr_cpu, nr_cpu_shared;	/* of those that were answered, and whose marks bring it */
	uint64_t nr_without_cpu;		/* whose marks do not */
	struct durations elapsed;		/* of the finished ones */
};

struct request_list {
	struct strings *strings;	/* lent */
	VEC(struct request) requests;
	VEC(struct endpoint_line) endpoints;	/* of list_count() */
	struct u64map line_of_endpoint;
	/*
	 * What bounds the memory of list_count(); 0: nothing. So many endpoints have a line of their
	 * own, those that came first; the others share one. And see durations.h.
	 */
	size_t nr_endpoints_max, nr_exact_max;
	bool is_part;			/* of the requests that there are: some were not selected */
	bool has_other;
	size_t other;			/* the shared line; valid with has_other, until they are sorted */
	uint64_t nr_other;		/* requests on it */
	bool has_cpu;			/* some have an exact one: of list_sort(), list_sort_endpoints() */
	uint64_t begin_ns;		/* of the recording: begins are shown since then */
	const char *unit;		/* of the weights: see profile.h */
	double seconds_per_weight;
};

void list_release(struct request_list *l);
/* The weights are time. */
bool list_is_time(const struct request_list *l);
/* begin and path ascending, elapsed and cpu descending; then by begin. */
void list_sort(struct request_list *l, enum list_sort by);
/* All but the nr slowest finished ones go, with their strings. */
void list_keep_slowest(struct request_list *l, uint64_t nr);
/* Counts the request in its endpoint's line, for those who keep no list of requests. */
void list_count(struct request_list *l, const struct request *r);
/* After the last one. begin: of their first request; elapsed: of their slowest. */
void list_sort_endpoints(struct request_list *l, enum list_sort by);
/* Negative errno where out cannot be written. */
int list_write(const struct request_list *l, enum list_format format, FILE *out, struct err *e);
int list_write_summary(struct request_list *l, enum list_format format, FILE *out, struct err *e);

#endif
