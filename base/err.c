/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/str.h"

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

int err_of_input(struct err *e, const char *path)
{
	struct err inner = *e;

	err_set(e, inner.code, "%s: %s", strcmp(path, "-") ? path : "stdin", inner.what);
	memcpy(e->remedy, inner.remedy, sizeof(e->remedy));
	return e->code;
}

/* Whatever was quoted (arguments, paths), a line is one line. */
void err_print(const struct err *e, FILE *out)
{
	struct str text = { 0 };

	str_add(&text, "wperf: ");
	str_add_line(&text, e->what);
	str_add_char(&text, '\n');
	if (e->remedy[0]) {
		str_add_line(&text, e->remedy);
		str_add_char(&text, '\n');
	}
	fputs(str_cstr(&text), out);
	str_release(&text);
}

enum exit_status err_exit_status(const struct err *e)
{
	return e->code == -EPERM || e->code == -EACCES ? EXIT_NOT_PERMITTED : EXIT_USAGE;
}
