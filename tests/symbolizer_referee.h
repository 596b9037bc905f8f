/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SYMBOLIZER_REFEREE_H
#define TESTS_SYMBOLIZER_REFEREE_H

#include <check.h>

/* Adds one test a program to the suite, and notes which the host lacks. */
void symbolizer_referee_add(Suite *s);

#endif
