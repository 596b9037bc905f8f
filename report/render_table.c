/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In: a profile. Out: for every group the text that Werkzeug's ProfilerMiddleware prints for a
 * request: a line of dashes, PATH, what Python's pstats prints (Lib/pstats.py: print_stats,
 * get_print_list, print_title, print_line), a line of dashes and an empty one. One line of ours,
 * about the requests, stands below PATH.
 *
 * Where pstats knows a number of calls and we do not, "-" stands in the column, right-justified; "~" stands
 * before a number that some calls are missing in, and before what was divided by such a one.
 */
#include "report/render.h"

#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "base/units.h"

#define DASHES                                                                                     \
	"--------------------------------------------------------------------------------\n"

static void add_text(struct str *b, const struct profile *p, uint32_t id)
{
	str_add_escaped(b, strings_text(p->strings, id), strings_len(p->strings, id));
}

static const char *title_of(const struct group *g)
{
	static const char *const titles[NR_GROUP_BYS] = {
		[BY_ENDPOINT] = "PATH", [BY_REQUEST] = "PATH",	 [BY_STATUS] = "STATUS",
		[BY_METHOD] = "METHOD", [BY_THREAD] = "THREAD", [BY_PROCESS] = "PROCESS",
		[BY_NONE] = "PATH",
	};

	return g->is_outside ? "PATH" : titles[g->by];
}

static void add_title(struct str *b, const struct profile *p, const struct group *g)
{
	str_addf(b, "%s: ", title_of(g));
	str_add_repr(b, strings_text(p->strings, g->path), strings_len(p->strings, g->path));
	str_add_char(b, '\n');
}

static void add_duration_of(struct str *b, const char *name, double ns)
{
	str_addf(b, ", %s ", name);
	str_add_duration(b, ns / (double)NS_PER_SEC);
}

static void add_elapsed(struct str *b, const struct group *g)
{
	const struct durations *d = &g->elapsed;

	if (!d->nr)
		return;
	add_duration_of(b, "mean", durations_mean_ns(d));
	add_duration_of(b, "p50", (double)durations_quantile_ns(d, 0.50));
	add_duration_of(b, "p99", (double)durations_quantile_ns(d, 0.99));
	add_duration_of(b, "max", (double)d->max_ns);
}

/* "GET, 2010 requests, mean 3.2 ms, p50 2.9 ms, p99 9.8 ms, max 12.1 ms, 200: 2009, 500: 1" */
static void add_requests(struct str *b, const struct profile *p, const struct group *g)
{
	if (!g->nr_requests && !g->nr_unfinished)
		return;
	if (strings_len(p->strings, g->method)) {
		add_text(b, p, g->method);
		str_add(b, ", ");
	}
	str_addf(b, "%" PRIu64 " request%s", g->nr_requests, g->nr_requests == 1 ? "" : "s");
	add_elapsed(b, g);
	vec_each(&g->status, it)
		str_addf(b, ", %u: %" PRIu64, it->status, it->nr);
	if (g->nr_unfinished)
		str_addf(b, ", %" PRIu64 " unfinished", g->nr_unfinished);
	str_add_char(b, '\n');
}

/* "GET, request 17, begin +1.234567 s, elapsed 3.2 ms, thread 1234, status 200" */
static void add_request(struct str *b, const struct profile *p, const struct group *g)
{
	if (strings_len(p->strings, g->method)) {
		add_text(b, p, g->method);
		str_add(b, ", ");
	}
	str_addf(b, "request %" PRIu64 ", begin %+.6f s", g->request_id,
		 render_seconds_since_begin(p, g->begin_ns));
	if (g->nr_unfinished)
		str_add(b, ", unfinished");
	else if (g->elapsed.nr)
		add_duration_of(b, "elapsed", (double)g->elapsed.max_ns);
	str_addf(b, ", thread %u", g->tid);
	vec_each(&g->status, it)
		str_addf(b, ", status %u", it->status);
	str_add_char(b, '\n');
}

/* "         13873 function calls (340 primitive calls) in 0.006 seconds" */
static void add_header(struct str *b, const struct profile *p, const struct group *g)
{
	double total = profile_seconds(p, g->weight);

	str_addf(b, "%9s", "");
	if (g->calls == COUNT_UNKNOWN)
		str_addf(b, "%" PRIu64 " sample%s", g->nr_samples, g->nr_samples == 1 ? "" : "s");
	else
		str_addf(b, "%s%" PRIu64 " function calls", g->is_inexact ? "~" : "", g->calls);
	if (g->calls != COUNT_UNKNOWN && g->primitive_calls != COUNT_UNKNOWN &&
	    g->calls != g->primitive_calls)
		str_addf(b, " (%s%" PRIu64 " primitive calls)", g->is_inexact ? "~" : "", g->primitive_calls);
	str_addf(b, " in %s%.*f ", g->is_inexact && p->has_call_times ? "~" : "", render_is_time(p) ? 3 : 0, total);
	str_add_escaped(b, p->unit, strlen(p->unit));
	str_add(b, "\n\n");
}

static void add_value(struct str *b, double value, int decimals, bool is_inexact)
{
	char text[48];

	snprintf(text, sizeof(text), "%s%.*f", is_inexact ? "~" : "", decimals, value);
	str_addf(b, " %8s", text);
}

static void add_per_call(struct str *b, double value, uint64_t nr_calls, bool is_inexact)
{
	if (nr_calls == COUNT_UNKNOWN)
		str_addf(b, " %8s", "-");
	else if (!nr_calls)
		str_addf(b, " %8s", "");
	else
		add_value(b, value / (double)nr_calls, 3, is_inexact);
}

static void add_row(struct str *b, const struct profile *p, const struct table_row *row)
{
	const struct function_sums *s = row->sums;
	double self = profile_seconds(p, s->self), cum = profile_seconds(p, s->cum);
	int decimals = render_is_time(p) ? 3 : 0;
	const char *about = s->is_inexact ? "~" : "";
	char calls[48];

	if (s->ncalls == COUNT_UNKNOWN)
		snprintf(calls, sizeof(calls), "-");
	else if (s->primitive_calls == COUNT_UNKNOWN)
		snprintf(calls, sizeof(calls), "%s%" PRIu64 "/-", about, s->ncalls);
	else if (s->primitive_calls == s->ncalls)
		snprintf(calls, sizeof(calls), "%s%" PRIu64, about, s->ncalls);
	else
		snprintf(calls, sizeof(calls), "%s%" PRIu64 "/%s%" PRIu64, about, s->ncalls, about,
			 s->primitive_calls);
	str_addf(b, "%9s", calls);
	if (s->has_no_time) {
		str_addf(b, " %8s %8s %8s %8s ", "-", "-", "-", "-");
	} else {
		add_value(b, self, decimals, s->is_self_inexact);
		add_per_call(b, self, s->ncalls, s->is_inexact);
		add_value(b, cum, decimals, s->is_cum_inexact);
		add_per_call(b, cum, s->primitive_calls, s->is_inexact || s->is_cum_inexact);
		str_add_char(b, ' ');
	}
	add_text(b, p, row->function->std_name);
	str_add_char(b, '\n');
}

/* As in pstats, a list that nothing is left of goes without a word about its restrictions. */
static void add_rows(struct str *b, const struct profile *p, const struct table *t)
{
	if (!t->rows.nr)
		return;
	str_addf(b, "   Ordered by: %s\n", t->order_text);
	vec_each(&t->reductions, it)
		str_addf(b, "   %s\n", *it);
	str_add(b, "\n   ncalls  tottime  percall  cumtime  percall filename:lineno(function)\n");
	vec_each(&t->rows, row)
		add_row(b, p, row);
	str_add(b, "\n\n");
}

static void add_table(struct str *b, const struct profile *p, const struct table *t)
{
	const struct group *g = t->group;

	str_add(b, DASHES);
	add_title(b, p, g);
	if (g->by == BY_REQUEST && !g->is_outside)
		add_request(b, p, g);
	else
		add_requests(b, p, g);
	add_header(b, p, g);
	add_rows(b, p, t);
	str_add(b, DASHES "\n");
}

static int write_tables(const struct profile *p, const struct table_plan *plan, FILE *out,
			struct err *e)
{
	struct str text = { 0 };
	struct table t;

	vec_each(&p->groups, g) {
		table_build(&t, plan, p, g);
		str_clear(&text);
		add_table(&text, p, &t);
		table_release(&t);
		if (fwrite(text.s, 1, text.len, out) != text.len)
			break;
	}
	str_release(&text);
	return render_finish(out, e);
}

const struct renderer render_table = {
	.name = "table",
	.write = write_tables,
};
