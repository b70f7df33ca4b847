/* SPDX-License-Identifier: PostgreSQL
 *
 * Hints in the comment that a statement begins with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "route/hint.h"

static struct hint
read_hint(const char *sql)
{
	struct hint h;

	hint_read(slice_str(sql), &h);
	return h;
}

static void
assert_bad(const char *sql, const char *word)
{
	struct hint h = read_hint(sql);

	assert_true(h.there);
	assert_true(slice_eq(h.bad, slice_str(word)));
}

static void
test_words(void **state)
{
	struct hint h = read_hint("/* pgsluice: ttl=60s nocache */ SELECT 1");

	(void)state;
	assert_true(h.there && h.nocache && h.bad.n == 0);
	assert_true(h.ttl == 60 * NSEC_PER_SEC);
	h = read_hint("\n\t/*pgsluice:ttl=250ms*/SELECT 1");
	assert_true(h.there && !h.nocache && h.bad.n == 0);
	assert_true(h.ttl == 250 * NSEC_PER_MSEC);
	h = read_hint("/* pgsluice: ttl=0 */ SELECT 1");
	assert_true(h.ttl == 0);
	h = read_hint("/* pgsluice: */ SELECT 1");
	assert_true(h.there && !h.nocache && h.ttl == UINT64_MAX);
}

static void
test_place(void **state)
{
	char far[3000];

	(void)state;
	assert_true(read_hint("-- x\n /* y */ /* pgsluice: nocache */ SELECT")
	    .nocache);
	assert_true(read_hint("/* a /* b */ c *//* pgsluice: nocache */")
	    .nocache);
	assert_false(read_hint("SELECT 1 /* pgsluice: nocache */").there);
	assert_false(read_hint("/* x pgsluice: nocache */ SELECT").there);
	assert_false(read_hint("/* pgsluice nocache */ SELECT").there);
	assert_false(read_hint("-- pgsluice: nocache").there);
	assert_false(read_hint("/* pgsluice: nocache").there);
	assert_false(read_hint("/* pgsluice: nocache *").there);
	assert_false(read_hint("/*/").there);
	assert_false(read_hint("/").there);
	assert_false(read_hint("").there);
	/* Nobody reads on for ever. */
	memset(far, ' ', sizeof(far));
	strcpy(far + 2000, "/* pgsluice: nocache */");
	assert_false(read_hint(far).there);
}

static void
test_bad(void **state)
{
	(void)state;
	assert_bad("/* pgsluice: ttl=soon nocache */", "ttl=soon");
	assert_true(read_hint("/* pgsluice: ttl=soon nocache */").nocache);
	assert_bad("/* pgsluice: nocache; */", "nocache;");
	assert_bad("/* pgsluice: ttl=1s key=x y */", "key=x");
	assert_bad("/* pgsluice: ttl= */", "ttl=");
	assert_bad("/* pgsluice: "
	    "ttl=00000000000000000000000000000000000000000000001s */",
	    "ttl=00000000000000000000000000000000000000000000001s");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
