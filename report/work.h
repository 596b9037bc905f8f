/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For which request it was what a thread has done between two marks, where the thread may have taken up another one.
 *
 * A request may be read by one thread and handed to another, which no mark tells; but who writes the first of an
 * answer has worked on it. So what a thread does between two marks is held until the second one says whose it is:
 *   the request's that it begins to answer, from when that began,
 *     if the thread has answered what it worked on before,
 *     or worked on nothing, and another thread has read that request,
 *     or was woken, and either nothing else that it has read waits for an answer, or it does not gather what it
 *     answers: behind an answer it does not work much less for the next one than when it was woken;
 *   the same, if it has answered what it worked on before and takes requests over that others have read, of what it did
 *     before and while it asked other servers and waited for each of them;
 *   if what it worked on before is not answered, that one's which the thread works on as a rule: those that it has
 *     read when it has read them (Redis), or those that it answers before it answers them (asyncio's tasks), as its time on
 *     the CPU tells where no answer follows a read; nobody's, if that does not tell, or if most is done in between: then it
 *     is done for many (Redis, whose other threads read for it);
 *   the request's whose answer it goes on with, in parts, as who begins one; unless it owes one that it has not begun to
 *     answer, and as a rule writes the answer of such a one right behind what it writes to others: then it writes to
 *     others what that one is about (a publisher); so it is where it begins an answer that it has put off: it has begun a
 *     later one, or waited more often than before others (a long poll). Nobody's, if it is not known yet what it does as
 *     a rule, and it is not next to nothing. The same where it closes the connection of one of HTTP's that is not
 *     over, but that it has read another one may be why it closes: then nobody knows how much is whose;
 *   that one's whose connection it closes before it has begun to answer, as if it answered, unless it was just woken, or has
 *     read another one since: then it is that one's if it works when it has read, else nobody's;
 *   else the one's that the first mark was for.
 * A loop that works right before its answers, and after a read mostly goes on with another, begins with what it has read in
 * turn: if it asks another server it does so for the next one, or for the one for which it has asked there before.
 * One that reads several, works for all of them and then answers all, as the times tell, has worked for nobody, or where all
 * that it owes are of one endpoint, for these: how much for each is not known.
 * Threads that answer for others, where that is done all the time, and after a read mostly go on with something
 * else, read for others, too: what such a thread does is always that one's which it answers next. That it answers what it
 * has read itself is no sign of the contrary while the others may be waiting for a CPU.
 *
 * Counted calls are numbers of single things. So where the rules above do no more than choose between requests that are
 * underway in the thread at a time, those have doubtful calls (enum call_doubt); as has who answers what others have
 * read, since behind the answer before it may have cleaned up; and who is answered in parts, or not to the end, if calls went
 * to nobody or to others in between. Not so a loop that always goes on with what it has read. But what that does behind a wait, before it
 * has read or written anything, is for any that waits (a timer's); and where it has gone on with an answer there, so is
 * all that it does.
 */
#ifndef REPORT_WORK_H
#define REPORT_WORK_H

#include "report/connection.h"
#include "report/worker.h"

/* The thread answers for others, and reads for others, too: what it reads it does not begin with. */
bool work_reads_for_others(struct workers *ws, const struct worker *w);
/*
 * At each mark one of the two, after worker_note_turn(), and before the mark's bytes are looked at: with the mark the
 * thread begins to answer what is worked on on the connection; or it does not (c NULL: not known yet).
 */
void work_claim(struct workers *ws, struct connection *c, const struct socket_mark *m, struct worker *w);
void work_up_to(struct workers *ws, const struct connection *c, struct worker *w, const struct socket_mark *m);
/* There are no more marks of the thread, or some are missing: worker_stop(). */
void work_stop(struct workers *ws, struct worker *w);

#endif
