/* SPDX-License-Identifier: PostgreSQL
 *
 * What is remembered of auth_query's answers: for how long, how many, and when
 * doubt ends it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "auth/lookup_priv.h"

#define TTL (10 * NSEC_PER_SEC)
#define NOW (1000 * NSEC_PER_SEC)

static struct hash128
key_of(const char *user)
{
	return lookup_key((struct hash128){ 1, 2 }, "query", user);
}

static void
remember(const char *user, const char *md5, nsec_t at)
{
	struct lookup l = { .key = key_of(user), .result = LOOKUP_NONE };

	if (md5 != NULL) {
		l.result = LOOKUP_FOUND;
		assert_null(secret_parse(md5, &l.secret));
	}
	lookup_remember(&l, at);
	secret_fini(&l.secret);
}

static enum lookup_result
recall(const char *user, nsec_t now)
{
	struct secret s = { .kind = SECRET_NONE };
	enum lookup_result r = lookup_cached(key_of(user), now, TTL, &s);

	assert_int_equal(r == LOOKUP_FOUND, s.kind != SECRET_NONE);
	secret_fini(&s);
	return r;
}

static void
test_key(void **state PG_UNUSED)
{
	struct hash128 a = { 1, 2 }, b = { 1, 3 };

	assert_true(hash_eq(lookup_key(a, "q", "u"), lookup_key(a, "q", "u")));
	assert_false(hash_eq(lookup_key(a, "q", "u"), lookup_key(b, "q", "u")));
	assert_false(hash_eq(lookup_key(a, "q", "u"), lookup_key(a, "u", "q")));
	assert_false(hash_eq(lookup_key(a, "qu", ""), lookup_key(a, "q", "u")));
}

static void
test_life(void **state PG_UNUSED)
{
	struct secret s;

	assert_int_equal(recall("a", NOW), LOOKUP_UNKNOWN);
	remember("a", "md5000102030405060708090a0b0c0d0e0f", NOW);
	remember("b", NULL, NOW);
	assert_int_equal(recall("a", NOW), LOOKUP_FOUND);
	assert_int_equal(recall("b", NOW + TTL - 1), LOOKUP_NONE);
	assert_int_equal(lookup_cached(key_of("a"), NOW, TTL, &s),
	    LOOKUP_FOUND);
	assert_string_equal(s.md5, "000102030405060708090a0b0c0d0e0f");
	secret_fini(&s);
	assert_int_equal(lookup_count(), 2);
	assert_int_equal(recall("a", NOW + TTL), LOOKUP_UNKNOWN);
	assert_int_equal(lookup_count(), 1);
	/* A later answer takes the place of an earlier one. */
	remember("b", "secret", NOW + 1);
	assert_int_equal(recall("b", NOW + TTL), LOOKUP_FOUND);
	assert_int_equal(lookup_count(), 1);
	lookup_forget_all();
	assert_int_equal(lookup_count(), 0);
	assert_int_equal(recall("b", NOW + 1), LOOKUP_UNKNOWN);
}

static void
test_doubt(void **state PG_UNUSED)
{
	remember("a", "secret", NOW);
	lookup_doubt(key_of("a"), NOW + NSEC_PER_SEC - 1);
	assert_int_equal(recall("a", NOW + 1), LOOKUP_FOUND);
	lookup_doubt(key_of("other"), NOW + TTL);
	assert_int_equal(recall("a", NOW + 1), LOOKUP_FOUND);
	lookup_doubt(key_of("a"), NOW + NSEC_PER_SEC);
	assert_int_equal(recall("a", NOW + 1), LOOKUP_UNKNOWN);
	assert_int_equal(lookup_count(), 0);
}

/* Made-up names drive out each other, not users. */
static void
test_bounds(void **state PG_UNUSED)
{
	char name[16];
	unsigned i;

	for (i = 0; i < LOOKUP_FOUND_MAX + 1; i++) {
		snprintf(name, sizeof(name), "u%u", i);
		remember(name, "md5000102030405060708090a0b0c0d0e0f", NOW);
	}
	for (i = 0; i < 2 * LOOKUP_NONE_MAX; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		remember(name, NULL, NOW);
	}
	assert_int_equal(lookup_count(), LOOKUP_FOUND_MAX + LOOKUP_NONE_MAX);
	assert_int_equal(recall("u0", NOW), LOOKUP_UNKNOWN);
	assert_int_equal(recall("u1", NOW), LOOKUP_FOUND);
	assert_int_equal(recall("n0", NOW), LOOKUP_UNKNOWN);
	assert_int_equal(recall(name, NOW), LOOKUP_NONE);
	lookup_forget_all();
}

static void
test_stopped(void **state PG_UNUSED)
{
	struct lookup l = { .result = LOOKUP_UNKNOWN };

	assert_false(lookup_submit(&l));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_doubt),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_stopped),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
