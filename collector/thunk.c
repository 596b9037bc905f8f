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

/* Ways that are still to be looked at begin at `starts`; no instruction is looked at twice. */
struct walk {
	size_t starts[THUNK_BYTES], nr;
	bool is_seen[THUNK_BYTES];
	bool is_behind_call;	/* with nothing between */
	bool is_found;		/* some way has led to the function: there are loops without an end */
};

/* The next instruction of a way, of `in`, which leads to `to` (0: to no fixed place). False: it is not as in a thunk. */
static bool step(struct walk *w, const ZydisDecodedInstruction *in, uint64_t to, uint64_t off, size_t len, size_t *at)
{
	bool is_call = in->meta.category == ZYDIS_CATEGORY_CALL, is_jump = in->meta.category == ZYDIS_CATEGORY_UNCOND_BR;
	bool is_branch = in->meta.category == ZYDIS_CATEGORY_COND_BR;

	/* __morestack goes on behind the ret that it is called before. */
	if (in->meta.category == ZYDIS_CATEGORY_RET && !w->is_behind_call)
		return false;
	w->is_behind_call = is_call;
	if (!is_jump && !is_branch)
		return true;
	if (!to || to < off || to - off >= len)
		return false;
	if (is_branch)
		w->starts[w->nr++] = *at;
	*at = (size_t)(to - off);
	return true;
}

/* One way, up to the function or what is seen. */
static bool way_leads_to(struct walk *w, const uint8_t *code, size_t len, uint64_t off, size_t at, thunk_is_function is_function,
			 const void *data)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction in;
	ZydisDecoder decoder;
	bool is_to_function;
	uint64_t to;

	if (ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		return false;
	for (w->is_behind_call = false; at < len && !w->is_seen[at];) {
		if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, code + at, len - at, &in, operands)))
			return false;
		w->is_seen[at] = true;
		at += in.length;
		to = operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && operands[0].imm.is_relative ?
			     off + at + (uint64_t)operands[0].imm.value.s : 0;
		is_to_function = to && is_function(data, to);
		w->is_found |= is_to_function;
		if (is_to_function && in.meta.category != ZYDIS_CATEGORY_COND_BR)
			return true;
		if (!is_to_function && !step(w, &in, to, off, len, &at))
			return false;
	}
	return at < len;
}

bool thunk_passes_on(const uint8_t *code, size_t len, uint64_t off, thunk_is_function is_function, const void *data)
{
	struct walk w = { .nr = 1 };

	if (len > THUNK_BYTES)
		len = THUNK_BYTES;
	while (w.nr)
		if (!way_leads_to(&w, code, len, off, w.starts[--w.nr], is_function, data))
			return false;
	return w.is_found;
}
