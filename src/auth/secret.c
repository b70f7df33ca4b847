/* SPDX-License-Identifier: PostgreSQL
 *
 * Secrets: forms, and answers checked against them.
 *
 * Knows nothing of files, messages or exchanges.  Pure but for random salts;
 * any thread, except where the header says otherwise.  Comparisons take the
 * same time wherever the difference is; nothing here is ever logged.
 */
#include "auth/secret.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/hash.h"

#define SECRET_SALT_LEN 16 /* what PostgreSQL makes */

/* ---- forms ---- */

static bool
secret_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool
secret_is_md5(const char *s)
{
	return strlen(s) == 3 + SECRET_MD5_HEX && secret_starts(s, "md5") &&
	    strspn(s + 3, "0123456789abcdef") == SECRET_MD5_HEX;
}

const char *
secret_parse(const char *text, struct secret *s)
{
	*s = (struct secret){ 0 };
	if (text[0] == '\0')
		return "empty secret, expected a SCRAM-SHA-256 verifier, an "
		    "md5 hash or a password";
	if (secret_is_md5(text)) {
		s->kind = SECRET_MD5;
		memcpy(s->md5, text + 3, SECRET_MD5_HEX);
		return NULL;
	}
	/* A mistyped verifier must not become somebody's password. */
	if (secret_starts(text, "SCRAM-SHA-")) {
		s->kind = SECRET_SCRAM;
		return scram_verifier_parse(slice_str(text), &s->verifier) ?
		    NULL : "malformed verifier, expected "
		    "SCRAM-SHA-256$iterations:salt$stored:server";
	}
	s->kind = SECRET_PLAIN;
	s->password = x_strdup(text);
	return NULL;
}

void
secret_derive(struct secret *s)
{
	uint8_t salt[SECRET_SALT_LEN];

	CHECK(s->kind == SECRET_PLAIN);
	hash_random(salt, sizeof(salt));
	scram_verifier_derive(slice_str(s->password), salt, sizeof(salt),
	    SCRAM_ITER_DEFAULT, &s->verifier);
}

void
secret_mock(struct secret *s, const char *user, enum secret_kind kind,
    const uint8_t *key)
{
	*s = (struct secret){ .kind = kind == SECRET_MD5 ? SECRET_MD5 :
		SECRET_SCRAM, .mock = true };
	scram_verifier_mock(user, key, &s->verifier);
	memset(s->md5, '0', SECRET_MD5_HEX);
}

void
secret_copy(struct secret *to, const struct secret *from)
{
	*to = *from;
	if (from->password != NULL)
		to->password = x_strdup(from->password);
}

void
secret_fini(struct secret *s)
{
	if (s->password != NULL)
		OPENSSL_cleanse(s->password, strlen(s->password));
	free(s->password);
	OPENSSL_cleanse(s, sizeof(*s));
}

/* ---- MD5 ---- */

/* Hex of MD5(a || b). false: this OpenSSL does not do MD5 (FIPS). */
static bool
secret_md5(const void *a, size_t a_len, const void *b, size_t b_len,
    char hex[SECRET_MD5_HEX + 1])
{
	static const char digits[] = "0123456789abcdef";
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sum[EVP_MAX_MD_SIZE];
	unsigned n = 0, i;
	bool ok;

	CHECK(ctx != NULL);
	ok = EVP_DigestInit_ex(ctx, EVP_md5(), NULL) == 1 &&
	    EVP_DigestUpdate(ctx, a, a_len) == 1 &&
	    EVP_DigestUpdate(ctx, b, b_len) == 1 &&
	    EVP_DigestFinal_ex(ctx, sum, &n) == 1;
	EVP_MD_CTX_free(ctx);
	for (i = 0; ok && i < SECRET_MD5_HEX / 2; i++) {
		hex[2 * i] = digits[sum[i] >> 4];
		hex[2 * i + 1] = digits[sum[i] & 15];
	}
	hex[SECRET_MD5_HEX] = '\0';
	OPENSSL_cleanse(sum, sizeof(sum));
	return ok;
}

bool
secret_has_md5(const struct secret *s)
{
	return s->kind == SECRET_MD5 || s->kind == SECRET_PLAIN;
}

static bool
secret_md5_of(const struct secret *s, const char *user,
    char hex[SECRET_MD5_HEX + 1])
{
	if (s->kind == SECRET_PLAIN)
		return secret_md5(s->password, strlen(s->password), user,
		    strlen(user), hex);
	memcpy(hex, s->md5, SECRET_MD5_HEX + 1);
	return s->kind == SECRET_MD5;
}

/* md5 || hex(MD5(hex(MD5(password || user)) || salt)) */
bool
secret_check_md5(const struct secret *s, const char *user,
    const uint8_t salt[SECRET_MD5_SALT], struct slice answer)
{
	char inner[SECRET_MD5_HEX + 1], outer[SECRET_MD5_HEX + 1];
	bool ok = secret_md5_of(s, user, inner) &&
	    secret_md5(inner, SECRET_MD5_HEX, salt, SECRET_MD5_SALT, outer) &&
	    answer.n == 3 + SECRET_MD5_HEX && memcmp(answer.p, "md5", 3) == 0;

	ok = ok && CRYPTO_memcmp(answer.p + 3, outer, SECRET_MD5_HEX) == 0;
	OPENSSL_cleanse(inner, sizeof(inner));
	OPENSSL_cleanse(outer, sizeof(outer));
	return ok && !s->mock;
}

/* ---- password in clear ---- */

bool
secret_check_password(const struct secret *s, const char *user,
    const char *password)
{
	static const uint8_t any_salt[SECRET_SALT_LEN];
	bool has = s->verifier.salt_len > 0, ok;
	char hex[SECRET_MD5_HEX + 1];
	struct scram_verifier v;

	/* Made for MD5 secrets, too: all must take the same time. */
	scram_verifier_derive(slice_str(password),
	    has ? s->verifier.salt : any_salt,
	    has ? s->verifier.salt_len : sizeof(any_salt),
	    has ? s->verifier.iterations : SCRAM_ITER_DEFAULT, &v);
	if (s->kind == SECRET_MD5)
		ok = secret_md5(password, strlen(password), user, strlen(user),
		    hex) && CRYPTO_memcmp(hex, s->md5, SECRET_MD5_HEX) == 0;
	else
		ok = has && CRYPTO_memcmp(v.stored_key, s->verifier.stored_key,
		    SCRAM_KEY_LEN) == 0;
	OPENSSL_cleanse(&v, sizeof(v));
	OPENSSL_cleanse(hex, sizeof(hex));
	return ok && !s->mock;
}
