/* SPDX-License-Identifier: Apache-2.0 */
/* Text of any bytes and numbers of any value in JSON, and JSON in files that people look at in a terminal. */
#ifndef REPORT_JSON_TEXT_H
#define REPORT_JSON_TEXT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A string. Bytes that are no UTF-8 are shown as in tables, with \xNN: JSON cannot hold them. */
json_t *json_text(const char *s, size_t len);
/* Null for what is infinite or no number at all: JSON cannot hold it. */
json_t *json_number(double value);
/* A moment of the wall clock, as RFC 3339 has it; null for 0, which is not known. */
json_t *json_time_of_day(uint64_t epoch_ns);
/*
 * Writes the value as json_dumpf() does, and DEL, the control characters of C1 (U+0080 to U+009F)
 * and the separators U+2028 and U+2029 as \uNNNN, which JSON does not ask for; but U+009B begins an
 * escape sequence as ESC does, and the separators end lines of jsonl for who splits by Unicode.
 */
void json_text_write(const json_t *value, FILE *out, size_t flags);

#endif
