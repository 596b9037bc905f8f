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

const char *thunk_function(const char *symbol)
{
	const char *s = NULL;

	if (str_starts(symbol, "_ZTh") || str_starts(symbol, "_ZTv"))
		s = skip_offset(symbol + 4);
	if (s && symbol[3] == 'v')
		s = skip_offset(s);
	return s;
}

static bool may_leave(const ZydisDecodedInstruction *in)
{
	switch (in->meta.category) {
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_SYSCALL:
		return true;
	default:
		return false;
	}
}

uint64_t thunk_target(const uint8_t *code, size_t len, uint64_t at)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction in;
	ZydisDecoder decoder;
	size_t i;

	if (ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		return 0;
	for (i = 0; i < len; i += in.length) {
		if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, code + i, len - i, &in, operands)) ||
		    may_leave(&in))
			return 0;
		if (in.meta.category == ZYDIS_CATEGORY_UNCOND_BR)
			return operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE ?
				       at + i + in.length + (uint64_t)operands[0].imm.value.s :
				       0;
	}
	return 0;
}
