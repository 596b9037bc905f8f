/* SPDX-License-Identifier: Apache-2.0 */
/* The CPUs that are online. Recordings sample those that are when they begin. */
#ifndef COLLECTOR_CPUS_H
#define COLLECTOR_CPUS_H

#include <stdbool.h>
#include <stddef.h>

#include "collector/target.h"

/* "0-3,6": adds them (Linux: Documentation/admin-guide/cputopology.rst). */
void cpus_parse(const char *list, struct pids *ret);
/* False: /sys is not to be had, and these are those that there may be. At least one in any case. */
bool cpus_online(struct pids *ret);
/* How many of these are not among those. */
size_t cpus_nr_beside(const struct pids *these, const struct pids *those);

#endif
