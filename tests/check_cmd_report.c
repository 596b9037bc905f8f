/* SPDX-License-Identifier: Apache-2.0 */
/* The commands as a whole: options, files, messages, exit status. Numbers are check_profile.c's. */
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "report/cmd_report.h"
#include "report/cmd_requests.h"
#include "report/endpoint.h"
#include "report/output.h"
#include "tests/harness.h"
#include "tests/recording_builder.h"
#include "tests/sketch.h"

Suite *check_cmd_report_suite(void);

typedef int command_fn(int argc, char **argv);

/* Runs it on the words of the line, its stderr in `err`. */
static int run_line(command_fn *command, const char *line, struct str *err)
{
	char *words = xstrdup(line), *rest = words, *argv[32], *word;
	const char *path = harness_path("stderr");
	int argc = 0, status, saved = dup(STDERR_FILENO);

	while ((word = strsep(&rest, " ")) != NULL)
		argv[argc++] = word;
	argv[argc] = NULL;
	fflush(stderr);
	ck_assert_ptr_nonnull(freopen(path, "w", stderr));
	status = command(argc, argv);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	log_set_level(LOG_NORMAL);
	str_clear(err);
	harness_read(path, err);
	free(words);
	return status;
}

/* Three requests of two endpoints on one thread, the last unfinished; 8 samples, 6 in requests. */
static const char *make_recording(const char *name)
{
	const char *path = harness_path(name);
	struct recording_builder b;
	uint64_t ms = 1000000, code = 0x10000;

	builder_init(&b, NULL);
	builder_marker(&b, 1, MARKER_HAS_LABEL, "handle");
	builder_comm(&b, 0, 10, 10, "server", false);
	builder_mmap(&b, 0, 10, code, 0x1000, 0, "//anon");
	builder_perf_map(&b, 10, "10000 100 work\n10100 100 main\n");
	builder_sample(&b, 100 * ms, 10, 10, (uint64_t[]){ code + 0x110 }, 1);
	builder_begin(&b, 101 * ms, 10, 10, 1, "/user/17");
	builder_sample(&b, 102 * ms, 10, 10, (uint64_t[]){ code + 0x10, code + 0x110 }, 2);
	builder_sample(&b, 103 * ms, 10, 10, (uint64_t[]){ code + 0x10, code + 0x110 }, 2);
	builder_end(&b, 104 * ms, 10, 10, 1);
	builder_begin(&b, 105 * ms, 10, 10, 1, "/list");
	builder_sample(&b, 106 * ms, 10, 10, (uint64_t[]){ code + 0x110 }, 1);
	builder_end(&b, 115 * ms, 10, 10, 1);
	builder_sample(&b, 116 * ms, 10, 10, (uint64_t[]){ code + 0x110 }, 1);
	builder_begin(&b, 117 * ms, 10, 10, 1, "/user/18");
	builder_sample(&b, 118 * ms, 10, 10, (uint64_t[]){ code + 0x10, code + 0x110 }, 2);
	builder_sample(&b, 119 * ms, 10, 10, (uint64_t[]){ code + 0x10, code + 0x110 }, 2);
	builder_sample(&b, 120 * ms, 10, 10, (uint64_t[]){ code + 0x10, code + 0x110 }, 2);
	builder_write(&b, path);
	builder_release(&b);
	return path;
}

static const struct {
	command_fn *command;
	const char *line;
	const char *what;	/* in the message, which begins with "wperf: " */
	int status;
} errors[] = {
	{ cmd_report, "report --nonsense", "unknown option --nonsense", 2 },
	{ cmd_report, "report --formt json", "Options like it: format", 2 },
	{ cmd_report, "report -Z", "unknown option -Z", 2 },
	{ cmd_report, "report --formt=json", "unknown option --formt\n", 2 },
	{ cmd_report, "report --no-inline=1", "report: option --no-inline takes no value\n", 2 },
	{ cmd_report, "report --no", "It could be: --no-inline, --no-demangle.", 2 },
	{ cmd_report, "report -vx", "unknown option -x\n", 2 },
	{ cmd_report, "report -q=1", "option -q takes no value\n", 2 },
	{ cmd_report, "report -o --", "needs an argument, and -- is none\n", 2 },
	{ cmd_report, "report --sort", "needs an argument", 2 },
	{ cmd_report, "report -s", "needs an argument", 2 },
	{ cmd_report, "report file.data", "A recording is named with -i", 2 },
	{ cmd_report, "report --by colour", "One of: endpoint, request", 2 },
	{ cmd_report, "report --kernel no", "One of: show, fold, hide", 2 },
	{ cmd_report, "report --format pprof", "pprof: it is not in this version\nOne of", 2 },
	{ cmd_report, "report --format jsno", "jsno: no such format\nOne of: table, json, js", 2 },
	{ cmd_report, "report --filename-format {id}",
	  "--filename-format: no files are written\nName their folder with --profile-dir", 2 },
	{ cmd_report, "report --profile-dir /no/such/dir", "cannot make the folder /no/such/dir: No", 2 },
	{ cmd_report, "report --profile-dir /dev/null --filename-format {pid}",
	  "no {pid}\nThe fields are {method}, {path}, {elapsed}, {time}, {status}, {id}.", 2 },
	{ cmd_report, "report --sort colour", "colour", 2 },
	{ cmd_report, "report --restrict (", "(", 2 },
	{ cmd_report, "report --path (", "(", 2 },
	{ cmd_report, "report --slower-than soon", "soon", 2 },
	{ cmd_report, "report --slowest none", "none", 2 },
	{ cmd_report, "report --path-pattern user", "user", 2 },
	{ cmd_report, "report -i /no/such/wperf.data", "/no/such/wperf.data: No such file", 2 },
	{ cmd_report, "report -i /no/such/wperf.data", "wperf record", 2 },
	{ cmd_report, "report -i /", "directories", 2 },
	{ cmd_report, "report -i /dev/null", "recording is empty", 2 },
	{ cmd_requests, "requests --sort size", "One of: begin, elapsed, cpu, path", 2 },
	{ cmd_requests, "requests --format pstats", "One of: table, json, jsonl", 2 },
	{ cmd_requests, "requests -i /no/such/wperf.data", "No such file", 2 },
	{ cmd_requests, "requests --by thread", "unknown option --by", 2 },
};

START_TEST(command_says_what_is_wrong)
{
	struct str err = { 0 };

	ck_assert_int_eq(run_line(errors[_i].command, errors[_i].line, &err), errors[_i].status);
	ck_assert_has(&err, errors[_i].what);
	ck_assert(str_starts(str_cstr(&err), "wperf: "));
	str_release(&err);
}
END_TEST

/* Runs the command on the recording, and reads what it wrote with -o. */
static int run_on(command_fn *command, const char *options, struct str *out, struct str *err)
{
	const char *out_path = harness_path("out");
	char *line = xasprintf("%s -i %s -o %s%s%s", command == cmd_report ? "report" : "requests",
			       make_recording("rec"), out_path, *options ? " " : "", options);
	int status = run_line(command, line, err);

	str_clear(out);
	if (!status)
		harness_read(out_path, out);
	free(line);
	return status;
}

static const struct {
	command_fn *command;
	const char *options;
	const char *has[5];
	const char *lacks;
} runs[] = {
	{ cmd_report,
	  "",
	  { "PATH: '/user/{id}'", "PATH: '/list'", "PATH: '(outside)'", "//anon:0(work)",
	    "5 samples in 0.005 seconds" },
	  NULL },
	{ cmd_report, "--by none", { "'(all)'", "8 samples" }, "(outside)" },
	{ cmd_report, "--path /list", { "PATH: '/list'", "1 sample in" }, "/user" },
	{ cmd_report, "--path-raw", { "'/user/17'", "'/user/18'" }, "{id}" },
	{ cmd_report, "--path-pattern /user/{name}", { "'/user/{name}'" }, "{id}" },
	{ cmd_report, "--path-raw --path-pattern /user/{name}", { "'/user/{name}'" }, "'/user/1" },
	{ cmd_report, "--path-pattern /{x} --path-raw", { "'/user/17'", "'/{x}'" }, "{id}" },
	{ cmd_report, "--slowest 1", { "PATH: '/list'" }, "/user" },
	{ cmd_report, "--root work", { "(work)" }, "(main)" },
	{ cmd_report,
	  "--by none -s cumulative --restrict 1",
	  { "(main)", "cumulative time" },
	  "(work)" },
	{ cmd_report, "--format json", { "\"wperf\"", "\"/user/{id}\"" }, NULL },
	{ cmd_report,
	  "--format folded",
	  { "/list;main 1000000\n", "/user/{id};main;work 5000000\n", "(outside);main 2000000\n" },
	  "#" },
	{ cmd_report, "--by none --format folded", { "main;work 5000000\n", "main 3000000\n" }, "/list" },
	{ cmd_report,
	  "--by request --format folded",
	  { "/user/{id} #1;main;work 2000000\n", "/list #2;main 1000000\n", "(outside);main 2000000\n" },
	  NULL },
	{ cmd_report, "--root work --format folded", { "/user/{id};work 5000000\n" }, "main" },
	{ cmd_report,
	  "--by request --format json",
	  { "\"id\": 1, \"begin\": 0.001",
	    "\"id\": null, \"begin\": null, \"end\": null, \"thread\": null" },
	  "\"status\": {}" },
	{ cmd_requests, "", { "on-CPU~", "+0.001000", "3.0 ms", "2.0 ms", "/user/17" }, NULL },
	{ cmd_requests, "--sort elapsed --slowest 1", { "10.0 ms", "/list" }, "/user" },
	{ cmd_requests, "--summary", { "p99", "/user/{id}", "/list" }, "/user/17" },
	{ cmd_requests, "--summary --path-raw --path-pattern /user/{name}", { "  /user/{name}\n" }, "/user/1" },
	{ cmd_requests, "--summary --sort path", { "max", "/list" }, NULL },
	{ cmd_requests, "--format jsonl --path user", { "\"endpoint\":\"/user/{id}\"" }, "/list" },
};

START_TEST(command_reports)
{
	struct str out = { 0 }, err = { 0 };
	size_t i;

	ck_assert_int_eq(run_on(runs[_i].command, runs[_i].options, &out, &err), 0);
	for (i = 0; i < ARRAY_LEN(runs[_i].has) && runs[_i].has[i]; i++)
		ck_assert_has(&out, runs[_i].has[i]);
	if (runs[_i].lacks)
		ck_assert_msg(!strstr(str_cstr(&out), runs[_i].lacks), "'%s' is in: %s",
			      runs[_i].lacks, str_cstr(&out));
	str_release(&out);
	str_release(&err);
}
END_TEST

static const char *const json_lines[] = { "", "--summary", "--path nothing",
					  "--summary --path nothing" };

START_TEST(command_writes_json_that_parses)
{
	char *options = xasprintf("--format json%s%s", *json_lines[_i] ? " " : "", json_lines[_i]);
	struct str out = { 0 }, err = { 0 };
	json_error_t why;
	json_t *json;

	ck_assert_int_eq(run_on(cmd_requests, options, &out, &err), 0);
	json = json_loadb(out.s, out.len, 0, &why);
	ck_assert_msg(json != NULL, "%s: %s", why.text, str_cstr(&out));
	ck_assert_int_eq(json_integer_value(json_object_get(json, "wperf")), 1);
	json_decref(json);
	str_release(&out);
	str_release(&err);
	free(options);
}
END_TEST

/* Counts of an event, in a report and in a list: both say of which. */
START_TEST(command_names_what_is_no_time)
{
	static const char *const formats[] = { "table", "json", "jsonl" };
	struct perf_event_attr cycles = { .type = PERF_TYPE_HARDWARE,
					  .config = PERF_COUNT_HW_CPU_CYCLES,
					  .freq = 1,
					  .sample_freq = 1000 };
	const char *rec = harness_path("cycles"), *out_path = harness_path("out");
	struct str out = { 0 }, err = { 0 };
	struct recording_builder b;
	size_t i;

	builder_init(&b, &cycles);
	builder_marker(&b, 1, 0, "handle");
	builder_begin(&b, 1, 10, 10, 1, NULL);
	b.period = 7654321;
	builder_sample(&b, 2, 10, 10, (uint64_t[]){ 0x1000 }, 1);
	builder_end(&b, 3, 10, 10, 1);
	builder_write(&b, rec);
	builder_release(&b);
	for (i = 0; i < 2 * ARRAY_LEN(formats); i++) {
		bool is_report = i % 2;
		char *line = xasprintf("%s -i %s -o %s --format %s",
				       is_report ? "report" : "requests", rec, out_path,
				       formats[i / 2]);

		ck_assert_int_eq(run_line(is_report ? cmd_report : cmd_requests, line, &err), 0);
		str_clear(&out);
		harness_read(out_path, &out);
		ck_assert_has(&out, "7654321");
		ck_assert_has(&out, "cycles");
		free(line);
	}
	str_release(&out);
	str_release(&err);
}
END_TEST

START_TEST(command_is_quiet_when_told)
{
	struct str out = { 0 }, err = { 0 };

	ck_assert_int_eq(run_on(cmd_report, "", &out, &err), 0);
	ck_assert_has(&err, "6 of 8 samples in requests");
	ck_assert_msg(!strstr(str_cstr(&err), ".prof"), "%s", str_cstr(&err));
	ck_assert_int_eq(run_on(cmd_report, "--format pstats", &out, &err), 0);
	ck_assert_has(&err, "calls that nobody counted are 0 in a .prof");
	ck_assert_int_eq(run_on(cmd_report, "-q", &out, &err), 0);
	ck_assert_str_eq(str_cstr(&err), "");
	str_release(&out);
	str_release(&err);
}
END_TEST

START_TEST(command_writes_to_both)
{
	struct str out = { 0 }, copy = { 0 }, err = { 0 };
	char *options = xasprintf("--tee %s", harness_path("copy"));

	ck_assert_int_eq(run_on(cmd_report, options, &out, &err), 0);
	harness_read(harness_path("copy"), &copy);
	ck_assert_str_eq(str_cstr(&out), str_cstr(&copy));
	ck_assert_uint_gt(out.len, 100);
	free(options);
	ck_assert_int_eq(run_on(cmd_report, "--tee /no/such/dir/file", &out, &err), 2);
	ck_assert_has(&err, "/no/such/dir/file");
	ck_assert_int_eq(run_on(cmd_report, "--tee /dev/full", &out, &err), 2);
	ck_assert_has(&err, "No space left");
	str_release(&out);
	str_release(&copy);
	str_release(&err);
}
END_TEST

static void list_dir(const char *path, struct str *ret_list)
{
	struct run r = { 0 };

	run_shell(&r, "cd '%s' && for f in *; do printf '%%s ' \"$f\"; done", path);
	ck_assert_exit(&r, 0);
	str_clear(ret_list);
	str_add(ret_list, str_cstr(&r.out));
	run_release(&r);
}

static const struct {
	const char *options, *files, *says;
} profile_dirs[] = {
	{ "", "-.list.10ms.-.prof -.user.17.3ms.-.prof -.user.18.-ms.-.prof ",
	  "wperf: 3 requests in " },
	{ "--by request --filename-format {id}-{path}", "1-user.17 2-list 3-user.18 ",
	  "wperf: 3 requests in " },
	{ "--by process --filename-format {path:.4}", "list user user.3 ", "wperf: 3 requests in " },
	{ "--path /list --filename-format x", "x ", "wperf: 1 request in " },
	{ "--slowest 1 --filename-format {elapsed}", "10.0 ", "wperf: 1 request in " },
	{ "--path nothing", "* ", "wperf: 0 requests in " },
	{ "--root work --filename-format {id}", "1 3 ", "wperf: 2 requests in " },
};

/* And what is printed is what would be printed without. */
START_TEST(command_writes_a_file_a_request)
{
	const char *options = profile_dirs[_i].options, *dir = harness_path("profiles");
	struct str out = { 0 }, plain = { 0 }, err = { 0 }, files = { 0 };
	char *more = xasprintf("--profile-dir %s%s%s", dir, *options ? " " : "", options);
	const char *by = strstr(options, "--filename-format");
	char *less = xstrndup(options, by && by > options ? (size_t)(by - options - 1) :
						     by ? 0 : strlen(options));

	ck_assert_int_eq(run_on(cmd_report, more, &out, &err), 0);
	ck_assert_has(&err, profile_dirs[_i].says);
	list_dir(dir, &files);
	ck_assert_str_eq(str_cstr(&files), profile_dirs[_i].files);
	ck_assert_int_eq(run_on(cmd_report, less, &plain, &err), 0);
	ck_assert_str_eq(str_cstr(&out), str_cstr(&plain));
	free(more);
	free(less);
	str_release(&out);
	str_release(&plain);
	str_release(&err);
	str_release(&files);
}
END_TEST

/* A file of a request holds what its table does, and all of them what there is in requests. */
START_TEST(files_of_requests_add_up)
{
	struct str out = { 0 }, err = { 0 };
	char *options = xasprintf("--profile-dir %s", harness_path("profiles"));
	struct run r = { 0 };

	ck_assert_int_eq(run_on(cmd_report, options, &out, &err), 0);
	run_shell(&r, "python3 tests/prof_referee.py '%s'/*.prof | sed 1,/^all$/d", harness_path("profiles"));
	ck_assert_exit(&r, 0);
	/* 5 samples of work, called by main, and one of main, each a millisecond. */
	ck_assert_has(&r.out, "//anon\t0\tmain\t0\t0\t0x1.0624dd2f1a9fcp-10\t0x1.89374bc6a7ef");
	ck_assert_has(&r.out, "//anon\t0\twork\t0\t0\t0x1.47ae147ae147");
	ck_assert_has(&r.out, "< //anon\t0\tmain\t0\t0\t0x1.47ae147ae147");
	free(options);
	run_release(&r);
	str_release(&out);
	str_release(&err);
}
END_TEST

/* At every length, the part that is there is reported, or the message says why not. */
START_TEST(command_reports_what_is_left_of_a_recording)
{
	const char *cut_path = harness_path("cut"), *out_path = harness_path("out");
	struct str whole = { 0 }, err = { 0 };
	char *line = xasprintf("report -i %s -o %s", cut_path, out_path);
	size_t len, nr_good = 0;

	harness_read(make_recording("rec"), &whole);
	for (len = 0; len < whole.len; len += 13) {
		int status;

		harness_file("cut", whole.s, len);
		status = run_line(cmd_report, line, &err);
		ck_assert(status == 0 || status == 2);
		ck_assert(str_starts(str_cstr(&err), "wperf: "));
		if (!status)
			ck_assert_has(&err, "truncated");
		nr_good += !status;
	}
	ck_assert_uint_gt(nr_good, 30);
	free(line);
	str_release(&whole);
	str_release(&err);
}
END_TEST

/* What was read is reported, and who goes by the exit status knows that it is not all. */
START_TEST(command_fails_where_its_input_cannot_be_read_to_the_end)
{
	command_fn *const commands[] = { cmd_report, cmd_requests };
	const char *const lines[] = { "report -q -i - --format json -o %s", "requests -q -i - --format json -o %s" };
	const char *path = harness_path("out");
	char *line = xasprintf(lines[_i], path);
	struct str out = { 0 }, err = { 0 };
	struct sketch s = { 0 };
	json_t *json;
	int fd;

	sketch_everything(&s, true);
	fd = harness_reset_socket(s.bytes.s, s.bytes.len - 4);
	ck_assert_int_eq(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	close(fd);
	ck_assert_int_eq(run_line(commands[_i], line, &err), 2);
	ck_assert_has(&err, "wperf: stdin: cannot be read from offset ");
	ck_assert_has(&err, ": Connection reset by peer; this is about what stands before\n");
	harness_read(path, &out);
	json = json_loadb(out.s, out.len, 0, NULL);
	ck_assert_ptr_nonnull(json);
	ck_assert(_i || json_is_true(json_object_get(json_object_get(json, "recording"), "truncated")));
	json_decref(json);
	free(line);
	str_release(&out);
	str_release(&err);
	sketch_release(&s);
}
END_TEST

START_TEST(command_says_what_to_do_about_compression)
{
	struct perf_event_attr attr = sketch_attr();
	struct sketch s = { 0 };
	struct str err = { 0 };
	char *line, *want;

	sketch_file(&s, &attr, 1);
	sketch_begin(&s, PERF_RECORD_COMPRESSED, 0);
	sketch_u64(&s, 0);
	sketch_end(&s);
	sketch_finish(&s, NULL, 0);
	line = xasprintf("report -i %s", harness_file("in.data", s.bytes.s, s.bytes.len));
	want = xasprintf("wperf: %s: the recording is compressed\n"
			 "perf record makes one that is not, without -z.\n", harness_path("in.data"));
	ck_assert_int_eq(run_line(cmd_report, line, &err), 2);
	ck_assert_str_eq(str_cstr(&err), want);
	free(line);
	free(want);
	str_release(&err);
	sketch_release(&s);
}
END_TEST

START_TEST(command_reports_what_stands_before_corruption)
{
	const char *cut_path = harness_path("corrupt"), *out_path = harness_path("out");
	struct str whole = { 0 }, out = { 0 }, err = { 0 };
	char *line = xasprintf("report -i %s -o %s", cut_path, out_path);

	harness_read(make_recording("rec"), &whole);
	/* The last sample says that it has more addresses than it can hold. */
	memset(whole.s + whole.len - 32, 0x7f, 8);
	harness_file("corrupt", whole.s, whole.len);
	ck_assert_int_eq(run_line(cmd_report, line, &err), 0);
	ck_assert_has(&err, "at offset");
	harness_read(out_path, &out);
	ck_assert_has(&out, "PATH: '/list'");
	free(line);
	str_release(&whole);
	str_release(&out);
	str_release(&err);
}
END_TEST

/* Names and mappings were read, but nothing that a report could be about. */
START_TEST(command_refuses_what_nothing_can_be_read_of)
{
	static const char talk[] = "what a program said in the middle of the stream, by lines\n";
	const char *path = harness_path("damaged");
	char *line = xasprintf("report -i %s", path);
	struct recording_builder b;
	struct str err = { 0 };

	builder_init(&b, NULL);
	builder_marker(&b, 1, MARKER_HAS_LABEL, "handle");
	builder_comm(&b, 0, 10, 10, "server", false);
	str_add(&b.bytes, talk);
	builder_sample(&b, 100, 10, 10, (uint64_t[]){ 0x1000 }, 1);
	builder_write(&b, path);
	ck_assert_int_eq(run_line(cmd_report, line, &err), 2);
	ck_assert_has(&err, "/damaged: the recording is corrupt");
	builder_release(&b);
	str_release(&err);
	free(line);
}
END_TEST

/* One request, which begins 1 us after the recording. */
static const char *make_one_request(const char *name, uint64_t ms, const char *label)
{
	const char *path = harness_path(name);
	struct recording_builder b;

	builder_init(&b, NULL);
	builder_marker(&b, 1, MARKER_HAS_LABEL, "handle");
	builder_sample(&b, ms * 1000000, 10, 10, (uint64_t[]){ 0x1000 }, 1);
	builder_begin(&b, ms * 1000000 + 1000, 10, 10, 1, label);
	builder_end(&b, ms * 1000000 + 2000, 10, 10, 1);
	builder_write(&b, path);
	builder_release(&b);
	return path;
}

START_TEST(command_sorts_requests_of_all_inputs_by_begin)
{
	const char *late = make_one_request("late", 300, "/late");
	const char *early = make_one_request("early", 100, "/early");
	char *line = xasprintf("requests -i %s -i %s -o %s", late, early, harness_path("out"));
	struct str out = { 0 }, err = { 0 };
	const char *first;

	ck_assert_int_eq(run_line(cmd_requests, line, &err), 0);
	harness_read(harness_path("out"), &out);
	first = strstr(str_cstr(&out), "+0.000001");
	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_nonnull(strstr(first, "/early\n"));
	ck_assert_ptr_nonnull(strstr(strstr(first, "/early\n"), "+0.200001"));
	free(line);
	str_release(&out);
	str_release(&err);
}
END_TEST

/* The recording stays what it is, by whatever name it is about to be overwritten. */
START_TEST(command_does_not_destroy_its_input)
{
	static const char *const lines[] = { "report -i %s -o %s", "report -i %s --tee %s",
					     "requests -i %s -o %s",
					     "report -i /dev/null -i %s -o %s" };
	const char *rec = make_recording("rec"), *alias = harness_path("alias");
	struct str before = { 0 }, after = { 0 }, err = { 0 };
	char *line = NULL;

	if (_i < (int)ARRAY_LEN(lines)) {
		ck_assert_int_eq(symlink(rec, alias), 0);
		ck_assert_int_ge(asprintf(&line, lines[_i], rec, alias), 0);
	} else {
		line = xasprintf("report -i %s -o %s", rec, rec);
	}
	harness_read(rec, &before);
	ck_assert_int_eq(run_line(_i == 2 ? cmd_requests : cmd_report, line, &err), 2);
	ck_assert_has(&err, "it is the recording that is read\n");
	harness_read(rec, &after);
	ck_assert_uint_eq(before.len, after.len);
	ck_assert_mem_eq(before.s, after.s, before.len);
	free(line);
	str_release(&before);
	str_release(&after);
	str_release(&err);
}
END_TEST

#define FULL_STDOUT "wperf: cannot write to stdout: No space left on device\n"

static const struct {
	const char *line, *says;
	int status;
} lost_outputs[] = {
	{ "report -q -i rec > /dev/full", FULL_STDOUT, 2 },
	{ "report -q -i rec --format json > /dev/full", FULL_STDOUT, 2 },
	{ "requests -q -i rec -o /dev/full",
	  "wperf: cannot write /dev/full: No space left on device\n", 2 },
	{ "report -q -i rec >&-", "wperf: cannot write to stdout: it is closed\n", 2 },
	{ "report --help > /dev/full", FULL_STDOUT, 2 },
	{ "--help > /dev/full", FULL_STDOUT, 2 },
	{ "--version >&-", "wperf: cannot write to stdout: it is closed\n", 2 },
	{ "probes -p $$ '*' > /dev/full", FULL_STDOUT, 2 },
	{ "", "wperf: no command: what is to be done?\nwperf --help lists the commands.\n", 2 },
	{ "nonsense", "wperf: nonsense: no such command\nwperf --help lists them.\n", 2 },
};

START_TEST(output_that_is_lost_is_an_error)
{
	struct run r = { .dir = harness_path("") };

	make_recording("rec");
	run_shell(&r, "\"$WPERF\" %s", lost_outputs[_i].line);
	ck_assert_str_eq(str_cstr(&r.out), "");
	ck_assert_str_eq(str_cstr(&r.err), lost_outputs[_i].says);
	ck_assert_exit(&r, lost_outputs[_i].status);
	run_release(&r);
}
END_TEST

/* Whoever reads our pipe has had enough: no error, and --tee is written. */
START_TEST(reader_that_went_away_is_no_error)
{
	static const char *const formats[] = { "table", "json", "jsonl", "pstats" };
	struct run r = { .dir = harness_path("") };
	struct str copy = { 0 };

	make_recording("rec");
	run_shell(&r,
		  "{ sleep 0.2; \"$WPERF\" report -q -i rec --format %s --tee copy; echo $? >&2; } "
		  "| true",
		  formats[_i]);
	ck_assert_str_eq(str_cstr(&r.err), "0\n");
	harness_read(harness_path("copy"), &copy);
	ck_assert_uint_gt(copy.len, 100);
	str_release(&copy);
	run_release(&r);
}
END_TEST

static int write_word(const void *self, FILE *out, struct err *e)
{
	(void)e;
	fputs(self, out);
	return 0;
}

/* Of a file that is a FIFO it is one, and not the end of us. */
START_TEST(reader_of_a_fifo_that_went_away_is_an_error)
{
	struct err e = { 0 };
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	close(ends[0]);
	ck_assert_int_eq(output_write_last(ends[1], "fifo", write_word, "word", &e), -EPIPE);
	ck_assert_str_eq(e.what, "cannot write fifo: Broken pipe");
}
END_TEST

/* Letters alone are nobody's id: /page/aaaa and so on. */
static void add_word(struct str *b, size_t nr)
{
	size_t i;

	for (i = 0; i < 4; i++, nr /= 26)
		str_add_char(b, (char)('a' + nr % 26));
}

static void add_exchange(struct recording_builder *b, uint64_t time, const char *method, const char *path)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	struct socket_mark m = { .conn = 5, .ns = time, .cpu_ns = time, .kind = SOCKET_IN };
	struct str ask = { 0 };

	str_addf(&ask, "%s %s HTTP/1.1\r\n\r\n", method, path);
	m.bytes = ask.len;
	builder_socket_mark(b, time, 10, 10, m, ask.s, ask.len);
	m = (struct socket_mark){ .conn = 5, .ns = time + 1, .cpu_ns = time + 1, .kind = SOCKET_OUT };
	m.bytes = sizeof(answer) - 1;
	builder_socket_mark(b, time + 1, 10, 10, m, answer, sizeof(answer) - 1);
	str_release(&ask);
}

/* No order is left to chance: of what weighs the same, and has one path, the method says. */
START_TEST(methods_of_a_path_have_an_order)
{
	static const char *const methods[] = { "POST", "PUT", "GET", "DELETE", "PATCH" };
	char *line = xasprintf("report -q -i %s -o %s --format jsonl", harness_path("methods"), harness_path("out"));
	struct str out = { 0 }, err = { 0 }, order = { 0 };
	struct recording_builder b;
	char *rest, *it;
	size_t i;

	builder_init(&b, NULL);
	builder_marker(&b, 0, MARKER_IS_SOCKETS, "");
	for (i = 0; i < ARRAY_LEN(methods); i++)
		add_exchange(&b, 10 + 3 * i, methods[i], "/a");
	builder_write(&b, harness_path("methods"));
	ck_assert_int_eq(run_line(cmd_report, line, &err), 0);
	harness_read(harness_path("out"), &out);
	for (rest = out.s; (it = strsep(&rest, "\n")) != NULL && *it;) {
		json_t *o = json_loads(it, 0, NULL);

		str_addf(&order, "%s ", json_string_value(json_object_get(o, "method")));
		json_decref(o);
	}
	ck_assert_str_eq(str_cstr(&order), "DELETE GET PATCH POST PUT ");
	free(line);
	builder_release(&b);
	str_release(&order);
	str_release(&out);
	str_release(&err);
}
END_TEST

enum { NR_PATHS = 100000, NR_USERS = 1000 };

/* So many different paths on one connection; each hundredth is that of a user, by a number. */
static const char *make_many_paths(const char *name)
{
	const char *file = harness_path(name);
	struct recording_builder b;
	struct str path = { 0 };
	size_t i;

	builder_init(&b, NULL);
	builder_marker(&b, 0, MARKER_IS_SOCKETS, "");
	for (i = 0; i < NR_PATHS; i++) {
		str_clear(&path);
		str_add(&path, "/page/");
		add_word(&path, i);
		if (i % (NR_PATHS / NR_USERS) == 0) {
			str_clear(&path);
			str_addf(&path, "/user/%zu", i);
		}
		add_exchange(&b, 10 + 3 * i, "GET", str_cstr(&path));
		if (i % 100 == 0)
			builder_round(&b);
	}
	builder_write(&b, file);
	builder_release(&b);
	str_release(&path);
	return file;
}

static const struct {
	command_fn *command;
	const char *line;
} many_paths[] = {
	{ cmd_report, "report --format jsonl --restrict 3" },
	{ cmd_requests, "requests --summary --format jsonl" },
	{ cmd_requests, "requests --summary --slowest 200000 --format jsonl" },
};

static uint64_t count_of(json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

/* Those of a pattern are one; of the others the first come are kept apart, and all are counted. */
START_TEST(command_puts_many_paths_together)
{
	char *line = xasprintf("%s -i %s -o %s", many_paths[_i].line, make_many_paths("many"),
			       harness_path("out")), *rest, *it;
	struct str out = { 0 }, err = { 0 };
	uint64_t nr_lines = 0, nr_requests = 0, nr_users = 0, nr_other = 0;

	ck_assert_int_eq(run_line(many_paths[_i].command, line, &err), 0);
	harness_read(harness_path("out"), &out);
	rest = out.s;
	while ((it = strsep(&rest, "\n")) != NULL && *it) {
		json_t *o = json_loads(it, 0, NULL);
		const char *path = json_string_value(json_object_get(o, "path"));

		ck_assert_ptr_nonnull(path);
		nr_lines++;
		nr_requests += count_of(o, "requests");
		nr_users += strcmp(path, "/user/{id}") ? 0 : count_of(o, "requests");
		nr_other += strcmp(path, "(other)") ? 0 : count_of(o, "requests");
		json_decref(o);
	}
	ck_assert_uint_eq(nr_lines, ENDPOINTS_MAX + 1);
	ck_assert_uint_eq(nr_requests, NR_PATHS);
	ck_assert_uint_eq(nr_users, NR_USERS);
	ck_assert_uint_eq(nr_other, NR_PATHS - NR_USERS - (ENDPOINTS_MAX - 1));
	ck_assert_has(&err, "wperf: 89001 requests are in (other): more endpoints came than are kept apart\n");
	free(line);
	str_release(&out);
	str_release(&err);
}
END_TEST

START_TEST(command_merges_inputs)
{
	const char *rec = make_recording("rec"), *out_path = harness_path("out");
	char *line = xasprintf("report -i %s -i %s --by none -o %s", rec, rec, out_path);
	struct str out = { 0 }, err = { 0 };

	ck_assert_int_eq(run_line(cmd_report, line, &err), 0);
	harness_read(out_path, &out);
	ck_assert_has(&out, "16 samples in 0.016 seconds");
	free(line);
	str_release(&out);
	str_release(&err);
}
END_TEST

/* What is made of several does not have the name of the first. */
START_TEST(command_names_all_inputs)
{
	static const char *const formats[] = { "json", "flamegraph", "speedscope" };
	const char *first = make_recording("first"), *second = make_recording("second");
	const char *out_path = harness_path("out");
	char *line = xasprintf("report -i %s -i %s --format %s -o %s", first, second, formats[_i], out_path);
	char *names = xasprintf("%s, %s", first, second);
	struct str out = { 0 }, err = { 0 };

	ck_assert_int_eq(run_line(cmd_report, line, &err), 0);
	harness_read(out_path, &out);
	ck_assert_has(&out, names);
	free(names);
	free(line);
	str_release(&out);
	str_release(&err);
}
END_TEST

Suite *check_cmd_report_suite(void)
{
	Suite *s = suite_create("cmd_report");
	TCase *tc = tcase_create("cmd_report"), *referee = tcase_create("referee");

	/* Of recordings of many requests, which a machine with much else to do takes its time for. */
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, command_says_what_is_wrong, 0, ARRAY_LEN(errors));
	tcase_add_loop_test(tc, command_reports, 0, ARRAY_LEN(runs));
	tcase_add_loop_test(tc, command_writes_json_that_parses, 0, ARRAY_LEN(json_lines));
	tcase_add_test(tc, command_names_what_is_no_time);
	tcase_add_loop_test(tc, command_names_all_inputs, 0, 3);
	tcase_add_test(tc, command_is_quiet_when_told);
	tcase_add_test(tc, command_writes_to_both);
	tcase_add_loop_test(tc, command_writes_a_file_a_request, 0, ARRAY_LEN(profile_dirs));
	tcase_add_test(tc, command_reports_what_is_left_of_a_recording);
	tcase_add_loop_test(tc, command_fails_where_its_input_cannot_be_read_to_the_end, 0, 2);
	tcase_add_test(tc, command_says_what_to_do_about_compression);
	tcase_add_test(tc, command_reports_what_stands_before_corruption);
	tcase_add_test(tc, command_refuses_what_nothing_can_be_read_of);
	tcase_add_test(tc, command_sorts_requests_of_all_inputs_by_begin);
	tcase_add_loop_test(tc, command_does_not_destroy_its_input, 0, 5);
	tcase_add_loop_test(tc, output_that_is_lost_is_an_error, 0, ARRAY_LEN(lost_outputs));
	tcase_add_loop_test(tc, reader_that_went_away_is_no_error, 0, 4);
	tcase_add_test(tc, reader_of_a_fifo_that_went_away_is_an_error);
	tcase_add_test(tc, methods_of_a_path_have_an_order);
	tcase_add_loop_test(tc, command_puts_many_paths_together, 0, ARRAY_LEN(many_paths));
	tcase_add_test(tc, command_merges_inputs);
	suite_add_tcase(s, tc);
	tcase_set_timeout(referee, 60);
	tcase_add_test(referee, files_of_requests_add_up);
	if (!system("python3 -c 'import pstats' >/dev/null 2>&1"))
		suite_add_tcase(s, referee);
	else
		harness_omit(s, "referee", "python3 with pstats is not here");
	return s;
}
