/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording from beginning to end: attach, drain the rings until it is time to stop, complete the
 * file. recorder_run() is the whole life.
 */
#ifndef COLLECTOR_RECORDER_H
#define COLLECTOR_RECORDER_H

#include "base/err.h"
#include "collector/recorder_config.h"

/* Returns the exit status of wperf record; what went wrong is in *e (code 0: nothing did). */
int recorder_run(const struct recorder_config *config, struct err *e);

#endif
