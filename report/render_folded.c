/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In: a profile. Out: its stacks, one a line, outermost function first, then how much: what
 * flamegraph.pl, inferno, speedscope and whatever draws flame graphs read.
 *
 *	GET /user/{id};start_thread;handle;json_dump 12000000
 *	(outside);start_thread;do_epoll_wait_[k] 1000000
 *
 * The outermost frame is the table that the stack is of, unless there is one for all. Numbers are
 * nanoseconds, or counts of the event where it is no clock: whole, so that they add up. A semicolon
 * in a name is shown as a colon, and the kernel's functions end in _[k], which flamegraph.pl gives
 * a colour of their own.
 */
#include "report/render.h"

#include <inttypes.h>
#include <string.h>

#include "base/str.h"

/* A line of one table, without its number. */
struct line {
	size_t at, len; /* in lines.text */
	uint64_t amount;
};

struct lines {
	struct str text;
	VEC(struct line) list;
	VEC(uint32_t) frames; /* scratch */
};

static void add_frame(struct str *b, const char *s, size_t len)
{
	size_t i = b->len;

	str_add_visible(b, s, len);
	for (; i < b->len; i++)
		if (b->s[i] == ';')
			b->s[i] = ':';
}

static void add_function(struct str *b, const struct profile *p, uint32_t function)
{
	const struct function *f = &p->functions.at[function];

	add_frame(b, strings_text(p->strings, f->name), strings_len(p->strings, f->name));
	if (f->is_kernel)
		str_add(b, "_[k]");
}

static void add_line(struct lines *l, const struct profile *p, const struct group *g, uint32_t node)
{
	const struct tree_node *nodes = g->tree.nodes.at;
	struct line line = { .at = l->text.len, .amount = render_amount(p, nodes[node].self) };
	struct str label = { 0 };
	uint32_t at;

	l->frames.nr = 0;
	for (at = node; at; at = nodes[at].caller)
		vec_push(&l->frames, nodes[at].function);
	render_add_label(&label, p, g);
	add_frame(&l->text, str_cstr(&label), label.len);
	str_release(&label);
	while (l->frames.nr) {
		if (l->text.len > line.at)
			str_add_char(&l->text, ';');
		add_function(&l->text, p, l->frames.at[--l->frames.nr]);
	}
	line.len = l->text.len - line.at;
	vec_push(&l->list, line);
}

static int by_text(const void *a, const void *b, void *text)
{
	const struct line *x = a, *y = b;
	const char *s = text;
	int order = memcmp(s + x->at, s + y->at, x->len < y->len ? x->len : y->len);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* Functions of one name in two files look the same here, and are one line. */
static void write_lines(struct lines *l, FILE *out)
{
	size_t first, end;

	if (!l->list.nr)
		return;
	qsort_r(l->list.at, l->list.nr, sizeof(*l->list.at), by_text, l->text.s);
	for (first = 0; first < l->list.nr && !ferror(out); first = end) {
		struct line *line = &l->list.at[first];
		uint64_t amount = 0;

		for (end = first; end < l->list.nr && !by_text(line, &l->list.at[end], l->text.s);
		     end++)
			amount += l->list.at[end].amount;
		fwrite(l->text.s + line->at, 1, line->len, out);
		fprintf(out, " %" PRIu64 "\n", amount);
	}
}

static int write_folded(const struct profile *p, const struct table_plan *plan, FILE *out,
			struct err *e)
{
	struct lines l = { 0 };
	uint32_t i;

	(void)plan;
	vec_each(&p->groups, g) {
		str_clear(&l.text);
		l.list.nr = 0;
		for (i = 1; i < g->tree.nodes.nr; i++)
			if (g->tree.nodes.at[i].self)
				add_line(&l, p, g, i);
		write_lines(&l, out);
	}
	str_release(&l.text);
	vec_release(&l.list);
	vec_release(&l.frames);
	return render_finish(out, e);
}

const struct renderer render_folded = {
	.name = "folded",
	.needs_trees = true,
	.write = write_folded,
};
