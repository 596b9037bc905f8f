/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_CMD_REQUESTS_H
#define REPORT_CMD_REQUESTS_H

/* wperf requests: argv[0] is "requests". Returns an enum exit_status. */
int cmd_requests(int argc, char **argv);

#endif
