/* SPDX-License-Identifier: PostgreSQL
 *
 * Sealing: AES-256-GCM over bytes in place, with other bytes as associated
 * data.
 *
 * Knows nothing of what it seals.  A sealer is one worker's; its cipher
 * context is made once, so that neither sealing nor opening allocates.
 *
 * Layout: id of the key, nonce, the bytes, tag.  A nonce is 16 random bytes,
 * not the usual 12: a fleet seals more than 2^32 entries with one key, and by
 * chance two of 12 bytes would meet.
 */
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "cache/l2_priv.h"

#define SEAL_NONCE (L2_SEAL_HEAD - L2_KEY_ID_LEN)
#define SEAL_MAX ((size_t)1 << 30) /* OpenSSL counts in int */

struct l2_sealer {
	EVP_CIPHER *cipher;
	EVP_CIPHER_CTX *ctx;
	struct l2_keys *keys;
};

struct l2_sealer *
l2_sealer_new(struct l2_keys *keys)
{
	struct l2_sealer *s = x_calloc(1, sizeof(*s));

	s->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	s->ctx = EVP_CIPHER_CTX_new();
	s->keys = l2_keys_ref(keys);
	CHECK(s->cipher != NULL && s->ctx != NULL && keys != NULL);
	/* Once: naming the cipher again would allocate. */
	CHECK(EVP_CipherInit_ex(s->ctx, s->cipher, NULL, NULL, NULL, 1) == 1 &&
	    EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_AEAD_SET_IVLEN, SEAL_NONCE,
	    NULL) == 1);
	return s;
}

void
l2_sealer_free(struct l2_sealer **sealer)
{
	struct l2_sealer *s = *sealer;

	*sealer = NULL;
	if (s == NULL)
		return;
	EVP_CIPHER_CTX_free(s->ctx);
	EVP_CIPHER_free(s->cipher);
	l2_keys_unref(&s->keys);
	free(s);
}

/* Everything up to the tag, in one direction or the other. */
static bool
l2_seal_run(struct l2_sealer *s, const struct l2_key *key, bool sealing,
    const struct slice *with, unsigned n_with, unsigned char *nonce,
    unsigned char *text, size_t n)
{
	unsigned i;
	int out;

	if (n > SEAL_MAX ||
	    EVP_CipherInit_ex(s->ctx, NULL, NULL, key->key, nonce,
	    sealing) != 1)
		return false;
	for (i = 0; i < n_with; i++)
		if (with[i].n > SEAL_MAX || (with[i].n > 0 &&
		    EVP_CipherUpdate(s->ctx, NULL, &out,
		    (const unsigned char *)with[i].p, (int)with[i].n) != 1))
			return false;
	return EVP_CipherUpdate(s->ctx, text, &out, text, (int)n) == 1 &&
	    out == (int)n;
}

bool
l2_seal(struct l2_sealer *s, const struct slice *with, unsigned n_with,
    char *at, size_t n)
{
	const struct l2_key *key = l2_keys_first(s->keys);
	unsigned char *p = (unsigned char *)at, *nonce = p + L2_KEY_ID_LEN;
	unsigned char *text = p + L2_SEAL_HEAD, *tag = text + n;
	int out;

	memcpy(p, key->id, L2_KEY_ID_LEN);
	return RAND_bytes(nonce, SEAL_NONCE) == 1 &&
	    l2_seal_run(s, key, true, with, n_with, nonce, text, n) &&
	    EVP_CipherFinal_ex(s->ctx, tag, &out) == 1 &&
	    EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_AEAD_GET_TAG, L2_SEAL_TAIL,
	    tag) == 1;
}

bool
l2_unseal(struct l2_sealer *s, const struct slice *with, unsigned n_with,
    char *at, size_t n)
{
	unsigned char *p = (unsigned char *)at, *nonce = p + L2_KEY_ID_LEN;
	unsigned char *text = p + L2_SEAL_HEAD, *tag = text + n;
	const struct l2_key *key = l2_keys_find(s->keys, p);
	int out;

	return key != NULL &&
	    l2_seal_run(s, key, false, with, n_with, nonce, text, n) &&
	    EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_AEAD_SET_TAG, L2_SEAL_TAIL,
	    tag) == 1 &&
	    EVP_CipherFinal_ex(s->ctx, tag, &out) == 1;
}
