/* SPDX-License-Identifier: Apache-2.0 */
#include "report/redis_command.h"

#include <string.h>

#include "base/alloc.h"

void redis_word_set(struct redis_word *w, struct piece p)
{
	size_t i;

	w->len = p.len < REDIS_WORD_MAX ? p.len : REDIS_WORD_MAX;
	for (i = 0; i < w->len; i++)
		w->s[i] = (char)(p.s[i] >= 'a' && p.s[i] <= 'z' ? p.s[i] - 'a' + 'A' : p.s[i]);
}

bool redis_word_is(const struct redis_word *w, const char *text)
{
	return w->len == strlen(text) && !memcmp(w->s, text, w->len);
}

static bool is_one_of(const struct redis_word *w, const char *const *list, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (redis_word_is(w, list[i]))
			return true;
	return false;
}

bool redis_has_subcommands(const struct redis_word *w)
{
	static const char *const list[] = {
		"CONFIG",  "CLIENT", "CLUSTER",	 "XGROUP",  "SCRIPT",  "ACL",	 "OBJECT", "MEMORY",
		"COMMAND", "PUBSUB", "FUNCTION", "LATENCY", "SLOWLOG", "MODULE", "DEBUG",  "XINFO",
	};

	return is_one_of(w, list, ARRAY_LEN(list));
}

enum redis_kind redis_kind_of(const struct redis_word *w)
{
	static const char *const subscribe[] = { "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE" };
	static const char *const leave[] = { "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE" };
	static const char *const stream[] = { "MONITOR", "SYNC", "PSYNC" };

	if (is_one_of(w, subscribe, ARRAY_LEN(subscribe)))
		return REDIS_SUBSCRIBE;
	if (is_one_of(w, leave, ARRAY_LEN(leave)))
		return REDIS_UNSUBSCRIBE;
	return is_one_of(w, stream, ARRAY_LEN(stream)) ? REDIS_STREAM : REDIS_PLAIN;
}
