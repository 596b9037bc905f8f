/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In: a group's functions by standard name. Out: rows in the order asked for, those that the
 * restrictions leave, and what pstats says about both.
 */
#include "report/table.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/pyformat.h"
#include "base/str.h"
#include "report/regex.h"

/* What a key compares; each has one direction in pstats. */
enum field {
	FIELD_CALLS,		/* these four: largest first */
	FIELD_PRIMITIVE_CALLS,
	FIELD_TIME,
	FIELD_CUMULATIVE,
	FIELD_FILE,		/* these four: smallest first */
	FIELD_LINE,
	FIELD_NAME,
	FIELD_STD_NAME,
};

#define KEY_FIELDS_MAX 3

struct sort_key {
	const char *word, *text;
	size_t nr_fields;
	enum field fields[KEY_FIELDS_MAX];
};

/* pstats' keys in pstats' order: which prefixes are taken depends on it, see prefixes_make(). */
static const struct sort_key sort_keys[] = {
	{ "calls", "call count", 1, { FIELD_CALLS } },
	{ "ncalls", "call count", 1, { FIELD_CALLS } },
	{ "cumtime", "cumulative time", 1, { FIELD_CUMULATIVE } },
	{ "cumulative", "cumulative time", 1, { FIELD_CUMULATIVE } },
	{ "filename", "file name", 1, { FIELD_FILE } },
	{ "line", "line number", 1, { FIELD_LINE } },
	{ "module", "file name", 1, { FIELD_FILE } },
	{ "name", "function name", 1, { FIELD_NAME } },
	{ "nfl", "name/file/line", 3, { FIELD_NAME, FIELD_FILE, FIELD_LINE } },
	{ "pcalls", "primitive call count", 1, { FIELD_PRIMITIVE_CALLS } },
	{ "stdname", "standard name", 1, { FIELD_STD_NAME } },
	{ "time", "internal time", 1, { FIELD_TIME } },
	{ "tottime", "internal time", 1, { FIELD_TIME } },
};

#define DEFAULT_SORT "time,calls"

struct prefix {
	const char *word;
	size_t len;
	const struct sort_key *key;
	bool is_ambiguous;
};

struct prefixes {
	VEC(struct prefix) list;
};

enum restriction_kind { RESTRICT_COUNT, RESTRICT_SHARE, RESTRICT_REGEX };

struct restriction {
	enum restriction_kind kind;
	int64_t count;
	double share;
	struct regex *regex;
	char *repr;		/* as Python prints it */
};

struct table_plan {
	VEC(enum field) fields;
	struct str order_text;
	VEC(struct restriction) restrictions;
};

void table_options_release(struct table_options *o)
{
	vec_release(&o->sort);
	vec_release(&o->restrictions);
}

static struct prefix *prefix_find(struct prefixes *p, const char *word, size_t len)
{
	vec_each(&p->list, it)
		if (it->len == len && !memcmp(it->word, word, len))
			return it;
	return NULL;
}

/*
 * Every prefix of every key, up to the first one that an earlier key has taken; that one is marked
 * as ambiguous. So "cu" still means cumtime: "cumulative" stops at "cum". pstats has it that way.
 */
static void prefixes_make(struct prefixes *p)
{
	size_t i, len;

	for (i = 0; i < ARRAY_LEN(sort_keys); i++)
		for (len = strlen(sort_keys[i].word); len; len--) {
			struct prefix *taken = prefix_find(p, sort_keys[i].word, len);

			if (taken) {
				taken->is_ambiguous = true;
				break;
			}
			vec_push(&p->list, (struct prefix){ sort_keys[i].word, len, &sort_keys[i],
							    false });
		}
}

static int key_error(const char *word, size_t len, const struct prefix *found, struct err *e)
{
	struct str shown = { 0 }, names = { 0 };
	size_t i;

	str_add_escaped(&shown, word, len);
	for (i = 0; i < ARRAY_LEN(sort_keys); i++)
		str_addf(&names, "%s%s", i ? ", " : "", sort_keys[i].word);
	err_set(e, -EINVAL, "cannot sort by '%s': %s", str_cstr(&shown),
		found ? "more than one key begins like that" : "no such key");
	err_remedy(e, "The keys are %s.", str_cstr(&names));
	str_release(&shown);
	str_release(&names);
	return e->code;
}

static int plan_add_key(struct table_plan *plan, struct prefixes *p, const char *word, size_t len,
			struct err *e)
{
	const struct prefix *found = prefix_find(p, word, len);
	size_t i;

	if (!found || found->is_ambiguous)
		return key_error(word, len, found, e);
	for (i = 0; i < found->key->nr_fields; i++)
		vec_push(&plan->fields, found->key->fields[i]);
	str_addf(&plan->order_text, "%s%s", plan->order_text.len ? ", " : "", found->key->text);
	return 0;
}

static int plan_add_keys(struct table_plan *plan, struct prefixes *p, const char *words,
			 struct err *e)
{
	const char *comma;
	int rc;

	do {
		comma = strchrnul(words, ',');
		rc = plan_add_key(plan, p, words, (size_t)(comma - words), e);
		words = comma + 1;
	} while (!rc && *comma);
	return rc;
}

static int plan_add_sort(struct table_plan *plan, const struct table_options *o, struct err *e)
{
	struct prefixes prefixes = { 0 };
	int rc = 0;

	prefixes_make(&prefixes);
	if (!o->sort.nr)
		rc = plan_add_keys(plan, &prefixes, DEFAULT_SORT, e);
	vec_each(&o->sort, it)
		if (!rc)
			rc = plan_add_keys(plan, &prefixes, *it, e);
	vec_release(&prefixes.list);
	return rc;
}

/* Python lets white space stand around a number and underscores between its digits. */
static char *without_decoration(const char *typed)
{
	struct str plain = { 0 };
	size_t len;

	while (isspace((unsigned char)*typed))
		typed++;
	for (len = strlen(typed); len && isspace((unsigned char)typed[len - 1]);)
		len--;
	for (size_t i = 0; i < len; i++)
		if (typed[i] != '_' || !i || !isdigit((unsigned char)typed[i - 1]) ||
		    !isdigit((unsigned char)typed[i + 1]))
			str_add_char(&plain, typed[i]);
	return str_take(&plain);
}

static const char *skip_digits(const char *s)
{
	while (isdigit((unsigned char)*s))
		s++;
	return s;
}

static bool is_integer(const char *s)
{
	s += *s == '+' || *s == '-';
	return isdigit((unsigned char)*s) && !*skip_digits(s);
}

/* Digits with a point, an exponent, or both. Not "inf" nor "nan", which are names of functions. */
static bool is_decimal(const char *s)
{
	size_t nr_digits;
	const char *from;

	s += *s == '+' || *s == '-';
	from = s;
	s = skip_digits(s);
	nr_digits = (size_t)(s - from);
	if (*s == '.') {
		from = ++s;
		s = skip_digits(s);
		nr_digits += (size_t)(s - from);
	}
	if (nr_digits && (*s == 'e' || *s == 'E')) {
		s++;
		s += *s == '+' || *s == '-';
		if (!isdigit((unsigned char)*s))
			return false;
		s = skip_digits(s);
	}
	return nr_digits && !*s;
}

static char *share_repr(double share)
{
	struct str repr = { 0 };

	str_add_repr_double(&repr, share);
	return str_take(&repr);
}

static char *string_repr(const char *s)
{
	struct str repr = { 0 };

	str_add_repr(&repr, s, strlen(s));
	return str_take(&repr);
}

static int plan_add_restriction(struct table_plan *plan, const char *typed, struct err *e)
{
	struct restriction r = { .kind = RESTRICT_REGEX };
	char *plain = without_decoration(typed);
	int rc = 0;

	if (is_integer(plain)) {
		r.kind = RESTRICT_COUNT;
		r.count = strtoll(plain, NULL, 10);	/* saturates: beyond any list anyway */
		r.repr = xasprintf("%lld", (long long)r.count);
	} else if (is_decimal(plain)) {
		r.kind = RESTRICT_SHARE;
		r.share = strtod(plain, NULL);
		r.repr = r.share >= 0 && r.share < 1 ? share_repr(r.share) : NULL;
	} else {
		rc = regex_new(typed, &r.regex, e);
		r.repr = string_repr(typed);
	}
	free(plain);
	vec_push(&plan->restrictions, r);
	return rc;
}

int table_plan_new(const struct table_options *options, struct table_plan **ret_plan,
		   struct err *e)
{
	struct table_plan *plan = xcalloc(1, sizeof(*plan));
	int rc = plan_add_sort(plan, options, e);

	vec_each(&options->restrictions, it)
		if (!rc)
			rc = plan_add_restriction(plan, *it, e);
	if (rc)
		table_plan_free(plan);
	else
		*ret_plan = plan;
	return rc;
}

void table_plan_free(struct table_plan *plan)
{
	if (!plan)
		return;
	vec_each(&plan->restrictions, it) {
		regex_free(it->regex);
		free(it->repr);
	}
	vec_release(&plan->restrictions);
	vec_release(&plan->fields);
	str_release(&plan->order_text);
	free(plan);
}

struct sorting {
	const struct table_plan *plan;
	const struct strings *strings;
};

static int largest_first(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

/* An unknown count stands below every known one, 0 included. */
static int most_calls_first(uint64_t a, uint64_t b)
{
	if (a == COUNT_UNKNOWN || b == COUNT_UNKNOWN)
		return (a == COUNT_UNKNOWN) - (b == COUNT_UNKNOWN);
	return largest_first(a, b);
}

/* By code point, as Python compares: UTF-8 keeps that order in its bytes. */
static int text_order(const struct strings *t, uint32_t a, uint32_t b)
{
	size_t a_len, b_len;
	int order;

	if (a == b)
		return 0;
	a_len = strings_len(t, a);
	b_len = strings_len(t, b);
	order = memcmp(strings_text(t, a), strings_text(t, b), a_len < b_len ? a_len : b_len);
	return order ? order : (a_len > b_len) - (a_len < b_len);
}

static int field_order(const struct strings *t, enum field field, const struct table_row *a,
		       const struct table_row *b)
{
	switch (field) {
	case FIELD_CALLS:
		return most_calls_first(a->sums->ncalls, b->sums->ncalls);
	case FIELD_PRIMITIVE_CALLS:
		return most_calls_first(a->sums->primitive_calls, b->sums->primitive_calls);
	case FIELD_TIME:
		return largest_first(a->sums->self, b->sums->self);
	case FIELD_CUMULATIVE:
		return largest_first(a->sums->cum, b->sums->cum);
	case FIELD_FILE:
		return text_order(t, a->function->file, b->function->file);
	case FIELD_LINE:
		return largest_first(b->function->line, a->function->line);
	case FIELD_NAME:
		return text_order(t, a->function->name, b->function->name);
	case FIELD_STD_NAME:
		return text_order(t, a->function->std_name, b->function->std_name);
	}
	return 0;
}

/* qsort_r() promises no stability; the rows' places in the group's array give it. */
static int row_order(const void *left, const void *right, void *arg)
{
	const struct table_row *a = left, *b = right;
	const struct sorting *s = arg;
	int order;

	vec_each(&s->plan->fields, field) {
		order = field_order(s->strings, *field, a, b);
		if (order)
			return order;
	}
	return (a->sums > b->sums) - (a->sums < b->sums);
}

static void keep_matching(struct table *t, const struct regex *regex, const struct strings *strings)
{
	size_t nr = 0;

	vec_each(&t->rows, row) {
		uint32_t name = row->function->std_name;

		if (regex_search(regex, strings_text(strings, name), strings_len(strings, name)))
			t->rows.at[nr++] = *row;
	}
	t->rows.nr = nr;
}

static void restrict_rows(struct table *t, const struct restriction *r,
			  const struct strings *strings)
{
	size_t nr_before = t->rows.nr;

	switch (r->kind) {
	case RESTRICT_COUNT:
		if (r->count >= 0 && (uint64_t)r->count < nr_before)
			t->rows.nr = (size_t)r->count;
		break;
	case RESTRICT_SHARE:
		/* Never more than there are: nr * share is nr at most, and .5 is cut off again. */
		if (r->share >= 0 && r->share < 1)
			t->rows.nr = (size_t)((double)nr_before * r->share + .5);
		break;
	case RESTRICT_REGEX:
		keep_matching(t, r->regex, strings);
		break;
	}
	if (t->rows.nr != nr_before)
		vec_push(&t->reductions,
			 xasprintf("List reduced from %zu to %zu due to restriction <%s>",
				   nr_before, t->rows.nr, r->repr));
}

void table_build(struct table *t, const struct table_plan *plan, const struct profile *p,
		 const struct group *g)
{
	struct sorting sorting = { .plan = plan, .strings = p->strings };

	*t = (struct table){ .group = g, .nr_all_rows = g->functions.nr,
			     .order_text = str_cstr(&plan->order_text) };
	vec_reserve(&t->rows, g->functions.nr);
	vec_each(&g->functions, it)
		vec_push(&t->rows, (struct table_row){ &p->functions.at[it->function], it });
	if (t->rows.nr)
		qsort_r(t->rows.at, t->rows.nr, sizeof(t->rows.at[0]), row_order, &sorting);
	vec_each(&plan->restrictions, it)
		restrict_rows(t, it, p->strings);
}

void table_release(struct table *t)
{
	vec_each(&t->reductions, it)
		free(*it);
	vec_release(&t->reductions);
	vec_release(&t->rows);
}
