/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In: a profile. Out: a flame graph, one SVG that needs nothing else; with a browser it can be
 * zoomed and searched (flamegraph.js). Below is all, above it a frame for each table, above that the
 * stacks:
 *
 *	|  burn_f          | burn_g  |             |
 *	|  serve_burn                | json_dump   |
 *	|  GET /burn                 | GET /json   |
 *	|  all: 0.892 s                            |
 *
 * A frame is as wide as the time of its function in those stacks. What is narrower than can be seen
 * is not drawn: its place stays empty.
 */
#include "report/render.h"

#include <inttypes.h>
#include <string.h>

#include "base/units.h"

enum {
	WIDTH = 1200, /* pixels, as the next */
	ROW = 17,
	TOP = 40, /* for the title */
	MARGIN = 10,
};

#define CHAR_WIDTH 7.2 /* of a monospaced font of 12 pixels: 0.6 of it */
#define NARROWEST  0.1

__asm__(".pushsection .rodata\n"
	"flamegraph_js:\n"
	".incbin \"report/flamegraph.js\"\n"
	"flamegraph_js_end:\n"
	".popsection\n");
extern const char flamegraph_js[], flamegraph_js_end[];

/* A frame of one table: node i of its tree, or its label where i is 0. */
struct box {
	uint64_t x, cum, left; /* left: where its next callee begins */
	uint64_t nr_samples;
	uint32_t depth;
};

struct picture {
	const struct profile *p;
	FILE *out;
	uint64_t total;
	uint32_t nr_rows;
	VEC(struct box) boxes; /* of the table at hand */
	VEC(uint32_t) order;   /* its nodes, by caller and then by name */
	struct str text;
};

/* ---- where what lies ---- */

static const char *name_of(const struct profile *p, uint32_t function)
{
	return strings_text(p->strings, p->functions.at[function].name);
}

struct ordering {
	const struct profile *p;
	const struct tree_node *nodes;
};

static int by_caller_and_name(const void *a, const void *b, void *ordering)
{
	const struct ordering *o = ordering;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int order;

	if (o->nodes[x].caller != o->nodes[y].caller)
		return o->nodes[x].caller > o->nodes[y].caller ? 1 : -1;
	order = strcmp(name_of(o->p, o->nodes[x].function), name_of(o->p, o->nodes[y].function));
	return order ? order : (x > y) - (x < y);
}

/* A caller's number is less than its callees': from the end on, each is whole when it is added. */
static void sum_boxes(struct picture *pic, const struct group *g)
{
	uint32_t i;

	pic->boxes.nr = 0;
	for (i = 0; i < g->tree.nodes.nr; i++)
		vec_push(&pic->boxes,
			 (struct box){ .cum = render_amount(pic->p, g->tree.nodes.at[i].self),
				       .nr_samples = g->tree.nodes.at[i].nr_samples });
	for (i = (uint32_t)pic->boxes.nr; i-- > 1;) {
		struct box *caller = &pic->boxes.at[g->tree.nodes.at[i].caller];

		caller->cum += pic->boxes.at[i].cum;
		caller->nr_samples += pic->boxes.at[i].nr_samples;
	}
}

/* x: where the table begins. Where there is one table for all, it has no frame of its own. */
static void place_boxes(struct picture *pic, const struct group *g, uint64_t x)
{
	struct ordering ordering = { pic->p, g->tree.nodes.at };
	uint32_t i;

	sum_boxes(pic, g);
	pic->boxes.at[0].x = pic->boxes.at[0].left = x;
	pic->boxes.at[0].depth = g->by == BY_NONE ? 0 : 1;
	pic->order.nr = 0;
	for (i = 1; i < pic->boxes.nr; i++)
		vec_push(&pic->order, i);
	if (pic->order.nr)
		qsort_r(pic->order.at, pic->order.nr, sizeof(*pic->order.at), by_caller_and_name,
			&ordering);
	vec_each(&pic->order, id) {
		struct box *box = &pic->boxes.at[*id];
		struct box *caller = &pic->boxes.at[g->tree.nodes.at[*id].caller];

		box->x = box->left = caller->left;
		box->depth = caller->depth + 1;
		caller->left += box->cum;
	}
}

static double pixels(const struct picture *pic, uint64_t amount)
{
	return (double)amount / (double)pic->total * WIDTH;
}

static bool is_seen(const struct picture *pic, const struct box *b)
{
	return pixels(pic, b->cum) >= NARROWEST;
}

/* ---- text ---- */

static void add_entities(struct str *b, const char *s, size_t len)
{
	const char *end = s + len;

	for (; s < end; s++)
		if (*s == '&')
			str_add(b, "&amp;");
		else if (*s == '<')
			str_add(b, "&lt;");
		else if (*s == '>')
			str_add(b, "&gt;");
		else if (*s == '"')
			str_add(b, "&quot;");
		else
			str_add_char(b, *s);
}

/* What is no XML though it is UTF-8, as noncharacters, is not seen either. */
static void add_xml(struct str *b, const char *bytes, size_t len)
{
	struct str shown = { 0 };

	str_add_visible(&shown, bytes, len);
	add_entities(b, str_cstr(&shown), shown.len);
	str_release(&shown);
}

static void add_amount(struct str *b, const struct profile *p, uint64_t amount)
{
	if (render_is_time(p)) {
		str_add_duration(b, (double)amount / (double)NS_PER_SEC);
	} else {
		str_addf(b, "%" PRIu64 " ", amount);
		add_xml(b, p->unit, strlen(p->unit));
	}
}

/* Warm colours that differ by name; the kernel's are blue, and what is no function is grey. */
static void add_color(struct str *b, const struct function *f, const char *name, size_t len)
{
	uint64_t hash = hash_bytes(name, len);

	if (!f)
		str_addf(b, "hsl(0,0%%,%u%%)", 78 + (unsigned int)(hash % 8));
	else if (f->is_kernel)
		str_addf(b, "hsl(%u,60%%,%u%%)", 195 + (unsigned int)(hash % 25),
			 68 + (unsigned int)(hash / 32 % 12));
	else
		str_addf(b, "hsl(%u,80%%,%u%%)", 12 + (unsigned int)(hash % 40),
			 62 + (unsigned int)(hash / 64 % 12));
}

/* As much of the name as fits, as flamegraph.js does it. */
static void add_label(struct str *b, const char *name, size_t len, double width)
{
	size_t nr_chars = width < 4 ? 0 : (size_t)((width - 4) / CHAR_WIDTH), nr = 0, at = 0,
	       cut = 0;
	struct str shown = { 0 };

	str_add_visible(&shown, name, len);
	while (at < shown.len && nr <= nr_chars) {
		if (nr + 2 == nr_chars)
			cut = at;
		at += utf8_len(shown.s + at, shown.len - at);
		nr++;
	}
	if (at == shown.len && nr <= nr_chars)
		add_entities(b, str_cstr(&shown), shown.len);
	else if (nr_chars >= 3) {
		add_entities(b, shown.s, cut);
		str_add(b, "..");
	}
	str_release(&shown);
}

/* ---- drawing ---- */

/* f: NULL where the frame is no function. */
static void draw(struct picture *pic, const struct box *box, const struct function *f,
		 const char *name, size_t len)
{
	double x = pixels(pic, box->x), width = pixels(pic, box->cum);
	uint32_t y = TOP + (pic->nr_rows - 1 - box->depth) * ROW;
	const struct strings *strings = pic->p->strings;
	struct str *b = &pic->text;

	str_clear(b);
	str_addf(b,
		 "<g class=\"f\" data-x=\"%" PRIu64 "\" data-w=\"%" PRIu64
		 "\" data-d=\"%u\" data-n=\"",
		 box->x, box->cum, box->depth);
	add_xml(b, name, len);
	str_add(b, "\"><title>");
	add_xml(b, name, len);
	if (f) {
		str_add(b, " (");
		add_xml(b, strings_text(strings, f->file), strings_len(strings, f->file));
		str_addf(b, ":%" PRIu32 ")", f->line);
	}
	str_add(b, "\n");
	add_amount(b, pic->p, box->cum);
	str_addf(b, ", %.2f %%", 100.0 * (double)box->cum / (double)pic->total);
	if (box->nr_samples)
		str_addf(b, ", %" PRIu64 " sample%s", box->nr_samples,
			 box->nr_samples == 1 ? "" : "s");
	str_add(b, "</title>");
	str_addf(b, "<rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" height=\"%u\" fill=\"", x, y, width,
		 ROW - 1);
	add_color(b, f, name, len);
	str_addf(b, "\"/><text x=\"%.2f\" y=\"%u\">", x + 3, y + ROW - 5);
	add_label(b, name, len, width);
	str_add(b, "</text></g>\n");
	fwrite(b->s, 1, b->len, pic->out);
}

static void draw_table(struct picture *pic, const struct group *g)
{
	struct str label = { 0 };

	render_add_label(&label, pic->p, g);
	if (label.len && is_seen(pic, &pic->boxes.at[0]))
		draw(pic, &pic->boxes.at[0], NULL, label.s, label.len);
	str_release(&label);
	vec_each(&pic->order, id) {
		const struct function *f = &pic->p->functions.at[g->tree.nodes.at[*id].function];
		const struct box *box = &pic->boxes.at[*id];

		if (is_seen(pic, box))
			draw(pic, box, f, strings_text(pic->p->strings, f->name),
			     strings_len(pic->p->strings, f->name));
	}
}

static const char style[] =
	"<style>\n"
	"text { font-family: monospace; font-size: 12px; fill: #111; }\n"
	".f text { pointer-events: none; } .f { cursor: pointer; }\n"
	".f:hover rect { stroke: #000; stroke-width: 1; } .around { opacity: 0.5; }\n"
	".hit rect { fill: rgb(200,90,230); } #mark { cursor: pointer; }\n"
	"</style>\n";

static void write_head(struct picture *pic)
{
	const char *input = pic->p->input ? pic->p->input : "wperf";
	uint32_t height = TOP + pic->nr_rows * ROW + MARGIN;
	struct str *b = &pic->text;

	str_clear(b);
	str_addf(b,
		 "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" "
		 "viewBox=\"0 0 %u %u\" data-width=\"%u\" data-char=\"%.1f\">\n",
		 WIDTH, height, WIDTH, height, WIDTH, CHAR_WIDTH);
	str_add(b, style);
	str_addf(b, "<rect width=\"%u\" height=\"%u\" fill=\"#fff\"/>\n<text x=\"3\" y=\"16\">",
		 WIDTH, height);
	add_xml(b, input, strlen(input));
	str_addf(
		b,
		"</text>\n<text id=\"mark\" x=\"%u\" y=\"16\" text-anchor=\"end\">mark (/)</text>\n"
		"<text id=\"matched\" x=\"%u\" y=\"32\" text-anchor=\"end\"></text>\n",
		WIDTH - 3, WIDTH - 3);
	fwrite(b->s, 1, b->len, pic->out);
}

static void write_script(FILE *out)
{
	fputs("<script><![CDATA[\n", out);
	fwrite(flamegraph_js, 1, (size_t)(flamegraph_js_end - flamegraph_js), out);
	fputs("]]></script>\n", out);
}

static void measure(struct picture *pic)
{
	pic->nr_rows = 1;
	vec_each(&pic->p->groups, g)
		vec_each(&g->tree.nodes, node)
			pic->total += render_amount(pic->p, node->self);
	vec_each(&pic->p->groups, g) {
		if (!g->tree.nodes.nr)
			continue;
		place_boxes(pic, g, 0);
		vec_each(&pic->boxes, box)
			if (is_seen(pic, box) && box->depth >= pic->nr_rows)
				pic->nr_rows = box->depth + 1;
	}
}

static int write_flamegraph(const struct profile *p, const struct table_plan *plan, FILE *out,
			    struct err *e)
{
	struct picture pic = { .p = p, .out = out };
	struct box all = { 0 };
	uint64_t x = 0;

	(void)plan;
	measure(&pic);
	write_head(&pic);
	vec_each(&p->groups, g)
		all.nr_samples += g->tree.nodes.nr ? g->nr_samples : 0;
	all.cum = pic.total;
	if (pic.total)
		draw(&pic, &all, NULL, "all", strlen("all"));
	vec_each(&p->groups, g) {
		if (!g->tree.nodes.nr || ferror(out))
			continue;
		place_boxes(&pic, g, x);
		draw_table(&pic, g);
		x += pic.boxes.at[0].cum;
	}
	write_script(out);
	fputs("</svg>\n", out);
	vec_release(&pic.boxes);
	vec_release(&pic.order);
	str_release(&pic.text);
	return render_finish(out, e);
}

const struct renderer render_flamegraph = {
	.name = "flamegraph",
	.needs_trees = true,
	.write = write_flamegraph,
};
