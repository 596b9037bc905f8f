/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In: a profile. Out: speedscope's own format (www.speedscope.app/file-format-schema.json): the
 * functions once, and for each table that has any time its stacks, outermost function first.
 *
 *	{"$schema": "...", "exporter": "wperf", "name": "wperf.data",
 *	"shared": {"frames": [{"name": "fib", "file": "app.py", "line": 4}, ...]},
 *	"profiles": [{"type": "sampled", "name": "GET /", "unit": "nanoseconds", "startValue": 0,
 *	"endValue": 5000000, "samples": [[1, 0, 0], ...], "weights": [3000000, ...]}, ...]}
 *
 * The order of the stacks says nothing: they are sums.
 */
#include "report/render.h"

#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "report/json_text.h"

#define SCHEMA "https://www.speedscope.app/file-format-schema.json"

static void write_text(const char *s, size_t len, FILE *out)
{
	json_t *text = json_text(s, len);

	json_text_write(text, out, JSON_ENCODE_ANY);
	json_decref(text);
}

static void write_text_of(const struct profile *p, uint32_t id, FILE *out)
{
	write_text(strings_text(p->strings, id), strings_len(p->strings, id), out);
}

static void write_frames(const struct profile *p, FILE *out)
{
	fputs("\"shared\": {\"frames\": [", out);
	vec_each(&p->functions, f) {
		fputs(f == p->functions.at ? "\n{\"name\": " : ",\n{\"name\": ", out);
		write_text_of(p, f->name, out);
		fputs(", \"file\": ", out);
		write_text_of(p, f->file, out);
		if (f->line)
			fprintf(out, ", \"line\": %" PRIu32, f->line);
		fputc('}', out);
	}
	fputs("]},\n", out);
}

/* Outermost first: the tree leads the other way. */
static void write_stack(const struct group *g, uint32_t node, FILE *out)
{
	const struct tree_node *nodes = g->tree.nodes.at;
	VEC(uint32_t) stack = { 0 };

	for (; node; node = nodes[node].caller)
		vec_push(&stack, nodes[node].function);
	fputc('[', out);
	while (stack.nr) {
		fprintf(out, "%" PRIu32, stack.at[--stack.nr]);
		if (stack.nr)
			fputc(',', out);
	}
	fputc(']', out);
	vec_release(&stack);
}

static void write_stacks(const struct profile *p, const struct group *g, FILE *out)
{
	const char *separator = "";
	uint64_t total = 0;
	uint32_t i;

	fputs("\"samples\": [", out);
	for (i = 1; i < g->tree.nodes.nr; i++)
		if (g->tree.nodes.at[i].self) {
			fputs(separator, out);
			write_stack(g, i, out);
			separator = ",";
		}
	fputs("], \"weights\": [", out);
	separator = "";
	for (i = 1; i < g->tree.nodes.nr; i++)
		if (g->tree.nodes.at[i].self) {
			uint64_t amount = render_amount(p, g->tree.nodes.at[i].self);

			fprintf(out, "%s%" PRIu64, separator, amount);
			total += amount;
			separator = ",";
		}
	fprintf(out, "], \"startValue\": 0, \"endValue\": %" PRIu64 "}", total);
}

static void write_table(const struct profile *p, const struct group *g, FILE *out)
{
	struct str label = { 0 };

	render_add_label(&label, p, g);
	if (!label.len)
		str_add(&label, "(all)");
	fputs("{\"type\": \"sampled\", \"name\": ", out);
	write_text(label.s, label.len, out);
	fprintf(out, ", \"unit\": \"%s\",\n", render_is_time(p) ? "nanoseconds" : "none");
	write_stacks(p, g, out);
	str_release(&label);
}

static int write_speedscope(const struct profile *p, const struct table_plan *plan, FILE *out,
			    struct err *e)
{
	const char *separator = "\n", *name = p->input ? p->input : "wperf";

	(void)plan;
	fputs("{\"$schema\": \"" SCHEMA "\", \"exporter\": \"wperf\", \"name\": ", out);
	write_text(name, strlen(name), out);
	fputs(",\n", out);
	write_frames(p, out);
	fputs("\"profiles\": [", out);
	vec_each(&p->groups, g) {
		if (!g->weight || ferror(out))
			continue;
		fputs(separator, out);
		write_table(p, g, out);
		separator = ",\n";
	}
	fputs("\n]}\n", out);
	return render_finish(out, e);
}

const struct renderer render_speedscope = {
	.name = "speedscope",
	.needs_trees = true,
	.write = write_speedscope,
};
