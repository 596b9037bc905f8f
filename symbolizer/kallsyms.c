/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/kallsyms.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"

/* More than any kernel met so far has: what is not written to costs nothing. */
enum { FIRST_BYTES = 32 << 20, READ_BYTES = 1 << 20, LARGE_PAGE_BYTES = 2 << 20 };

struct kallsyms {
	struct crew *crew;
	struct job job;
	int error;		/* errno */
	char *text;
	size_t len, cap;
};

static void read_all(void *arg)
{
	struct kallsyms *k = arg;
	int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	ssize_t got = -1;

	k->cap = FIRST_BYTES;
	k->text = fd >= 0 ? aligned_alloc(LARGE_PAGE_BYTES, k->cap) : NULL;
	if (k->text)
		madvise(k->text, k->cap, MADV_HUGEPAGE);
	else if (fd >= 0)
		k->text = xmalloc(k->cap);
	while (fd >= 0 && (got = read(fd, k->text + k->len, READ_BYTES)) > 0) {
		k->len += (size_t)got;
		if (k->cap - k->len > READ_BYTES)
			continue;
		k->cap *= 2;
		k->text = xrealloc(k->text, k->cap);
	}
	k->error = got < 0 ? errno : 0;
	if (k->text)
		k->text[k->len] = '\0';
	if (fd >= 0)
		close(fd);
}

struct kallsyms *kallsyms_begin(struct crew *crew)
{
	struct kallsyms *k = xcalloc(1, sizeof(*k));

	k->crew = crew;
	k->job = (struct job){ .run = read_all, .arg = k };
	crew_give(crew, &k->job);
	return k;
}

char *kallsyms_wait(struct kallsyms *k, size_t *ret_len)
{
	crew_wait(k->crew, &k->job);
	if (k->error) {
		errno = k->error;
		return NULL;
	}
	*ret_len = k->len;
	return k->text;
}

void kallsyms_free(struct kallsyms *k)
{
	if (!k)
		return;
	crew_drop(k->crew, &k->job);
	free(k->text);
	free(k);
}

/* ---- lines ---- */

/* A hundred thousand lines: sscanf() would take longer than all else. */
bool kallsyms_parse(char *text, struct kallsyms_line *ret)
{
	char *at;

	ret->addr = strtoull(text, &at, 16);
	if (at == text || at[0] != ' ' || !at[1] || at[2] != ' ')
		return false;
	ret->type = at[1];
	ret->name = at + 3;
	ret->name_len = strcspn(ret->name, " \t\n");
	ret->module = ret->name + ret->name_len;
	ret->module += strspn(ret->module, " \t");
	ret->module_len = strcspn(ret->module, " \t\n");
	return ret->name_len;
}

bool kallsyms_is_function(const struct kallsyms_line *line)
{
	return strchr("tTwW", line->type);
}

static size_t line_start(const char *text, size_t at)
{
	while (at && text[at - 1] != '\n')
		at--;
	return at;
}

static size_t next_line(const char *text, size_t at, size_t len)
{
	const char *nl = memchr(text + at, '\n', len - at);

	return nl ? (size_t)(nl - text) + 1 : len;
}

static bool has_module(const char *line, size_t len)
{
	return memmem(line, len, "\t[", 2) != NULL;
}

/* From behind: most of the text is never looked at. */
size_t kallsyms_own_len(const char *text, size_t len)
{
	while (len) {
		size_t start = line_start(text, len - 1);

		if (!has_module(text + start, len - start))
			break;
		len = start;
	}
	return len;
}

/* The last line with an address of at most addr; len: none. */
static size_t last_at_or_below(const char *text, size_t len, uint64_t addr)
{
	size_t lo = 0, hi = len;

	if (!len || strtoull(text, NULL, 16) > addr)
		return len;
	while (next_line(text, lo, len) < hi) {
		size_t mid = line_start(text, lo + (hi - lo) / 2);

		if (mid <= lo)
			mid = next_line(text, lo, len);
		if (strtoull(text + mid, NULL, 16) <= addr)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

bool kallsyms_find(char *text, size_t len, uint64_t addr, struct kallsyms_line *ret, uint64_t *ret_next)
{
	size_t found = last_at_or_below(text, len, addr), at;
	struct kallsyms_line next;

	if (found == len)
		return false;
	at = next_line(text, found, len);
	while (!kallsyms_parse(text + found, ret) || !kallsyms_is_function(ret)) {
		if (!found)
			return false;
		found = line_start(text, found - 1);
	}
	*ret_next = UINT64_MAX;
	for (; at < len && *ret_next == UINT64_MAX; at = next_line(text, at, len))
		if (kallsyms_parse(text + at, &next) && kallsyms_is_function(&next))
			*ret_next = next.addr;
	return true;
}

uint64_t kallsyms_address(char *text, const char *name)
{
	struct kallsyms_line line;
	char *at = text;
	size_t len = strlen(name);

	while ((at = strstr(at, name))) {
		if (at - text > 1 && at[-1] == ' ' && (at[len] == '\n' || !at[len]) &&
		    kallsyms_parse(text + line_start(text, (size_t)(at - text)), &line))
			return line.addr;
		at += len;
	}
	return 0;
}
