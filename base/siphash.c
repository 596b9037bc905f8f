/* SPDX-License-Identifier: Apache-2.0 */
#include "base/siphash.h"

#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

void siphash_key_init(struct siphash_key *key)
{
	if (getrandom(key, sizeof(*key), GRND_NONBLOCK) == sizeof(*key))
		return;
	/* Where a filter of system calls forbids it: 16 bytes that the kernel gives each program. */
	memcpy(key, (const void *)getauxval(AT_RANDOM), sizeof(*key));
}

static inline uint64_t rotate(uint64_t x, int nr_bits)
{
	return x << nr_bits | x >> (64 - nr_bits);
}

static inline void mix(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32) + v[3];
	v[2] += v[1];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static inline void mix_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	mix(v);
	v[0] ^= word;
}

/* Words are little-endian, as those of all machines that we run on. */
uint64_t siphash(const struct siphash_key *key, const void *bytes, size_t len)
{
	uint64_t v[4] = { key->at[0] ^ 0x736f6d6570736575ULL, key->at[1] ^ 0x646f72616e646f6dULL,
			  key->at[0] ^ 0x6c7967656e657261ULL, key->at[1] ^ 0x7465646279746573ULL };
	uint64_t last = (uint64_t)len << 56, word;
	const char *p = bytes;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		mix_word(v, word);
	}
	if (len) {
		word = 0;
		memcpy(&word, p, len);
		last |= word;
	}
	mix_word(v, last);
	v[2] ^= 0xff;
	mix(v);
	mix(v);
	mix(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
