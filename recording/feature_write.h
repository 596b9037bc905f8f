/* SPDX-License-Identifier: Apache-2.0 */
/* The feature sections that writer.c puts behind the data, or at the front of a pipe stream. */
#ifndef RECORDING_FEATURE_WRITE_H
#define RECORDING_FEATURE_WRITE_H

#include "base/str.h"
#include "recording/writer.h"

/* How many there are; the i-th feature, in the order of their numbers: the order of the sections. */
size_t feature_write_nr(void);
enum perf_feature feature_write_number(size_t i);
/* Adds the i-th section's bytes. In the pipe form it must fit a record. */
void feature_write(size_t i, const struct writer_config *c, bool is_pipe, struct str *out);
/* The event as it was opened; but build-ids in mmap records are ours, and readers look for the bit. */
void writer_add_attr(struct str *out, const struct writer_event *ev);

#endif
