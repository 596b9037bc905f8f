/* SPDX-License-Identifier: Apache-2.0 */
#include "report/redis_recognize.h"

#include <string.h>

#include "base/vec.h"
#include "report/intake.h"

/*
 * Inline commands are typed by people and sent by health checks; only these are taken, since a line
 * of words could be anything, and none that others have, too (QUIT, TYPE, TIME). Of those that memcached has, or that are
 * words of any text, small letters are others'.
 */
static const struct {
	const char *verb;
	bool is_in_capitals;
	bool has_args;
} verbs[] = {
	{ "APPEND", true, true }, { "AUTH", false, true }, { "BGREWRITEAOF", false, false },
	{ "BGSAVE", false, false }, { "BITCOUNT", false, true }, { "BLPOP", false, true },
	{ "BRPOP", false, true }, { "CLIENT", true, true }, { "CLUSTER", true, true }, { "COMMAND", true, false },
	{ "CONFIG", true, true }, { "DBSIZE", false, false }, { "DECR", true, true }, { "DECRBY", false, true },
	{ "DEL", false, true }, { "DISCARD", true, false }, { "ECHO", false, true }, { "EVAL", false, true },
	{ "EVALSHA", false, true }, { "EXEC", false, false }, { "EXISTS", false, true }, { "EXPIRE", false, true },
	{ "EXPIREAT", false, true }, { "FLUSHALL", false, false }, { "FLUSHDB", false, false },
	{ "GET", true, true }, { "GETDEL", false, true }, { "GETRANGE", false, true }, { "GETSET", false, true },
	{ "HDEL", false, true }, { "HELLO", false, false }, { "HEXISTS", false, true }, { "HGET", false, true },
	{ "HGETALL", false, true }, { "HINCRBY", false, true }, { "HKEYS", false, true }, { "HLEN", false, true },
	{ "HMGET", false, true }, { "HMSET", false, true }, { "HSCAN", false, true }, { "HSET", false, true },
	{ "HVALS", false, true }, { "INCR", true, true }, { "INCRBY", false, true }, { "INFO", false, false },
	{ "KEYS", false, true }, { "LASTSAVE", false, false }, { "LATENCY", true, true },
	{ "LINDEX", false, true }, { "LINSERT", false, true }, { "LLEN", false, true }, { "LPOP", false, true },
	{ "LPUSH", false, true }, { "LRANGE", false, true }, { "LREM", false, true }, { "LSET", false, true },
	{ "LTRIM", false, true }, { "MEMORY", true, true }, { "MGET", false, true }, { "MONITOR", false, false },
	{ "MSET", false, true }, { "MULTI", true, false }, { "OBJECT", true, true }, { "PERSIST", true, true },
	{ "PEXPIRE", false, true }, { "PFADD", false, true }, { "PFCOUNT", false, true }, { "PING", false, false },
	{ "PSUBSCRIBE", false, true }, { "PTTL", false, true }, { "PUBLISH", true, true },
	{ "RANDOMKEY", false, false }, { "RENAME", true, true }, { "ROLE", false, false }, { "RPOP", false, true },
	{ "RPUSH", false, true }, { "SADD", false, true }, { "SCAN", true, true }, { "SCARD", false, true },
	{ "SCRIPT", true, true }, { "SDIFF", false, true }, { "SELECT", false, true }, { "SET", true, true },
	{ "SETEX", false, true }, { "SETNX", false, true }, { "SINTER", false, true },
	{ "SISMEMBER", false, true }, { "SLOWLOG", false, true }, { "SMEMBERS", false, true },
	{ "SPOP", false, true }, { "SREM", false, true }, { "SSCAN", false, true }, { "STRLEN", false, true },
	{ "SUBSCRIBE", false, true }, { "SUNION", false, true }, { "TTL", false, true }, { "UNLINK", false, true },
	{ "XADD", false, true }, { "XLEN", false, true }, { "XRANGE", false, true }, { "ZADD", false, true },
	{ "ZCARD", false, true }, { "ZCOUNT", false, true }, { "ZINCRBY", false, true }, { "ZRANGE", false, true },
	{ "ZRANGEBYSCORE", false, true }, { "ZRANK", false, true }, { "ZREM", false, true },
	{ "ZREVRANGE", false, true }, { "ZSCAN", false, true }, { "ZSCORE", false, true },
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
		if (verbs[i].is_in_capitals ? memcmp(bytes, verbs[i].verb, same)
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

/* Redis reads on past empty arrays and lines. Are there any of the former? Line ends alone may be anybody's. */
static bool take_empty(struct piece *left)
{
	bool has_array = false;
	size_t len;

	for (;; left->s += len, left->len -= len) {
		if (left->len >= 4 && !memcmp(left->s, "*0\r\n", 4))
			len = 4;
		else if (left->len >= 2 && !memcmp(left->s, "\r\n", 2))
			len = 2;
		else
			return has_array;
		has_array |= len == 4;
	}
}

static bool is_part_of(struct piece p, const char *text)
{
	return p.len < strlen(text) && !memcmp(p.s, text, p.len);
}

enum recognition redis_recognize(const uint8_t *bytes, size_t len)
{
	struct piece left = { bytes, len };
	bool has_array = take_empty(&left);

	if (!left.len)
		return !len || has_array ? RECOGNIZED_MAYBE : RECOGNIZED_NOT;
	if (is_part_of(left, "*0\r\n") || (has_array && is_part_of(left, "\r\n")))
		return RECOGNIZED_MAYBE;
	if (*left.s == '*')
		return recognize_array((struct piece){ left.s + 1, left.len - 1 });
	return recognize_inline(left.s, left.len);
}
