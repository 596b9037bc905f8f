/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_CMD_LIVE_H
#define REPORT_CMD_LIVE_H

/* wperf live: argv[0] is "live". Returns an enum exit_status, or the recorder's. */
int cmd_live(int argc, char **argv);

#endif
