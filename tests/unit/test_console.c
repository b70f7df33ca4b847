/* SPDX-License-Identifier: PostgreSQL
 *
 * Console commands: what RELOAD says of mistakes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin/console.c"

static void
test_diag_text(void **state PG_UNUSED)
{
	struct conf_diag d = { .n = 2, .msg = { x_strdup("a:1: x"),
		x_strdup("a:2: y") } };
	char *text = console_diag_text(&d);

	assert_string_equal(text, "a:1: x\na:2: y");
	free(text);
	conf_diag_fini(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_diag_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
