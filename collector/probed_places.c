/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/probed_places.h"

#include "collector/mapped_file.h"

/* As far as a file's inode is known everywhere: mapped_file.c. */
static uint64_t hash_of(uint64_t inode, uint64_t off)
{
	return hash_mix((uint32_t)inode, off);
}

void probed_places_add(struct probed_places *places, const struct probed_place *p)
{
	hashidx_add(&places->index, hash_of(p->inode, p->off), (uint32_t)places->all.nr);
	vec_push(&places->all, *p);
}

void probed_places_add_step(struct probed_places *places, const struct probed_step *s)
{
	vec_each(&places->steps, known)
		if (known->copy_off == s->copy_off && known->sp_add == s->sp_add)
			return;
	vec_push(&places->steps, *s);
}

const struct probed_place *probed_places_find(const struct probed_places *places, const struct writer_mmap *file, uint64_t off)
{
	hashidx_each(&places->index, hash_of(file->inode, off), id) {
		const struct probed_place *p = &places->all.at[id];

		if (p->off == off && mapped_file_may_be(file, p->dev, p->inode))
			return p;
	}
	return NULL;
}

void probed_places_release(struct probed_places *places)
{
	vec_release(&places->all);
	vec_release(&places->steps);
	hashidx_release(&places->index);
}
