/* SPDX-License-Identifier: Apache-2.0 */
/* Quantities as people type and read them. */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define NS_PER_SEC 1000000000ULL

/* "250ms", "1.5s", "10us", "3m"; a bare number is seconds. False: not a time, or negative. */
bool parse_time_ns(const char *s, uint64_t *ret_ns);
/* "4096", "64K", "10M", "2G" (powers of 1024; a trailing B or iB is taken). */
bool parse_bytes(const char *s, uint64_t *ret_bytes);
/* Rounded; UINT64_MAX where more than 64 bits would be needed. Not negative. */
uint64_t whole_number(double x);
/* A whole decimal number from min to max, and nothing after it. */
bool parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret_value);
/* "3.2 ms", "812.0 us", "12.1 s": one decimal, the unit that reads best. */
void str_add_duration(struct str *b, double seconds);
/* "1.4 MB": powers of 1000. */
void str_add_bytes_size(struct str *b, uint64_t bytes);

/* A moment of the wall clock as RFC 3339 has it: "2026-11-27T07:31:06.123456Z". */
void str_add_time_of_day(struct str *b, uint64_t epoch_ns);

/* CLOCK_MONOTONIC, the clock of all recordings of ours. */
uint64_t monotonic_ns(void);
/* The wall clock, since 1970 (UTC). */
uint64_t epoch_ns(void);
/* One moment on both, as near as can be read. */
void clocks_ns(uint64_t *ret_monotonic_ns, uint64_t *ret_epoch_ns);

#endif
