/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In: a profile. Out: the file that cProfile's dump_stats() writes, for pstats, snakeviz, gprof2dot
 * and whatever else reads those: one dictionary in Python's marshal format (Python/marshal.c),
 *
 *	{ (file, line, name): (primitive calls, calls, tottime, cumtime, callers), ... }
 *
 * where callers is a dictionary as well, in which calls come first (Lib/cProfile.py):
 *
 *	{ (file, line, name): (calls, primitive calls, tottime, cumtime), ... }
 *
 *	dict	'{' key value key value ... '0'
 *	tuple	'(' i32 length, items
 *	str	'u' i32 length, UTF-8
 *	int	'i' i32; of more bits 'l' i32 number of digits, digits of 15 bits as i16
 *	float	'g' the 8 bytes of a double
 *
 * That is version 2 of the format, without references: every Python since 2.5 reads it, and equal
 * profiles are equal bytes. A file is one table, so the report's are added up; each sample is in
 * one of them, so that nothing counts double.
 *
 * pstats takes nothing but numbers. Calls that nobody counted are 0: the one number that is no
 * count of anything, for which pstats leaves percall blank, and to which what is counted can be
 * added. Nor does it open a file with no function in it: where nothing was sampled the only row says
 * just that, as a name and with zeros.
 */
#include "report/render.h"

#include <endian.h>
#include <string.h>

#include "base/str.h"

enum { LONG_DIGIT_BITS = 15 };

static void add_i32(struct str *b, uint32_t v)
{
	v = htole32(v);
	str_add_bytes(b, &v, sizeof(v));
}

static void add_tuple(struct str *b, uint32_t nr)
{
	str_add_char(b, '(');
	add_i32(b, nr);
}

static void add_int(struct str *b, uint64_t v)
{
	uint32_t nr = 0;
	uint64_t left;

	if (v <= INT32_MAX) {
		str_add_char(b, 'i');
		add_i32(b, (uint32_t)v);
		return;
	}
	for (left = v; left; left >>= LONG_DIGIT_BITS)
		nr++;
	str_add_char(b, 'l');
	add_i32(b, nr);
	for (left = v; left; left >>= LONG_DIGIT_BITS) {
		uint16_t digit = htole16(left & ((1 << LONG_DIGIT_BITS) - 1));

		str_add_bytes(b, &digit, sizeof(digit));
	}
}

static void add_float(struct str *b, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	bits = htole64(bits);
	str_add_char(b, 'g');
	str_add_bytes(b, &bits, sizeof(bits));
}

/* A byte that is no UTF-8, or what looks like one that is written as such. */
static bool is_like_byte(const char *s, size_t len)
{
	if (len && !utf8_len(s, len))
		return true;
	return len >= 3 && s[0] == 'x' && memchr("89abcdef", s[1], 8) && memchr("0123456789abcdef", s[2], 16);
}

static size_t nr_backslashes(const char *s, size_t len)
{
	size_t nr = 0;

	while (nr < len && s[nr] == '\\')
		nr++;
	return nr;
}

/*
 * A name stands as it is, so that the function has the key that cProfile gives it: pstats makes one table of several
 * profiles by that. Bytes that are no UTF-8 are \xNN. No two names may come out the same, or one function would replace
 * the other: backslashes before such a byte, or before what looks like one, are doubled.
 */
static void add_text(struct str *b, const char *s, size_t len)
{
	struct str text = { 0 };
	size_t at, n;

	for (at = 0; at < len; at += n) {
		n = s[at] == '\\' ? nr_backslashes(s + at, len - at) : utf8_len(s + at, len - at);
		if (s[at] == '\\' && is_like_byte(s + at + n, len - at - n))
			str_add_bytes(&text, s + at, n);
		if (n)
			str_add_bytes(&text, s + at, n);
		else
			str_addf(&text, "\\x%02x", (uint8_t)s[at]);
		n = n ? n : 1;
	}
	str_add_char(b, 'u');
	add_i32(b, (uint32_t)text.len);
	str_add_bytes(b, str_cstr(&text), text.len);
	str_release(&text);
}

static void add_function(struct str *b, const struct profile *p, uint32_t function)
{
	const struct function *f = &p->functions.at[function];

	add_tuple(b, 3);
	add_text(b, strings_text(p->strings, f->file), strings_len(p->strings, f->file));
	add_int(b, f->line);
	add_text(b, strings_text(p->strings, f->name), strings_len(p->strings, f->name));
}

/* What stands before a function's callers. */
static void add_numbers(struct str *b, uint64_t primitive_calls, uint64_t ncalls, double self,
			double cum)
{
	add_tuple(b, 5);
	add_int(b, primitive_calls);
	add_int(b, ncalls);
	add_float(b, self);
	add_float(b, cum);
}

/* ---- from the groups' sums to those of all ---- */

static void add_count(uint64_t *to, uint64_t nr)
{
	*to += nr == COUNT_UNKNOWN ? 0 : nr;
}

static int by_name(const struct profile *p, uint32_t x, uint32_t y)
{
	int order = strcmp(strings_text(p->strings, p->functions.at[x].std_name),
			   strings_text(p->strings, p->functions.at[y].std_name));

	return order ? order : (x > y) - (x < y);
}

static int by_function(const void *a, const void *b, void *profile)
{
	const struct function_sums *const *x = a, *const *y = b;

	return by_name(profile, (*x)->function, (*y)->function);
}

static int by_caller(const void *a, const void *b, void *profile)
{
	const struct caller_sums *x = a, *y = b;

	return by_name(profile, x->caller, y->caller);
}

struct callers {
	VEC(struct caller_sums) list;
};

/* Each caller once, by name. */
static void merge_callers(const struct profile *p, struct callers *c)
{
	size_t nr = 0;

	if (!c->list.nr)
		return;
	qsort_r(c->list.at, c->list.nr, sizeof(*c->list.at), by_caller, (void *)p);
	vec_each(&c->list, it) {
		struct caller_sums *last = nr ? &c->list.at[nr - 1] : NULL;

		if (!last || last->caller != it->caller) {
			c->list.at[nr++] = *it;
			continue;
		}
		last->ncalls += it->ncalls;
		last->primitive_calls += it->primitive_calls;
		last->self += it->self;
		last->cum += it->cum;
	}
	c->list.nr = nr;
}

static void set_known(struct caller_sums *c)
{
	if (c->ncalls == COUNT_UNKNOWN)
		c->ncalls = 0;
	if (c->primitive_calls == COUNT_UNKNOWN)
		c->primitive_calls = c->ncalls;
}

/* same: the nr sums of one function. c is scratch. */
static void add_sums(struct str *b, const struct profile *p,
		     const struct function_sums *const *same, size_t nr, struct callers *c)
{
	uint64_t primitive_calls = 0, ncalls = 0, self = 0, cum = 0;
	size_t i;

	c->list.nr = 0;
	for (i = 0; i < nr; i++) {
		add_count(&ncalls, same[i]->ncalls);
		add_count(&primitive_calls, same[i]->primitive_calls == COUNT_UNKNOWN ?
						    same[i]->ncalls :
						    same[i]->primitive_calls);
		self += same[i]->self;
		cum += same[i]->cum;
		vec_each(&same[i]->callers, it) {
			vec_push(&c->list, *it);
			set_known(vec_last(&c->list));
		}
	}
	merge_callers(p, c);
	add_function(b, p, same[0]->function);
	add_numbers(b, primitive_calls, ncalls, profile_seconds(p, self), profile_seconds(p, cum));
	str_add_char(b, '{');
	vec_each(&c->list, it) {
		add_function(b, p, it->caller);
		add_tuple(b, 4);
		add_int(b, it->ncalls);
		add_int(b, it->primitive_calls);
		add_float(b, profile_seconds(p, it->self));
		add_float(b, profile_seconds(p, it->cum));
	}
	str_add_char(b, '0');
}

/* pstats shows it as {no samples}: that is how it prints what has no file. */
static void add_nothing(struct str *b)
{
	static const char file[] = "~", name[] = "<no samples>";

	add_tuple(b, 3);
	add_text(b, file, strlen(file));
	add_int(b, 0);
	add_text(b, name, strlen(name));
	add_numbers(b, 0, 0, 0, 0);
	str_add(b, "{0");
}

static int write_pstats(const struct profile *p, const struct table_plan *plan, FILE *out,
			struct err *e)
{
	VEC(const struct function_sums *) all = { 0 };
	struct callers callers = { 0 };
	struct str bytes = { 0 };
	size_t first, end;

	(void)plan;
	vec_each(&p->groups, g)
		vec_each(&g->functions, s)
			vec_push(&all, s);
	if (all.nr)
		qsort_r(all.at, all.nr, sizeof(*all.at), by_function, (void *)p);
	else
		add_nothing(&bytes);
	fputc('{', out);
	for (first = 0; first < all.nr && !ferror(out); first = end) {
		for (end = first; end < all.nr && all.at[end]->function == all.at[first]->function;)
			end++;
		add_sums(&bytes, p, all.at + first, end - first, &callers);
		fwrite(bytes.s, 1, bytes.len, out);
		str_clear(&bytes);
	}
	str_add_char(&bytes, '0');
	fwrite(bytes.s, 1, bytes.len, out);
	vec_release(&callers.list);
	vec_release(&all);
	str_release(&bytes);
	return render_finish(out, e);
}

#define UNCOUNTED "calls that nobody counted are 0 in a .prof, which has to have numbers"
#define INEXACT	  "calls that are missing in a number are missing in a .prof, which has no ~ for it"
#define UNITLESS  "a .prof has no units: what its readers call seconds are counts of the event"
#define AND	  "; and "

static const char *remark(const struct profile *p)
{
	/* by what holds: something is not counted, is inexact, is no time */
	static const char *const texts[2][2][2] = {
		{ { NULL, UNITLESS }, { INEXACT, INEXACT AND UNITLESS } },
		{ { UNCOUNTED, UNCOUNTED AND UNITLESS },
		  { UNCOUNTED AND INEXACT, UNCOUNTED AND INEXACT AND UNITLESS } },
	};
	bool is_uncounted = false, is_inexact = false;

	vec_each(&p->groups, g) {
		is_inexact |= g->is_inexact;
		vec_each(&g->functions, s) {
			is_uncounted |= s->ncalls == COUNT_UNKNOWN;
			is_inexact |= s->is_cum_inexact;
		}
	}
	return texts[is_uncounted][is_inexact][!render_is_time(p)];
}

const struct renderer render_pstats = {
	.name = "pstats",
	.needs_callers = true,
	.is_binary = true,
	.write = write_pstats,
	.remark = remark,
};
