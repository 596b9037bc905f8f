/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/signature.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/demangle.h"
#include "base/str.h"

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/*
 * The suffixes that gcc and clang put behind a function's name, most with a number of their own.
 * Pieces are jumped into and are entered less often than the function is called, or not at all.
 */
static const struct suffix {
	const char *word;
	bool has_number, is_piece, is_changed;
} suffixes[] = {
	{ ".isra.", true, false, true },     { ".constprop.", true, false, true },
	{ ".lto_priv.", true, false, false }, { ".llvm.", true, false, false },
	{ ".localalias", false, false, false }, { ".cold", false, true, false },
	{ ".part.", true, true, false },	{ GO_ABI0_SUFFIX, false, false, false },
	{ ".__uniq.", true, false, false },
};

/*
 * The n-th of that name: of GCC a function in another one, of LLVM's link-time optimization static ones. C's names have no
 * dot before; Go's have, and its f.func1.1 is another function than f.func1.
 */
static const struct suffix number_suffix = { ".", true, false, false };

static bool is_suffix(const struct suffix *f, const char *s, size_t *ret_len)
{
	size_t len = strlen(f->word), number;

	if (!str_starts(s, f->word))
		return false;
	number = strspn(s + len, "0123456789");
	len += number;
	*ret_len = len;
	return f->has_number == (number > 0) && (!s[len] || s[len] == '.' || s[len] == '@');
}

static const struct suffix *suffix_at(const char *s, bool is_first_dot, size_t *ret_len)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(suffixes); i++)
		if (is_suffix(&suffixes[i], s, ret_len))
			return &suffixes[i];
	return is_first_dot && is_suffix(&number_suffix, s, ret_len) ? &number_suffix : NULL;
}

/* The symbol without version and suffixes, or NULL for a piece of a function. */
static char *base_symbol(const char *symbol, bool *ret_changed)
{
	const char *first = strchr(symbol + 1, '.'), *dot = first;
	size_t len = strcspn(symbol + 1, "@") + 1, n;

	*ret_changed = false;
	for (; dot && dot < symbol + len; dot = strchr(dot + 1, '.')) {
		const char *s = dot;
		const struct suffix *f;
		bool changed = false;

		while ((f = suffix_at(s, dot == first, &n)) && !f->is_piece) {
			changed |= f->is_changed;
			s += n;
		}
		if (f)
			return NULL;
		if (s > dot && (!*s || *s == '@')) {
			*ret_changed = changed;
			len = (size_t)(dot - symbol);
			break;
		}
	}
	return xstrndup(symbol, len);
}

/* The '(' of a parameter list that ends the name (" const", "&" may follow), or NULL. */
static const char *find_params(const char *s)
{
	const char *close = strrchr(s, ')'), *p;
	unsigned int depth = 0;

	if (!close || strspn(close + 1, " constvlaie&") != strlen(close + 1))
		return NULL;
	for (p = close; p >= s; p--) {
		if (*p == ')')
			depth++;
		else if (*p == '(' && !--depth)
			break;
	}
	if (p <= s || (p - s >= 8 && p + 1 == close && !strncmp(p - 8, "operator", 8)))
		return NULL;
	return p;
}

/* In "A::f(int) const::{lambda()#1}::operator()()". */
static bool is_qualifier_of_scope(const char *s)
{
	s += str_starts(s, " const") ? strlen(" const") : 0;
	s += str_starts(s, " volatile") ? strlen(" volatile") : 0;
	return str_starts(s + strspn(s, " &"), "::");
}

/* Where the name begins behind a return type: after the last space outside of all brackets. */
static const char *skip_return_type(const char *s, const char *end)
{
	const char *name = s, *p;
	unsigned int depth = 0;

	for (p = s; p < end; p++) {
		if (!strncmp(p, "operator", 8) && !is_word(p[8]) && (p == s || !is_word(p[-1])))
			break;
		if (strchr("<([{", *p))
			depth++;
		else if (strchr(">)]}", *p) && depth)
			depth--;
		else if (*p == ' ' && !depth && !is_qualifier_of_scope(p))
			name = p + 1;
	}
	return name;
}

/*
 * What the source calls it, in libstdc++ and in libc++; with the demangler's spaces and without.
 * The tag stands behind the name of every function that returns a std::string.
 */
static const struct {
	const char *text, *source;
} sources[] = {
	{ "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >",
	  "std::string" },
	{ "std::__cxx11::basic_string<char,std::char_traits<char>,std::allocator<char>>",
	  "std::string" },
	{ "std::__1::basic_string<char, std::__1::char_traits<char>, std::__1::allocator<char> >",
	  "std::string" },
	{ "std::__1::basic_string<char,std::__1::char_traits<char>,std::__1::allocator<char>>",
	  "std::string" },
	{ "[abi:cxx11]", "" },
};

/* Takes text, gives it back as the source has it: with a space before a word, which may be missing behind a '>'. */
static char *as_in_source(char *text)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(sources); i++) {
		size_t len = strlen(sources[i].text), short_len = strlen(sources[i].source);
		char *at = text;

		while ((at = strstr(at, sources[i].text))) {
			const char *rest = at + len;

			memcpy(at, sources[i].source, short_len);
			at += short_len;
			if (short_len && is_word(*rest))
				*at++ = ' ';
			memmove(at, rest, strlen(rest) + 1);
		}
	}
	return text;
}

/* Spaces stay between two words only: "unsigned long", "operator new". */
static char *plain_text(const char *s)
{
	struct str out = { 0 };

	for (; *s; s++) {
		if (!isspace((unsigned char)*s)) {
			str_add_char(&out, *s);
			continue;
		}
		while (isspace((unsigned char)s[1]))
			s++;
		if (out.len && is_word(out.s[out.len - 1]) && is_word(s[1]))
			str_add_char(&out, ' ');
	}
	return as_in_source(str_take(&out));
}

void signature_of(const char *symbol, struct signature *ret)
{
	const char *params, *end, *start;
	char *base, *text;

	*ret = (struct signature){ 0 };
	base = *symbol ? base_symbol(symbol, &ret->is_changed) : NULL;
	if (!base)
		return;
	text = demangle(base);
	if (!text) {
		ret->name = base;
		ret->full = xstrdup(base);
		return;
	}
	free(base);
	text = as_in_source(text);
	params = find_params(text);
	end = params ? params : text + strlen(text);
	start = params ? skip_return_type(text, end) : text;
	ret->name = xstrndup(start, (size_t)(end - start));
	ret->full = xstrdup(start);
	ret->plain_name = plain_text(ret->name);
	ret->plain_full = plain_text(ret->full);
	free(text);
}

void signature_release(struct signature *s)
{
	free(s->name);
	free(s->full);
	free(s->plain_name);
	free(s->plain_full);
	*s = (struct signature){ 0 };
}

/* "ns::Server<A::B>::handle(int)" gives "handle", and Rust's "ns::parse::<A::B>" "parse::<A::B>". */
static char *last_part(const char *s)
{
	const char *params = find_params(s), *end = params ? params : s + strlen(s), *p;
	const char *oper = strstr(s, "operator"), *last = s;
	unsigned int depth = 0;

	if (oper && oper < end)
		return xstrndup(oper, (size_t)(end - oper));
	for (p = s; p < end; p++) {
		if (strchr("<({", *p))
			depth++;
		else if (strchr(">)}", *p) && depth)
			depth--;
		else if (!depth && p[0] == ':' && p[1] == ':' && p[2] != '<')
			last = p + 2;
	}
	return xstrndup(last, (size_t)(end - last));
}

/* "f(int) [clone .isra.0] [clone .cold]" gives ".isra.0.cold", and ends behind "f(int)"; NULL: there is none. */
static char *cut_clones(char *text)
{
	static const char begin[] = " [clone ";
	char *first = strstr(text, begin), *at = first;
	struct str clone = { 0 };

	while (at && str_starts(at, begin)) {
		size_t len = strcspn(at += strlen(begin), "]");

		str_add_bytes(&clone, at, len);
		at += len + (at[len] == ']');
	}
	if (at && !at[strspn(at, " ")] && clone.len) {
		*first = '\0';
		return str_take(&clone);
	}
	str_release(&clone);
	return NULL;
}

void wanted_init(struct wanted *w, const char *text)
{
	char *name = xstrdup(text);
	const char *params, *start = name + strspn(name, " ");

	w->text = xstrdup(text);
	w->clone = cut_clones(name);
	params = find_params(start);
	while (params > start && isspace((unsigned char)params[-1]))
		params--;
	w->plain = plain_text(params ? skip_return_type(start, params) : start);
	w->last = last_part(w->plain);
	free(name);
}

void wanted_release(struct wanted *w)
{
	free(w->text);
	free(w->plain);
	free(w->clone);
	free(w->last);
	*w = (struct wanted){ 0 };
}

/*
 * A mangled name has its identifiers in clear, so a symbol without the wanted one needs no
 * demangling. Operators, lambdas and Rust's escapes have none: those are always worth a look, as
 * are the classes that have abbreviations, Ss for std::string, whose constructors have their names.
 */
static bool is_worth_demangling(const struct wanted *w, const char *symbol)
{
	size_t len = 0;
	char *word;
	bool found;

	if (!str_starts(symbol, "_Z") && !str_starts(symbol, "_R"))
		return false;
	while (is_word(w->last[len]))
		len++;
	if (!len || str_starts(w->last, "operator"))
		return true;
	if (str_starts(symbol, "_ZNS") && strchr("absiod", symbol[4]))
		return true;
	word = xstrndup(w->last, len);
	found = strstr(symbol, word);
	free(word);
	return found;
}

static const char *plain_name(const struct signature *s)
{
	return s->plain_name ? s->plain_name : s->name;
}

static const char *plain_full(const struct signature *s)
{
	return s->plain_full ? s->plain_full : s->full;
}

static bool is_clone(const struct wanted *w, const char *symbol)
{
	size_t len = strcspn(symbol, "@"), clone_len = w->clone ? strlen(w->clone) : 0;

	return !w->clone || (len >= clone_len && !strncmp(symbol + len - clone_len, w->clone, clone_len));
}

/* From an opening bracket to behind the one that closes it, or to the end. */
static const char *skip_brackets(const char *s)
{
	unsigned int depth = 0;

	for (; *s; s++) {
		depth += *s == '(' || *s == '{';
		depth -= *s == ')' || *s == '}';
		if (!depth)
			return s + 1;
	}
	return s;
}

/* What stands around a name has parameters: "f(int)::", "f() const::"; but "(anonymous namespace)::". */
static const char *skip_params_of_scope(const char *s)
{
	const char *end = skip_brackets(s);

	if (str_starts(s, "(anonymous"))
		return s;
	end += str_starts(end, "const") ? strlen("const") : 0;
	return str_starts(end, "::") ? end : s;
}

/* "ns::f(int)::{lambda(int)#1}::operator()" as debug information has it: "ns::f::{lambda}::operator()". */
static char *as_scopes(const char *name)
{
	struct str out = { 0 };

	while (*name) {
		const char *rest = *name == '(' ? skip_params_of_scope(name) : name;

		if (str_starts(name, "{lambda(")) {
			str_add(&out, "{lambda}");
			rest = skip_brackets(name);
		} else if (rest == name) {
			str_add_char(&out, *rest++);
		}
		name = rest;
	}
	return str_take(&out);
}

/* Debug information, and so our tables, tell neither what a lambda takes nor which of several it is. */
static bool is_some_lambda(const struct wanted *w, const struct signature *s)
{
	const char *name = plain_name(s);
	char *scopes;
	bool yes;

	if (!strstr(w->plain, "{lambda}") || !strstr(name, "{lambda("))
		return false;
	scopes = as_scopes(name);
	yes = !fnmatch(w->plain, scopes, 0);
	free(scopes);
	return yes;
}

bool wanted_has_namesake(const struct wanted *w, const struct signature *s)
{
	char *last = last_part(s->name);
	bool same = !strcmp(last, w->last);

	free(last);
	return same;
}

bool wanted_matches(const struct wanted *w, const char *symbol, struct signature *ret)
{
	size_t len = strlen(w->plain);
	bool starts = !strncmp(symbol, w->plain, len);
	struct signature s;

	if (!starts && !is_worth_demangling(w, symbol))
		return false;
	if (starts && symbol[len] && symbol[len] != '.' && symbol[len] != '@' &&
	    !is_worth_demangling(w, symbol))
		return false;
	signature_of(symbol, &s);
	if (s.name) {
		bool changed;
		char *base = base_symbol(symbol, &changed);
		bool same = !strcmp(base, w->plain) || !strcmp(symbol, w->text) ||
			    !strcmp(w->plain, plain_name(&s)) || !strcmp(w->plain, plain_full(&s)) ||
			    is_some_lambda(w, &s);

		free(base);
		if (same && is_clone(w, symbol)) {
			*ret = s;
			return true;
		}
	}
	signature_release(&s);
	return false;
}

bool wanted_is_like(const struct wanted *w, const char *symbol, const struct signature *s)
{
	char *plain = xstrndup(symbol, strcspn(symbol, "@"));
	const char *name = plain_name(s), *full = plain_full(s);
	bool yes = !fnmatch(w->text, plain, 0) || !fnmatch(w->text, s->name, 0) || !fnmatch(w->text, s->full, 0) ||
		   !fnmatch(w->plain, name, 0) || !fnmatch(w->plain, full, 0) || !strcmp(w->plain, name) ||
		   !strcmp(w->plain, full) || is_some_lambda(w, s);

	free(plain);
	return yes && is_clone(w, symbol);
}

bool wanted_is_piece(const struct wanted *w)
{
	char *symbol = xasprintf("%s%s", w->clone ? "f" : w->plain, w->clone ? w->clone : "");
	struct signature s;
	bool yes;

	signature_of(symbol, &s);
	yes = *symbol && !s.name;
	signature_release(&s);
	free(symbol);
	return yes;
}
