/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

static enum log_level current_level = LOG_NORMAL;

void log_set_level(enum log_level level)
{
	current_level = level;
}

enum log_level log_level(void)
{
	return current_level;
}

/* What is quoted may hold anything; a line is one line all the same. */
static void say(const char *fmt, va_list ap)
{
	struct str line = { 0 };
	char *text;

	if (vasprintf(&text, fmt, ap) < 0)
		return;
	str_add(&line, "wperf: ");
	str_add_line(&line, text);
	str_add_char(&line, '\n');
	fputs(line.s, stderr);
	str_release(&line);
	free(text);
}

#define SAY_AT(level)                                                                              \
	do {                                                                                       \
		va_list ap;                                                                        \
		if (current_level < (level))                                                       \
			return;                                                                    \
		va_start(ap, fmt);                                                                 \
		say(fmt, ap);                                                                      \
		va_end(ap);                                                                        \
	} while (0)

void log_warn(const char *fmt, ...)
{
	SAY_AT(LOG_NORMAL);
}

void log_info(const char *fmt, ...)
{
	SAY_AT(LOG_NORMAL);
}

void log_verbose(const char *fmt, ...)
{
	SAY_AT(LOG_VERBOSE);
}

void log_debug(const char *fmt, ...)
{
	SAY_AT(LOG_DEBUG);
}
