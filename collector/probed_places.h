/* SPDX-License-Identifier: Apache-2.0 */
/* Places in files where counted functions have probes, by file and offset: whoever maps the file may have them in it. */
#ifndef COLLECTOR_PROBED_PLACES_H
#define COLLECTOR_PROBED_PLACES_H

#include "base/hash.h"
#include "base/vec.h"
#include "recording/writer.h"

/* A probe is there in some processes. The return address is sp_add bytes above the stack pointer. */
struct probed_place {
	uint64_t dev, inode, off;
	uint32_t sp_add;
};

/* An instruction that the kernel runs out of line: so far into its copy the return address is sp_add bytes above the stack pointer. */
struct probed_step {
	uint32_t copy_off, sp_add;	/* CALL_PLACE_NO_SP: that is not known */
};

/* Zeroed: none. */
struct probed_places {
	VEC(struct probed_place) all;
	VEC(struct probed_step) steps;	/* each once, of whatever file */
	struct hashidx index;
};

void probed_places_add(struct probed_places *places, const struct probed_place *p);

void probed_places_add_step(struct probed_places *places, const struct probed_step *s);

/* Of the mapped file, at that offset of it; valid until one is added. NULL: there is none. */
const struct probed_place *probed_places_find(const struct probed_places *places, const struct writer_mmap *file, uint64_t off);

void probed_places_release(struct probed_places *places);

#endif
