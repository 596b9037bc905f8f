/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection as a table's row: what the server reads and writes, and what a parser says of it, in
 * whatever pieces the bytes come. The name may be left out.
 *
 *	static const struct script cases[] = {
 *		{ "one get", { IN("GET k\r\n"), OUT("$-1\r\n") }, "1 began; 1 GET; 1 ended; " },
 *	};
 *
 *	script_check(&protocol_redis, &cases[_i]);
 */
#ifndef TESTS_SCRIPT_H
#define TESTS_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report/protocol.h"

#define SCRIPT_STEPS 14

enum script_verb { SCRIPT_END, SCRIPT_IN, SCRIPT_OUT, SCRIPT_CLOSE };

struct script_step {
	enum script_verb verb;
	const char *bytes;
	size_t len;
	uint64_t nr_unknown;	/* bytes that follow, and did not travel */
	bool is_whole;		/* the parser may say other things if it came in two pieces */
};

#define IN(s)		 { SCRIPT_IN, s, sizeof(s) - 1, 0, false }
#define OUT(s)		 { SCRIPT_OUT, s, sizeof(s) - 1, 0, false }
#define IN_WHOLE(s)	 { SCRIPT_IN, s, sizeof(s) - 1, 0, true }
#define IN_CUT(s, more)	 { SCRIPT_IN, s, sizeof(s) - 1, more, false }
#define OUT_CUT(s, more) { SCRIPT_OUT, s, sizeof(s) - 1, more, false }
#define CLOSED		 { SCRIPT_CLOSE, "", 0, 0, false }

struct script {
	const char *name;
	struct script_step steps[SCRIPT_STEPS];
	const char *want;
	uint64_t want_skipped;
};

/* What first bytes say of their protocol. */
struct script_first {
	const char *bytes;
	size_t len;
	enum recognition want;
};

#define FIRST(s, want) { s, sizeof(s) - 1, want }

/* Plays one step. */
struct exchange;
void script_step_play(struct exchange *x, const struct script_step *s);
/* Plays it as it is; how many requests began. */
uint64_t script_play(const struct protocol *p, const struct script *s);
/*
 * Plays it: as it is; with each step in two pieces, split at every byte; and a byte at a time.
 */
void script_check(const struct protocol *p, const struct script *s);
/*
 * Plays it with only the first bytes of each step known, for every number of them: what began is
 * bounded by what begins with all of them, and ended once the connection is closed after one more
 * exchange, which these bytes are.
 */
void script_check_cuts(const struct protocol *p, const struct script *s, const char *ask,
		       const char *answer);
/* The same without an end: no more than so many begin, whatever is known. */
void script_check_known(const struct protocol *p, const struct script *s, size_t nr_known_max,
			uint64_t nr_began_max);
void script_check_first(const struct protocol *p, const struct script_first *f);
/* Seeds for tests/fuzz/fuzz_protocols.c: see there. */
struct str;
void script_add_seed(struct str *b, uint8_t protocol, const struct script *s);

#endif
