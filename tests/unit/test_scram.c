/* SPDX-License-Identifier: PostgreSQL
 *
 * SCRAM-SHA-256, server side, against a client of this test's own, the vector
 * of RFC 7677 and verifiers that PostgreSQL made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "auth/base64.h"
#include "auth/scram.h"

/* pg_authid.rolpassword on PostgreSQL 15 */
#define PG_ASCII_PASSWORD "correct horse"
#define PG_ASCII "SCRAM-SHA-256$4096:HQYV32skBZQ5eSJFCgoQwg==" \
	"$baF7wY02eIR6QunwMUj48++5nzQawJ8z0ze6acKEBuQ=" \
	":XN7O2nk4ODNIH8xyQaXAvyB4CInboLwCGfFrk2HzuE4="
#define PG_UTF8_PASSWORD "p\xc3\xa4ssw\xc3\xb6rd"
#define PG_UTF8 "SCRAM-SHA-256$4096:1FyMm2k4d2vT+rF41SmgjA==" \
	"$LQY/uVPBrb6m840o+4xdvf2R++DRzRHl2z4YsAPzUtQ=" \
	":QEurScNyTeJkhRj/9oqAK2NBl/k15Q52VWkAkMWnJPE="

static const uint8_t nonce18[18] = "our random bytes!";

static struct scram_verifier
verifier(const char *text)
{
	struct scram_verifier v;

	assert_true(scram_verifier_parse(slice_str(text), &v));
	return v;
}

/* ------------------------------------------------------------- the client */

struct client {
	const char *gs2;     /* "n,," */
	const char *bare;    /* "n=,r=..." */
	char nonce[256], server_first[512], without[512];
	uint8_t salt[64], salted[32];
	size_t salt_len;
	int iterations;
};

static void
hmac(const uint8_t *key, const char *text, uint8_t out[32])
{
	unsigned len;

	assert_non_null(HMAC(EVP_sha256(), key, 32, (const uint8_t *)text,
	    strlen(text), out, &len));
	assert_int_equal(len, 32);
}

/* Take r=,s=,i= apart. */
static void
client_read_first(struct client *c, const char *p, size_t n)
{
	char salt[128];

	assert_true(n < sizeof(c->server_first));
	memcpy(c->server_first, p, n);
	c->server_first[n] = '\0';
	assert_int_equal(sscanf(c->server_first, "r=%255[^,],s=%127[^,],i=%d",
	    c->nonce, salt, &c->iterations), 3);
	assert_true(base64_decode(slice_str(salt), c->salt, sizeof(c->salt),
	    &c->salt_len));
}

/* Write the final message; c= and r= as given, or the right ones for NULL. */
static void
client_final(struct client *c, const char *password, const char *cbind,
    const char *nonce, const char *extra, char *out, size_t size)
{
	uint8_t client_key[32], stored[32], mask[32], proof[32];
	char coded[64], auth[2048], gs2[64];
	unsigned len;

	base64_encode((const uint8_t *)c->gs2, strlen(c->gs2), gs2);
	snprintf(c->without, sizeof(c->without), "c=%s,r=%s%s",
	    cbind != NULL ? cbind : gs2, nonce != NULL ? nonce : c->nonce,
	    extra);
	snprintf(auth, sizeof(auth), "%s,%s,%s", c->bare, c->server_first,
	    c->without);
	assert_int_equal(PKCS5_PBKDF2_HMAC(password, (int)strlen(password),
	    c->salt, (int)c->salt_len, c->iterations, EVP_sha256(), 32,
	    c->salted), 1);
	hmac(c->salted, "Client Key", client_key);
	assert_int_equal(EVP_Digest(client_key, 32, stored, &len,
	    EVP_sha256(), NULL), 1);
	hmac(stored, auth, mask);
	for (int i = 0; i < 32; i++)
		proof[i] = client_key[i] ^ mask[i];
	base64_encode(proof, 32, coded);
	snprintf(out, size, "%s,p=%s", c->without, coded);
}

/* Does the server's last message prove that it holds the verifier? */
static void
client_check_server(struct client *c, const char *p, size_t n)
{
	uint8_t server_key[32], signature[32];
	char auth[2048], expect[64] = "v=";

	snprintf(auth, sizeof(auth), "%s,%s,%s", c->bare, c->server_first,
	    c->without);
	hmac(c->salted, "Server Key", server_key);
	hmac(server_key, auth, signature);
	base64_encode(signature, 32, expect + 2);
	assert_int_equal(n, strlen(expect));
	assert_memory_equal(p, expect, n);
}

/* What the server is left with. */
static void
client_keys(const struct client *c, struct scram_keys *keys)
{
	hmac(c->salted, "Client Key", keys->client_key);
	hmac(c->salted, "Server Key", keys->server_key);
}

/* Send the first message of c and read the answer. */
static void
start(struct scram *s, struct client *c)
{
	char out[512], first[600];
	size_t n;

	snprintf(first, sizeof(first), "%s%s", c->gs2, c->bare);
	assert_int_equal(scram_step(s, slice_str(first), nonce18, out, &n),
	    SCRAM_CONTINUE);
	client_read_first(c, out, n);
}

static enum scram_result
login(const struct scram_verifier *v, bool doomed, const char *gs2,
    const char *bare, const char *password, const char *extra)
{
	struct client c = { .gs2 = gs2, .bare = bare };
	enum scram_result result;
	struct scram s;
	char out[512], final[600];
	size_t n;

	scram_init(&s, v, doomed);
	start(&s, &c);
	client_final(&c, password, NULL, NULL, extra, final, sizeof(final));
	result = scram_step(&s, slice_str(final), nonce18, out, &n);
	if (result == SCRAM_OK)
		client_check_server(&c, out, n);
	else
		assert_int_equal(n, 0);
	scram_fini(&s);
	return result;
}

/* --------------------------------------------------------------- verifiers */

static void
test_verifier_parse(void **state PG_UNUSED)
{
	struct scram_verifier v = verifier(PG_ASCII), d;

	assert_int_equal(v.iterations, 4096);
	assert_int_equal(v.salt_len, 16);
	scram_verifier_derive(slice_str(PG_ASCII_PASSWORD), v.salt,
	    v.salt_len, v.iterations, &d);
	assert_memory_equal(&v, &d, sizeof(v));
	v = verifier(PG_UTF8);
	scram_verifier_derive(slice_str(PG_UTF8_PASSWORD), v.salt,
	    v.salt_len, v.iterations, &d);
	assert_memory_equal(&v, &d, sizeof(v));
}

#define SALT "HQYV32skBZQ5eSJFCgoQwg=="
#define KEY "baF7wY02eIR6QunwMUj48++5nzQawJ8z0ze6acKEBuQ="
#define SALT64 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAA=="

static void
test_verifier_bounds(void **state PG_UNUSED)
{
	static const char *const good[] = {
		"SCRAM-SHA-256$1:" SALT "$" KEY ":" KEY,
		"SCRAM-SHA-256$1000000:" SALT "$" KEY ":" KEY,
		"SCRAM-SHA-256$4096:AA==$" KEY ":" KEY,
		"SCRAM-SHA-256$4096:" SALT64 "$" KEY ":" KEY,
	};
	static const char *const bad[] = {
		"",
		"md5a6343a68d964ca596d9752250d54bb8a",
		"SCRAM-SHA-256",
		"SCRAM-SHA-256$",
		"SCRAM-SHA-1$4096:" SALT "$" KEY ":" KEY,
		"scram-sha-256$4096:" SALT "$" KEY ":" KEY,
		" SCRAM-SHA-256$4096:" SALT "$" KEY ":" KEY,
		"SCRAM-SHA-256$0:" SALT "$" KEY ":" KEY,
		"SCRAM-SHA-256$-1:" SALT "$" KEY ":" KEY,
		"SCRAM-SHA-256$+1:" SALT "$" KEY ":" KEY,
		"SCRAM-SHA-256$:" SALT "$" KEY ":" KEY,
		"SCRAM-SHA-256$1000001:" SALT "$" KEY ":" KEY,
		"SCRAM-SHA-256$2147483648:" SALT "$" KEY ":" KEY,
		"SCRAM-SHA-256$4294967297:" SALT "$" KEY ":" KEY,
		"SCRAM-SHA-256$4096x:" SALT "$" KEY ":" KEY,
		"SCRAM-SHA-256$4096:$" KEY ":" KEY,
		"SCRAM-SHA-256$4096:***$" KEY ":" KEY,
		"SCRAM-SHA-256$4096:AAAA" SALT64 "$" KEY ":" KEY,
		"SCRAM-SHA-256$4096:" SALT ":" KEY ":" KEY,
		"SCRAM-SHA-256$4096:" SALT "$" KEY,
		"SCRAM-SHA-256$4096:" SALT "$" KEY ":",
		"SCRAM-SHA-256$4096:" SALT "$:" KEY,
		"SCRAM-SHA-256$4096:" SALT "$" SALT ":" KEY,
		"SCRAM-SHA-256$4096:" SALT "$" KEY ":" SALT,
		"SCRAM-SHA-256$4096:" SALT "$" KEY ":" KEY "\n",
		"SCRAM-SHA-256$4096:" SALT "$" KEY ":" KEY ":" KEY,
	};
	struct scram_verifier v;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(scram_verifier_parse(slice_str(good[i]), &v));
	assert_int_equal(v.salt_len, SCRAM_SALT_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		static const struct scram_verifier zero;

		if (scram_verifier_parse(slice_str(bad[i]), &v))
			fail_msg("taken: %s", bad[i]);
		assert_memory_equal(&v, &zero, sizeof(v));
	}
	for (size_t n = 0; n < strlen(PG_ASCII); n++)
		assert_false(scram_verifier_parse(slice_make(PG_ASCII, n),
		    &v));
}

static void
test_mock(void **state PG_UNUSED)
{
	uint8_t secret[32] = "process secret", other[32] = "another";
	struct scram_verifier a, b, c, d;

	scram_verifier_mock("bob", secret, &a);
	scram_verifier_mock("bob", secret, &b);
	scram_verifier_mock("bob2", secret, &c);
	scram_verifier_mock("bob", other, &d);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_memory_not_equal(a.salt, c.salt, 16);
	assert_memory_not_equal(a.salt, d.salt, 16);
	assert_memory_not_equal(a.stored_key, c.stored_key, 32);
	assert_memory_not_equal(a.stored_key, d.stored_key, 32);
	assert_memory_not_equal(a.stored_key, a.server_key, 32);
	assert_memory_not_equal(a.stored_key, a.salt, 16);
	/* looks like what PostgreSQL makes */
	assert_int_equal(a.iterations, 4096);
	assert_int_equal(a.salt_len, 16);
	scram_verifier_mock("", secret, &a);
	assert_int_equal(a.salt_len, 16);
}

/* ------------------------------------------------------------------ vector */

/* RFC 7677, section 3.  The server's part of the nonce there is no base64 of
 * 18 bytes, so the exchange is put into the state after the first step. */
#define RFC_BARE "n=user,r=rOprNGfwEbeRWgbNEkqO"
#define RFC_NONCE "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define RFC_FIRST "r=" RFC_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define RFC_FINAL "c=biws,r=" RFC_NONCE \
	",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define RFC_SERVER "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
#define RFC_VERIFIER "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==" \
	"$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=" \
	":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static void
test_rfc7677(void **state PG_UNUSED)
{
	struct scram_verifier v = verifier(RFC_VERIFIER), d;
	struct scram s;
	char out[512];
	size_t n;

	scram_verifier_derive(SLICE_LIT("pencil"), v.salt, v.salt_len, 4096,
	    &d);
	assert_memory_equal(&v, &d, sizeof(v));
	scram_init(&s, &v, false);
	s.state = SCRAM_ST_FINAL;
	strcpy(s.gs2, "biws");
	strcpy(s.nonce, RFC_NONCE);
	strcpy(s.first_bare, RFC_BARE);
	strcpy(s.server_first, RFC_FIRST);
	assert_int_equal(scram_step(&s, SLICE_LIT(RFC_FINAL), nonce18, out,
	    &n), SCRAM_OK);
	assert_int_equal(n, strlen(RFC_SERVER));
	assert_memory_equal(out, RFC_SERVER, n);
	scram_fini(&s);
}

/* ------------------------------------------------------------------ logins */

static void
test_login(void **state PG_UNUSED)
{
	static const char *const firsts[] = { "n=,r=abc", "n=alice,r=abc",
		"n=someone else,r=abc", "n==2C=3D,r=a=b+/", "n=,r=abc,x=y",
		"n=,r=abc,x=,z=1", "n=,r=abc," };
	struct scram_verifier v = verifier(PG_ASCII);
	struct scram_verifier u = verifier(PG_UTF8);

	for (size_t i = 0; i < ARRAY_SIZE(firsts); i++) {
		assert_int_equal(login(&v, false, "n,,", firsts[i],
		    PG_ASCII_PASSWORD, ""), SCRAM_OK);
		assert_int_equal(login(&v, false, "y,,", firsts[i],
		    PG_ASCII_PASSWORD, ""), SCRAM_OK);
		assert_int_equal(login(&v, false, "n,,", firsts[i],
		    "correct Horse", ""), SCRAM_FAILED);
	}
	assert_int_equal(login(&v, false, "n,,", "n=,r=a", PG_ASCII_PASSWORD,
	    ",x=optional"), SCRAM_OK);
	assert_int_equal(login(&v, false, "n,,", "n=,r=a", "", ""),
	    SCRAM_FAILED);
	assert_int_equal(login(&u, false, "n,,", "n=,r=a", PG_UTF8_PASSWORD,
	    ""), SCRAM_OK);
}

static void
test_unknown_user(void **state PG_UNUSED)
{
	struct scram_verifier v = verifier(PG_ASCII), mock;
	uint8_t secret[32] = "process secret";

	scram_verifier_mock("nobody", secret, &mock);
	assert_int_equal(login(&mock, true, "n,,", "n=,r=abc", "x", ""),
	    SCRAM_FAILED);
	assert_int_equal(login(&mock, true, "n,,", "n=,r=abc", "", ""),
	    SCRAM_FAILED);
	/* doomed stays doomed, whatever the verifier is */
	assert_int_equal(login(&v, true, "n,,", "n=,r=abc",
	    PG_ASCII_PASSWORD, ""), SCRAM_FAILED);
}

static void
test_empty_password(void **state PG_UNUSED)
{
	struct scram_verifier v;

	scram_verifier_derive(slice_make(NULL, 0), (const uint8_t *)"salt", 4,
	    1, &v);
	assert_int_equal(login(&v, false, "n,,", "n=,r=abc", "", ""),
	    SCRAM_OK);
	assert_int_equal(login(&v, false, "n,,", "n=,r=abc", "x", ""),
	    SCRAM_FAILED);
}

static void
test_largest(void **state PG_UNUSED)
{
	char bare[600], salt[SCRAM_SALT_MAX];
	struct scram_verifier v;

	memset(salt, 0xff, sizeof(salt));
	scram_verifier_derive(SLICE_LIT("x"), (const uint8_t *)salt,
	    sizeof(salt), 1, &v);
	v.iterations = SCRAM_ITER_MAX;
	memset(bare, 'r', sizeof(bare));
	memcpy(bare, "n=,r=", 5);
	bare[5 + 103] = '\0'; /* 127 less our 24 */
	{
		struct client c = { .gs2 = "n,,", .bare = bare };
		struct scram s;

		scram_init(&s, &v, false);
		start(&s, &c);
		assert_int_equal(strlen(c.nonce), 127);
		assert_int_equal(c.iterations, SCRAM_ITER_MAX);
		assert_int_equal(c.salt_len, SCRAM_SALT_MAX);
		scram_fini(&s);
	}
}

static void
test_no_initial_response(void **state PG_UNUSED)
{
	struct scram_verifier v = verifier(PG_ASCII);
	struct client c = { .gs2 = "n,,", .bare = "n=,r=abc" };
	char out[512], final[600];
	struct scram s;
	size_t n;

	scram_init(&s, &v, false);
	assert_int_equal(scram_step(&s, slice_make(NULL, 0), nonce18, out,
	    &n), SCRAM_CONTINUE);
	assert_int_equal(n, 0);
	start(&s, &c);
	client_final(&c, PG_ASCII_PASSWORD, NULL, NULL, "", final,
	    sizeof(final));
	assert_int_equal(scram_step(&s, slice_str(final), nonce18, out, &n),
	    SCRAM_OK);
	scram_fini(&s);
	/* once */
	scram_init(&s, &v, false);
	assert_int_equal(scram_step(&s, slice_make(NULL, 0), nonce18, out,
	    &n), SCRAM_CONTINUE);
	assert_int_equal(scram_step(&s, slice_make(NULL, 0), nonce18, out,
	    &n), SCRAM_MALFORMED);
	scram_fini(&s);
}

/* --------------------------------------------------------------- malformed */

/* The exchange is over, tells why, and holds nothing any more, but the keys if
 * it went well. */
static void
assert_wiped_but_keys(const struct scram *s, const struct scram_keys *keys)
{
	struct scram over;

	memset(&over, 0, sizeof(over));
	over.state = SCRAM_ST_DONE;
	over.why = s->why;
	over.keys = *keys;
	assert_memory_equal(s, &over, sizeof(over));
}

static void
assert_wiped(const struct scram *s)
{
	static const struct scram_keys none;

	assert_wiped_but_keys(s, &none);
}

static void
refuse_first(struct slice first, const char *why)
{
	struct scram_verifier v = verifier(PG_ASCII);
	struct scram s;
	char out[512];
	size_t n = 99;

	scram_init(&s, &v, false);
	if (scram_step(&s, first, nonce18, out, &n) != SCRAM_MALFORMED)
		fail_msg("taken: %.*s", (int)first.n, first.p);
	assert_int_equal(n, 0);
	assert_string_equal(scram_why(&s), why);
	assert_wiped(&s);
	/* and stays so */
	assert_int_equal(scram_step(&s, SLICE_LIT("n,,n=,r=abc"), nonce18,
	    out, &n), SCRAM_MALFORMED);
	assert_string_equal(scram_why(&s), "message after the end");
	scram_fini(&s);
}

/* ---- channel binding ---- */

#define PLUS "p=tls-server-end-point,,"

static const uint8_t binding[] = "thirty-two bytes of a certificate";

/* The c= of a client that binds to these bytes. */
static const char *
bound(const uint8_t *data, size_t n)
{
	static char text[256];
	uint8_t in[128];

	memcpy(in, PLUS, sizeof(PLUS) - 1);
	memcpy(in + sizeof(PLUS) - 1, data, n);
	base64_encode(in, sizeof(PLUS) - 1 + n, text);
	return text;
}

static enum scram_result
login_plus(const char *mechanism, const char *gs2, const char *cbind,
    const char **why)
{
	struct scram_verifier v = verifier(PG_ASCII);
	struct client c = { .gs2 = gs2, .bare = "n=,r=abc" };
	char out[512], text[600];
	enum scram_result r;
	struct scram s;
	size_t n;

	scram_init(&s, &v, false);
	scram_offer_plus(&s, binding, sizeof(binding));
	assert_int_equal(scram_mechanisms(&s).n, 34);
	assert_true(scram_choose(&s, slice_str(mechanism)));
	snprintf(text, sizeof(text), "%s%s", gs2, c.bare);
	r = scram_step(&s, slice_str(text), nonce18, out, &n);
	if (r == SCRAM_CONTINUE) {
		client_read_first(&c, out, n);
		client_final(&c, PG_ASCII_PASSWORD, cbind, NULL, "", text,
		    sizeof(text));
		r = scram_step(&s, slice_str(text), nonce18, out, &n);
	}
	*why = scram_why(&s);
	scram_fini(&s);
	return r;
}

static void
test_channel_binding(void **state PG_UNUSED)
{
	static const char plain[] = "SCRAM-SHA-256";
	static const char plus[] = "SCRAM-SHA-256-PLUS";
	uint8_t other[sizeof(binding)];
	const char *why;

	memcpy(other, binding, sizeof(other));
	other[0] ^= 1;
	assert_int_equal(login_plus(plus, PLUS, bound(binding,
	    sizeof(binding)), &why), SCRAM_OK);
	/* Another certificate: somebody is in between. */
	assert_int_equal(login_plus(plus, PLUS, bound(other, sizeof(other)),
	    &why), SCRAM_MALFORMED);
	assert_string_equal(why, "channel binding does not match");
	assert_int_equal(login_plus(plus, PLUS, NULL, &why), SCRAM_MALFORMED);
	/* No way down from what both can do. */
	assert_int_equal(login_plus(plain, "y,,", NULL, &why),
	    SCRAM_MALFORMED);
	assert_non_null(strstr(why, "believes"));
	assert_int_equal(login_plus(plus, "n,,", NULL, &why), SCRAM_MALFORMED);
	assert_int_equal(login_plus(plus, "y,,", NULL, &why), SCRAM_MALFORMED);
	assert_int_equal(login_plus(plain, PLUS, NULL, &why),
	    SCRAM_MALFORMED);
	assert_int_equal(login_plus(plus, "p=tls-unique,,", NULL, &why),
	    SCRAM_MALFORMED);
	assert_string_equal(why, "unsupported channel binding type");
	/* A client that cannot may still log in. */
	assert_int_equal(login_plus(plain, "n,,", NULL, &why), SCRAM_OK);
}

static void
test_mechanisms(void **state PG_UNUSED)
{
	struct scram_verifier v = verifier(PG_ASCII);
	struct scram s;

	scram_init(&s, &v, false);
	assert_memory_equal(scram_mechanisms(&s).p, "SCRAM-SHA-256\0", 15);
	assert_int_equal(scram_mechanisms(&s).n, 15);
	assert_false(scram_choose(&s, slice_str("SCRAM-SHA-256-PLUS")));
	assert_false(scram_choose(&s, slice_str("SCRAM-SHA-1")));
	assert_false(scram_choose(&s, slice_str("")));
	assert_true(scram_choose(&s, slice_str("SCRAM-SHA-256")));
	scram_fini(&s);
}

static void
test_malformed_first(void **state PG_UNUSED)
{
	static const char *const rows[][2] = {
		{ "", "empty message" },
		{ "p=tls-server-end-point,,n=,r=abc",
		    "channel binding was not offered" },
		{ "p", "channel binding was not offered" },
		{ "x,,n=,r=abc", "unknown channel binding flag" },
		{ ",,n=,r=abc", "unknown channel binding flag" },
		{ "N,,n=,r=abc", "unknown channel binding flag" },
		{ "n", "comma expected" },
		{ "n,", "comma expected" },
		{ "nn,,n=,r=abc", "comma expected" },
		{ "n,x,n=,r=abc", "comma expected" },
		{ "n,a=bob,n=,r=abc", "authorization identity" },
		{ "n,a", "authorization identity" },
		{ "n,,", "attribute expected" },
		{ "n,,n", "attribute expected" },
		{ "n,,nr=abc", "attribute expected" },
		{ "n,,n=", "attribute expected" },
		{ "n,,n=bob", "attribute expected" },
		{ "n,,n=bob,", "attribute expected" },
		{ "n,,n=bob,r", "attribute expected" },
		{ "n,,1=bob,r=abc", "attribute expected" },
		{ "n,,n=bob,,r=abc", "attribute expected" },
		{ "n,,r=abc,n=bob", "attributes out of order" },
		{ "n,,n=bob,x=1,r=abc", "attributes out of order" },
		{ "n,,x=1,n=bob,r=abc", "attributes out of order" },
		{ "n,,m=ext,n=bob,r=abc", "unsupported mandatory extension" },
		{ "n,,n=bob,m=ext,r=abc", "unsupported mandatory extension" },
		{ "n,,n=bob,r=abc,m=ext", "unsupported mandatory extension" },
		{ "n,,n=bob,r=", "nonce empty or not printable" },
		{ "n,,n=bob,r=,x=1", "nonce empty or not printable" },
		{ "n,,n=bob,r=a c", "nonce empty or not printable" },
		{ "n,,n=bob,r=a\tc", "nonce empty or not printable" },
		{ "n,,n=bob,r=a\x7f", "nonce empty or not printable" },
		{ "n,,n=bob,r=a\xc3\xa4", "nonce empty or not printable" },
		{ "n,,n=bob,r=abc,x", "attribute expected" },
		{ "n,,n=bob,r=abc,,", "attribute expected" },
		{ "n,,n=bob,r=abc,=x", "attribute expected" },
	};
	char text[2000];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		refuse_first(slice_str(rows[i][0]), rows[i][1]);
	refuse_first(SLICE_LIT("n,,n=\0,r=abc"), "zero byte in message");
	refuse_first(SLICE_LIT("n,,n=,r=abc\0"), "zero byte in message");
	memset(text, 'r', sizeof(text));
	memcpy(text, "n,,n=,r=", 8);
	refuse_first(slice_make(text, 8 + 104), "nonce too long");
	refuse_first(slice_make(text, 3 + 511), "nonce too long");
	refuse_first(slice_make(text, 3 + 512), "message too long");
	refuse_first(slice_make(text, 1024), "message too long");
	refuse_first(slice_make(text, 1025), "message too long");
	refuse_first(slice_make(text, SIZE_MAX), "message too long");
}

static void
refuse_final(const char *gs2, const char *cbind, const char *nonce,
    const char *extra, const char *why)
{
	struct scram_verifier v = verifier(PG_ASCII);
	struct client c = { .gs2 = gs2, .bare = "n=,r=abc" };
	char out[512], final[600];
	struct scram s;
	size_t n;

	scram_init(&s, &v, false);
	start(&s, &c);
	client_final(&c, PG_ASCII_PASSWORD, cbind, nonce, extra, final,
	    sizeof(final));
	assert_int_equal(scram_step(&s, slice_str(final), nonce18, out, &n),
	    SCRAM_MALFORMED);
	assert_int_equal(n, 0);
	assert_string_equal(scram_why(&s), why);
	assert_wiped(&s);
}

static void
test_malformed_final(void **state PG_UNUSED)
{
	const char *cbind = "channel binding does not match";

	refuse_final("n,,", "eSws", NULL, "", cbind);
	refuse_final("y,,", "biws", NULL, "", cbind);
	refuse_final("n,,", "", NULL, "", cbind);
	refuse_final("n,,", "biw", NULL, "", cbind);
	refuse_final("n,,", "biwsbiws", NULL, "", cbind);
	refuse_final("n,,", "cD10bHMtc2VydmVyLWVuZC1wb2ludCws", NULL, "",
	    cbind);
	refuse_final("n,,", NULL, "abc", "", "nonce does not match");
	refuse_final("n,,", NULL, "", "", "nonce does not match");
	refuse_final("n,,", NULL, "abcAAAAAAAAAAAAAAAAAAAAAAAA", "",
	    "nonce does not match");
	refuse_final("n,,", NULL, NULL, ",m=x",
	    "unsupported mandatory extension");
	refuse_final("n,,", NULL, NULL, ",x", "attribute expected");
	refuse_final("n,,", NULL, NULL, ",", "attribute expected");
}

/* The right message, bent: cut at every byte, with every byte changed, with
 * something behind it.  Whatever changes, nobody gets in. */
static void
test_bent_final(void **state PG_UNUSED)
{
	struct scram_verifier v = verifier(PG_ASCII);
	struct client c = { .gs2 = "n,,", .bare = "n=,r=abc" };
	char out[512], final[600];
	struct scram_keys keys;
	struct scram s;
	size_t n, len;

	scram_init(&s, &v, false);
	start(&s, &c);
	client_final(&c, PG_ASCII_PASSWORD, NULL, NULL, "", final,
	    sizeof(final));
	len = strlen(final);
	for (size_t cut = 0; cut < len; cut++) {
		struct scram t = s;

		assert_int_equal(scram_step(&t, slice_make(final, cut),
		    nonce18, out, &n), SCRAM_MALFORMED);
		assert_wiped(&t);
	}
	for (size_t i = 0; i < 8 * len; i++) {
		struct scram t = s;
		enum scram_result r;

		final[i / 8] ^= (char)(1 << i % 8);
		r = scram_step(&t, slice_make(final, len), nonce18, out, &n);
		assert_true(r == SCRAM_FAILED || r == SCRAM_MALFORMED);
		assert_wiped(&t);
		final[i / 8] ^= (char)(1 << i % 8);
	}
	strcpy(final + len, ",x=1");
	for (size_t more = 1; more <= 4; more++) {
		struct scram t = s;

		assert_int_equal(scram_step(&t, slice_make(final, len + more),
		    nonce18, out, &n), SCRAM_MALFORMED);
	}
	assert_int_equal(scram_step(&s, slice_make(final, len), nonce18, out,
	    &n), SCRAM_OK);
	client_keys(&c, &keys);
	assert_wiped_but_keys(&s, &keys);
	scram_fini(&s);
	assert_wiped(&s);
	assert_int_equal(scram_step(&s, slice_make(final, len), nonce18, out,
	    &n), SCRAM_MALFORMED);
}

static void
test_final_odd(void **state PG_UNUSED)
{
	static const char *const odd[] = { "c", "c=", "c=biws", "c=biws,",
		"r=abc,c=biws,p=AAAA", "p=AAAA", "n,,n=,r=abc",
		"c=biws,r=abc,p=AAAA", "user\1bob" };
	struct scram_verifier v = verifier(PG_ASCII);

	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		struct client c = { .gs2 = "n,,", .bare = "n=,r=abc" };
		char out[512];
		struct scram s;
		size_t n;

		scram_init(&s, &v, false);
		start(&s, &c);
		assert_int_equal(scram_step(&s, slice_str(odd[i]), nonce18,
		    out, &n), SCRAM_MALFORMED);
		assert_wiped(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verifier_parse),
		cmocka_unit_test(test_verifier_bounds),
		cmocka_unit_test(test_mock),
		cmocka_unit_test(test_rfc7677),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_unknown_user),
		cmocka_unit_test(test_empty_password),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_no_initial_response),
		cmocka_unit_test(test_channel_binding),
		cmocka_unit_test(test_mechanisms),
		cmocka_unit_test(test_malformed_first),
		cmocka_unit_test(test_malformed_final),
		cmocka_unit_test(test_bent_final),
		cmocka_unit_test(test_final_odd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
