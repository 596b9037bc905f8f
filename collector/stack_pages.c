/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/stack_pages.h"

#include <sys/uio.h>
#include <unistd.h>

/* That a copy meets; sample_stack_user is less than 64 KiB. */
enum { MAX_PAGES = 64 * 1024 / 4096 + 1 };

void stack_pages_bring(uint32_t pid, const struct stack_copy *stack, uint32_t stack_bytes)
{
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE), addr = stack->start + stack->len;
	uint8_t bytes[MAX_PAGES];
	struct iovec to = { bytes, 0 }, from[MAX_PAGES];

	for (; addr < stack->start + stack_bytes && to.iov_len < MAX_PAGES; addr = (addr | (page_bytes - 1)) + 1)
		from[to.iov_len++] = (struct iovec){ (void *)(uintptr_t)addr, 1 };
	/* Up to the first one that is nobody's. A process that has ended has no stack to be copied, either. */
	(void)process_vm_readv((pid_t)pid, &to, 1, from, to.iov_len, 0);
}
