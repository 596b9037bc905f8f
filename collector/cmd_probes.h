/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COLLECTOR_CMD_PROBES_H
#define COLLECTOR_CMD_PROBES_H

/* wperf probes -p PID [GLOB]; argv[0] is the command's name. Returns an enum exit_status. */
int cmd_probes(int argc, char **argv);

#endif
