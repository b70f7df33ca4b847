/* SPDX-License-Identifier: PostgreSQL
 *
 * Scopes: equal text, equal scope; what is read out of the settings; many
 * threads; the cap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "backend/scope.c"

#define THREADS 8
#define EACH 200

static int
setup(void **state PG_UNUSED)
{
	hash_init();
	return 0;
}

static void
test_interned(void **state PG_UNUSED)
{
	const struct scope *a = scope_intern("backend=a user=u", "x=1\ny=2\n");
	const struct scope *b = scope_intern("backend=a user=u", "x=1\ny=2\n");
	const struct scope *c = scope_intern("backend=a user=v", "x=1\ny=2\n");
	const struct scope *d = scope_intern("backend=a user=u", "x=1\ny=3\n");

	assert_non_null(a);
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	assert_ptr_not_equal(a, d);
	assert_int_not_equal(a->id, 0);
	assert_int_not_equal(a->id, c->id);
	assert_int_not_equal(a->id, d->id);
	assert_string_equal(a->text, "backend=a user=u\nx=1\ny=2\n");
	/* Same settings, same output, whoever is asked. */
	assert_true(hash_eq(a->settings, c->settings));
	assert_false(hash_eq(a->settings, d->settings));
}

/* What a session wants of the cache makes no other results. */
static void
test_wishes(void **state PG_UNUSED)
{
	const struct scope *plain = scope_intern("wishes", "a=1\nz=2\n");
	const struct scope *off = scope_intern("wishes",
	    "a=1\npgsluice.cache=off\nz=2\n");
	const struct scope *young = scope_intern("wishes",
	    "a=1\npgsluice.max_staleness=2s\nz=2\n");
	const struct scope *first = scope_intern("other",
	    "pgsluice.cache=off\nz=2\n");

	assert_ptr_equal(plain->results, plain);
	assert_false(wishes_off(&plain->wishes));
	assert_ptr_not_equal(off, plain);
	assert_ptr_equal(off->results, plain);
	assert_true(hash_eq(off->settings, plain->settings));
	assert_true(wishes_off(&off->wishes));
	assert_ptr_equal(young->results, plain);
	assert_true(young->wishes.max_staleness == 2 * NSEC_PER_SEC);
	assert_string_equal(first->results->text, "other\nz=2\n");
	assert_ptr_equal(scope_intern("other", "z=2\n"), first->results);
	/* A name that only looks so is like any other. */
	assert_ptr_not_equal(scope_intern("wishes",
	    "a=1\npgsluice.tenant=7\nz=2\n")->results, plain);
}

static const struct {
	const char *settings;
	bool read_committed, conforming, ascii_tails, recoded;
} known[] = {
	{ "", false, false, false, true },
	{ "client_encoding=UTF8\n"
	  "default_transaction_isolation=read committed\n"
	  "server_encoding=UTF8\n"
	  "standard_conforming_strings=on\n", true, true, false, false },
	{ "client_encoding=LATIN1\nserver_encoding=LATIN1\n", false, false,
	  false, false },
	{ "client_encoding=LATIN1\nserver_encoding=UTF8\n", false, false,
	  false, true },
	{ "client_encoding=UTF8\nserver_encoding=UTF\n", false, false, false,
	  true },
	{ "client_encoding=UTF8", false, false, false, true },
	/* What a user may choose is no encoding. */
	{ "client_encoding=LATIN1\nsearch_path=server_encoding=LATIN1\n"
	  "server_encoding=UTF8\n", false, false, false, true },
	/* The last line need not end. */
	{ "standard_conforming_strings=on", false, true, false, true },
	{ "standard_conforming_strings=off\n", false, false, false, true },
	/* Neither a prefix, nor a suffix, nor another setting's value. */
	{ "standard_conforming_strings=only\n", false, false, false, true },
	{ "my.standard_conforming_strings=on\n", false, false, false, true },
	{ "search_path=standard_conforming_strings=on\n", false, false, false,
	  true },
	{ "default_transaction_isolation=repeatable read\n"
	  "client_encoding=LATIN1\n", false, false, false, true },
	{ "a=default_transaction_isolation=read committed\n"
	  "default_transaction_isolation=read committed\n", true, false, false,
	  true },
	{ "client_encoding=SJIS\n", false, false, true, true },
	{ "client_encoding=BIG5\n", false, false, true, true },
	{ "client_encoding=GBK\n", false, false, true, true },
	{ "client_encoding=UHC\n", false, false, true, true },
	{ "client_encoding=GB18030\n", false, false, true, true },
	{ "client_encoding=JOHAB\n", false, false, true, true },
	{ "client_encoding=SHIFT_JIS_2004\n", false, false, true, true },
	{ "client_encoding=EUC_JP\n", false, false, false, true },
	{ "client_encoding=SQL_ASCII\n", false, false, false, true },
};

static void
test_what_settings_say(void **state PG_UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const struct scope *s = scope_intern("known",
		    known[i].settings);

		assert_non_null(s);
		assert_int_equal(s->read_committed, known[i].read_committed);
		assert_int_equal(s->conforming, known[i].conforming);
		assert_int_equal(s->ascii_tails, known[i].ascii_tails);
		assert_int_equal(s->recoded, known[i].recoded);
	}
}

static void *
intern_many(void *arg)
{
	const struct scope **out = arg;
	char text[32];

	for (int i = 0; i < EACH; i++) {
		snprintf(text, sizeof(text), "thread test %d", i);
		out[i] = scope_intern(text, "s=1\n");
	}
	return NULL;
}

static void
test_threads_agree(void **state PG_UNUSED)
{
	static const struct scope *got[THREADS][EACH];
	pthread_t t[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, intern_many,
		    got[i]), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	for (int k = 0; k < EACH; k++) {
		assert_non_null(got[0][k]);
		for (int i = 1; i < THREADS; i++)
			assert_ptr_equal(got[i][k], got[0][k]);
	}
}

/* Past the cap there is no scope for what is new; what is known stays. */
static void
test_cap(void **state PG_UNUSED)
{
	const struct scope *first = scope_intern("cap 0", "");
	char text[32];
	unsigned i = 1;

	while (scope_count < SCOPES_MAX) {
		snprintf(text, sizeof(text), "cap %u", i++);
		assert_non_null(scope_intern(text, ""));
	}
	assert_null(scope_intern("one too many", ""));
	assert_null(scope_intern("one too many", ""));
	assert_ptr_equal(scope_intern("cap 0", ""), first);
}

static void
free_scope(struct htab_node *n, void *arg PG_UNUSED)
{
	struct scope_entry *e = htab_entry(n, struct scope_entry, node);

	free(e->scope.text);
	free(e);
}

/* In the program they live as long as it does. */
static int
teardown(void **state PG_UNUSED)
{
	htab_each(&scope_tab, free_scope, NULL);
	htab_fini(&scope_tab);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interned),
		cmocka_unit_test(test_wishes),
		cmocka_unit_test(test_what_settings_say),
		cmocka_unit_test(test_threads_agree),
		cmocka_unit_test(test_cap),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
