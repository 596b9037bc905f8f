/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cut_files.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static uintptr_t page_bytes;
static volatile sig_atomic_t were_read;

/* The instruction is tried again. What is not of this kind ends the program, as if nobody had asked. */
static void fill_page(int signal_nr, siginfo_t *info, void *context)
{
	void *page = (void *)((uintptr_t)info->si_addr & ~(page_bytes - 1));
	int error = errno;

	(void)context;
	if (info->si_code == BUS_ADRERR && mmap(page, page_bytes, PROT_READ | PROT_WRITE,
						MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page) {
		were_read = 1;
	} else {
		signal(signal_nr, SIG_DFL);
		raise(signal_nr);
	}
	errno = error;
}

void cut_files_begin(void)
{
	struct sigaction action = { .sa_sigaction = fill_page, .sa_flags = SA_SIGINFO | SA_RESTART };

	page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
}

bool cut_files_were_read(void)
{
	return were_read;
}
