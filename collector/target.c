/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/target.h"

#include <ctype.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

/* include/linux/proc_ns.h: PROC_PID_INIT_INO. */
#define FIRST_PID_NAMESPACE_INODE 0xeffffffcU

int pids_parse(struct pids *pids, const char *text, struct err *e)
{
	const char *p = text;
	char *end;

	for (;;) {
		unsigned long pid = isdigit((unsigned char)*p) ? strtoul(p, &end, 10) : 0;

		if (!pid || pid > INT32_MAX || (*end && *end != ','))
			return err_set(e, -EINVAL, "-p %s: not a list of process ids", text);
		if (!pids_has(pids, (uint32_t)pid))
			vec_push(&pids->at, (uint32_t)pid);
		if (!*end)
			return 0;
		p = end + 1;
	}
}

bool pids_has(const struct pids *pids, uint32_t pid)
{
	vec_each(&pids->at, p)
		if (*p == pid)
			return true;
	return false;
}

void pids_release(struct pids *pids)
{
	vec_release(&pids->at);
}

/* Reads a small file of /proc whole; false when it is gone. */
static bool read_small(char *ret_text, size_t room, const char *path)
{
	FILE *f = fopen(path, "re");
	size_t len;

	if (!f)
		return false;
	len = fread(ret_text, 1, room - 1, f);
	fclose(f);
	ret_text[len] = '\0';
	return len > 0;
}

/* The value behind "Key:" in /proc/PID/status; false when there is none. The line with its groups may have 700 KB. */
static bool status_field(uint32_t pid, const char *key, char *ret_value, size_t room)
{
	char path[64], *line = NULL;
	bool is_found = false;
	size_t line_room = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!is_found && getline(&line, &line_room, f) > 0) {
		is_found = str_starts(line, key) && line[strlen(key)] == ':';
		if (is_found)
			snprintf(ret_value, room, "%s", line + strlen(key) + 1);
	}
	free(line);
	fclose(f);
	return is_found;
}

/* NSpid has a number for each namespace, from that of /proc to the process's own. */
static bool is_proc_ours(void)
{
	char self[16], value[256];
	ssize_t len = readlink("/proc/self", self, sizeof(self) - 1);

	if (len < 0)
		return false;
	self[len] = '\0';
	return !status_field((uint32_t)strtoul(self, NULL, 10), "NSpid", value, sizeof(value)) || strrchr(value, '\t') == value;
}

int proc_check(struct err *e)
{
	if (access("/proc/version", F_OK))
		return err_set(e, -errno, "/proc: %m: it is needed to find the target's programs");
	if (is_proc_ours())
		return 0;
	err_set(e, -EPERM, "/proc is not that of our pid namespace: other processes have our numbers there");
	return err_remedy(e, "Give the namespace its own (unshare --mount-proc, nsenter -m), or run wperf outside of it.");
}

int process_check(uint32_t *pid, struct err *e)
{
	char tgid[64];
	unsigned long leader;

	if (!status_field(*pid, "Tgid", tgid, sizeof(tgid)))
		return err_set(e, -ESRCH, "pid %u: %m", *pid);
	leader = strtoul(tgid, NULL, 10);
	if (leader)
		*pid = (uint32_t)leader;
	/* A zombie, which only its parent has not asked about. */
	if (!process_live_task(*pid))
		return err_set(e, -ESRCH, "pid %u has ended", *pid);
	return 0;
}

/* Fields of /proc/PID/stat behind the name, which may hold spaces and parentheses itself. */
static bool read_stat(uint32_t pid, char *ret_state, uint32_t *ret_ppid)
{
	char path[64], text[1024], *behind;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	if (!read_small(text, sizeof(text), path))
		return false;
	behind = strrchr(text, ')');
	return behind && sscanf(behind + 1, " %c %u", ret_state, ret_ppid) == 2;
}

/* Adds every number that names an entry of the directory. */
static void numbered_entries(const char *path, struct pids *ret)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			vec_push(&ret->at, (uint32_t)strtoul(entry->d_name, NULL, 10));
	closedir(dir);
}

struct child {
	uint32_t pid, ppid;
};

size_t pids_add_descendants(struct pids *pids)
{
	VEC(struct child) all = { 0 };
	struct pids everyone = { 0 };
	size_t before = pids->at.nr, i;

	numbered_entries("/proc", &everyone);
	vec_each(&everyone.at, pid) {
		struct child c = { .pid = *pid };
		char state;

		if (read_stat(*pid, &state, &c.ppid))
			vec_push(&all, c);
	}
	for (i = 0; i < pids->at.nr; i++)
		vec_each(&all, c)
			if (c->ppid == pids->at.at[i] && !pids_has(pids, c->pid))
				vec_push(&pids->at, c->pid);
	vec_release(&all);
	pids_release(&everyone);
	return pids->at.nr - before;
}

void process_threads(uint32_t pid, struct pids *ret_tids)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	numbered_entries(path, ret_tids);
}

struct thread_name thread_name(uint32_t pid, uint32_t tid)
{
	struct thread_name name = { 0 };
	char path[64];
	size_t len;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/comm", pid, tid);
	if (!read_small(name.text, sizeof(name.text), path))
		return name;
	/* Names may have newlines, too: the last one is not theirs. */
	len = strlen(name.text);
	if (len && name.text[len - 1] == '\n')
		name.text[len - 1] = '\0';
	return name;
}

uint32_t process_inner_pid(uint32_t pid)
{
	char value[256], *last;
	unsigned long inner;

	if (!status_field(pid, "NSpid", value, sizeof(value)))
		return pid;
	last = strrchr(value, '\t');
	inner = strtoul(last ? last : value, NULL, 10);
	return inner ? (uint32_t)inner : pid;
}

void process_uids(uint32_t pid, uint32_t ret_uids[2])
{
	char value[256];

	ret_uids[0] = ret_uids[1] = UINT32_MAX;
	if (status_field(pid, "Uid", value, sizeof(value)))
		sscanf(value, "%" SCNu32 " %" SCNu32, &ret_uids[0], &ret_uids[1]);
}

int process_descriptors(uint32_t pid, void (*take)(void *self, const char *link), void *self)
{
	char path[64], link[64];
	struct dirent *d;
	ssize_t len;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%u/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((d = readdir(dir))) {
		len = readlinkat(dirfd(dir), d->d_name, link, sizeof(link) - 1);
		link[len > 0 ? len : 0] = '\0';
		take(self, link);
	}
	closedir(dir);
	return 0;
}

bool process_is_32_bit(uint32_t pid)
{
	unsigned char ident[EI_NIDENT] = "";
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/exe", process_live_task(pid));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, ident, sizeof(ident)) != sizeof(ident))
		ident[EI_CLASS] = ELFCLASSNONE;
	close(fd);
	return ident[EI_CLASS] == ELFCLASS32;
}

/* Nobody is given up for want of a descriptor. */
static bool task_is_live(uint32_t tid)
{
	uint32_t ppid;
	char state;

	errno = 0;
	if (!read_stat(tid, &state, &ppid))
		return errno == EMFILE || errno == ENFILE;
	return state != 'Z' && state != 'X';
}

/* /proc/TID is there for every thread, though not listed, with all that a process has. */
uint32_t process_live_task(uint32_t pid)
{
	struct pids tids = { 0 };
	uint32_t live = 0;

	if (task_is_live(pid))
		return pid;
	process_threads(pid, &tids);
	vec_each(&tids.at, tid)
		if (!live && task_is_live(*tid))
			live = *tid;
	pids_release(&tids);
	return live;
}

bool process_is_gone(uint32_t pid)
{
	return !process_live_task(pid);
}

bool in_first_pid_namespace(void)
{
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) && st.st_ino == FIRST_PID_NAMESPACE_INODE;
}
