/* SPDX-License-Identifier: Apache-2.0 */
#include "base/units.h"

#include <time.h>

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

struct unit {
	const char *name;
	double factor;
};

/* The number in s times the factor of the unit after it. False: no number, or no such unit. */
static bool parse_with_unit(const char *s, const struct unit *units, size_t nr, double *ret_value)
{
	char *end;
	double value;
	size_t i;

	if (!isdigit((unsigned char)*s) && *s != '.')
		return false;
	errno = 0;
	value = strtod(s, &end);
	if (end == s || errno || !isfinite(value))
		return false;
	while (*end == ' ')
		end++;
	for (i = 0; i < nr; i++)
		if (!strcasecmp(end, units[i].name)) {
			*ret_value = value * units[i].factor;
			return *ret_value < 1.8e19;
		}
	return false;
}

bool parse_time_ns(const char *s, uint64_t *ret_ns)
{
	static const struct unit units[] = {
		{ "", 1e9 },   { "ns", 1 },  { "us", 1e3 },   { "ms", 1e6 },
		{ "s", 1e9 },  { "m", 60e9 }, { "min", 60e9 }, { "h", 3600e9 },
	};
	double ns;

	if (!parse_with_unit(s, units, ARRAY_LEN(units), &ns))
		return false;
	*ret_ns = (uint64_t)(ns + 0.5);
	return true;
}

bool parse_bytes(const char *s, uint64_t *ret_bytes)
{
	static const struct unit units[] = {
		{ "", 1 },
		{ "B", 1 },
		{ "K", 1024.0 },
		{ "KB", 1024.0 },
		{ "KiB", 1024.0 },
		{ "M", 1024.0 * 1024 },
		{ "MB", 1024.0 * 1024 },
		{ "MiB", 1024.0 * 1024 },
		{ "G", 1024.0 * 1024 * 1024 },
		{ "GB", 1024.0 * 1024 * 1024 },
		{ "GiB", 1024.0 * 1024 * 1024 },
		{ "T", 1024.0 * 1024 * 1024 * 1024 },
	};
	double bytes;

	if (!parse_with_unit(s, units, ARRAY_LEN(units), &bytes))
		return false;
	*ret_bytes = (uint64_t)bytes;
	return true;
}

uint64_t whole_number(double x)
{
	return x < 0x1p64 ? (uint64_t)(x + 0.5) : UINT64_MAX;
}

bool parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	unsigned long long value;
	char *end;

	if (!isdigit((unsigned char)*s))
		return false;
	errno = 0;
	value = strtoull(s, &end, 10);
	if (*end || errno || value < min || value > max)
		return false;
	*ret_value = value;
	return true;
}

void str_add_duration(struct str *b, double seconds)
{
	static const struct unit units[] = { { "ns", 1e9 }, { "us", 1e6 }, { "ms", 1e3 }, { "s", 1 } };
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(units) && seconds * units[i].factor >= 999.95)
		i++;
	str_addf(b, "%.1f %s", seconds * units[i].factor, units[i].name);
}

void str_add_bytes_size(struct str *b, uint64_t bytes)
{
	static const char *const names[] = { "bytes", "KB", "MB", "GB", "TB" };
	double value = (double)bytes;
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(names) && value >= 999.95) {
		value /= 1000;
		i++;
	}
	if (!i)
		str_addf(b, "%llu bytes", (unsigned long long)bytes);
	else
		str_addf(b, "%.1f %s", value, names[i]);
}

void str_add_time_of_day(struct str *b, uint64_t epoch_ns)
{
	time_t seconds = (time_t)(epoch_ns / NS_PER_SEC);
	char text[32];
	struct tm utc;

	gmtime_r(&seconds, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	str_addf(b, "%s.%06uZ", text, (unsigned int)(epoch_ns % NS_PER_SEC / 1000));
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t monotonic_ns(void)
{
	return now_ns(CLOCK_MONOTONIC);
}

uint64_t epoch_ns(void)
{
	return now_ns(CLOCK_REALTIME);
}

/* Between two readings the thread may have to wait for the CPU: the quickest try is the best. */
void clocks_ns(uint64_t *ret_monotonic_ns, uint64_t *ret_epoch_ns)
{
	uint64_t least = UINT64_MAX;
	int i;

	for (i = 0; i < 5; i++) {
		uint64_t before = monotonic_ns(), wall = epoch_ns(), took = monotonic_ns() - before;

		if (took >= least)
			continue;
		least = took;
		*ret_monotonic_ns = before + took / 2;
		*ret_epoch_ns = wall;
	}
}
