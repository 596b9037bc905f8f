/* SPDX-License-Identifier: Apache-2.0 */
/* Do bytes of a client begin as Redis's do? A pure function: see struct protocol. */
#ifndef REPORT_REDIS_RECOGNIZE_H
#define REPORT_REDIS_RECOGNIZE_H

#include "report/protocol.h"

/* The longest command of Redis 7 has 20 bytes; modules' are longer. */
#define REDIS_WORD_MAX 64

/* Commands begin with one. */
static inline bool redis_is_letter(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

enum recognition redis_recognize(const uint8_t *bytes, size_t len);

#endif
