/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chunk's bytes, taken from the front by whoever knows what comes next: a line, a header of a
 * known length, a payload. What a chunk does not finish is held until the next one, up to a bound;
 * payloads are skipped by arithmetic, whether their bytes travelled or not.
 *
 *	struct intake in = intake_of(c);
 *
 *	switch (intake_line(&in, &held, LINE_MAX, &line)) {
 *	case TAKEN:		line is lent until the next call with the same held
 *	case TAKEN_PART:	the chunk ended in it: call again with the next chunk
 *	case TAKEN_UNKNOWN:	its bytes did not travel; what was held of it is dropped
 *	}
 */
#ifndef REPORT_INTAKE_H
#define REPORT_INTAKE_H

#include "base/vec.h"
#include "report/protocol.h"

struct intake {
	const uint8_t *at;
	size_t known;		/* bytes from at on */
	uint64_t unknown;	/* bytes after these, which did not travel */
};

/* Lent bytes. */
struct piece {
	const uint8_t *s;
	size_t len;
};

/* The first bytes of what a chunk did not finish; zeroed is empty. */
struct held {
	VEC(uint8_t) bytes;
};

/* A payload of a known length, of which the first bytes are kept; zeroed has ended. */
struct body {
	uint64_t left;
	size_t keep;
	struct held kept;
};

enum taken { TAKEN, TAKEN_PART, TAKEN_UNKNOWN };

struct intake intake_of(const struct chunk *c);
/* Takes up to want bytes, known or not; returns how many. */
uint64_t intake_skip(struct intake *in, uint64_t want);
/* Exactly len bytes. */
enum taken intake_bytes(struct intake *in, struct held *h, size_t len, struct piece *ret);
/* Up to a line feed, which is taken and left out, as a CR before it is; its first keep bytes. */
enum taken intake_line(struct intake *in, struct held *h, size_t keep, struct piece *ret);

/* What is held will not be finished. */
void held_drop(struct held *h);
void held_release(struct held *h);

void body_begin(struct body *b, uint64_t len, size_t keep);
/*
 * True: all of it was taken, and b->kept has its first bytes, fewer than asked for where some did
 * not travel.
 */
bool body_take(struct body *b, struct intake *in);
struct piece body_kept(const struct body *b);
void body_release(struct body *b);

/* A string's bytes, lent as it is. */
struct piece piece_of(const char *s);
bool piece_is(struct piece p, const char *text);
/* The next word, up to a blank, which is skipped with those before it. False: none was left. */
bool piece_word(struct piece *left, struct piece *ret);
/* Takes up to a NUL, which is skipped. False: there is none. */
bool piece_cstr(struct piece *left, struct piece *ret);
/* 1 to 18 decimal digits and nothing else, so that sums do not overflow. */
bool piece_number(struct piece p, uint64_t *ret);

/* Is c, which is not NUL, in the string? */
bool byte_is_one_of(uint8_t c, const char *set);

static inline uint16_t load_be16(const uint8_t *s)
{
	return (uint16_t)(s[0] << 8 | s[1]);
}

static inline uint32_t load_be32(const uint8_t *s)
{
	return (uint32_t)load_be16(s) << 16 | load_be16(s + 2);
}

#endif
