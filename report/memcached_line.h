/* SPDX-License-Identifier: Apache-2.0 */
/* A line of memcached's text protocol, with which a request begins (doc/protocol.txt of its sources). */
#ifndef REPORT_MEMCACHED_LINE_H
#define REPORT_MEMCACHED_LINE_H

#include "report/intake.h"
#include "report/protocol.h"

struct memcached_verb;

struct memcached_line {
	struct piece name;
	const struct memcached_verb *verb; /* NULL: unknown */
	uint64_t data_len;	 /* 0: none; else with CR LF */
	bool is_noreply, is_quiet;
};

/* A word that can be a command, of another version maybe: the server answers ERROR. */
bool memcached_is_command(struct piece word);
/* left: the line without its end. False: it is none. The name lies in it. */
bool memcached_line_parse(struct piece left, struct memcached_line *ret);
/* Of the first bytes of a request. */
enum recognition memcached_line_recognize(const uint8_t *bytes, size_t len);

#endif
