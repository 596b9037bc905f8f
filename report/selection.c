/* SPDX-License-Identifier: Apache-2.0 */
#include "report/selection.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "base/units.h"
#include "report/regex.h"

struct status_range {
	uint32_t from, to;	/* both in it */
};

struct selection {
	VEC(struct regex *) paths;
	VEC(char *) methods;
	VEC(struct status_range) statuses;
	bool has_slower, has_faster;
	uint64_t slower_ns, faster_ns;
	uint64_t slowest;
};

typedef int add_item(struct selection *s, const char *item, struct err *e);

void selection_options_release(struct selection_options *o)
{
	vec_release(&o->path);
	vec_release(&o->method);
	vec_release(&o->status);
}

static int value_error(struct err *e, const char *option, const char *value, const char *remedy)
{
	struct str shown = { 0 };

	str_add_escaped(&shown, value, strlen(value));
	err_set(e, -EINVAL, "%s '%s': not a value for it", option, str_cstr(&shown));
	err_remedy(e, "%s", remedy);
	str_release(&shown);
	return e->code;
}

/* Calls add for every item of "a,b,c". */
static int each_item(struct selection *s, const char *list, add_item *add, struct err *e)
{
	int rc;

	for (;;) {
		const char *comma = strchrnul(list, ',');
		char *item = xstrndup(list, (size_t)(comma - list));

		rc = add(s, item, e);
		free(item);
		if (rc || !*comma)
			return rc;
		list = comma + 1;
	}
}

static int add_method(struct selection *s, const char *item, struct err *e)
{
	if (!*item)
		return value_error(e, "--method", item, "Methods look like GET or GET,POST.");
	vec_push(&s->methods, xstrdup(item));
	return 0;
}

/* "5xx" */
static bool parse_class(const char *item, struct status_range *ret_range)
{
	uint32_t class = (uint32_t)(item[0] - '0');

	if (item[0] < '1' || item[0] > '9' || strcasecmp(item + 1, "xx"))
		return false;
	*ret_range = (struct status_range){ class * 100, class * 100 + 99 };
	return true;
}

/* "404", "500-599" */
static bool parse_range(const char *item, struct status_range *ret_range)
{
	const char *dash = strchr(item, '-');
	char *first = dash ? xstrndup(item, (size_t)(dash - item)) : xstrdup(item);
	uint64_t from, to;
	bool is_good = parse_u64(first, 1, UINT32_MAX, &from) &&
		       parse_u64(dash ? dash + 1 : first, from, UINT32_MAX, &to);

	free(first);
	if (is_good)
		*ret_range = (struct status_range){ (uint32_t)from, (uint32_t)to };
	return is_good;
}

static int add_status(struct selection *s, const char *item, struct err *e)
{
	struct status_range range;

	if (!parse_class(item, &range) && !parse_range(item, &range))
		return value_error(e, "--status", item,
				   "Statuses look like 200, 5xx, 500-599 or 404,5xx.");
	vec_push(&s->statuses, range);
	return 0;
}

static int add_time(const char *option, const char *value, bool *ret_has, uint64_t *ret_ns,
		    struct err *e)
{
	if (!value)
		return 0;
	if (!parse_time_ns(value, ret_ns))
		return value_error(e, option, value, "Times look like 250ms, 1.5s or 10us.");
	*ret_has = true;
	return 0;
}

static int add_scalars(struct selection *s, const struct selection_options *o, struct err *e)
{
	int rc = add_time("--slower-than", o->slower_than, &s->has_slower, &s->slower_ns, e);

	if (!rc)
		rc = add_time("--faster-than", o->faster_than, &s->has_faster, &s->faster_ns, e);
	if (!rc && o->slowest && !parse_u64(o->slowest, 1, UINT64_MAX, &s->slowest))
		rc = value_error(e, "--slowest", o->slowest, "It is a number, 1 at least.");
	return rc;
}

static int add_paths(struct selection *s, const struct selection_options *o, struct err *e)
{
	int rc;

	vec_each(&o->path, it) {
		struct regex *regex;

		rc = regex_new(*it, &regex, e);
		if (rc)
			return rc;
		vec_push(&s->paths, regex);
	}
	return 0;
}

int selection_new(const struct selection_options *o, struct selection **ret_selection,
		  struct err *e)
{
	struct selection *s = xcalloc(1, sizeof(*s));
	int rc = add_paths(s, o, e);

	vec_each(&o->method, it)
		if (!rc)
			rc = each_item(s, *it, add_method, e);
	vec_each(&o->status, it)
		if (!rc)
			rc = each_item(s, *it, add_status, e);
	if (!rc)
		rc = add_scalars(s, o, e);
	if (rc)
		selection_free(s);
	else
		*ret_selection = s;
	return rc;
}

void selection_free(struct selection *s)
{
	if (!s)
		return;
	vec_each(&s->paths, it)
		regex_free(*it);
	vec_each(&s->methods, it)
		free(*it);
	vec_release(&s->paths);
	vec_release(&s->methods);
	vec_release(&s->statuses);
	free(s);
}

static bool takes_path(const struct selection *s, const struct request *r,
		       const struct strings *text)
{
	const char *path = strings_text(text, r->path);
	size_t len = strings_len(text, r->path);

	vec_each(&s->paths, it)
		if (regex_search(*it, path, len))
			return true;
	return !s->paths.nr;
}

static bool takes_method(const struct selection *s, const struct request *r,
			 const struct strings *text)
{
	vec_each(&s->methods, it)
		if (!strcasecmp(*it, strings_text(text, r->method)))
			return true;
	return !s->methods.nr;
}

static bool takes_status(const struct selection *s, const struct request *r)
{
	vec_each(&s->statuses, it)
		if (r->status >= it->from && r->status <= it->to)
			return true;
	return !s->statuses.nr;
}

static bool takes_elapsed(const struct selection *s, const struct request *r)
{
	uint64_t elapsed_ns = request_elapsed_ns(r);

	if (!s->has_slower && !s->has_faster)
		return true;
	if (r->is_unfinished)
		return false;
	return (!s->has_slower || elapsed_ns > s->slower_ns) &&
	       (!s->has_faster || elapsed_ns < s->faster_ns);
}

/* The regular expressions come last: they cost the most. */
bool selection_takes(const struct selection *s, const struct request *r, const struct strings *text)
{
	return takes_status(s, r) && takes_elapsed(s, r) && takes_method(s, r, text) &&
	       takes_path(s, r, text);
}

bool selection_takes_all(const struct selection *s)
{
	return !s->paths.nr && !s->methods.nr && !s->statuses.nr && !s->has_slower &&
	       !s->has_faster && !s->slowest;
}

uint64_t selection_slowest(const struct selection *s)
{
	return s->slowest;
}
