/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is run where a command is started, and which libraries that begins with, as its own dynamic loader says:
 * it is asked as ldd(1) asks it, and runs nothing of the program; nor is one asked that others than root can write.
 * What it says goes by the environment, as it will when the program is started from here.
 *
 *	struct loader_libraries found = { 0 };
 *	if (!loader_list("/usr/bin/redis-server", &found))
 *		vec_each(&found.paths, path)
 *			...
 *	loader_libraries_release(&found);
 */
#ifndef COLLECTOR_LOADER_H
#define COLLECTOR_LOADER_H

#include "base/vec.h"

struct loader_libraries {
	VEC(char *) paths;	/* without links, as they will be mapped; the loader itself among them */
};

/*
 * What the kernel runs where that is started: itself, or the program that a script's first line names, and what that line
 * gives it (NULL: nothing). Both the caller's.
 */
char *loader_program(const char *path, char **ret_argument);
/*
 * Adds what is found, nothing for a program that has no loader. -ENOENT, -EACCES: the program; -ENOEXEC: it is none;
 * -EIO: its loader is none that can be asked, or does not say.
 */
int loader_list(const char *program, struct loader_libraries *ret);
/* What is in a line of the loader's: a path that it found a library by, which may be relative; the caller's. NULL: none. */
char *loader_path_of_line(const char *line);
void loader_libraries_release(struct loader_libraries *l);

#endif
