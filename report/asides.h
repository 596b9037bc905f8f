/* SPDX-License-Identifier: Apache-2.0 */
/* What a thread writes to others while it owes one: a publisher does, and a loop that takes turns. See work.h, and struct asides. */
#ifndef REPORT_ASIDES_H
#define REPORT_ASIDES_H

#include "report/worker.h"

/* Less than others take that work for what they write. */
bool worker_is_right_behind(const struct asides *a, uint64_t ns);
/*
 * What it does before it writes to others while it owes one: it works for what it has read, and tells others of it; or it
 * works for those, in turn. Neither: too little is known, or it does both.
 */
bool worker_publishes(const struct worker *w, enum aside kind);
bool worker_takes_turns(const struct worker *w, enum aside kind);
/* It writes to another one, whether it owes one or not. */
void worker_note_aside(struct workers *ws, struct worker *w, enum aside kind, uint32_t slot, const struct socket_mark *m);
/* It begins an answer that was not put off, or does anything else. True: what it did before them was for that answer. */
bool worker_end_asides(struct worker *w, const struct socket_mark *m, bool is_answer);

#endif
