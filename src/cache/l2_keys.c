/* SPDX-License-Identifier: PostgreSQL
 *
 * Keys that seal entries: read, derived, found.
 *
 * Knows nothing of entries (l2_entry.c) and ciphers (l2_seal.c).  Reading is
 * the control thread's, finding any thread's.
 *
 * Invariants: there is at least one key; no two have the same id.
 */
#include "cache/l2_keys.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 16
#define KEYS_FILE_MAX 16384
#define KEY_DIGITS (2 * L2_KEY_LEN)

struct l2_keys {
	uint32_t magic;
#define L2_KEYS_MAGIC 0x12ce75a1u
	atomic_uint refs;
	unsigned n;
	struct l2_key key[KEYS_MAX];
};

/* HKDF (RFC 5869) of what the line says: key, then id. */
static bool
l2_keys_derive(struct l2_key *k, unsigned char secret[L2_KEY_LEN])
{
	static char digest[] = "SHA256", info[] = "pgsluice L2 entry";
	unsigned char out[L2_KEY_LEN + L2_KEY_ID_LEN];
	EVP_KDF *hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = hkdf != NULL ? EVP_KDF_CTX_new(hkdf) : NULL;
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
		    digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret,
		    L2_KEY_LEN),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info,
		    sizeof(info) - 1),
		OSSL_PARAM_construct_end(),
	};
	bool ok = ctx != NULL &&
	    EVP_KDF_derive(ctx, out, sizeof(out), params) == 1;

	if (ok) {
		memcpy(k->key, out, L2_KEY_LEN);
		memcpy(k->id, out + L2_KEY_LEN, L2_KEY_ID_LEN);
	}
	OPENSSL_cleanse(out, sizeof(out));
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(hkdf);
	return ok;
}

/* One line. NULL, or what is wrong with it; never words of it. */
static const char *
l2_keys_add(struct l2_keys *k, const char *p, size_t n)
{
	unsigned char secret[L2_KEY_LEN];
	const char *wrong = NULL;
	size_t i;

	if (n != KEY_DIGITS)
		return "expected 64 hexadecimal digits (openssl rand -hex 32)";
	if (k->n == KEYS_MAX)
		return "expected at most 16 keys";
	for (i = 0; i < L2_KEY_LEN; i++) {
		int hi = OPENSSL_hexchar2int((unsigned char)p[2 * i]);
		int lo = OPENSSL_hexchar2int((unsigned char)p[2 * i + 1]);

		if (hi < 0 || lo < 0) {
			wrong = "expected hexadecimal digits only";
			break;
		}
		secret[i] = (unsigned char)(hi << 4 | lo);
	}
	if (wrong == NULL && !l2_keys_derive(&k->key[k->n], secret))
		wrong = "the library cannot derive a key (HKDF, SHA256)";
	OPENSSL_cleanse(secret, sizeof(secret));
	if (wrong != NULL)
		return wrong;
	if (l2_keys_find(k, k->key[k->n].id) != NULL)
		return "this key is there twice";
	k->n++;
	return NULL;
}

struct l2_keys *
l2_keys_parse(const char *text, size_t n, const char *what, char *why,
    size_t why_size)
{
	struct l2_keys *k = x_calloc(1, sizeof(*k));
	const char *p = text, *end = text + n, *wrong;
	unsigned line;

	k->magic = L2_KEYS_MAGIC;
	atomic_init(&k->refs, 1);
	for (line = 1; p < end; line++) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((lf != NULL ? lf : end) - p);

		while (len > 0 && (p[len - 1] == '\r' || p[len - 1] == ' ' ||
		    p[len - 1] == '\t'))
			len--;
		wrong = len == 0 || p[0] == '#' ? NULL :
		    l2_keys_add(k, p, len);
		if (wrong != NULL) {
			snprintf(why, why_size, "%s:%u: %s", what, line,
			    wrong);
			l2_keys_unref(&k);
			return NULL;
		}
		p = lf != NULL ? lf + 1 : end;
	}
	if (k->n == 0) {
		snprintf(why, why_size, "%s: there is no key, expected lines "
		    "of 64 hexadecimal digits (openssl rand -hex 32)", what);
		l2_keys_unref(&k);
	}
	return k;
}

struct l2_keys *
l2_keys_load(const char *file, char *why, size_t why_size)
{
	char text[KEYS_FILE_MAX];
	struct l2_keys *k = NULL;
	FILE *f = fopen(file, "re");
	size_t n;

	if (f == NULL) {
		snprintf(why, why_size, "cannot read %s: %s", file,
		    strerror(errno));
		return NULL;
	}
	setvbuf(f, NULL, _IONBF, 0); /* no copy that nobody wipes */
	n = fread(text, 1, sizeof(text), f);
	if (ferror(f) != 0)
		snprintf(why, why_size, "cannot read %s", file);
	else if (n == sizeof(text))
		snprintf(why, why_size, "%s: expected less than %d bytes",
		    file, KEYS_FILE_MAX);
	else
		k = l2_keys_parse(text, n, file, why, why_size);
	OPENSSL_cleanse(text, sizeof(text));
	fclose(f);
	return k;
}

struct l2_keys *
l2_keys_ref(struct l2_keys *k)
{
	if (k == NULL)
		return NULL;
	CHECK_MAGIC(k, L2_KEYS_MAGIC);
	CHECK(atomic_fetch_add_explicit(&k->refs, 1,
	    memory_order_relaxed) > 0);
	return k;
}

void
l2_keys_unref(struct l2_keys **keys)
{
	struct l2_keys *k = *keys;

	*keys = NULL;
	if (k == NULL)
		return;
	CHECK_MAGIC(k, L2_KEYS_MAGIC);
	if (atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) != 1)
		return;
	OPENSSL_cleanse(k, sizeof(*k));
	free(k);
}

const struct l2_key *
l2_keys_first(const struct l2_keys *k)
{
	CHECK_MAGIC(k, L2_KEYS_MAGIC);
	return &k->key[0];
}

const struct l2_key *
l2_keys_find(const struct l2_keys *k, const unsigned char id[L2_KEY_ID_LEN])
{
	unsigned i;

	CHECK_MAGIC(k, L2_KEYS_MAGIC);
	for (i = 0; i < k->n; i++)
		if (memcmp(k->key[i].id, id, L2_KEY_ID_LEN) == 0)
			return &k->key[i];
	return NULL;
}
