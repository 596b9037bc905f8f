/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thunks of C++: what a virtual call through a second base class comes to. One adjusts `this`, or what the function gives
 * back, and goes on to the function itself, whose name it has: who counts calls of the function would count that one twice.
 * But a compiler may have put the function's body into it; then it is one more instance of the function.
 *
 *	_ZThn16_N1X1hEi			to _ZN1X1hEi	Itanium C++ ABI, 5.1.4.4: _ZTh NUMBER _, _ZTv NUMBER _ NUMBER _,
 *	_ZTch0_h16_N1X1gEv		to _ZN1X1gEv	_ZTc and two of these without their _ZT
 *
 * It goes on by a jump or a call. What stands before is for compilers to say: those of -pg, -fsplit-stack and
 * -fxray-instrument call and jump elsewhere first. A body that calls its own function has a way on which it does not.
 */
#ifndef COLLECTOR_THUNK_H
#define COLLECTOR_THUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No longer one is known: without optimization those of clang put all arguments on the stack first. */
#define THUNK_BYTES 128

/* The function's symbol without its "_Z", in `symbol`; NULL: that is no thunk's. */
const char *thunk_function(const char *symbol);

/* Whether the function begins at an offset. */
typedef bool (*thunk_is_function)(const void *data, uint64_t off);

/* Whether all ways through the code, which lies at `off`, lead to the function. No more than THUNK_BYTES are looked at. */
bool thunk_passes_on(const uint8_t *code, size_t len, uint64_t off, thunk_is_function is_function, const void *data);

#endif
