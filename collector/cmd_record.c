/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/cmd_record.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cmdline.h"
#include "base/log.h"
#include "base/str.h"
#include "base/streams.h"
#include "base/units.h"
#include "collector/event.h"
#include "collector/recorder.h"
#include "collector/spec.h"

enum {
	DEFAULT_FREQ_HZ = 999,
	DEFAULT_MAX_OVERHEAD_PCT = 10,
	/*
	 * All user stacks of nginx, Redis, PostgreSQL and Flask under load fit into 8 KiB. node needs 24:
	 * libuv's loop has an array of 12 KiB on its stack. See docs/ARCHITECTURE.md for the numbers.
	 */
	DEFAULT_STACK_BYTES = 24 * 1024,
	/* The size of a record is a u16, and the rest of it takes some, too. */
	MAX_STACK_BYTES = 63 * 1024,
};

static const char usage[] =
	"Usage: wperf record [options] -p PID[,PID...] [-- COMMAND]\n"
	"       wperf record [options] -- COMMAND [ARG...]\n"
	"\n"
	"Samples processes and writes a recording for wperf report (and perf report).\n"
	"\n"
	"  -p, --pid PID,...      these processes, their threads, and the children they have and will have\n"
	"  -- COMMAND             without -p: start it and record it to its end; with -p: stop when it ends\n"
	"      --duration SECONDS stop after that long; SIGINT, SIGTERM and the target's end stop too\n"
	"  -o, --output FILE      default wperf.data (an old one becomes wperf.data.old); - is a pipe stream\n"
	"  -F, --freq HZ          samples a second and CPU, default 999; max: the kernel's limit\n"
	"  -c, --count N          a sample every N events instead\n"
	"  -e, --event NAME       what to sample by: cycles where the CPU counts them, else cpu-clock\n"
	"      --call-graph MODE  auto (unwind info, frame pointers where there is none), fp, none,\n"
	"                         or dwarf[,BYTES]: auto with that much of the stack, default 24K\n"
	"      --marker SPEC      where requests begin and end:\n"
	"                           auto (default): socket, where that is allowed\n"
	"                           socket[:PORT], http[:PORT]: what is asked and answered there\n"
	"                           func:FUNCTION[@MODULE][,label=argN:str]\n"
	"                           begin=PROBE,end=PROBE[,label=argN:str][,id=argN]\n"
	"                             PROBE: FUNCTION[@MODULE][%return] or usdt:PROVIDER:NAME\n"
	"                           none\n"
	"      --calls PATTERN[@MODULE]\n"
	"                         count every call of these functions exactly; a glob: 'parse_*@libfoo.so*'\n"
	"                         python: all of Python's, and time them\n"
	"      --max-overhead PCT of the target's CPU time that counting may take, default 10 (of Python: 100):\n"
	"                         the hottest functions, or all of Python's, are not counted any more then\n"
	"      --max-size BYTES   stop at that size (K, M, G)\n"
	"  -m, --mmap-pages N     size of a CPU's ring: pages (a power of two), or bytes with K, M\n"
	"      --no-progress      no line on a terminal that says how far it is\n"
	"  -v, --verbose          say what is decided; -vv: more\n"
	"  -q, --quiet            errors only\n"
	"  -h, --help\n";

struct options {
	struct recorder_config config;
	VEC(const char *) markers, calls;
	const char *event;
	bool has_freq, has_count;
};

static int parse_stack_bytes(const char *text, struct options *o, struct err *e)
{
	uint64_t bytes;

	if (!parse_bytes(text, &bytes) || !bytes || bytes > MAX_STACK_BYTES) {
		err_set(e, -EINVAL, "--call-graph dwarf,%s: not a size from 8 to %u", text, MAX_STACK_BYTES);
		return err_remedy(e, "That many bytes of the stack are copied with each sample.");
	}
	o->config.sampler.stack_bytes = (uint32_t)(bytes + 7) / 8 * 8;
	return 0;
}

static int parse_call_graph(const char *mode, struct options *o, struct err *e)
{
	bool is_unwound = !strcmp(mode, "auto") || !strcmp(mode, "dwarf");

	o->config.sampler.has_chains = !strcmp(mode, "fp");
	o->config.sampler.stack_bytes = is_unwound ? DEFAULT_STACK_BYTES : 0;
	if (is_unwound || !strcmp(mode, "fp") || !strcmp(mode, "none"))
		return 0;
	if (str_starts(mode, "dwarf,"))
		return parse_stack_bytes(mode + strlen("dwarf,"), o, e);
	return err_set(e, -EINVAL, "--call-graph %s: neither auto, fp, dwarf nor none", mode);
}

static int parse_mmap_pages(const char *text, struct options *o, struct err *e)
{
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE), pages, bytes;
	size_t power = 1;

	if (!parse_u64(text, 1, 1 << 20, &pages)) {
		if (!text[strspn(text, "0123456789")] || !parse_bytes(text, &bytes) || !bytes || bytes > 1ULL << 32)
			return err_set(e, -EINVAL, "-m %s: neither pages nor a size", text);
		pages = (bytes + page_bytes - 1) / page_bytes;
	}
	while (power < pages)
		power *= 2;
	o->config.sampler.mmap_pages = power;
	return 0;
}

static int bad_number(const char *option, const char *text, struct err *e)
{
	return err_set(e, -EINVAL, "%s %s: not a number that it takes", option, text);
}

/* "10", "2.5", "10%". */
static bool parse_pct(const char *text, double *ret_pct)
{
	char *end;
	double pct = strtod(text, &end);

	if (end == text || !(pct >= 0 && pct <= 100) || (*end && strcmp(end, "%")))
		return false;
	*ret_pct = pct;
	return true;
}

static int parse_freq(const char *text, uint64_t *ret_hz, struct err *e)
{
	if (strcmp(text, "max"))
		return parse_u64(text, 1, INT64_MAX, ret_hz) ? 0 : bad_number("-F", text, e);
	*ret_hz = event_max_freq_hz();
	if (*ret_hz)
		return 0;
	return err_set(e, -ENOENT, "-F max: kernel.perf_event_max_sample_rate says nothing");
}

enum { OPT_DURATION = 256, OPT_CALL_GRAPH, OPT_MARKER, OPT_CALLS, OPT_MAX_OVERHEAD, OPT_MAX_SIZE, OPT_NO_PROGRESS };

static const struct option long_options[] = {
	{ "pid", required_argument, NULL, 'p' },
	{ "duration", required_argument, NULL, OPT_DURATION },
	{ "output", required_argument, NULL, 'o' },
	{ "freq", required_argument, NULL, 'F' },
	{ "count", required_argument, NULL, 'c' },
	{ "event", required_argument, NULL, 'e' },
	{ "call-graph", required_argument, NULL, OPT_CALL_GRAPH },
	{ "marker", required_argument, NULL, OPT_MARKER },
	{ "calls", required_argument, NULL, OPT_CALLS },
	{ "max-overhead", required_argument, NULL, OPT_MAX_OVERHEAD },
	{ "max-size", required_argument, NULL, OPT_MAX_SIZE },
	{ "mmap-pages", required_argument, NULL, 'm' },
	{ "no-progress", no_argument, NULL, OPT_NO_PROGRESS },
	{ "verbose", no_argument, NULL, 'v' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int parse_option(int opt, struct options *o, struct err *e)
{
	struct recorder_config *c = &o->config;

	switch (opt) {
	case 'p':
		return pids_parse(&c->pids, optarg, e);
	case OPT_DURATION:
		return parse_time_ns(optarg, &c->duration_ns) && c->duration_ns ?
			       0 : bad_number("--duration", optarg, e);
	case 'o':
		c->output = optarg;
		return 0;
	case 'F':
		o->has_freq = true;
		return parse_freq(optarg, &c->sampler.freq_hz, e);
	case 'c':
		o->has_count = true;
		return parse_u64(optarg, 1, INT64_MAX, &c->sampler.period) ? 0 : bad_number("-c", optarg, e);
	case 'e':
		o->event = optarg;
		return 0;
	case OPT_CALL_GRAPH:
		return parse_call_graph(optarg, o, e);
	case OPT_MARKER:
		vec_push(&o->markers, optarg);
		return 0;
	case OPT_CALLS:
		vec_push(&o->calls, optarg);
		return 0;
	case OPT_MAX_OVERHEAD:
		if (!parse_pct(optarg, &c->counting.max_overhead_pct))
			return bad_number("--max-overhead", optarg, e);
		c->counting.max_python_overhead_pct = c->counting.max_overhead_pct;
		return 0;
	case OPT_MAX_SIZE:
		return parse_bytes(optarg, &c->max_bytes) && c->max_bytes ?
			       0 : bad_number("--max-size", optarg, e);
	case 'm':
		return parse_mmap_pages(optarg, o, e);
	case OPT_NO_PROGRESS:
		c->has_no_progress = true;
		return 0;
	case 'v':
		log_set_level(log_level() + 1);
		return 0;
	case 'q':
		log_set_level(LOG_QUIET);
		c->is_quiet = true;
		return 0;
	default:
		return err_set(e, -EINVAL, "see wperf record --help");
	}
}

/* What is left of argv behind "--" is the command. */
static int parse_command(int argc, char **argv, struct options *o, struct err *e)
{
	struct recorder_config *c = &o->config;

	if (optind < argc) {
		if (strcmp(argv[optind - 1], "--"))
			return err_set(e, -EINVAL, "record %s: a command stands behind --", argv[optind]);
		c->command = argv + optind;
	}
	c->command_is_target = c->command && !c->pids.at.nr;
	if (c->command || c->pids.at.nr)
		return 0;
	err_set(e, -EINVAL, "record: nothing to record");
	return err_remedy(e, "Name a process with -p PID, or a command: wperf record -- COMMAND");
}

/* Who asks for no marks asks for no others. */
static int check_none(const struct options *o, struct err *e)
{
	const char *other = NULL;
	bool has_none = false;

	vec_each(&o->markers, text) {
		if (!strcmp(*text, "none"))
			has_none = true;
		else
			other = *text;
	}
	return has_none && other ? err_set(e, -EINVAL, "record: --marker none and --marker %s exclude each other", other) : 0;
}

/* Where nothing is said, it is auto; none marks nothing. */
static void choose_markers(struct options *o)
{
	size_t i = 0;

	if (!o->markers.nr)
		vec_push(&o->markers, "auto");
	while (i < o->markers.nr)
		if (!strcmp(o->markers.at[i], "none"))
			vec_remove(&o->markers, i, 1);
		else
			i++;
	/* Counts come the way that marks do. */
	o->config.sampler.has_marks = o->markers.nr > 0 || o->calls.nr > 0;
	vec_push(&o->markers, NULL);
	o->config.marker_specs = o->markers.at;
	vec_push(&o->calls, NULL);
	o->config.counting.specs = o->calls.at;
}

/* Threads become their processes, and each process is there once: twice would count its time twice. */
static int check_pids(struct pids *pids, struct err *e)
{
	struct pids processes = { 0 };
	int err = 0;

	vec_each(&pids->at, pid) {
		err = process_check(pid, e);
		if (err)
			break;
		if (!pids_has(&processes, *pid))
			vec_push(&processes.at, *pid);
	}
	pids_release(pids);
	*pids = processes;
	return err;
}

/* As far as that is known ahead of the target's files: see marker_check_repeat(). */
static int check_repeat(const struct marker_spec *specs, size_t nr, struct err *e)
{
	const struct marker_spec *last = &specs[nr - 1];
	size_t i;

	for (i = 0; i + 1 < nr; i++)
		if (marker_spec_repeats(last, &specs[i]))
			return marker_spec_refuse(last, &specs[i], e);
	return 0;
}

/* The recorder parses them again; but what is wrong with them should cost nothing. */
static int check_markers(const struct options *o, struct err *e)
{
	VEC(struct marker_spec) specs = { 0 };
	const char *const *text;
	int err = 0;

	for (text = o->config.marker_specs; !err && *text; text++) {
		struct marker_spec spec;

		err = marker_spec_parse(*text, &spec, e);
		if (err)
			break;
		vec_push(&specs, spec);
		err = check_repeat(specs.at, specs.nr, e);
	}
	vec_each(&specs, spec)
		marker_spec_release(spec);
	vec_release(&specs);
	return err;
}

static int check_stdout(struct err *e)
{
	if (isatty(STDOUT_FILENO)) {
		err_set(e, -EINVAL, "-o -: stdout is a terminal");
		return err_remedy(e, "Pipe it: wperf record -o - -p PID | wperf report -i -");
	}
	if (streams_is_stdout_closed())
		return err_set(e, -EBADF, "-o -: stdout is closed");
	return 0;
}

static int check_options(struct options *o, struct err *e)
{
	struct recorder_config *c = &o->config;
	int err;

	if (o->has_freq && o->has_count)
		return err_set(e, -EINVAL, "record: -F and -c exclude each other");
	if (!o->has_freq && !o->has_count)
		c->sampler.freq_hz = DEFAULT_FREQ_HZ;
	err = check_none(o, e);
	if (!err && !strcmp(c->output, "-"))
		err = check_stdout(e);
	if (!err)
		err = proc_check(e);
	if (!err)
		err = check_pids(&c->pids, e);
	choose_markers(o);
	return err ? err : check_markers(o, e);
}

static int choose_event(struct options *o, struct err *e)
{
	struct sampler_config *s = &o->config.sampler;
	int err = 0;

	if (o->event) {
		s->event_name = o->event;
		err = event_parse(o->event, &s->event, e);
	} else {
		s->event_name = event_default(&s->event);
		o->config.is_default_event = true;
	}
	if (!err && o->has_count)
		err = event_check_period(&s->event, s->period, e);
	return err;
}

int cmd_record(int argc, char **argv)
{
	struct options o = { .config = { .output = "wperf.data", .argc = argc, .argv = argv } };
	struct err e = { 0 };
	const struct cmdline line = { "record", "+p:o:F:c:e:m:vqh", long_options };
	int opt, err = 0, status;

	o.config.sampler.stack_bytes = DEFAULT_STACK_BYTES;
	o.config.counting.max_overhead_pct = DEFAULT_MAX_OVERHEAD_PCT;
	o.config.counting.max_python_overhead_pct = 100;
	optind = 0;
	while (!err && (opt = cmdline_next(&line, argc, argv, &e)) != 0) {
		if (opt == 'h') {
			fputs(usage, stdout);
			goto out;
		}
		err = opt < 0 ? opt : parse_option(opt, &o, &e);
	}
	if (!err)
		err = parse_command(argc, argv, &o, &e);
	if (!err)
		err = check_options(&o, &e);
	if (!err)
		err = choose_event(&o, &e);
out:
	status = err ? (int)err_exit_status(&e) : 0;
	if (!err && opt != 'h')
		status = recorder_run(&o.config, &e);
	if (e.code)
		err_print(&e, stderr);
	pids_release(&o.config.pids);
	vec_release(&o.markers);
	vec_release(&o.calls);
	return status;
}
