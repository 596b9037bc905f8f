/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes are a debug file: what is inflated is an ELF file again, of sections that lie in it. */
#include <assert.h>
#include <gelf.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbolizer/inflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned int sum;

/* Reads every byte of every section that is in the file. */
static unsigned int sum_of(Elf *elf)
{
	Elf_Scn *scn = NULL;
	unsigned int bytes = 0;

	while ((scn = elf_nextscn(elf, scn))) {
		Elf_Data *data = elf_rawdata(scn, NULL);
		size_t i;

		for (i = 0; data && data->d_buf && i < data->d_size; i++)
			bytes += ((const unsigned char *)data->d_buf)[i];
	}
	return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct inflated i = { 0 };
	int fd = memfd_create("debug", MFD_CLOEXEC);
	Elf *elf;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (inflate_debug_file(fd, &i)) {
		assert(i.bytes && i.len > size);
		elf = elf_memory(i.bytes, i.len);
		assert(elf && elf_kind(elf) == ELF_K_ELF);
		sum = sum_of(elf);
		elf_end(elf);
	} else {
		assert(!i.bytes);
	}
	inflated_release(&i);
	close(fd);
	return 0;
}
