/* SPDX-License-Identifier: Apache-2.0 */
/* How requests of HTTP/1 end: which is answered, which may be, and what is known of it (http1_messages.h). */
#ifndef REPORT_HTTP1_ENDS_H
#define REPORT_HTTP1_ENDS_H

#include "report/http1_messages.h"

/* Of the one that is answered next. */
enum http1_kind http1_oldest_kind(const struct http1 *h);
/* The answers may be those to others, whose client does not wait for them. */
bool http1_is_end_unsure(const struct http1 *h);
/* The oldest request is answered, and its end is one of the listener's; one waits. */
void http1_end_oldest(struct http1 *h, void (*end)(void *self, uint64_t nr), const struct exchange_listener *l);
/* So it was before what is written now: its answer was taken to last until the close. */
void http1_end_rest(struct http1 *h, const struct exchange_listener *l);
/* So are those up to number nr, by an answer that is lost, the last of them with the last byte written: last says so. */
void http1_end_lost(struct http1 *h, uint64_t nr, void (*last)(void *self, uint64_t nr),
		    const struct exchange_listener *l);
/* An exchange begins, and the answer so far is lost: it is over. */
void http1_turn_lost(struct http1 *h, uint64_t nr, const struct exchange_listener *l);
/* Those that were asked for to the end may have been answered behind a rest, or be late. */
void http1_give_up(struct http1 *h, const struct exchange_listener *l);
/* Nothing more is understood. */
void http1_set_opaque(struct http1 *h);

#endif
