/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says in a file of one number. */
#ifndef COLLECTOR_KERNEL_NUMBER_H
#define COLLECTOR_KERNEL_NUMBER_H

/* perf_event_attr.type of uprobes; missing: this kernel has none. */
#define KERNEL_UPROBE_TYPE "/sys/bus/event_source/devices/uprobe/type"
#define KERNEL_SAMPLE_RATE_MAX "/proc/sys/kernel/perf_event_max_sample_rate"

/* missing: there is no such file, or no number in it. */
long kernel_number(const char *path, long missing);

#endif
