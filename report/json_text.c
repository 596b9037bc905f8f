/* SPDX-License-Identifier: Apache-2.0 */
#include "report/json_text.h"

#include <math.h>

#include "base/str.h"
#include "base/units.h"

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

json_t *json_number(double value)
{
	/* + 0.0 makes 0.0 of -0.0. */
	return isfinite(value) ? json_real(value + 0.0) : json_null();
}

json_t *json_time_of_day(uint64_t epoch_ns)
{
	struct str text = { 0 };
	json_t *value;

	if (!epoch_ns)
		return json_null();
	str_add_time_of_day(&text, epoch_ns);
	value = json_string(str_cstr(&text));
	str_release(&text);
	return value;
}

/*
 * The length in bytes of a character at s that is to be escaped, or 0: DEL, U+0080 to U+009F, and
 * U+2028 and U+2029, which end a line for many who split lines.
 */
static size_t escaped_len(const unsigned char *s, size_t left)
{
	if (*s == 0x7f)
		return 1;
	if (left > 1 && *s == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f)
		return 2;
	return left > 2 && *s == 0xe2 && s[1] == 0x80 && (s[2] == 0xa8 || s[2] == 0xa9) ? 3 : 0;
}

/* jansson gives whole characters, and those with bytes above 0x7e only from within strings. */
static int write_part(const char *part, size_t len, void *out)
{
	const unsigned char *s = (const unsigned char *)part, *end = s + len, *from = s;

	while (s < end) {
		size_t nr = escaped_len(s, (size_t)(end - s));

		if (!nr) {
			s++;
			continue;
		}
		fwrite(from, 1, (size_t)(s - from), out);
		fprintf(out, "\\u%04X", nr < 3 ? s[nr - 1] : 0x2000 + (s[2] & 0x3f));
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
