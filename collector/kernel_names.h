/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of the kernel's functions that the samples met, out of /proc/kallsyms, for the recording:
 * a report made by somebody else, on another machine or after a reboot could not look them up. Only
 * the lines that are needed travel (some kilobytes; the whole file has five megabytes and more).
 */
#ifndef COLLECTOR_KERNEL_NAMES_H
#define COLLECTOR_KERNEL_NAMES_H

#include "base/hash.h"
#include "base/str.h"
#include "recording/record.h"

/* Valid when zeroed. */
struct kernel_names {
	struct u64map addrs;	/* every kernel address seen */
};

void kernel_names_release(struct kernel_names *k);
/* The kernel's part of a callchain, or the sample's own address where it has none. */
void kernel_names_see(struct kernel_names *k, const struct record *sample);
/*
 * Adds the lines of text (kallsyms, in any order) that name an address seen: for each the nearest
 * symbol at or below it, all names of that symbol's address; and those of _stext and _text. Pure.
 */
void kernel_names_pick(const struct kernel_names *k, const char *text, size_t len,
		       struct str *ret_lines);
/* The same out of /proc/kallsyms. Nothing where that hides the addresses. */
void kernel_names_read(const struct kernel_names *k, struct str *ret_lines);

#endif
