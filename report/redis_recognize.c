/* SPDX-License-Identifier: Apache-2.0 */
#include "report/redis_recognize.h"

#include <string.h>

#include "base/vec.h"
#include "report/intake.h"

/*
 * Inline commands are typed by people and sent by health checks; only these are taken, since a line
 * of words could be anything. Those that memcached has too are its own in small letters.
 */
static const struct {
	const char *verb;
	bool is_memcached;
	bool has_args;
} verbs[] = {
	{ "PING", false, false },     { "GET", true, true },	   { "SET", true, true },
	{ "AUTH", false, true },      { "INFO", false, false },	   { "HELLO", false, false },
	{ "SELECT", false, true },    { "DEL", false, true },	   { "INCR", true, true },
	{ "DECR", true, true },	      { "EXISTS", false, true },   { "EXPIRE", false, true },
	{ "TTL", false, true },	      { "KEYS", false, true },	   { "MGET", false, true },
	{ "MSET", false, true },      { "HGET", false, true },	   { "HSET", false, true },
	{ "HGETALL", false, true },   { "LPUSH", false, true },	   { "RPUSH", false, true },
	{ "LPOP", false, true },      { "RPOP", false, true },	   { "LRANGE", false, true },
	{ "SADD", false, true },      { "ZADD", false, true },	   { "DBSIZE", false, false },
	{ "ECHO", false, true },      { "MONITOR", false, false }, { "ROLE", false, false },
	{ "SUBSCRIBE", false, true },
};

/* The bytes after a verb: the end of the line, or arguments that are no HTTP request target. */
static enum recognition recognize_rest(struct piece rest, bool has_args)
{
	const uint8_t *lf = rest.len ? memchr(rest.s, '\n', rest.len) : NULL;
	size_t len = lf ? (size_t)(lf - rest.s) : rest.len;

	if (!rest.len)
		return RECOGNIZED_MAYBE;
	if (*rest.s == ' ' && len > 1) {
		if (rest.s[1] == '/' || rest.s[1] == '*' || rest.s[1] == ' ' ||
		    memmem(rest.s, len, " HTTP/", 6) || memmem(rest.s, len, "://", 3))
			return RECOGNIZED_NOT;
		return lf ? RECOGNIZED : RECOGNIZED_MAYBE;
	}
	if (*rest.s == ' ')
		return lf ? RECOGNIZED_NOT : RECOGNIZED_MAYBE;
	if (has_args)
		return RECOGNIZED_NOT;
	if (*rest.s == '\n' || (*rest.s == '\r' && len == 1 && lf))
		return RECOGNIZED;
	return *rest.s == '\r' && rest.len == 1 ? RECOGNIZED_MAYBE : RECOGNIZED_NOT;
}

static enum recognition recognize_inline(const uint8_t *bytes, size_t len)
{
	enum recognition best = RECOGNIZED_NOT, it;
	size_t i, verb_len, same;

	for (i = 0; i < ARRAY_LEN(verbs); i++) {
		verb_len = strlen(verbs[i].verb);
		same = len < verb_len ? len : verb_len;
		if (verbs[i].is_memcached ? memcmp(bytes, verbs[i].verb, same)
					  : strncasecmp((const char *)bytes, verbs[i].verb, same))
			continue;
		it = recognize_rest((struct piece){ bytes + same, len - same }, verbs[i].has_args);
		best = it > best ? it : best;
	}
	return best;
}

/* Takes digits and CR LF: "3\r\n". */
static enum recognition take_count(struct piece *left, uint64_t max, uint64_t *ret)
{
	size_t len = 0;

	while (len < left->len && left->s[len] >= '0' && left->s[len] <= '9')
		len++;
	if (len == left->len)
		return len <= 7 ? RECOGNIZED_MAYBE : RECOGNIZED_NOT;
	if (!piece_number((struct piece){ left->s, len }, ret) || !*ret || *ret > max)
		return RECOGNIZED_NOT;
	if (left->s[len] != '\r' || (len + 1 < left->len && left->s[len + 1] != '\n'))
		return RECOGNIZED_NOT;
	if (len + 1 == left->len)
		return RECOGNIZED_MAYBE;
	left->s += len + 2;
	left->len -= len + 2;
	return RECOGNIZED;
}

static bool is_command_byte(uint8_t c)
{
	return redis_is_letter(c) || (c >= '0' && c <= '9') || (c && strchr("._-|", c));
}

/* The array's first element is a command's name: answers, which a client reads, have others. */
static enum recognition recognize_array(struct piece left)
{
	enum recognition r;
	uint64_t nr = 0, len = 0;
	size_t i;

	r = take_count(&left, 1 << 20, &nr);
	if (r != RECOGNIZED)
		return r;
	if (left.len && *left.s != '$')
		return RECOGNIZED_NOT;
	if (!left.len)
		return RECOGNIZED_MAYBE;
	left.s++;
	left.len--;
	r = take_count(&left, REDIS_WORD_MAX, &len);
	if (r != RECOGNIZED)
		return r;
	for (i = 0; i < len && i < left.len; i++)
		if (!is_command_byte(left.s[i]) || (!i && !redis_is_letter(left.s[i])))
			return RECOGNIZED_NOT;
	if (len < left.len && left.s[len] != '\r')
		return RECOGNIZED_NOT;
	return len <= left.len ? RECOGNIZED : RECOGNIZED_MAYBE;
}

enum recognition redis_recognize(const uint8_t *bytes, size_t len)
{
	if (!len)
		return RECOGNIZED_MAYBE;
	if (*bytes == '*')
		return recognize_array((struct piece){ bytes + 1, len - 1 });
	return recognize_inline(bytes, len);
}
