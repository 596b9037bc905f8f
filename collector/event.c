/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/event.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "base/vec.h"
#include "collector/kernel_number.h"
#include "collector/pfm.h"

/* perf's spellings of the generic events that libpfm4 spells otherwise. */
static const struct {
	const char *name;
	uint32_t type;
	uint64_t config;
} perf_names[] = {
	{ "cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES },
	{ "cpu-cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES },
	{ "instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS },
	{ "cache-references", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_REFERENCES },
	{ "cache-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES },
	{ "branches", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_INSTRUCTIONS },
	{ "branch-instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_INSTRUCTIONS },
	{ "branch-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES },
	{ "bus-cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BUS_CYCLES },
	{ "ref-cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_REF_CPU_CYCLES },
	{ "stalled-cycles-frontend", PERF_TYPE_HARDWARE, PERF_COUNT_HW_STALLED_CYCLES_FRONTEND },
	{ "stalled-cycles-backend", PERF_TYPE_HARDWARE, PERF_COUNT_HW_STALLED_CYCLES_BACKEND },
	{ "cpu-clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK },
	{ "task-clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK },
	{ "page-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS },
	{ "faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS },
	{ "minor-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MIN },
	{ "major-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MAJ },
	{ "context-switches", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES },
	{ "cs", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES },
	{ "cpu-migrations", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS },
	{ "migrations", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS },
	{ "alignment-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_ALIGNMENT_FAULTS },
	{ "emulation-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_EMULATION_FAULTS },
};

#define MAX_PRECISE "/sys/bus/event_source/devices/cpu/caps/max_precise"

/* "p" for each step of precision, "P" for as much as the CPU has. */
static unsigned int precision(const char *modifier)
{
	unsigned int nr = 0;

	if (strchr(modifier, 'P'))
		nr = (unsigned int)kernel_number(MAX_PRECISE, 0);
	else
		for (; *modifier; modifier++)
			nr += *modifier == 'p';
	return nr < 3 ? nr : 3;
}

/*
 * perf's modifiers, for the names that are taken from the table above: u, k, h (the hypervisor), p,
 * pp, ppp, P; and H, the host, which is all that we sample. Software events have one precision, and
 * perf takes any for them.
 */
static bool apply_modifier(const char *modifier, struct perf_event_attr *attr)
{
	bool user = strchr(modifier, 'u'), kernel = strchr(modifier, 'k');
	bool hypervisor = strchr(modifier, 'h');

	if (strspn(modifier, "ukhpPH") != strlen(modifier))
		return false;
	if (user || kernel || hypervisor) {
		attr->exclude_user = !user;
		attr->exclude_kernel = !kernel;
		attr->exclude_hv = !hypervisor;
	}
	if (attr->type != PERF_TYPE_SOFTWARE)
		attr->precise_ip = precision(modifier) & 3;
	return true;
}

/* "cycles" and "cycles:u" */
static bool is_named(const char *name, const char *event)
{
	size_t len = strlen(event);

	return !strncmp(name, event, len) && (!name[len] || name[len] == ':');
}

static bool parse_perf_name(const char *name, struct perf_event_attr *attr)
{
	size_t len = strcspn(name, ":"), i;

	for (i = 0; i < ARRAY_LEN(perf_names); i++) {
		if (!is_named(name, perf_names[i].name))
			continue;
		attr->type = perf_names[i].type;
		attr->config = perf_names[i].config;
		return apply_modifier(name[len] ? name + len + 1 : "", attr);
	}
	return false;
}

/* rHEX: the CPU's own event code, as perf writes it. */
static bool parse_raw(const char *name, struct perf_event_attr *attr)
{
	char *end;

	if (name[0] != 'r' || !isxdigit((unsigned char)name[1]))
		return false;
	attr->config = strtoull(name + 1, &end, 16);
	attr->type = PERF_TYPE_RAW;
	return !*end || (*end == ':' && apply_modifier(end + 1, attr));
}

struct suggestion {
	char *name;
	unsigned int distance;
};

static int by_distance(const void *a, const void *b)
{
	const struct suggestion *x = a, *y = b;

	return x->distance != y->distance ? (x->distance > y->distance) - (x->distance < y->distance) :
					    strcmp(x->name, y->name);
}

static char *lower_with_dashes(const char *s)
{
	char *copy = xstrdup(s), *p;

	for (p = copy; *p; p++)
		*p = *p == '_' ? '-' : (char)tolower((unsigned char)*p);
	return copy;
}

/* why: NULL where there is nothing particular to it. */
static int no_such_event(const char *name, const char *why, struct err *e)
{
	enum { NR_SHOWN = 5 };
	VEC(struct suggestion) all = { 0 };
	char *wanted = lower_with_dashes(name);
	struct str list = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(perf_names); i++)
		vec_push(&all, (struct suggestion){ xstrdup(perf_names[i].name),
						    str_distance(wanted, perf_names[i].name) });
	qsort(all.at, all.nr, sizeof(all.at[0]), by_distance);
	for (i = 0; i < all.nr && i < NR_SHOWN; i++)
		str_addf(&list, "%s%s", i ? ", " : "", all.at[i].name);
	err_set(e, -ENOENT, "no event '%s': %s", name,
		why ? why : "not a name that libpfm4 or perf's list has");
	err_remedy(e, "The nearest: %s; libpfm4's names for this CPU work too.", str_cstr(&list));
	vec_each(&all, s)
		free(s->name);
	vec_release(&all);
	str_release(&list);
	free(wanted);
	return e->code;
}

static bool is_perf_name(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(perf_names); i++)
		if (is_named(name, perf_names[i].name))
			return true;
	return false;
}

/* "sched:sched_switch" */
static bool looks_like_tracepoint(const char *name)
{
	static const char word[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	size_t system = strspn(name, word);

	return system && name[system] == ':' && name[system + 1] &&
	       !name[system + 1 + strspn(name + system + 1, word)];
}

/* Where tracefs is mounted libpfm4 has tracepoints; but the samples' filter cannot go with them. */
static bool can_be_sampled(const struct perf_event_attr *attr)
{
	return attr->type != PERF_TYPE_TRACEPOINT &&
	       !(attr->type == PERF_TYPE_SOFTWARE && (attr->config == PERF_COUNT_SW_DUMMY ||
						      attr->config == PERF_COUNT_SW_BPF_OUTPUT));
}

/* What perf knows and we do not, as far as its form tells; else NULL. */
static const char *why_not(const char *name)
{
	if (is_named(name, "dummy") || is_named(name, "bpf-output"))
		return "it counts nothing that could be sampled";
	if (strchr(name, '/'))
		return "terms of a PMU are not taken; a raw code is, as rHEX";
	if (is_perf_name(name))
		return "its modifiers are u, k, h, p, P and H";
	if (looks_like_tracepoint(name))
		return "no name that libpfm4 or perf's list has; "
		       "tracepoints (of tracefs) cannot be sampled yet";
	return NULL;
}

int event_parse(const char *name, struct perf_event_attr *attr, struct err *e)
{
	int err;

	if (parse_perf_name(name, attr) || parse_raw(name, attr))
		return 0;
	err = pfm_event(name, attr, e);
	if (err == -ELIBACC)
		return err;
	return !err && can_be_sampled(attr) ? 0 : no_such_event(name, why_not(name), e);
}

bool event_is_clock(const struct perf_event_attr *attr)
{
	return attr->type == PERF_TYPE_SOFTWARE && (attr->config == PERF_COUNT_SW_CPU_CLOCK ||
						    attr->config == PERF_COUNT_SW_TASK_CLOCK);
}

int event_check_period(const struct perf_event_attr *attr, uint64_t period, struct err *e)
{
	if (!event_is_clock(attr) || period >= EVENT_MIN_CLOCK_PERIOD_NS)
		return 0;
	err_set(e, -EINVAL, "-c %llu: a clock gives a sample every %d ns at most",
		(unsigned long long)period, EVENT_MIN_CLOCK_PERIOD_NS);
	return err_remedy(e, "Take -c %d or more, or another event with -e.",
			  EVENT_MIN_CLOCK_PERIOD_NS);
}

const char *event_default(struct perf_event_attr *attr)
{
	struct perf_event_attr probe = {
		.size = sizeof(probe),
		.type = PERF_TYPE_HARDWARE,
		.config = PERF_COUNT_HW_CPU_CYCLES,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.sample_period = 1000000,
	};
	int fd = (int)syscall(SYS_perf_event_open, &probe, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd >= 0) {
		close(fd);
		attr->type = PERF_TYPE_HARDWARE;
		attr->config = PERF_COUNT_HW_CPU_CYCLES;
		return "cycles";
	}
	attr->type = PERF_TYPE_SOFTWARE;
	attr->config = PERF_COUNT_SW_CPU_CLOCK;
	return "cpu-clock";
}

uint64_t event_max_freq_hz(void)
{
	return (uint64_t)kernel_number(KERNEL_SAMPLE_RATE_MAX, 0);
}
