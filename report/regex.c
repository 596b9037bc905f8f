/* SPDX-License-Identifier: Apache-2.0 */
#include "report/regex.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/alloc.h"
#include "base/str.h"

/*
 * Backtracking steps before a search gives up: some tens of milliseconds. A report searches every
 * row of every table, and a pattern that explodes must not look like a hang.
 */
#define STEPS_MAX 1000000

struct regex {
	pcre2_code *code;
	pcre2_match_data *match;
	pcre2_match_context *limits;
};

/*
 * Lines end with LF only, as in re; PCRE2's build decides otherwise. \C would look inside of UTF-8
 * sequences. Invalid UTF-8 in the text must not fail the search of the rest of it.
 */
static pcre2_code *compile(const char *pattern, int *ret_error, PCRE2_SIZE *ret_place)
{
	const uint32_t flags = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C |
			       PCRE2_MATCH_INVALID_UTF;
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	pcre2_code *code;

	pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, flags, ret_error,
			     ret_place, context);
	pcre2_compile_context_free(context);
	return code;
}

int regex_new(const char *pattern, struct regex **ret_regex, struct err *e)
{
	PCRE2_SIZE place;
	PCRE2_UCHAR why[256];
	struct str shown = { 0 };
	struct regex *r;
	int error;
	pcre2_code *code = compile(pattern, &error, &place);

	if (!code) {
		pcre2_get_error_message(error, why, sizeof(why));
		str_add_escaped(&shown, pattern, strlen(pattern));
		err_set(e, -EINVAL, "invalid regular expression '%s': %s at offset %zu",
			str_cstr(&shown), (const char *)why, (size_t)place);
		str_release(&shown);
		return e->code;
	}
	/* Where there is no JIT (a CPU, a policy against writable code), matching works without. */
	pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	r = xmalloc(sizeof(*r));
	r->code = code;
	r->match = pcre2_match_data_create(1, NULL);
	r->limits = pcre2_match_context_create(NULL);
	pcre2_set_match_limit(r->limits, STEPS_MAX);
	*ret_regex = r;
	return 0;
}

void regex_free(struct regex *r)
{
	if (!r)
		return;
	pcre2_match_context_free(r->limits);
	pcre2_match_data_free(r->match);
	pcre2_code_free(r->code);
	free(r);
}

bool regex_search(const struct regex *r, const char *text, size_t len)
{
	int rc = pcre2_match(r->code, (PCRE2_SPTR)text, len, 0, 0, r->match, r->limits);

	/* Compiled code has 32 KiB of stack; the interpreter takes what it needs from the heap. */
	if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
		rc = pcre2_match(r->code, (PCRE2_SPTR)text, len, 0, PCRE2_NO_JIT, r->match,
				 r->limits);
	/* 0 is a match too: one with more groups than the match data has room for. */
	return rc >= 0;
}
