/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thunks of C++: what a virtual call through a second base class comes to. One adjusts `this` and goes on
 * to the function itself, whose name it has: who counts calls of the function would count that one twice. But a
 * compiler may have put the function's body into it; then it is one more instance of the function.
 *
 *	_ZThn16_N1X1hEi		to _ZN1X1hEi	Itanium C++ ABI, 5.1.4.4: _ZTh NUMBER _, _ZTv NUMBER _ NUMBER _
 */
#ifndef COLLECTOR_THUNK_H
#define COLLECTOR_THUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of the longest there is: endbr64, three instructions for a virtual base, a jump. */
#define THUNK_BYTES 48

/* The function's symbol without its "_Z", in `symbol`; NULL: that is no thunk's. */
const char *thunk_function(const char *symbol);

/* Where code that lies at `at` jumps to, before it can go anywhere else; 0: it does not. */
uint64_t thunk_target(const uint8_t *code, size_t len, uint64_t at);

#endif
