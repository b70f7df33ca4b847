/* SPDX-License-Identifier: PostgreSQL
 *
 * Messages of pgoutput as PostgreSQL 15 sends them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "feed/pgoutput.h"

#define Q(n) "\0\0\0\0\0\0\0" n
#define MSG(s) SLICE_LIT(s)

static struct pgo_message
take(struct pgo_reader *r, struct slice s)
{
	struct pgo_message m;
	char with_end[256];

	assert_true(s.n < sizeof(with_end));
	memcpy(with_end, s.p, s.n);
	with_end[s.n] = 0;
	/* A byte more and any number less are refused. */
	for (size_t n = 0; n <= s.n + 1; n++) {
		struct pgo_reader copy = *r;

		if (n != s.n)
			assert_false(pgo_read(&copy, slice_make(with_end, n),
			    &m));
	}
	assert_true(pgo_read(r, s, &m));
	return m;
}

static void
assert_value(struct pgo_tuple *t, enum pgo_value_kind kind, const char *text)
{
	struct pgo_value v;

	assert_true(pgo_value_next(t, &v));
	assert_int_equal(v.kind, kind);
	assert_true(slice_eq_str(v.bytes, text));
}

static void
test_envelopes(void **state PG_UNUSED)
{
	struct pgo_envelope e;

	assert_true(pgo_envelope(MSG("w" Q("\5") Q("\11") Q("\1") "abc"), &e));
	assert_true(e.is_data);
	assert_int_equal(e.start, 5);
	assert_int_equal(e.end, 9);
	assert_true(slice_eq_str(e.data, "abc"));
	assert_true(pgo_envelope(MSG("k" Q("\7") Q("\1") "\1"), &e));
	assert_false(e.is_data);
	assert_true(e.reply);
	assert_int_equal(e.end, 7);
	assert_false(pgo_envelope(MSG("k" Q("\7") Q("\1") "\1x"), &e));
	assert_false(pgo_envelope(MSG("k" Q("\7") Q("\1")), &e));
	assert_false(pgo_envelope(MSG("w" Q("\7") Q("\1")), &e));
	assert_false(pgo_envelope(MSG("x" Q("\7") Q("\1") "\1"), &e));
	assert_false(pgo_envelope(MSG(""), &e));
}

static void
test_transaction(void **state PG_UNUSED)
{
	struct pgo_reader r = { false };
	struct pgo_message m;

	m = take(&r, MSG("B" Q("\11") Q("\1") "\0\0\2\xe6"));
	assert_int_equal(m.kind, PGO_BEGIN);
	assert_int_equal(m.xid, 742);
	assert_int_equal(m.commit, 9);
	m = take(&r, MSG("M\1" Q("\10") "pgsluice\0\0\0\0\3a:1"));
	assert_true(m.transactional);
	assert_true(slice_eq_str(m.prefix, "pgsluice"));
	assert_true(slice_eq_str(m.content, "a:1"));
	m = take(&r, MSG("O" Q("\10") "other\0"));
	assert_int_equal(m.kind, PGO_ORIGIN);
	m = take(&r, MSG("Y\0\1\0\0public\0mood\0"));
	assert_int_equal(m.kind, PGO_TYPE);
	m = take(&r, MSG("C\0" Q("\11") Q("\12") Q("\1")));
	assert_int_equal(m.commit, 9);
	assert_int_equal(m.end, 10);
}

static void
test_relation(void **state PG_UNUSED)
{
	struct pgo_reader r = { false };
	struct pgo_column c;
	struct pgo_message m = take(&r, MSG("R\0\0\100\20public\0item\0d\0\2"
	    "\1id\0\0\0\0\27\377\377\377\377"
	    "\0name\0\0\0\0\31\377\377\377\377"));

	assert_int_equal(m.relation, 16400);
	assert_true(slice_eq_str(m.schema, "public"));
	assert_true(slice_eq_str(m.name, "item"));
	assert_int_equal(m.identity, 'd');
	assert_true(pgo_column_next(&m.columns, &c));
	assert_true(c.is_key);
	assert_true(slice_eq_str(c.name, "id"));
	assert_int_equal(c.type, 23);
	assert_true(pgo_column_next(&m.columns, &c));
	assert_false(c.is_key);
	assert_true(slice_eq_str(c.name, "name"));
	assert_false(pgo_column_next(&m.columns, &c));
}

static void
test_changes(void **state PG_UNUSED)
{
	struct pgo_reader r = { false };
	struct pgo_message m;
	struct pgo_value v;

	m = take(&r, MSG("I\0\0\100\20N\0\2t\0\0\0\0011n"));
	assert_int_equal(m.relation, 16400);
	assert_true(m.has_new && !m.has_old);
	assert_value(&m.new, PGO_TEXT, "1");
	assert_value(&m.new, PGO_NULL, "");
	assert_false(pgo_value_next(&m.new, &v));

	m = take(&r, MSG("U\0\0\100\20N\0\2t\0\0\0\0011u"));
	assert_true(m.has_new && !m.has_old);
	assert_value(&m.new, PGO_TEXT, "1");
	assert_value(&m.new, PGO_UNCHANGED, "");

	m = take(&r, MSG("U\0\0\100\20K\0\1t\0\0\0\0011N\0\1b\0\0\0\0012"));
	assert_true(m.has_new && m.has_old && m.old_is_key);
	assert_value(&m.old, PGO_TEXT, "1");
	assert_value(&m.new, PGO_BINARY, "2");

	m = take(&r, MSG("D\0\0\100\20O\0\1t\0\0\0\0011"));
	assert_true(m.has_old && !m.old_is_key && !m.has_new);

	m = take(&r, MSG("T\0\0\0\2\1\0\0\100\20\0\0\100\21"));
	assert_int_equal(m.n_relations, 2);
	assert_int_equal(pgo_truncated(&m, 1), 16401);
}

static void
test_refused(void **state PG_UNUSED)
{
	static const struct slice bad[] = {
		MSG(""), MSG("x"), MSG("E"),
		MSG("I\0\0\100\20K\0\1n"),          /* no old row here */
		MSG("D\0\0\100\20N\0\1n"),          /* no new row here */
		MSG("I\0\0\100\20N\0\1x"),          /* no such kind */
		MSG("I\0\0\100\20N\0\1t\200\0\0\0"),
		MSG("U\0\0\100\20K\0\1n"),          /* the new row is missing */
		MSG("T\100\0\0\1\0\0\0\100\20"),    /* times 4 it is 4 */
		MSG("M\1" Q("\10") "p\0\377\377\377\377"),
	};
	struct pgo_message m;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct pgo_reader r = { false };

		assert_false(pgo_read(&r, bad[i], &m));
	}
}

static void
test_streams(void **state PG_UNUSED)
{
	struct pgo_reader r = { false };
	struct pgo_message m;

	m = take(&r, MSG("S\0\0\3\40\1"));
	assert_int_equal(m.xid, 800);
	assert_true(m.first);
	m = take(&r, MSG("I\0\0\3\41\0\0\100\20N\0\1n"));
	assert_int_equal(m.xid, 801);
	assert_int_equal(m.relation, 16400);
	/* Transactions do not begin or end inside of a stream. */
	assert_false(pgo_read(&r, MSG("S\0\0\3\40\1"), &m));
	assert_false(pgo_read(&r, MSG("B" Q("\11") Q("\1") "\0\0\2\xe6"),
	    &m));
	m = take(&r, MSG("E"));
	m = take(&r, MSG("A\0\0\3\40\0\0\3\41"));
	assert_int_equal(m.xid, 800);
	assert_int_equal(m.subxid, 801);
	m = take(&r, MSG("c\0\0\3\40\0" Q("\11") Q("\12") Q("\1")));
	assert_int_equal(m.xid, 800);
	assert_int_equal(m.end, 10);
	m = take(&r, MSG("I\0\0\100\20N\0\1n"));
	assert_int_equal(m.xid, 0);
}

static void
test_status(void **state PG_UNUSED)
{
	char out[PGO_STATUS_SIZE];

	pgo_status(out, 0x0102030405060708u, 9, true);
	assert_memory_equal(out, "r\1\2\3\4\5\6\7\10\1\2\3\4\5\6\7\10"
	    "\1\2\3\4\5\6\7\10" Q("\11") "\1", sizeof(out));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_envelopes),
		cmocka_unit_test(test_transaction),
		cmocka_unit_test(test_relation),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
