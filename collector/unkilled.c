/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/unkilled.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"

/* For the attributes of system calls, and a line of the log. */
enum { STACK_BYTES = 256 * 1024, STACK_ALIGN = 16 };

struct call {
	int (*f)(void *arg);
	void *arg;
	int result;
};

/* A session of its own is spared by who kills all of a group. */
static int run(void *self)
{
	struct call *c = self;

	setsid();
	c->result = c->f(c->arg);
	return 0;
}

int unkilled_call(int (*f)(void *arg), void *arg)
{
	struct call c = { .f = f, .arg = arg };
	char *stack = xmalloc(STACK_BYTES), *top = stack + STACK_BYTES - (uintptr_t)stack % STACK_ALIGN;
	/* No signal tells of its end: the loop takes SIGCHLD for the command's. */
	int pid = clone(run, top, CLONE_VM | CLONE_VFORK | CLONE_FILES, &c);

	if (pid < 0)
		c.result = f(arg);
	else
		while (waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR)
			;
	free(stack);
	return c.result;
}
