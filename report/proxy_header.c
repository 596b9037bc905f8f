/* SPDX-License-Identifier: Apache-2.0 */
#include "report/proxy_header.h"

#include <string.h>

#include "report/intake.h"

/* 2.1: with the line end. */
enum { TEXT_MAX = 107 };
/* 2.2: the signature, version and command, family and protocol, length. */
enum { BINARY_LENGTH_AT = 14, BINARY_HEAD = 16 };

static size_t text_len(const uint8_t *bytes, size_t len)
{
	static const char word[] = "PROXY ";
	const uint8_t *end;

	if (len < sizeof(word) - 1 || memcmp(bytes, word, sizeof(word) - 1))
		return 0;
	end = memchr(bytes, '\n', len < TEXT_MAX ? len : TEXT_MAX);
	return end && end[-1] == '\r' ? (size_t)(end + 1 - bytes) : 0;
}

static size_t binary_len(const uint8_t *bytes, size_t len)
{
	static const uint8_t signature[] = "\r\n\r\n\0\r\nQUIT\n";

	if (len < BINARY_HEAD || memcmp(bytes, signature, sizeof(signature) - 1))
		return 0;
	return BINARY_HEAD + load_be16(bytes + BINARY_LENGTH_AT);
}

size_t proxy_header_len(const uint8_t *bytes, size_t len)
{
	size_t text = text_len(bytes, len);

	return text ? text : binary_len(bytes, len);
}
