/* SPDX-License-Identifier: PostgreSQL
 *
 * Units of client messages: the canonical shape, each way of missing it, and
 * messages that are malformed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session/session_priv.h"
#include "wire_util.h"

/* A unit out of a word: "p" Parse, "b" Bind, "d" Describe of the portal, "e"
 * Execute, "s" Sync, "h" Flush, "c" Close of a portal, "D" Describe of the
 * statement; all of names that are empty. */
static void
compose(struct wire *m, const char *word)
{
	wire_start(m);
	for (; *word != '\0'; word++)
		switch (*word) {
		case 'p':
			wire_parse(m, "", "select 1");
			break;
		case 'b':
			wire_bind(m, "", "");
			break;
		case 'd':
			wire_target(m, 'D', 'P', "");
			break;
		case 'D':
			wire_target(m, 'D', 'S', "");
			break;
		case 'c':
			wire_target(m, 'C', 'P', "");
			break;
		case 'e':
			wire_execute(m, "", 0);
			break;
		case 's':
			wire_sync(m);
			break;
		case 'h':
			wire_raw(m, 'H', "", 0);
			break;
		default:
			fail();
		}
	assert_false(m->w.failed);
}

static bool
read_unit(struct wire *m, struct unit *u)
{
	return unit_read(u, buf_head(&m->b), buf_len(&m->b));
}

/* Reads what was composed by hand, and frees it. */
static void
expect(struct wire *m, bool good, bool canonical)
{
	struct unit u;

	assert_false(m->w.failed);
	assert_int_equal(read_unit(m, &u), good);
	if (good)
		assert_int_equal(u.canonical, canonical);
	buf_reset(&m->b);
}

static const struct {
	const char *word;
	bool canonical;
} shapes[] = {
	{ "pbdes", true },
	{ "pbes", true },
	{ "bdes", true },
	{ "bes", true },
	/* Something is missing, */
	{ "s", false }, { "h", false }, { "ps", false }, { "bs", false },
	{ "es", false }, { "ds", false }, { "pbs", false }, { "pes", false },
	{ "pbds", false }, { "des", false }, { "pdes", false },
	{ "pbde", false }, { "bdeh", false }, { "pbdeh", false },
	/* twice there, */
	{ "ppbdes", false }, { "pbbdes", false }, { "pbddes", false },
	{ "pbdees", false }, { "pbdess", false }, { "pbdesbdes", false },
	/* in another order, */
	{ "bpdes", false }, { "pbeds", false }, { "pdbes", false },
	{ "epbs", false }, { "spbde", false }, { "dpbes", false },
	/* or something else is among it. */
	{ "pbdehs", false }, { "hpbdes", false }, { "pbdecs", false },
	{ "cpbdes", false }, { "pDbes", false }, { "pbDes", false },
	{ "pbdDes", false }, { "Ds", false }, { "pDs", false },
	{ "cs", false },
};

static void
test_shapes(void **state PG_UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		const char *w = shapes[i].word;
		struct wire m;
		struct unit u;

		compose(&m, w);
		assert_true(read_unit(&m, &u));
		if (u.canonical != shapes[i].canonical)
			fail_msg("%s", w);
		assert_ptr_equal(u.p, buf_head(&m.b));
		assert_int_equal(u.n, buf_len(&m.b));
		assert_int_equal(u.has_parse, strchr(w, 'p') != NULL);
		assert_int_equal(u.has_bind, strchr(w, 'b') != NULL);
		assert_int_equal(u.first, w[0] & ~32);
		assert_int_equal(u.last, w[strlen(w) - 1] & ~32);
		if (u.canonical) {
			assert_int_equal(u.executes, 1);
			assert_int_equal(u.described,
			    strchr(w, 'd') != NULL);
		}
		buf_reset(&m.b);
	}
}

static void
test_what_is_found(void **state PG_UNUSED)
{
	struct wire m;
	struct unit u;

	wire_start(&m);
	wire_parse(&m, "s1", "select 2");
	wire_bind(&m, "", "s1");
	wire_target(&m, 'D', 'P', "");
	wire_execute(&m, "", 0);
	wire_sync(&m);
	assert_true(read_unit(&m, &u));
	assert_true(u.canonical);
	assert_true(slice_eq_str(u.parse.name, "s1"));
	assert_true(slice_eq_str(u.parse.sql, "select 2"));
	assert_true(slice_eq_str(u.bind.statement, "s1"));
	assert_int_equal(u.bind.portal.n, 0);
	buf_reset(&m.b);
	compose(&m, "beeeees");
	assert_true(read_unit(&m, &u));
	assert_int_equal(u.executes, 5);
	buf_reset(&m.b);
}

/* Names, portals and row limits that make it another shape. */
static void
test_deviations(void **state PG_UNUSED)
{
	char name[80];
	struct wire m;

	/* Bind of another statement than the one just parsed. */
	wire_start(&m);
	wire_parse(&m, "a", "select 1");
	wire_bind(&m, "", "b");
	wire_execute(&m, "", 0);
	wire_sync(&m);
	expect(&m, true, false);
	/* A named portal. */
	wire_start(&m);
	wire_bind(&m, "p", "b");
	wire_execute(&m, "", 0);
	wire_sync(&m);
	expect(&m, true, false);
	wire_start(&m);
	wire_bind(&m, "", "b");
	wire_execute(&m, "p", 0);
	wire_sync(&m);
	expect(&m, true, false);
	wire_start(&m);
	wire_bind(&m, "", "b");
	wire_target(&m, 'D', 'P', "p");
	wire_execute(&m, "", 0);
	wire_sync(&m);
	expect(&m, true, false);
	/* A row limit. */
	wire_start(&m);
	wire_bind(&m, "", "b");
	wire_execute(&m, "", 1);
	wire_sync(&m);
	expect(&m, true, false);
	wire_start(&m);
	wire_bind(&m, "", "b");
	wire_execute(&m, "", 0x80000000);
	wire_sync(&m);
	expect(&m, true, false);
	/* A message of no type. */
	wire_start(&m);
	wire_bind(&m, "", "b");
	wire_execute(&m, "", 0);
	assert_true(buf_append(&m.b, "\0\0\0\0\4", 5));
	wire_sync(&m);
	expect(&m, true, false);
	/* A name longer than PostgreSQL tells apart. */
	for (size_t n = 63; n <= 64; n++) {
		memset(name, 'n', n);
		name[n] = '\0';
		wire_start(&m);
		wire_parse(&m, name, "select 1");
		wire_bind(&m, "", name);
		wire_execute(&m, "", 0);
		wire_sync(&m);
		expect(&m, true, n == 63);
	}
}

static void
test_simple_messages(void **state PG_UNUSED)
{
	struct wire m;
	struct unit u;

	wire_start(&m);
	wire_raw(&m, 'Q', "select 1", 9);
	assert_true(read_unit(&m, &u));
	assert_false(u.canonical);
	assert_int_equal(u.first, 'Q');
	assert_int_equal(u.last, 'Q');
	assert_int_equal(u.executes, 0);
	buf_reset(&m.b);
	wire_start(&m);
	wire_raw(&m, 'F', "\0\0\0\1\0\0\0\0\0\0", 10);
	assert_true(read_unit(&m, &u));
	assert_false(u.canonical);
	assert_int_equal(u.last, 'F');
	buf_reset(&m.b);
}

/* ---- malformed ------------------------------------------------------------ */

static const struct {
	char type;
	const char *body;
	size_t n;
	bool good;
} bodies[] = {
	{ 'D', "P", 2, true },
	{ 'D', "Sname", 6, true },
	{ 'D', "", 0, false },
	{ 'D', "P", 1, false },        /* no name */
	{ 'D', "Pname", 5, false },    /* that does not end */
	{ 'D', "P\0x", 3, false },     /* something behind it */
	{ 'D', "X", 2, false },        /* of what? */
	{ 'D', "\0", 2, false },
	{ 'D', "s", 2, false },
	{ 'C', "S", 2, true },
	{ 'C', "", 0, false },
	{ 'C', "S", 1, false },
	{ 'C', "Q", 2, false },
	{ 'C', "S\0\0", 3, false },
	{ 'E', "\0\0\0\0\0", 5, true },
	{ 'E', "\0\0\0\0", 4, false },
	{ 'E', "\0\0\0\0\0\0", 6, false },
	{ 'E', "portal", 6, false },
	{ 'E', "", 0, false },
	{ 'S', "", 0, true },
	{ 'S', "x", 1, false },
	{ 'H', "", 0, true },
	{ 'H', "\0", 1, false },
	{ 'P', "\0\0\0\0", 4, true },
	{ 'P', "\0\0", 2, false },
	{ 'P', "\0\0\0\1", 4, false },
	{ 'P', "\0\0\0\0\0", 5, false },
	{ 'P', "", 0, false },
	{ 'B', "\0\0\0\0\0\0\0\0", 8, true },
	{ 'B', "\0\0\0\0\0\0\0", 7, false },
	{ 'B', "\0\0\0\0\0\0\0\1", 8, false },
	{ 'B', "\0\0\0\0\xff\xff\0\0", 8, false },
	{ 'B', "\0\0\0\0\0\1\0\0\0\7ab\0\0", 14, false },
	{ 'B', "", 0, false },
};

/* Alone, behind good messages, and before them. */
static void
test_bodies(void **state PG_UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
		for (int place = 0; place < 4; place++) {
			struct unit u;
			struct wire m;

			wire_start(&m);
			if (place & 1)
				wire_parse(&m, "", "select 1");
			wire_raw(&m, bodies[i].type, bodies[i].body,
			    bodies[i].n);
			if (place & 2)
				wire_sync(&m);
			assert_int_equal(read_unit(&m, &u), bodies[i].good);
			buf_reset(&m.b);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_what_is_found),
		cmocka_unit_test(test_deviations),
		cmocka_unit_test(test_simple_messages),
		cmocka_unit_test(test_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
