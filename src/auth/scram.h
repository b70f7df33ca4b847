/* SPDX-License-Identifier: PostgreSQL
 *
 * SCRAM-SHA-256, server side (RFC 5802, RFC 7677), as PostgreSQL speaks it.
 *
 * Pure: no I/O, no log, no globals; randomness is an argument.  Runs on worker
 * threads: verification needs a handful of HMACs only, since secrets are kept
 * as verifiers.  An unknown user gets a mock verifier and fails exactly where
 * a wrong password fails.  No channel binding ("p=" is refused; "y" and "n"
 * are taken, "y" only where we did not offer -PLUS, which is always).
 */
#ifndef PGSLUICE_AUTH_SCRAM_H
#define PGSLUICE_AUTH_SCRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/slice.h"

#define SCRAM_KEY_LEN 32
#define SCRAM_SALT_MAX 64
#define SCRAM_ITER_MIN 1
#define SCRAM_ITER_MAX 1000000
#define SCRAM_ITER_DEFAULT 4096

struct scram_verifier {
	uint32_t iterations;
	uint8_t salt[SCRAM_SALT_MAX];
	size_t salt_len;
	uint8_t stored_key[SCRAM_KEY_LEN];
	uint8_t server_key[SCRAM_KEY_LEN];
};

/* Parse PostgreSQL's "SCRAM-SHA-256$iter:salt$stored:server". false: not that
 * form, or salt or iterations out of the bounds above. */
bool scram_verifier_parse(struct slice text, struct scram_verifier *v)
    PG_MUST_CHECK;
/* Derive from a password: PBKDF2, about 3 ms; never on a worker.  The bytes are
 * taken as they are.  PostgreSQL and libpq normalise passwords by SASLprep
 * (RFC 4013), which leaves ASCII alone; a non-ASCII password therefore works
 * here if it is in normal form already (NFKC, as keyboards produce it), and
 * always by way of a verifier that PostgreSQL made. */
void scram_verifier_derive(struct slice password, const uint8_t *salt,
    size_t salt_len, uint32_t iterations, struct scram_verifier *v);
/* The same every time for one user and process secret (secret: 32 bytes). */
void scram_verifier_mock(const char *user, const uint8_t *secret,
    struct scram_verifier *v);

enum scram_result {
	SCRAM_CONTINUE, /* out holds a server message to send */
	SCRAM_OK,       /* out holds the final server message; logged in */
	SCRAM_FAILED,   /* wrong password or unknown user */
	SCRAM_MALFORMED /* protocol violation; why in scram_why() */
};

enum scram_state { SCRAM_ST_FIRST, SCRAM_ST_FINAL, SCRAM_ST_DONE };

struct scram {
	enum scram_state state;
	struct scram_verifier verifier;
	bool doomed;            /* mock: fail whatever comes */
	bool asked;             /* the empty challenge was sent */
	char nonce[128];        /* client's + ours, terminated */
	char first_bare[512];
	char server_first[256];
	char gs2[16];           /* base64 of the gs2 header that c= must repeat */
	const char *why;
};

/* nonce18: 18 random bytes. doomed: the user does not exist. */
void scram_init(struct scram *s, const struct scram_verifier *v, bool doomed);
/* First call: SASLInitialResponse's data; second: SASLResponse's.  A first call
 * with in.p == NULL (no initial response: length -1) yields the empty challenge,
 * once.  out: at least 512 bytes; *out_len is set.  nonce18 is read in the first
 * step only.  After anything but SCRAM_CONTINUE the exchange is over, secrets
 * are wiped, and further calls give SCRAM_MALFORMED. */
enum scram_result scram_step(struct scram *s, struct slice in,
    const uint8_t nonce18[18], char *out, size_t *out_len) PG_MUST_CHECK;
/* Why the last step was SCRAM_MALFORMED: fixed text, never a client's bytes. */
const char *scram_why(const struct scram *s);
void scram_fini(struct scram *s); /* wipes */

#endif
