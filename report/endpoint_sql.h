/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shape of an SQL statement: what is left when its data is taken out, so that executions of one
 * statement share an endpoint.
 *
 *	select  a, "B" -- why
 *	from t where x = -1.5 and y = $1 and z in (1, 2, 3)
 *	-> select a, "B" from t where x = ? and y = $1 and z in (?)
 *
 * Literals (numbers with their sign; strings, also E'' B'' N'' U&'' X'' and dollar-quoted) become
 * ?, comments and white space one space, an IN list of literals and parameters IN (?), and of a
 * VALUES list only the first row stays. A savepoint's name is ? too: drivers make them up.
 * Semicolons at the end go. Other words, quoted identifiers and parameters stay as written, and so does
 * what has nothing but comments and semicolons.
 *
 * The lexical rules are PostgreSQL's (its documentation, 4.1 Lexical Structure); MySQL's `quoted`
 * identifiers are taken too, its backslash escapes in plain strings are not. A statement may be cut
 * anywhere: what is open at the end counts as closed there.
 */
#ifndef REPORT_ENDPOINT_SQL_H
#define REPORT_ENDPOINT_SQL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/*
 * Does the text begin, after comments and parentheses, with a verb of SQL? "SET" is Redis' too: it
 * counts where an = or TO follows its first word.
 */
bool sql_is_statement(const void *text, size_t len);
/* Adds the shape to b; stops once max bytes or a little more were added. */
void sql_add_shape(struct str *b, const void *text, size_t len, size_t max);

#endif
