/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"

Suite *check_hash_suite(void);

/* Known answers of the finalizer, from its definition. */
START_TEST(hash_u64_is_fmix64)
{
	ck_assert_uint_eq(hash_u64(0), 0);
	ck_assert_uint_eq(hash_u64(1), 0xb456bcfc34c2cb2cULL);
	ck_assert_uint_eq(hash_u64(UINT64_MAX), 0x64b5720b4b825f21ULL);
}
END_TEST

/* Neighbouring keys must not fall into neighbouring slots: half the bits flip, give or take. */
START_TEST(every_input_bit_reaches_the_upper_half)
{
	unsigned int bit, flipped;

	for (bit = 0; bit < 64; bit++) {
		flipped = (unsigned int)__builtin_popcountll(
			(hash_u64(0x1234567890abcdefULL) ^
			 hash_u64(0x1234567890abcdefULL ^ 1ULL << bit)) >>
			32);
		ck_assert_uint_ge(flipped, 5);
		ck_assert_uint_le(flipped, 27);
	}
}
END_TEST

/* All prefixes of a text, and the text with one byte changed. */
START_TEST(bytes_of_any_length_differ)
{
	char text[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	struct u64map seen = { 0 };
	size_t len;

	for (len = 0; len < sizeof(text); len++) {
		ck_assert_ptr_null(u64map_get(&seen, hash_bytes(text, len)));
		u64map_set(&seen, hash_bytes(text, len), 1);
		if (!len)
			continue;
		text[len - 1] ^= 0x20;
		ck_assert_ptr_null(u64map_get(&seen, hash_bytes(text, len)));
		u64map_set(&seen, hash_bytes(text, len), 1);
		text[len - 1] ^= 0x20;
	}
	ck_assert_uint_eq(hash_bytes("\0\0", 1), hash_bytes("\0x", 1));
	ck_assert_uint_ne(hash_bytes("\0\0", 1), hash_bytes("\0\0", 2));
	u64map_release(&seen);
}
END_TEST

START_TEST(bytes_need_no_alignment)
{
	char aligned[32] = "xxxxxxxsome text of some length", shifted[33];

	memcpy(shifted + 1, aligned, sizeof(aligned));
	ck_assert_uint_eq(hash_bytes(aligned, 31), hash_bytes(shifted + 1, 31));
}
END_TEST

START_TEST(empty_index_has_nothing)
{
	struct hashidx h = { 0 };

	hashidx_each(&h, 17, id)
		ck_abort_msg("id %u stands in an empty index", id);
	hashidx_clear(&h);
	hashidx_release(&h);
}
END_TEST

/* The upper half of the hash is all that is compared: equal ones are told apart by the caller. */
START_TEST(equal_hashes_are_all_found)
{
	const uint64_t hash = 0x1234567800000000ULL;
	struct hashidx h = { 0 };
	uint64_t found = 0;
	uint32_t id;

	for (id = 0; id < 40; id++)
		hashidx_add(&h, hash + id, id);
	hashidx_add(&h, hash + (1ULL << 32), 63);
	hashidx_each(&h, hash, i)
		found |= 1ULL << i;
	ck_assert_uint_eq(found, (1ULL << 40) - 1);
	ck_assert_uint_eq(h.nr, 41);
	hashidx_clear(&h);
	ck_assert_uint_eq(h.nr, 0);
	hashidx_each(&h, hash, i)
		ck_abort_msg("id %u was cleared", i);
	hashidx_add(&h, hash, 7);
	found = 0;
	hashidx_each(&h, hash, i)
		found |= 1ULL << i;
	ck_assert_uint_eq(found, 1ULL << 7);
	hashidx_release(&h);
}
END_TEST

START_TEST(loop_can_be_left)
{
	struct hashidx h = { 0 };
	unsigned int nr = 0;

	hashidx_add(&h, 0, 0);
	hashidx_add(&h, 0, 1);
	hashidx_each(&h, 0, id) {
		ck_assert_uint_le(id, 1);
		nr++;
		break;
	}
	ck_assert_uint_eq(nr, 1);
	hashidx_release(&h);
}
END_TEST

START_TEST(load_stays_below_two_thirds)
{
	struct hashidx h = { 0 };
	uint32_t id;

	for (id = 0; id < 10000; id++) {
		hashidx_add(&h, hash_u64(id), id);
		ck_assert_uint_le((uint64_t)h.nr * 3, ((uint64_t)h.mask + 1) * 2);
	}
	hashidx_release(&h);
}
END_TEST

START_TEST(map_keeps_what_was_set)
{
	struct u64map m = { 0 };
	uint64_t i;

	ck_assert_ptr_null(u64map_get(&m, 0));
	for (i = 0; i < 5000; i++)
		u64map_set(&m, i << 40, (uint32_t)i);
	for (i = 0; i < 5000; i += 2)
		u64map_set(&m, i << 40, (uint32_t)i + 1);
	for (i = 0; i < 5000; i++) {
		ck_assert_ptr_nonnull(u64map_get(&m, i << 40));
		ck_assert_uint_eq(*u64map_get(&m, i << 40), i % 2 ? i : i + 1);
		ck_assert_ptr_null(u64map_get(&m, (i << 40) + 1));
	}
	ck_assert_uint_eq(m.pairs.nr, 5000);
	u64map_release(&m);
}
END_TEST

/* Against an array of who has which place. */
START_TEST(places_are_used_again_and_never_twice)
{
	enum { NR = 100 };
	uint32_t of_key[NR], owner[NR], key, most = 0, round;
	struct placemap p = { 0 };
	uint64_t random = 1;
	size_t nr = 0;

	memset(of_key, 0xff, sizeof(of_key));
	memset(owner, 0xff, sizeof(owner));
	for (round = 0; round < 20000; round++) {
		random = hash_u64(random + round);
		key = (uint32_t)(random % NR);
		ck_assert_uint_eq(placemap_find(&p, (uint64_t)key << 32), of_key[key]);
		if (of_key[key] == NO_PLACE) {
			of_key[key] = placemap_add(&p, (uint64_t)key << 32);
			most = ++nr > most ? (uint32_t)nr : most;
			ck_assert_uint_lt(of_key[key], most);
			ck_assert_uint_eq(owner[of_key[key]], NO_PLACE);
			owner[of_key[key]] = key;
		} else {
			placemap_remove(&p, (uint64_t)key << 32);
			owner[of_key[key]] = NO_PLACE;
			of_key[key] = NO_PLACE;
			nr--;
		}
		ck_assert_uint_eq(placemap_nr(&p), nr);
	}
	placemap_release(&p);
}
END_TEST

/* Against an array, with so few different hashes that most are put behind each other. */
START_TEST(what_is_removed_is_gone_and_nothing_else)
{
	enum { NR = 200 };
	struct hashidx h = { 0 };
	bool is_in[NR] = { false };
	uint32_t id, nr_found, nr_wrong, round;
	uint64_t random = 1;

	for (round = 0; round < 20000; round++) {
		random = hash_u64(random + round);
		id = (uint32_t)(random % NR);
		if (is_in[id])
			hashidx_remove(&h, (uint64_t)(id % 13) << 32, id);
		else
			hashidx_add(&h, (uint64_t)(id % 13) << 32, id);
		is_in[id] = !is_in[id];
		if (round % 100)
			continue;
		for (id = nr_found = nr_wrong = 0; id < NR; id++) {
			uint32_t nr = 0;

			hashidx_each(&h, (uint64_t)(id % 13) << 32, each)
				nr += each == id;
			nr_wrong += nr != is_in[id];
			nr_found += nr;
		}
		ck_assert_uint_eq(nr_wrong, 0);
		ck_assert_uint_eq(h.nr, nr_found);
	}
	hashidx_release(&h);
}
END_TEST

START_TEST(map_forgets_what_is_removed)
{
	enum { NR = 1000 };
	struct u64map m = { 0 };
	uint32_t i, round;

	u64map_remove(&m, 7);
	for (round = 0; round < 5; round++) {
		for (i = 0; i < NR; i++)
			u64map_set(&m, i * 977, i + round);
		for (i = round; i < NR; i += 2)
			u64map_remove(&m, i * 977);
		u64map_remove(&m, 1);
		for (i = 0; i < NR; i++) {
			const uint32_t *value = u64map_get(&m, i * 977);
			bool is_gone = i >= round && (i - round) % 2 == 0;

			ck_assert_int_eq(!value, is_gone);
			ck_assert(is_gone || *value == i + round);
		}
	}
	for (i = 0; i < NR; i++)
		u64map_remove(&m, i * 977);
	ck_assert_uint_eq(m.pairs.nr, 0);
	ck_assert_uint_eq(m.index.nr, 0);
	ck_assert_uint_le(m.pairs.cap, 2 * NR);
	u64map_release(&m);
}
END_TEST

START_TEST(equal_strings_have_equal_ids)
{
	struct strings t = { 0 };
	char text[16];
	uint32_t i;

	ck_assert_str_eq(strings_text(&t, 0), "");
	ck_assert_uint_eq(strings_len(&t, 0), 0);
	ck_assert_uint_eq(strings_id(&t, "first"), 1);
	ck_assert_uint_eq(strings_id(&t, ""), 0);
	ck_assert_uint_eq(strings_id_n(&t, "firstly", 5), 1);
	for (i = 0; i < 3000; i++) {
		snprintf(text, sizeof(text), "s%u", i);
		ck_assert_uint_eq(strings_id(&t, text), i + 2);
	}
	for (i = 0; i < 3000; i++) {
		snprintf(text, sizeof(text), "s%u", i);
		ck_assert_uint_eq(strings_id(&t, text), i + 2);
		ck_assert_str_eq(strings_text(&t, i + 2), text);
		ck_assert_uint_eq(strings_len(&t, i + 2), strlen(text));
	}
	strings_release(&t);
}
END_TEST

START_TEST(held_strings_go_with_their_last_holder)
{
	struct strings t = { 0 };
	uint32_t stays = strings_id(&t, "stays"), id = strings_hold_n(&t, "a\0b", 3), other;
	size_t i;

	ck_assert_uint_eq(strings_hold_n(&t, "a\0b", 3), id);
	strings_hold(&t, id);
	strings_drop(&t, id);
	strings_drop(&t, id);
	ck_assert_mem_eq(strings_text(&t, id), "a\0b", 4);
	strings_drop(&t, id);
	other = strings_hold_n(&t, "other", 5);
	ck_assert_uint_eq(other, id);
	ck_assert_uint_ne(strings_hold_n(&t, "a\0b", 3), id);
	/* what stays cannot be dropped */
	ck_assert_uint_eq(strings_hold_n(&t, "stays", 5), stays);
	strings_drop(&t, stays);
	strings_drop(&t, stays);
	strings_drop(&t, 0);
	ck_assert_str_eq(strings_text(&t, stays), "stays");
	ck_assert_uint_eq(strings_id(&t, "other"), other);
	strings_drop(&t, other);
	ck_assert_str_eq(strings_text(&t, other), "other");
	for (i = 0; i < 100000; i++) {
		char text[24];
		int len = snprintf(text, sizeof(text), "held %zu", i);

		id = strings_hold_n(&t, text, (size_t)len);
		ck_assert_str_eq(strings_text(&t, id), text);
		strings_drop(&t, id);
	}
	ck_assert_uint_lt(t.text.nr, 10);
	ck_assert_uint_eq(t.index.nr, t.text.nr - t.free_ids.nr);
	ck_assert_uint_eq(strings_id(&t, "stays"), stays);
	strings_release(&t);
}
END_TEST

/* One string again and again, beside many that stay, leaves nothing behind that has to be passed by. */
START_TEST(held_again_and_again_stands_in_the_index_once)
{
	struct strings t = { 0 };
	char text[16];
	uint32_t i;

	for (i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "s%u", i);
		strings_id(&t, text);
	}
	for (i = 0; i < 1000; i++) {
		uint32_t id = strings_hold_n(&t, "/users/1", 8);

		strings_drop(&t, i % 2 ? id : strings_hold_n(&t, "/users/1", 8));
		ck_assert_uint_eq(t.index.nr, t.text.nr - t.free_ids.nr);
		if (i % 2 == 0)
			strings_drop(&t, id);
	}
	strings_release(&t);
}
END_TEST

START_TEST(strings_may_hold_nul)
{
	struct strings t = { 0 };
	uint32_t with = strings_id_n(&t, "a\0b", 3), without = strings_id(&t, "a");

	ck_assert_uint_ne(with, without);
	ck_assert_uint_eq(strings_len(&t, with), 3);
	ck_assert_mem_eq(strings_text(&t, with), "a\0b", 4);
	ck_assert_uint_eq(strings_id_n(&t, "a\0b", 3), with);
	strings_release(&t);
}
END_TEST

Suite *check_hash_suite(void)
{
	Suite *s = suite_create("hash");
	TCase *tc = tcase_create("hash");

	tcase_add_test(tc, hash_u64_is_fmix64);
	tcase_add_test(tc, every_input_bit_reaches_the_upper_half);
	tcase_add_test(tc, bytes_of_any_length_differ);
	tcase_add_test(tc, bytes_need_no_alignment);
	tcase_add_test(tc, empty_index_has_nothing);
	tcase_add_test(tc, equal_hashes_are_all_found);
	tcase_add_test(tc, loop_can_be_left);
	tcase_add_test(tc, load_stays_below_two_thirds);
	tcase_add_test(tc, map_keeps_what_was_set);
	tcase_add_test(tc, places_are_used_again_and_never_twice);
	tcase_add_test(tc, what_is_removed_is_gone_and_nothing_else);
	tcase_add_test(tc, map_forgets_what_is_removed);
	tcase_add_test(tc, equal_strings_have_equal_ids);
	tcase_add_test(tc, held_strings_go_with_their_last_holder);
	tcase_add_test(tc, held_again_and_again_stands_in_the_index_once);
	tcase_add_test(tc, strings_may_hold_nul);
	suite_add_tcase(s, tc);
	return s;
}
