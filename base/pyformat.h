/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates as Python's str.format() takes them, for options that Python people know:
 *
 *	"{method}.{path}.{elapsed:.0f}ms.{time:.0f}.prof"
 *
 * Fields have names; what stands behind the colon is Python's format specification of text, of
 * integers that are not negative and of such floats (Python/formatter_unicode.c of Python 3.11), and before it may
 * stand a conversion ("!r", "!s", "!a"). Not taken are parts of fields ("{path[0]}"), fields within a specification,
 * and characters by their number (":c"), which may be any. A value that is not known is shown as "-", as wide as asked
 * for.
 */
#ifndef BASE_PYFORMAT_H
#define BASE_PYFORMAT_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum pyformat_kind { PYFORMAT_TEXT, PYFORMAT_INTEGER, PYFORMAT_FLOAT };

struct pyformat_field {
	const char *name;
	enum pyformat_kind kind;
};

struct pyformat_value {
	bool is_known;
	const char *text; /* UTF-8; lent */
	uint64_t integer;
	double real; /* finite, not negative */
};

/* A template that was read. */
struct pyformat;

/*
 * Borrows nothing but the fields. -EINVAL: what it says is no such template, or Python would not
 * take it for the kind of its field; what: the option, to begin the message with.
 */
int pyformat_new(const char *what, const char *text, const struct pyformat_field *fields, size_t nr,
		 struct pyformat **ret_format, struct err *e);
/* NULL is a no-op. */
void pyformat_free(struct pyformat *f);
/* values: one for each of the fields. Appends. */
void pyformat_add(struct str *b, const struct pyformat *f, const struct pyformat_value *values);

/* Adds what Python's repr() prints for the float; finite, not negative. */
void str_add_repr_double(struct str *b, double value);

#endif
