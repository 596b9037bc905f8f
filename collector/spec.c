/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "base/units.h"
#include "collector/operand.h"

#define SPEC_FORMS                                                                                 \
	"Markers are auto, none, socket[:PORT], http[:PORT], "                                     \
	"func:FUNCTION[@MODULE][,label=argN:str] and "                                             \
	"begin=PROBE,end=PROBE[,label=argN:str][,id=argN]."
#define PROBE_FORMS "A PROBE is FUNCTION[@MODULE][%%return] or usdt:PROVIDER:NAME."

enum spec_key { KEY_BEGIN, KEY_END, KEY_LABEL, KEY_ID, NR_KEYS };

static const char *const key_names[NR_KEYS] = { "begin", "end", "label", "id" };

/* The word before a single '=', or 0: "label=x" gives 5, and "a == b" or "int)" none. */
static size_t key_len(const char *s)
{
	size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyz_");

	return len && s[len] == '=' && s[len + 1] != '=' ? len : 0;
}

static size_t field_len(const char *s)
{
	const char *p = s;

	while (*p && !(*p == ',' && key_len(p + 1)))
		p++;
	return (size_t)(p - s);
}

static int bad_probe(struct err *e, const char *text, const char *why)
{
	err_set(e, -EINVAL, "probe '%s': %s", text, why);
	return err_remedy(e, PROBE_FORMS);
}

static int parse_usdt(const char *text, struct probe_name *p, struct err *e)
{
	const char *provider = text + strlen("usdt:");
	const char *colon = strchr(provider, ':');

	if (!colon || colon == provider || !colon[1])
		return bad_probe(e, text, "a USDT probe needs a provider and a name");
	if (strchr(colon + 1, ':'))
		return bad_probe(e, text, "a USDT probe is a provider and a name, no more");
	if (str_ends(text, "%return"))
		return bad_probe(e, text, "a USDT probe has no return");
	p->provider = xstrndup(provider, (size_t)(colon - provider));
	p->name = xstrdup(colon + 1);
	return 0;
}

static int parse_function(const char *text, struct probe_name *p, struct err *e)
{
	size_t len = strlen(text);
	const char *at;

	p->is_return = str_ends(text, "%return");
	if (p->is_return)
		len -= strlen("%return");
	at = memrchr(text, '@', len);
	if (!len || at == text)
		return bad_probe(e, text, "no function name");
	if (at && at + 1 == text + len)
		return bad_probe(e, text, "no module name after '@'");
	p->function = xstrndup(text, at ? (size_t)(at - text) : len);
	if (at)
		p->module = xstrndup(at + 1, (size_t)(text + len - at - 1));
	return 0;
}

int probe_name_parse(const char *text, struct probe_name *ret, struct err *e)
{
	struct probe_name p = { 0 };
	int rc;

	rc = str_starts(text, "usdt:") ? parse_usdt(text, &p, e) : parse_function(text, &p, e);
	if (rc)
		return rc;
	p.text = xstrdup(text);
	*ret = p;
	return 0;
}

void probe_name_release(struct probe_name *p)
{
	free(p->text);
	free(p->function);
	free(p->module);
	free(p->provider);
	free(p->name);
	*p = (struct probe_name){ 0 };
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool is_same_probe(const struct probe_name *a, const struct probe_name *b)
{
	return is_same_text(a->function, b->function) && is_same_text(a->module, b->module) &&
	       is_same_text(a->provider, b->provider) && is_same_text(a->name, b->name) &&
	       a->is_return == b->is_return;
}

static bool is_of_sockets(const struct marker_spec *s)
{
	return s->kind == MARKER_SPEC_AUTO || s->kind == MARKER_SPEC_SOCKET;
}

static bool has_probes(const struct marker_spec *s)
{
	return s->kind == MARKER_SPEC_FUNC || s->kind == MARKER_SPEC_PAIR;
}

bool marker_spec_repeats(const struct marker_spec *s, const struct marker_spec *earlier)
{
	if (is_of_sockets(s) && is_of_sockets(earlier))
		return !s->port || !earlier->port || s->port == earlier->port;
	return has_probes(s) && has_probes(earlier) && is_same_probe(&s->begin, &earlier->begin) &&
	       is_same_probe(&s->end, &earlier->end);
}

int marker_spec_refuse(const struct marker_spec *s, const struct marker_spec *earlier, struct err *e)
{
	const char *what = has_probes(s) ? "these probes are a marker already" :
					   "these connections have a marker already";
	const char *instead = has_probes(s) ? "" : ", or name two ports";

	err_set(e, -EINVAL, "--marker %s: %s", s->text, what);
	return err_remedy(e, "Each request would be counted twice: leave out this one or --marker %s%s.",
			  earlier->text, instead);
}

void marker_spec_release(struct marker_spec *s)
{
	free(s->text);
	probe_name_release(&s->begin);
	probe_name_release(&s->end);
	*s = (struct marker_spec){ 0 };
}

static int bad_spec(struct err *e, const char *text, const char *why)
{
	err_set(e, -EINVAL, "marker '%s': %s", text, why);
	return err_remedy(e, SPEC_FORMS);
}

/* "arg3" and, where suffix is ":str", "arg3:str". */
static bool parse_arg(const char *value, const char *suffix, unsigned int *ret_n)
{
	size_t len = strlen(value), tail = strlen(suffix);
	uint64_t n;
	char *number;
	bool ok;

	if (!str_starts(value, "arg") || !str_ends(value, suffix) || len < 3 + tail)
		return false;
	number = xstrndup(value + 3, len - 3 - tail);
	ok = parse_u64(number, 1, PROBE_ARGS_MAX, &n);
	free(number);
	if (ok)
		*ret_n = (unsigned int)n;
	return ok;
}

static int set_key(struct marker_spec *s, enum spec_key key, const char *value, struct err *e)
{
	switch (key) {
	case KEY_BEGIN:
		return probe_name_parse(value, &s->begin, e);
	case KEY_END:
		return probe_name_parse(value, &s->end, e);
	case KEY_LABEL:
		if (!parse_arg(value, ":str", &s->label_arg))
			return bad_spec(e, s->text, "label= takes arg1:str to arg12:str");
		return 0;
	case KEY_ID:
		if (!parse_arg(value, "", &s->id_arg))
			return bad_spec(e, s->text, "id= takes arg1 to arg12");
		return 0;
	case NR_KEYS:
		break;
	}
	return bad_spec(e, s->text, "unknown key");
}

/* seen: the keys so far; a key that is set from the start is not taken. */
static int parse_field(struct marker_spec *s, const char *field, size_t len, bool *seen,
		       struct err *e)
{
	size_t klen = key_len(field), i;
	char why[64], *value;
	int rc;

	for (i = 0; i < NR_KEYS; i++)
		if (strlen(key_names[i]) == klen && !strncmp(field, key_names[i], klen))
			break;
	if (i == NR_KEYS) {
		snprintf(why, sizeof(why), "unknown key '%.*s='", (int)(klen < 32 ? klen : 32),
			 field);
		return bad_spec(e, s->text, why);
	}
	if (seen[i] && s->kind == MARKER_SPEC_FUNC && i != KEY_LABEL)
		return bad_spec(e, s->text, "func: takes label= only");
	if (seen[i]) {
		snprintf(why, sizeof(why), "%s= is there twice", key_names[i]);
		return bad_spec(e, s->text, why);
	}
	seen[i] = true;
	value = xstrndup(field + klen + 1, len - klen - 1);
	rc = set_key(s, (enum spec_key)i, value, e);
	free(value);
	return rc;
}

/* Fields from s on, each "key=value", separated by commas. */
static int parse_fields(struct marker_spec *spec, const char *s, bool *seen, struct err *e)
{
	for (;;) {
		size_t len = field_len(s);
		int rc = parse_field(spec, s, len, seen, e);

		if (rc || !s[len])
			return rc;
		s += len + 1;
	}
}

static int check_args(const struct marker_spec *s, struct err *e)
{
	unsigned int most = s->label_arg > s->id_arg ? s->label_arg : s->id_arg;

	if (most && s->begin.is_return)
		return bad_spec(e, s->text, "at a return the arguments are gone");
	if (s->id_arg && s->end.is_return)
		return bad_spec(e, s->text, "at a return the arguments are gone; id= needs both");
	if (most > FUNCTION_ARGS_MAX && s->begin.function)
		return bad_spec(e, s->text, "of a function only arg1 to arg6 can be read");
	if (s->id_arg > FUNCTION_ARGS_MAX && s->end.function)
		return bad_spec(e, s->text, "of a function only arg1 to arg6 can be read");
	return 0;
}

static int parse_func(struct marker_spec *s, struct err *e)
{
	const char *rest = s->text + strlen("func:");
	size_t len = field_len(rest);
	char *probe = xstrndup(rest, len);
	bool seen[NR_KEYS] = { [KEY_BEGIN] = true, [KEY_END] = true, [KEY_ID] = true };
	int rc;

	s->kind = MARKER_SPEC_FUNC;
	rc = parse_function(probe, &s->begin, e);
	s->begin.text = probe;
	if (rc)
		return rc;
	if (s->begin.is_return)
		return bad_spec(e, s->text, "func: means the whole call, %return has no place");
	if (rest[len])
		rc = parse_fields(s, rest + len + 1, seen, e);
	if (rc)
		return rc;
	rc = probe_name_parse(probe, &s->end, e);
	s->end.is_return = true;
	return rc ? rc : check_args(s, e);
}

static int parse_pair(struct marker_spec *s, struct err *e)
{
	bool seen[NR_KEYS] = { 0 };
	int rc;

	s->kind = MARKER_SPEC_PAIR;
	rc = parse_fields(s, s->text, seen, e);
	if (rc)
		return rc;
	if (!seen[KEY_BEGIN] || !seen[KEY_END])
		return bad_spec(e, s->text, seen[KEY_BEGIN] ? "no end=" : "no begin=");
	if (!strcmp(s->begin.text, s->end.text))
		return bad_spec(e, s->text, "begin and end are the same probe");
	return check_args(s, e);
}

/* "http" or "http:8080", but not "https". */
static bool is_kind(const char *text, const char *kind)
{
	size_t len = strlen(kind);

	return str_starts(text, kind) && (!text[len] || text[len] == ':');
}

static int parse_socket(struct marker_spec *s, struct err *e)
{
	const char *port = strchr(s->text, ':');
	uint64_t n;

	s->kind = MARKER_SPEC_SOCKET;
	s->is_http = s->text[0] == 'h';
	if (!port)
		return 0;
	if (!parse_u64(port + 1, 1, UINT16_MAX, &n))
		return bad_spec(e, s->text, "a port is a number from 1 to 65535");
	s->port = (uint16_t)n;
	return 0;
}

static int parse_spec(struct marker_spec *s, struct err *e)
{
	if (!strcmp(s->text, "auto") || !strcmp(s->text, "none")) {
		s->kind = s->text[0] == 'a' ? MARKER_SPEC_AUTO : MARKER_SPEC_NONE;
		return 0;
	}
	if (is_kind(s->text, "http") || is_kind(s->text, "socket"))
		return parse_socket(s, e);
	if (str_starts(s->text, "func:"))
		return parse_func(s, e);
	if (str_starts(s->text, "usdt:"))
		return bad_spec(e, s->text, "one USDT probe is no request; name begin= and end=");
	if (key_len(s->text))
		return parse_pair(s, e);
	return bad_spec(e, s->text, "unknown kind of marker");
}

int marker_spec_parse(const char *text, struct marker_spec *ret, struct err *e)
{
	struct marker_spec s = { .text = xstrdup(text) };
	int rc = parse_spec(&s, e);

	if (rc)
		marker_spec_release(&s);
	else
		*ret = s;
	return rc;
}
