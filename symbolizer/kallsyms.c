/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/kallsyms.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"

/* What the kernel gives in one read(2) is bounded by the room; a distribution's kernel prints 10 MB. */
enum { READ_BYTES = 1 << 20 };

struct kallsyms {
	pthread_t thread;
	bool has_thread, is_read;
	int error;		/* errno */
	struct str text;
};

static void *read_all(void *arg)
{
	struct kallsyms *k = arg;
	int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	char *part = fd >= 0 ? xmalloc(READ_BYTES) : NULL;
	ssize_t got = -1;

	if (part)
		while ((got = read(fd, part, READ_BYTES)) > 0)
			str_add_bytes(&k->text, part, (size_t)got);
	k->error = got < 0 ? errno : 0;
	free(part);
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

const char *kallsyms_wait(struct kallsyms *k, size_t *ret_len)
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
	*ret_len = k->text.len;
	return str_cstr(&k->text);
}

void kallsyms_free(struct kallsyms *k)
{
	if (!k)
		return;
	if (k->has_thread)
		pthread_join(k->thread, NULL);
	str_release(&k->text);
	free(k);
}
