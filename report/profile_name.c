/* SPDX-License-Identifier: Apache-2.0 */
#include "report/profile_name.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/units.h"

enum name_field {
	NAME_METHOD,
	NAME_PATH,
	NAME_ELAPSED,
	NAME_TIME,
	NAME_STATUS,
	NAME_ID,
	NR_NAME_FIELDS,
};

static const struct pyformat_field fields[NR_NAME_FIELDS] = {
	[NAME_METHOD] = { "method", PYFORMAT_TEXT },	[NAME_PATH] = { "path", PYFORMAT_TEXT },
	[NAME_ELAPSED] = { "elapsed", PYFORMAT_FLOAT }, [NAME_TIME] = { "time", PYFORMAT_FLOAT },
	[NAME_STATUS] = { "status", PYFORMAT_INTEGER }, [NAME_ID] = { "id", PYFORMAT_INTEGER },
};

int profile_name_new(const char *template, struct pyformat **ret_format, struct err *e)
{
	if (!template)
		template = PROFILE_NAME_DEFAULT;
	if (strchr(template, '/')) {
		err_set(e, -EINVAL, "--filename-format %s: a name has no slash", template);
		return err_remedy(e, "The folder is that of --profile-dir.");
	}
	return pyformat_new("--filename-format", template, fields, NR_NAME_FIELDS, ret_format, e);
}

/* ---- the fields ---- */

static int hex_value(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* A path up to its query, as WSGI servers hand it on in PATH_INFO. */
static void add_decoded(struct str *b, const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len && s[i] != '?' && s[i] != '#'; i++) {
		if (s[i] == '%' && len - i > 2 && isxdigit((unsigned char)s[i + 1]) &&
		    isxdigit((unsigned char)s[i + 2])) {
			str_add_char(b, (char)(hex_value(s[i + 1]) << 4 | hex_value(s[i + 2])));
			i += 2;
		} else {
			str_add_char(b, s[i]);
		}
	}
}

static void add_part(struct str *b, const char *s, size_t len)
{
	size_t from = b->len, i;

	str_add_escaped(b, s, len);
	for (i = from; i < b->len; i++)
		if (b->s[i] == '/')
			b->s[i] = '.';
}

/* A label that is no path (a statement, say) is shown as its endpoint is: without its data. */
static void add_path(struct str *b, const struct strings *strings, const struct group *g)
{
	const char *raw = strings_text(strings, g->raw_path), *s;
	struct str text = { 0 };
	size_t len;

	if (raw[0] == '/')
		add_decoded(&text, raw, strings_len(strings, g->raw_path));
	else
		str_add_bytes(&text, strings_text(strings, g->path), strings_len(strings, g->path));
	s = str_cstr(&text);
	for (len = text.len; len && s[len - 1] == '/';)
		len--;
	for (; len && *s == '/'; s++)
		len--;
	if (len)
		add_part(b, s, len);
	else
		str_add(b, "root");
	str_release(&text);
}

void profile_name_init(struct profile_name *n, const struct profile *p, const struct group *g)
{
	uint64_t elapsed_ns = g->elapsed.max_ns;

	*n = (struct profile_name){ 0 };
	add_part(&n->method, strings_text(p->strings, g->method),
		 strings_len(p->strings, g->method));
	add_path(&n->path, p->strings, g);
	n->values[NAME_METHOD] =
		(struct pyformat_value){ n->method.len > 0, .text = str_cstr(&n->method) };
	n->values[NAME_PATH] = (struct pyformat_value){ true, .text = str_cstr(&n->path) };
	n->values[NAME_ELAPSED] =
		(struct pyformat_value){ g->elapsed.nr > 0, .real = (double)elapsed_ns / 1e6 };
	n->values[NAME_TIME] = (struct pyformat_value){
		g->begin_epoch_ns > 0, .real = (double)(g->begin_epoch_ns + elapsed_ns) / NS_PER_SEC
	};
	if (g->status.nr)
		n->values[NAME_STATUS] =
			(struct pyformat_value){ true, .integer = g->status.at[0].status };
	n->values[NAME_ID] = (struct pyformat_value){ true, .integer = g->request_id };
}

void profile_name_release(struct profile_name *n)
{
	str_release(&n->method);
	str_release(&n->path);
}

/* ---- the name ---- */

#define EXTENSION ".prof"

static void add_name(struct str *b, const struct profile_name *n, const struct pyformat *format,
		     const char *suffix)
{
	pyformat_add(b, format, n->values);
	if (!str_ends(str_cstr(b), EXTENSION)) {
		str_add(b, suffix);
		return;
	}
	b->len -= strlen(EXTENSION);
	str_add(b, suffix);
	str_add(b, EXTENSION);
}

/*
 * By as much as the name is too long, or by half of it where that would be all: the path may be in
 * the name more than once. Characters stay whole.
 */
static void cut_path(struct profile_name *n, size_t nr_bytes)
{
	size_t len = n->path.len > nr_bytes ? n->path.len - nr_bytes : n->path.len / 2;

	while (len && ((unsigned char)n->path.s[len] & 0xc0) == 0x80)
		len--;
	n->path.s[len] = '\0';
	n->path.len = len;
}

bool profile_name_make(struct profile_name *n, const struct pyformat *format, const char *suffix,
		       size_t max, struct str *ret_name)
{
	for (;;) {
		str_clear(ret_name);
		add_name(ret_name, n, format, suffix);
		if (ret_name->len <= max)
			return true;
		if (!n->path.len)
			return false;
		cut_path(n, ret_name->len - max);
	}
}
