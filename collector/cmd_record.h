/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COLLECTOR_CMD_RECORD_H
#define COLLECTOR_CMD_RECORD_H

/* wperf record: docs/man/wperf-record.1. Prints its own errors; returns the exit status. */
int cmd_record(int argc, char **argv);

#endif
