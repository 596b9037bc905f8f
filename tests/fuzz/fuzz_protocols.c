/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes are a connection: u8 protocol, then reads and writes, each of u8 direction, u8 length,
 * u8 bytes that did not travel (the top bit set: times 256), bytes. tests/exchange.h has the rules
 * that a parser keeps.
 */
#include "tests/exchange.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct protocol *const protocols[] = {
	&protocol_redis,
	&protocol_postgres,
	&protocol_memcached,
	&protocol_fastcgi,
};

/* One read or write; how many bytes of the input it took. */
static size_t play(struct exchange *x, const uint8_t *data, size_t size)
{
	size_t len = data[1] < size - 3 ? data[1] : size - 3;
	uint64_t unknown = data[2] & 0x80 ? (uint64_t)data[2] << 8 : data[2];

	if (data[0] & 1)
		exchange_out_n(x, data + 3, len, len + unknown);
	else
		exchange_in_n(x, data + 3, len, len + unknown);
	return 3 + len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct protocol *p;
	struct exchange x;
	size_t at = 1;

	if (!size)
		return 0;
	p = protocols[data[0] % (sizeof(protocols) / sizeof(protocols[0]))];
	p->recognize(data + 1, size - 1);
	exchange_init(&x, p);
	while (size - at >= 3)
		at += play(&x, data + at, size - at);
	exchange_close(&x);
	exchange_release(&x);
	return 0;
}
