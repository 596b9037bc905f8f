/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions as people know them from Python's re: PCRE2 in UTF and UCP mode. What differs
 * from re: \Z also matches before a last newline, {,n} is no repetition, \uXXXX is an error (write
 * \x{XXXX}), and a search that needs too many steps gives up as "not found". Named groups may be
 * written as in Python, (?P<n>...), (?P=n).
 */
#ifndef REPORT_REGEX_H
#define REPORT_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct regex;

/* -EINVAL: not a regular expression, with the reason and the place. Freed with regex_free(). */
int regex_new(const char *pattern, struct regex **ret_regex, struct err *e);
void regex_free(struct regex *r);
/* Found anywhere in the text? Bytes that are no UTF-8 match nothing. */
bool regex_search(const struct regex *r, const char *text, size_t len);

#endif
