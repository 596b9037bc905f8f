/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_CMD_REPORT_H
#define REPORT_CMD_REPORT_H

/* wperf report: argv[0] is "report". Returns an enum exit_status. */
int cmd_report(int argc, char **argv);

#endif
