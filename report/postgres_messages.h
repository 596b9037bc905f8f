/* SPDX-License-Identifier: Apache-2.0 */
/* What a client's messages look like, and whether bytes begin like one: see struct protocol. */
#ifndef REPORT_POSTGRES_MESSAGES_H
#define REPORT_POSTGRES_MESSAGES_H

#include "report/protocol.h"

#define POSTGRES_TYPED_HEAD   5
#define POSTGRES_UNTYPED_HEAD 8

/* "Message Formats" of StartupMessage, SSLRequest, GSSENCRequest and CancelRequest. */
#define POSTGRES_CODE_CANCEL 80877102
#define POSTGRES_CODE_SSL    80877103
#define POSTGRES_CODE_GSSENC 80877104
#define POSTGRES_CODE_MAJOR  3 /* a version's upper half */

/* Longest messages: PQ_LARGE_MESSAGE_LIMIT, 1 GB, and MAX_STARTUP_PACKET_LENGTH of libpq/pqcomm.h.
 */
#define POSTGRES_MESSAGE_MAX 0x40000000
#define POSTGRES_STARTUP_MAX 10000

/* A message's first byte, after the start-up, that clients send. */
bool postgres_is_client_type(uint8_t type);
/* Of a connection's first bytes: its first message has no type. */
enum recognition postgres_recognize_first(const uint8_t *bytes, size_t len);
enum recognition postgres_recognize(const uint8_t *bytes, size_t len);

#endif
