/* SPDX-License-Identifier: PostgreSQL
 *
 * When a repeated unnamed statement gets a name on servers, and loses it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "session/promote.h"

static unsigned
uses_before_a_name(struct promotion *p, unsigned after)
{
	unsigned n = 0;

	while (!promotion_use(p, after))
		assert_true(++n < 200000);
	return n;
}

static void
test_after(void **state PG_UNUSED)
{
	struct promotion p = { .uses = 0 };
	unsigned i;

	for (i = 0; i < 1000; i++)
		assert_false(promotion_use(&p, 0));
	assert_int_equal(uses_before_a_name(&p, 5), 5);
	assert_int_equal(uses_before_a_name(&p, 5), 0);
}

/* Slower under a name: back for 64 uses, then 128, and so on to the cap. */
static void
test_slower(void **state PG_UNUSED)
{
	struct promotion p = { .uses = 0 };
	unsigned i, round_, want = 64;

	(void)uses_before_a_name(&p, 5);
	for (i = 0; i < 5; i++)
		promotion_took(&p, 1000000, false);
	for (round_ = 0; round_ < 13; round_++) {
		for (i = 0; i < 15; i++)
			promotion_took(&p, 3000000, true);
		assert_int_equal(uses_before_a_name(&p, 5), 0);
		promotion_took(&p, 3000000, true);
		assert_int_equal(uses_before_a_name(&p, 5), want);
		want = want < 65536 ? want * 2 : want;
	}
}

static void
test_no_slower(void **state PG_UNUSED)
{
	struct promotion p = { .uses = 0 };
	unsigned i;

	(void)uses_before_a_name(&p, 5);
	promotion_took(&p, 50000, false);
	/* Twice the time and the slack are still let pass. */
	for (i = 0; i < 160; i++)
		promotion_took(&p, 200000, true);
	assert_int_equal(uses_before_a_name(&p, 5), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_after),
		cmocka_unit_test(test_slower),
		cmocka_unit_test(test_no_slower),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
