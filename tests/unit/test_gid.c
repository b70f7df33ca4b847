/* SPDX-License-Identifier: PostgreSQL
 *
 * Names of prepared transactions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "layout/gid.h"

static void
test_there_and_back(void **state PG_UNUSED)
{
	const struct gid all[] = {
		{ 0 },
		{ 1, 2, 3, 4, 5, 6 },
		{ UINT64_MAX, 255, UINT64_MAX, UINT64_MAX, UINT32_MAX,
		    INT64_MAX },
	};
	char text[GID_MAX];
	struct gid back;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		gid_print(&all[i], text);
		assert_true(strlen(text) < 200);
		assert_true(gid_parse(text, &back));
		assert_true(all[i].id == back.id && all[i].part == back.part &&
		    all[i].decider == back.decider &&
		    all[i].system == back.system &&
		    all[i].timeline == back.timeline &&
		    all[i].xid == back.xid);
	}
	gid_print(&all[1], text);
	assert_string_equal(text, "pgsluice_0000000000000001_2_"
	    "0000000000000003_0000000000000004_00000005_6");
}

static void
test_others(void **state PG_UNUSED)
{
	static const char *const texts[] = { "", "pgsluice_", "x",
		"pgsluice_0000000000000001_2_0000000000000003_"
		"0000000000000004_00000005_",
		"pgsluice_0000000000000001_2_0000000000000003_"
		"0000000000000004_00000005_6 ",
		"pgsluice_0000000000000001_2_0000000000000003_"
		"0000000000000004_00000005_06",
		"pgsluice_0000000000000001_+2_0000000000000003_"
		"0000000000000004_00000005_6",
		"pgsluice_000000000000000A_2_0000000000000003_"
		"0000000000000004_00000005_6",
		"pgsluice_0000000000000001_2_0000000000000003_"
		"0000000000000004_5_6",
		"pgsluice_0000000000000001_2_0000000000000003_"
		"0000000000000004_00000005_6'; DROP TABLE t",
		"pgsluice_0000000000000001_2_0000000000000003_"
		"0000000000000004_00000005_99999999999999999999",
	};
	struct gid g;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++)
		assert_false(gid_parse(texts[i], &g));
}

/* The name of a backend means the same in every process. */
static void
test_backend(void **state PG_UNUSED)
{
	assert_true(gid_backend("") == UINT64_C(0xcbf29ce484222325));
	assert_true(gid_backend("a") == UINT64_C(0xaf63dc4c8601ec8c));
	assert_true(gid_backend("foobar") == UINT64_C(0x85944171f73967e8));
}

static void
test_answer(void **state PG_UNUSED)
{
	struct gid g = { 0 };

	assert_true(gid_answer(&g, "4294967999", "7714023878993482427",
	    "0000000A0000000000000001"));
	assert_true(g.xid == 4294967999u && g.timeline == 10 &&
	    g.system == UINT64_C(7714023878993482427));
	assert_false(gid_answer(&g, "", "7", "0000000A0000000000000001"));
	assert_false(gid_answer(&g, "5", "-7", "0000000A0000000000000001"));
	assert_false(gid_answer(&g, "5", "7", "0000000A000000000000000"));
	assert_false(gid_answer(&g, "5", "7", "0000000G0000000000000001"));
	assert_false(gid_answer(&g, "99999999999999999999", "7",
	    "0000000A0000000000000001"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_backend),
		cmocka_unit_test(test_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
