/* SPDX-License-Identifier: PostgreSQL
 *
 * Relations of a variant, each once; shards and the remainders they take.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "conf/conf.h"

static void
test_relations_stand_once(void **state PG_UNUSED)
{
	struct conf_variant v = { .n_relations = 0 };

	assert_int_equal(conf_variant_relation(&v, "app.events"), 0);
	assert_int_equal(conf_variant_relation(&v, "app.Part"), 1);
	assert_int_equal(conf_variant_relation(&v, "app.events"), 0);
	assert_int_equal(conf_variant_relation(&v, "app.\"Part\""), 1);
	assert_int_equal(conf_variant_relation(&v, "part"), 2);
	assert_int_equal(v.n_relations, 3);
	assert_string_equal(v.relations[1].name, "app.Part");
	assert_string_equal(v.relations[1].sql, "app.\"Part\"");
	conf_variant_fini(&v);
}

#define MAX_SHARDS 4

static void
test_remainders(void **state PG_UNUSED)
{
	static const struct {
		unsigned n, modulus[MAX_SHARDS], remainder[MAX_SHARDS];
		bool good;
	} rows[] = {
		{ 1, { 1 }, { 0 }, true },
		{ 2, { 2, 2 }, { 0, 1 }, true },
		{ 2, { 2, 2 }, { 1, 0 }, true },
		{ 3, { 4, 2, 4 }, { 0, 1, 2 }, true },
		{ 3, { 2, 6, 3 }, { 0, 1, 2 }, false },  /* 3 and 5 of 6 */
		{ 0, { 0 }, { 0 }, false },
		{ 1, { 2 }, { 0 }, false },              /* missing */
		{ 3, { 2, 2, 4 }, { 0, 1, 3 }, false },  /* doubled */
		{ 2, { 2, 2 }, { 0, 2 }, false },        /* no remainder */
		{ 1, { 0 }, { 0 }, false },
		{ 2, { 2, 3 }, { 0, 1 }, false },        /* no divisor */
		{ 1, { CONF_MODULUS_MAX + 1 }, { 0 }, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct conf_variant v = { .n_shards = rows[i].n };

		v.shards = x_calloc(MAX_SHARDS, sizeof(*v.shards));
		for (unsigned k = 0; k < rows[i].n; k++) {
			v.shards[k].modulus = rows[i].modulus[k];
			v.shards[k].remainder = rows[i].remainder[k];
		}
		if (conf_variant_place(&v) != rows[i].good)
			fail_msg("row %zu", i);
		for (uint64_t hash = 0; rows[i].good && hash < 100; hash++) {
			const struct conf_shard *s = conf_shard_of(&v, 0, hash);

			assert_int_equal(hash % s->modulus, s->remainder);
		}
		conf_variant_fini(&v);
	}
}

/* It changes with what it is made of, and with nothing else. */
static void
test_digest(void **state PG_UNUSED)
{
	struct conf_backend a = { .name = (char *)"a" };
	struct conf_backend b = { .name = (char *)"b" };
	struct conf_variant v = { .n_shards = 0 };
	char before[sizeof(v.digest)];

	(void)conf_variant_relation(&v, "t");
	conf_variant_digest(&v);
	assert_string_equal(v.digest, "");
	v.shards = x_calloc(1, sizeof(*v.shards));
	v.n_shards = 1;
	v.shards[0] = (struct conf_shard){ .backend = &a, .modulus = 1 };
	conf_variant_digest(&v);
	assert_int_equal(strlen(v.digest), 32);
	strcpy(before, v.digest);
	conf_variant_digest(&v);
	assert_string_equal(v.digest, before);
	v.shards[0].backend = &b;
	conf_variant_digest(&v);
	assert_string_not_equal(v.digest, before);
	v.shards[0].backend = &a;
	v.shards[0].relation = conf_variant_relation(&v, "u");
	conf_variant_digest(&v);
	assert_string_not_equal(v.digest, before);
	conf_variant_fini(&v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_relations_stand_once),
		cmocka_unit_test(test_remainders),
		cmocka_unit_test(test_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
