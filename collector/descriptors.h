/* SPDX-License-Identifier: Apache-2.0 */
/* How many files may be open (RLIMIT_NOFILE): events, probes, BPF programs and maps take one each. */
#ifndef COLLECTOR_DESCRIPTORS_H
#define COLLECTOR_DESCRIPTORS_H

#include "base/err.h"

#define DESCRIPTORS_REMEDY "Raise the limit (ulimit -n)."

/* Raises the limit as far as it may be. -EMFILE: that is less than any recording takes. */
int descriptors_raise(struct err *e);

#endif
