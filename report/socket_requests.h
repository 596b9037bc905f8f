/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was read and written on connections to requests: recording/socket_mark.h has the marks,
 * protocol.h who reads the bytes, and here it is said who works on what.
 *
 * A request begins with the first byte that the server reads of it, and ends with the last byte of
 * its answer. Where no parser knows the protocol, inbound bytes that follow outbound ones begin it,
 * and it is called tcp:PORT, or by the name of the socket.
 *
 * A thread works on a request
 *   from when it reads bytes for it, or writes some of its answer,
 *   or reads from or writes to a connection that was opened, or last written to, for the request,
 * until it reads or writes for another, or waits for something new. What it does after the answer
 * and before it waits (logging) is the request's, too. Between two marks it may take up another one,
 * which no mark tells: work.h has whose that is.
 *   Requests that come at once on one connection may be worked on in turn or together. If all that
 * are not answered yet are of one endpoint, the first of them has the samples, and those that one
 * write answers share the time on the CPU evenly: the endpoint's sums are right. If they are of
 * several endpoints, nobody can say what a sample was for: until those are answered, it is outside, and the time on
 * the CPU of all that have waited so is not known.
 *
 * What a connection is taken to speak, and what becomes of its requests when that was wrong: socket_guess.h. After a
 * loss of records, what is open has an unknown end, and each connection is begun anew.
 */
#ifndef REPORT_SOCKET_REQUESTS_H
#define REPORT_SOCKET_REQUESTS_H

#include "base/str.h"
#include "report/connection.h"
#include "report/endpoint.h"
#include "report/open_requests.h"
#include "report/session.h"
#include "report/work.h"

/* A process that has ended, and may have left connections that nobody closed. */
struct ended_process {
	uint32_t pid;
	uint64_t ns;
};

struct socket_requests {
	struct session *session;			/* all lent */
	const struct endpoint_options *endpoints;
	struct open_requests *open;
	struct connections connections;
	size_t nr_connections_max;	/* with that many, room is made for others */
	struct workers workers;
	VEC(struct ended_process) ended;	/* of which connections may be left, oldest first */
	size_t nr_settled, nr_over;	/* of these: with no more than orphans; with none */
	uint64_t nr_served;		/* connections that were not the target's own to another server */
	uint64_t nr_skipped_bytes;	/* inbound, that did not travel, with requests among them maybe */
	uint64_t nr_status_unseen;	/* requests whose status was among bytes that did not travel */
	uint64_t nr_data_lost;		/* reads and writes whose bytes could not be had */
	uint64_t nr_tls, nr_http2;	/* connections of which nothing can be known */
	uint64_t nr_switched;		/* connections on which more was read behind HTTP/1's upgrade, or CONNECT */
	struct str text;		/* scratch */
};

void socket_requests_init(struct socket_requests *s, struct session *session,
			  const struct endpoint_options *endpoints, struct open_requests *open);
void socket_requests_release(struct socket_requests *s);

/* One mark, as order_next() gives them; what stands behind it is not looked at. False: it makes no sense. */
bool socket_requests_mark(struct socket_requests *s, const struct record *rec);
/* The end of a thread or program, or a loss; all other records are left alone. */
void socket_requests_record(struct socket_requests *s, const struct record *rec);
/* Before each record that has a time, in their order. */
void socket_requests_time(struct socket_requests *s, uint64_t ns);
/* A thread that was not there before. */
void socket_requests_thread_began(struct socket_requests *s, uint32_t thread, uint32_t parent, uint64_t ns);
/* The slot of what the thread works on as far as is known now, or NO_SLOT. */
uint32_t socket_requests_of(const struct socket_requests *s, uint32_t thread);
/* The slot for a sample of it, one that holds it until its next mark maybe; NO_SLOT: it is outside. */
uint32_t socket_requests_hold(struct socket_requests *s, uint32_t thread);
/* The same for what is told all at once, right before that mark: calls. */
uint32_t socket_requests_hold_calls(struct socket_requests *s, uint32_t thread);
/* Closes what is open. */
void socket_requests_finish(struct socket_requests *s);

#endif
