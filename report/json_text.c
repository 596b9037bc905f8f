/* SPDX-License-Identifier: Apache-2.0 */
#include "report/json_text.h"

#include "base/str.h"

json_t *json_text(const char *s, size_t len)
{
	json_t *value = json_stringn(s, len);
	struct str shown = { 0 };

	if (!value) {
		str_add_escaped(&shown, s, len);
		value = json_stringn(str_cstr(&shown), shown.len);
		str_release(&shown);
	}
	return value;
}

/* The length in bytes of the control character at s, or 0: none is there. */
static size_t control_len(const unsigned char *s, size_t left)
{
	if (*s == 0x7f)
		return 1;
	return left > 1 && *s == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f ? 2 : 0;
}

/* jansson gives whole characters, and those with bytes above 0x7e only from within strings. */
static int write_part(const char *part, size_t len, void *out)
{
	const unsigned char *s = (const unsigned char *)part, *end = s + len, *from = s;

	while (s < end) {
		size_t nr = control_len(s, (size_t)(end - s));

		if (!nr) {
			s++;
			continue;
		}
		fwrite(from, 1, (size_t)(s - from), out);
		fprintf(out, "\\u%04X", s[nr - 1]);
		s += nr;
		from = s;
	}
	fwrite(from, 1, (size_t)(end - from), out);
	return 0;
}

void json_text_write(const json_t *value, FILE *out, size_t flags)
{
	json_dump_callback(value, write_part, out, flags);
}
