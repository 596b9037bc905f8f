/* SPDX-License-Identifier: Apache-2.0 */
/* How to be let to do what needs more than an ordinary user's rights: one text for all messages. */
#ifndef COLLECTOR_PRIVILEGES_H
#define COLLECTOR_PRIVILEGES_H

/* README has what each is for. cap_sys_admin: uprobes ask for it (seen on 6.18). */
#define PRIVILEGES_REMEDY                                                                          \
	"Run it as root, or once: sudo setcap cap_perfmon,cap_bpf,cap_sys_ptrace,"                 \
	"cap_dac_read_search,cap_syslog,cap_sys_admin+ep wperf"

#endif
