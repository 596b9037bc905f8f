/* SPDX-License-Identifier: Apache-2.0 */
#include "base/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void streams_fill(void)
{
	static const int modes[] = { O_WRONLY, O_RDONLY, O_WRONLY };
	int fd;

	/* open(2) takes the lowest one that is free. O_CLOEXEC: a command finds what we found. */
	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd] | O_CLOEXEC) != fd)
			return;
}

bool streams_is_stdout_closed(void)
{
	int flags = fcntl(STDOUT_FILENO, F_GETFL);

	return flags < 0 || (flags & O_ACCMODE) == O_RDONLY;
}

int streams_cannot_write(int error, struct err *e)
{
	clearerr(stdout);
	if (error == EPIPE)
		return 0;
	if (error == EBADF)
		return err_set(e, -error, "cannot write to stdout: it is closed");
	return err_set(e, -error, "cannot write to stdout: %m");
}

int streams_finish_stdout(struct err *e)
{
	int error = fflush(stdout) ? errno : 0;

	if (!error && ferror(stdout))
		error = EIO;
	return error ? streams_cannot_write(error, e) : 0;
}
