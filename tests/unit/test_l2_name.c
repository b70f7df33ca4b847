/* SPDX-License-Identifier: PostgreSQL
 *
 * Names in Redis: readable, bounded, and another for every other question.
 */
#include "cache/l2_priv.h"
#include "cache_util.h"

static char name[L2_NAME_MAX], other[L2_NAME_MAX];

static void
names_are_readable(void **state)
{
	struct cache_key k = util_key("select 1");
	size_t n;

	(void)state;
	k.name = SLICE_LIT("model:42%3A");
	n = l2_name_entry(name, "pgsluice", &k, SLICE_LIT("s"), "shop db");
	assert_int_equal(n, strlen(name));
	assert_int_equal(n, strlen("pgsluice:shop_db:model:42%3A:") + 32);
	assert_memory_equal(name, "pgsluice:shop_db:model:42%3A:", 29);
	assert_int_equal(strspn(name + 29, "0123456789abcdef"), 32);
	assert_int_equal(l2_name_tag(name, "pgsluice", 65535), 18);
	assert_string_equal(name, "pgsluice:tag:65535");
}

/* What is called so says nothing about what is asked. */
static void
a_name_is_not_in_the_digest(void **state)
{
	struct cache_key k = util_key("select 1"), b = k;
	size_t n;

	(void)state;
	b.name = SLICE_LIT("r");
	n = l2_name_entry(name, "p", &k, SLICE_LIT("s"), "d");
	assert_string_equal(name + n - L2_DIGEST_LEN, other +
	    l2_name_entry(other, "p", &b, SLICE_LIT("s"), "d") -
	    L2_DIGEST_LEN);
}

static void
names_fit_patterns(void **state)
{
	static const char *const others[] = { "pgsluice:tag:42",
		"pgsluice:d", "pgsluice", "", "other:d:model:42:details:"
		"0123456789abcdef0123456789abcdef", "pgsluice:d:model:42:"
		"details:0123456789abcdef0123456789abcde" };
	struct cache_key k = util_key("select 1");
	size_t n;

	(void)state;
	k.name = SLICE_LIT("model:42:details");
	n = l2_name_entry(name, "pgsluice", &k, SLICE_LIT("s"), "d");
#define FITS(pattern) l2_name_fits(slice_make(name, n), "pgsluice", \
	SLICE_LIT(pattern))
	assert_true(FITS("model:42:*"));
	assert_true(FITS("model:42:details"));
	assert_true(FITS("*"));
	assert_false(FITS("model:4:*"));
	assert_false(FITS("42:details"));
	assert_false(FITS("d:model:42:details"));
	assert_false(FITS("model:42:details:*"));
#undef FITS
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_false(l2_name_fits(slice_str(others[i]), "pgsluice",
		    SLICE_LIT("*")));
	l2_name_pattern(other, "my redis", "model:42:*");
	assert_string_equal(other, "my_redis:*:model:42:*:*");
}

static void
names_are_the_same_in_every_process(void **state)
{
	struct cache_key k = util_key("select 1");

	(void)state;
	k.name = SLICE_LIT("r");
	l2_name_entry(name, "p", &k, SLICE_LIT("s"), "d");
	k.hash.lo++; /* keyed by process, like the scope's number */
	k.scope++;
	l2_name_entry(other, "p", &k, SLICE_LIT("s"), "d");
	assert_string_equal(name, other);
	assert_string_equal(name, "p:d:r:c7a5658d8bb3112cbd62d82cc8dcfcd8");
}

static void
names_are_bounded(void **state)
{
	struct cache_key k = util_key("select 1");
	char lots[5000];

	(void)state;
	memset(lots, '\n', sizeof(lots));
	lots[4999] = '\0';
	k.name = slice_make(lots, L2_KEY_NAME_MAX);
	assert_int_equal(l2_name_entry(name, lots, &k, SLICE_LIT("s"), lots),
	    sizeof(name) - 1);
	assert_int_equal(strspn(name, "_"), 64);
	assert_int_equal(l2_name_tag(name, lots, 65535), 65 + 9);
}

static void
every_field_is_in_the_digest(void **state)
{
	struct cache_key k = util_key("select 1"), b;

	(void)state;
	l2_name_entry(name, "p", &k, SLICE_LIT("s"), "d");
#define DIFFER(scope, change) \
	b = k; \
	b.change; \
	l2_name_entry(other, "p", &b, SLICE_LIT(scope), "d"); \
	assert_string_not_equal(name, other)
	DIFFER("t", form = k.form);
	DIFFER("s", form = KEY_SIMPLE);
	DIFFER("s", sql.n--);
	DIFFER("s", types.n--);
	DIFFER("s", bind.n--);
	/* A byte that moves from one field into the next. */
	k.sql = SLICE_LIT("ab");
	k.types = SLICE_LIT("c");
	l2_name_entry(name, "p", &k, SLICE_LIT("s"), "d");
	DIFFER("s", types = SLICE_LIT("bc"); b.sql.n--);
#undef DIFFER
}

static void
tokens_are_strict(void **state)
{
	char text[L2_TOKEN_LEN + 1];
	uint64_t t;

	(void)state;
	l2_token_format(text, 0x00ff00ff00ff00a9);
	assert_string_equal(text, "00ff00ff00ff00a9");
	assert_true(l2_token_parse(text, 16, &t));
	assert_true(t == 0x00ff00ff00ff00a9);
	assert_false(l2_token_parse(text, 15, &t));
	assert_false(l2_token_parse("00ff00ff00ff00a90", 17, &t));
	assert_false(l2_token_parse("00ff00ff00ff00A9", 16, &t));
	assert_false(l2_token_parse("0x0f00ff00ff00a9", 16, &t));
	assert_false(l2_token_parse(" 0ff00ff00ff00a9", 16, &t));
	assert_false(l2_token_parse("", 0, &t));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_readable),
		cmocka_unit_test(a_name_is_not_in_the_digest),
		cmocka_unit_test(names_fit_patterns),
		cmocka_unit_test(names_are_the_same_in_every_process),
		cmocka_unit_test(names_are_bounded),
		cmocka_unit_test(every_field_is_in_the_digest),
		cmocka_unit_test(tokens_are_strict),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
