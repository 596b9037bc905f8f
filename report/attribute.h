/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marks to requests, and samples to the request that their thread works on, in one pass over
 * records in the order of time. Memory: what is open.
 *
 *	attribute_init(&a, &session, &endpoint_options, &listener, 0);
 *	for each record:
 *		attribute_record(&a, &record);	before session_record(): it asks who was there
 *		open = attribute_sample(&a, thread, weight);
 *	attribute_finish(&a);
 *	attribute_release(&a);
 *
 * Two know where requests begin and end: the marks of probes that the user named, and what was read
 * and written on connections. Where both say something of a thread, the probes win.
 */
#ifndef REPORT_ATTRIBUTE_H
#define REPORT_ATTRIBUTE_H

#include "report/mark_requests.h"
#include "report/socket_requests.h"

struct attribute {
	struct open_requests open;
	struct mark_requests by_marks;
	struct socket_requests by_bytes;
	uint64_t nr_marks;
	uint64_t nr_unreadable_marks;	/* no magic, or cut short */
};

/* session and endpoints are lent. first_id: see open_requests_init(). */
void attribute_init(struct attribute *a, struct session *session,
		    const struct endpoint_options *endpoints,
		    const struct request_listener *listener, uint64_t first_id);
void attribute_release(struct attribute *a);

/* A mark, the end of a thread or program, or a loss; all other records are left alone. */
void attribute_record(struct attribute *a, const struct record *r);
/*
 * It was forked: nothing of it went before. After session_record(), which knows it since then. parent: the thread that
 * made it, if that is of the same process; else UINT32_MAX.
 */
void attribute_thread_began(struct attribute *a, uint32_t thread, uint32_t parent, uint64_t ns);
/* Nothing tells what the thread has done for since its last mark. */
bool attribute_is_unseen(const struct attribute *a, uint32_t thread);
/* The thread, another than that of the last mark or the one that began last, that it gave work to; UINT32_MAX: none. */
uint32_t attribute_moved(const struct attribute *a);
/*
 * Adds a sample to the request that the thread works on and returns it; NULL: outside. Whose it is may be known
 * only later: then it is added to what is held of the thread, and the listener is told who has it in the end.
 */
const struct open_request *attribute_sample(struct attribute *a, uint32_t thread, uint64_t weight);
/* The same for counted calls, of which it keeps no number. */
const struct open_request *attribute_calls(struct attribute *a, uint32_t thread);
/* The id of the request that the thread works on, as far as is known now; 0: none. */
uint64_t attribute_id(const struct attribute *a, uint32_t thread);
/* Closes what is open. */
void attribute_finish(struct attribute *a);

#endif
