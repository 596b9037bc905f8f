/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libpfm4, loaded when it is asked something: nearly all of its 2 MB are tables of pointers, which a program that
 * is linked with it has put in order whenever it starts, whatever it is to do: 300 page faults, 8 of 21 ms on
 * a virtual machine.
 */
#ifndef COLLECTOR_PFM_H
#define COLLECTOR_PFM_H

#include <linux/perf_event.h>

#include "base/err.h"

/*
 * Fills attr for an event by its name. 0; -ENOENT: there is no such event, and e is not set; -ELIBACC: there is no libpfm4.
 */
int pfm_event(const char *name, struct perf_event_attr *attr, struct err *e);

#endif
