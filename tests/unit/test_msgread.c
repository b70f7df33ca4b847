/* SPDX-License-Identifier: PostgreSQL
 *
 * The sticky reader, and the messages that are taken apart whole: cut at every
 * byte, with every count and length bent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "pgwire/msgread.h"

static void
test_reads(void **state PG_UNUSED)
{
	static const char body[] = "\x01" "\x02\x03" "\xff\xfe\xfd\xfc"
	    "\xff\xff\xff\xfe" "text\0" "raw" "\0";
	struct msgread r;

	msgread_init(&r, body, sizeof(body) - 1);
	assert_int_equal(msgread_left(&r), sizeof(body) - 1);
	assert_int_equal(msgread_u8(&r), 1);
	assert_int_equal(msgread_u16(&r), 0x0203);
	assert_int_equal(msgread_u32(&r), 0xfffefdfc);
	assert_int_equal(msgread_i32(&r), -2);
	assert_true(slice_eq_str(msgread_str(&r), "text"));
	assert_true(slice_eq_str(msgread_bytes(&r, 3), "raw"));
	assert_false(msgread_done(&r));
	assert_true(slice_eq_str(msgread_str(&r), ""));
	assert_true(msgread_done(&r));
	assert_int_equal(msgread_left(&r), 0);
	/* one more byte is too many, and the error stays */
	assert_int_equal(msgread_u8(&r), 0);
	assert_true(r.error);
	assert_false(msgread_done(&r));
}

static void
test_error_is_sticky(void **state PG_UNUSED)
{
	struct msgread r;
	struct slice s;
	bool null;

	msgread_init(&r, "abc", 3);
	assert_int_equal(msgread_u32(&r), 0);
	assert_true(r.error);
	assert_int_equal(msgread_left(&r), 0);
	assert_int_equal(msgread_u8(&r), 0);
	assert_int_equal(msgread_u16(&r), 0);
	assert_int_equal(msgread_i32(&r), 0);
	s = msgread_bytes(&r, 0);
	assert_int_equal(s.n, 0);
	assert_non_null(s.p);
	s = msgread_str(&r);
	assert_int_equal(s.n, 0);
	assert_non_null(s.p);
	s = msgread_value(&r, &null);
	assert_false(null);
	assert_int_equal(s.n, 0);
	assert_false(msgread_done(&r));
}

static void
test_empty_body(void **state PG_UNUSED)
{
	struct msgread r;

	msgread_init(&r, NULL, 0);
	assert_true(msgread_done(&r));
	assert_int_equal(msgread_bytes(&r, 0).n, 0);
	assert_true(msgread_done(&r));
	(void)msgread_str(&r);
	assert_true(r.error);
}

static void
test_huge_take(void **state PG_UNUSED)
{
	static const size_t sizes[] = { 4, UINT32_MAX, SIZE_MAX - 1,
		SIZE_MAX };
	struct msgread r;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		msgread_init(&r, "abcd", 4);
		assert_int_equal(msgread_u8(&r), 'a');
		assert_int_equal(msgread_bytes(&r, sizes[i]).n, 0);
		assert_true(r.error);
	}
}

static void
test_strings(void **state PG_UNUSED)
{
	struct msgread r;

	msgread_init(&r, "abc", 3);
	assert_int_equal(msgread_str(&r).n, 0);
	assert_true(r.error);
	/* the NUL must be inside the body, not behind it */
	msgread_init(&r, "abc\0", 4);
	assert_int_equal(msgread_str(&r).n, 3);
	assert_true(msgread_done(&r));
}

static void
test_values(void **state PG_UNUSED)
{
	static const struct {
		const char *body;
		size_t n;
		bool ok, null;
		size_t len;
	} rows[] = {
		{ "\xff\xff\xff\xff", 4, true, true, 0 },
		{ "\0\0\0\0", 4, true, false, 0 },
		{ "\0\0\0\2ab", 6, true, false, 2 },
		{ "\0\0\0\3ab", 6, false, false, 0 },
		{ "\xff\xff\xff\xfe" "ab", 6, false, false, 0 },
		{ "\x80\0\0\0" "ab", 6, false, false, 0 },
		{ "\x7f\xff\xff\xff" "ab", 6, false, false, 0 },
		{ "\0\0\0", 3, false, false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct msgread r;
		struct slice s;
		bool null;

		msgread_init(&r, rows[i].body, rows[i].n);
		s = msgread_value(&r, &null);
		assert_int_equal(msgread_done(&r), rows[i].ok);
		assert_int_equal(null, rows[i].null);
		assert_int_equal(s.n, rows[i].len);
		assert_int_equal(s.p == NULL, null);
	}
}

/* --------------------------------------------------------------- errors */

#define ERR(body, e) msgread_error(body, sizeof(body) - 1, e)

static void
test_error_fields(void **state PG_UNUSED)
{
	struct wire_error e;

	assert_true(ERR("SFEHLER\0VERROR\0C42P01\0Mno table\0P15\0Fx.c\0\0",
	    &e));
	assert_true(slice_eq_str(e.severity, "ERROR"));
	assert_true(slice_eq_str(e.sqlstate, "42P01"));
	assert_true(slice_eq_str(e.message, "no table"));
	assert_true(slice_eq_str(e.position, "15"));
	assert_false(e.inner);
	assert_true(ERR("VERROR\0C42601\0Mm\0Wa function\0\0", &e));
	assert_true(e.inner);
	assert_true(ERR("VERROR\0C42601\0Mm\0p4\0qSELEC\0\0", &e));
	assert_true(e.inner);
	/* V counts wherever it stands */
	assert_true(ERR("VFATAL\0SFATAAL\0\0", &e));
	assert_true(slice_eq_str(e.severity, "FATAL"));
	/* a server older than V */
	assert_true(ERR("SERROR\0Mx\0\0", &e));
	assert_true(slice_eq_str(e.severity, "ERROR"));
	assert_true(slice_eq_str(e.sqlstate, "XX000"));
	/* repeated */
	assert_true(ERR("Ma\0Mb\0\0", &e));
	assert_true(slice_eq_str(e.message, "b"));
}

static void
test_error_missing(void **state PG_UNUSED)
{
	struct wire_error e;

	assert_true(ERR("\0", &e));
	assert_null(e.severity.p);
	assert_null(e.message.p);
	assert_null(e.position.p);
	assert_true(slice_eq_str(e.sqlstate, "XX000"));
	assert_true(ERR("C\0M\0\0", &e));
	assert_true(slice_eq_str(e.sqlstate, "XX000"));
	assert_non_null(e.message.p);
	assert_int_equal(e.message.n, 0);
	assert_true(ERR("C12345678\0\0", &e));
	assert_true(slice_eq_str(e.sqlstate, "XX000"));
}

static void
test_error_malformed(void **state PG_UNUSED)
{
	struct wire_error e;

	assert_false(msgread_error(NULL, 0, &e));
	assert_true(slice_eq_str(e.sqlstate, "XX000"));
	assert_false(ERR("SERROR", &e));
	assert_null(e.severity.p);
	assert_false(ERR("SERROR\0", &e));
	assert_true(slice_eq_str(e.severity, "ERROR"));
	assert_false(ERR("C57P01\0Mgoing do", &e));
	assert_true(slice_eq_str(e.sqlstate, "57P01"));
	assert_null(e.message.p);
	assert_false(ERR("C57P01\0\0x", &e));
	assert_true(slice_eq_str(e.sqlstate, "57P01"));
}

/* ----------------------------------------------------------------- Bind */

static const char bind3[] = "port\0stmt\0"
    "\0\3\0\0\0\1\0\0"			/* formats: text, binary, text */
    "\0\3"
    "\0\0\0\2ab"			/* $1 */
    "\xff\xff\xff\xff"			/* $2 is null */
    "\0\0\0\0"				/* $3 is empty */
    "\0\1\0\1";				/* results: binary */

static void
test_bind(void **state PG_UNUSED)
{
	struct wire_bind b;
	struct slice s;
	bool null;

	assert_true(msgread_bind(bind3, sizeof(bind3) - 1, &b));
	assert_true(slice_eq_str(b.portal, "port"));
	assert_true(slice_eq_str(b.statement, "stmt"));
	assert_ptr_equal(b.rest.p, bind3 + 10);
	assert_int_equal(b.rest.n, sizeof(bind3) - 1 - 10);
	assert_int_equal(b.n_param_formats, 3);
	assert_int_equal(b.n_params, 3);
	assert_int_equal(b.params_len, 14);
	assert_int_equal(b.n_result_formats, 1);
	assert_memory_equal(b.result_formats, "\0\1", 2);
	assert_int_equal(wire_bind_format(&b, 0), 0);
	assert_int_equal(wire_bind_format(&b, 1), 1);
	assert_int_equal(wire_bind_format(&b, 2), 0);
	assert_int_equal(wire_bind_format(&b, 3), 0);
	s = wire_bind_param(&b, 0, &null);
	assert_true(!null && slice_eq_str(s, "ab"));
	s = wire_bind_param(&b, 1, &null);
	assert_true(null && s.p == NULL);
	s = wire_bind_param(&b, 2, &null);
	assert_true(!null && s.n == 0 && s.p != NULL);
	s = wire_bind_param(&b, 3, &null);
	assert_true(null && s.p == NULL);
	(void)wire_bind_param(&b, UINT32_MAX, &null);
	assert_true(null);
}

#define BIND(body, b) msgread_bind(body, sizeof(body) - 1, b)

static void
test_bind_formats(void **state PG_UNUSED)
{
	struct wire_bind b;

	assert_true(BIND("\0\0\0\0\0\0\0\0", &b));
	assert_int_equal(wire_bind_format(&b, 0), 0);
	assert_int_equal(wire_bind_format(&b, 65535), 0);
	/* one format goes for all */
	assert_true(BIND("\0\0\0\1\0\1\0\0\0\0", &b));
	assert_int_equal(wire_bind_format(&b, 0), 1);
	assert_int_equal(wire_bind_format(&b, 9), 1);
	/* two formats, one value: the server's to refuse, ours to survive */
	assert_true(BIND("\0\0\0\2\0\1\0\1\0\1\0\0\0\1x\0\0", &b));
	assert_int_equal(wire_bind_format(&b, 1), 1);
	assert_int_equal(wire_bind_format(&b, 2), 0);
}

/* No shorter body passes, nor a longer one; what failed is all zero. */
static void
test_bind_cut(void **state PG_UNUSED)
{
	static const struct wire_bind zero;
	struct wire_bind b;
	char more[sizeof(bind3)];

	for (size_t n = 0; n < sizeof(bind3) - 1; n++) {
		char *copy = malloc(n > 0 ? n : 1);

		assert_non_null(copy);
		memcpy(copy, bind3, n);
		assert_false(msgread_bind(copy, n, &b));
		assert_memory_equal(&b, &zero, sizeof(b));
		free(copy);
	}
	memcpy(more, bind3, sizeof(bind3));
	assert_false(msgread_bind(more, sizeof(bind3), &b));
}

/* Of a longer one: the names must be there, and whole values count. */
static void
test_bind_head(void **state PG_UNUSED)
{
	struct wire_bind b, whole;
	size_t values = 0;
	bool null;

	assert_true(msgread_bind(bind3, sizeof(bind3) - 1, &whole));
	for (size_t n = 0; n < sizeof(bind3); n++) {
		char *copy = malloc(n > 0 ? n : 1);

		assert_non_null(copy);
		memcpy(copy, bind3, n);
		assert_int_equal(msgread_bind_head(copy, n, &b), n >= 10);
		if (n >= 10) {
			assert_true(slice_eq(b.statement, whole.statement));
			assert_int_equal(b.rest.n, n - 10);
			assert_true(b.n_params >= values);
			values = b.n_params;
		}
		for (unsigned i = 0; i < b.n_params; i++) {
			bool is;
			struct slice v = wire_bind_param(&b, i, &null);

			assert_true(slice_eq(v, wire_bind_param(&whole, i,
			    &is)));
			assert_int_equal(null, is);
		}
		(void)wire_bind_param(&b, b.n_params, &null);
		assert_true(null);
		free(copy);
	}
	assert_int_equal(values, whole.n_params);
}

static void
test_bind_bent(void **state PG_UNUSED)
{
	struct wire_bind b;

	/* counts larger than the body */
	assert_false(BIND("\0\0\xff\xff\0\0\0\0", &b));
	assert_false(BIND("\0\0\0\0\xff\xff\0\0", &b));
	assert_false(BIND("\0\0\0\0\0\0\xff\xff", &b));
	/* a value's length over the rest, below -1, and int32's ends */
	assert_false(BIND("\0\0\0\0\0\1\0\0\0\3x\0\0", &b));
	assert_false(BIND("\0\0\0\0\0\1\xff\xff\xff\xfex\0\0", &b));
	assert_false(BIND("\0\0\0\0\0\1\x80\0\0\0x\0\0", &b));
	assert_false(BIND("\0\0\0\0\0\1\x7f\xff\xff\xffx\0\0", &b));
}

static void
test_bind_many(void **state PG_UNUSED)
{
	const size_t n = 2 + 2 + 2 + 65535u * 4 + 2;
	char *body = calloc(1, n);
	struct wire_bind b;
	bool null;

	assert_non_null(body);
	memset(body + 4, 0xff, n - 6);
	assert_true(msgread_bind(body, n, &b));
	assert_int_equal(b.n_params, 65535);
	assert_int_equal(b.params_len, 65535u * 4);
	(void)wire_bind_param(&b, 65534, &null);
	assert_true(null);
	free(body);
}

/* ---------------------------------------------------------------- Parse */

static void
test_parse(void **state PG_UNUSED)
{
	static const char body[] = "s1\0select $1\0\0\2\0\0\0\x17\0\0\0\x19";
	struct wire_parse p;
	char more[sizeof(body)];

	assert_true(msgread_parse(body, sizeof(body) - 1, &p));
	assert_true(slice_eq_str(p.name, "s1"));
	assert_true(slice_eq_str(p.sql, "select $1"));
	assert_int_equal(p.n_oids, 2);
	assert_memory_equal(p.oids, "\0\0\0\x17\0\0\0\x19", 8);
	for (size_t n = 0; n < sizeof(body) - 1; n++) {
		char *copy = malloc(n > 0 ? n : 1);

		assert_non_null(copy);
		memcpy(copy, body, n);
		assert_false(msgread_parse(copy, n, &p));
		assert_int_equal(p.n_oids, 0);
		assert_null(p.sql.p);
		free(copy);
	}
	memcpy(more, body, sizeof(body));
	assert_false(msgread_parse(more, sizeof(body), &p));
	assert_false(msgread_parse("\0\0\xff\xff", 4, &p));
	assert_true(msgread_parse("\0\0\0\0", 4, &p));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_error_is_sticky),
		cmocka_unit_test(test_empty_body),
		cmocka_unit_test(test_huge_take),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_error_fields),
		cmocka_unit_test(test_error_missing),
		cmocka_unit_test(test_error_malformed),
		cmocka_unit_test(test_bind),
		cmocka_unit_test(test_bind_formats),
		cmocka_unit_test(test_bind_cut),
		cmocka_unit_test(test_bind_head),
		cmocka_unit_test(test_bind_bent),
		cmocka_unit_test(test_bind_many),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
