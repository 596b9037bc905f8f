/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/kallsyms.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"

/* More than any kernel met so far has: what is not written to costs nothing. */
enum { FIRST_BYTES = 32 << 20, READ_BYTES = 1 << 20, LARGE_PAGE_BYTES = 2 << 20 };

struct kallsyms {
	pthread_t thread;
	bool has_thread, is_read;
	int error;		/* errno */
	char *text;
	size_t len, cap;
};

static void *read_all(void *arg)
{
	struct kallsyms *k = arg;
	int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	ssize_t got = -1;

	k->cap = FIRST_BYTES;
	k->text = fd >= 0 ? aligned_alloc(LARGE_PAGE_BYTES, k->cap) : NULL;
	if (k->text)
		madvise(k->text, k->cap, MADV_HUGEPAGE);
	else if (fd >= 0)
		k->text = xmalloc(k->cap);
	while (fd >= 0 && (got = read(fd, k->text + k->len, READ_BYTES)) > 0) {
		k->len += (size_t)got;
		if (k->cap - k->len > READ_BYTES)
			continue;
		k->cap *= 2;
		k->text = xrealloc(k->text, k->cap);
	}
	k->error = got < 0 ? errno : 0;
	if (k->text)
		k->text[k->len] = '\0';
	if (fd >= 0)
		close(fd);
	return NULL;
}

struct kallsyms *kallsyms_begin(void)
{
	struct kallsyms *k = xcalloc(1, sizeof(*k));

	k->has_thread = !pthread_create(&k->thread, NULL, read_all, k);
	return k;
}

char *kallsyms_wait(struct kallsyms *k)
{
	if (k->has_thread)
		pthread_join(k->thread, NULL);
	else if (!k->is_read)
		read_all(k);
	k->has_thread = false;
	k->is_read = true;
	if (k->error) {
		errno = k->error;
		return NULL;
	}
	return k->text;
}

void kallsyms_free(struct kallsyms *k)
{
	if (!k)
		return;
	if (k->has_thread)
		pthread_join(k->thread, NULL);
	free(k->text);
	free(k);
}
