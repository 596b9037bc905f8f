/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	assert(code < 0);
	e->code = code;
	e->remedy[0] = '\0';
	errno = -code;
	va_start(ap, fmt);
	vsnprintf(e->what, sizeof(e->what), fmt, ap);
	va_end(ap);
	return code;
}

int err_remedy(struct err *e, const char *fmt, ...)
{
	va_list ap;

	assert(e->code < 0);
	va_start(ap, fmt);
	vsnprintf(e->remedy, sizeof(e->remedy), fmt, ap);
	va_end(ap);
	return e->code;
}

void err_print(const struct err *e, FILE *out)
{
	fprintf(out, "wperf: %s\n", e->what);
	if (e->remedy[0])
		fprintf(out, "%s\n", e->remedy);
}

enum exit_status err_exit_status(const struct err *e)
{
	return e->code == -EPERM || e->code == -EACCES ? EXIT_NOT_PERMITTED : EXIT_USAGE;
}
