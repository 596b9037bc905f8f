/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code that a process compiled itself, named by the map that it left for perf, one line a function:
 *
 *	START SIZE name			both numbers in hex, the name to the end of the line
 *
 * (linux/tools/perf/Documentation/jit-interface.txt). Memory is used again: a later line wins over
 * what it overlaps. Two runtimes say in the name where the function is defined, and are heard:
 *
 *	py::fib:/srv/app.py			CPython 3.12 on, -X perf
 *	JS:*fib /srv/app.js:12:5		V8, --perf-basic-prof: function, file, line, column
 *	LazyCompile:*fib /srv/app.js:12		the same of node 18, without the column
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/log.h"
#include "base/str.h"
#include "symbolizer/ranges.h"
#include "symbolizer/source.h"

#define MAX_MAP_BYTES (1UL << 30)

struct jit_function {
	const char *name;	/* in text, not terminated */
	size_t len;
};

struct jitmap {
	struct module *module;
	void *text;
	VEC(struct jit_function) functions;
	struct ranges at;
};

/* Anyone may write in /tmp: as perf does, take maps of this user's and root's only. */
static void *read_own_map(uint32_t pid, size_t *ret_len)
{
	char path[64];
	struct stat st;
	uint8_t *text = NULL;
	size_t len = 0;
	int fd;

	snprintf(path, sizeof(path), "/tmp/perf-%u.map", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && (!st.st_uid || st.st_uid == geteuid()) &&
	    st.st_size > 0 && (size_t)st.st_size <= MAX_MAP_BYTES) {
		ssize_t n;

		text = xmalloc((size_t)st.st_size);
		while (len < (size_t)st.st_size &&
		       (n = read(fd, text + len, (size_t)st.st_size - len)) > 0)
			len += (size_t)n;
	}
	close(fd);
	*ret_len = len;
	if (text)
		log_verbose("%s names the JIT code of process %u: it is there now, and the recording has "
			    "none", path, pid);
	return text;
}

static void *map_text(const struct module *m, size_t *ret_len)
{
	vec_each(&m->baggage->items, t)
		if (!t->path && !t->is_kallsyms && t->pid == m->key.pid &&
		    t->recording == m->key.recording) {
			*ret_len = t->len;
			return xmemdup(t->bytes, t->len);
		}
	if (!m->key.pid || module_is_self_contained(m))
		return NULL;
	return read_own_map(m->key.pid, ret_len);
}

/* A hex number and the blanks after it. */
static bool take_hex(const char **s, const char *end, uint64_t *ret_value)
{
	const char *p = *s;
	uint64_t value = 0;

	if (end - p > 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
		p += 2;
	if (p == end || !isxdigit((unsigned char)*p))
		return false;
	for (; p < end && isxdigit((unsigned char)*p); p++) {
		if (value >> 60)
			return false;
		value = value << 4 |
			(uint64_t)(isdigit((unsigned char)*p) ? *p - '0' : (*p | 0x20) - 'a' + 10);
	}
	if (p == end || (*p != ' ' && *p != '\t'))
		return false;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	*s = p;
	*ret_value = value;
	return true;
}

static void add_line(struct jitmap *self, const char *s, const char *end)
{
	uint64_t start, size;

	while (end > s && isspace((unsigned char)end[-1]))
		end--;
	if (!take_hex(&s, end, &start) || !take_hex(&s, end, &size) || s == end ||
	    start + size < start)
		return;
	ranges_add(&self->at, start, start + size, (uint32_t)self->functions.nr);
	vec_push(&self->functions, (struct jit_function){ s, (size_t)(end - s) });
}

static bool jitmap_open(struct module *m, void **ret_self)
{
	struct jitmap *self;
	size_t len = 0;
	struct cursor c;
	void *text;

	if (m->key.kind != MODULE_JIT || !(text = map_text(m, &len)))
		return false;
	self = xcalloc(1, sizeof(*self));
	self->module = m;
	self->text = text;
	c = cursor_of(text, len);
	while (cursor_left(&c)) {
		const char *s = (const char *)c.at;
		const char *nl = memchr(s, '\n', cursor_left(&c));
		size_t n = nl ? (size_t)(nl - s) + 1 : cursor_left(&c);

		add_line(self, s, s + n);
		cursor_skip(&c, n);
	}
	ranges_flatten(&self->at, RANGES_LATEST);
	*ret_self = self;
	return true;
}

/* "py::fib:/srv/app.py" */
static bool split_python(const char *name, struct str *function, struct str *file)
{
	const char *path = strstr(name, ":/");

	if (!str_starts(name, "py::") || !path || path < name + 5)
		return false;
	str_add_bytes(function, name + 4, (size_t)(path - name) - 4);
	str_add(file, path + 1);
	return true;
}

/* Takes ":digits" off the end of s, which is *len long; 0 where there is none. */
static uint32_t take_number(const char *s, size_t *len)
{
	size_t digits = 0;
	unsigned long value;

	while (digits < *len && digits < 9 && isdigit((unsigned char)s[*len - digits - 1]))
		digits++;
	if (!digits || digits >= *len || s[*len - digits - 1] != ':')
		return 0;
	value = strtoul(s + *len - digits, NULL, 10);
	*len -= digits + 1;
	return (uint32_t)value;
}

/* Kinds of code as V8 named them when it wrote no columns. */
static bool is_old_v8(const char *name)
{
	return str_starts(name, "LazyCompile:") || str_starts(name, "Function:") || str_starts(name, "Script:") ||
	       str_starts(name, "Eval:");
}

/*
 * "JS:*fib /srv/app.js:12:5": after the kind, a mark of how well it is optimized. A function without a
 * name has none there either; it is shown as Python shows what has none.
 */
static uint32_t split_v8(const char *name, struct str *function, struct str *file)
{
	const char *space = strrchr(name, ' ');
	const char *colon = strchr(name, ':');
	size_t len = space ? strlen(space + 1) : 0;
	uint32_t line, column;

	if (!space || !colon || colon > space)
		return 0;
	column = take_number(space + 1, &len);
	line = take_number(space + 1, &len);
	if (!line && is_old_v8(name))
		line = column;
	colon += 1 + strspn(colon + 1, "*~^+'");
	if (!line || !len || colon > space)
		return 0;
	str_add_bytes(function, colon, (size_t)(space - colon));
	if (!function->len)
		str_add(function, "<anonymous>");
	str_add_bytes(file, space + 1, len);
	return line;
}

static int jitmap_resolve(void *arg, uint64_t addr, struct frames *out)
{
	struct jitmap *self = arg;
	struct str function = { 0 }, file = { 0 };
	struct frame frame = { 0 };
	uint32_t id;
	char *name;

	if (!ranges_find(&self->at, addr, &id))
		return 0;
	name = xstrndup(self->functions.at[id].name, self->functions.at[id].len);
	if (!split_python(name, &function, &file))
		frame.line = split_v8(name, &function, &file);
	frame.function = module_function(self->module, file.len ? str_cstr(&function) : name);
	frame.file = strings_id(self->module->strings, str_cstr(&file));
	vec_push(&out->list, frame);
	str_release(&function);
	str_release(&file);
	free(name);
	return 1;
}

static void jitmap_close(void *arg)
{
	struct jitmap *self = arg;

	vec_release(&self->functions);
	ranges_release(&self->at);
	free(self->text);
	free(self);
}

const struct frame_source source_jitmap = {
	.name = "jitmap",
	.open = jitmap_open,
	.resolve = jitmap_resolve,
	.close = jitmap_close,
};
