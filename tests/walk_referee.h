/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks of the test itself, taken as the kernel takes them for a sample, against libgcc's unwinder. */
#ifndef TESTS_WALK_REFEREE_H
#define TESTS_WALK_REFEREE_H

#include <check.h>

/* Adds the test cases to the suite, or notes why not. */
void walk_referee_add(Suite *s);

#endif
