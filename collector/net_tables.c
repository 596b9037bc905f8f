/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/net_tables.h"

#include <stdio.h>
#include <sys/stat.h>

static void read_table(uint32_t pid, const char *table, void (*line)(void *self, const char *text), void *self)
{
	char path[64], text[512];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/net/%s", pid, table);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(text, sizeof(text), f))
		line(self, text);
	fclose(f);
}

typedef VEC(ino_t) namespaces;

/* Which one it is may not be looked at; the tables may. */
static bool is_new(namespaces *seen, uint32_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%u/ns/net", pid);
	if (stat(path, &st))
		return true;
	vec_each(seen, ino)
		if (*ino == st.st_ino)
			return false;
	vec_push(seen, st.st_ino);
	return true;
}

void net_tables_each(const struct pids *pids, const char *const tables[2], void (*line)(void *self, const char *text), void *self)
{
	namespaces seen = { 0 };

	vec_each(&pids->at, pid) {
		if (!is_new(&seen, *pid))
			continue;
		read_table(*pid, tables[0], line, self);
		read_table(*pid, tables[1], line, self);
	}
	vec_release(&seen);
}
