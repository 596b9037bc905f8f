/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All sums of a report, finished: what tables and renderers read. Weights are in the unit of the
 * event (nanoseconds for clocks); profile_seconds() turns them into seconds. Everything in here
 * lives until profile_release(); strings are ids in `strings`.
 */
#ifndef REPORT_PROFILE_H
#define REPORT_PROFILE_H

#include "base/hash.h"
#include "base/vec.h"
#include "report/durations.h"
#include "report/stack_tree.h"
#include "unwinder/stop.h"

/* What a group stands for, in the order of --by. */
#define GROUP_BYS(X)                                                                               \
	X(ENDPOINT, "endpoint")                                                                    \
	X(REQUEST, "request")                                                                      \
	X(STATUS, "status")                                                                        \
	X(METHOD, "method")                                                                        \
	X(THREAD, "thread")                                                                        \
	X(PROCESS, "process")                                                                      \
	X(NONE, "none")
#define GROUP_BY_ID(id, text) BY_##id,
enum group_by { GROUP_BYS(GROUP_BY_ID) NR_GROUP_BYS };

/* A function as people know it: equal file, line and name is one function (pstats' key). */
struct function {
	uint32_t name;		/* as shown in the parentheses: "malloc", "0x1234", "ns::f(int)" */
	uint32_t file;		/* as shown: path; without line info the module's base name */
	uint32_t line;		/* of the definition; 0 without line info */
	uint32_t module;	/* the module's path, "[kernel]"; of the first address seen */
	uint32_t std_name;	/* "file:line(name)": what pstats calls the standard name */
	bool is_kernel;
};

/* A count that may be unknown: a sampler does not know ncalls. */
#define COUNT_UNKNOWN UINT64_MAX

/* Time in one function while another called it directly. */
struct caller_sums {
	uint32_t caller;	/* index in profile.functions */
	uint64_t ncalls, primitive_calls;	/* the pair is on the stack once; COUNT_UNKNOWN: not counted */
	uint64_t nr_samples;	/* innermost frame is the function, called by this caller */
	uint64_t self, cum;	/* weights; cum counts a sample once, as the function's own does */
};

struct function_sums {
	uint32_t function;	/* index in profile.functions */
	uint64_t ncalls, primitive_calls;	/* COUNT_UNKNOWN: nothing was counted, or who called is not known */
	bool is_inexact;	/* there were more calls than these */
	bool is_self_inexact;	/* as is_inexact, of calls that have their time */
	bool is_cum_inexact;	/* the same, or what it called may be missing in cum: who called that is not known */
	bool has_no_time;	/* only its calls are known, where others' time was counted: self and cum say nothing */
	uint64_t nr_samples;	/* innermost frame is the function */
	uint64_t nr_cum_samples;	/* function anywhere in the chain, once a sample */
	uint64_t self, cum;	/* weights of the same */
	VEC(struct caller_sums) callers;	/* by cum, largest first; none unless asked for */
};

struct status_count {
	uint32_t status;
	uint64_t nr;
};

/* One table. */
struct group {
	enum group_by by;
	bool is_outside;	/* samples that belong to no request: path is "(outside)" */
	uint32_t path;		/* of the endpoint or request; else what it stands for: "nginx/1" */
	uint32_t method;	/* "" where unknown or mixed */
	uint32_t place;		/* in which the first of it came: what sorting is stable against */
	uint64_t nr_requests;	/* finished ones that the selection took */
	uint64_t nr_unfinished;
	struct durations elapsed;	/* of the finished ones */
	/* By status, of the finished ones; unknown ones are not in it. By request: of any. */
	VEC(struct status_count) status;
	uint64_t nr_samples, weight;	/* sum over functions' self: conservation */
	bool has_no_samples;	/* calls have their time, and samples are left out: no number of them says anything */
	uint64_t calls, primitive_calls;	/* COUNT_UNKNOWN as above */
	bool is_inexact;	/* one of its functions is, or may be missing */
	VEC(struct function_sums) functions;	/* by std_name: what sorting is stable against */
	struct stack_tree tree;	/* of its stacks; empty unless asked for */
	/* --by request only */
	uint32_t raw_path;	/* as the label had it */
	uint64_t request_id, begin_ns, end_ns;
	uint64_t begin_epoch_ns;	/* the wall clock at begin_ns; 0: not known */
	uint32_t tid;
};

/*
 * What is imperfect about a recording, and how a report says it, one and many. One list feeds the
 * counters, the JSON and the text.
 */
#define TALLIES(X)                                                                                 \
	X(filtered, "sample in no table, as the options asked for",                                \
	  "samples in no table, as the options asked for")                                         \
	X(beside_calls, "sample in no table, since calls have their time: see --native",           \
	  "samples in no table, since calls have their time: see --native")                        \
	X(throttled, "time the kernel throttled sampling", "times the kernel throttled sampling")  \
	X(marks_unsent, "mark that the kernel did not pass on: requests may be missing, or wrong",   \
	  "marks that the kernel did not pass on: requests may be missing, or wrong")              \
	X(processes_not_followed, "process could not be followed",                                 \
	  "processes could not be followed")                                                       \
	X(files_unreachable, "file with code could not be read while recording",                   \
	  "files with code could not be read while recording")                                     \
	X(calls_lost, "call was lost: numbers that it may be missing in are marked ~",              \
	  "calls were lost: numbers that they may be missing in are marked ~")                     \
	X(calls_callerless, "call was made deeper, or in more contexts, than are told apart: who called is not known", \
	  "calls were made deeper, or in more contexts, than are told apart: who called is not known") \
	X(calls_nameless, "call of a function that the recording does not name",                   \
	  "calls of functions that the recording does not name")                                   \
	X(calls_late, "time counted calls came late: their functions' numbers are marked ~",        \
	  "times counted calls came late: their functions' numbers are marked ~")                  \
	X(calls_doubtful, "time counted calls may be another request's: endpoints of that time are marked ~",        \
	  "times counted calls may be another request's: endpoints of those times are marked ~")    \
	X(calls_elsewhere,                                                                          \
	  "function's calls were not counted in each recording, or file, that has it: its numbers are marked ~",   \
	  "functions' calls were not counted in each recording, or file, that has them: their numbers are marked ~")  \
	X(calls_inexact,                                                                            \
	  "function was not counted all the time (--max-overhead, or its probe came late), or not in each process, or calls of it were lost: its numbers are marked ~", \
	  "functions were not counted all the time (--max-overhead, or their probes came late), or not in each process, or calls of them were lost: their numbers are marked ~") \
	X(roots_uncounted,                                                                          \
	  "function that --root means is not counted: calls may be below it or not, numbers are marked ~; count it, too (record --calls)", \
	  "functions that --root means are not counted: calls may be below them or not, numbers are marked ~; count them, too (record --calls)") \
	X(calls_partial, "time calls were not counted: numbers of that time are marked ~",          \
	  "times calls were not counted: numbers of those times are marked ~")                     \
	X(calls_cut, "recording lacks counts of calls, since it has no end: numbers of what went on there are marked ~, or are -", \
	  "recordings lack counts of calls, since they have no end: numbers of what went on there are marked ~, or are -") \
	X(unmatched_ends, "end of a request without its begin",                                    \
	  "ends of requests without their begin")                                                  \
	X(unfinished, "request without an end", "requests without an end")                         \
	X(returns_unseen, "of these began while the kernel waited for 64 returns in its thread, and looks for no more", \
	  "of these began while the kernel waited for 64 returns in their thread, and looks for no more") \
	X(labels_cut, "label cut short", "labels cut short")                                       \
	X(other, "request is in (other): more endpoints came than are kept apart",                 \
	  "requests are in (other): more endpoints came than are kept apart")                      \
	X(label_faults, "label that could not be read", "labels that could not be read")           \
	X(bytes_missing, "read or write whose bytes could not be had",                             \
	  "reads and writes whose bytes could not be had")                                         \
	X(bytes_skipped, "byte that the server read was not looked at: requests in it are missing",    \
	  "bytes that the server read were not looked at: requests in them are missing")           \
	X(status_unseen, "request has no status: that part of its answer, or of those before, was not looked at", \
	  "requests have no status: that part of their answers, or of those before, was not looked at")     \
	X(tls, "connection is encrypted (TLS, GSSAPI): its requests are not seen",                \
	  "connections are encrypted (TLS, GSSAPI): their requests are not seen")                  \
	X(http2, "connection speaks HTTP/2: its requests are not seen",                            \
	  "connections speak HTTP/2: their requests are not seen")                                 \
	X(switched, "connection went on behind an upgrade (WebSocket) or as a tunnel (CONNECT): what came there is not looked at", \
	  "connections went on behind an upgrade (WebSocket) or as a tunnel (CONNECT): what came there is not looked at") \
	X(calls_unseen, "call whose transfers are not looked at (io_uring's, io_submit, or another): requests may be missing", \
	  "calls whose transfers are not looked at (io_uring's, io_submit, or others): requests may be missing") \
	X(threads_32_bit, "thread of a 32-bit program, whose connections are not looked at: requests are not seen", \
	  "threads of 32-bit programs, whose connections are not looked at: requests are not seen") \
	X(datagram_sockets, "socket took datagrams (UDP) at the attach: requests in them are not seen", \
	  "sockets took datagrams (UDP) at the attach: requests in them are not seen")
#define TALLY_FIELD(name, one, many) uint64_t nr_##name;

/*
 * Conservation: in requests + outside = recorded = sum over the groups + filtered + beside calls. Lost
 * are records that never arrived.
 */
struct tallies {
	uint64_t nr_samples;		/* recorded */
	uint64_t nr_in_requests;	/* of them, in any request, selected or not */
	uint64_t nr_outside;
	uint64_t nr_lost;		/* records, as the kernel counted them */
	uint64_t nr_marks;
	uint64_t nr_cut_stacks, cut_at_frames;	/* as deep as the kernel walks */
	TALLIES(TALLY_FIELD)
	struct unwind_tally stacks;	/* user stacks that were unwound, here or while recording */
};

struct profile {
	struct strings *strings;	/* lent */
	VEC(struct function) functions;
	enum group_by by;	/* asked for; tables that stand for something else say so */
	VEC(struct group) groups;	/* by weight, largest first; the outside group last */
	struct tallies tallies;
	const char *unit;	/* "seconds"; else the event's name, where its counts are no time */
	double seconds_per_weight;	/* 1e-9 for clocks and counted times; 1 where unit is not seconds */
	double seconds_per_sample_weight;	/* of samples that stand beside counted times */
	uint64_t begin_ns;	/* of the recording; of several, the earliest */
	uint64_t duration_ns;	/* of all recordings together */
	bool has_markers;	/* requests could have been seen */
	bool has_call_times;	/* what was counted has the time of it, too */
	/* for "recording" in JSON: the names of all inputs, and of the first what is known; else NULL. Lent. */
	const char *input, *event, *hostname, *os_release, *arch, *cmdline, *marker;
	double freq_hz;		/* 0 where a fixed period was asked for */
	bool is_truncated;
	bool is_unread;		/* what stands behind it could not be read: no fault of the recording's */
};

static inline double profile_seconds(const struct profile *p, uint64_t weight)
{
	return (double)weight * p->seconds_per_weight;
}

void group_release(struct group *g);
void profile_release(struct profile *p);

#endif
