/* SPDX-License-Identifier: PostgreSQL
 *
 * What a session has only while it logs in: shared by startup.c, which takes
 * the startup packet and welcomes, and login.c, which authenticates between.
 */
#ifndef PGSLUICE_SESSION_LOGIN_H
#define PGSLUICE_SESSION_LOGIN_H

#include "auth/scram.h"
#include "session/session_priv.h"

#define LOGIN_INPUT_MAX 16384 /* bytes of one message before login */
#define STARTUP_SETTINGS_MAX 8192 /* bytes of settings in a startup packet */

struct login {
	struct scram scram;
	bool ssl_asked, gss_asked;
	bool mechanism_chosen;
	bool refused;         /* over max_client_conn */
	bool replication;
	struct buf settings;  /* name\0value\0, unsorted */
	unsigned n_settings;
};

/* ---- login.c ------------------------------------------------------------- */
/* The session's login, made at first use. */
struct login *session_login(struct session *s);
/* User and database are known: ask for proof, or refuse. Calls
 * session_logged_in() now or later, or closes. */
void session_auth_begin(struct session *s);
/* Act on bytes in state AUTH; returns how many were used. */
size_t session_auth_input(struct session *s, const char *p, size_t n);
/* The user stands in this list of the configuration. */
bool session_user_in(const struct session *s, const struct conf_strings *l);

/* ---- startup.c ----------------------------------------------------------- */
/* Proof was given: find database and pool, and welcome. */
void session_logged_in(struct session *s);

#endif
