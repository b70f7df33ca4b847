/* SPDX-License-Identifier: PostgreSQL
 *
 * The session object: birth, state, sending, the single exit.
 *
 * Knows the wire and the states, not what statements mean (query.c) nor how
 * one logs in (startup.c, login.c).  Runs on the worker that accepted the connection,
 * for life.  Invariants (session_check): a state that holds no server has
 * none, RELAY has one, a waiting state has a pool or a fill to wait for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "net/tcp.h"
#include "pgwire/msgwrite.h"
#include "session/explain.h"
#include "session/farewell.h"
#include "session/fill.h"
#include "session/gather.h"
#include "session/spread.h"
#include "session/session_priv.h"
#include "session/mirroring.h"
#include "session/shadow.h"

#define OVER_LIMIT_MAX 100u
#define OVER_LIMIT_UNIX 200u /* the same for those of the unix socket */

static const struct {
	const char *name, *messages;
	char server;
} states[SESSION_STATE_COUNT] = {
#define SESSION_STATE(sym, name, messages, server, doc) \
	[SESSION_##sym] = { name, messages, server },
#include "tbl/session_states.h"
};

static const struct {
	const char *sqlstate, *text;
	size_t counter; /* offset in struct counters, or SIZE_MAX */
} reasons[CLOSE_REASON_COUNT] = {
#define COUNTER_OF_none SIZE_MAX
#define COUNTER_OF_client_protocol_errors \
	offsetof(struct counters, client_protocol_errors)
#define COUNTER_OF_client_login_failures \
	offsetof(struct counters, client_login_failures)
#define COUNTER_OF_client_refused offsetof(struct counters, client_refused)
#define COUNTER_OF_client_timeouts offsetof(struct counters, client_timeouts)
#define COUNTER_OF_listener_closes offsetof(struct counters, listener_closes)
#define CLOSE_REASON(sym, counter, sqlstate, text) \
	[CLOSE_##sym] = { sqlstate, text, COUNTER_OF_##counter },
#include "tbl/close_reasons.h"
};

static const char *const reason_names[CLOSE_REASON_COUNT] = {
#define CLOSE_REASON(sym, counter, sqlstate, text) [CLOSE_##sym] = #sym,
#include "tbl/close_reasons.h"
};

static atomic_uint clients;

/* ---- small questions ---------------------------------------------------- */

unsigned
session_count(void)
{
	return atomic_load(&clients);
}

const char *
session_close_reason(unsigned reason)
{
	return reason < CLOSE_REASON_COUNT ? reason_names[reason] : NULL;
}

struct session *
session_find(struct session_worker *sw, uint64_t id)
{
	struct htab_node *n;
	struct session *s;

	for (n = htab_find(&sw->by_id, id); n != NULL; n = htab_next(n)) {
		s = htab_entry(n, struct session, by_id);
		if (s->id == id)
			return s;
	}
	return NULL;
}

/* ---- state ---------------------------------------------------------------- */

const char *
session_state_name(const struct session *s)
{
	return states[s->state].name;
}

bool
session_takes_messages(const struct session *s)
{
	return states[s->state].messages != NULL;
}

static void
session_check(const struct session *s)
{
	switch (states[s->state].server) {
	case 'n':
		CHECK(s->server == NULL);
		break;
	case 'y':
		CHECK(s->server != NULL);
		break;
	default:
		break;
	}
	if (s->state == SESSION_SERVER_WAIT || s->state == SESSION_WELCOME)
		CHECK(s->waiting != NULL);
	if (s->state == SESSION_LOOKUP || s->state == SESSION_FILL_WAIT)
		CHECK(s->fill != NULL);
	CHECK((s->state == SESSION_GATHER) == (s->gathering != NULL));
	CHECK((s->state == SESSION_SPREAD_WAIT || s->state ==
	    SESSION_SPREAD_COPY) == (s->spread != NULL));
}

void
session_enter(struct session *s, enum session_state st)
{
	CHECK_MAGIC(s, SESSION_MAGIC);
	CHECK(s->state != SESSION_CLOSED);
	if (s->state != st) {
		log_debug("session", "id=%llu from=%s to=%s",
		    (unsigned long long)s->id, states[s->state].name,
		    states[st].name);
		s->state = st;
		s->since = s->started;
	}
	session_check(s);
	if (st == SESSION_IDLE && s->listening != NULL)
		session_listen_later(s);
}

void
session_set_app_name(struct session *s, const char *value)
{
	char *p;

	if (s->login == NULL && s->app_born == NULL)
		s->app_born = s->app_name != NULL ? s->app_name : x_strdup("");
	else
		free(s->app_name);
	s->app_name = x_strndup(value, strnlen(value, 63));
	for (p = s->app_name; *p != '\0'; p++)
		if (*p < 32 || *p > 126)
			*p = '?';
}

/* ---- sending ---------------------------------------------------------------- */

static void
session_sends(struct session *s, size_t n)
{
	stat_add(&session_metrics(s)->c.client_bytes_out, n);
	stat_add(&s->stats->sent, n);
	s->sent += n;
}

static void
session_send_failed(struct session *s)
{
	session_close(s, s->st.no_memory ? CLOSE_MEMORY : CLOSE_CLIENT_GONE,
	    NULL);
}

void
session_sendv(struct session *s, const struct iovec *iov, int n)
{
	size_t total = 0;
	int i;

	if (s->state == SESSION_CLOSED)
		return;
	if (unlikely(explain_runs(s))) {
		for (i = 0; i < n; i++)
			session_send(s, iov[i].iov_base, iov[i].iov_len);
		return;
	}
	for (i = 0; i < n; i++)
		total += iov[i].iov_len;
	session_sends(s, total);
	if (!stream_sendv(&s->st, iov, n))
		session_send_failed(s);
}

void
session_pass(struct session *s, const void *p, size_t n)
{
	if (s->state == SESSION_CLOSED)
		return;
	session_sends(s, n);
	if (!stream_send(&s->st, p, n))
		session_send_failed(s);
}

void
session_send(struct session *s, const void *p, size_t n)
{
	if (unlikely(explain_runs(s)))
		explain_output(s, p, n);
	else
		session_pass(s, p, n);
}

/* ---- the end ---------------------------------------------------------------- */

void
session_set_home(struct session *s, struct pool *p)
{
	if (s->home != NULL)
		pool_settle(s->home, -1);
	s->home = p;
	if (p != NULL)
		pool_settle(p, 1);
}

static void
session_reclaim(struct deferred *d)
{
	struct session *s = (struct session *)(void *)((char *)d -
	    offsetof(struct session, reclaim));
	size_t i;

	session_set_home(s, NULL);
	session_console_free(&s->console);
	for (i = 0; i < s->n_pools; i++)
		pool_unref(&s->pools[i]);
	free(s->pools);
	free(s->user);
	free(s->dbname);
	free(s->peer);
	free(s->app_name);
	free(s->app_born);
	free(s->startup);
	session_forget_identity(s);
	free(s->held_begin);
	settings_free(s);
	free(s->rewritten);
	free(s->trial);
	shadow_drop(s);
	mirroring_drop(s);
	buf_reset(&s->in);
	conf_unref(&s->conf);
	s->magic = 0;
	free(s);
}

static void
session_tell(struct session *s, enum close_reason why, const char *sqlstate,
    const char *detail)
{
	struct msgwrite w;
	struct buf b;

	/* Not in the middle of a message that is being relayed. */
	if (sqlstate == NULL || !stream_is_open(&s->st) ||
	    s->state == SESSION_TLS ||
	    (s->server != NULL && s->server->body_left > 0) ||
	    gather_is_midway(s))
		return;
	buf_init(&b, 64 * 1024);
	msgwrite_init(&w, &b);
	msgwrite_error(&w, "FATAL", sqlstate,
	    why == CLOSE_AUTH || why == CLOSE_AUTH_REFUSED ||
	    why == CLOSE_NO_DATABASE || why == CLOSE_UNWELCOME ||
	    why == CLOSE_VERSION || why == CLOSE_BACKEND_DOWN ?
	    detail : reasons[why].text,
	    why == CLOSE_PROTOCOL || why == CLOSE_STARTUP ||
	    why == CLOSE_SERVER_LOST || why == CLOSE_LISTENER_LOST ||
	    why == CLOSE_TAKEOVER ? detail : NULL, NULL);
	if (!w.failed)
		(void)!stream_send(&s->st, buf_head(&b), buf_len(&b));
	buf_reset(&b);
}

static void
session_log_end(const struct session *s, enum close_reason why,
    const char *detail)
{
	enum log_level level = LOG_L_DEBUG;

	if (reasons[why].sqlstate != NULL || why == CLOSE_TLS_FAILED)
		level = LOG_L_INFO;
	if (!log_enabled(level))
		return;
	log_msg(level, "session", "msg=\"client closed\" id=%llu peer=%s "
	    "user=%s database=%s state=%s reason=%s detail=%s",
	    (unsigned long long)s->id, s->peer,
	    log_escs(s->user != NULL ? s->user : ""),
	    log_escs(s->dbname != NULL ? s->dbname : ""),
	    states[s->state].name, log_escs(reasons[why].text),
	    log_escs(detail != NULL ? detail : ""));
}

void
session_close(struct session *s, enum close_reason why, const char *detail)
{
	session_close_as(s, why, reasons[why].sqlstate, detail);
}

void
session_close_as(struct session *s, enum close_reason why,
    const char *sqlstate, const char *detail)
{
	struct session_worker *sw = s->sw;
	size_t i;
	struct parsing *p;

	CHECK_MAGIC(s, SESSION_MAGIC);
	if (s->state == SESSION_CLOSED)
		return;
	session_log_end(s, why, detail);
	if (unlikely(s->trail.on))
		trail_closed(s, sqlstate, reasons[why].text);
	session_tell(s, why, sqlstate, detail);
	stat_add(&session_metrics(s)->closes[why], 1);
	if (reasons[why].counter != SIZE_MAX)
		stat_add((_Atomic uint64_t *)(void *)((char *)
		    &session_metrics(s)->c + reasons[why].counter), 1);
	if (s->waiting != NULL)
		(void)!pool_leave(s->waiting, &s->waiter);
	s->waiting = NULL;
	session_release_at_end(s);
	gather_drop(s);
	spread_drop(s);
	query_forget(s);
	session_forget_unit(s);
	session_reading_free(s);
	session_timed(s, 0);
	fill_drop(s);
	explain_drop(s);
	session_listen_end(s);
	session_login_free(s);
	if (s->cancel_pid != 0)
		cancel_forget(s);
	statements_clear(&s->prepared, &sw->statements);
	while ((p = TAILQ_FIRST(&s->parsing)) != NULL) {
		TAILQ_REMOVE(&s->parsing, p, link);
		statement_unref(&sw->statements, &p->before);
		free(p);
	}
	if (why != CLOSE_KILLED && why != CLOSE_MEMORY && why != CLOSE_MOVED)
		farewell_take(s, why != CLOSE_CLIENT_GONE &&
		    why != CLOSE_TERMINATE);
	stream_close(&s->st);
	buf_reset(&s->in);
	htab_remove(&sw->by_id, &s->by_id);
	for (i = 0; i < QUOTA_KINDS; i++)
		quota_give(&s->places[i]);
	TAILQ_REMOVE(&sw->sessions, s, link);
	sw->n_sessions--;
	atomic_fetch_sub(&clients, 1);
	s->state = SESSION_CLOSED;
	s->reclaim.run = session_reclaim;
	worker_defer(sw->w, &s->reclaim);
}

/* ---- birth ---------------------------------------------------------------------- */

/* Is there room for one more, be it one to be told that there is none, a
 * cancel request, or the console of an administrator? *place: the address's;
 * NULL for the unix socket, which strangers cannot reach and which keeps room
 * of its own. */
static bool
session_admit(const struct conf *c, const char *peer, struct quota **place)
{
	bool local = strcmp(peer, "unix") == 0;
	const char *port = strrchr(peer, ':');
	char *address;

	*place = NULL;
	if (session_count() >= (unsigned)c->max_client_conn +
	    (local ? OVER_LIMIT_UNIX : OVER_LIMIT_MAX))
		return false;
	if (local || port == NULL)
		return true;
	address = x_strndup(peer, (size_t)(port - peer));
	*place = quota_take(QUOTA_ADDRESS, address,
	    c->max_address_client_connections == 0 ? 0 :
	    c->max_address_client_connections + OVER_LIMIT_MAX);
	free(address);
	return *place != NULL;
}

struct session *
session_new(struct worker *w, int fd, const char *peer)
{
	struct session_worker *sw = w->sessions;
	const struct conf *c = sw->setup.conf;
	struct session *s = x_calloc(1, sizeof(*s));

	if (strcmp(peer, "unix") != 0)
		tcp_tune(fd, &(struct tcp_tuning){ c->tcp_keepalive,
		    c->tcp_keepidle, c->tcp_keepintvl, (int)c->tcp_keepcnt,
		    c->tcp_user_timeout });
	s->magic = SESSION_MAGIC;
	s->state = SESSION_STARTUP;
	s->sw = sw;
	/* Unique over workers and time: never reused. */
	s->id = ++sw->next_id << 8 | w->id;
	s->peer = x_strdup(peer);
	s->conf = sw->setup.conf;
	conf_ref(s->conf);
	s->limits = &s->conf->everyone;
	s->tx = 'I';
	s->born = s->since = s->started = clock_mono();
	s->waiter.w = w;
	s->waiter.session = s->id;
	session_set_dbstate(s, sw->self);
	buf_init(&s->in, (size_t)s->conf->max_message_size + 1024 * 1024);
	statements_init(&s->prepared);
	TAILQ_INIT(&s->parsing);
	stream_init(&s->st, w, fd, NULL, false, &session_stream_ops);
	TAILQ_INSERT_TAIL(&sw->sessions, s, link);
	htab_insert(&sw->by_id, &s->by_id, s->id);
	sw->n_sessions++;
	atomic_fetch_add(&clients, 1);
	return s;
}

void
session_accept(struct worker *w, int fd, const char *peer)
{
	const struct session_worker *sw = w->sessions;
	struct quota *place;
	struct session *s;

	if (!session_admit(sw->setup.conf, peer, &place)) {
		stat_add(&w->metrics->c.client_refused, 1);
		close(fd);
		return;
	}
	s = session_new(w, fd, peer);
	s->places[QUOTA_ADDRESS] = place;
	stat_add(&w->metrics->c.client_connections, 1);
	stream_read_start(&s->st);
}

/* ---- configuration and pools -------------------------------------------------------- */

/* Pools and servers stay what they are: only what catalogs say is new. */
static void
session_follow_conf(struct session *s, struct conf *now)
{
	if (s->db != NULL)
		s->db = &now->databases[s->db->id];
	if (s->server != NULL)
		s->backend = &now->backends[s->backend->id];
	s->limits = conf_find_user(now, s->user);
	if (s->sampled != NULL)
		s->sampled = &now->backends[s->sampled->id];
	conf_unref(&s->conf);
	s->conf = now;
	conf_ref(now);
}

bool
session_refresh_conf(struct session *s)
{
	struct conf *now = s->sw->setup.conf;

	if (s->conf == now || s->tx != 'I')
		return true;
	if (s->conf->lineage == now->lineage && s->explaining == NULL) {
		session_follow_conf(s, now);
		return true;
	}
	if (s->server != NULL)
		return true;
	if (s->db != NULL) {
		s->db = conf_find_database(now, s->dbname);
		if (s->db == NULL) {
			session_close(s, CLOSE_CONFIG, NULL);
			return false;
		}
	}
	session_set_home(s, NULL);
	while (s->n_pools > 0)
		pool_unref(&s->pools[--s->n_pools]);
	free(s->pools);
	s->pools = NULL;
	conf_unref(&s->conf);
	s->sampled = NULL;
	s->conf = now;
	conf_ref(now);
	s->limits = conf_find_user(now, s->user);
	if (s->db == NULL)
		return true;
	session_set_home(s, session_pool(s, s->db->backend));
	if (s->home != NULL)
		return true;
	session_close(s, CLOSE_MEMORY, "too many pools");
	return false;
}

void
session_set_dbstate(struct session *s, struct dbstate *d)
{
	s->dbstate = d;
	s->stats = &d->stats[s->sw->w->id];
	s->waiter.hold = &d->paused;
}

struct pool *
session_pool(struct session *s, const struct conf_backend *b)
{
	struct credentials with;
	const char *user;

	if (s->pools == NULL) {
		s->n_pools = s->conf->n_backends;
		s->pools = x_calloc(s->n_pools, sizeof(struct pool *));
	}
	CHECK(b->id < s->n_pools);
	if (s->pools[b->id] == NULL) {
		user = conf_backend_user(s->conf, b, s->user);
		session_identity(s, b, user, &with);
		s->pools[b->id] = pool_get(b, user, &with, s->startup,
		    s->startup_len);
	}
	return s->pools[b->id];
}
