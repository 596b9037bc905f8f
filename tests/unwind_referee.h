/* SPDX-License-Identifier: Apache-2.0 */
/* Adds the test that compares walks of recorded stacks to elfutils' own. */
#ifndef TESTS_UNWIND_REFEREE_H
#define TESTS_UNWIND_REFEREE_H

#include <check.h>

void unwind_referee_add(Suite *s);

#endif
