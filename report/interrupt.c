/* SPDX-License-Identifier: Apache-2.0 */
#include "report/interrupt.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_pipe(const char *path)
{
	struct stat st;
	int err = strcmp(path, "-") ? stat(path, &st) : fstat(STDIN_FILENO, &st);

	return !err && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

/* SA_RESETHAND makes the next one kill again. */
static void let_pass(int signal_nr)
{
	(void)signal_nr;
}

void interrupt_outlast(const char *path, struct interrupt *ret_saved)
{
	struct sigaction once = { .sa_handler = let_pass, .sa_flags = SA_RESTART | SA_RESETHAND };

	*ret_saved = (struct interrupt){ 0 };
	if (!is_pipe(path) || sigaction(SIGINT, NULL, &ret_saved->before))
		return;
	/* Whoever started us with it ignored (nohup, jobs of a script) keeps it so. */
	if (ret_saved->before.sa_handler != SIG_IGN)
		ret_saved->is_outlasted = !sigaction(SIGINT, &once, NULL);
}

void interrupt_restore(const struct interrupt *saved)
{
	if (saved->is_outlasted)
		sigaction(SIGINT, &saved->before, NULL);
}
