/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes are an ELF file, or its notes: there is a build-id in them, or a file's is a checksum, or there is none. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collector/build_id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_of(const struct build_id *id, const uint8_t *data, size_t size)
{
	if (!id->len || id->len > BUILD_ID_MAX)
		return false;
	return id->is_sum ? id->len == sizeof(uint64_t) : memmem(data, size, id->bytes, id->len) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct build_id id;
	int fd = memfd_create("elf", MFD_CLOEXEC);

	assert(fd >= 0);
	if (build_id_of_notes(data, size, &id))
		assert(!id.is_sum && is_of(&id, data, size));
	if (write(fd, data, size) == (ssize_t)size && build_id_of_fd(fd, &id))
		assert(is_of(&id, data, size));
	close(fd);
	return 0;
}
