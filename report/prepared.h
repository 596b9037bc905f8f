/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a connection's prepared statements, or portals, stand for: name -> text. Bounded in number
 * and bytes; what was used the longest ago goes first. Texts are shared: a portal keeps its
 * statement's text when the statement's name has gone to another one.
 */
#ifndef REPORT_PREPARED_H
#define REPORT_PREPARED_H

#include "base/vec.h"
#include "report/intake.h"

/* A longer name is none that is remembered: servers cut them at 63 bytes, drivers' are shorter. */
#define PREPARED_NAME_MAX 128
#define PREPARED_TEXT_MAX 1024

struct text {
	uint32_t nr_holders;
	uint32_t len;
	char s[];
};

struct prepared_entry {
	struct text *name, *text;
	uint64_t last_used;
	uint32_t hash;
};

/* Zeroed but for its bounds. */
struct prepared {
	size_t max, max_bytes;
	VEC(struct prepared_entry) entries;
	size_t nr_bytes;	/* of names and texts */
	uint64_t clock;
};

/* The first PREPARED_TEXT_MAX bytes; held once. */
struct text *text_new(struct piece p);
struct text *text_hold(struct text *t);
/* NULL is a no-op. */
void text_drop(struct text *t);

/* The name stands for the text from now on, which is held; NULL: for nothing. */
void prepared_set(struct prepared *p, struct piece name, struct text *text);
/* Lent until the name stands for something else; hold it to keep it. NULL: none. */
struct text *prepared_find(struct prepared *p, struct piece name);
void prepared_release(struct prepared *p);

#endif
