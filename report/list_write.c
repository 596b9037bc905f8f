/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list as a table or JSON. Columns, one line a request:
 *
 *	     begin    elapsed    on-CPU~  samples     thread  status  request
 *	 +0.001234     3.2 ms     2.1 ms        2       4711     200  GET /user/17
 *
 * On-CPU time is exact where the request's marks bring it; of one of these without an end, or that waited with those of
 * other endpoints, it is not known, and "-" stands there, as for all that is not known; a tilde before an endpoint's
 * says that such are among its requests. Else it is sampled, which a tilde says, too: nothing shorter than the interval
 * between samples can be seen in it. It is the title's where none is exact.
 */
#include <inttypes.h>

#include "base/str.h"
#include "base/units.h"
#include "report/json_text.h"
#include "report/list.h"
#include "report/profile.h"
#include "report/render.h"

static double since_begin(const struct request_list *l, uint64_t ns)
{
	return (double)(int64_t)(ns - l->begin_ns) / (double)NS_PER_SEC;
}

/* ---- table ---- */

/* Right-aligned in width columns, with a space before. */
static void add_column(struct str *b, int width, const char *text)
{
	str_addf(b, " %*s", width, text);
}

static void add_count(struct str *b, int width, uint64_t nr)
{
	str_addf(b, " %*" PRIu64, width, nr);
}

static void add_marked_seconds(struct str *b, int width, const char *mark, double seconds)
{
	struct str text = { 0 };

	str_add(&text, mark);
	/* No unit reads best for nothing. */
	if (seconds > 0)
		str_add_duration(&text, seconds);
	else
		str_add_char(&text, '0');
	add_column(b, width, str_cstr(&text));
	str_release(&text);
}

static void add_seconds(struct str *b, int width, bool is_known, double seconds)
{
	if (is_known)
		add_marked_seconds(b, width, "", seconds);
	else
		add_column(b, width, "-");
}

static void add_sampled(struct str *b, const struct request_list *l, int width, const char *mark, uint64_t weight)
{
	if (list_is_time(l))
		add_marked_seconds(b, width, mark, (double)weight * l->seconds_per_weight);
	else
		add_count(b, width, weight);
}

/* mark: before what is exact; NULL: it is not known. Counts of an event do not stand among times. */
static void add_cpu(struct str *b, const struct request_list *l, int width, bool is_exact, const char *mark,
		    uint64_t cpu_ns, uint64_t weight)
{
	if (!l->has_cpu)
		add_sampled(b, l, width, "", weight);
	else if (is_exact && mark)
		add_marked_seconds(b, width, mark, (double)cpu_ns / (double)NS_PER_SEC);
	else if (is_exact || !list_is_time(l))
		add_column(b, width, "-");
	else
		add_sampled(b, l, width, "~", weight);
}

static void add_name(struct str *b, const struct request_list *l, uint32_t method, uint32_t path)
{
	const struct strings *text = l->strings;

	str_add(b, "  ");
	if (strings_len(text, method)) {
		str_add_visible(b, strings_text(text, method), strings_len(text, method));
		str_add_char(b, ' ');
	}
	str_add_visible(b, strings_text(text, path), strings_len(text, path));
	str_add_char(b, '\n');
}

/* What the on-CPU column is called: its unit, which a recording may call anything, where that is no time. */
static void add_cpu_title(struct str *b, const struct request_list *l)
{
	const char *name = l->has_cpu || list_is_time(l) ? "on-CPU" : l->unit, *mark = l->has_cpu ? "" : "~";
	int left = 11 - (int)strlen(mark);
	struct str shown = { 0 };
	size_t len = 0;

	str_add_visible(&shown, name, strlen(name));
	for (; len < shown.len && left; left--)
		len += utf8_len(shown.s + len, shown.len - len);
	str_addf(b, "%*s%.*s%s", left, "", (int)len, str_cstr(&shown), mark);
	str_release(&shown);
}

static void add_request(struct str *b, const struct request_list *l, const struct request *r)
{
	char text[32];

	snprintf(text, sizeof(text), "%+.6f", since_begin(l, r->begin_ns));
	str_addf(b, "%12s", text);
	add_seconds(b, 10, !r->is_unfinished, (double)request_elapsed_ns(r) / (double)NS_PER_SEC);
	add_cpu(b, l, 11, r->has_cpu, request_is_cpu_known(r) ? "" : NULL, r->cpu_ns, r->weight);
	add_count(b, 8, r->nr_samples);
	add_count(b, 10, r->begin_tid);
	snprintf(text, sizeof(text), "%" PRIu32, r->status);
	add_column(b, 7, r->status ? text : "-");
	add_name(b, l, r->method, r->raw_path);
}

static void write_table(const struct request_list *l, FILE *out)
{
	struct str line = { 0 };

	add_cpu_title(&line, l);
	fprintf(out, "%12s %10s %s %8s %10s %7s  request\n", "begin", "elapsed", str_cstr(&line), "samples",
		"thread", "status");
	vec_each(&l->requests, r) {
		str_clear(&line);
		add_request(&line, l, r);
		fwrite(line.s, 1, line.len, out);
	}
	str_release(&line);
}

static const double quantiles[] = { 0.5, 0.9, 0.99, 1 };
static const char *const quantile_names[] = { "p50", "p90", "p99", "max" };

static double mean_seconds(const struct endpoint_line *line)
{
	return durations_mean_ns(&line->elapsed) / (double)NS_PER_SEC;
}

static double quantile_seconds(const struct endpoint_line *line, double q)
{
	return (double)durations_quantile_ns(&line->elapsed, q) / (double)NS_PER_SEC;
}

/* Of those of its requests of which it is known. */
static const char *cpu_mark(const struct endpoint_line *line)
{
	if (!line->nr_cpu)
		return NULL;
	return line->nr_cpu_shared ? "~" : "";
}

static void add_endpoint(struct str *b, const struct request_list *l,
			 const struct endpoint_line *line)
{
	bool is_known = line->elapsed.nr > 0;
	size_t i;

	str_addf(b, "%8" PRIu64, line->elapsed.nr);
	add_count(b, 10, line->nr_unfinished);
	add_seconds(b, 10, is_known, mean_seconds(line));
	for (i = 0; i < ARRAY_LEN(quantiles); i++)
		add_seconds(b, 10, is_known, quantile_seconds(line, quantiles[i]));
	add_cpu(b, l, 11, !line->nr_without_cpu, cpu_mark(line), line->cpu_ns, line->weight);
	add_count(b, 8, line->nr_samples);
	add_name(b, l, line->method, line->path);
}

static void write_summary_table(const struct request_list *l, FILE *out)
{
	struct str text = { 0 };

	add_cpu_title(&text, l);
	fprintf(out, "%8s %10s %10s %10s %10s %10s %10s %s %8s  endpoint\n", "requests",
		"unfinished", "mean", "p50", "p90", "p99", "max", str_cstr(&text), "samples");
	vec_each(&l->endpoints, line) {
		str_clear(&text);
		add_endpoint(&text, l, line);
		fwrite(text.s, 1, text.len, out);
	}
	str_release(&text);
}

/* ---- JSON ---- */

static json_t *text_of(const struct request_list *l, uint32_t id)
{
	return json_text(strings_text(l->strings, id), strings_len(l->strings, id));
}

static json_t *known_text_of(const struct request_list *l, uint32_t id)
{
	return strings_len(l->strings, id) ? text_of(l, id) : json_null();
}

/* As in a report's JSON: counts of an event say of which. */
static void add_weight_to(json_t *o, const struct request_list *l, uint64_t weight)
{
	json_object_set_new(o, "time", list_is_time(l) ?
					       json_number((double)weight * l->seconds_per_weight) :
					       json_integer((json_int_t)weight));
	if (!list_is_time(l))
		json_object_set_new(o, "unit", json_text(l->unit, strlen(l->unit)));
}

static json_t *cpu_of(bool is_known, uint64_t cpu_ns)
{
	return is_known ? json_number((double)cpu_ns / (double)NS_PER_SEC) : json_null();
}

static json_t *request_object(const struct request_list *l, const struct request *r)
{
	json_t *o = json_object();

	json_object_set_new(o, "id", json_integer((json_int_t)r->id));
	json_object_set_new(o, "timestamp", json_time_of_day(r->begin_epoch_ns));
	json_object_set_new(o, "begin", json_number(since_begin(l, r->begin_ns)));
	json_object_set_new(
		o, "elapsed",
		r->is_unfinished ? json_null()
				 : json_number((double)request_elapsed_ns(r) / (double)NS_PER_SEC));
	json_object_set_new(o, "cpu", cpu_of(r->has_cpu && request_is_cpu_known(r), r->cpu_ns));
	add_weight_to(o, l, r->weight);
	json_object_set_new(o, "samples", json_integer((json_int_t)r->nr_samples));
	json_object_set_new(o, "pid", json_integer(r->begin_pid));
	json_object_set_new(o, "thread", json_integer(r->begin_tid));
	json_object_set_new(o, "status", r->status ? json_integer(r->status) : json_null());
	json_object_set_new(o, "method", known_text_of(l, r->method));
	json_object_set_new(o, "path", text_of(l, r->raw_path));
	json_object_set_new(o, "endpoint", text_of(l, r->path));
	return o;
}

static json_t *endpoint_object(const struct request_list *l, const struct endpoint_line *line)
{
	json_t *o = json_object(), *elapsed = json_object();
	bool is_known = line->elapsed.nr > 0;
	size_t i;

	json_object_set_new(elapsed, "mean",
			    is_known ? json_number(mean_seconds(line)) : json_null());
	for (i = 0; i < ARRAY_LEN(quantiles); i++)
		json_object_set_new(elapsed, quantile_names[i],
				    is_known ? json_number(quantile_seconds(line, quantiles[i])) :
					       json_null());
	json_object_set_new(o, "path", text_of(l, line->path));
	json_object_set_new(o, "method", known_text_of(l, line->method));
	json_object_set_new(o, "requests", json_integer((json_int_t)line->elapsed.nr));
	json_object_set_new(o, "unfinished", json_integer((json_int_t)line->nr_unfinished));
	json_object_set_new(o, "elapsed", elapsed);
	json_object_set_new(o, "cpu", cpu_of(line->nr_cpu && !line->nr_without_cpu && !line->nr_cpu_shared, line->cpu_ns));
	add_weight_to(o, l, line->weight);
	json_object_set_new(o, "samples", json_integer((json_int_t)line->nr_samples));
	return o;
}

/* Writes the object and gives it back. 12 digits say a nanosecond of a quarter of an hour. */
static void dump(json_t *o, FILE *out, const char *before, const char *after)
{
	fputs(before, out);
	json_text_write(o, out, JSON_REAL_PRECISION(12) | JSON_COMPACT);
	fputs(after, out);
	json_decref(o);
}

/* ---- both ---- */

int list_write(const struct request_list *l, enum list_format format, FILE *out, struct err *e)
{
	if (format == LIST_TABLE)
		write_table(l, out);
	if (format == LIST_JSON)
		fputs("{\"wperf\":1,\"requests\":[", out);
	if (format != LIST_TABLE)
		vec_each(&l->requests, r)
			dump(request_object(l, r), out,
			     format == LIST_JSONL ? "" : r == l->requests.at ? "\n" : ",\n",
			     format == LIST_JSONL ? "\n" : "");
	if (format == LIST_JSON)
		fputs("\n]}\n", out);
	return render_finish(out, e);
}

int list_write_summary(struct request_list *l, enum list_format format, FILE *out, struct err *e)
{
	if (format == LIST_TABLE)
		write_summary_table(l, out);
	if (format == LIST_JSON)
		fputs("{\"wperf\":1,\"endpoints\":[", out);
	if (format != LIST_TABLE)
		vec_each(&l->endpoints, it)
			dump(endpoint_object(l, it), out,
			     format == LIST_JSONL ? "" : it == l->endpoints.at ? "\n" : ",\n",
			     format == LIST_JSONL ? "\n" : "");
	if (format == LIST_JSON)
		fputs("\n]}\n", out);
	return render_finish(out, e);
}
