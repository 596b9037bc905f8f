/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/call_share.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"

enum { LOOK_MS = 1000, LEAST_CPU_MS = 100 };

/* /proc/PID/stat, fields 14 to 17 (proc_pid_stat(5)): ticks in user space and in the kernel, its own and its ended children's. */
static struct call_share_process look_at(uint32_t pid)
{
	const uint64_t tick_ns = NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
	struct call_share_process ret = { .pid = pid };
	unsigned long long own[2], ended[2];
	char path[64], text[1024], *behind;
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return ret;
	len = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[len] = '\0';
	behind = strrchr(text, ')');
	if (!behind || sscanf(behind + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu", &own[0], &own[1],
			      &ended[0], &ended[1]) != 4)
		return ret;
	ret.is_there = true;
	ret.own_ns = (own[0] + own[1]) * tick_ns;
	ret.ended_ns = (ended[0] + ended[1]) * tick_ns;
	return ret;
}

static uint64_t more(uint64_t than, uint64_t now)
{
	return now > than ? now - than : 0;
}

/* NULL: it was not there. */
static struct call_share_process *find(struct call_share *s, uint32_t pid)
{
	vec_each(&s->processes, p)
		if (p->pid == pid)
			return p;
	return NULL;
}

/*
 * Who waits for a child that has ended has all of its time among that of his ended children: what of that was taken
 * before is taken off.
 */
static uint64_t took(struct call_share *s, const struct call_share_process *now, size_t nr)
{
	struct call_share_process *before;
	uint64_t own_ns = 0, ended_ns = 0, had_ns = 0;
	size_t i;

	vec_each(&s->processes, p)
		p->is_there = false;
	for (i = 0; i < nr; i++) {
		before = find(s, now[i].pid);
		own_ns += more(before ? before->own_ns : 0, now[i].own_ns);
		ended_ns += more(before ? before->ended_ns : 0, now[i].ended_ns);
		if (before)
			before->is_there = true;
	}
	vec_each(&s->processes, p)
		if (!p->is_there)
			had_ns += p->own_ns + p->ended_ns;
	return own_ns + more(had_ns, ended_ns);
}

bool call_share_look(struct call_share *s, const struct pids *pids, uint64_t now_ns, uint64_t *ret_took_ns)
{
	struct call_share_process p;
	VEC(struct call_share_process) now = { 0 };
	uint64_t took_ns;

	if (now_ns < s->next_ns)
		return false;
	vec_each(&pids->at, pid) {
		p = look_at(*pid);
		if (p.is_there)
			vec_push(&now, p);
	}
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

bool call_share_add(struct call_share *s, uint64_t took_ns, double ns)
{
	s->seen_cpu_ns += took_ns;
	s->seen_ns += ns;
	return s->most >= 1 || ns <= s->most * (double)took_ns;
}

void call_share_release(struct call_share *s)
{
	vec_release(&s->processes);
}
