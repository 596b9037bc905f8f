/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RESP, what Redis and its kin speak (redis.io, "Redis serialization protocol specification").
 * A request is an array of bulk strings, or a line of words:
 *
 *	*3 CR LF $3 CR LF SET CR LF $1 CR LF k CR LF $5 CR LF value CR LF
 *	SET k value CR LF
 *
 * and an answer one value: a line that begins with its type, then bytes or values for some types.
 * Answers come in the order of the requests, but for:
 *   pushes		(RESP3, '>') are no answers, except to commands of publish/subscribe
 *   SUBSCRIBE		after its first answer a RESP2 connection carries messages ("Pub/sub"),
 *			until one says that no channel is left, or RESET; answers come among them
 *   MONITOR, SYNC	after its first answer, or the line that says how long that is, the connection
 *			carries a stream, until RESET; a master that prepares what SYNC asks for writes
 *			empty lines until then
 *   REPLCONF ACK	is not answered
 *   CLIENT REPLY	OFF, and SKIP for the next command: ended with the bytes that ask
 *
 * The path is the command in capitals, with its subcommand where commands have those.
 */
#include <string.h>

#include "base/alloc.h"
#include "report/intake.h"
#include "report/outstanding.h"
#include "report/protocol.h"
#include "report/redis_command.h"
#include "report/redis_recognize.h"
#include "report/turns.h"

#define NR_WORDS 3
/* Of a line only a number is read, or whether it is +RESET. */
#define LINE_KEEP 32
/* As much of an inline command as has its words. */
#define INLINE_KEEP 512
/* Values that a reply still owes: no server has so many, and sums of such do not overflow. */
#define VALUES_MAX ((uint64_t)1 << 48)

enum mode { MODE_ANSWERS, MODE_MESSAGES, MODE_STREAM };
enum reading { READING_HEAD, READING_ARG_HEAD, READING_ARG };

struct redis {
	struct turns turns;
	struct outstanding asked;
	/* What is read. */
	enum reading reading;
	struct held line;
	struct body arg;
	uint64_t nr_args, nr_args_read;
	struct redis_word words[NR_WORDS]; /* the first arguments, in capitals */
	bool is_named;
	bool is_silent, is_next_silent; /* CLIENT REPLY */
	/* What is written. */
	enum mode mode;
	struct held answer_line;
	uint64_t nr_values;   /* that the answer still owes, from its first one on */
	uint64_t nr_bytes;    /* that the bulk string still owes */
	uint8_t type;	      /* of the answer as a whole */
	uint64_t first_len;   /* of the answer's first string; 0: none yet */
	bool is_last_channel; /* the message says so */
};

static void leave_place(struct redis *r)
{
	r->reading = READING_HEAD;
	held_drop(&r->line);
}

static void lose_place(struct redis *r, uint64_t nr_unknown, const struct exchange_listener *l)
{
	leave_place(r);
	turns_lose_place(&r->turns, nr_unknown, l);
}

static bool is_silenced(const struct redis *r)
{
	return r->is_silent || r->is_next_silent || r->mode == MODE_STREAM;
}

/* The head of an argument did not travel. Who gets no answer does not wait for it. */
static void lose_arg(struct redis *r, uint64_t nr_unknown, const struct exchange_listener *l)
{
	leave_place(r);
	turns_lose_head(&r->turns, !r->asked.nr_asked && !is_silenced(r), nr_unknown, l);
}

static void lose_answer(struct redis *r)
{
	r->nr_values = 0;
	r->nr_bytes = 0;
	turns_lose_answer(&r->turns);
}

/* ---- requests ---- */

static void name_request(struct redis *r, const struct exchange_listener *l)
{
	char path[2 * REDIS_WORD_MAX + 1];
	size_t len = r->words[0].len;

	memcpy(path, r->words[0].s, len);
	if (r->words[1].len && redis_has_subcommands(&r->words[0])) {
		path[len++] = ' ';
		memcpy(path + len, r->words[1].s, r->words[1].len);
		len += r->words[1].len;
	}
	l->named(l->self, r->asked.open, "", 0, path, len);
	r->is_named = true;
}

/* CLIENT REPLY ("CLIENT REPLY" in the commands' reference): is this very command answered? */
static bool set_silence(struct redis *r)
{
	if (redis_word_is(&r->words[2], "ON"))
		r->is_silent = false;
	else if (redis_word_is(&r->words[2], "OFF"))
		r->is_silent = true;
	else if (redis_word_is(&r->words[2], "SKIP"))
		r->is_next_silent = !r->is_silent;
	else
		return !r->is_silent;
	return redis_word_is(&r->words[2], "ON");
}

static bool is_answered(struct redis *r)
{
	bool was_silenced = is_silenced(r);

	r->is_next_silent = false;
	if (redis_word_is(&r->words[0], "RESET")) {
		r->is_silent = false;
		r->mode = MODE_ANSWERS;
		return true;
	}
	if (redis_word_is(&r->words[0], "CLIENT") && redis_word_is(&r->words[1], "REPLY"))
		return set_silence(r);
	if (redis_word_is(&r->words[0], "REPLCONF") && redis_word_is(&r->words[1], "ACK"))
		return false;
	return !was_silenced;
}

static void end_request(struct redis *r, const struct exchange_listener *l)
{
	r->reading = READING_HEAD;
	if (!r->is_named)
		name_request(r, l);
	if (!is_answered(r))
		outstanding_end_open(&r->asked, l);
	else if (!outstanding_asked(&r->asked, redis_kind_of(&r->words[0])))
		lose_place(r, 0, l);
}

static void begin_request(struct redis *r, const struct exchange_listener *l)
{
	size_t i;

	for (i = 0; i < NR_WORDS; i++)
		r->words[i].len = 0;
	r->is_named = false;
	outstanding_begin(&r->asked, l);
}

/*
 * As commands are called, and people write them: in letters of one case. A line of another protocol that was taken for
 * Redis's may be a password, as POP3's behind AUTH, in base64.
 */
static bool is_command_name(struct piece word)
{
	size_t nr_capitals = 0, nr_small = 0, i;

	for (i = 0; i < word.len; i++) {
		nr_capitals += word.s[i] >= 'A' && word.s[i] <= 'Z';
		nr_small += word.s[i] >= 'a' && word.s[i] <= 'z';
		if (!redis_is_letter(word.s[i]) && !byte_is_one_of(word.s[i], "._-"))
			return false;
	}
	return !nr_capitals || !nr_small;
}

static void read_inline(struct redis *r, struct piece line, const struct exchange_listener *l)
{
	struct piece word;
	size_t i;

	for (i = 0; i < NR_WORDS && piece_word(&line, &word); i++) {
		redis_word_set(&r->words[i], word);
		/* Else it has the connection's. */
		r->is_named |= !i && !is_command_name(word);
	}
	end_request(r, l);
}

/* The number of a line, past its type. Nobody sends the plus sign that it might have. */
static bool line_number(struct piece line, uint64_t *ret)
{
	return piece_number((struct piece){ line.s + 1, line.len - 1 }, ret);
}

static bool read_array(struct redis *r, struct piece line)
{
	r->nr_args_read = 0;
	if (!r->asked.open)
		return true;
	if (!line_number(line, &r->nr_args) || !r->nr_args)
		return false;
	r->reading = READING_ARG_HEAD;
	return true;
}

/* Has a request begun? An array of nothing is none, which its second byte says, if it travelled. */
static bool is_begun(const struct redis *r, const struct intake *in)
{
	size_t nr_held = r->line.bytes.nr, nr = nr_held + in->known;
	uint8_t first, second;

	if (!nr)
		return false;
	first = nr_held ? r->line.bytes.at[0] : in->at[0];
	if (first != '*' || nr < 2)
		return first != '*' || in->unknown;
	second = nr_held > 1 ? r->line.bytes.at[1] : in->at[1 - nr_held];
	return second != '0' && second != '-';
}

static bool step_head(struct redis *r, struct intake *in, const struct exchange_listener *l)
{
	bool is_fresh = !r->line.bytes.nr && in->known;
	struct piece line;
	enum taken taken;

	if (is_fresh && (*in->at == '\r' || *in->at == '\n' || *in->at == ' ')) {
		intake_skip(in, 1);
		return true;
	}
	if (is_fresh && *in->at != '*' && !redis_is_letter(*in->at)) {
		lose_place(r, in->unknown, l);
		return false;
	}
	if (is_fresh)
		l->may_begin(l->self);
	if (!r->asked.open && is_begun(r, in))
		begin_request(r, l);
	taken = intake_line(in, &r->line, INLINE_KEEP, &line);
	if (taken == TAKEN && line.len && *line.s != '*')
		read_inline(r, line, l);
	else if (taken == TAKEN_UNKNOWN || (taken == TAKEN && !read_array(r, line)))
		lose_place(r, in->unknown, l);
	return taken == TAKEN && r->turns.is_placed;
}

static bool step_arg_head(struct redis *r, struct intake *in, const struct exchange_listener *l)
{
	enum taken taken;
	struct piece line;
	uint64_t len = 0;

	taken = intake_line(in, &r->line, LINE_KEEP, &line);
	if (taken == TAKEN_PART)
		return false;
	if (taken == TAKEN_UNKNOWN) {
		lose_arg(r, in->unknown, l);
		return false;
	}
	if (!line.len || *line.s != '$' || !line_number(line, &len)) {
		lose_place(r, in->unknown, l);
		return false;
	}
	/* And its CR LF. */
	body_begin(&r->arg, len + 2,
		   r->nr_args_read < NR_WORDS ? len < REDIS_WORD_MAX ? len : REDIS_WORD_MAX : 0);
	r->reading = READING_ARG;
	return true;
}

static bool step_arg(struct redis *r, struct intake *in, const struct exchange_listener *l)
{
	if (!body_take(&r->arg, in))
		return false;
	if (r->nr_args_read < NR_WORDS)
		redis_word_set(&r->words[r->nr_args_read], body_kept(&r->arg));
	r->nr_args_read++;
	r->reading = READING_ARG_HEAD;
	if (r->nr_args_read == 1 && !redis_has_subcommands(&r->words[0]))
		name_request(r, l);
	else if (r->nr_args_read == 2 && !r->is_named)
		name_request(r, l);
	if (r->nr_args_read == r->nr_args)
		end_request(r, l);
	return r->turns.is_placed;
}

static bool step_in(struct redis *r, struct intake *in, const struct exchange_listener *l)
{
	if (r->reading == READING_HEAD)
		return (in->known || in->unknown) && step_head(r, in, l);
	if (r->reading == READING_ARG_HEAD)
		return step_arg_head(r, in, l);
	return step_arg(r, in, l);
}

static bool is_answer_partial(const struct redis *r)
{
	return r->nr_values || r->answer_line.bytes.nr;
}

static void redis_inbound(void *parser, const struct chunk *c, const struct exchange_listener *l)
{
	struct intake in = intake_of(c);
	struct redis *r = parser;

	if (!outstanding_read(&r->asked, &r->turns, &protocol_redis, c, is_answer_partial(r), l))
		return;
	while (step_in(r, &in, l))
		;
}

/* ---- answers ---- */

/* Of what comes among messages. Its first string says what it is, and so does the length of that. */
static bool is_answer_to(const struct redis *r, enum redis_kind kind)
{
	if (r->type == '-')
		return true;
	if (r->first_len == strlen("subscribe") || r->first_len == strlen("psubscribe"))
		return kind == REDIS_SUBSCRIBE;
	if (r->first_len == strlen("unsubscribe") || r->first_len == strlen("punsubscribe"))
		return kind == REDIS_UNSUBSCRIBE;
	return kind != REDIS_SUBSCRIBE && kind != REDIS_UNSUBSCRIBE && r->first_len != strlen("message") &&
	       r->first_len != strlen("pmessage");
}

static void end_message(struct redis *r, const struct exchange_listener *l)
{
	uint32_t kind;

	if (outstanding_first(&r->asked, &kind) && is_answer_to(r, kind))
		outstanding_answered(&r->asked, l);
	if (r->is_last_channel)
		r->mode = MODE_ANSWERS;
}

static void end_answer(struct redis *r, const struct exchange_listener *l)
{
	bool is_push = r->type == '>';
	uint32_t kind;

	if (r->mode == MODE_MESSAGES) {
		end_message(r, l);
		return;
	}
	if (!outstanding_first(&r->asked, &kind)) {
		/* An answer to what is still being read: a part of it was not heard. */
		if (r->asked.open && !is_push) {
			outstanding_end_open(&r->asked, l);
			lose_place(r, 0, l);
		}
		return;
	}
	if (is_push && kind != REDIS_SUBSCRIBE && kind != REDIS_UNSUBSCRIBE)
		return;
	outstanding_answered(&r->asked, l);
	if (kind == REDIS_SUBSCRIBE && r->type == '*')
		r->mode = MODE_MESSAGES;
	if (kind != REDIS_STREAM || r->type == '-')
		return;
	r->mode = MODE_STREAM;
	outstanding_end(&r->asked, l);
}

static void end_value(struct redis *r, const struct exchange_listener *l)
{
	if (!--r->nr_values)
		end_answer(r, l);
}

/* An aggregate of nr values, which takes the place of one. */
static bool add_values(struct redis *r, uint64_t nr, const struct exchange_listener *l)
{
	if (nr > VALUES_MAX || r->nr_values + nr > VALUES_MAX)
		return false;
	r->nr_values += nr;
	end_value(r, l);
	return true;
}

/* Is the length one of null ("Null bulk strings", "Null arrays")? */
static bool is_null(struct piece line)
{
	return line.len == 3 && line.s[1] == '-' && line.s[2] == '1';
}

/* ":-1" */
static bool is_integer(struct piece line)
{
	size_t sign = line.len > 1 && (line.s[1] == '-' || line.s[1] == '+');
	struct piece digits = { line.s + 1 + sign, line.len - 1 - sign };
	size_t i;

	for (i = 0; i < digits.len; i++)
		if (digits.s[i] < '0' || digits.s[i] > '9')
			return false;
	return digits.len;
}

static bool awaits_stream(const struct redis *r)
{
	uint32_t kind;

	return outstanding_first(&r->asked, &kind) && kind == REDIS_STREAM;
}

/* A value's first line. False: it is none. */
static bool read_value(struct redis *r, struct piece line, const struct exchange_listener *l)
{
	uint64_t nr = 0;

	switch (line.s[0]) {
	case ':':
		if (!is_integer(line))
			return false;
		r->is_last_channel |= piece_is(line, ":0");
		/* fall through */
	case '+':
	case '-':
	case ',':
	case '#':
	case '_':
	case '(':
		end_value(r, l);
		return true;
	case '$':
	case '!':
	case '=':
		/* SYNC's is no string: "$EOF:" stands for a length that the master does not know, and no CR LF follows. */
		if (is_null(line) || (r->type == '$' && awaits_stream(r)))
			end_value(r, l);
		else if (line_number(line, &nr))
			r->nr_bytes = nr + 2;
		else
			return false;
		r->first_len = r->first_len ? r->first_len : nr;
		return true;
	case '*':
	case '~':
	case '>':
		return (is_null(line) || line_number(line, &nr)) && add_values(r, nr, l);
	case '%':
		return line_number(line, &nr) && add_values(r, 2 * nr, l);
	case '|':
		/* Attributes come before the value, and are none. */
		return line_number(line, &nr) && add_values(r, 2 * nr + 1, l);
	default:
		return false;
	}
}

static bool is_type(uint8_t c)
{
	return c && strchr("+-:,#_($!=*~>%|", c);
}

/* The answer's type is that of its first value; attributes come before that one. */
static void begin_value(struct redis *r, uint8_t type)
{
	if (!r->nr_values) {
		r->nr_values = 1;
		r->type = type;
		r->first_len = 0;
		r->is_last_channel = false;
	} else if (r->nr_values == 1 && r->type == '|') {
		r->type = type;
	}
}

static bool step_out(struct redis *r, struct intake *in, const struct exchange_listener *l)
{
	enum taken taken = TAKEN_UNKNOWN;
	struct piece line;
	bool is_foreign;

	if (r->nr_bytes) {
		r->nr_bytes -= intake_skip(in, r->nr_bytes);
		if (r->nr_bytes)
			return false;
		end_value(r, l);
		return true;
	}
	if (!in->known && !in->unknown)
		return false;
	if (in->known && *in->at == '\n' && !is_answer_partial(r) && awaits_stream(r)) {
		intake_skip(in, 1);
		return true;
	}
	is_foreign = in->known && !r->answer_line.bytes.nr && !is_type(*in->at);
	if (!is_foreign)
		taken = intake_line(in, &r->answer_line, LINE_KEEP, &line);
	if (taken == TAKEN_PART)
		return false;
	if (taken == TAKEN)
		begin_value(r, *line.s);
	if (taken == TAKEN_UNKNOWN || !read_value(r, line, l)) {
		lose_answer(r);
		if (is_foreign || taken == TAKEN)
			turns_foreign(&r->turns, l);
		return false;
	}
	return true;
}

static bool is_waiting(const struct redis *r)
{
	return r->asked.nr_asked || r->asked.open || r->mode == MODE_MESSAGES ||
	       is_answer_partial(r);
}

static void redis_outbound(void *parser, const struct chunk *c, const struct exchange_listener *l)
{
	struct intake in = intake_of(c);
	struct redis *r = parser;

	if (!turns_write(&r->turns))
		return;
	while (r->mode != MODE_STREAM && is_waiting(r) && step_out(r, &in, l))
		;
	if (!is_waiting(r) && (in.known || in.unknown))
		turns_unasked(&r->turns, l);
}

static void redis_closed(void *parser, const struct exchange_listener *l)
{
	struct redis *r = parser;

	outstanding_close(&r->asked, &r->turns, l);
}

static void redis_stopped(void *parser, const struct exchange_listener *l)
{
	struct redis *r = parser;

	outstanding_stop(&r->asked, &r->turns, l);
}

static void redis_release(void *parser)
{
	struct redis *r = parser;

	outstanding_release(&r->asked);
	held_release(&r->line);
	held_release(&r->answer_line);
	body_release(&r->arg);
}

const struct protocol protocol_redis = {
	.name = "redis",
	.parser_size = sizeof(struct redis),
	.recognize = redis_recognize,
	.inbound = redis_inbound,
	.outbound = redis_outbound,
	.closed = redis_closed,
	.stopped = redis_stopped,
	.release = redis_release,
};
