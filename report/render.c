/* SPDX-License-Identifier: Apache-2.0 */
#include "report/render.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "base/units.h"

#define RENDERERS(X) X(table) X(json) X(jsonl) X(pstats) X(folded) X(flamegraph) X(speedscope)

#define RENDERER_PLACE(name) &render_##name,
static const struct renderer *const renderers[] = { RENDERERS(RENDERER_PLACE) };

const struct renderer *renderer_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(renderers); i++)
		if (!strcmp(renderers[i]->name, name))
			return renderers[i];
	return NULL;
}

const char *renderer_names(void)
{
#define RENDERER_NAME(name) ", " #name
	static const char names[] = RENDERERS(RENDERER_NAME);

	return &names[strlen(", ")];
}

static void tally(FILE *out, uint64_t nr, const char *one, const char *many)
{
	if (nr)
		fprintf(out, "wperf: %" PRIu64 " %s\n", nr, nr == 1 ? one : many);
}

static void print_attributed(const struct tallies *t, FILE *out)
{
	fprintf(out, "wperf: %" PRIu64 " of %" PRIu64 " samples in requests", t->nr_in_requests,
		t->nr_samples);
	if (t->nr_samples)
		fprintf(out, " (%.1f %%)",
			100.0 * (double)t->nr_in_requests / (double)t->nr_samples);
	fprintf(out, ", %" PRIu64 " outside\n", t->nr_outside);
}

/* "99.6 % of the user stacks are whole; of the others: 5 stack copy ended, 1 frame does not grow" */
static void print_stacks(const struct unwind_tally *t, FILE *out)
{
	uint64_t nr = render_nr_stacks(t);
	const char *before = "; of the others: ";
	size_t i;

	if (!nr)
		return;
	fprintf(out, "wperf: %.2f %% of the user stacks are whole",
		100.0 * (double)t->nr_stops[UNWIND_STOP_ROOT] / (double)nr);
	for (i = 0; i < UNWIND_NR_STOPS; i++) {
		if (i == UNWIND_STOP_ROOT || !t->nr_stops[i])
			continue;
		fprintf(out, "%s%" PRIu64 " %s", before, t->nr_stops[i], unwind_stop_text((enum unwind_stop)i));
		before = ", ";
	}
	fputc('\n', out);
	tally(out, t->nr_guessed, "frame was found by frame pointer, for want of unwind info",
	      "frames were found by frame pointer, for want of unwind info");
}

/* "12 stacks (0.30 %) were cut at 127 frames by the kernel (kernel.perf_event_max_stack)" */
static void print_cut_stacks(const struct tallies *t, FILE *out)
{
	bool is_one = t->nr_cut_stacks == 1;

	if (!t->nr_cut_stacks)
		return;
	fprintf(out, "wperf: %" PRIu64 " stack%s (%.2f %%) %s cut at %" PRIu64, t->nr_cut_stacks,
		is_one ? "" : "s", 100.0 * (double)t->nr_cut_stacks / (double)t->nr_samples,
		is_one ? "was" : "were", t->cut_at_frames);
	fputs(" frames by the kernel (kernel.perf_event_max_stack)\n", out);
}

uint64_t render_nr_stacks(const struct unwind_tally *t)
{
	uint64_t nr = 0;
	size_t i;

	for (i = 0; i < UNWIND_NR_STOPS; i++)
		nr += t->nr_stops[i];
	return nr;
}

#define PRINT_TALLY(name, one, many) tally(out, t->nr_##name, one, many);

void render_tallies(const struct profile *p, FILE *out)
{
	const struct tallies *t = &p->tallies;

	if (p->has_markers)
		print_attributed(t, out);
	tally(out, t->nr_lost, "record lost", "records lost");
	print_stacks(&t->stacks, out);
	print_cut_stacks(t, out);
	TALLIES(PRINT_TALLY)
	if (p->is_truncated)
		fputs("wperf: the recording is truncated: what follows its last whole record is "
		      "missing\n", out);
}

int render_finish(FILE *out, struct err *e)
{
	int error = fflush(out) ? errno : 0;

	/* An earlier write that failed has left no reason; output.c knows it. */
	if (!error && ferror(out))
		error = EIO;
	return error ? err_set(e, -error, "cannot write the report: %m") : 0;
}

bool render_is_time(const struct profile *p)
{
	return !strcmp(p->unit, "seconds");
}

double render_seconds_since_begin(const struct profile *p, uint64_t ns)
{
	return (double)(int64_t)(ns - p->begin_ns) / (double)NS_PER_SEC;
}

uint64_t render_amount(const struct profile *p, uint64_t weight)
{
	if (!render_is_time(p))
		return weight;
	return whole_number(profile_seconds(p, weight) * (double)NS_PER_SEC);
}

void render_add_label(struct str *b, const struct profile *p, const struct group *g)
{
	const struct strings *s = p->strings;

	if (g->by == BY_NONE)
		return;
	if (!g->is_outside && g->by <= BY_REQUEST && strings_len(s, g->method)) {
		str_add_bytes(b, strings_text(s, g->method), strings_len(s, g->method));
		str_add_char(b, ' ');
	}
	str_add_bytes(b, strings_text(s, g->path), strings_len(s, g->path));
	if (!g->is_outside && g->by == BY_REQUEST)
		str_addf(b, " #%" PRIu64, g->request_id);
}
