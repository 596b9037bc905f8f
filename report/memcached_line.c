/* SPDX-License-Identifier: Apache-2.0 */
#include "report/memcached_line.h"

#include <string.h>

#include "base/alloc.h"

enum data { DATA_NONE, DATA_SET, DATA_META };

struct memcached_verb {
	const char *name;
	bool has_args;
	enum data data; /* which word is the length of the data that follow the line */
};

static const struct memcached_verb verbs[] = {
	{ "get", true, DATA_NONE },	    { "gets", true, DATA_NONE },
	{ "gat", true, DATA_NONE },	    { "gats", true, DATA_NONE },
	{ "set", true, DATA_SET },	    { "add", true, DATA_SET },
	{ "replace", true, DATA_SET },	    { "append", true, DATA_SET },
	{ "prepend", true, DATA_SET },	    { "cas", true, DATA_SET },
	{ "delete", true, DATA_NONE },	    { "incr", true, DATA_NONE },
	{ "decr", true, DATA_NONE },	    { "touch", true, DATA_NONE },
	{ "stats", false, DATA_NONE },	    { "flush_all", false, DATA_NONE },
	{ "version", false, DATA_NONE },    { "verbosity", true, DATA_NONE },
	{ "quit", false, DATA_NONE },	    { "mg", true, DATA_NONE },
	{ "ms", true, DATA_META },	    { "md", true, DATA_NONE },
	{ "ma", true, DATA_NONE },	    { "mn", false, DATA_NONE },
	{ "me", true, DATA_NONE },	    { "watch", false, DATA_NONE },
	{ "lru_crawler", true, DATA_NONE }, { "lru", true, DATA_NONE },
	{ "slabs", true, DATA_NONE },	    { "cache_memlimit", true, DATA_NONE },
	{ "shutdown", false, DATA_NONE },
};

static const struct memcached_verb *verb_of(struct piece word)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(verbs); i++)
		if (piece_is(word, verbs[i].name))
			return &verbs[i];
	return NULL;
}

bool memcached_is_command(struct piece word)
{
	size_t i;

	for (i = 0; i < word.len; i++)
		if (!(word.s[i] >= 'a' && word.s[i] <= 'z') && word.s[i] != '_')
			return false;
	return word.len && word.len <= 32;
}

static void read_word(struct memcached_line *line, size_t i, struct piece word)
{
	enum data data = line->verb ? line->verb->data : DATA_NONE;
	bool is_meta = line->name.len == 2 && line->name.s[0] == 'm';
	bool is_flush = piece_is(line->name, "flush_all");

	if (i == (data == DATA_SET ? 4 : 2) && data != DATA_NONE &&
	    piece_number(word, &line->data_len))
		line->data_len += 2;
	line->is_noreply = !is_meta && (i > 1 || is_flush) && piece_is(word, "noreply");
	line->is_quiet |= is_meta && i > 1 && piece_is(word, "q");
}

bool memcached_line_parse(struct piece left, struct memcached_line *ret)
{
	struct memcached_line line = { 0 };
	struct piece word;
	size_t i;

	if (!piece_word(&left, &line.name) || !memcached_is_command(line.name))
		return false;
	line.verb = verb_of(line.name);
	for (i = 1; piece_word(&left, &word); i++)
		read_word(&line, i, word);
	*ret = line;
	return true;
}

static bool is_data_length(struct memcached_line line, struct piece text)
{
	struct piece word;
	size_t i, nr = 0, want = line.verb->data == DATA_SET ? 5 : 3;

	for (i = 0; i < want && piece_word(&text, &word); i++)
		nr++;
	return nr == want && line.data_len;
}

/* Some servers of HTTP take "get" for a method. */
static bool is_http(struct piece text)
{
	static const char version[] = " HTTP/1.";
	size_t len = sizeof(version) - 1;

	return text.len > len && !memcmp(text.s + text.len - len - 1, version, len);
}

enum recognition memcached_line_recognize(const uint8_t *bytes, size_t len)
{
	const uint8_t *lf = memchr(bytes, '\n', len), *blank = memchr(bytes, ' ', len);
	struct piece text = { bytes, lf ? (size_t)(lf - bytes) : len };
	struct memcached_line line;
	size_t i;

	if (!lf && !blank) {
		for (i = 0; i < ARRAY_LEN(verbs); i++)
			if (!strncmp(verbs[i].name, (const char *)bytes,
				     len < strlen(verbs[i].name) ? len : strlen(verbs[i].name)) &&
			    (len <= strlen(verbs[i].name) ||
			     (len == strlen(verbs[i].name) + 1 && bytes[len - 1] == '\r')))
				return RECOGNIZED_MAYBE;
		return RECOGNIZED_NOT;
	}
	if (text.len && text.s[text.len - 1] == '\r')
		text.len--;
	if (!memcached_line_parse(text, &line) || !line.verb || is_http(text))
		return RECOGNIZED_NOT;
	if (!lf)
		return RECOGNIZED_MAYBE;
	if (line.verb->has_args && text.len <= line.name.len + 1)
		return RECOGNIZED_NOT;
	if (line.verb->data != DATA_NONE && !is_data_length(line, text))
		return RECOGNIZED_NOT;
	return RECOGNIZED;
}
