/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/thunk.h"

#include <Zydis/Decoder.h>
#include <string.h>

#include "base/str.h"

/* Behind "[n]DIGITS_"; NULL: it is something else. */
static const char *skip_offset(const char *s)
{
	size_t digits;

	s += *s == 'n';
	digits = strspn(s, "0123456789");
	return digits && s[digits] == '_' ? s + digits + 1 : NULL;
}

/* "hNUMBER_", "vNUMBER_NUMBER_". */
static const char *skip_call_offset(const char *s)
{
	const char *behind = *s == 'h' || *s == 'v' ? skip_offset(s + 1) : NULL;

	return behind && *s == 'v' ? skip_offset(behind) : behind;
}

const char *thunk_function(const char *symbol)
{
	const char *s;

	if (!str_starts(symbol, "_ZT"))
		return NULL;
	if (symbol[3] != 'c')
		return skip_call_offset(symbol + 3);
	s = skip_call_offset(symbol + 4);
	return s ? skip_call_offset(s) : NULL;
}

static bool leads_on(const ZydisDecodedInstruction *in)
{
	return in->meta.category == ZYDIS_CATEGORY_COND_BR || in->meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
	       in->meta.category == ZYDIS_CATEGORY_CALL;
}

uint64_t thunk_target(const uint8_t *code, size_t len, uint64_t off, size_t *at)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction in;
	ZydisDecoder decoder;

	if (ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		return 0;
	while (*at < len && !ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, code + *at, len - *at, &in, operands))) {
		*at += in.length;
		if (leads_on(&in) && operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
			return off + *at + (uint64_t)operands[0].imm.value.s;
	}
	return 0;
}
