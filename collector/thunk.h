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
 * -fxray-instrument call and jump elsewhere first. So each place is looked at that it may lead to.
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

/*
 * Where the first jump or call from code + *at on leads to; *at moves behind it. The code lies at `off`. 0: there is none to
 * a fixed place.
 */
uint64_t thunk_target(const uint8_t *code, size_t len, uint64_t off, size_t *at);

#endif
