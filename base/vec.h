/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growable array of any type, embedded in its owner and valid when zeroed:
 *
 *	VEC(struct mapping) maps = { 0 };
 *
 *	vec_push(&maps, m);
 *	vec_each(&maps, it)
 *		use(it->start);
 *	vec_release(&maps);
 *
 * Elements move when the array grows: hold an index, not a pointer, across a push.
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define VEC(T)                                                                                     \
	struct {                                                                                   \
		T *at;                                                                             \
		size_t nr, cap;                                                                    \
	}

#define vec_reserve(v, want)                                                                       \
	do {                                                                                       \
		size_t want_ = (want);                                                             \
		if (want_ > (v)->cap) {                                                            \
			(v)->cap = want_ > (v)->cap * 2 ? want_ : (v)->cap * 2;                    \
			(v)->cap = (v)->cap < 8 ? 8 : (v)->cap;                                    \
			(v)->at = xreallocarray((v)->at, (v)->cap, sizeof((v)->at[0]));            \
		}                                                                                  \
	} while (0)

#define vec_push(v, ...)                                                                           \
	do {                                                                                       \
		vec_reserve(v, (v)->nr + 1);                                                       \
		(v)->at[(v)->nr] = (__VA_ARGS__);                                                  \
		(v)->nr++;                                                                         \
	} while (0)

/* Opens a gap before index i (i <= nr) and fills it. */
#define vec_insert(v, i, ...)                                                                      \
	do {                                                                                       \
		size_t i_ = (i);                                                                   \
		vec_reserve(v, (v)->nr + 1);                                                       \
		memmove((v)->at + i_ + 1, (v)->at + i_, ((v)->nr - i_) * sizeof((v)->at[0]));      \
		(v)->at[i_] = (__VA_ARGS__);                                                       \
		(v)->nr++;                                                                         \
	} while (0)

/* Takes out nr elements from index i on. */
#define vec_remove(v, i, count)                                                                    \
	do {                                                                                       \
		size_t i_ = (i), n_ = (count);                                                     \
		memmove((v)->at + i_, (v)->at + i_ + n_,                                           \
			((v)->nr - i_ - n_) * sizeof((v)->at[0]));                                 \
		(v)->nr -= n_;                                                                     \
	} while (0)

#define vec_last(v) (&(v)->at[(v)->nr - 1])
#define vec_each(v, it)                                                                            \
	for (__typeof__((v)->at + 0) it = (v)->at; it && it < (v)->at + (v)->nr; it++)

#define vec_release(v)                                                                             \
	do {                                                                                       \
		free((v)->at);                                                                     \
		(v)->at = NULL;                                                                    \
		(v)->nr = (v)->cap = 0;                                                            \
	} while (0)

#endif
