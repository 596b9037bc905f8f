/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/vec.h"
#include "report/http2_frames.h"
#include "tests/symbolizer_rig.h"

Suite *check_http2_frames_suite(void);

struct first {
	const char *name, *bytes;
	size_t len;
	uint64_t nr_unknown;	/* bytes that follow, and did not travel */
	enum recognition want;
};

#define READ(name, s, want)	     { name, s, sizeof(s) - 1, 0, want }
#define READ_CUT(name, s, more, want) { name, s, sizeof(s) - 1, more, want }

/* HPACK of GET / by http, and of a gRPC call whose fields stand in the dynamic table. */
#define HEADERS_GET	 "\0\0\4\1\5\0\0\0\x0d\x82\x86\x84\xbe"
#define HEADERS_CALL(id) "\0\0\x0b\1\4\0\0\0" id "\x83\x86\xc4\xc3\xc2\xc1\xc0\xbf\xbe\xc5\xc6"
#define DATA_CALL(id)	 "\0\0\7\0\1\0\0\0" id "\0\0\0\0\2\x08\7"
#define WINDOW_UPDATE	 "\0\0\4\x08\0\0\0\0\0\0\0\0\x13"
#define PING		 "\0\0\x08\6\0\0\0\0\0\2\4\x10\x10\x09\x0e\7\7"
#define A10		 "aaaaaaaaaa"

static const struct first frames[] = {
	READ("nothing", "", RECOGNIZED_MAYBE),
	READ("less than a head", "\0\0\4\x08", RECOGNIZED_MAYBE),
	READ("a head", "\0\0\4\1\5\0\0\0\x0d", RECOGNIZED_MAYBE),
	READ("GET", HEADERS_GET, RECOGNIZED),
	READ("two of them", HEADERS_GET HEADERS_GET, RECOGNIZED),
	READ("a call of gRPC", HEADERS_CALL("\x09") DATA_CALL("\x09"), RECOGNIZED),
	READ("acknowledged, and the next one", WINDOW_UPDATE PING HEADERS_CALL("\x0b") DATA_CALL("\x0b"), RECOGNIZED),
	READ("a ping", PING, RECOGNIZED),
	READ("settings", "\0\0\x0c\4\0\0\0\0\0\0\3\0\0\0\x64\0\4\0\1\0\0", RECOGNIZED),
	READ("reset", "\0\0\4\3\0\0\0\0\x0d\0\0\0\x08", RECOGNIZED),
	READ("going away", "\0\0\x08\7\0\0\0\0\0\0\0\0\0\0\0\0\0", RECOGNIZED),
	READ("priority", "\0\0\5\2\0\0\0\0\3\0\0\0\0\xc8", RECOGNIZED),
	READ("priority of RFC 9218", "\0\0\7\x10\0\0\0\0\0\0\0\0\3u=0", RECOGNIZED),
	READ("padded, with priority", "\0\0\x0c\1\x2d\0\0\0\3\2\x80\0\0\0\xff\x82\x86\x84\xbe\0\0", RECOGNIZED),
	READ("headers that go on", "\0\0\2\1\1\0\0\0\5\x82\x86\0\0\1\x09\4\0\0\0\5\x84", RECOGNIZED),
	/* By themselves these could be anybody's. */
	READ("empty end of a body", "\0\0\0\0\1\0\0\0\5", RECOGNIZED_MAYBE),
	READ("bodies", DATA_CALL("\x09") DATA_CALL("\x0b"), RECOGNIZED_MAYBE),
	READ("settings acknowledged", "\0\0\0\4\1\0\0\0\0", RECOGNIZED_MAYBE),
	READ("acknowledged, and a call", "\0\0\0\4\1\0\0\0\0" HEADERS_CALL("\x0b"), RECOGNIZED),
	READ("a body and a ping", DATA_CALL("\x09") PING, RECOGNIZED),
	/* The rest of a frame comes with another read, or did not travel. */
	READ("a body goes on", HEADERS_CALL("\x09") "\0\x40\0\0\0\0\0\0\x09" A10, RECOGNIZED),
	READ_CUT("its end is that of the read", "\0\0\x14\1\5\0\0\0\x0d" A10, 10, RECOGNIZED),
	READ_CUT("the next begins behind it", "\0\0\x14\1\5\0\0\0\x0d" A10, 30, RECOGNIZED_MAYBE),
	READ("one that goes on", "\0\x40\0\0\0\0\0\0\x09" A10, RECOGNIZED_MAYBE),
	READ("one and a part", WINDOW_UPDATE "\0\0\4\1\5", RECOGNIZED_MAYBE),
};

static const struct first no_frames[] = {
	READ("more than 16384 bytes", "\0\x40\1\0\0\0\0\0\1" A10, RECOGNIZED_NOT),
	READ("an unknown type", "\0\0\4\x0b\0\0\0\0\1aaaa", RECOGNIZED_NOT),
	READ("a promise of a client", "\0\0\4\5\4\0\0\0\1\0\0\0\2", RECOGNIZED_NOT),
	READ("an even stream", "\0\0\4\1\5\0\0\0\2\x82\x86\x84\xbe", RECOGNIZED_NOT),
	READ("headers of no stream", "\0\0\4\1\5\0\0\0\0\x82\x86\x84\xbe", RECOGNIZED_NOT),
	READ("the reserved bit", "\0\0\4\1\5\x80\0\0\1\x82\x86\x84\xbe", RECOGNIZED_NOT),
	READ("a flag that is none", "\0\0\4\1\7\0\0\0\1\x82\x86\x84\xbe", RECOGNIZED_NOT),
	READ("no headers", "\0\0\0\1\5\0\0\0\1", RECOGNIZED_NOT),
	READ("no body, and no end of it", "\0\0\0\0\0\0\0\0\1", RECOGNIZED_NOT),
	READ("only padding and less", "\0\0\4\1\x0d\0\0\0\1\4\x86\x84\xbe", RECOGNIZED_NOT),
	READ("priority alone", "\0\0\5\1\x25\0\0\0\3\0\0\0\0\xc8", RECOGNIZED_NOT),
	READ("a ping on a stream", "\0\0\x08\6\0\0\0\0\1\2\4\x10\x10\x09\x0e\7\7", RECOGNIZED_NOT),
	READ("a short ping", "\0\0\4\6\0\0\0\0\0\2\4\x10\x10", RECOGNIZED_NOT),
	READ("an update of 0", "\0\0\4\x08\0\0\0\0\0\0\0\0\0", RECOGNIZED_NOT),
	READ("half a setting", "\0\0\3\4\0\0\0\0\0\0\3\0", RECOGNIZED_NOT),
	READ("no settings", "\0\0\0\4\0\0\0\0\0", RECOGNIZED_NOT),
	READ("setting 0", "\0\0\6\4\0\0\0\0\0\0\0\0\0\0\1", RECOGNIZED_NOT),
	READ("settings acknowledged by some", "\0\0\6\4\1\0\0\0\0\0\3\0\0\0\1", RECOGNIZED_NOT),
	READ("settings of a stream", "\0\0\0\4\1\0\0\0\1", RECOGNIZED_NOT),
	READ("reset of no stream", "\0\0\4\3\0\0\0\0\0\0\0\0\x08", RECOGNIZED_NOT),
	READ("priority of no stream", "\0\0\5\2\0\0\0\0\0\0\0\0\0\xc8", RECOGNIZED_NOT),
	READ("going on with nothing", "\0\0\1\x09\4\0\0\0\5\x84", RECOGNIZED_NOT),
	READ("headers interrupted", "\0\0\2\1\1\0\0\0\5\x82\x86" PING, RECOGNIZED_NOT),
	READ("going on with another's", "\0\0\2\1\1\0\0\0\5\x82\x86\0\0\1\x09\4\0\0\0\7\x84", RECOGNIZED_NOT),
	READ("a frame and no frame", PING "GET / HTTP/1.1\r\n\r\n", RECOGNIZED_NOT),
};

/*
 * What servers of other protocols read, in the middle and at the beginning of connections: of MariaDB, mosquitto,
 * redis and PostgreSQL as clients of theirs sent it.
 */
static const struct first others[] = {
	READ("HTTP/1", "GET / HTTP/1.1\r\n\r\n", RECOGNIZED_NOT),
	READ("the preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", RECOGNIZED_NOT),
	READ("TLS", "\x17\3\3\0\x13" A10 "aaaaaaaaa", RECOGNIZED_NOT),
	READ("SSH", "SSH-2.0-OpenSSH_9.2p1\r\n", RECOGNIZED_NOT),
	READ("SSH, keys", "\0\0\5\xd4\x08\x14" A10 A10, RECOGNIZED_NOT),
	READ("redis", "*1\r\n$4\r\nPING\r\n", RECOGNIZED_NOT),
	READ("memcached", "get k\r\n", RECOGNIZED_NOT),
	READ("memcached, binary", "\x80\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0k", RECOGNIZED_NOT),
	READ("PostgreSQL, TLS asked for", "\0\0\0\x08\4\xd2\x16\x2f", RECOGNIZED_MAYBE),
	READ("PostgreSQL, startup",
	     "\0\0\0\x42\0\3\0\0user\0postgres\0database\0postgres\0application_name\0pgbench\0\0", RECOGNIZED_NOT),
	READ("PostgreSQL, COPY", "d\0\0\0\x0b" "1\t1\t0\t\nd\0\0\0\x0b" "2\t1\t0\t\n", RECOGNIZED_NOT),
	READ("PostgreSQL, query", "Q\0\0\0\x0dSELECT 1\0", RECOGNIZED_NOT),
	READ_CUT("MySQL, login", "\xbc\0\0\1\x84\xa2\xbf\0\0\0\0\1\0\x21\0\0\0\0\0\0", 172, RECOGNIZED_NOT),
	READ("MySQL, query", "\x09\0\0\0\3SELECT 1", RECOGNIZED_NOT),
	READ("MySQL, ping", "\1\0\0\0\x0e", RECOGNIZED_NOT),
	READ("MySQL, 64 KiB", "\0\0\1\0\3SELECT '" A10 A10, RECOGNIZED_NOT),
	READ("MongoDB", "\x3f\0\0\0\1\0\0\0\0\0\0\0\xd4\7\0\0\4\0\0\0admin.$cmd\0", RECOGNIZED_NOT),
	READ("FastCGI", "\1\1\0\1\0\x08\0\0\0\1\0\0\0\0\0\0", RECOGNIZED_NOT),
	READ("Kafka, versions", "\0\0\0\x1a\0\x12\0\3\0\0\0\1\0\x0bkafka-cli-1\0\0\0", RECOGNIZED_NOT),
	READ("Kafka, fetch", "\0\0\1\0\0\1\0\x0b\0\0\0\7\0\x0bkafka-cli-1", RECOGNIZED_NOT),
	READ("ZooKeeper, connect", "\0\0\0\x2c\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x75\x30\0\0\0\0", RECOGNIZED_NOT),
	READ("ZooKeeper, ping", "\0\0\0\x08\xff\xff\xff\xfe\0\0\0\x0b", RECOGNIZED_NOT),
	READ("Thrift, framed", "\0\0\0\x11\x80\1\0\1\0\0\0\4ping\0\0\0\1\0", RECOGNIZED_NOT),
	READ("protobuf with its length", "\0\0\0\7\x08\1\x12\3abc", RECOGNIZED_NOT),
	READ("protobuf, 4 bytes", "\0\0\0\4\x08\1\x10\2\0\0\0\4\x08\1\x10\3", RECOGNIZED_NOT),
	READ("protobuf, varint length", "\7\x08\1\x12\3abc", RECOGNIZED_NOT),
	READ("AMQP 0-9-1", "\1\0\1\0\0\0\x0d\0\x3c\0\x28\0\0\0\4test\0\xce", RECOGNIZED_NOT),
	READ("AMQP 1.0", "\0\0\0\x1a\2\0\0\0\0\x53\x10\xc0\x0d\4\xa1\4" A10, RECOGNIZED_NOT),
	READ("MQTT, publish", "\x32\x08\0\3a/b\0\1" "1", RECOGNIZED_NOT),
	READ("MQTT, connect", "\x10\x0c\0\4MQTT\4\2\0\x3c\0\0", RECOGNIZED_NOT),
	READ("Cassandra", "\4\0\0\0\1\0\0\0\x16\0\1\0\x0b" "CQL_VERSION\0\5" "3.0.0", RECOGNIZED_NOT),
	READ("DNS", "\0\x1d\xab\xcd\1\0\0\1\0\0\0\0\0\0\7example\3com\0\0\1\0\1", RECOGNIZED_NOT),
	READ("DNS, id 0", "\0\x1d\0\0\1\0\0\1\0\0\0\0\0\0\7example\3com\0\0\1\0\1", RECOGNIZED_NOT),
	READ("Oracle's TNS", "\0\x3a\0\0\1\0\0\0\1\x38\1\x2c\0\0\x08\0\x7f\xff\x86\x0e\0\0\1\0\0\0\0\x3a\0\0\0\0"
	     A10 A10 "aaaaaa", RECOGNIZED_MAYBE),
	READ("SMB", "\0\0\0\x45\xfeSMB\x40\0\0\0\0\0\0\0\0\0\0\0", RECOGNIZED_NOT),
	READ("Modbus", "\0\1\0\0\0\6\x11\3\0\x6b\0\3", RECOGNIZED_NOT),
	READ("Modbus, transaction 0", "\0\0\0\0\0\6\x11\3\1\x6b\0\3", RECOGNIZED_NOT),
	READ("LDAP", "\x30\x0c\2\1\1\x60\7\2\1\3\4\0\x80\0", RECOGNIZED_NOT),
	READ("NFS", "\x80\0\0\x28\x1a\x2b\x3c\x4d\0\0\0\0\0\0\0\2\0\1\x86\xa3\0\0\0\4", RECOGNIZED_NOT),
	READ("JDWP", "\0\0\0\x0b\0\0\0\1\0\1\1", RECOGNIZED_NOT),
	READ("a zero", "\0\0\0\0\0\0\0\0", RECOGNIZED_MAYBE),
	READ("a one", "\0\0\0\0\0\0\0\1", RECOGNIZED_MAYBE),
	READ("zeros", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", RECOGNIZED_NOT),
	READ("numbers", "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3", RECOGNIZED_NOT),
};

/* The bytes are a copy of just their length: who reads on is found out. */
static enum recognition recognize(const void *bytes, size_t len, uint64_t total)
{
	uint8_t *copy = xmalloc(len ? len : 1);
	struct chunk c = { copy, len, total };
	enum recognition r;

	if (len)
		memcpy(copy, bytes, len);
	r = http2_frames_recognize(&c);
	free(copy);
	return r;
}

static void check_first(const struct first *f)
{
	enum recognition got = recognize(f->bytes, f->len, f->len + f->nr_unknown);

	ck_assert_msg(got == f->want, "%s: %d, not %d", f->name, got, f->want);
}

START_TEST(frames_are_recognized)
{
	check_first(&frames[_i]);
}
END_TEST

START_TEST(no_frames_are_not)
{
	check_first(&no_frames[_i]);
}
END_TEST

START_TEST(others_are_not)
{
	check_first(&others[_i]);
}
END_TEST

/* However much of a read travels, no frames become no others'. */
START_TEST(fewer_bytes_say_less)
{
	const struct first *f = &frames[_i];
	size_t len;

	for (len = 0; len <= f->len; len++)
		ck_assert_int_ne(recognize(f->bytes, len, f->len + f->nr_unknown), RECOGNIZED_NOT);
	for (len = 0; len < others[_i].len; len++)
		ck_assert_int_ne(recognize(others[_i].bytes, len, others[_i].len), RECOGNIZED);
}
END_TEST

/* ---- statistics ---- */

enum { NR_READS = 50000, READ_MAX = 300 };

static void draw_bytes(uint64_t *state, uint8_t *bytes, size_t len, bool has_zeros)
{
	size_t i;

	for (i = 0; i < len; i++) {
		uint64_t random = rig_random(state);

		bytes[i] = has_zeros && random & 256 ? 0 : (uint8_t)random;
	}
}

/* Messages with their length before them, as many as fit. */
static size_t draw_messages(uint64_t *state, uint8_t *bytes, unsigned int width, bool is_little)
{
	size_t at = 0, len, i;

	do {
		len = rig_random(state) % 100;
		draw_bytes(state, bytes + at + width, len, true);
		for (i = 0; i < width; i++)
			bytes[at + (is_little ? i : width - 1 - i)] = i ? 0 : (uint8_t)len;
		at += width + len;
	} while (at < READ_MAX - 104 && rig_random(state) % 4);
	return at;
}

static const struct {
	const char *what;
	bool has_zeros, is_little;
	unsigned int width;	/* of the length before each message; 0: no messages */
} draws[] = {
	{ "any bytes", false, false, 0 },
	{ "half of them zeros", true, false, 0 },
	{ "messages of 2 + n bytes", true, false, 2 },
	{ "messages of 3 + n bytes, as MySQL's", true, true, 3 },
	{ "messages of 4 + n bytes", true, false, 4 },
	{ "messages of 4 + n bytes, little-endian", true, true, 4 },
};

START_TEST(random_reads_are_not)
{
	uint8_t bytes[READ_MAX];
	uint64_t state = RIG_SEED, nr_taken = 0;
	struct chunk c = { .bytes = bytes };
	int i;

	for (i = 0; i < NR_READS; i++) {
		c.len = 1 + rig_random(&state) % READ_MAX;
		if (draws[_i].width)
			c.len = draw_messages(&state, bytes, draws[_i].width, draws[_i].is_little);
		else
			draw_bytes(&state, bytes, c.len, draws[_i].has_zeros);
		c.total = c.len;
		nr_taken += http2_frames_recognize(&c) == RECOGNIZED;
	}
	ck_assert_msg(!nr_taken, "%s: %d of %d", draws[_i].what, (int)nr_taken, NR_READS);
}
END_TEST

Suite *check_http2_frames_suite(void)
{
	Suite *s = suite_create("http2_frames");
	TCase *tc = tcase_create("http2_frames");

	tcase_add_loop_test(tc, frames_are_recognized, 0, ARRAY_LEN(frames));
	tcase_add_loop_test(tc, no_frames_are_not, 0, ARRAY_LEN(no_frames));
	tcase_add_loop_test(tc, others_are_not, 0, ARRAY_LEN(others));
	tcase_add_loop_test(tc, fewer_bytes_say_less, 0, ARRAY_LEN(frames));
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, random_reads_are_not, 0, ARRAY_LEN(draws));
	suite_add_tcase(s, tc);
	return s;
}
