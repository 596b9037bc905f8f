/* SPDX-License-Identifier: Apache-2.0 */
/* A const model in, bytes out. A new format is one render_*.c and one line in render.c's table. */
#ifndef REPORT_RENDER_H
#define REPORT_RENDER_H

#include <stdio.h>

#include "report/table.h"

struct renderer {
	const char *name;	/* of --format */
	/* -EIO and the like when out cannot be written. */
	int (*write)(const struct profile *p, const struct table_plan *plan, FILE *out,
		     struct err *e);
};

extern const struct renderer render_table, render_json, render_jsonl;

/* NULL: no such format. */
const struct renderer *renderer_find(const char *name);
/* "table, json, jsonl": for messages. Static. */
const char *renderer_names(void);

#endif
