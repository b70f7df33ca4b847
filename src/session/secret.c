/* SPDX-License-Identifier: PostgreSQL
 *
 * The user's secret: from the users file, or asked of a backend (auth_query).
 *
 * Knows where secrets come from; nothing of the exchange that follows
 * (proof.c).  Runs on the session's worker; the question is put on a lookup
 * thread, the session is in state AUTH_WAIT meanwhile and found again by its
 * id.  Invariants: no value of the client but the user's name goes into the
 * question, and that as a parameter; whoever is not found, or has a secret that
 * the method cannot use, goes on with a mock secret.
 */
#include <stdio.h>
#include <string.h>

#include "backend/connect_args.h"
#include "base/log.h"
#include "session/login.h"

/* Startup settings of the connections that auth_query runs on. */
static const char lookup_startup[] =
    "application_name\0pgsluice auth_query\0search_path\0";

static uint8_t mock_key[32];

void
session_secret_init(void)
{
	hash_random(mock_key, sizeof(mock_key));
}

/* found: NULL if there is no such user. */
static void
secret_use(struct session *s, const struct secret *found)
{
	if (found == NULL || (found->kind == SECRET_MD5 &&
	    s->login->rule->method == AUTH_SCRAM))
		secret_mock(&s->login->secret, s->user,
		    userdb_common_kind(s->sw->setup.users), mock_key);
	else
		secret_copy(&s->login->secret, found);
	session_auth_ask(s);
}

/* ---- asking a backend --------------------------------------------------------- */

static void
secret_answered(struct worker *w, struct message *m)
{
	struct lookup *l = (struct lookup *)(void *)m;
	struct session *s = session_find(w->sessions, l->session);

	stat_add(&w->metrics->c.auth_queries, 1);
	if (l->result == LOOKUP_FAILED)
		log_warn("session", "msg=\"auth_query failed\" user=%s "
		    "error=%s", log_escs(l->user), log_escs(l->error));
	if (s == NULL || s->state != SESSION_AUTH_WAIT) {
		lookup_free(l);
		return;
	}
	if (l->result == LOOKUP_FAILED) {
		stat_add(&w->metrics->c.auth_query_failures, 1);
		session_close(s, CLOSE_BACKEND_DOWN,
		    "the user could not be looked up (auth_query)");
	} else {
		secret_use(s, l->result == LOOKUP_FOUND ? &l->secret : NULL);
	}
	lookup_free(l);
	if (s->state != SESSION_CLOSED)
		session_pump(s);
}

static void
secret_ask(struct session *s, const struct conf_backend *b,
    char *password, struct hash128 where)
{
	const struct conf *c = s->conf;
	struct credentials with = { .password = password };
	struct lookup *l = x_calloc(1, sizeof(*l));

	l->done.run = secret_answered;
	l->w = s->sw->w;
	l->session = s->id;
	l->where = where;
	l->key = s->login->lookup_key;
	l->user = x_strdup(s->user);
	l->query = x_strdup(c->auth_query);
	l->timeout = c->server_connect_timeout;
	l->keep = c->auth_cache_ttl;
	connect_args(b->conninfo, c->auth_user, &with, lookup_startup,
	    sizeof(lookup_startup), &l->keywords, &l->values);
	if (lookup_submit(l)) {
		session_enter(s, SESSION_AUTH_WAIT);
		return;
	}
	lookup_free(l);
	session_close(s, CLOSE_AUTH_BUSY, NULL);
}

/* From memory, or by a question. */
static void
secret_look_up(struct session *s, const struct conf_backend *b)
{
	const struct conf *c = s->conf;
	const struct userdb_entry *e = userdb_find(s->sw->setup.users,
	    c->auth_user);
	char *password = e != NULL ? e->secret.password : NULL;
	struct hash128 where = hash_bytes(b->conninfo, strlen(b->conninfo));
	struct secret found;

	where = hash_mix(where, hash_bytes(c->auth_user,
	    strlen(c->auth_user)));
	if (password != NULL)
		where = hash_mix(where, hash_bytes(password,
		    strlen(password)));
	s->login->asked_backend = true;
	s->login->lookup_key = lookup_key(where, c->auth_query, s->user);
	switch (lookup_cached(s->login->lookup_key, clock_mono(),
	    c->auth_cache_ttl, &found)) {
	case LOOKUP_FOUND:
		stat_add(&session_metrics(s)->c.auth_query_hits, 1);
		secret_use(s, &found);
		secret_fini(&found);
		return;
	case LOOKUP_NONE:
		stat_add(&session_metrics(s)->c.auth_query_hits, 1);
		secret_use(s, NULL);
		return;
	case LOOKUP_UNKNOWN:
	case LOOKUP_FAILED:
		break;
	}
	secret_ask(s, b, password, where);
}

/* ---- where to look -------------------------------------------------------------- */

void
session_auth_find_secret(struct session *s)
{
	const struct userdb_entry *e = userdb_find(s->sw->setup.users, s->user);
	const struct conf *c = s->conf;
	const struct conf_database *db = NULL;

	if (e == NULL && c->auth_user[0] != '\0')
		db = conf_find_database(c, c->auth_dbname[0] != '\0' ?
		    c->auth_dbname : s->dbname);
	if (db != NULL)
		secret_look_up(s, db->backend);
	else
		secret_use(s, e != NULL ? &e->secret : NULL);
}
