/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF"; one round a word, three at the end), for
 * what others choose, as a server's clients choose paths: without the key nobody makes texts whose hashes are equal.
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t at[2];
};

/* Random: nothing that is printed may depend on what is hashed with it. */
void siphash_key_init(struct siphash_key *key);
uint64_t siphash(const struct siphash_key *key, const void *bytes, size_t len);

#endif
