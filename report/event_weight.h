/* SPDX-License-Identifier: Apache-2.0 */
/* What a sample of an event stands for. */
#ifndef REPORT_EVENT_WEIGHT_H
#define REPORT_EVENT_WEIGHT_H

#include "recording/record.h"

/* Asked for; 0 where it was so many events a sample. */
double event_hz(const struct event_desc *event);
/* Whether it is known how many events a sample stands for; else each is one sample. */
bool event_has_period(const struct event_desc *event);
/* Of a sample: nanoseconds of a clock, events of all others. */
uint64_t event_weight(const struct event_desc *event, const struct record *r);
/* Of a CPU, as the hardware counts them. */
bool event_is_cycles(const struct event_desc *event);

#endif
