/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "base/units.h"

enum { ANSWER_MS = 5000, ANSWER_BYTES = 1 << 20, INTERP_BYTES = 4096 };

/* ---- scripts ---- */

/* fs/binfmt_script.c; BINPRM_BUF_SIZE, and four of them at most (fs/exec.c). */
enum { FIRST_LINE_BYTES = 256, SCRIPTS_MAX = 4 };

/* NULL: it is no script. All behind the name is one argument. */
static char *named_by_script(const char *path, char **ret_argument)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char line[FIRST_LINE_BYTES + 1] = "", *name = line + 2, *argument;
	size_t len;

	if (fd < 0)
		return NULL;
	if (read(fd, line, FIRST_LINE_BYTES) < 0)
		line[0] = '\0';
	close(fd);
	line[strcspn(line, "\n")] = '\0';
	if (!str_starts(line, "#!"))
		return NULL;
	name += strspn(name, " \t");
	len = strcspn(name, " \t");
	argument = name + len + strspn(name + len, " \t");
	name[len] = '\0';
	if (!*name)
		return NULL;
	for (len = strlen(argument); len && strchr(" \t", argument[len - 1]); len--)
		;
	*ret_argument = len ? xstrndup(argument, len) : NULL;
	return xstrdup(name);
}

char *loader_program(const char *path, char **ret_argument)
{
	char *program = xstrdup(path), *argument = NULL, *next, *next_argument;
	int i;

	for (i = 0; i < SCRIPTS_MAX && (next = named_by_script(program, &next_argument)); i++) {
		free(program);
		free(argument);
		program = next;
		argument = next_argument;
	}
	*ret_argument = argument;
	return program;
}

/* ---- which loader ---- */

/* NULL: it has none. */
static char *interp_of_elf(Elf *elf, int fd)
{
	size_t nr = 0, i;
	GElf_Phdr ph;

	elf_getphdrnum(elf, &nr);
	for (i = 0; i < nr; i++) {
		char text[INTERP_BYTES] = "";

		if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_INTERP)
			continue;
		if (ph.p_filesz < 2 || ph.p_filesz > sizeof(text) ||
		    pread(fd, text, ph.p_filesz, (off_t)ph.p_offset) != (ssize_t)ph.p_filesz || text[ph.p_filesz - 1])
			return NULL;
		return xstrdup(text);
	}
	return NULL;
}

static int find_interp(const char *program, char **ret)
{
	int fd = open(program, O_RDONLY | O_CLOEXEC), err = 0;
	Elf *elf;

	if (fd < 0)
		return -errno;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf && elf_kind(elf) == ELF_K_ELF)
		*ret = interp_of_elf(elf, fd);
	else
		err = -ENOEXEC;
	elf_end(elf);
	close(fd);
	return err;
}

/*
 * glibc's are ld-linux-x86-64.so.2, ld-2.31.so, ld64.so.1; musl's ld-musl-x86_64.so.1, a link to its libc.so. Others may
 * run what they are given.
 */
static bool is_loader(const char *interp, const char *real)
{
	const char *slash = strrchr(interp, '/');

	return slash && str_starts(slash, "/ld") && strstr(slash, ".so") && strstr(real, ".so");
}

/* A program may name any file as its loader, and who names the program to us need not mean to run it: `sha256sum FILE`. */
static bool can_be_asked(const char *interp)
{
	char *real = realpath(interp, NULL);
	struct stat st;
	bool can;

	can = real && !stat(real, &st) && !st.st_uid && !(st.st_mode & (S_IWGRP | S_IWOTH)) && is_loader(interp, real);
	free(real);
	return can;
}

/* ---- asking it ---- */

/* All that comes until the other end is closed; false: it takes too long, or is too much. */
static bool read_all(int fd, struct str *ret)
{
	uint64_t end_ns = monotonic_ns() + ANSWER_MS * 1000000ULL;
	struct pollfd polled = { .fd = fd, .events = POLLIN };
	char bytes[4096];
	ssize_t len;

	while (ret->len < ANSWER_BYTES) {
		uint64_t now_ns = monotonic_ns();

		if (now_ns >= end_ns)
			return false;
		if (poll(&polled, 1, (int)((end_ns - now_ns) / 1000000) + 1) <= 0)
			continue;
		len = read(fd, bytes, sizeof(bytes));
		if (len <= 0)
			return !len;
		str_add_bytes(ret, bytes, (size_t)len);
	}
	return false;
}

static int spawn(char *interp, char *program, int stdout_fd, pid_t *ret_pid)
{
	char *argv[] = { interp, "--list", program, NULL };
	posix_spawn_file_actions_t files;
	int error;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, stdout_fd, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	error = posix_spawn(ret_pid, interp, &files, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	return error;
}

static int ask(char *interp, char *program, struct str *ret_answer)
{
	bool is_whole;
	pid_t pid;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -EIO;
	if (spawn(interp, program, fds[1], &pid)) {
		close(fds[0]);
		close(fds[1]);
		return -EIO;
	}
	close(fds[1]);
	is_whole = read_all(fds[0], ret_answer);
	close(fds[0]);
	if (!is_whole)
		kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return is_whole ? 0 : -EIO;
}

/* ---- what it says ---- */

/*
 *	linux-vdso.so.1 (0x00007ffe...)
 *	libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f...)
 *	libnone.so => not found
 *	./lib/libx.so (0x00007f...)
 *	/lib64/ld-linux-x86-64.so.2 (0x00007f...)
 */
char *loader_path_of_line(const char *line)
{
	const char *arrow = strstr(line, " => "), *path = arrow ? arrow + 4 : line + strspn(line, " \t");
	const char *end = strstr(path, " (0x");

	/* The kernel's own has a name, and no path. */
	return end && memchr(path, '/', (size_t)(end - path)) ? xstrndup(path, (size_t)(end - path)) : NULL;
}

static void add_paths(struct str *answer, struct loader_libraries *ret)
{
	char *line, *save, *path, *real;

	for (line = strtok_r(answer->s, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		path = loader_path_of_line(line);
		real = path ? realpath(path, NULL) : NULL;
		if (real)
			vec_push(&ret->paths, real);
		free(path);
	}
}

int loader_list(const char *program, struct loader_libraries *ret)
{
	/* What /proc/self leads to is another one in the loader. */
	char *real = realpath(program, NULL), *interp = NULL;
	int err = real ? find_interp(real, &interp) : -errno;
	struct str answer = { 0 };

	if (!err && interp)
		err = can_be_asked(interp) ? ask(interp, real, &answer) : -EIO;
	if (!err && answer.len)
		add_paths(&answer, ret);
	str_release(&answer);
	free(interp);
	free(real);
	return err;
}

void loader_libraries_release(struct loader_libraries *l)
{
	vec_each(&l->paths, path)
		free(*path);
	vec_release(&l->paths);
}
