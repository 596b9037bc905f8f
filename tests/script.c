/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/script.h"

#include <check.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/exchange.h"

static void play_piece(struct exchange *x, const struct script_step *s, size_t from, size_t to)
{
	uint64_t total = to - from + (to == s->len ? s->nr_unknown : 0);

	if (s->verb == SCRIPT_CLOSE)
		exchange_close(x);
	else if (s->verb == SCRIPT_IN)
		exchange_in_n(x, s->bytes + from, to - from, total);
	else
		exchange_out_n(x, s->bytes + from, to - from, total);
}

void script_step_play(struct exchange *x, const struct script_step *s)
{
	play_piece(x, s, 0, s->len);
}

/* The first bytes of the step; the others did not travel. */
static void play_known(struct exchange *x, const struct script_step *s, size_t nr_known)
{
	struct script_step step = *s;

	step.len = s->len < nr_known ? s->len : nr_known;
	step.nr_unknown += s->len - step.len;
	script_step_play(x, &step);
}

/* The step in pieces of so many bytes, the first one of `first`. */
static void play_step(struct exchange *x, const struct script_step *s, size_t first, size_t piece)
{
	size_t at = 0, to = first;

	if (s->is_whole || !s->len)
		to = s->len;
	do {
		play_piece(x, s, at, to);
		at = to;
		to = s->len - at < piece ? s->len : at + piece;
	} while (at < s->len);
}

static const char *name_of(const struct script *s)
{
	return s->name ? s->name : s->want;
}

/* The step that is split, and where; a step that there is not: none is. How many requests began. */
static uint64_t play(const struct protocol *p, const struct script *s, size_t split, size_t first)
{
	struct exchange x;
	uint64_t nr_began;
	size_t i;

	exchange_init(&x, p);
	for (i = 0; i < SCRIPT_STEPS && s->steps[i].verb; i++)
		play_step(&x, &s->steps[i], i == split ? first : s->steps[i].len, s->steps[i].len);
	ck_assert_msg(!strcmp(str_cstr(&x.said), s->want), "%s, step %zu split at %zu: %s", name_of(s),
		      split, first, str_cstr(&x.said));
	ck_assert_uint_eq(x.nr_skipped, s->want_skipped);
	nr_began = exchange_nr_began(&x);
	exchange_release(&x);
	return nr_began;
}

uint64_t script_play(const struct protocol *p, const struct script *s)
{
	return play(p, s, SCRIPT_STEPS, 0);
}

static void play_bytes(const struct protocol *p, const struct script *s)
{
	struct exchange x;
	size_t i;

	exchange_init(&x, p);
	for (i = 0; i < SCRIPT_STEPS && s->steps[i].verb; i++)
		play_step(&x, &s->steps[i], 1, 1);
	ck_assert_msg(!strcmp(str_cstr(&x.said), s->want), "%s, by bytes: %s", name_of(s),
		      str_cstr(&x.said));
	ck_assert_uint_eq(x.nr_skipped, s->want_skipped);
	exchange_release(&x);
}

void script_check(const struct protocol *p, const struct script *s)
{
	size_t i, at;

	script_play(p, s);
	for (i = 0; i < SCRIPT_STEPS && s->steps[i].verb; i++)
		for (at = 1; at < s->steps[i].len; at++)
			play(p, s, i, at);
	play_bytes(p, s);
}

void script_check_cuts(const struct protocol *p, const struct script *s, const char *ask,
		       const char *answer)
{
	struct exchange x;
	size_t i, len, nr = 0;

	for (i = 0; i < SCRIPT_STEPS; i++)
		nr = s->steps[i].len > nr ? s->steps[i].len : nr;
	for (len = 0; len <= nr; len++) {
		exchange_init(&x, p);
		for (i = 0; i < SCRIPT_STEPS && s->steps[i].verb; i++)
			play_known(&x, &s->steps[i], len);
		exchange_in(&x, ask, 0);
		exchange_out(&x, answer, 0);
		exchange_close(&x);
		ck_assert_msg(exchange_nr_ended(&x) == exchange_nr_began(&x), "%s, %zu known: %s",
			      name_of(s), len, str_cstr(&x.said));
		exchange_release(&x);
	}
}

void script_check_known(const struct protocol *p, const struct script *s, size_t nr_known_max,
			uint64_t nr_began_max)
{
	struct exchange x;
	size_t i, len;

	for (len = 0; len < nr_known_max; len++) {
		exchange_init(&x, p);
		for (i = 0; i < SCRIPT_STEPS && s->steps[i].verb; i++)
			if (s->steps[i].verb != SCRIPT_CLOSE)
				play_known(&x, &s->steps[i], len);
		ck_assert_uint_le(exchange_nr_began(&x), nr_began_max);
		exchange_release(&x);
	}
}

void script_check_first(const struct protocol *p, const struct script_first *f)
{
	ck_assert_int_eq(p->recognize((const uint8_t *)f->bytes, f->len), f->want);
}

/* Steps: u8 verb, u8 length, u8 unknown bytes, the bytes. */
void script_add_seed(struct str *b, uint8_t protocol, const struct script *s)
{
	size_t i, at, len;

	str_add_char(b, (char)protocol);
	for (i = 0; i < SCRIPT_STEPS && s->steps[i].verb; i++)
		for (at = 0; at < s->steps[i].len; at += len) {
			len = s->steps[i].len - at < 255 ? s->steps[i].len - at : 255;
			str_add_char(b, s->steps[i].verb == SCRIPT_IN ? 0 : 1);
			str_add_char(b, (char)len);
			str_add_char(b, (char)(s->steps[i].nr_unknown % 256));
			str_add_bytes(b, s->steps[i].bytes + at, len);
		}
}
