/* SPDX-License-Identifier: PostgreSQL
 *
 * Authentication: from a known name to the way it has to be proven.
 *
 * Knows rules and secrets; nothing of startup packets (startup.c) nor of the
 * messages of an exchange (proof.c), and no pool, cache or backend: those come
 * after proof.  Runs on the session's worker.  An unknown user goes through the
 * same exchange as a known one, on a mock secret, and fails like a wrong
 * password.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "net/tls_peer.h"
#include "session/login.h"

struct login *
session_login(struct session *s)
{
	if (s->login == NULL) {
		s->login = x_calloc(1, sizeof(*s->login));
		buf_init(&s->login->settings, STARTUP_SETTINGS_MAX);
	}
	return s->login;
}

void
session_login_free(struct session *s)
{
	if (s->login == NULL)
		return;
	scram_fini(&s->login->scram);
	secret_fini(&s->login->secret);
	hba_unref(&s->login->hba);
	buf_reset(&s->login->settings);
	free(s->login);
	s->login = NULL;
}

/* ---- who ---------------------------------------------------------------------- */

bool
session_user_in(const struct session *s, const struct conf_strings *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (strcmp(l->v[i], s->user) == 0)
			return true;
	return false;
}

/* ---- the outcome ------------------------------------------------------------- */

void
session_auth_failed(struct session *s)
{
	enum auth_method m = s->login->rule->method;
	char text[256];

	if (s->login->asked_backend)
		lookup_doubt(s->login->lookup_key, clock_mono());
	snprintf(text, sizeof(text),
	    "%s authentication failed for user \"%.128s\"",
	    m == AUTH_CERT ? "certificate" : m == AUTH_PEER ? "peer" :
	    "password", s->user);
	session_close(s, m == AUTH_CERT || m == AUTH_PEER ?
	    CLOSE_AUTH_REFUSED : CLOSE_AUTH, text);
}

/* Does the client's certificate name the user? */
static bool
session_auth_cert_is_user(struct session *s)
{
	const struct hba_rule *r = s->login->rule;
	char *name = tls_peer_name(s->st.ssl, r->clientname_dn);
	bool ok = name != NULL && hba_ident(s->login->hba, r->map, name,
	    s->user);

	if (!ok)
		log_info("session", "msg=\"certificate does not fit the user\" "
		    "id=%llu user=%s name=%s rule=%d",
		    (unsigned long long)s->id, log_escs(s->user),
		    log_escs(name != NULL ? name : ""), r->line);
	free(name);
	return ok;
}

void
session_auth_passed(struct session *s)
{
	if (s->login->rule->clientcert == CLIENTCERT_VERIFY_FULL &&
	    !session_auth_cert_is_user(s))
		session_auth_failed(s);
	else
		session_logged_in(s);
}

/* No rule lets the client in. */
static void
session_auth_refuse(struct session *s, const char *why)
{
	const char *port = strrchr(s->peer, ':');
	int n = port != NULL ? (int)(port - s->peer) : (int)strlen(s->peer);
	char text[512];

	snprintf(text, sizeof(text), "%s host \"%.*s\", user \"%.128s\", "
	    "database \"%.128s\", %s", why, n, s->peer, s->user, s->dbname,
	    s->tls ? "SSL encryption" : "no encryption");
	session_close(s, CLOSE_AUTH_REFUSED, text);
}

/* ---- the rule ------------------------------------------------------------------ */

static bool
session_auth_match(struct session *s)
{
	struct login *l = s->login;
	struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
	struct hba_ask ask = { .database = s->dbname, .user = s->user,
		.replication = l->replication && !l->logical, .tls = s->tls,
		.from = (struct sockaddr *)&from };
	socklen_t len = sizeof(from);

	if (getpeername(s->st.fd, (struct sockaddr *)&from, &len) != 0) {
		session_close(s, CLOSE_CLIENT_GONE, NULL);
		return false;
	}
	l->hba = s->sw->setup.hba;
	hba_ref(l->hba);
	l->rule = hba_match(l->hba, &ask);
	if (l->rule == NULL) {
		/* A rule would not help. */
		if (l->replication)
			session_close(s, CLOSE_REPLICATION, NULL);
		else
			session_auth_refuse(s, "no authentication rule for");
		return false;
	}
	log_debug("session", "msg=\"authentication rule\" id=%llu line=%d "
	    "method=%s", (unsigned long long)s->id, l->rule->line,
	    auth_method_word(l->rule->method));
	if (l->rule->method == AUTH_REJECT) {
		session_auth_refuse(s, "an authentication rule rejects");
		return false;
	}
	if (l->rule->clientcert != CLIENTCERT_NO &&
	    !tls_has_verified_peer(s->st.ssl)) {
		session_close(s, CLOSE_AUTH_REFUSED,
		    "connection requires a valid client certificate");
		return false;
	}
	return true;
}

static void
session_auth_by_rule(struct session *s)
{
	switch (s->login->rule->method) {
	case AUTH_TRUST:
	case AUTH_CERT:
		session_auth_passed(s);
		return;
	case AUTH_PEER:
		session_auth_peer(s);
		return;
	case AUTH_PASSWORD:
	case AUTH_MD5:
	case AUTH_SCRAM:
		session_auth_find_secret(s);
		return;
	case AUTH_REJECT:
	case AUTH_METHOD_COUNT:
		break;
	}
	WRONG("authentication method");
}

void
session_auth_begin(struct session *s)
{
	bool admin = strcmp(s->dbname, "pgsluice") == 0 &&
	    session_console_role(s) >= CONSOLE_ROLE_OPERATE;

	if (s->conf->tls_mode >= TLS_MODE_REQUIRE && !s->tls &&
	    strcmp(s->peer, "unix") != 0) {
		session_close(s, CLOSE_TLS_REQUIRED, NULL);
		return;
	}
	/* Who can do something about it keeps a way in when all places are taken. */
	if (session_count() > (unsigned)s->conf->max_client_conn && !admin) {
		session_close(s, CLOSE_TOO_MANY, NULL);
		return;
	}
	if (s->conf->max_address_client_connections != 0 && !admin &&
	    s->places[QUOTA_ADDRESS] != NULL &&
	    quota_count(s->places[QUOTA_ADDRESS]) >
	    s->conf->max_address_client_connections) {
		session_close(s, CLOSE_TOO_MANY_ADDRESS, NULL);
		return;
	}
	if (s->sw->draining) {
		session_close(s, CLOSE_SHUTDOWN, NULL);
		return;
	}
	if (session_auth_match(s))
		session_auth_by_rule(s);
}
