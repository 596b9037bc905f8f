/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/str.h"
#include "collector/target.h"

/* What is left of one line. */
struct line {
	const char *at, *end;
};

/* At least one digit of the base (10 or 16), and no more than fits; then the separator. */
static bool take_number(struct line *l, unsigned int base, char separator, uint64_t *ret)
{
	const char *start = l->at;
	uint64_t value = 0;

	for (; l->at < l->end; l->at++) {
		char c = *l->at;
		unsigned int digit = c >= '0' && c <= '9' ? (unsigned int)(c - '0') :
				     c >= 'a' && c <= 'f' ? (unsigned int)(c - 'a') + 10 : 16;

		if (digit >= base)
			break;
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return false;
	}
	if (l->at == start || l->at == l->end || *l->at != separator)
		return false;
	l->at++;
	*ret = value;
	return true;
}

static bool take_prot(struct line *l, struct maps_entry *m)
{
	const char *p = l->at;

	if (l->end - p < 5 || (p[3] != 'p' && p[3] != 's') || p[4] != ' ')
		return false;
	m->prot = (p[0] == 'r' ? PROT_READ : 0) | (p[1] == 'w' ? PROT_WRITE : 0) |
		  (p[2] == 'x' ? PROT_EXEC : 0);
	m->is_shared = p[3] == 's';
	l->at += 5;
	return true;
}

static const char *unescape_path(struct arena *a, const char *s, size_t len)
{
	char *path = arena_alloc(a, len + 1), *out = path;
	size_t i = 0;

	while (i < len) {
		bool newline = len - i >= 4 && !memcmp(s + i, "\\012", 4);

		*out++ = newline ? '\n' : s[i];
		i += newline ? 4 : 1;
	}
	*out = '\0';
	return path;
}

/* Without a path the kernel ends the line with one space after the inode. */
static void take_path(struct line *l, struct maps_entry *m, struct arena *a)
{
	static const char deleted[] = " (deleted)";
	size_t len;

	while (l->at < l->end && *l->at == ' ')
		l->at++;
	len = (size_t)(l->end - l->at);
	m->is_deleted = len > strlen(deleted) &&
			!memcmp(l->end - strlen(deleted), deleted, strlen(deleted));
	if (m->is_deleted)
		len -= strlen(deleted);
	m->path = len ? unescape_path(a, l->at, len) : "";
}

static bool parse_line(struct line l, struct maps_entry *m, struct arena *a)
{
	uint64_t major, minor;

	if (!take_number(&l, 16, '-', &m->start) || !take_number(&l, 16, ' ', &m->end) ||
	    !take_prot(&l, m) || !take_number(&l, 16, ' ', &m->off) ||
	    !take_number(&l, 16, ':', &major) || !take_number(&l, 16, ' ', &minor))
		return false;
	if (m->start >= m->end || major > UINT32_MAX || minor > UINT32_MAX)
		return false;
	m->dev_major = (uint32_t)major;
	m->dev_minor = (uint32_t)minor;
	if (!take_number(&l, 10, ' ', &m->inode))
		return false;
	take_path(&l, m, a);
	return true;
}

void maps_parse(struct maps *m, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		struct line l = { text, newline ? newline : end };
		struct maps_entry entry = { 0 };

		if (parse_line(l, &entry, &m->arena))
			vec_push(&m->entries, entry);
		else
			m->nr_bad_lines++;
		text = newline ? newline + 1 : end;
	}
}

static int read_error(struct err *e, int pid, int code)
{
	if (code == -ENOENT || code == -ESRCH)
		return err_set(e, -ESRCH, "process %d: there is no such process", pid);
	err_set(e, code, "process %d: its memory map cannot be read: %m", pid);
	return err_remedy(e, "Run as root, or as the user that the process runs as.");
}

int maps_read(struct maps *m, int pid, struct err *e)
{
	struct str text = { 0 };
	uint32_t task = process_live_task((uint32_t)pid);
	char path[64], chunk[4096];
	ssize_t n;
	int fd, rc = 0;

	/* Where nobody lives, open(2) says whether there is a zombie (an empty map) or no process. */
	snprintf(path, sizeof(path), "/proc/%u/maps", task ? task : (uint32_t)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return read_error(e, pid, -errno);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		str_add_bytes(&text, chunk, (size_t)n);
	if (n < 0)
		rc = read_error(e, pid, -errno);
	else
		maps_parse(m, str_cstr(&text), text.len);
	close(fd);
	str_release(&text);
	return rc;
}

void maps_release(struct maps *m)
{
	vec_release(&m->entries);
	arena_release(&m->arena);
	m->nr_bad_lines = 0;
}

const struct maps_entry *maps_find(const struct maps *m, uint64_t addr)
{
	size_t low = 0, high = m->entries.nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->entries.at[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low < m->entries.nr && m->entries.at[low].start <= addr ? &m->entries.at[low] : NULL;
}

int maps_own_off(uint64_t addr, uint64_t *ret_off)
{
	const struct maps_entry *m;
	struct maps maps = { 0 };
	struct err ignored;
	int err;

	err = maps_read(&maps, getpid(), &ignored);
	if (err)
		return err;
	m = maps_find(&maps, addr);
	if (m)
		*ret_off = addr - m->start + m->off;
	maps_release(&maps);
	return m ? 0 : -ENOENT;
}

bool maps_entry_is_file(const struct maps_entry *m)
{
	return m->inode && m->path[0] == '/';
}
