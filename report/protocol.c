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

const struct protocol *protocol_of(const uint8_t *bytes, size_t len)
{
	const struct protocol *maybe = NULL;
	size_t i;

	for (i = 0; i < ARRAY_LEN(protocols); i++) {
		enum recognition is = protocols[i]->recognize(bytes, len);

		if (is == RECOGNIZED)
			return protocols[i];
		if (is != RECOGNIZED_NOT && !maybe)
			maybe = protocols[i];
	}
	return maybe;
}
