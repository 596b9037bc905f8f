/* SPDX-License-Identifier: Apache-2.0 */
/* Talk goes to stderr, one line a call, "wperf: " before it. stdout is data and never written here. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level {
	LOG_QUIET = -1,		/* -q: errors only */
	LOG_NORMAL = 0,		/* warnings, and the summary line */
	LOG_VERBOSE = 1,	/* -v: decisions taken */
	LOG_DEBUG = 2,		/* -vv */
};

void log_set_level(enum log_level level);
enum log_level log_level(void);
/* Something the user should know: shown unless -q. */
__attribute__((format(printf, 1, 2))) void log_warn(const char *fmt, ...);
/* Plain information that is the command's own talk (the summary line): shown unless -q. */
__attribute__((format(printf, 1, 2))) void log_info(const char *fmt, ...);
__attribute__((format(printf, 1, 2))) void log_verbose(const char *fmt, ...);
__attribute__((format(printf, 1, 2))) void log_debug(const char *fmt, ...);

#endif
