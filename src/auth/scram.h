/* SPDX-License-Identifier: PostgreSQL
 *
 * SCRAM-SHA-256, server side (RFC 5802, RFC 7677), as PostgreSQL speaks it.
 *
 * Pure: no I/O, no log, no globals; randomness is an argument.  Runs on worker
 * threads: verification needs a handful of HMACs only, since secrets are kept
 * as verifiers.  An unknown user gets a mock verifier and fails exactly where
 * a wrong password fails.  Channel binding is tls-server-end-point (RFC 5929):
 * where it is offered, a client that says it could but believes we cannot ("y")
 * has been lied to and is refused.
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
/* Derive from a password: PBKDF2, about 3 ms; never on a worker.  The password is
 * prepared (auth/saslprep.h) as PostgreSQL and libpq prepare it. */
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

#define SCRAM_BIND_MAX 64 /* bytes of channel binding data */

/* What a login leaves in the server's hands: enough to log in elsewhere where
 * the same verifier is kept. */
struct scram_keys {
	uint8_t client_key[SCRAM_KEY_LEN], server_key[SCRAM_KEY_LEN];
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
	uint8_t bind[SCRAM_BIND_MAX]; /* of the connection, if -PLUS is offered */
	size_t bind_n;
	bool plus;              /* the mechanism chosen */
	char gs2[128];          /* base64 of gs2 header and binding: c= */
	struct scram_keys keys; /* after SCRAM_OK */
	const char *why;
};

/* doomed: the user does not exist. */
void scram_init(struct scram *s, const struct scram_verifier *v, bool doomed);
/* Offer SCRAM-SHA-256-PLUS, too: data of n bytes (1 to SCRAM_BIND_MAX) binds
 * the exchange to the TLS connection. Before the first step. */
void scram_offer_plus(struct scram *s, const uint8_t *data, size_t n);
/* The mechanisms offered, as AuthenticationSASL lists them (each terminated,
 * an empty one last). */
struct slice scram_mechanisms(const struct scram *s);
/* The client's choice; before the first step. false: not offered. */
bool scram_choose(struct scram *s, struct slice mechanism) PG_MUST_CHECK;
/* First call: SASLInitialResponse's data; second: SASLResponse's.  A first call
 * with in.p == NULL (no initial response: length -1) yields the empty challenge,
 * once.  out: at least 512 bytes; *out_len is set.  nonce18 is read in the first
 * step only.  After anything but SCRAM_CONTINUE the exchange is over, secrets
 * are wiped (keys stay until scram_fini() if all went well), and further calls
 * give SCRAM_MALFORMED. */
enum scram_result scram_step(struct scram *s, struct slice in,
    const uint8_t nonce18[18], char *out, size_t *out_len) PG_MUST_CHECK;
/* Why the last step was SCRAM_MALFORMED: fixed text, never a client's bytes. */
const char *scram_why(const struct scram *s);
void scram_fini(struct scram *s); /* wipes */

#endif
