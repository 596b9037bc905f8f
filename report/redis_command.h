/* SPDX-License-Identifier: Apache-2.0 */
/* Redis's commands by their words: what they are called, and in what way they are answered. */
#ifndef REPORT_REDIS_COMMAND_H
#define REPORT_REDIS_COMMAND_H

#include "report/intake.h"
#include "report/redis_recognize.h"

enum redis_kind { REDIS_PLAIN, REDIS_SUBSCRIBE, REDIS_UNSUBSCRIBE, REDIS_STREAM };

/* One of a command's words, in capitals. */
struct redis_word {
	char s[REDIS_WORD_MAX];
	size_t len;
};

/* Of longer ones as much as there is room for. */
void redis_word_set(struct redis_word *w, struct piece p);

bool redis_word_is(const struct redis_word *w, const char *text);

/* These two are of a command's first word. Do those that begin with it have a second one in their names? */
bool redis_has_subcommands(const struct redis_word *w);

enum redis_kind redis_kind_of(const struct redis_word *w);

#endif
