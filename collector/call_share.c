/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/call_share.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"

enum { LOOK_MS = 1000, LEAST_CPU_MS = 100 };

/* /proc/PID/stat, fields 14 and 15 (proc_pid_stat(5)): ticks in user space and in the kernel. */
static uint64_t cpu_ns_of(uint32_t pid)
{
	unsigned long long user = 0, kernel = 0;
	char path[64], text[1024], *behind;
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	len = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[len] = '\0';
	behind = strrchr(text, ')');
	if (!behind || sscanf(behind + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
			      &kernel) != 2)
		return 0;
	return (user + kernel) * (NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
}

static uint64_t cpu_ns(const struct pids *pids)
{
	uint64_t sum = 0;

	vec_each(&pids->at, pid)
		sum += cpu_ns_of(*pid);
	return sum;
}

bool call_share_look(struct call_share *s, const struct pids *pids, uint64_t now_ns, uint64_t *ret_took_ns)
{
	uint64_t now_cpu_ns, took_ns;

	if (now_ns < s->next_ns)
		return false;
	now_cpu_ns = cpu_ns(pids);
	/* Processes that ended take theirs along. */
	took_ns = s->next_ns && now_cpu_ns > s->cpu_ns ? now_cpu_ns - s->cpu_ns : 0;
	/* Clock ticks are 10 ms: of less nothing can be said. */
	if (took_ns && took_ns < LEAST_CPU_MS * 1000000ULL)
		return false;
	s->cpu_ns = now_cpu_ns;
	s->next_ns = now_ns + LOOK_MS * 1000000ULL;
	*ret_took_ns = took_ns;
	return true;
}

bool call_share_add(struct call_share *s, uint64_t took_ns, double ns)
{
	s->seen_cpu_ns += took_ns;
	s->seen_ns += ns;
	return s->most >= 1 || ns <= s->most * (double)took_ns;
}
