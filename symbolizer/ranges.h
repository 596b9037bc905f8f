/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of many address ranges, overlapping or not, owns an address. Add all, flatten once, then
 * ask: the flat list has no overlap, so that one binary search answers however hostile the input.
 * Valid when zeroed.
 */
#ifndef SYMBOLIZER_RANGES_H
#define SYMBOLIZER_RANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

struct range {
	uint64_t start, end;	/* end exclusive */
	uint32_t id;
};

struct ranges {
	VEC(struct range) list;
};

enum ranges_rule {
	RANGES_INNERMOST,	/* the later start wins, then the shorter, then the higher id */
	RANGES_LATEST,		/* the higher id wins */
};

/* Empty and wrapped ranges are ignored. */
void ranges_add(struct ranges *r, uint64_t start, uint64_t end, uint32_t id);
/* Sorts, and cuts ranges up until none overlaps: at most twice as many remain as were added. */
void ranges_flatten(struct ranges *r, enum ranges_rule rule);
/* Only after ranges_flatten(). False: nobody owns addr. */
bool ranges_find(const struct ranges *r, uint64_t addr, uint32_t *ret_id);
/* The whole piece that addr is in, or NULL. */
const struct range *ranges_range(const struct ranges *r, uint64_t addr);
void ranges_release(struct ranges *r);

#endif
