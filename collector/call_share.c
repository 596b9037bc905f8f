/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/call_share.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"

enum { LOOK_MS = 1000, LEAST_CPU_MS = 100 };

/*
 * /proc/PID/stat, fields 14 to 17 (proc_pid_stat(5)): ticks in user space and in the kernel, its own and its ended
 * children's. False: it is gone.
 */
static bool look_at(uint32_t pid, struct call_share_process *ret)
{
	const uint64_t tick_ns = NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
	unsigned long long own[2], ended[2];
	char path[64], text[1024], *behind;
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	len = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[len] = '\0';
	behind = strrchr(text, ')');
	if (!behind || sscanf(behind + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu", &own[0], &own[1],
			      &ended[0], &ended[1]) != 4)
		return false;
	*ret = (struct call_share_process){ pid, (own[0] + own[1]) * tick_ns, (ended[0] + ended[1]) * tick_ns };
	return true;
}

static uint64_t more(uint64_t than, uint64_t now)
{
	return now > than ? now - than : 0;
}

/* Zeros: it was not there. */
static struct call_share_process before(const struct call_share *s, uint32_t pid)
{
	vec_each(&s->processes, p)
		if (p->pid == pid)
			return *p;
	return (struct call_share_process){ 0 };
}

/*
 * Who waits for a child that has ended has all of its time among that of his ended children: what of that was taken
 * before is taken off.
 */
static uint64_t took(const struct call_share *s, const struct call_share_process *now, size_t nr)
{
	uint64_t own_ns = 0, ended_ns = 0, gone_ns = 0;
	size_t i;

	vec_each(&s->processes, p)
		gone_ns += p->own_ns + p->ended_ns;
	for (i = 0; i < nr; i++) {
		struct call_share_process was = before(s, now[i].pid);

		own_ns += more(was.own_ns, now[i].own_ns);
		ended_ns += more(was.ended_ns, now[i].ended_ns);
		gone_ns -= was.own_ns + was.ended_ns;
	}
	return own_ns + more(gone_ns, ended_ns);
}

bool call_share_look(struct call_share *s, const struct pids *pids, uint64_t now_ns, uint64_t *ret_took_ns)
{
	struct call_share_process p;
	VEC(struct call_share_process) now = { 0 };
	uint64_t took_ns;

	if (now_ns < s->next_ns)
		return false;
	vec_each(&pids->at, pid)
		if (look_at(*pid, &p))
			vec_push(&now, p);
	took_ns = s->next_ns ? took(s, now.at, now.nr) : 0;
	/* Clock ticks are 10 ms: of less nothing can be said. */
	if (took_ns && took_ns < LEAST_CPU_MS * 1000000ULL) {
		vec_release(&now);
		return false;
	}
	s->processes.nr = 0;
	vec_each(&now, it)
		vec_push(&s->processes, *it);
	vec_release(&now);
	s->next_ns = now_ns + LOOK_MS * 1000000ULL;
	*ret_took_ns = took_ns;
	return true;
}

double call_share_part(uint64_t took_ns, double ns)
{
	return ns < (double)took_ns ? ns / (double)took_ns : 1;
}

bool call_share_add(struct call_share *s, uint64_t took_ns, double ns)
{
	s->seen_cpu_ns += took_ns;
	s->seen_ns += call_share_part(took_ns, ns) * (double)took_ns;
	return s->most >= 1 || ns <= s->most * (double)took_ns;
}

void call_share_release(struct call_share *s)
{
	vec_release(&s->processes);
}
