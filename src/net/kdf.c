/* SPDX-License-Identifier: PostgreSQL
 *
 * HMACs that libpq asks for, counted.
 *
 * The program's own HMAC_Init_ex() stands before libcrypto's for every library
 * that asks for it by name.  State is of the thread.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* it is libpq that uses it */
#include "net/kdf.h"

#include <dlfcn.h>
#include <openssl/hmac.h>
#include <stdatomic.h>

#include "base/check.h"

#define KDF_TEXT_(n) #n
#define KDF_TEXT(n) KDF_TEXT_(n)

typedef int hmac_init_f(HMAC_CTX *ctx, const void *key, int len,
    const EVP_MD *md, ENGINE *impl);

static _Thread_local bool kdf_bound;
static _Thread_local long kdf_left;

static _Atomic(hmac_init_f *) kdf_real;

static hmac_init_f *
kdf_find(void)
{
	hmac_init_f *real;

	/* POSIX: a function's address fits a void pointer. */
	*(void **)&real = dlsym(RTLD_NEXT, "HMAC_Init_ex");
	CHECK(real != NULL);
	atomic_store_explicit(&kdf_real, real, memory_order_relaxed);
	return real;
}

int
HMAC_Init_ex(HMAC_CTX *ctx, const void *key, int len, const EVP_MD *md,
    ENGINE *impl)
{
	hmac_init_f *real;

	if (kdf_bound && kdf_left-- <= 0) {
		kdf_left = -1;
		return 0;
	}
	real = atomic_load_explicit(&kdf_real, memory_order_relaxed);
	if (real == NULL)
		real = kdf_find();
	return real(ctx, key, len, md, impl);
}

void
kdf_allow(void)
{
	kdf_bound = true;
	kdf_left = KDF_MAX;
}

const char *
kdf_denied(void)
{
	if (!kdf_bound || kdf_left >= 0)
		return NULL;
	return "the server asks for more than " KDF_TEXT(KDF_MAX)
	    " iterations of SCRAM";
}
