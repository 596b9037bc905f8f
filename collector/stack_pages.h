/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of a stack that are not there yet, where the kernel copies it. */
#ifndef COLLECTOR_STACK_PAGES_H
#define COLLECTOR_STACK_PAGES_H

#include <stdint.h>

#include "unwinder/unwind.h"

/*
 * The kernel's copy ends at a page that is not there: above the stack, or where a function has an array that it has
 * not yet written to. Read from here, such a page is there from then on (Linux maps the page of zeros), and the copies
 * to come go past it. What is above it now is of no use: the thread has gone on.
 * stack_bytes: that the kernel was asked for.
 */
void stack_pages_bring(uint32_t pid, const struct stack_copy *stack, uint32_t stack_bytes);

#endif
