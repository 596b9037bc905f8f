/* SPDX-License-Identifier: Apache-2.0 */
#include "report/protocol.h"

#include "base/vec.h"

/* HTTP before those whose commands are words, too: its first line says the most. */
static const struct protocol *const protocols[] = {
	&protocol_http1,
	&protocol_postgres,
	&protocol_fastcgi,
	&protocol_redis,
	&protocol_memcached,
};

static enum recognition recognize(const struct protocol *p, const uint8_t *bytes, size_t len, bool is_first)
{
	return is_first && p->recognize_first ? p->recognize_first(bytes, len) : p->recognize(bytes, len);
}

const struct protocol *protocol_of(const uint8_t *bytes, size_t len, bool is_first)
{
	const struct protocol *maybe = NULL;
	size_t i;

	for (i = 0; i < ARRAY_LEN(protocols); i++) {
		enum recognition is = recognize(protocols[i], bytes, len, is_first);

		if (is == RECOGNIZED)
			return protocols[i];
		if (is != RECOGNIZED_NOT && !maybe)
			maybe = protocols[i];
	}
	return maybe;
}
