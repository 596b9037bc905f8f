/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file_sum.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/siphash.h"

#define SUM_MAX_BYTES (512LL << 20)

enum { PART_BYTES = 64 * 1024 };

/* However many reads that takes. */
static bool read_part(int fd, char *part, size_t len, off_t off)
{
	size_t done = 0;
	ssize_t n = 1;

	while (done < len && n > 0) {
		n = pread(fd, part + done, len - done, off + (off_t)done);
		done += n > 0 ? (size_t)n : 0;
	}
	return done == len;
}

/* A part's key is the sum of those before it. */
bool file_sum(int fd, uint64_t *ret_sum)
{
	struct siphash_key key = { 0 };
	struct stat st;
	char *part;
	off_t off;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !st.st_size || st.st_size > SUM_MAX_BYTES)
		return false;
	part = xmalloc(PART_BYTES);
	for (off = 0; off < st.st_size; off += PART_BYTES) {
		size_t len = (size_t)(st.st_size - off < PART_BYTES ? st.st_size - off : PART_BYTES);

		if (!read_part(fd, part, len, off))
			break;
		key.at[0] = siphash(&key, part, len);
	}
	free(part);
	if (off < st.st_size)
		return false;
	*ret_sum = key.at[0] | FILE_SUM_BIT;
	return true;
}
