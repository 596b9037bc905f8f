/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the requests of a path are handed to threads that neither read nor answer, as a rule: struct habit. */
#ifndef REPORT_HABITS_H
#define REPORT_HABITS_H

#include "report/worker.h"

/* No loop reads more before it begins. */
enum { UNHANDED_MAX = 256 };

/* Mostly. */
bool habits_are_handed(struct workers *ws, const struct open_request *r);
/* Not more often, in several pieces, nor less, because the other thread needed no waking. */
bool habits_are_handed_once(struct workers *ws, const struct open_request *r);
/* One of the path was handed on, or most are. */
bool habits_may_be_handed(struct workers *ws, const struct open_request *r);
/* It was handed on, while nothing else was underway in its thread. */
void habits_note_handed(struct workers *ws, const struct open_request *r);
/*
 * When a loop waits it has begun with all that it has read, and as often as that needs it has handed something
 * on: the sum of its requests' rates. (Widrow and Hoff's rule, normalized.)
 */
void habits_learn(struct workers *ws, struct worker *w);

#endif
