/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a recording of the size that one is asked for, to measure reports by:
 *
 *	make_recording FILE NR_SAMPLES NR_STACKS DEPTH NR_REQUESTS ELF...
 *
 * The stacks' addresses lie in the given ELF files (python3.11, libc.so.6), so that they have
 * symbols. Two rings take turns every 512 samples, as the rings of two CPUs do, with a round after
 * both.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <libelf.h>
#include <fcntl.h>
#include <gelf.h>
#include <unistd.h>

#include "base/hash.h"
#include "tests/recording_builder.h"

enum { PID = 4711, NR_RINGS = 2, RING_SAMPLES = 512, NR_THREADS = 8, NR_PLACES = 4096 };

#define SPACING_NS 125000	/* between samples: eight busy threads at 1000 Hz */

struct text {
	uint64_t start, len;	/* runtime addresses of the code */
};

/* Maps the file's executable segment, as the loader would. */
static struct text map_file(struct recording_builder *b, const char *path, uint64_t base)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	size_t nr = 0, i;
	GElf_Phdr ph;

	if (!elf || elf_getphdrnum(elf, &nr)) {
		fprintf(stderr, "%s: no ELF file\n", path);
		exit(2);
	}
	for (i = 0; i < nr; i++) {
		gelf_getphdr(elf, (int)i, &ph);
		if (ph.p_type == PT_LOAD && ph.p_flags & PF_X)
			break;
	}
	elf_end(elf);
	close(fd);
	builder_mmap(b, 0, PID, base, ph.p_filesz, ph.p_offset, path);
	return (struct text){ base, ph.p_filesz };
}

/*
 * The i-th address of a stack. The outer half of a stack is shared by many, as main loops are, and
 * the whole recording has some thousand places that call or are called, as programs do.
 */
static uint64_t address(const struct text *texts, size_t nr_texts, uint64_t stack, uint64_t depth,
			uint64_t i)
{
	uint64_t fan = i < depth / 4 ? stack : i < depth / 2 ? stack / 16 : stack / 256;
	uint64_t place = hash_u64(hash_mix(fan, i) % NR_PLACES);
	const struct text *t = &texts[place % nr_texts];

	return t->start + (place >> 8) % t->len;
}

static void add_sample(struct recording_builder *b, const struct text *texts, size_t nr_texts,
		       uint64_t time, uint64_t stack, uint64_t depth)
{
	uint64_t ips[512], i;

	for (i = 0; i < depth; i++)
		ips[i] = address(texts, nr_texts, stack, depth, i);
	builder_sample(b, time, PID, PID + (uint32_t)(time / SPACING_NS % NR_THREADS), ips, depth);
}

int main(int argc, char **argv)
{
	struct recording_builder b;
	uint64_t nr_samples, nr_stacks, depth, nr_requests, i, k;
	struct text texts[16];
	size_t nr_texts = 0;
	int arg;

	if (argc < 7) {
		fputs("make_recording FILE NR_SAMPLES NR_STACKS DEPTH NR_REQUESTS ELF...\n",
		      stderr);
		return 2;
	}
	elf_version(EV_CURRENT);
	nr_samples = strtoull(argv[2], NULL, 10);
	nr_stacks = strtoull(argv[3], NULL, 10);
	depth = strtoull(argv[4], NULL, 10) % 512;
	nr_requests = strtoull(argv[5], NULL, 10);
	builder_init(&b, NULL);
	builder_marker(&b, 1, MARKER_HAS_LABEL, "handle");
	builder_comm(&b, 0, PID, PID, "server", false);
	for (arg = 6; arg < argc && nr_texts < 16; arg++, nr_texts++)
		texts[nr_texts] = map_file(&b, argv[arg], 0x7f0000000000 + nr_texts * 0x10000000);
	for (i = 0; i < nr_samples; i += NR_RINGS * RING_SAMPLES) {
		for (k = 0; k < NR_RINGS * RING_SAMPLES && i + k < nr_samples; k++) {
			uint64_t ring = k / RING_SAMPLES,
				 at = 8 + i + k % RING_SAMPLES * NR_RINGS + ring;
			uint32_t tid = PID + (uint32_t)(at % NR_THREADS);
			uint64_t every = nr_requests ? nr_samples / nr_requests | 1 : 0;
			char label[64];

			if (every && at % every == 0) {
				snprintf(label, sizeof(label), "/api/%c/%lu",
					 'a' + (char)(at / every % 20), (unsigned long)at);
				builder_end(&b, at * SPACING_NS, PID, tid, 1);
				builder_begin(&b, at * SPACING_NS, PID, tid, 1, label);
			}
			add_sample(&b, texts, nr_texts, at * SPACING_NS,
				   hash_u64(at) % nr_stacks, depth);
		}
		builder_round(&b);
	}
	builder_write(&b, argv[1]);
	builder_release(&b);
	return 0;
}
