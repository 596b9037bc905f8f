/* SPDX-License-Identifier: Apache-2.0 */
#include "report/intake.h"

#include <assert.h>

struct intake intake_of(const struct chunk *c)
{
	assert(c->total >= c->len);
	return (struct intake){ c->bytes, c->len, c->total - c->len };
}

/* Known bytes only. */
static struct piece take(struct intake *in, size_t len)
{
	struct piece p = { in->at, len };

	if (len)
		in->at += len;
	in->known -= len;
	return p;
}

uint64_t intake_skip(struct intake *in, uint64_t want)
{
	uint64_t known = want < in->known ? want : in->known;
	uint64_t unknown = want - known < in->unknown ? want - known : in->unknown;

	take(in, (size_t)known);
	in->unknown -= unknown;
	return known + unknown;
}

static void hold(struct held *h, struct piece p)
{
	if (!p.len)
		return;
	vec_reserve(&h->bytes, h->bytes.nr + p.len);
	memcpy(h->bytes.at + h->bytes.nr, p.s, p.len);
	h->bytes.nr += p.len;
}

/* What is held stays where it is until something is held again. */
static struct piece unhold(struct held *h)
{
	struct piece p = { h->bytes.at, h->bytes.nr };

	h->bytes.nr = 0;
	return p;
}

void held_drop(struct held *h)
{
	h->bytes.nr = 0;
}

/* The chunk ended before what was asked for did. */
static enum taken ended_early(const struct intake *in, struct held *h)
{
	if (!in->unknown)
		return TAKEN_PART;
	held_drop(h);
	return TAKEN_UNKNOWN;
}

enum taken intake_bytes(struct intake *in, struct held *h, size_t len, struct piece *ret)
{
	size_t want = len - h->bytes.nr;

	assert(len >= h->bytes.nr);
	if (!h->bytes.nr && in->known >= len) {
		*ret = take(in, len);
		return TAKEN;
	}
	hold(h, take(in, want < in->known ? want : in->known));
	if (h->bytes.nr < len)
		return ended_early(in, h);
	*ret = unhold(h);
	return TAKEN;
}

static struct piece without_cr(struct piece p)
{
	if (p.len && p.s[p.len - 1] == '\r')
		p.len--;
	return p;
}

static void hold_up_to(struct held *h, struct piece p, size_t keep)
{
	size_t room = keep > h->bytes.nr ? keep - h->bytes.nr : 0;

	p.len = p.len < room ? p.len : room;
	hold(h, p);
}

enum taken intake_line(struct intake *in, struct held *h, size_t keep, struct piece *ret)
{
	const uint8_t *lf = in->known ? memchr(in->at, '\n', in->known) : NULL;
	struct piece line;

	if (!lf) {
		hold_up_to(h, take(in, in->known), keep);
		return ended_early(in, h);
	}
	line = take(in, (size_t)(lf - in->at));
	take(in, 1);
	if (h->bytes.nr) {
		hold_up_to(h, line, keep);
		line = unhold(h);
	}
	line.len = line.len < keep ? line.len : keep;
	*ret = without_cr(line);
	return TAKEN;
}

void held_release(struct held *h)
{
	vec_release(&h->bytes);
}

void body_begin(struct body *b, uint64_t len, size_t keep)
{
	b->left = len;
	b->keep = keep;
	b->kept.bytes.nr = 0;
}

bool body_take(struct body *b, struct intake *in)
{
	size_t room = b->keep - b->kept.bytes.nr;
	struct piece p = { in->at, in->known < b->left ? in->known : (size_t)b->left };
	bool has_gap = in->unknown;

	p.len = p.len < room ? p.len : room;
	hold(&b->kept, p);
	b->left -= intake_skip(in, b->left);
	/* What comes after a gap does not belong behind what came before it. */
	if (has_gap && b->left)
		b->keep = b->kept.bytes.nr;
	return !b->left;
}

struct piece body_kept(const struct body *b)
{
	return (struct piece){ b->kept.bytes.at, b->kept.bytes.nr };
}

void body_release(struct body *b)
{
	held_release(&b->kept);
}

struct piece piece_of(const char *s)
{
	return (struct piece){ (const uint8_t *)s, strlen(s) };
}

bool piece_is(struct piece p, const char *text)
{
	return p.len == strlen(text) && !memcmp(p.s, text, p.len);
}

bool piece_word(struct piece *left, struct piece *ret)
{
	size_t len = 0;

	while (left->len && *left->s == ' ') {
		left->s++;
		left->len--;
	}
	while (len < left->len && left->s[len] != ' ')
		len++;
	*ret = (struct piece){ left->s, len };
	left->s = len ? left->s + len : left->s;
	left->len -= len;
	return len;
}

bool piece_cstr(struct piece *left, struct piece *ret)
{
	const uint8_t *nul = left->len ? memchr(left->s, 0, left->len) : NULL;

	if (!nul)
		return false;
	*ret = (struct piece){ left->s, (size_t)(nul - left->s) };
	left->len -= ret->len + 1;
	left->s = nul + 1;
	return true;
}

bool piece_number(struct piece p, uint64_t *ret)
{
	uint64_t n = 0;
	size_t i;

	if (!p.len || p.len > 18)
		return false;
	for (i = 0; i < p.len; i++) {
		if (p.s[i] < '0' || p.s[i] > '9')
			return false;
		n = n * 10 + (p.s[i] - '0');
	}
	*ret = n;
	return true;
}

bool byte_is_one_of(uint8_t c, const char *set)
{
	return c && strchr(set, c);
}
