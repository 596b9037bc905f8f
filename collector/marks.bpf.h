/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Marks are made while it is recorded, and not while probes go in one by one, or come off: marker_set_recording(). */
#ifndef COLLECTOR_MARKS_BPF_H
#define COLLECTOR_MARKS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* A section, and so a map, of its own. */
volatile __u32 is_recording SEC(".data.marks");

#endif
