/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the socket marks of a sample: socket_mark.h has what they are. */
#ifndef RECORDING_SOCKET_MARKS_H
#define RECORDING_SOCKET_MARKS_H

#include "base/cursor.h"
#include "recording/record.h"
#include "recording/socket_mark.h"

/* The raw part of this record is socket marks. */
bool socket_marks_are_in(const struct record *r);

/*
 * Takes the next mark, of whatever kind, also one that nobody knows yet; its bytes, ret_mark->len of them, are lent
 * from the cursor's. False: there is no further one, or, with c->failed, what is there is none.
 */
bool socket_marks_next(struct cursor *c, struct socket_mark *ret_mark, const uint8_t **ret_bytes);

#endif
