/* SPDX-License-Identifier: PostgreSQL
 *
 * HMACs are counted by thread, and only where somebody asked for a limit.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <openssl/hmac.h>
#include <pthread.h>
#include <string.h>

#include "net/kdf.h"

/* As libpq: one after the other, in one context. */
static long
run(long n)
{
	HMAC_CTX *ctx = HMAC_CTX_new();
	long done = 0;

	assert_non_null(ctx);
	while (done < n && HMAC_Init_ex(ctx, "secret", 6, EVP_sha256(),
	    NULL) == 1)
		done++;
	HMAC_CTX_free(ctx);
	return done;
}

static void
test_limit(void **state)
{
	(void)state;
	kdf_allow();
	assert_int_equal(run(KDF_MAX), KDF_MAX);
	assert_null(kdf_denied());
	assert_int_equal(run(2), 0);
	assert_non_null(strstr(kdf_denied(), "1000000 iterations"));
	/* And again, for the next attempt. */
	kdf_allow();
	assert_null(kdf_denied());
	assert_int_equal(run(10), 10);
}

static void *
unlimited(void *arg)
{
	*(long *)arg = run(KDF_MAX + 10);
	return NULL;
}

static void
test_other_threads(void **state)
{
	pthread_t t;
	long done = 0;

	(void)state;
	kdf_allow();
	assert_int_equal(pthread_create(&t, NULL, unlimited, &done), 0);
	assert_int_equal(run(100), 100);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(done, KDF_MAX + 10);
	assert_null(kdf_denied());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_other_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
