/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static enum log_level current_level = LOG_NORMAL;

void log_set_level(enum log_level level)
{
	current_level = level;
}

enum log_level log_level(void)
{
	return current_level;
}

#define SAY_AT(level)                                                                              \
	do {                                                                                       \
		va_list ap;                                                                        \
		if (current_level < (level))                                                       \
			return;                                                                    \
		va_start(ap, fmt);                                                                 \
		fputs("wperf: ", stderr);                                                          \
		vfprintf(stderr, fmt, ap);                                                         \
		fputc('\n', stderr);                                                               \
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
