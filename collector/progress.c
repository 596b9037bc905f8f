/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/progress.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "base/units.h"

/* To the line's begin, and clear it (ECMA-48: CSI K). */
#define CLEAR_LINE "\r\033[K"

static double seconds_of(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

/* User and system time of all our threads. */
static double own_cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

static double elapsed_seconds(const struct progress *p, uint64_t now_ns)
{
	return (double)(now_ns - p->begin_ns) / 1e9;
}

/* Of one CPU. */
static double own_cpu_pct(const struct progress *p, uint64_t now_ns)
{
	/* A nanosecond more: a recording may be over as soon as it has begun. */
	return 100 * (own_cpu_seconds() - p->own_cpu_s_at_begin) / elapsed_seconds(p, now_ns + 1);
}

void progress_begin(struct progress *p)
{
	p->own_cpu_s_at_begin = own_cpu_seconds();
}

/* Of the terminal; what does not fit would stay there as a line of its own. */
static int room_in_line(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || !size.ws_col ? INT_MAX : size.ws_col - 1;
}

void progress_show(struct progress *p, uint64_t now_ns)
{
	const struct drain *d = p->drain;
	struct str line = { 0 };

	if (!p->is_on_terminal || now_ns < p->next_ns)
		return;
	p->next_ns = now_ns + NS_PER_SEC;
	str_addf(&line, "%.0f s, %llu samples, ", elapsed_seconds(p, now_ns), (unsigned long long)d->nr_samples);
	if (p->has_markers)
		str_addf(&line, "%s%llu requests, ", p->is_estimate ? "~" : "", (unsigned long long)d->nr_requests);
	str_addf(&line, "%llu lost, own CPU %.1f %%", (unsigned long long)d->nr_lost, own_cpu_pct(p, now_ns));
	fprintf(stderr, CLEAR_LINE "%.*s", room_in_line(), str_cstr(&line));
	fflush(stderr);
	str_release(&line);
}

void progress_end(struct progress *p, uint64_t now_ns)
{
	p->end_ns = now_ns;
	p->own_cpu_pct_at_end = own_cpu_pct(p, now_ns);
}

void progress_summarize(const struct progress *p, const char *output, uint64_t nr_bytes,
			bool is_full, bool is_cut)
{
	const struct drain *d = p->drain;
	struct str size = { 0 }, requests = { 0 };

	if (p->is_on_terminal)
		fputs(CLEAR_LINE, stderr);
	str_add_bytes_size(&size, nr_bytes);
	if (is_full)
		str_add(&size, ", --max-size reached");
	if (is_cut)
		str_add(&size, ", not all of them");
	if (p->has_markers)
		str_addf(&requests, "%s%llu requests, ", p->is_estimate ? "~" : "",
			 (unsigned long long)d->nr_requests);
	log_info("%llu samples, %s%llu lost in %.1f s, own CPU %.1f %%: %s (%s)",
		 (unsigned long long)d->nr_samples, str_cstr(&requests),
		 (unsigned long long)d->nr_lost, elapsed_seconds(p, p->end_ns),
		 p->own_cpu_pct_at_end, strcmp(output, "-") ? output : "a stream", str_cstr(&size));
	if (d->nr_throttled)
		log_warn("the kernel throttled sampling %llu times: lower -F, or see "
			 "kernel.perf_cpu_time_max_percent",
			 (unsigned long long)d->nr_throttled);
	str_release(&size);
	str_release(&requests);
}
