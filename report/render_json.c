/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In: a profile. Out: JSON for programs ("json", one object for the report) or for log shippers
 * ("jsonl", one object a group and a line). Times are seconds; null is what is not known.
 *
 *	{"wperf": 1, "recording": {...}, "attributed": 0.993, "lost": 0, ..., "groups": [
 *	{"path": "/", "method": "GET", ..., "functions": [
 *	{"file": "app.py", "line": 4, "function": "fib", ..., "callers": [{...}]},
 *	...
 *	]}
 *	]}
 *
 * A line of jsonl that stands for one request has its status and elapsed time as numbers, and when it
 * began on the wall clock:
 *
 *	{"wperf":1,"timestamp":"2026-11-27T07:31:06.123456Z","method":"GET","path":"/user/17",
 *	"endpoint":"/user/{id}","status":200,"elapsed":0.0032,...,"functions":[{...},...]}
 *
 * Brackets are written by hand, and what stands between them one function at a time, so that memory
 * is bounded by the largest function and not by the report.
 */
#include "report/render.h"

#include <string.h>

#include "base/units.h"
#include "report/json_text.h"

struct json_out {
	const struct profile *p;
	const struct table_plan *plan;
	FILE *out;
	bool is_lines;		/* jsonl: no newline but the one that ends a group */
};

/* All that a double can promise; more digits would only show how decimals end in binary. */
#define NUMBER_DIGITS 15

static size_t dump_flags(const struct json_out *j)
{
	return JSON_REAL_PRECISION(NUMBER_DIGITS) | (j->is_lines ? JSON_COMPACT : 0);
}

static void dump_take(const struct json_out *j, json_t *value, size_t more_flags)
{
	json_text_write(value, j->out, dump_flags(j) | more_flags);
	json_decref(value);
}

static json_t *count(uint64_t nr)
{
	return nr == COUNT_UNKNOWN ? json_null() : json_integer((json_int_t)nr);
}

static json_t *text(const char *s)
{
	return s ? json_text(s, strlen(s)) : json_null();
}

static json_t *text_of(const struct profile *p, uint32_t id)
{
	return json_text(strings_text(p->strings, id), strings_len(p->strings, id));
}

static json_t *known_text_of(const struct profile *p, uint32_t id)
{
	return strings_len(p->strings, id) ? text_of(p, id) : json_null();
}

static json_t *seconds_of_ns(double ns)
{
	return json_number(ns / (double)NS_PER_SEC);
}

static json_t *weight_of(const struct profile *p, uint64_t weight)
{
	return json_number(profile_seconds(p, weight));
}

static json_t *recording_object(const struct profile *p)
{
	json_t *o = json_object();

	json_object_set_new(o, "input", text(p->input));
	json_object_set_new(o, "event", text(p->event));
	json_object_set_new(o, "freq", p->freq_hz > 0 ? json_number(p->freq_hz) : json_null());
	json_object_set_new(o, "duration", seconds_of_ns((double)p->duration_ns));
	json_object_set_new(o, "hostname", text(p->hostname));
	json_object_set_new(o, "os_release", text(p->os_release));
	json_object_set_new(o, "arch", text(p->arch));
	json_object_set_new(o, "cmdline", text(p->cmdline));
	json_object_set_new(o, "marker", text(p->marker));
	json_object_set_new(o, "truncated", json_boolean(p->is_truncated || p->is_unread));
	return o;
}

#define SET_TALLY(name, one, many) json_object_set_new(o, #name, count(t->nr_##name));

static json_t *tallies_object(const struct tallies *t)
{
	json_t *o = json_object();

	json_object_set_new(o, "samples", count(t->nr_samples));
	json_object_set_new(o, "in_requests", count(t->nr_in_requests));
	json_object_set_new(o, "outside", count(t->nr_outside));
	json_object_set_new(o, "marks", count(t->nr_marks));
	json_object_set_new(o, "cut_stacks", count(t->nr_cut_stacks));
	TALLIES(SET_TALLY)
	return o;
}

/* Null where no stack was unwound: chains that the kernel walked tell not how they ended. */
static json_t *stacks_object(const struct unwind_tally *t)
{
	uint64_t nr = render_nr_stacks(t);
	json_t *o, *ended;
	size_t i;

	if (!nr)
		return json_null();
	o = json_object();
	ended = json_object();
	json_object_set_new(o, "samples", count(nr));
	json_object_set_new(o, "whole", json_number((double)t->nr_stops[UNWIND_STOP_ROOT] / (double)nr));
	json_object_set_new(o, "frames", count(t->nr_frames));
	json_object_set_new(o, "guessed_frames", count(t->nr_guessed));
	for (i = 0; i < UNWIND_NR_STOPS; i++)
		json_object_set_new(ended, unwind_stop_key((enum unwind_stop)i), count(t->nr_stops[i]));
	json_object_set_new(o, "ended", ended);
	return o;
}

/* Which format this is, and of what the numbers called time are counts, where they are no time. */
static void add_format(json_t *o, const struct profile *p)
{
	json_object_set_new(o, "wperf", json_integer(1));
	if (!render_is_time(p))
		json_object_set_new(o, "unit", text(p->unit));
}

static json_t *attributed(const struct profile *p)
{
	const struct tallies *t = &p->tallies;

	if (!p->has_markers || !t->nr_samples)
		return json_null();
	return json_number((double)t->nr_in_requests / (double)t->nr_samples);
}

/* Null where no request's status is known. */
static json_t *status_object(const struct group *g)
{
	json_t *o;
	char key[16];

	if (!g->status.nr)
		return json_null();
	o = json_object();
	vec_each(&g->status, it) {
		snprintf(key, sizeof(key), "%u", it->status);
		json_object_set_new(o, key, count(it->nr));
	}
	return o;
}

static json_t *quantile(const struct group *g, double q)
{
	if (!g->elapsed.nr)
		return json_null();
	return seconds_of_ns((double)durations_quantile_ns(&g->elapsed, q));
}

static json_t *elapsed_object(const struct group *g)
{
	json_t *o = json_object();
	bool has_any = g->elapsed.nr > 0;

	json_object_set_new(o, "mean", has_any ? seconds_of_ns(durations_mean_ns(&g->elapsed)) : json_null());
	json_object_set_new(o, "p50", quantile(g, 0.5));
	json_object_set_new(o, "p90", quantile(g, 0.9));
	json_object_set_new(o, "p99", quantile(g, 0.99));
	json_object_set_new(o, "max", quantile(g, 1));
	return o;
}

/* What is outside of requests has none of this. */
static void add_no_request(json_t *o)
{
	static const char *const keys[] = { "id", "begin", "end", "thread", "timestamp" };
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		json_object_set_new(o, keys[i], json_null());
}

static void add_request(json_t *o, const struct profile *p, const struct group *g)
{
	json_object_set_new(o, "id", json_integer((json_int_t)g->request_id));
	json_object_set_new(o, "begin", json_number(render_seconds_since_begin(p, g->begin_ns)));
	json_object_set_new(o, "end", g->nr_unfinished
				      ? json_null()
				      : json_number(render_seconds_since_begin(p, g->end_ns)));
	json_object_set_new(o, "thread", json_integer(g->tid));
	json_object_set_new(o, "timestamp", json_time_of_day(g->begin_epoch_ns));
}

/* Who the requests of a table are. */
static void add_requests(json_t *o, const struct profile *p, const struct group *g)
{
	json_object_set_new(o, "path", text_of(p, g->path));
	json_object_set_new(o, "method", known_text_of(p, g->method));
	json_object_set_new(o, "requests", count(g->nr_requests));
	json_object_set_new(o, "status", status_object(g));
	json_object_set_new(o, "elapsed", elapsed_object(g));
}

/*
 * Who the one request of a line is: each thing a value, as logs have it and as wperf requests calls
 * it.
 */
static void add_logged_request(json_t *o, const struct profile *p, const struct group *g)
{
	json_object_set_new(o, "timestamp", json_time_of_day(g->begin_epoch_ns));
	json_object_set_new(o, "method", known_text_of(p, g->method));
	/* What is outside, and all of a recording without requests, is none, and has its name for both. */
	json_object_set_new(o, "path", text_of(p, g->request_id ? g->raw_path : g->path));
	json_object_set_new(o, "endpoint", text_of(p, g->path));
	json_object_set_new(o, "status",
			    g->status.nr ? json_integer(g->status.at[0].status) : json_null());
	json_object_set_new(o, "elapsed", quantile(g, 1));
	json_object_set_new(o, "requests", count(g->nr_requests));
}

/* Whether the calls, and what has their time, are all there were; null where none were counted. */
static json_t *exact(uint64_t calls, bool is_inexact)
{
	return calls == COUNT_UNKNOWN && !is_inexact ? json_null() : json_boolean(!is_inexact);
}

static json_t *samples_of(const struct group *g, uint64_t nr)
{
	return g->has_no_samples ? json_null() : count(nr);
}

/* All of a group but its functions. */
static void add_group(json_t *o, const struct profile *p, const struct group *g, bool is_logged)
{
	static const char *const bys[] = {
#define GROUP_BY_TEXT(id, by_text) by_text,
		GROUP_BYS(GROUP_BY_TEXT)
#undef GROUP_BY_TEXT
	};

	if (is_logged)
		add_logged_request(o, p, g);
	else
		add_requests(o, p, g);
	json_object_set_new(o, "time", weight_of(p, g->weight));
	json_object_set_new(o, "samples", samples_of(g, g->nr_samples));
	json_object_set_new(o, "calls", count(g->calls));
	json_object_set_new(o, "primitive_calls", count(g->primitive_calls));
	if (g->by == BY_REQUEST && !g->is_outside)
		add_request(o, p, g);
	else if (p->by == BY_REQUEST)
		add_no_request(o);
	json_object_set_new(o, "unfinished", count(g->nr_unfinished));
	json_object_set_new(o, "by", json_string(bys[g->by]));
	json_object_set_new(o, "outside", json_boolean(g->is_outside));
	json_object_set_new(o, "exact", exact(g->calls, g->is_inexact));
}

/* A function without line information has no line: pstats' 0 would be an invented one. */
static void add_place(json_t *o, const struct profile *p, const struct function *f)
{
	json_object_set_new(o, "file", text_of(p, f->file));
	json_object_set_new(o, "line", f->line ? json_integer(f->line) : json_null());
	json_object_set_new(o, "function", text_of(p, f->name));
}

static json_t *time_of(const struct profile *p, uint64_t weight, bool is_known)
{
	return is_known ? weight_of(p, weight) : json_null();
}

static json_t *caller_object(const struct profile *p, const struct group *g, const struct caller_sums *c, bool has_time)
{
	json_t *o = json_object();

	add_place(o, p, &p->functions.at[c->caller]);
	json_object_set_new(o, "ncalls", count(c->ncalls));
	json_object_set_new(o, "samples", samples_of(g, c->nr_samples));
	json_object_set_new(o, "tottime", time_of(p, c->self, has_time));
	json_object_set_new(o, "cumtime", time_of(p, c->cum, has_time));
	return o;
}

static json_t *function_object(const struct profile *p, const struct group *g, const struct table_row *row)
{
	const struct function_sums *s = row->sums;
	json_t *o = json_object(), *callers = json_array();

	add_place(o, p, row->function);
	json_object_set_new(o, "module", known_text_of(p, row->function->module));
	json_object_set_new(o, "ncalls", count(s->ncalls));
	json_object_set_new(o, "primitive_calls", count(s->primitive_calls));
	json_object_set_new(o, "samples", samples_of(g, s->nr_samples));
	json_object_set_new(o, "cum_samples", samples_of(g, s->nr_cum_samples));
	json_object_set_new(o, "tottime", time_of(p, s->self, !s->has_no_time));
	json_object_set_new(o, "cumtime", time_of(p, s->cum, !s->has_no_time));
	vec_each(&s->callers, it)
		json_array_append_new(callers, caller_object(p, g, it, !s->has_no_time));
	json_object_set_new(o, "callers", callers);
	json_object_set_new(o, "exact", exact(s->ncalls, s->is_inexact || s->is_cum_inexact));
	return o;
}

/* group_object holds what is known before the functions; it is taken. */
static void write_group(const struct json_out *j, json_t *group_object, const struct group *g)
{
	const char *separator = j->is_lines ? "," : ",\n", *newline = j->is_lines ? "" : "\n";
	struct table t;

	table_build(&t, j->plan, j->p, g);
	add_group(group_object, j->p, g, j->is_lines && j->p->by == BY_REQUEST);
	fputc('{', j->out);
	dump_take(j, group_object, JSON_EMBED);
	fprintf(j->out, j->is_lines ? ",\"functions\":[" : ", \"functions\": [");
	vec_each(&t.rows, row) {
		fputs(row == t.rows.at ? newline : separator, j->out);
		dump_take(j, function_object(j->p, g, row), 0);
	}
	fprintf(j->out, "%s]}", t.rows.nr ? newline : "");
	table_release(&t);
}

static int write_json(const struct profile *p, const struct table_plan *plan, FILE *out,
		      struct err *e)
{
	struct json_out j = { .p = p, .plan = plan, .out = out };
	json_t *head = json_object();

	add_format(head, p);
	json_object_set_new(head, "recording", recording_object(p));
	json_object_set_new(head, "attributed", attributed(p));
	json_object_set_new(head, "lost", count(p->tallies.nr_lost));
	json_object_set_new(head, "stacks", stacks_object(&p->tallies.stacks));
	json_object_set_new(head, "tallies", tallies_object(&p->tallies));
	fputc('{', out);
	dump_take(&j, head, JSON_EMBED);
	fputs(", \"groups\": [", out);
	vec_each(&p->groups, g) {
		fputs(g == p->groups.at ? "\n" : ",\n", out);
		write_group(&j, json_object(), g);
		if (ferror(out))
			break;
	}
	fprintf(out, "%s]}\n", p->groups.nr ? "\n" : "");
	return render_finish(out, e);
}

static int write_jsonl(const struct profile *p, const struct table_plan *plan, FILE *out,
		       struct err *e)
{
	struct json_out j = { .p = p, .plan = plan, .out = out, .is_lines = true };

	vec_each(&p->groups, g) {
		json_t *line = json_object();

		add_format(line, p);
		write_group(&j, line, g);
		fputc('\n', out);
		if (ferror(out))
			break;
	}
	return render_finish(out, e);
}

const struct renderer render_json = {
	.name = "json",
	.needs_callers = true,
	.write = write_json,
};

const struct renderer render_jsonl = {
	.name = "jsonl",
	.needs_callers = true,
	.write = write_jsonl,
};
