/* SPDX-License-Identifier: Apache-2.0 */
/* A profile built by hand, for the tests of what reads profiles. */
#ifndef TESTS_FAKE_PROFILE_H
#define TESTS_FAKE_PROFILE_H

#include "report/render.h"

struct fake_profile {
	struct strings strings;
	struct profile p;
};

/* Seconds, clock weights, one second long, no groups. */
void fake_profile_init(struct fake_profile *f);
void fake_profile_release(struct fake_profile *f);

/* std_name may be NULL: it is then "file:line(name)". Returns the index of the function. */
uint32_t fake_function(struct fake_profile *f, const char *file, uint32_t line, const char *name,
		       const char *std_name);
/* A group without requests; nothing was counted in it. Moves with the next one. */
struct group *fake_group(struct fake_profile *f, enum group_by by, const char *path,
			 const char *method);
/* nr finished requests of the status (0: unknown), each 1 ms longer than the one before. */
void fake_requests(struct group *g, uint64_t nr, uint32_t status);
/* That of its only one, instead. */
void fake_elapsed(struct group *g, uint64_t ns);
/* A row; nothing was counted. Adds to the group's weight. Moves with the next one. */
struct function_sums *fake_sums(struct group *g, uint32_t function, uint64_t self, uint64_t cum);
/* A stack of the group: nr functions, innermost first. Adds to no row. */
void fake_stack(struct group *g, const uint32_t *functions, size_t nr, uint64_t weight);
/* What was counted of a row; adds to the group's calls. */
void fake_calls(struct group *g, struct function_sums *s, uint64_t ncalls, uint64_t primitive);

/* What the renderer writes. Freed by the caller. */
char *fake_render(const struct fake_profile *f, const struct renderer *r,
		  const struct table_options *options, size_t *ret_len);

#endif
