/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "base/hash.h"
#include "base/siphash.h"
#include "base/units.h"

Suite *check_siphash_suite(void);

static const struct {
	const char *text;
	struct siphash_key key;
	uint64_t want;
} known[] = {
	/* as hash() of CPython 3.11 has them, with PYTHONHASHSEED=0 */
	{ "a", { { 0, 0 } }, 0x407448d2b89b1813ULL },
	{ "/users/1", { { 0, 0 } }, 0x29f510c05720a692ULL },
	{ "/users/12", { { 0, 0 } }, 0x92bcc496d84349a9ULL },
	{ "0123456789abcdefghijklm", { { 0, 0 } }, 0x46e0015da1c17452ULL },
	/* as Rust's tests of SipHasher13 do */
	{ "", { { 0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL } }, 0xabac0158050fc4dcULL },
};

START_TEST(siphash_has_the_known_answers)
{
	ck_assert_uint_eq(siphash(&known[_i].key, known[_i].text, strlen(known[_i].text)), known[_i].want);
}
END_TEST

START_TEST(siphash_keys_differ)
{
	struct siphash_key a, b;

	siphash_key_init(&a);
	siphash_key_init(&b);
	ck_assert(a.at[0] != b.at[0] || a.at[1] != b.at[1]);
	ck_assert_uint_ne(siphash(&a, "/users/1", 8), siphash(&b, "/users/1", 8));
}
END_TEST

/* Texts that a client makes with one hash, as far as he knows: 16 bytes, of which the last 8 undo the first. */
START_TEST(texts_of_equal_hashes_are_not_behind_each_other)
{
	enum { NR = 1000 };
	struct u64map hashes = { 0 };
	struct strings t = { 0 };
	uint64_t i, text[2];
	uint32_t slot;

	for (i = 0; i < NR; i++) {
		text[0] = i;
		text[1] = 0x1234567890abcdefULL - hash_mix(sizeof(text), i) * 0x9e3779b97f4a7c15ULL;
		ck_assert_uint_eq(hash_bytes(text, sizeof(text)), hash_u64(hash_u64(0x1234567890abcdefULL)));
		strings_id_n(&t, (const char *)text, sizeof(text));
	}
	for (slot = 0; slot <= t.index.mask; slot++)
		if (t.index.slots[slot].id_plus_1)
			u64map_set(&hashes, t.index.slots[slot].hash, 1);
	ck_assert_uint_gt(hashes.pairs.nr, NR - 10);
	u64map_release(&hashes);
	strings_release(&t);
}
END_TEST

Suite *check_siphash_suite(void)
{
	Suite *s = suite_create("siphash");
	TCase *tc = tcase_create("siphash");

	tcase_add_loop_test(tc, siphash_has_the_known_answers, 0, ARRAY_LEN(known));
	tcase_add_test(tc, siphash_keys_differ);
	tcase_add_test(tc, texts_of_equal_hashes_are_not_behind_each_other);
	suite_add_tcase(s, tc);
	return s;
}
