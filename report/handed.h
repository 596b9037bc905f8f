/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that a thread hands to one that neither reads nor answers: an executor's, a pool's, or one that is made for it.
 * What that one does is the request's that the first thread works on, from where it is woken or made until it
 * waits to be woken again. If it waits in the middle of its work, for what another thread has, it goes on with the
 * same. When it wakes the first one it is done, unless it waits soon after that: if not it has taken up something else,
 * which nobody knows, as when what it works on is answered. Who waits for something new, and is woken so, goes on with
 * that request.
 *
 * A loop may have read several requests: it hands them on in their order (asyncio; where one is handed on before the
 * next one is read, as Node does, there is one to choose from). Left out are those that it has waited behind, and those
 * of paths whose requests are not handed on. If some are handed on several times, or without a mark, since the other
 * thread had not gone to sleep yet, the order says nothing, and nobody knows.
 *
 * What was done before the loop slept has woken nobody: then it is not told what the loop wakes for, and hands on next. That
 * is for the request that waits, if it is one; if several, nobody knows, and these have doubtful calls. So is what a thread
 * has done that was not woken for it, as a pool's that is kept busy, and wakes then who has read: from when that request
 * began. Of whose answer nobody told with such a mark, though it is of those that are handed on, may be in it, too: then
 * calls of both are doubtful. Another thread may have been woken for it, and have found it taken. Only if that one wakes
 * who has read it, or answers it, it has done it.
 *
 * What such a thread has been on the CPU for behind what it was asked for, or for nobody that is known, may be what those
 * lack that wait meanwhile. If it is not next to nothing, the time on the CPU of these is not known, unless they are handed
 * back later as above. Not so of threads that have never woken one that reads or answers: they keep a log, say.
 *
 * Who takes all that waits may wake the loop once, behind the last one. What is answered behind a wake for another one that
 * it waited for, and is handed back by none of its own, may have been done with that: both have doubtful calls, and if the
 * work was not next to nothing the time on the CPU of neither is known.
 *
 * Who reads or answers himself is no such thread, whoever wakes it: for that one work.h has the rules.
 */
#ifndef REPORT_HANDED_H
#define REPORT_HANDED_H

#include "report/worker.h"

/* A mark of the kinds SOCKET_HANDED to SOCKET_RETURNED. pid, thread: of who made the mark. */
void handed_mark(struct workers *ws, uint32_t pid, uint32_t thread, const struct socket_mark *m);
/* The thread has read it; NO_SLOT: none. */
void handed_read(struct workers *ws, struct worker *w, uint32_t slot);
/* It is about to be answered, or is, whoever does that; NO_SLOT: nobody knows what is. */
void handed_answered(struct workers *ws, uint32_t slot, uint64_t ns);
/* It is that late now: so that a request has its end though who works on behind it does not wait. */
void handed_time(struct workers *ws, uint64_t ns);
/* A thread was made by another one of its process; before it has any mark. */
void handed_new(struct workers *ws, uint32_t thread, uint32_t parent, uint64_t ns);
/* Before any other mark of the thread: whether it still is one that others hand work to. */
void handed_note(struct workers *ws, struct worker *w, const struct socket_mark *m);

#endif
