/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the bytes of a recording are: a file, a pipe or memory, of which a part is at hand.
 *
 *	err = window_open(&w, path, &e);
 *	... window_section(&w, off, size) ...	of a file: anywhere, until
 *	window_begin_at(&w, pos);		from here on it is read forward
 *	if (window_has(&w, pos, want))
 *		use(window_at(&w, pos));
 *	window_discard(&w, pos);
 *	window_release(&w);
 *
 * A file is read as a pipe is, into a buffer that is used over and over: to touch each page of a mapping once
 * costs several times as much as to copy it. A buffer that would have to hold too much of the file is a mapping after
 * all. Pointers live until the next window_has() or window_discard().
 */
#ifndef RECORDING_WINDOW_H
#define RECORDING_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/err.h"

enum window_origin { FROM_FILE, FROM_PIPE, FROM_MEMORY };

struct window {
	enum window_origin origin;
	int fd;			/* -1: FROM_MEMORY */
	uint8_t *bytes;		/* positions [start, start + len) */
	size_t len, cap;	/* cap: what is allocated; 0: nothing, or mapped, or lent */
	uint64_t start;
	uint64_t file_size;	/* FROM_FILE */
	bool is_mapped, is_at_eof;
	int error;		/* negative errno of the read(2) that ended it; 0: none did */
	uint64_t discarded;	/* of a mapping: given back up to here */
};

/*
 * path "-" is stdin. What open(2) says, -EINVAL for an empty file, -ENOTSUP for a directory. To be released, also
 * then.
 */
int window_open(struct window *w, const char *path, struct err *e);
/* Takes fd over. */
void window_open_pipe(struct window *w, int fd);
/* Lent. */
void window_open_bytes(struct window *w, const void *bytes, size_t len);
void window_release(struct window *w);

/* Of what is at hand; failed where not all of it is. */
struct cursor window_section(const struct window *w, uint64_t off, uint64_t size);
/* Nothing before pos will be asked for, and what is behind it in its order. */
void window_begin_at(struct window *w, uint64_t pos);
/* Makes the bytes [pos, pos + want) available, reading more where it can. False: they are not there; see error. */
bool window_has(struct window *w, uint64_t pos, size_t want);
const uint8_t *window_at(const struct window *w, uint64_t pos);
/* Where what is at hand ends: when there is no more, the end of all. */
uint64_t window_end(const struct window *w);
/* Nothing before pos will be asked for again: its memory is given back. */
void window_discard(struct window *w, uint64_t pos);

#endif
