/* SPDX-License-Identifier: PostgreSQL
 *
 * What counts as the number that a check is answered with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "layout/checks.h"

static void
test_numbers(void **state PG_UNUSED)
{
	static const struct {
		const char *text;
		double value;
	} good[] = { { "0", 0 }, { "42", 42 }, { "-7", -7 }, { "1.5", 1.5 },
		{ "3.25e+2", 325 }, { "0.000", 0 },
		{ "123456789012", 123456789012.0 } };
	double v = -1;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		assert_true(checks_read(good[i].text, &v));
		assert_true(v >= good[i].value && v <= good[i].value);
	}
}

static void
test_no_numbers(void **state PG_UNUSED)
{
	static const char *const bad[] = { "", " ", "t", "NaN", "Infinity",
		"-inf", "1 day", "00:00:05", "12x", "1e999", "\\x01" };
	double v = 8;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(checks_read(bad[i], &v));
	assert_true(v >= 8 && v <= 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_no_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
