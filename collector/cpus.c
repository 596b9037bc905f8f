/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/cpus.h"

#include <stdio.h>
#include <unistd.h>

void cpus_parse(const char *list, struct pids *ret)
{
	unsigned int from, to, cpu;
	int len = 0;

	while (sscanf(list, "%u%n", &from, &len) == 1) {
		list += len;
		to = from;
		if (sscanf(list, "-%u%n", &to, &len) == 1)
			list += len;
		for (cpu = from; cpu <= to; cpu++)
			vec_push(&ret->at, cpu);
		if (*list++ != ',')
			break;
	}
}

bool cpus_online(struct pids *ret)
{
	FILE *f = fopen("/sys/devices/system/cpu/online", "re");
	char list[4096];
	unsigned int cpu;

	if (f && fgets(list, sizeof(list), f))
		cpus_parse(list, ret);
	if (f)
		fclose(f);
	if (ret->at.nr)
		return true;
	for (cpu = 0; cpu < (unsigned int)sysconf(_SC_NPROCESSORS_CONF); cpu++)
		vec_push(&ret->at, cpu);
	if (!ret->at.nr)
		vec_push(&ret->at, 0);
	return false;
}

size_t cpus_nr_beside(const struct pids *these, const struct pids *those)
{
	size_t nr = 0;

	vec_each(&these->at, cpu)
		nr += !pids_has(those, *cpu);
	return nr;
}
