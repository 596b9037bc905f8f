/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "base/alloc.h"
#include "report/protocol.h"
#include "tests/exchange.h"
#include "tests/script.h"

Suite *check_protocol_postgres_suite(void);

/* A message: its type, its length's last byte, its payload. */
#define MSG(type, len, payload) type "\0\0\0" len payload
#define STARTUP			"\0\0\0\x11\0\3\0\0user\0me\0\0"
#define SSLREQUEST		"\0\0\0\x08\x04\xd2\x16\x2f"
#define CANCEL			"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\1\0\0\0\2"
#define QUERY			MSG("Q", "\x0d", "SELECT 1\0")
#define PARSE			MSG("P", "\x10", "\0SELECT 1\0\0\0")
#define PARSE_S1		MSG("P", "\x12", "s1\0SELECT 2\0\0\0")
#define BIND			MSG("B", "\x0c", "\0\0\0\0\0\0\0\0")
#define BIND_S1			MSG("B", "\x0e", "\0s1\0\0\0\0\0\0\0")
#define BIND_C1_S1		MSG("B", "\x10", "c1\0s1\0\0\0\0\0\0\0")
#define DESCRIBE		MSG("D", "\x06", "P\0")
#define EXECUTE			MSG("E", "\x09", "\0\0\0\0\0")
#define EXECUTE_C1		MSG("E", "\x0b", "c1\0\0\0\0\0")
#define SYNC			MSG("S", "\4", "")
#define FLUSH			MSG("H", "\4", "")
#define BEGIN_P			MSG("P", "\x0d", "\0BEGIN\0\0\0")
#define AUTH_OK			MSG("R", "\x08", "\0\0\0\0")
#define READY			MSG("Z", "\5", "I")
#define ROWS                                                                                       \
	MSG("T", "\6", "\0\0") MSG("D", "\x0b", "\0\1\0\0\0\1x") MSG("C", "\x0d", "SELECT 1\0")
#define ERROR			MSG("E", "\x0b", "SERROR\0")
#define NOTIFY			MSG("A", "\x0a", "\0\0\0\1c\0")
#define DID(nr, what)		#nr " began; " #nr " " what "; " #nr " ended; "

static const struct script cases[] = {
	{ "query", { IN(QUERY), OUT(ROWS READY) }, DID(1, "SELECT 1"), 0 },
	{ "empty queries",
	  { IN(MSG("Q", "\5", "\0")), OUT(MSG("I", "\4", "") READY), IN(MSG("Q", "\7", " \n\0")), OUT(MSG("I", "\4", "") READY),
	    IN(MSG("P", "\x08", "\0\0\0\0") BIND EXECUTE SYNC), OUT(MSG("I", "\4", "") READY),
	    IN(MSG("P", "\x08", "\0\0\0\0") BIND EXECUTE PARSE BIND EXECUTE SYNC), OUT(READY) },
	  DID(1, "(empty)") DID(2, "(empty)") DID(3, "(empty)") DID(4, "(empty) ..."),
	  0 },
	{ "a statement that did not travel", { IN_CUT("Q\0\0\0\x0d", 9), OUT(READY) }, DID(1, ""), 0 },
	{ "startup",
	  { IN(STARTUP), OUT(MSG("R", "\x0c", "\0\0\0\5salt")), IN(MSG("p", "\x08", "md5\0")),
	    OUT(AUTH_OK MSG("S", "\x08", "a\0b\0") MSG("K", "\x0c", "\0\0\0\1\0\0\0\2") READY),
	    IN(QUERY), OUT(ROWS READY) },
	  DID(1, "(startup)") DID(2, "SELECT 1"),
	  0 },
	{ "refused startup", { IN(STARTUP), OUT(ERROR), CLOSED }, DID(1, "(startup)"), 0 },
	{ "no encryption",
	  { IN(SSLREQUEST), OUT("N"), IN(STARTUP), OUT(AUTH_OK READY) },
	  DID(1, "(startup)"),
	  0 },
	{ "no encryption, asked twice",
	  { IN("\0\0\0\x08\x04\xd2\x16\x30"), OUT("N"), IN(SSLREQUEST), OUT("N"), IN(STARTUP),
	    OUT(AUTH_OK READY) },
	  DID(1, "(startup)"),
	  0 },
	{ "encryption", { IN(SSLREQUEST), OUT("S"), IN(QUERY), OUT(READY) }, "encrypted; ", 0 },
	{ "encryption, the second kind that was asked for",
	  { IN(SSLREQUEST), OUT("N"), IN("\0\0\0\x08\x04\xd2\x16\x30"), OUT("G"), IN(QUERY), OUT(READY) },
	  "encrypted; ",
	  0 },
	{ "cancel", { IN(CANCEL), CLOSED }, "", 0 },
	{ "error", { IN(QUERY), OUT(ERROR READY) }, DID(1, "SELECT 1"), 0 },
	{ "fatal error", { IN(QUERY), OUT(ERROR), CLOSED }, DID(1, "SELECT 1"), 0 },
	{ "terminate",
	  { IN(QUERY), OUT(READY), IN(MSG("X", "\4", "")), CLOSED },
	  DID(1, "SELECT 1"),
	  0 },
	{ "extended",
	  { IN(PARSE BIND DESCRIBE EXECUTE SYNC), OUT(ROWS READY) },
	  DID(1, "SELECT 1"),
	  0 },
	{ "prepared once",
	  { IN(PARSE_S1 SYNC), OUT(MSG("1", "\4", "") READY), IN(BIND_S1 EXECUTE SYNC),
	    OUT(ROWS READY), IN(BIND_S1 EXECUTE SYNC), OUT(ROWS READY) },
	  DID(1, "PREPARE SELECT 2") DID(2, "SELECT 2") DID(3, "SELECT 2"),
	  0 },
	{ "begin sent ahead",
	  { IN(BEGIN_P BIND EXECUTE PARSE BIND EXECUTE SYNC), OUT(ROWS READY) },
	  DID(1, "SELECT 1"),
	  0 },
	{ "begin alone", { IN(BEGIN_P BIND EXECUTE SYNC), OUT(READY) }, DID(1, "BEGIN"), 0 },
	{ "batch of one statement",
	  { IN(PARSE BIND EXECUTE BIND EXECUTE SYNC), OUT(READY) },
	  DID(1, "SELECT 1"),
	  0 },
	{ "batch of two statements",
	  { IN(PARSE BIND EXECUTE PARSE_S1 BIND_S1 EXECUTE SYNC), OUT(READY) },
	  DID(1, "SELECT 1 ..."),
	  0 },
	{ "pipeline of batches",
	  { IN(PARSE BIND EXECUTE SYNC PARSE_S1 BIND_S1 EXECUTE SYNC), OUT(READY),
	    OUT(ROWS READY) },
	  "1 began; 1 SELECT 1; 2 began; 2 SELECT 2; 1 ended; 2 ended; ",
	  0 },
	{ "portal outlives its statement's name",
	  { IN(PARSE_S1 BIND_C1_S1 MSG("C", "\x08", "Ss1\0") EXECUTE_C1 SYNC), OUT(READY),
	    IN(EXECUTE_C1 SYNC), OUT(READY), IN(BIND_S1 EXECUTE SYNC), OUT(ERROR READY) },
	  DID(1, "SELECT 2") DID(2, "SELECT 2") DID(3, "(execute s1)"),
	  0 },
	{ "closed portal",
	  { IN(PARSE_S1 BIND_C1_S1 MSG("C", "\x08", "Pc1\0") EXECUTE_C1 SYNC), OUT(ERROR READY) },
	  DID(1, "(execute)"),
	  0 },
	{ "nothing executed",
	  { IN(SYNC), OUT(READY), IN(DESCRIBE SYNC), OUT(READY), IN(MSG("C", "\6", "S\0") SYNC),
	    OUT(READY), IN(PARSE BIND SYNC), OUT(READY), IN(BIND SYNC), OUT(READY) },
	  DID(1, "(sync)") DID(2, "(describe)") DID(3, "(close)") DID(4, "PREPARE SELECT 1")
		  DID(5, "(bind)"),
	  0 },
	{ "flush before sync",
	  { IN(PARSE DESCRIBE FLUSH), OUT(MSG("1", "\4", "") MSG("n", "\4", "")),
	    IN(BIND EXECUTE FLUSH), OUT(ROWS), IN(SYNC), OUT(READY), IN(FLUSH) },
	  DID(1, "SELECT 1"),
	  0 },
	{ "query in place of a sync",
	  { IN(PARSE BIND EXECUTE QUERY), OUT(ROWS ROWS READY) },
	  DID(1, "SELECT 1"),
	  0 },
	{ "function call",
	  { IN(MSG("F", "\x0e", "\0\0\0\1\0\0\0\0\0\0")),
	    OUT(MSG("V", "\x08", "\xff\xff\xff\xff") READY) },
	  DID(1, "(function call)"),
	  0 },
	{ "notices at any time",
	  { IN(QUERY), OUT(NOTIFY ROWS READY), OUT(NOTIFY), IN(QUERY), OUT(NOTIFY), OUT(READY) },
	  DID(1, "SELECT 1") DID(2, "SELECT 1"),
	  0 },
	{ "copy in",
	  { IN(MSG("Q", "\x11", "COPY t FROM\0\0")), OUT(MSG("G", "\7", "\0\0\0")),
	    IN(MSG("d", "\6", "1\n") MSG("d", "\6", "2\n")), IN(MSG("c", "\4", "")), OUT(READY),
	    IN(QUERY), OUT(READY) },
	  DID(1, "COPY t FROM") DID(2, "SELECT 1"),
	  0 },
	{ "copy in, extended, two syncs",
	  { IN(PARSE BIND EXECUTE SYNC), OUT(MSG("G", "\7", "\0\0\0")), IN(MSG("d", "\6", "1\n")),
	    IN(MSG("f", "\6", "x\0") SYNC), OUT(ERROR READY), IN(QUERY), OUT(READY) },
	  DID(1, "SELECT 1") DID(2, "SELECT 1"),
	  0 },
	{ "copy in, heads that did not travel",
	  { IN(MSG("Q", "\x11", "COPY t FROM\0\0")), OUT(MSG("G", "\7", "\0\0\0")),
	    IN_CUT(MSG("d", "\6", "1\n") "d", 900), IN_CUT("2\n", 900), IN(MSG("c", "\4", "")), OUT(READY),
	    IN(QUERY), OUT(ROWS READY) },
	  DID(1, "COPY t FROM") DID(2, "SELECT 1"),
	  0 },
	{ "copy in, and one behind it that did not travel",
	  { IN(MSG("Q", "\x11", "COPY t FROM\0\0")), OUT(MSG("G", "\7", "\0\0\0")),
	    IN_CUT(MSG("d", "\6", "1\n") "d", 900), OUT(READY ROWS READY), IN(QUERY), OUT(ROWS READY) },
	  DID(1, "COPY t FROM") DID(2, "SELECT 1"),
	  900 },
	{ "copy in that fails, its end, which is not answered, and what follows",
	  { IN(MSG("Q", "\x11", "COPY t FROM\0\0")), OUT(MSG("G", "\7", "\0\0\0")), IN(MSG("d", "\6", "x\n")),
	    OUT(ERROR READY), IN_CUT(MSG("d", "\6", "1\n") "d", 900), IN_CUT("2\n", 900), IN("3\n" MSG("c", "\4", "")),
	    IN_WHOLE(QUERY), OUT(ROWS READY), IN(QUERY), OUT(ROWS READY) },
	  DID(1, "COPY t FROM") DID(2, "SELECT 1") DID(3, "SELECT 1"),
	  1800 },
	{ "what follows large parameters did not travel",
	  { IN(PARSE_S1 SYNC), OUT(READY), IN_CUT("B\0\0\x10\0\0s1\0", 4200), OUT(ROWS READY), IN(QUERY),
	    OUT(ROWS READY) },
	  DID(1, "PREPARE SELECT 2") DID(2, "SELECT 2") DID(3, "SELECT 1"),
	  0 },
	{ "copy out",
	  { IN(QUERY), OUT(MSG("H", "\7", "\0\0\0") MSG("d", "\6", "1\n")),
	    OUT_CUT("d\0\0\x10\0", 4092), OUT(MSG("c", "\4", "") READY) },
	  DID(1, "SELECT 1"),
	  0 },
	{ "copied bytes that did not travel",
	  { IN(MSG("Q", "\x11", "COPY t FROM\0\0")), OUT(MSG("G", "\7", "\0\0\0")),
	    IN_CUT("d\0\0\x10\0zz", 4090), IN(MSG("c", "\4", "")), OUT(READY) },
	  DID(1, "COPY t FROM"),
	  0 },
	{ "statement that did not travel as a whole",
	  { IN_CUT("Q\0\0\1\0SELECT 1 +", 242), OUT(READY) },
	  DID(1, "SELECT 1 +"),
	  0 },
	{ "rows that did not travel",
	  { IN(QUERY), OUT_CUT("D\0\0\0\x0b\0\1\0\0\0\1xD\0\0", 9000), OUT(READY), IN(QUERY),
	    OUT(READY) },
	  DID(1, "SELECT 1") DID(2, "SELECT 1"),
	  0 },
	{ "rows that did not travel, at the end",
	  { IN(QUERY), OUT_CUT("D\0\0\0\x0b\0\1\0\0\0\1xD\0\0", 9000), CLOSED },
	  DID(1, "SELECT 1"),
	  0 },
	{ "requests that did not travel",
	  { IN_CUT(PARSE BIND EXECUTE "S\0", 80), OUT(READY), OUT(ROWS READY), IN(QUERY),
	    OUT(READY) },
	  DID(1, "SELECT 1") DID(2, "SELECT 1"),
	  80 },
	{ "requests that did not travel, behind one that did",
	  { IN_CUT(QUERY "Q", 80), OUT(ROWS), IN(QUERY), OUT(ROWS READY), OUT(READY), IN(QUERY),
	    OUT(READY) },
	  "1 began; 1 SELECT 1; 2 began; 1 ended; 2 ended; " DID(3, "SELECT 1"),
	  80 },
	{ "from the middle",
	  { IN("2345\0"), OUT(ROWS READY), IN(QUERY), OUT(READY) },
	  DID(1, "SELECT 1"),
	  0 },
	{ "no message",
	  { IN(QUERY), OUT(READY), IN(QUERY "?"), OUT(READY), IN(QUERY), OUT(READY) },
	  DID(1, "SELECT 1") DID(2, "SELECT 1") DID(3, "SELECT 1"),
	  0 },
	{ "no answer",
	  { IN(QUERY), OUT("?"), IN(QUERY), OUT("Z\0\0\0\4"), IN(QUERY), OUT("D\xff\xff\xff\xff"),
	    IN(QUERY), OUT("D\0\0\0\3"), IN(QUERY), OUT(READY) },
	  DID(1, "SELECT 1") "2 began; 2 SELECT 1; not over; 2 ended; 3 began; 3 SELECT 1; not over; 3 ended; "
			     "4 began; 4 SELECT 1; not over; 4 ended; " DID(5, "SELECT 1"),
	  0 },
	{ "an answer that is lost, and goes on behind the next query",
	  { IN(QUERY), OUT_CUT("D\0\0\0\x0b\0\1\0\0\0\1xD\0\0", 9000), IN(QUERY), OUT("x"), OUT(READY), IN(QUERY), OUT(READY) },
	  DID(1, "SELECT 1") "2 began; 2 SELECT 1; not over; 2 ended; " DID(3, "SELECT 1"),
	  0 },
	{ "several at once, whose answers are lost in one write",
	  { IN(QUERY QUERY), OUT_CUT("D\0\0\0\x0b\0\1\0\0\0\1xD\0\0", 9000), IN(QUERY), OUT(READY) },
	  "1 began; 1 SELECT 1; 2 began; 2 SELECT 1; 1 ended; 2 ended; " DID(3, "SELECT 1"),
	  0 },
	{ "several at once, whose answers are lost in several",
	  { IN(QUERY QUERY QUERY), OUT_CUT("D\0\0\0\x0b\0\1\0\0\0\1xD\0\0", 9000), OUT(READY), OUT(READY), CLOSED },
	  "1 began; 1 SELECT 1; 2 began; 2 SELECT 1; 3 began; 3 SELECT 1; 1 end unseen; 2 end unseen; 3 ended; ",
	  0 },
	{ "half a head that is answered",
	  { IN("Q\0\0"), OUT(READY), IN(QUERY), OUT(READY) },
	  "1 began; 1 ended; " DID(2, "SELECT 1"),
	  0 },
	{ "a part that was not heard",
	  { IN("Q\0\0\1\0SELECT"), OUT(READY), IN(QUERY), OUT(READY) },
	  "1 began; 1 ended; " DID(2, "SELECT 1"),
	  0 },
};

START_TEST(script_says)
{
	script_check(&protocol_postgres, &cases[_i]);
}
END_TEST

/* What PostgreSQL 15 read and wrote for pgbench -M prepared. */
static const struct script pgbench = {
	"pgbench -M prepared",
	{ IN("\000\000\000\010\004\322\026/"), OUT("N"),
	  IN("\000\000\000B\000\003\000\000user\000postgres\000database\000postgres\000"
	     "application_name\000pgbench\000\000"),
	  OUT("R\000\000\000\010\000\000\000\000S\000\000\000\035application_name\000p"
	      "gbench\000S\000\000\000\031client_encoding\000UTF8\000S\000\000\000\027"
	      "DateStyle\000ISO, MDY\000S\000\000\000&default_transaction_read_only\000"
	      "off\000S\000\000\000\027in_hot_standby\000off\000S\000\000\000\031integ"
	      "er_datetimes\000on\000S\000\000\000\033IntervalStyle\000postgres\000S\000"
	      "\000\000\024is_superuser\000on\000S\000\000\000\031server_encoding\000U"
	      "TF8\000S\000\000\0002server_version\00015.18 (Debian 15.18-0+deb12u1)\000"
	      "S\000\000\000#session_authorization\000postgres\000S\000\000\000#standa"
	      "rd_conforming_strings\000on\000S\000\000\000\025TimeZone\000Etc/UTC\000"
	      "K\000\000\000\014\000\000\016\225\005\360{'Z\000\000\000\005I"),
	  IN("P\000\000\000OP_1\000UPDATE pgbench_accounts SET abalance = abalance + "
	     "$1 WHERE aid = $2;\000\000\000S\000\000\000\004"),
	  OUT("1\000\000\000\004Z\000\000\000\005T"),
	  IN("B\000\000\000\"\000P_1\000\000\000\000\002\000\000\000\0043833\000\000\000"
	     "\00587756\000\001\000\000D\000\000\000\006P\000E\000\000\000\011\000\000"
	     "\000\000\000S\000\000\000\004"),
	  OUT("2\000\000\000\004n\000\000\000\004C\000\000\000\rUPDATE 1\000Z\000\000\000"
	      "\005T") },
	DID(1, "(startup)") DID(
		2, "PREPARE UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2;")
		DID(3, "UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2;"),
	0
};

START_TEST(real_bytes_are_understood)
{
	script_check(&protocol_postgres, &pgbench);
}
END_TEST

START_TEST(cut_script_ends)
{
	/* Also after what an encrypted connection, or a closed one, says no more. */
	script_check_known(&protocol_postgres, &cases[_i], 64, 6);
}
END_TEST

static const struct script_first firsts[] = {
	FIRST("", RECOGNIZED_MAYBE),
	FIRST("\0", RECOGNIZED_MAYBE),
	FIRST("\0\0\0\x11\0\3", RECOGNIZED_MAYBE),
	FIRST(STARTUP, RECOGNIZED),
	FIRST("\0\0\0\x11\0\3\0\2user", RECOGNIZED),
	FIRST("\0\0\0\x11\0\2\0\0user", RECOGNIZED_NOT),
	FIRST("\0\0\xff\x11\0\3\0\0user", RECOGNIZED_NOT),
	FIRST("\0\x11", RECOGNIZED_NOT),
	FIRST(SSLREQUEST, RECOGNIZED),
	FIRST(CANCEL, RECOGNIZED),
	FIRST("Q", RECOGNIZED_MAYBE),
	FIRST("Q\0\0", RECOGNIZED_MAYBE),
	FIRST(QUERY, RECOGNIZED),
	FIRST("Q\0\1\0\0SELECT", RECOGNIZED),
	FIRST("Q\0\0\0\4", RECOGNIZED_NOT),
	FIRST(PARSE, RECOGNIZED),
	FIRST(BIND_S1 EXECUTE, RECOGNIZED),
	FIRST(SYNC, RECOGNIZED),
	FIRST("S\0\0\0\5", RECOGNIZED_NOT),
	FIRST(SYNC "?", RECOGNIZED_NOT),
	FIRST(SYNC "\0", RECOGNIZED_NOT),
	FIRST("d\0\0\x40\0\1\2", RECOGNIZED_REST),
	FIRST("p\0\0\0\x08md5", RECOGNIZED_REST),
	FIRST("Q\x7f\0\0\0", RECOGNIZED_NOT),
	FIRST("POST / HTTP/1.1\r\n", RECOGNIZED_NOT),
	FIRST("PING\r\n", RECOGNIZED_NOT),
	FIRST("delete k\r\n", RECOGNIZED_NOT),
	FIRST("\x16\3\1\2\0", RECOGNIZED_NOT),
	FIRST("\1\1\0\1\0\x08\0\0", RECOGNIZED_NOT),
	FIRST("\x80\0\0\1\0\0\0\0", RECOGNIZED_NOT),
};

START_TEST(first_bytes_are_recognized)
{
	script_check_first(&protocol_postgres, &firsts[_i]);
}
END_TEST

static void add_message(struct str *b, char type, const void *payload, size_t len)
{
	uint8_t head[5] = { (uint8_t)type, 0, 0, (uint8_t)((len + 4) >> 8), (uint8_t)(len + 4) };

	str_add_bytes(b, head, sizeof(head));
	str_add_bytes(b, payload, len);
}

START_TEST(statements_are_bounded)
{
	struct str statement = { 0 }, b = { 0 };
	struct exchange x;
	size_t i;

	str_add(&statement, "name SELECT ");
	statement.s[4] = '\0';
	for (i = 0; i < 3000; i++)
		str_add_char(&statement, 'x');
	str_add_bytes(&statement, "\0\0\0", 3);
	add_message(&b, 'P', statement.s, statement.len);
	add_message(&b, 'B', "\0name\0\0\0\0\0\0\0", 12);
	str_add_bytes(&b, EXECUTE EXECUTE_C1 SYNC, sizeof(EXECUTE EXECUTE_C1 SYNC) - 1);
	add_message(&b, 'Q', statement.s + 5, statement.len - 7);
	exchange_init(&x, &protocol_postgres);
	exchange_in_n(&x, b.s, b.len, 0);
	exchange_out_n(&x, READY READY, 12, 0);
	ck_assert_uint_eq(exchange_nr_ended(&x), 2);
	ck_assert_uint_gt(x.said.len, 2 * 1024);
	ck_assert_uint_le(x.said.len, 2 * 1024 + 100);
	ck_assert_ptr_nonnull(strstr(str_cstr(&x.said), "xx ...; "));
	exchange_release(&x);
	str_release(&statement);
	str_release(&b);
}
END_TEST

Suite *check_protocol_postgres_suite(void)
{
	Suite *s = suite_create("protocol_postgres");
	TCase *tc = tcase_create("protocol_postgres");

	tcase_add_loop_test(tc, script_says, 0, ARRAY_LEN(cases));
	tcase_add_test(tc, real_bytes_are_understood);
	tcase_add_loop_test(tc, cut_script_ends, 0, ARRAY_LEN(cases));
	tcase_add_loop_test(tc, first_bytes_are_recognized, 0, ARRAY_LEN(firsts));
	tcase_add_test(tc, statements_are_bounded);
	suite_add_tcase(s, tc);
	return s;
}
