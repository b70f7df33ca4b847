/* SPDX-License-Identifier: PostgreSQL
 *
 * SCRAM-SHA-256, server side: two messages in, two out, one verdict.
 *
 * Grammar lines of RFC 5802 stand beside the code that reads them; where
 * PostgreSQL is stricter or laxer than the RFC we do as PostgreSQL does (the
 * user name inside the exchange is ignored: the startup packet has named the
 * user), but a mandatory extension ("m=") is refused wherever it stands.
 * Knows nothing of users, files or sockets.  Any thread; an exchange belongs
 * to one.  Invariants: everything copied out of a client's message is bounded
 * by the field it goes to; secrets are compared in constant time and wiped
 * when the exchange ends; a doomed exchange does the same work as a real one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "auth/base64.h"
#include "auth/saslprep.h"
#include "auth/scram.h"

#define SCRAM_MESSAGE_MAX 1024 /* as PostgreSQL's limit for SASL messages */
#define SCRAM_NONCE_RAW 18
#define SCRAM_PLUS_FLAG "p=tls-server-end-point"
#define SCRAM_MOCK_SALT 16 /* what PostgreSQL makes */

/* ------------------------------------------------------------- primitives */

/* out may not be part of the input. */
static void
scram_hmac(const uint8_t key[SCRAM_KEY_LEN], const void *p, size_t n,
    uint8_t out[SCRAM_KEY_LEN])
{
	unsigned len = 0;

	CHECK(HMAC(EVP_sha256(), key, SCRAM_KEY_LEN, p, n, out, &len) != NULL);
	CHECK(len == SCRAM_KEY_LEN);
}

static void
scram_sha256(const uint8_t in[SCRAM_KEY_LEN], uint8_t out[SCRAM_KEY_LEN])
{
	unsigned len = 0;

	CHECK(EVP_Digest(in, SCRAM_KEY_LEN, out, &len, EVP_sha256(), NULL) ==
	    1);
	CHECK(len == SCRAM_KEY_LEN);
}

/* --------------------------------------------------------------- verifier */

/* Cut the text before the first sep off s. false: there is no sep. */
static bool
scram_cut(struct slice *s, char sep, struct slice *part)
{
	const char *end = s->n > 0 ? memchr(s->p, sep, s->n) : NULL;

	if (end == NULL)
		return false;
	*part = slice_make(s->p, (size_t)(end - s->p));
	*s = slice_make(end + 1, s->n - part->n - 1);
	return true;
}

static bool
scram_iterations(struct slice s, uint32_t *iterations)
{
	uint32_t v = 0;

	/* Seven digits hold the maximum and cannot overflow. */
	if (s.n < 1 || s.n > 7)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint32_t)(s.p[i] - '0');
	}
	*iterations = v;
	return v >= SCRAM_ITER_MIN && v <= SCRAM_ITER_MAX;
}

static bool
scram_key_decode(struct slice s, uint8_t key[SCRAM_KEY_LEN])
{
	size_t len;

	return base64_decode(s, key, SCRAM_KEY_LEN, &len) &&
	    len == SCRAM_KEY_LEN;
}

bool
scram_verifier_parse(struct slice text, struct scram_verifier *v)
{
	struct slice scheme, iterations, salt, stored;

	*v = (struct scram_verifier){ 0 };
	if (scram_cut(&text, '$', &scheme) &&
	    slice_eq(scheme, SLICE_LIT("SCRAM-SHA-256")) &&
	    scram_cut(&text, ':', &iterations) &&
	    scram_iterations(iterations, &v->iterations) &&
	    scram_cut(&text, '$', &salt) &&
	    base64_decode(salt, v->salt, sizeof(v->salt), &v->salt_len) &&
	    v->salt_len > 0 && scram_cut(&text, ':', &stored) &&
	    scram_key_decode(stored, v->stored_key) &&
	    scram_key_decode(text, v->server_key))
		return true;
	OPENSSL_cleanse(v, sizeof(*v));
	return false;
}

void
scram_verifier_derive(struct slice password, const uint8_t *salt,
    size_t salt_len, uint32_t iterations, struct scram_verifier *v)
{
	uint8_t salted[SCRAM_KEY_LEN], client_key[SCRAM_KEY_LEN];
	char *prepared = saslprep(password);

	if (prepared != NULL)
		password = slice_str(prepared);
	CHECK(salt_len > 0 && salt_len <= sizeof(v->salt));
	CHECK(iterations >= SCRAM_ITER_MIN && iterations <= SCRAM_ITER_MAX);
	CHECK(password.n <= INT32_MAX);
	*v = (struct scram_verifier){ .iterations = iterations,
		.salt_len = salt_len };
	memcpy(v->salt, salt, salt_len);
	CHECK(PKCS5_PBKDF2_HMAC(password.n > 0 ? password.p : "",
	    (int)password.n, salt, (int)salt_len, (int)iterations,
	    EVP_sha256(), SCRAM_KEY_LEN, salted) == 1);
	scram_hmac(salted, "Client Key", 10, client_key);
	scram_sha256(client_key, v->stored_key);
	scram_hmac(salted, "Server Key", 10, v->server_key);
	if (prepared != NULL)
		OPENSSL_cleanse(prepared, strlen(prepared));
	free(prepared);
	OPENSSL_cleanse(salted, sizeof(salted));
	OPENSSL_cleanse(client_key, sizeof(client_key));
}

/* One of the values of a user that does not exist: an HMAC under the process
 * secret, told apart by a label so that the salt that everybody sees says
 * nothing about the keys. */
static void
scram_mock_value(const uint8_t *secret, char label, const uint8_t user[],
    uint8_t out[SCRAM_KEY_LEN])
{
	uint8_t in[1 + SCRAM_KEY_LEN];

	in[0] = (uint8_t)label;
	memcpy(in + 1, user, SCRAM_KEY_LEN);
	scram_hmac(secret, in, sizeof(in), out);
}

void
scram_verifier_mock(const char *user, const uint8_t *secret,
    struct scram_verifier *v)
{
	uint8_t id[SCRAM_KEY_LEN], salt[SCRAM_KEY_LEN];

	*v = (struct scram_verifier){ .iterations = SCRAM_ITER_DEFAULT,
		.salt_len = SCRAM_MOCK_SALT };
	scram_hmac(secret, user, strlen(user), id);
	scram_mock_value(secret, 's', id, salt);
	memcpy(v->salt, salt, SCRAM_MOCK_SALT);
	scram_mock_value(secret, 'c', id, v->stored_key);
	scram_mock_value(secret, 'k', id, v->server_key);
	OPENSSL_cleanse(id, sizeof(id));
}

/* --------------------------------------------------------------- grammar */

static bool
scram_bad(struct scram *s, const char *why)
{
	s->why = why;
	return false;
}

static bool
scram_is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* attr-val = ALPHA "=" value.  Reads one, with the comma after it. */
static bool
scram_attr(struct scram *s, struct slice *in, char *attr, struct slice *value)
{
	struct slice rest;

	if (in->n < 2 || !scram_is_letter(in->p[0]) || in->p[1] != '=')
		return scram_bad(s, "attribute expected");
	*attr = in->p[0];
	if (*attr == 'm')
		return scram_bad(s, "unsupported mandatory extension");
	rest = slice_make(in->p + 2, in->n - 2);
	if (!scram_cut(&rest, ',', value)) {
		*value = rest;
		rest = slice_make(in->p + in->n, 0);
	}
	*in = rest;
	return true;
}

static bool
scram_attr_named(struct scram *s, struct slice *in, char name,
    struct slice *value)
{
	char attr;

	if (!scram_attr(s, in, &attr, value))
		return false;
	return attr == name || scram_bad(s, "attributes out of order");
}

/* printable = %x21-2B / %x2D-7E; the comma cannot come here. */
static bool
scram_is_printable(struct slice v)
{
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < 0x21 || v.p[i] > 0x7e)
			return false;
	}
	return v.n > 0;
}

/* c= is to be the header as it came, and the binding data. */
static void
scram_bind(struct scram *s, struct slice header)
{
	uint8_t in[sizeof(SCRAM_PLUS_FLAG) + 2 + SCRAM_BIND_MAX];
	size_t n = header.n;

	memcpy(in, header.p, n);
	if (s->plus) {
		memcpy(in + n, s->bind, s->bind_n);
		n += s->bind_n;
	}
	CHECK(BASE64_LEN(n) < sizeof(s->gs2));
	base64_encode(in, n, s->gs2);
}

/* gs2-header = gs2-cbind-flag "," [ authzid ] "," */
static bool
scram_gs2(struct scram *s, struct slice *in)
{
	const char *p = in->p;
	size_t n = 1;

	if (p[0] != 'p' && p[0] != 'n' && p[0] != 'y')
		return scram_bad(s, "unknown channel binding flag");
	if (p[0] == 'p' && !s->plus)
		return scram_bad(s, "channel binding was not offered");
	if (p[0] != 'p' && s->plus)
		return scram_bad(s, "channel binding expected");
	if (p[0] == 'y' && s->bind_n > 0)
		return scram_bad(s, "client believes that channel binding is "
		    "not offered, but it is");
	if (s->plus) {
		n = sizeof(SCRAM_PLUS_FLAG) - 1;
		if (in->n < n || memcmp(p, SCRAM_PLUS_FLAG, n) != 0)
			return scram_bad(s, "unsupported channel binding type");
	}
	if (in->n < n + 1 || p[n] != ',')
		return scram_bad(s, "comma expected");
	if (in->n > n + 1 && p[n + 1] == 'a')
		return scram_bad(s, "authorization identity");
	if (in->n < n + 2 || p[n + 1] != ',')
		return scram_bad(s, "comma expected");
	scram_bind(s, slice_make(p, n + 2));
	*in = slice_make(p + n + 2, in->n - n - 2);
	return true;
}

/* client-first-message-bare = [reserved-mext ","] username "," nonce
 *     ["," extensions] */
static bool
scram_read_first(struct scram *s, struct slice in)
{
	struct slice user, nonce, value;
	size_t room = sizeof(s->nonce) - 1 - BASE64_LEN(SCRAM_NONCE_RAW);
	char attr;

	if (!scram_gs2(s, &in))
		return false;
	if (in.n >= sizeof(s->first_bare))
		return scram_bad(s, "message too long");
	memcpy(s->first_bare, in.p, in.n);
	s->first_bare[in.n] = '\0';
	if (!scram_attr_named(s, &in, 'n', &user) ||
	    !scram_attr_named(s, &in, 'r', &nonce))
		return false;
	if (!scram_is_printable(nonce))
		return scram_bad(s, "nonce empty or not printable");
	if (nonce.n > room)
		return scram_bad(s, "nonce too long");
	while (in.n > 0) {
		if (!scram_attr(s, &in, &attr, &value))
			return false;
	}
	memcpy(s->nonce, nonce.p, nonce.n);
	s->nonce[nonce.n] = '\0';
	return true;
}

/* client-final-message = channel-binding "," nonce ["," extensions] ","
 *     proof.  without: the text before ",p=". */
static bool
scram_read_final(struct scram *s, struct slice in, struct slice *without,
    uint8_t proof[SCRAM_KEY_LEN])
{
	const char *start = in.p;
	struct slice value;
	char attr;

	if (!scram_attr_named(s, &in, 'c', &value))
		return false;
	if (!slice_eq_str(value, s->gs2))
		return scram_bad(s, "channel binding does not match");
	if (!scram_attr_named(s, &in, 'r', &value))
		return false;
	if (!slice_eq_str(value, s->nonce))
		return scram_bad(s, "nonce does not match");
	do {
		/* in.p is one past the comma: a client's message has one
		 * before every attribute but the first. */
		*without = slice_make(start, (size_t)(in.p - start) - 1);
		if (!scram_attr(s, &in, &attr, &value))
			return false;
	} while (attr != 'p');
	if (value.p + value.n != in.p)
		return scram_bad(s, "text after the proof");
	if (!scram_key_decode(value, proof))
		return scram_bad(s, "malformed proof");
	return true;
}

/* --------------------------------------------------------------- exchange */

void
scram_init(struct scram *s, const struct scram_verifier *v, bool doomed)
{
	*s = (struct scram){ .verifier = *v, .doomed = doomed, .why = "" };
}

void
scram_offer_plus(struct scram *s, const uint8_t *data, size_t n)
{
	CHECK(n > 0 && n <= sizeof(s->bind));
	memcpy(s->bind, data, n);
	s->bind_n = n;
}

struct slice
scram_mechanisms(const struct scram *s)
{
	static const char both[] = "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0";
	size_t plain = s->bind_n > 0 ? 0 : sizeof("SCRAM-SHA-256-PLUS");

	return slice_make(both + plain, sizeof(both) - plain);
}

bool
scram_choose(struct scram *s, struct slice mechanism)
{
	s->plus = s->bind_n > 0 &&
	    slice_eq_str(mechanism, "SCRAM-SHA-256-PLUS");
	return s->plus || slice_eq_str(mechanism, "SCRAM-SHA-256");
}

void
scram_fini(struct scram *s)
{
	const char *why = s->why;

	OPENSSL_cleanse(s, sizeof(*s));
	s->state = SCRAM_ST_DONE;
	s->why = why;
}

const char *
scram_why(const struct scram *s)
{
	return s->why;
}

static enum scram_result
scram_first(struct scram *s, struct slice in, const uint8_t *nonce18,
    char *out, size_t *out_len)
{
	char salt[BASE64_LEN(SCRAM_SALT_MAX) + 1];
	int n;

	if (in.p == NULL && !s->asked) {
		s->asked = true;
		return SCRAM_CONTINUE;
	}
	if (in.n == 0) {
		s->why = "empty message";
		return SCRAM_MALFORMED;
	}
	if (!scram_read_first(s, in))
		return SCRAM_MALFORMED;
	base64_encode(nonce18, SCRAM_NONCE_RAW, s->nonce + strlen(s->nonce));
	base64_encode(s->verifier.salt, s->verifier.salt_len, salt);
	/* server-first-message = nonce "," salt "," iteration-count */
	n = snprintf(s->server_first, sizeof(s->server_first),
	    "r=%s,s=%s,i=%u", s->nonce, salt, s->verifier.iterations);
	CHECK(n > 0 && (size_t)n < sizeof(s->server_first));
	memcpy(out, s->server_first, (size_t)n);
	*out_len = (size_t)n;
	s->state = SCRAM_ST_FINAL;
	return SCRAM_CONTINUE;
}

/* The proof is the client key under a mask that only the holder of the stored
 * key can compute; the key's hash must be the stored key. */
static bool
scram_proof_ok(struct scram *s, const char *text, size_t n,
    const uint8_t proof[SCRAM_KEY_LEN])
{
	uint8_t mask[SCRAM_KEY_LEN], *key = s->keys.client_key;
	uint8_t hash[SCRAM_KEY_LEN];
	bool same;

	scram_hmac(s->verifier.stored_key, text, n, mask);
	for (size_t i = 0; i < SCRAM_KEY_LEN; i++)
		key[i] = proof[i] ^ mask[i];
	scram_sha256(key, hash);
	same = CRYPTO_memcmp(hash, s->verifier.stored_key, SCRAM_KEY_LEN) == 0;
	OPENSSL_cleanse(mask, sizeof(mask));
	return same;
}

static enum scram_result
scram_final(struct scram *s, struct slice in, char *out, size_t *out_len)
{
	/* AuthMessage = client-first-message-bare "," server-first-message
	 *     "," client-final-message-without-proof */
	char text[sizeof(s->first_bare) + sizeof(s->server_first) +
	    SCRAM_MESSAGE_MAX];
	uint8_t proof[SCRAM_KEY_LEN], signature[SCRAM_KEY_LEN];
	struct slice without;
	int n;
	bool ok;

	if (!scram_read_final(s, in, &without, proof))
		return SCRAM_MALFORMED;
	n = snprintf(text, sizeof(text), "%s,%s,%.*s", s->first_bare,
	    s->server_first, (int)without.n, without.p);
	CHECK(n > 0 && (size_t)n < sizeof(text));
	ok = scram_proof_ok(s, text, (size_t)n, proof);
	scram_hmac(s->verifier.server_key, text, (size_t)n, signature);
	OPENSSL_cleanse(text, sizeof(text));
	OPENSSL_cleanse(proof, sizeof(proof));
	if (s->doomed || !ok)
		return SCRAM_FAILED;
	memcpy(s->keys.server_key, s->verifier.server_key, SCRAM_KEY_LEN);
	memcpy(out, "v=", 2);
	base64_encode(signature, sizeof(signature), out + 2);
	*out_len = 2 + BASE64_LEN(SCRAM_KEY_LEN);
	return SCRAM_OK;
}

enum scram_result
scram_step(struct scram *s, struct slice in, const uint8_t nonce18[18],
    char *out, size_t *out_len)
{
	enum scram_result result = SCRAM_MALFORMED;
	struct scram_keys keys = { .client_key = { 0 } };

	*out_len = 0;
	if (s->state == SCRAM_ST_DONE)
		s->why = "message after the end";
	else if (in.n > SCRAM_MESSAGE_MAX)
		s->why = "message too long";
	else if (in.n > 0 && memchr(in.p, '\0', in.n) != NULL)
		s->why = "zero byte in message";
	else if (s->state == SCRAM_ST_FIRST)
		result = scram_first(s, in, nonce18, out, out_len);
	else
		result = scram_final(s, in, out, out_len);
	if (result == SCRAM_CONTINUE)
		return result;
	if (result == SCRAM_OK)
		keys = s->keys;
	scram_fini(s);
	s->keys = keys;
	OPENSSL_cleanse(&keys, sizeof(keys));
	return result;
}
