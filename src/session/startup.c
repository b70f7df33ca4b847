/* SPDX-License-Identifier: PostgreSQL
 *
 * From the first byte to ReadyForQuery: TLS, startup packet, welcome; who the
 * client is gets proven in between (login.c).
 *
 * Knows nothing of queries.  Runs on the session's worker.  Identity is fixed
 * by the one startup packet and never changes afterwards; database and user
 * are only reported missing after authentication.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "net/tls_peer.h"
#include "pgwire/msgwrite.h"
#include "session/login.h"

#define STARTUP_SETTINGS 512
#define MAX_MINOR 2 /* of protocol 3 */

/* ---- TLS ------------------------------------------------------------------- */

void
session_tls_step(struct session *s)
{
	const char *why = NULL;
	int r = stream_tls_accept(&s->st, &why);

	if (r < 0) {
		session_close(s, CLOSE_TLS_FAILED, why);
		return;
	}
	if (r == 0)
		return;
	/* Without ALPN the hello may have been meant for another protocol. */
	if (s->login->direct && !tls_is_ours(s->st.ssl)) {
		session_close(s, CLOSE_TLS_FAILED,
		    "direct TLS without ALPN \"postgresql\"");
		return;
	}
	s->tls = true;
	session_enter(s, SESSION_STARTUP);
	stream_read_again(&s->st);
}

/* The handle of the handshake to come; NULL: out of memory. */
static SSL *
session_new_ssl(struct session *s)
{
	SSL *ssl = SSL_new(s->sw->setup.tls);

	if (ssl == NULL || SSL_set_fd(ssl, s->st.fd) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_accept_state(ssl);
	SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	return ssl;
}

static bool
session_has_tls(const struct session *s)
{
	return s->sw->setup.tls != NULL &&
	    s->conf->tls_mode != TLS_MODE_DISABLE;
}

void
session_direct_tls(struct session *s)
{
	SSL *ssl;

	if (s->login != NULL || s->tls || !session_has_tls(s) ||
	    stream_peek(&s->st) != STARTUP_TLS_HELLO_BYTE)
		return;
	ssl = session_new_ssl(s);
	if (ssl == NULL) {
		session_close(s, CLOSE_MEMORY, NULL);
		return;
	}
	stream_set_tls(&s->st, ssl);
	session_login(s)->direct = true;
	session_enter(s, SESSION_TLS);
}

static void
session_answer_ssl(struct session *s, bool more)
{
	SSL *ssl;

	if (!session_has_tls(s)) {
		session_send(s, "N", 1);
		return;
	}
	/* Bytes sent before the handshake must not pass for encrypted ones. */
	if (more) {
		session_close(s, CLOSE_STARTUP,
		    "unencrypted data after SSLRequest");
		return;
	}
	ssl = session_new_ssl(s);
	if (ssl == NULL) {
		session_close(s, CLOSE_MEMORY, NULL);
		return;
	}
	session_send(s, "S", 1);
	if (s->state == SESSION_CLOSED) {
		SSL_free(ssl);
		return;
	}
	stream_set_tls(&s->st, ssl);
	session_enter(s, SESSION_TLS);
}

/* ---- startup packet ------------------------------------------------------------ */

static bool
session_add_setting(void *arg, const char *name, const char *value)
{
	struct session *s = arg;
	struct buf *b = &s->login->settings;

	if (strcasecmp(name, "application_name") == 0) {
		session_set_app_name(s, value);
		return true;
	}
	return ++s->login->n_settings <= STARTUP_SETTINGS &&
	    buf_append(b, name, strlen(name) + 1) &&
	    buf_append(b, value, strlen(value) + 1);
}

/* One canonical order, so that equal settings mean one pool. */
static void
session_sort_settings(struct session *s)
{
	struct buf *b = &s->login->settings;
	const char *p = buf_head(b), *end = p + buf_len(b);
	const char *item[STARTUP_SETTINGS], *swap;
	size_t n = 0, i, k, len;
	char *out;

	while (p < end && n < ARRAY_SIZE(item)) {
		item[n++] = p;
		p += strlen(p) + 1;
		p += strlen(p) + 1;
	}
	for (i = 1; i < n; i++)
		for (k = i; k > 0 && strcmp(item[k - 1], item[k]) > 0; k--) {
			swap = item[k];
			item[k] = item[k - 1];
			item[k - 1] = swap;
		}
	s->startup = out = x_malloc(buf_len(b) + 1);
	for (i = 0; i < n; i++) {
		len = strlen(item[i]) + 1;
		len += strlen(item[i] + len) + 1;
		memcpy(out, item[i], len);
		out += len;
	}
	s->startup_len = (size_t)(out - s->startup);
	buf_reset(b);
}

static bool
session_take_param(struct session *s, const char *name, const char *value,
    unsigned *unsupported, struct msgwrite *w)
{
	if (strcmp(name, "user") == 0) {
		free(s->user);
		s->user = x_strdup(value);
	} else if (strcmp(name, "database") == 0) {
		free(s->dbname);
		s->dbname = x_strdup(value);
	} else if (strcmp(name, "replication") == 0) {
		s->login->replication = strcmp(value, "false") != 0 &&
		    strcmp(value, "off") != 0 && strcmp(value, "no") != 0 &&
		    strcmp(value, "0") != 0;
		s->login->logical = strcmp(value, "database") == 0;
	} else if (strcmp(name, "options") == 0) {
		return startup_options(value, session_add_setting, s);
	} else if (strncmp(name, "_pq_.", 5) == 0) {
		++*unsupported;
		msgwrite_raw(w, name, strlen(name) + 1);
	} else {
		return session_add_setting(s, name, value);
	}
	return true;
}

/* NegotiateProtocolVersion: what we speak, and options we do not know. */
static void
session_negotiate(struct session *s, unsigned n, const struct buf *names)
{
	struct msgwrite w;
	struct buf b;

	buf_init(&b, LOGIN_INPUT_MAX);
	msgwrite_init(&w, &b);
	msgwrite_begin(&w, 'v');
	msgwrite_u32(&w, 3u << 16 | s->login->minor);
	msgwrite_u32(&w, n);
	if (buf_len(names) > 0)
		msgwrite_bytes(&w, buf_head(names), buf_len(names));
	msgwrite_end(&w);
	if (!w.failed)
		session_send(s, buf_head(&b), buf_len(&b));
	buf_reset(&b);
}

static void
session_take_startup(struct session *s, const struct startup_packet *sp)
{
	const char *name, *value;
	unsigned unsupported = 0;
	struct msgwrite w;
	struct buf names;
	size_t pos = 0;
	int r;

	session_login(s)->minor = (sp->version & 0xffff) < MAX_MINOR ?
	    sp->version & 0xffff : MAX_MINOR;
	buf_init(&names, LOGIN_INPUT_MAX);
	msgwrite_init(&w, &names);
	while ((r = startup_param(sp, &pos, &name, &value)) == 1)
		if (!session_take_param(s, name, value, &unsupported, &w)) {
			r = -2;
			break;
		}
	if (r == 0 && ((sp->version & 0xffff) > MAX_MINOR || unsupported > 0))
		session_negotiate(s, unsupported, &names);
	buf_reset(&names);
	if (s->state == SESSION_CLOSED)
		return;
	if (r < 0) {
		session_close(s, CLOSE_STARTUP, r == -1 ?
		    "malformed parameter list" :
		    "bad \"options\" or too many startup settings");
		return;
	}
	if (s->user == NULL || *s->user == '\0') {
		session_close(s, CLOSE_STARTUP, "no user name given");
		return;
	}
	if (s->dbname == NULL || *s->dbname == '\0') {
		free(s->dbname);
		s->dbname = x_strdup(s->user);
	}
	session_sort_settings(s);
	session_auth_begin(s);
}

/* ---- welcome --------------------------------------------------------------------------- */

/* AuthenticationOk, parameters, cancel key, ReadyForQuery, in one write. */
static void
session_greet(struct session *s, const char *params, size_t n)
{
	struct msgwrite w;
	struct buf b;

	buf_init(&b, 1024 * 1024);
	msgwrite_init(&w, &b);
	msgwrite_begin(&w, 'R');
	msgwrite_u32(&w, 0);
	msgwrite_end(&w);
	msgwrite_param_status(&w, "application_name",
	    s->app_name != NULL ? s->app_name : "");
	msgwrite_raw(&w, params, n);
	msgwrite_begin(&w, 'K');
	msgwrite_u32(&w, (uint32_t)s->cancel_pid);
	msgwrite_bytes(&w, s->cancel_secret, s->cancel_len);
	msgwrite_end(&w);
	msgwrite_ready(&w, 'I');
	session_login_free(s);
	s->started = clock_mono();
	session_enter(s, SESSION_IDLE);
	stat_add(&session_metrics(s)->c.client_logins, 1);
	if (w.failed)
		session_close(s, CLOSE_MEMORY, NULL);
	else
		session_send(s, buf_head(&b), buf_len(&b));
	buf_reset(&b);
}

/* Session pooling: the server is the session's from now on, and its pid is what
 * the client is told, for whoever looks for blockers by pid. */
static void
session_keep_first(struct session *s, struct server *srv)
{
	session_leased(s, srv, s->db->backend);
	s->untouched = true;
	cancel_adopt(s, srv->pid);
}

void
session_welcome(struct session *s, struct server *srv)
{
	struct welcome *w = pool_welcome(s->home);

	if (w != NULL && s->db->pool_mode == POOL_MODE_SESSION)
		session_keep_first(s, srv);
	else
		pool_put(s->home, srv);
	if (w == NULL) {
		session_close(s, CLOSE_BACKEND_DOWN,
		    "the backend told us nothing about itself");
		return;
	}
	session_greet(s, w->messages, w->n);
	welcome_unref(&w);
	if (s->state != SESSION_CLOSED)
		session_pump(s);
}

void
session_unwelcome(struct session *s, const struct pool_error *why)
{
	static const char proven[] = "R\0\0\0\010\0\0\0";

	if (!why->refused) {
		session_close(s, CLOSE_BACKEND_DOWN, why->text);
		return;
	}
	/* PostgreSQL looks at settings and rights when it knows the user. */
	session_send(s, proven, sizeof(proven));
	if (s->state != SESSION_CLOSED)
		session_close_as(s, CLOSE_UNWELCOME, why->sqlstate, why->text);
}

static void
session_greet_console(struct session *s)
{
	static const char *const params[][2] = {
		{ "server_version", "15.0 (pgsluice console)" },
		{ "server_encoding", "UTF8" }, { "client_encoding", "UTF8" },
		{ "DateStyle", "ISO, MDY" }, { "TimeZone", "UTC" },
		{ "IntervalStyle", "postgres" },
		{ "integer_datetimes", "on" },
		{ "standard_conforming_strings", "on" },
	};
	struct msgwrite w;
	struct buf b;
	size_t i;

	s->console = session_console_new();
	s->role = session_console_role(s);
	if (s->role == CONSOLE_ROLE_NONE) {
		session_close(s, CLOSE_NOT_ADMIN, "user is in none of "
		    "admin_users, operator_users and stats_users");
		return;
	}
	buf_init(&b, 4096);
	msgwrite_init(&w, &b);
	for (i = 0; i < ARRAY_SIZE(params); i++)
		msgwrite_param_status(&w, params[i][0], params[i][1]);
	CHECK(!w.failed);
	session_greet(s, buf_head(&b), buf_len(&b));
	buf_reset(&b);
}

/* Places among the clients of database and user. Only proven users take any:
 * nobody can use up another's. */
static bool
session_take_places(struct session *s)
{
	s->limits = conf_find_user(s->conf, s->user);
	s->places[QUOTA_DATABASE] = quota_take(QUOTA_DATABASE, s->dbname,
	    s->db->max_db_client_connections);
	if (s->places[QUOTA_DATABASE] == NULL) {
		session_close(s, CLOSE_TOO_MANY_DATABASE, NULL);
		return false;
	}
	s->places[QUOTA_USER] = quota_take(QUOTA_USER, s->user,
	    s->limits->max_user_client_connections);
	if (s->places[QUOTA_USER] == NULL) {
		session_close(s, CLOSE_TOO_MANY_USER, NULL);
		return false;
	}
	return true;
}

void
session_logged_in(struct session *s)
{
	struct server *srv;
	struct pool_error why;
	struct welcome *w;
	char text[200];

	cancel_register(s, s->login->minor >= 2);
	if (s->login->replication) {
		session_close(s, CLOSE_REPLICATION, NULL);
		return;
	}
	if (strcmp(s->dbname, "pgsluice") == 0) {
		session_greet_console(s);
		return;
	}
	s->db = conf_find_database(s->conf, s->dbname);
	if (s->db == NULL) {
		snprintf(text, sizeof(text), "database \"%.128s\" does not "
		    "exist", s->dbname);
		session_close(s, CLOSE_NO_DATABASE, text);
		return;
	}
	session_set_dbstate(s, dbstate_get(s->db->name));
	if (atomic_load(&s->dbstate->disabled)) {
		session_close(s, CLOSE_DISABLED, NULL);
		return;
	}
	if (!session_take_places(s))
		return;
	session_set_home(s, session_pool(s, s->db->backend));
	if (s->home == NULL) {
		session_close(s, CLOSE_MEMORY, "too many pools");
		return;
	}
	w = s->db->pool_mode == POOL_MODE_SESSION ? NULL :
	    pool_welcome(s->home);
	if (w != NULL) {
		session_greet(s, w->messages, w->n);
		welcome_unref(&w);
		return;
	}
	s->waiting = s->home;
	session_enter(s, SESSION_WELCOME);
	switch (pool_lease(s->home, &s->waiter, clock_mono(), &srv, &why)) {
	case LEASE_GOT:
		s->waiting = NULL;
		session_welcome(s, srv);
		break;
	case LEASE_WAIT:
		break;
	case LEASE_FAILED:
		s->waiting = NULL;
		session_unwelcome(s, &why);
		break;
	}
}

static void
session_refuse_version(struct session *s, uint32_t version)
{
	char text[100];

	snprintf(text, sizeof(text), "unsupported frontend protocol %u.%u: "
	    "server supports 3.0 to 3.%u", version >> 16, version & 0xffff,
	    MAX_MINOR);
	session_close(s, CLOSE_VERSION, text);
}

/* ---- input before login -------------------------------------------------------------------- */

static size_t
session_first_packet(struct session *s, const char *p, size_t n)
{
	struct login *l = session_login(s);
	struct startup_packet sp;

	switch (startup_next(p, n, &sp)) {
	case STARTUP_NEED_MORE:
		s->need = n + 1;
		return 0;
	case STARTUP_SSL:
		if (l->ssl_asked || s->tls) {
			session_close(s, CLOSE_STARTUP, "second SSLRequest");
			return n;
		}
		l->ssl_asked = true;
		session_answer_ssl(s, n > sp.size);
		return sp.size;
	case STARTUP_GSS:
		if (l->gss_asked || s->tls) {
			session_close(s, CLOSE_STARTUP,
			    "second GSSENCRequest");
			return n;
		}
		l->gss_asked = true;
		session_send(s, "N", 1);
		return sp.size;
	case STARTUP_CANCEL:
		cancel_request(s, sp.cancel_pid, sp.cancel_key,
		    sp.cancel_key_len);
		return n;
	case STARTUP_V3:
		session_take_startup(s, &sp);
		return sp.size;
	case STARTUP_TLS_HELLO:
		session_close(s, CLOSE_TLS_FAILED, session_has_tls(s) ?
		    "a TLS handshake after another request" :
		    "direct TLS, but tls_mode is disable");
		return n;
	case STARTUP_UNSUPPORTED:
		session_refuse_version(s, sp.version);
		return n;
	default:
		session_close(s, CLOSE_STARTUP, NULL);
		return n;
	}
}

size_t
session_startup_input(struct session *s, const char *p, size_t n)
{
	return s->state == SESSION_STARTUP ? session_first_packet(s, p, n) :
	    session_auth_input(s, p, n);
}
