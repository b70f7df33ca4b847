/* SPDX-License-Identifier: PostgreSQL
 *
 * The function and operator tables: sorted, complete, consistent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sql/functions.c"

static void
test_sorted(void **state)
{
	size_t i;

	(void)state;
	for (i = 1; i < ARRAY_SIZE(function_rows); i++)
		assert_true(strcmp(function_rows[i - 1].name,
		    function_rows[i].name) < 0);
	for (i = 1; i < ARRAY_SIZE(function_effects); i++)
		assert_true(strcmp(function_effects[i - 1].name,
		    function_effects[i].name) < 0);
	for (i = 1; i < ARRAY_SIZE(operator_names); i++)
		assert_true(strcmp(operator_names[i - 1],
		    operator_names[i]) < 0);
}

/* An effect of a function that is not in the table would never be found. */
static void
test_effects_known(void **state)
{
	struct function_info info;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(function_effects); i++) {
		assert_true(function_lookup(function_effects[i].name, &info));
		assert_int_equal(info.flags, function_effects[i].flags);
		assert_int_equal(info.pin, function_effects[i].pin);
	}
}

static void
test_lookup(void **state)
{
	static const struct {
		const char *name;
		struct function_info info;
	} rows[] = {
		{ "lower", { 0, PIN_NONE, false } },
		{ "count", { 0, PIN_NONE, true } },
		{ "row_number", { 0, PIN_NONE, true } },
		{ "json_agg", { 0, PIN_NONE, true } },
		{ "now", { AN_STABLE, PIN_NONE, false } },
		{ "age", { AN_STABLE, PIN_NONE, false } },
		{ "date_trunc", { 0, PIN_NONE, false } },
		{ "random", { AN_VOLATILE, PIN_NONE, false } },
		{ "clock_timestamp", { AN_VOLATILE, PIN_NONE, false } },
		{ "gen_random_uuid", { AN_VOLATILE, PIN_NONE, false } },
		{ "pg_sleep", { AN_VOLATILE, PIN_NONE, false } },
		{ "pg_terminate_backend", { AN_VOLATILE, PIN_NONE, false } },
		{ "txid_current", { AN_VOLATILE, PIN_NONE, false } },
		{ "nextval", { AN_VOLATILE | AN_WRITES, PIN_NONE, false } },
		{ "setval", { AN_VOLATILE | AN_WRITES, PIN_SEQUENCE, false } },
		{ "currval", { AN_VOLATILE, PIN_SEQUENCE, false } },
		{ "set_config", { AN_VOLATILE, PIN_SETTING, false } },
		{ "setseed", { AN_VOLATILE, PIN_FUNCTION, false } },
		{ "pg_advisory_unlock_all", { AN_VOLATILE | AN_LOCKING,
		    PIN_NONE, false } },
		{ "pg_try_advisory_xact_lock", { AN_VOLATILE | AN_LOCKING,
		    PIN_NONE, false } },
		{ "lo_unlink", { AN_VOLATILE | AN_WRITES_ALL, PIN_FUNCTION,
		    false } },
		{ "pg_notify", { AN_VOLATILE, PIN_NONE, false } },
	};
	struct function_info info;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_true(function_lookup(rows[i].name, &info));
		assert_int_equal(info.flags, rows[i].info.flags);
		assert_int_equal(info.pin, rows[i].info.pin);
		assert_int_equal(info.aggregate, rows[i].info.aggregate);
	}
	assert_false(function_lookup("dblink", &info));
	assert_false(function_lookup("", &info));
	assert_false(function_lookup("zzz", &info));
	assert_true(operator_is_known("="));
	assert_true(operator_is_known("||"));
	assert_false(operator_is_known("<=>"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sorted),
		cmocka_unit_test(test_effects_known),
		cmocka_unit_test(test_lookup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
