/* SPDX-License-Identifier: Apache-2.0 */
#include "recording/feature_write.h"

#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"

static void add_u32(struct str *out, uint32_t v)
{
	str_add_bytes(out, &v, sizeof(v));
}

static void add_u64(struct str *out, uint64_t v)
{
	str_add_bytes(out, &v, sizeof(v));
}

void writer_add_attr(struct str *out, const struct writer_event *ev)
{
	struct perf_event_attr attr = ev->attr;

	attr.build_id = 1;
	str_add_bytes(out, &attr, sizeof(attr));
}

/* u32 length with padding to 64, the bytes, zeros: perf's do_write_string(). */
static void add_feature_string(struct str *out, const char *s)
{
	static const char zeros[64];
	size_t len = strnlen(s, 4096) + 1, padded = (len + 63) & ~(size_t)63;

	add_u32(out, (uint32_t)padded);
	str_add_bytes(out, s, len - 1);
	str_add_bytes(out, zeros, padded - len + 1);
}

static void add_hostname(struct str *out, const struct writer_config *c, bool is_pipe)
{
	struct utsname u;

	(void)c;
	(void)is_pipe;
	uname(&u);
	add_feature_string(out, u.nodename);
}

static void add_os_release(struct str *out, const struct writer_config *c, bool is_pipe)
{
	struct utsname u;

	(void)c;
	(void)is_pipe;
	uname(&u);
	add_feature_string(out, u.release);
}

static void add_version(struct str *out, const struct writer_config *c, bool is_pipe)
{
	(void)c;
	(void)is_pipe;
	add_feature_string(out, WPERF_VERSION);
}

static void add_arch(struct str *out, const struct writer_config *c, bool is_pipe)
{
	struct utsname u;

	(void)c;
	(void)is_pipe;
	uname(&u);
	add_feature_string(out, u.machine);
}

static void add_nr_cpus(struct str *out, const struct writer_config *c, bool is_pipe)
{
	(void)c;
	(void)is_pipe;
	add_u32(out, (uint32_t)sysconf(_SC_NPROCESSORS_CONF));
	add_u32(out, (uint32_t)sysconf(_SC_NPROCESSORS_ONLN));
}

static void add_cmdline(struct str *out, const struct writer_config *c, bool is_pipe)
{
	/* In the pipe form the feature is a record, and must fit one: 12 strings do. */
	int nr = is_pipe && c->argc > 12 ? 12 : c->argc, i;

	add_u32(out, (uint32_t)nr);
	for (i = 0; i < nr; i++)
		add_feature_string(out, c->argv[i]);
}

static void add_event_desc(struct str *out, const struct writer_config *c, bool is_pipe)
{
	size_t i, j;

	add_u32(out, (uint32_t)c->nr_events);
	add_u32(out, sizeof(struct perf_event_attr));
	for (i = 0; i < c->nr_events; i++) {
		const struct writer_event *ev = &c->events[i];
		/* The pipe form has the ids in its HEADER_ATTR, and a record has no room for many. */
		size_t nr_ids = is_pipe ? 0 : ev->ids.nr;

		writer_add_attr(out, ev);
		add_u32(out, (uint32_t)nr_ids);
		add_feature_string(out, ev->name);
		for (j = 0; j < nr_ids; j++)
			add_u64(out, ev->ids.at[j]);
	}
}

static void add_clockid(struct str *out, const struct writer_config *c, bool is_pipe)
{
	struct timespec ts;

	(void)c;
	(void)is_pipe;
	clock_getres(CLOCK_MONOTONIC, &ts);
	add_u64(out, (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec);
}

/* u32 version, u32 clock id, u64 wall clock, u64 clock: the same moment on both clocks. */
static void add_clock_data(struct str *out, const struct writer_config *c, bool is_pipe)
{
	uint64_t clock_ns, wall_ns;

	(void)c;
	(void)is_pipe;
	clocks_ns(&clock_ns, &wall_ns);
	add_u32(out, 1);
	add_u32(out, CLOCK_MONOTONIC);
	add_u64(out, wall_ns);
	add_u64(out, clock_ns);
}

static const struct {
	enum perf_feature feature;
	void (*add)(struct str *out, const struct writer_config *c, bool is_pipe);
} feature_table[] = {
	{ FEATURE_HOSTNAME, add_hostname },   { FEATURE_OSRELEASE, add_os_release },
	{ FEATURE_VERSION, add_version },     { FEATURE_ARCH, add_arch },
	{ FEATURE_NRCPUS, add_nr_cpus },      { FEATURE_CMDLINE, add_cmdline },
	{ FEATURE_EVENT_DESC, add_event_desc }, { FEATURE_CLOCKID, add_clockid },
	{ FEATURE_CLOCK_DATA, add_clock_data },
};

size_t feature_write_nr(void)
{
	return ARRAY_LEN(feature_table);
}

enum perf_feature feature_write_number(size_t i)
{
	return feature_table[i].feature;
}

void feature_write(size_t i, const struct writer_config *c, bool is_pipe, struct str *out)
{
	feature_table[i].add(out, c, is_pipe);
}
