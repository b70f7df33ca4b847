/* SPDX-License-Identifier: PostgreSQL
 *
 * What a session has only while it logs in: shared by startup.c, which takes
 * the startup packet and welcomes, login.c, which chooses how the client has
 * to prove who it is, secret.c, which finds what to check the proof against, and
 * proof.c, which takes it.
 */
#ifndef PGSLUICE_SESSION_LOGIN_H
#define PGSLUICE_SESSION_LOGIN_H

#include "auth/hba.h"
#include "auth/lookup.h"
#include "auth/scram.h"
#include "auth/secret.h"
#include "session/session_priv.h"

#define LOGIN_INPUT_MAX 16384 /* bytes of one message before login */
#define STARTUP_SETTINGS_MAX 8192 /* bytes of settings in a startup packet */

/* What the client was asked for. */
enum login_asked { ASKED_NOTHING, ASKED_SCRAM, ASKED_MD5, ASKED_PASSWORD };

struct login {
	struct hba *hba;      /* referenced: rule is inside */
	const struct hba_rule *rule;
	struct secret secret; /* the user's; a mock one if there is none */
	bool asked_backend;   /* the secret is an answer of auth_query */
	struct hash128 lookup_key;
	enum login_asked asked;
	struct scram scram;
	bool mechanism_chosen;
	uint8_t md5_salt[SECRET_MD5_SALT];
	bool ssl_asked, gss_asked;
	bool direct;          /* TLS without an SSLRequest */
	unsigned minor;       /* of protocol 3, as agreed */
	bool refused;         /* over max_client_conn */
	bool replication, logical;
	struct buf settings;  /* name\0value\0, unsorted */
	unsigned n_settings;
};

/* ---- login.c ------------------------------------------------------------- */
/* The session's login, made at first use. */
struct login *session_login(struct session *s);
/* User and database are known: ask for proof, or refuse. Calls
 * session_logged_in() now or later, or closes. */
void session_auth_begin(struct session *s);
/* The proof that the rule's method wants was given. */
void session_auth_passed(struct session *s);
/* It was not. */
void session_auth_failed(struct session *s);
/* The user stands in this list of the configuration. */
bool session_user_in(const struct session *s, const struct conf_strings *l);

/* ---- secret.c ------------------------------------------------------------ */
/* Find the user's secret, then session_auth_ask(), now or later, or close. */
void session_auth_find_secret(struct session *s);

/* ---- identity.c ---------------------------------------------------------- */
/* The client's proof serves for backends, too. */
void session_keep_password(struct session *s, const char *password);
void session_keep_keys(struct session *s, const struct scram_keys *keys);

/* ---- proof.c ------------------------------------------------------------- */
/* Ask for what the rule's method wants; the user's secret is known. */
void session_auth_ask(struct session *s);
/* Which user of the operating system is at the other end? */
void session_auth_peer(struct session *s);
/* Act on bytes in state AUTH; returns how many were used. */
size_t session_auth_input(struct session *s, const char *p, size_t n);

/* ---- startup.c ----------------------------------------------------------- */
/* Proof was given: find database and pool, and welcome. */
void session_logged_in(struct session *s);

#endif
