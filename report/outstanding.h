/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of a connection that answers in the order of asking: the one that is being read, and
 * those that wait for their answers. A long pipeline takes little memory, since requests of one
 * kind that follow each other are a run.
 *
 *	outstanding_begin(&o, l);		its first byte
 *	l->named(l->self, o.open, ...);
 *	outstanding_asked(&o, kind);		its last byte
 *	outstanding_answered(&o, l);		the last byte of the oldest one's answer
 */
#ifndef REPORT_OUTSTANDING_H
#define REPORT_OUTSTANDING_H

#include "base/vec.h"
#include "report/protocol.h"
#include "report/turns.h"

/* Ten times what a server reads ahead of its answers: redis and PostgreSQL read 16 KB at most. */
#define OUTSTANDING_MAX	     16384
#define OUTSTANDING_RUNS_MAX 256

struct outstanding_run {
	uint64_t first;
	uint32_t nr;
	uint32_t kind;
};

/* Zeroed: none. */
struct outstanding {
	uint64_t nr_begun;
	uint64_t open;		/* the number of the one that is being read; 0: none */
	uint64_t nr_asked;
	VEC(struct outstanding_run) runs;
};

void outstanding_begin(struct outstanding *o, const struct exchange_listener *l);
/* The open one waits for an answer. False: too many do, and it stays open. kind: the protocol's. */
bool outstanding_asked(struct outstanding *o, uint32_t kind);
/* The open one is answered by nothing, or was. */
void outstanding_end_open(struct outstanding *o, const struct exchange_listener *l);
/* The oldest one's kind. False: none waits. */
bool outstanding_first(const struct outstanding *o, uint32_t *ret_kind);
/* Ends the oldest one. */
void outstanding_answered(struct outstanding *o, const struct exchange_listener *l);
/* Ends all that wait. */
void outstanding_end(struct outstanding *o, const struct exchange_listener *l);
/* Nothing more will be known of an answer that was lost: ends all that wait for it. */
void outstanding_stop(struct outstanding *o, const struct turns *t, const struct exchange_listener *l);
void outstanding_release(struct outstanding *o);

/* turns_read(), and what it ends. True: the bytes are to be read. */
bool outstanding_read(struct outstanding *o, struct turns *t, const struct protocol *p,
		      const struct chunk *c, bool is_answer_partial,
		      const struct exchange_listener *l);
/* turns_close(), and what it ends. */
void outstanding_close(struct outstanding *o, const struct turns *t,
		       const struct exchange_listener *l);

#endif
