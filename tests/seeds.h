/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SEEDS_H
#define TESTS_SEEDS_H

#include <stdbool.h>

/*
 * Writes DIR/FUZZER/NAME: what the fuzzers begin with. False, with the reason on stderr: a file
 * could not be written.
 */
bool seeds_write(const char *dir);

#endif
