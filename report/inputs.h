/* SPDX-License-Identifier: Apache-2.0 */
/* Which of a report's inputs something is from: as session.input numbers them. */
#ifndef REPORT_INPUTS_H
#define REPORT_INPUTS_H

#include <stdbool.h>
#include <stdint.h>

/* Inputs from there on are not told apart. */
#define OTHER_INPUTS (1ULL << 63)

static inline uint64_t input_bit(uint32_t input)
{
	return input < 63 ? 1ULL << input : OTHER_INPUTS;
}

/* Those in which calls are counted. Valid when zeroed. */
struct counting_inputs {
	uint64_t bits;		/* input_bit() of each; but not OTHER_INPUTS, of which others may count nothing */
	uint32_t nr, last_plus_1;
};

/* Inputs come in their order; one that comes again is there already. */
static inline void counting_inputs_add(struct counting_inputs *c, uint32_t input)
{
	if (c->last_plus_1 == input + 1)
		return;
	c->last_plus_1 = input + 1;
	c->nr++;
	c->bits |= input_bit(input) & ~OTHER_INPUTS;
}

/* `more` are of the same thing: beyond the first 63 it is not known which of the two each is in. */
static inline void counting_inputs_join(struct counting_inputs *c, const struct counting_inputs *more)
{
	c->bits |= more->bits;
	c->nr = more->nr > c->nr ? more->nr : c->nr;
}

/* All these inputs, of nr_all that there are, count. */
static inline bool counting_inputs_are(const struct counting_inputs *c, uint64_t bits, uint32_t nr_all)
{
	return c->nr == nr_all || !(bits & ~c->bits);
}

#endif
