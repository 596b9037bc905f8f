/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/kernel_names.h"

#include <fcntl.h>
#include <unistd.h>

/* 5.4 MB on a kernel without modules; several times that with all of them. */
enum { KALLSYMS_READ_BYTES = 1 << 20 };

struct line {
	uint64_t addr;
	const char *text;	/* lent; len bytes, the newline included */
	uint32_t len, order;
};

struct lines {
	VEC(struct line) at;
};

void kernel_names_release(struct kernel_names *k)
{
	u64map_release(&k->addrs);
}

/* Return addresses are looked up one byte before: inside of the call (symbolizer.h, code_addr). */
static void see(struct kernel_names *k, uint64_t ip, bool is_return)
{
	u64map_set(&k->addrs, ip - is_return, 1);
}

void kernel_names_see(struct kernel_names *k, const struct record *r)
{
	const struct callchain *chain = &r->sample.chain;
	bool in_kernel = false, is_return = false;
	uint64_t i;

	if (!chain->nr && (r->misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_KERNEL)
		see(k, r->sample.ip, false);
	for (i = 0; i < chain->nr; i++) {
		uint64_t ip = callchain_at(chain, i);

		if (ip >= PERF_CONTEXT_MAX) {
			in_kernel = ip == PERF_CONTEXT_KERNEL;
			is_return = false;
		} else {
			if (in_kernel)
				see(k, ip, is_return);
			is_return = true;
		}
	}
}

/* Reads hex digits; the position behind them. */
static const char *read_hex(const char *p, const char *end, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (; p < end; p++) {
		if (*p >= '0' && *p <= '9')
			value = value << 4 | (uint64_t)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			value = value << 4 | (uint64_t)(*p - 'a' + 10);
		else
			break;
	}
	*ret_value = value;
	return p;
}

/* "ffffffff81000000 T name": code is t, T, w or W. */
static bool is_code(const char *behind_addr, const char *end)
{
	return end - behind_addr > 3 && strchr("tTwW", behind_addr[1]);
}

static void split(const char *text, size_t len, struct lines *ret)
{
	const char *p = text, *end = text + len;

	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		const char *next = newline ? newline + 1 : end, *behind;
		struct line l = { .text = p, .len = (uint32_t)(next - p), .order = (uint32_t)ret->at.nr };

		behind = read_hex(p, next, &l.addr);
		if (newline && l.addr && is_code(behind, next))
			vec_push(&ret->at, l);
		p = next;
	}
}

static int by_addr(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Index of the last line at or below addr, or -1. */
static ssize_t find_line(const struct lines *lines, uint64_t addr)
{
	size_t low = 0, high = lines->at.nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (lines->at.at[middle].addr <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return (ssize_t)low - 1;
}

/* "... T _stext": by these a reader knows which kernel, loaded where, the lines are of. */
static bool is_start(const struct line *l)
{
	return (l->len > 8 && !memcmp(l->text + l->len - 8, " _stext\n", 8)) ||
	       (l->len > 7 && !memcmp(l->text + l->len - 7, " _text\n", 7));
}

void kernel_names_pick(const struct kernel_names *k, const char *text, size_t len,
		       struct str *ret_lines)
{
	struct lines lines = { 0 };
	uint8_t *is_wanted;
	ssize_t i;

	if (!k->addrs.pairs.nr)
		return;

	split(text, len, &lines);
	if (lines.at.nr)
		qsort(lines.at.at, lines.at.nr, sizeof(lines.at.at[0]), by_addr);
	is_wanted = xcalloc(lines.at.nr, 1);
	vec_each(&k->addrs.pairs, pair) {
		uint64_t addr;

		i = find_line(&lines, pair->key);
		if (i < 0)
			continue;
		for (addr = lines.at.at[i].addr; i >= 0 && lines.at.at[i].addr == addr; i--)
			is_wanted[i] = 1;
	}
	for (i = 0; i < (ssize_t)lines.at.nr; i++)
		if (is_wanted[i] || is_start(&lines.at.at[i]))
			str_add_bytes(ret_lines, lines.at.at[i].text, lines.at.at[i].len);
	free(is_wanted);
	vec_release(&lines.at);
}

void kernel_names_read(const struct kernel_names *k, struct str *ret_lines)
{
	int fd = k->addrs.pairs.nr ? open("/proc/kallsyms", O_RDONLY | O_CLOEXEC) : -1;
	struct str text = { 0 };
	char *piece;
	ssize_t len;

	if (fd < 0)
		return;
	piece = xmalloc(KALLSYMS_READ_BYTES);
	while ((len = read(fd, piece, KALLSYMS_READ_BYTES)) > 0)
		str_add_bytes(&text, piece, (size_t)len);
	close(fd);
	kernel_names_pick(k, str_cstr(&text), text.len, ret_lines);
	free(piece);
	str_release(&text);
}
