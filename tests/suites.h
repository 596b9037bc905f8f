/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The suites of what runs on any processor: tests/main.c has them among others, and tests/cross/main.c has only
 * them. One line a suite, which check_NAME.c exports as check_NAME_suite(). The Makefile reads it, too.
 */
#ifndef TESTS_SUITES_H
#define TESTS_SUITES_H

#define SUITES_EVERYWHERE(X)                                                                       \
	X(str)                                                                                     \
	X(hash)                                                                                    \
	X(siphash)                                                                                 \
	X(vec)                                                                                     \
	X(crew)                                                                                    \
	X(cursor)                                                                                  \
	X(arena)                                                                                   \
	X(units)                                                                                   \
	X(err)                                                                                     \
	X(cut_files)                                                                               \
	X(datagrams)                                                                               \
	X(nearest)                                                                                 \
	X(decode)                                                                                  \
	X(note)                                                                                    \
	X(feature)                                                                                 \
	X(space)                                                                                   \
	X(rule)                                                                                    \
	X(expression)

#endif
