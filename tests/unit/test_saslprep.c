/* SPDX-License-Identifier: PostgreSQL
 *
 * Passwords prepared as PostgreSQL 15 prepares them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "auth/saslprep.h"

static const struct {
	const char *in, *out; /* out NULL: stays as it is */
} cases[] = {
	/* RFC 4013, section 3 */
	{ "I\302\255X", "IX" }, { "user", NULL }, { "USER", NULL },
	{ "\302\252", "a" }, { "\342\205\250", "IX" }, { "\7", NULL },
	{ "\330\247" "1", NULL },
	/* spaces, marks, right to left */
	{ "a\302\240b", "a b" }, { "e\314\201", "\303\251" },
	{ "\303\251", "\303\251" }, { "\330\247" "1\330\250",
	    "\330\247" "1\330\250" },
	/* forbidden: controls, surrogates, private use, unassigned */
	{ "\303\251\7", NULL }, { "\355\240\200", NULL },
	{ "\356\200\200", NULL }, { "\310\241", NULL },
	{ "\360\237\230\200", NULL },
	/* no UTF-8, nothing left, nothing */
	{ "\377\376", NULL }, { "\303", NULL }, { "\300\200", NULL },
	{ "\302\255", NULL }, { "", NULL },
};

static void
test_cases(void **state)
{
	size_t i;
	char *out;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		out = saslprep(slice_str(cases[i].in));
		if (cases[i].out == NULL)
			assert_null(out);
		else
			assert_string_equal(out, cases[i].out);
		free(out);
	}
}

/* One that grows as much as any: 3 bytes become 33. */
static void
test_growth(void **state)
{
	enum { N = 1000 };
	char *in = malloc(3 * N), *out;
	size_t i;

	(void)state;
	for (i = 0; i < N; i++)
		memcpy(in + 3 * i, "\357\267\272", 3);
	out = saslprep(slice_make(in, 3 * N));
	assert_int_equal(strlen(out), 33 * N);
	free(out);
	free(in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_growth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
