/* SPDX-License-Identifier: PostgreSQL
 *
 * Credentials: pools are told apart by them, and nothing of them stays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <libpq-fe.h>

#include "backend/credentials.h"

static void
test_compare(void **state PG_UNUSED)
{
	static const struct credentials all[] = {
		{ .password = NULL },
		{ .password = (char *)"a" },
		{ .password = (char *)"b" },
		{ .password = (char *)"a", .clients_own = true },
		{ .client_key = (char *)"a", .server_key = (char *)"b" },
		{ .client_key = (char *)"a", .server_key = (char *)"c" },
	};
	struct credentials copy;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		credentials_copy(&copy, &all[i]);
		for (size_t k = 0; k < ARRAY_SIZE(all); k++)
			assert_int_equal(credentials_eq(&copy, &all[k]),
			    i == k);
		credentials_fini(&copy);
		assert_null(copy.password);
		assert_null(copy.client_key);
	}
}

static void
test_keys(void **state PG_UNUSED)
{
	assert_int_equal(credentials_keys_work(), PQlibVersion() >= 180000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
