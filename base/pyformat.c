/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In: a template and values. Out: text. A number is put together of four parts, since width and
 * grouping look at each of them in their own way:
 *
 *	sign   prefix   digits   rest
 *	  +      0x     1,f0f
 *	  +             1,234    .500e+10
 */
#include "base/pyformat.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/vec.h"

enum {
	SIZE_MAX_ASKED = 999,	/* of widths and precisions: more is a slip of the finger */
	DOUBLE_DIGITS_MAX = 17, /* that tell every double from its neighbours */
	REPR_EXPONENT_MAX = 16, /* from here on repr() has an exponent */
	EXPONENT_MIN = -4,	/* below it, too */
};

struct spec {
	char fill[5]; /* one character in UTF-8; "": a space */
	char align;   /* one of <>^=; 0: as the kind has it */
	char sign;    /* one of +-, a space; 0: - */
	bool is_alternate;
	char separator; /* , or _; 0: none */
	char type;	/* 0: none was given */
	int width;	/* 0: none */
	int precision;	/* -1: none */
};

/* Text, and the field that follows it; the last one has none. */
struct piece {
	char *text;
	int field; /* -1: none */
	char conversion; /* r, s, a: the field becomes text first; 0: none */
	struct spec spec;
};

struct pyformat {
	const struct pyformat_field *fields;
	VEC(struct piece) pieces;
};

/* ---- reading ---- */

static bool is_align(char c)
{
	return c && strchr("<>^=", c);
}

/* False: too large. Takes none as none. */
static bool take_number(const char **at, int *ret_number)
{
	int nr = 0;

	while (isdigit((unsigned char)**at) && nr <= SIZE_MAX_ASKED)
		nr = 10 * nr + (*(*at)++ - '0');
	*ret_number = nr;
	return nr <= SIZE_MAX_ASKED;
}

static void take_align(const char **at, struct spec *s)
{
	size_t len = utf8_len(*at, strlen(*at));

	if (len && is_align((*at)[len])) {
		memcpy(s->fill, *at, len);
		s->align = (*at)[len];
		*at += len + 1;
	} else if (is_align(**at)) {
		s->align = *(*at)++;
	}
}

/* [[fill]align][sign][z][#][0][width][grouping][.precision][type]; NULL, or what is wrong. */
static const char *parse_spec(const char *at, enum pyformat_kind kind, struct spec *s,
			      bool *ret_has_z)
{
	*s = (struct spec){ .precision = -1 };
	take_align(&at, s);
	if (*at && strchr("+- ", *at))
		s->sign = *at++;
	*ret_has_z = *at == 'z';
	at += *ret_has_z;
	s->is_alternate = *at == '#';
	at += s->is_alternate;
	if (*at == '0' && !*s->fill) {
		strcpy(s->fill, "0");
		if (!s->align && kind != PYFORMAT_TEXT)
			s->align = '=';
		at++;
	}
	if (!take_number(&at, &s->width))
		return "the width is too large";
	if (*at == ',' || *at == '_')
		s->separator = *at++;
	if (*at == '.') {
		at++;
		if (!isdigit((unsigned char)*at))
			return "a precision is missing";
		if (!take_number(&at, &s->precision))
			return "the precision is too large";
	}
	if (*at && !at[1] && isalpha((unsigned char)*at))
		s->type = *at++;
	else if (*at == '%' && !at[1])
		s->type = *at++;
	return *at ? "it is no format specification" : NULL;
}

static bool is_one_of(char type, const char *types)
{
	return type && strchr(types, type);
}

static const char *check_spec(const struct spec *s, enum pyformat_kind kind, bool has_z)
{
	bool is_real = is_one_of(s->type, "eEfFgG%") || kind == PYFORMAT_FLOAT;

	if (kind == PYFORMAT_TEXT) {
		if (s->type && s->type != 's')
			return "it is text, which has no such type";
		if (s->sign || has_z || s->is_alternate || s->separator || s->align == '=')
			return "that is for numbers, and it is text";
		return NULL;
	}
	if (s->type && !strchr(kind == PYFORMAT_FLOAT ? "eEfFgGn%" : "bdoxXneEfFgG%", s->type))
		return "it is a number, which has no such type";
	if (!is_real && s->precision >= 0)
		return "a precision is for fractions, and it is an integer";
	if (!is_real && has_z)
		return "z is for fractions, and it is an integer";
	if (s->separator && s->type == 'n')
		return "that type groups digits by itself";
	if (s->separator == ',' && is_one_of(s->type, "boxX"))
		return "digits of that type are grouped by _";
	return NULL;
}

static int field_find(const struct pyformat_field *fields, size_t nr, const char *name)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (!strcmp(fields[i].name, name))
			return (int)i;
	return -1;
}

static int no_field(const char *what, const char *name, const struct pyformat_field *fields,
		    size_t nr, struct err *e)
{
	struct str names = { 0 };
	size_t i;

	for (i = 0; i < nr; i++)
		str_addf(&names, "%s{%s}", i ? ", " : "", fields[i].name);
	err_set(e, -EINVAL, "%s: there is no {%s}", what, name);
	err_remedy(e, "The fields are %s.", str_cstr(&names));
	str_release(&names);
	return e->code;
}

/* Behind the name: "", or !r. False: it is none. */
static bool take_conversion(const char *at, size_t len, char *ret)
{
	*ret = len ? at[1] : '\0';
	return !len || (len == 2 && strchr("rsa", at[1]));
}

static enum pyformat_kind kind_of(const struct pyformat_field *fields, const struct piece *p)
{
	return p->conversion ? PYFORMAT_TEXT : fields[p->field].kind;
}

/* inner: what stands between the braces. */
static int parse_field(const char *what, const char *inner, const struct pyformat_field *fields,
		       size_t nr, struct piece *ret_piece, struct err *e)
{
	size_t len = strcspn(inner, "!:"), len_all = len + (inner[len] == '!' ? strcspn(inner + len, ":") : 0);
	const char *spec = inner + len_all + (inner[len_all] == ':'), *wrong = NULL;
	char *name = xstrndup(inner, len);
	bool has_z = false;
	int err = 0;

	ret_piece->field = field_find(fields, nr, name);
	if (ret_piece->field < 0)
		err = no_field(what, name, fields, nr, e);
	else if (!take_conversion(inner + len, len_all - len, &ret_piece->conversion))
		wrong = "behind a ! stands r, s or a";
	else
		wrong = parse_spec(spec, kind_of(fields, ret_piece), &ret_piece->spec, &has_z);
	if (!err && !wrong)
		wrong = check_spec(&ret_piece->spec, kind_of(fields, ret_piece), has_z);
	if (wrong)
		err = err_set(e, -EINVAL, "%s: {%s}: %s", what, inner, wrong);
	free(name);
	return err;
}

static int parse_braces(const char *what, const char **at, const struct pyformat_field *fields,
			size_t nr, struct piece *ret_piece, struct err *e)
{
	size_t len = strcspn(*at + 1, "{}");
	char *inner;
	int err;

	if ((*at)[1 + len] != '}')
		return err_set(e, -EINVAL, "%s: a { without its }: %s", what, *at);
	inner = xstrndup(*at + 1, len);
	*at += len + 2;
	err = parse_field(what, inner, fields, nr, ret_piece, e);
	free(inner);
	return err;
}

/* Text up to a field or the end. */
static int parse_text(const char *what, const char **at, char **ret_text, struct err *e)
{
	struct str text = { 0 };
	int err = 0;

	while (**at && !(**at == '{' && (*at)[1] != '{')) {
		bool is_brace = **at == '{' || **at == '}';

		if (is_brace && (*at)[1] != **at) {
			err = err_set(e, -EINVAL, "%s: a } without its {: %s", what, *at);
			break;
		}
		str_add_char(&text, **at);
		*at += 1 + is_brace;
	}
	*ret_text = str_take(&text);
	return err;
}

int pyformat_new(const char *what, const char *text, const struct pyformat_field *fields, size_t nr,
		 struct pyformat **ret_format, struct err *e)
{
	struct pyformat *f = xcalloc(1, sizeof(*f));
	int err;

	f->fields = fields;
	do {
		struct piece piece = { .field = -1 };

		err = parse_text(what, &text, &piece.text, e);
		if (!err && *text)
			err = parse_braces(what, &text, fields, nr, &piece, e);
		vec_push(&f->pieces, piece);
	} while (!err && *text);
	if (err)
		pyformat_free(f);
	else
		*ret_format = f;
	return err;
}

void pyformat_free(struct pyformat *f)
{
	if (!f)
		return;
	vec_each(&f->pieces, it)
		free(it->text);
	vec_release(&f->pieces);
	free(f);
}

/* ---- writing ---- */

static size_t nr_characters(const char *s, size_t len)
{
	size_t nr = 0, i;

	for (i = 0; i < len; i++)
		nr += ((unsigned char)s[i] & 0xc0) != 0x80;
	return nr;
}

static void add_fill(struct str *b, const struct spec *s, size_t nr)
{
	while (nr--)
		str_add(b, *s->fill ? s->fill : " ");
}

/* before: how many bytes of text stand in front of the filling where that is within. */
static void add_aligned(struct str *b, const struct spec *s, const struct str *text, size_t before,
			char align)
{
	size_t nr = nr_characters(text->s, text->len);
	size_t lack = (size_t)s->width > nr ? (size_t)s->width - nr : 0;
	size_t left = align == '<' ? 0 : align == '^' ? lack / 2 : lack;

	if (align != '=')
		before = 0;
	str_add_bytes(b, str_cstr(text), before);
	add_fill(b, s, left);
	str_add_bytes(b, str_cstr(text) + before, text->len - before);
	add_fill(b, s, lack - left);
}

static void add_text(struct str *b, const struct spec *s, const char *value)
{
	size_t len = 0, left = strlen(value);
	struct str text = { 0 };
	int nr;

	for (nr = 0; left && nr != s->precision; nr++) {
		size_t n = utf8_len(value + len, left);

		len += n ? n : 1;
		left -= n ? n : 1;
	}
	str_add_bytes(&text, value, len);
	add_aligned(b, s, &text, 0, s->align ? s->align : '<');
	str_release(&text);
}

static size_t group_size(const struct spec *s)
{
	return is_one_of(s->type, "boxX") ? 4 : 3;
}

static size_t grouped_len(const struct spec *s, size_t nr_digits)
{
	return nr_digits + (s->separator && nr_digits ? (nr_digits - 1) / group_size(s) : 0);
}

/* number: prefix, digits, rest; zeros that fill the width are digits like others. */
static void add_number(struct str *b, const struct spec *s, const char *prefix, const char *number)
{
	size_t nr, nr_all, before, i;
	bool is_hex = s->type == 'x' || s->type == 'X';
	char align = s->align ? s->align : '>';
	struct str text = { 0 };

	for (nr = 0;
	     is_hex ? isxdigit((unsigned char)number[nr]) : isdigit((unsigned char)number[nr]);)
		nr++;
	if (s->sign == '+' || s->sign == ' ')
		str_add_char(&text, s->sign);
	str_add(&text, prefix);
	before = text.len;
	nr_all = nr;
	if (align == '=' && !strcmp(s->fill, "0"))
		while (before + grouped_len(s, nr_all) + strlen(number + nr) < (size_t)s->width)
			nr_all++;
	for (i = 0; i < nr_all; i++) {
		if (s->separator && i && (nr_all - i) % group_size(s) == 0)
			str_add_char(&text, s->separator);
		str_add_char(&text, i < nr_all - nr ? '0' : number[i - (nr_all - nr)]);
	}
	str_add(&text, number + nr);
	add_aligned(b, s, &text, before, align);
	str_release(&text);
}

static void add_integer(struct str *b, const struct spec *s, uint64_t value)
{
	static const char *const prefixes[] = { "0b", "0o", "0x", "0X" };
	static const char types[] = "boxX";
	const char *type = s->type ? strchr(types, s->type) : NULL;
	unsigned int base = !type ? 10 : *type == 'b' ? 2 : *type == 'o' ? 8 : 16;
	char digits[65], *at = &digits[sizeof(digits) - 1];

	*at = '\0';
	do {
		*--at = (s->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[value % base];
		value /= base;
	} while (value);
	add_number(b, s, type && s->is_alternate ? prefixes[type - types] : "", at);
}

static void strip_zeros(struct str *b)
{
	while (b->len && b->s[b->len - 1] == '0')
		b->s[--b->len] = '\0';
}

/*
 * nr significant digits; with an exponent from limit on. keeps_zeros: those at the end of a
 * fraction; without an exponent there is always one.
 */
static void add_digits(struct str *b, double value, int nr, int limit, bool keeps_zeros)
{
	char digits[SIZE_MAX_ASKED + 20];
	struct str text = { 0 };
	int exponent;

	snprintf(digits, sizeof(digits), "%.*e", nr - 1, value);
	exponent = atoi(strchr(digits, 'e') + 1);
	if (exponent >= EXPONENT_MIN && exponent < limit) {
		str_addf(&text, "%#.*f", nr - 1 > exponent ? nr - 1 - exponent : 0, value);
		if (!keeps_zeros)
			strip_zeros(&text);
		if (str_ends(str_cstr(&text), "."))
			str_add_char(&text, '0');
	} else {
		str_add_bytes(&text, digits, (size_t)(strchr(digits, 'e') - digits));
		if (keeps_zeros && nr == 1)
			str_add_char(&text, '.');
		if (!keeps_zeros && nr > 1)
			strip_zeros(&text);
		if (!keeps_zeros && str_ends(str_cstr(&text), "."))
			text.s[--text.len] = '\0';
		str_add(&text, strchr(digits, 'e'));
	}
	str_add_bytes(b, text.s, text.len);
	str_release(&text);
}

static int nr_repr_digits(double value)
{
	char digits[40];
	int nr;

	for (nr = 1; nr < DOUBLE_DIGITS_MAX; nr++) {
		snprintf(digits, sizeof(digits), "%.*e", nr - 1, value);
		if (strtod(digits, NULL) == value)
			break;
	}
	return nr;
}

void str_add_repr_double(struct str *b, double value)
{
	add_digits(b, value, nr_repr_digits(value), REPR_EXPONENT_MAX, false);
}

/* printf's conversions are Python's, but for the one that has no letter. */
static void add_float(struct str *b, const struct spec *s, double value)
{
	int precision = s->precision < 0 ? 6 : s->precision, nr = precision ? precision : 1;
	char conversion[8];
	struct str text = { 0 };

	if (s->type && s->type != '%') {
		snprintf(conversion, sizeof(conversion), "%%%s.*%c", s->is_alternate ? "#" : "",
			 s->type == 'n' ? 'g' : s->type);
		str_addf(&text, conversion, precision, value);
	} else if (s->type) {
		str_addf(&text, s->is_alternate ? "%#.*f%%" : "%.*f%%", precision, 100 * value);
	} else if (s->precision < 0) {
		add_digits(&text, value, nr_repr_digits(value), REPR_EXPONENT_MAX, s->is_alternate);
	} else {
		add_digits(&text, value, nr, nr - 1, s->is_alternate);
	}
	add_number(b, s, "", str_cstr(&text));
	str_release(&text);
}

/* As Python's repr(), str() or ascii() has it: of numbers all are the same. */
static void add_converted(struct str *b, char conversion, enum pyformat_kind kind, const struct pyformat_value *value)
{
	if (kind == PYFORMAT_INTEGER)
		str_addf(b, "%" PRIu64, value->integer);
	else if (kind == PYFORMAT_FLOAT)
		str_add_repr_double(b, value->real);
	else if (conversion == 's')
		str_add(b, value->text);
	else if (conversion == 'r')
		str_add_repr(b, value->text, strlen(value->text));
	else
		str_add_ascii(b, value->text, strlen(value->text));
}

static void add_unknown(struct str *b, const struct spec *s, bool is_text)
{
	char align = !is_text ? '>' : s->align ? s->align : '<';

	add_text(b, &(struct spec){ .width = s->width, .precision = -1, .align = align }, "-");
}

static void add_value(struct str *b, const struct piece *p, enum pyformat_kind kind,
		      const struct pyformat_value *value)
{
	const struct spec *s = &p->spec;
	struct str text = { 0 };

	if (!value->is_known) {
		add_unknown(b, s, p->conversion || kind == PYFORMAT_TEXT);
	} else if (p->conversion) {
		add_converted(&text, p->conversion, kind, value);
		add_text(b, s, str_cstr(&text));
	} else if (kind == PYFORMAT_TEXT) {
		add_text(b, s, value->text);
	} else if (kind == PYFORMAT_INTEGER && !is_one_of(s->type, "eEfFgG%")) {
		add_integer(b, s, value->integer);
	} else {
		add_float(b, s, kind == PYFORMAT_INTEGER ? (double)value->integer : value->real);
	}
	str_release(&text);
}

void pyformat_add(struct str *b, const struct pyformat *f, const struct pyformat_value *values)
{
	vec_each(&f->pieces, it) {
		str_add(b, it->text);
		if (it->field >= 0)
			add_value(b, it, f->fields[it->field].kind, &values[it->field]);
	}
}
