/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What --marker says, as a struct:
 *
 *	auto
 *	none
 *	socket[:PORT]						exchanges on accepted connections
 *	http[:PORT]						those of HTTP alone
 *	func:FUNCTION[@MODULE][,label=argN:str]			a request is one call
 *	begin=PROBE,end=PROBE[,label=argN:str][,id=argN]	in any order
 *
 *	PROBE = FUNCTION[@MODULE][%return] or usdt:PROVIDER:NAME
 *
 * FUNCTION may be a C++ signature with commas, colons and spaces: a comma separates only where
 * "word=" follows. Nothing is looked up here: a spec is good or bad whatever the target.
 */
#ifndef COLLECTOR_SPEC_H
#define COLLECTOR_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum marker_spec_kind {
	MARKER_SPEC_AUTO,
	MARKER_SPEC_NONE,
	MARKER_SPEC_SOCKET,
	MARKER_SPEC_FUNC,	/* begin is a function's entry, end the return of the same call */
	MARKER_SPEC_PAIR,
};

struct probe_name {
	char *text;		/* as written; what a request without label is called */
	char *function;		/* NULL for USDT */
	char *module;		/* glob of a base name or a path; NULL: any. Functions only */
	char *provider, *name;	/* NULL for functions */
	bool is_return;
};

struct marker_spec {
	enum marker_spec_kind kind;
	char *text;		/* as written */
	struct probe_name begin, end;	/* zero for AUTO, NONE and SOCKET */
	bool is_http;			/* SOCKET: no other protocol */
	uint16_t port;			/* SOCKET: the local one; 0: any */
	unsigned int label_arg;	/* argument of begin, from 1; 0: no label */
	unsigned int id_arg;	/* argument of begin and of end, from 1; 0: joined by thread */
};

/* *ret is set on success only: marker_spec_release() it. -EINVAL says what is accepted. */
int marker_spec_parse(const char *text, struct marker_spec *ret, struct err *e);
void marker_spec_release(struct marker_spec *s);

/*
 * Whether both would see the same requests, as far as their words tell: sockets of the same port, any port being
 * every one's, or the same probes, however they are written. Labels and ids make no difference.
 */
bool marker_spec_repeats(const struct marker_spec *s, const struct marker_spec *earlier);
/* The error for one that does. -EINVAL. */
int marker_spec_refuse(const struct marker_spec *s, const struct marker_spec *earlier, struct err *e);

/* One PROBE; `wperf record --calls` takes its functions in the same form. */
int probe_name_parse(const char *text, struct probe_name *ret, struct err *e);
void probe_name_release(struct probe_name *p);

#endif
