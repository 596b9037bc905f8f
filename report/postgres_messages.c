/* SPDX-License-Identifier: Apache-2.0 */
#include "report/postgres_messages.h"

#include <string.h>

#include "report/intake.h"

bool postgres_is_client_type(uint8_t type)
{
	return type && strchr("QPBDECFSHdcfXp", type);
}

/* A plausible length of a client's message: least for its fields, and whether it is always that. */
static bool is_length(uint8_t type, uint32_t len)
{
	switch (type) {
	case 'S':
	case 'H':
	case 'X':
	case 'c':
		return len == 4;
	case 'E':
		return len >= 9 && len < 65536;
	case 'D':
	case 'C':
		return len >= 6 && len < 65536;
	case 'f':
	case 'Q':
	case 'p':
		return len >= 5 && len <= POSTGRES_MESSAGE_MAX;
	case 'P':
		return len >= 8 && len <= POSTGRES_MESSAGE_MAX;
	case 'B':
		return len >= 12 && len <= POSTGRES_MESSAGE_MAX;
	case 'F':
		return len >= 14 && len <= POSTGRES_MESSAGE_MAX;
	default:
		return len >= 4 && len <= POSTGRES_MESSAGE_MAX;
	}
}

enum recognition postgres_recognize_first(const uint8_t *bytes, size_t len)
{
	uint32_t message, code;

	if (!len)
		return RECOGNIZED_MAYBE;
	if (bytes[0])
		return RECOGNIZED_NOT;
	if (len >= 4) {
		message = load_be32(bytes);
		if (message < POSTGRES_UNTYPED_HEAD || message > POSTGRES_STARTUP_MAX)
			return RECOGNIZED_NOT;
	} else if (len >= 2 && bytes[1]) {
		return RECOGNIZED_NOT;
	}
	if (len < POSTGRES_UNTYPED_HEAD)
		return RECOGNIZED_MAYBE;
	code = load_be32(bytes + 4);
	return code == POSTGRES_CODE_SSL || code == POSTGRES_CODE_GSSENC || code == POSTGRES_CODE_CANCEL ||
			       code >> 16 == POSTGRES_CODE_MAJOR
		       ? RECOGNIZED
		       : RECOGNIZED_NOT;
}

enum recognition postgres_recognize(const uint8_t *bytes, size_t len)
{
	uint32_t message;

	if (!len || !bytes[0])
		return postgres_recognize_first(bytes, len);
	/* Of 1 GB at most, a length's first byte is no letter: this tells text from messages. */
	if (!postgres_is_client_type(bytes[0]) || (len > 1 && bytes[1] > POSTGRES_MESSAGE_MAX >> 24))
		return RECOGNIZED_NOT;
	if (len < POSTGRES_TYPED_HEAD)
		return RECOGNIZED_MAYBE;
	message = load_be32(bytes + 1);
	if (!is_length(bytes[0], message))
		return RECOGNIZED_NOT;
	if (len > (size_t)message + 1 && !postgres_is_client_type(bytes[message + 1]))
		return RECOGNIZED_NOT;
	return byte_is_one_of(bytes[0], "dcfpHX") ? RECOGNIZED_REST : RECOGNIZED;
}
