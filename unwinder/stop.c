/* SPDX-License-Identifier: Apache-2.0 */
#include "unwinder/stop.h"

#include <string.h>

#define KEY(id, key, text) [UNWIND_STOP_##id] = key,
#define TEXT(id, key, text) [UNWIND_STOP_##id] = text,
static const char *const stop_keys[] = { UNWIND_STOPS(KEY) };
#define TALLY_KEY(id, key, text) "stacks_" key,
static const char *const tally_keys[] = { UNWIND_STOPS(TALLY_KEY) "stack_frames", "stack_frames_guessed" };
static const char *const stop_texts[] = { UNWIND_STOPS(TEXT) };

void unwind_tally_add(struct unwind_tally *sum, const struct unwind_tally *t)
{
	size_t i;

	for (i = 0; i < UNWIND_NR_STOPS; i++)
		sum->nr_stops[i] += t->nr_stops[i];
	sum->nr_frames += t->nr_frames;
	sum->nr_guessed += t->nr_guessed;
}

const char *unwind_stop_key(enum unwind_stop stop)
{
	return stop_keys[stop];
}

const char *unwind_stop_text(enum unwind_stop stop)
{
	return stop_texts[stop];
}

/* In the order of tally_keys. */
static uint64_t *place(struct unwind_tally *t, size_t i)
{
	if (i < UNWIND_NR_STOPS)
		return &t->nr_stops[i];
	return i == UNWIND_NR_STOPS ? &t->nr_frames : &t->nr_guessed;
}

void unwind_tally_set(struct unwind_tally *t, const char *key, uint64_t count)
{
	size_t i;

	for (i = 0; i < UNWIND_NR_TALLIES; i++)
		if (!strcmp(tally_keys[i], key))
			*place(t, i) = count;
}

uint64_t unwind_tally_get(const struct unwind_tally *t, size_t i, const char **ret_key)
{
	*ret_key = tally_keys[i];
	return *place((struct unwind_tally *)t, i);
}
