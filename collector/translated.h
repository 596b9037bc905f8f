/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process whose program is not what the processor runs, but what another program translates, as valgrind's tools do: the
 * code is mapped as any other, and is read. Who translates it takes the breakpoints of probes along, and where the copy runs
 * the kernel knows of none: SIGTRAP ends the process.
 *
 * It is told by two programs in one process: the one that the kernel has begun, and one that is mapped beside it. What an
 * interpreter of ELF (ld.so) was asked to begin stands beside no other program.
 */
#ifndef COLLECTOR_TRANSLATED_H
#define COLLECTOR_TRANSLATED_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/maps.h"

/* task: process_live_task(). False where the files are out of reach. */
bool translated_is(uint32_t task, const struct maps *maps);

#endif
