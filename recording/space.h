/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One process's mappings over time. A later mapping replaces what it overlaps (as mmap does); fork
 * copies; exec clears. Like the memory itself, mappings are shared after a fork until one side
 * changes them: most children that a shell or a pre-fork server makes never do.
 */
#ifndef RECORDING_SPACE_H
#define RECORDING_SPACE_H

#include <stdbool.h>
#include <stdint.h>

struct mapping {
	uint64_t start, end;	/* runtime addresses, end exclusive */
	uint64_t off;		/* of start in the module's file */
	uint32_t module;	/* the owner's number for it */
};

struct mappings;

/* Valid when zeroed. */
struct space {
	struct mappings *maps;		/* maybe of several spaces; NULL: none */
	uint32_t generation;		/* grows whenever an answer of space_find() may have changed */
};

void space_release(struct space *s);
/* Empty or wrapped ranges are ignored. */
void space_map(struct space *s, struct mapping m);
void space_clear(struct space *s);
/* Makes child a copy of parent; what child had is gone. */
void space_fork(struct space *child, const struct space *parent);
/* The mapping that covers addr, or NULL. Lent until the space changes. */
const struct mapping *space_find(const struct space *s, uint64_t addr);

#endif
