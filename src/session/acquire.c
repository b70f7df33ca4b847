/* SPDX-License-Identifier: PostgreSQL
 *
 * A server for the unit at hand, or an error in its place.
 *
 * Knows pools and what a session may do without a server, not what statements
 * mean.  Runs on the session's worker; grants and failures arrive there from
 * pools of any worker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "pgwire/msgwrite.h"
#include "session/fill.h"
#include "session/part.h"
#include "session/session_priv.h"

static const struct hash128 no_hash;

/* ---- errors of our own ------------------------------------------------------------------ */

void
session_settle(struct session *s)
{
	struct server *srv = s->server;

	if (s->state != SESSION_IDLE || srv == NULL || s->tx != 'I' ||
	    session_is_pinned(s) || s->open_unit ||
	    s->db->pool_mode == POOL_MODE_SESSION)
		return;
	s->server = NULL;
	server_give_back(srv, false);
}

#define REFUSED SLICE_LIT("pgsluice refuses a statement")

/* A query that fails, in the place of the whole unit. It ends a group. */
static bool
abort_by_query(struct session *s, struct msgwrite *w, struct slice error)
{
	msgwrite_query(w, REFUSED);
	s->server->has_unnamed = false;
	s->open_unit = s->long_bind = false;
	return server_owe_failure(s->server, OWED_QUERY, error);
}

/* A message that fails, among those of a group that has begun or goes on:
 * the server ignores what comes up to the next Sync. */
static bool
abort_by_bind(struct session *s, struct msgwrite *w, struct slice error,
    bool sync)
{
	msgwrite_begin(w, 'B');
	msgwrite_str(w, "");
	msgwrite_slice(w, REFUSED);
	msgwrite_bytes(w, "\0\0\0\0\0\0", 6); /* no values, no formats */
	msgwrite_end(w);
	s->open_unit = !sync;
	s->long_bind &= !sync;
	if (!server_owe_failure(s->server, OWED_BIND, error))
		return false;
	if (!sync)
		return true;
	msgwrite_raw(w, "S\0\0\0\4", 5);
	return server_owe(s->server, OWED_SYNC, 0, no_hash);
}

/* What is open on the server, a transaction or a group, must fail too: make it,
 * and put our error in the place of the one it answers with. */
static void
session_abort(struct session *s, const struct unit *u, struct slice error)
{
	bool group = u->last != 'Q' && u->last != 'F' &&
	    (s->open_unit || u->last != 'S');
	struct buf *c = &s->sw->compose;
	struct iovec iov;
	struct msgwrite w;
	bool owed;

	buf_consume(c, buf_len(c));
	msgwrite_init(&w, c);
	owed = group ? abort_by_bind(s, &w, error, u->last == 'S') :
	    abort_by_query(s, &w, error);
	if (!owed || w.failed) {
		session_close(s, CLOSE_MEMORY, NULL);
		return;
	}
	iov.iov_base = buf_head(c);
	iov.iov_len = buf_len(c);
	session_enter(s, SESSION_RELAY);
	(void)!server_send(s->server, &iov, 1);
}

void
session_skip_unit(struct session *s, const struct unit *u)
{
	struct iovec iov = { (void *)(uintptr_t)(u->p + u->n - 5), 5 };

	if (u->last != 'S')
		return;
	s->open_unit = s->long_bind = false;
	if (server_owe(s->server, OWED_SYNC, 0, no_hash))
		(void)!server_send(s->server, &iov, 1);
	else
		session_close(s, CLOSE_MEMORY, NULL);
}

void
session_unit_error(struct session *s, const struct unit *u,
    const char *sqlstate, const char *message, const char *detail,
    const char *hint)
{
	bool ends = u->last == 'S' || u->last == 'Q' || u->last == 'F';
	struct msgwrite w;
	struct buf b;

	fill_drop(s);
	s->refused = true;
	if (unlikely(s->trail.on))
		trail_refused(s, sqlstate);
	buf_init(&b, 256 * 1024);
	msgwrite_init(&w, &b);
	msgwrite_error(&w, "ERROR", sqlstate, message, detail, hint);
	CHECK(!w.failed);
	/* It is the answer to the first message of the unit: nothing of the
	 * unit has taken effect, but that both a Query and a Parse without a
	 * name end the unnamed statement before anything can fail. */
	if (u->first == 'Q' || (u->first == 'P' && u->p[FRAME_HEADER] == '\0'))
		statements_drop_unnamed(&s->prepared, &s->sw->statements);
	if (s->server != NULL && (s->open_unit ||
	    (s->tx == 'T' && s->held_begin == NULL))) {
		session_abort(s, u, slice_make(buf_head(&b), buf_len(&b)));
		buf_reset(&b);
		return;
	}
	stat_add(&session_metrics(s)->c.query_errors, 1);
	/* A held BEGIN fails without ever having reached a server. */
	free(s->held_begin);
	s->held_begin = NULL;
	if (s->tx == 'T')
		s->tx = 'E';
	if (ends)
		msgwrite_ready(&w, s->tx);
	else
		s->skip_to_sync = true;
	session_send(s, buf_head(&b), buf_len(&b));
	buf_reset(&b);
	if (unlikely(s->trail.on))
		trail_end(s, clock_mono());
	if (s->state != SESSION_CLOSED)
		session_settle(s);
}

void
session_no_server(struct session *s, const struct pool_error *why)
{
	size_t n = s->unit_len;
	struct unit u;

	CHECK(n > 0 && unit_read(&u, buf_head(&s->in), n));
	query_forget(s);
	if (s->listening != NULL)
		session_listen_drop(s);
	s->unit_len = 0;
	s->granted = s->no_cache = s->no_gather = s->no_replica = false;
	if (unlikely(s->trail.on))
		trail_gave_up(s);
	session_enter(s, SESSION_IDLE);
	if (!fill_stale(s, &u, why))
		session_unit_error(s, &u, why->sqlstate, why->text, NULL,
		    NULL);
	else if (s->state == SESSION_CLOSED || !fill_names(s, &u))
		return;
	if (s->state == SESSION_CLOSED)
		return;
	if (u.rest > 0)
		session_stream(s, &u, true);
	buf_consume(&s->in, n);
	session_pump(s);
}

void
session_waiting_error(struct session *s, const char *sqlstate,
    const char *message)
{
	struct pool_error why = { .refused = false };

	fill_drop(s);
	snprintf(why.sqlstate, sizeof(why.sqlstate), "%s", sqlstate);
	snprintf(why.text, sizeof(why.text), "%s", message);
	session_no_server(s, &why);
}

/* ---- getting a server -------------------------------------------------------------------- */

void
session_leased(struct session *s, struct server *srv,
    const struct conf_backend *b)
{
	s->server = srv;
	s->backend = b;
	server_lease(srv, &session_server_ops, s);
	session_sequences_leased(s);
}

enum unit_result
session_acquire(struct session *s, const struct unit *u,
    const struct conf_backend *b)
{
	struct server *srv;
	struct pool *p;
	char text[200], pins[PIN_TEXT_MAX];
	struct pool_error why;

	if (s->server != NULL && s->backend != b && s->tx == 'I' &&
	    !session_is_pinned(s) && (s->granted || s->untouched)) {
		srv = s->server;
		s->server = NULL;
		server_give_back(srv, false);
	}
	s->untouched = false;
	if (s->server != NULL) {
		if (s->backend == b && s->server->cancels == 0)
			return UNIT_DONE;
		if (s->backend == b) {
			session_enter(s, SESSION_CANCEL_WAIT);
			return UNIT_WAIT;
		}
		snprintf(text, sizeof(text), "statement needs backend \"%s\" "
		    "but %s on backend \"%s\"", b->name, s->tx == 'T' ?
		    "the transaction runs" : "the session's state is",
		    s->backend->name);
		session_unit_error(s, u, s->tx == 'T' ? "25001" : "0A000",
		    text, s->tx == 'T' ? NULL : s->pins != 0 ?
		    pin_reasons_text(s->pins, pins) : "pool_mode is session",
		    s->tx == 'T' ? "Use one tenant or one backend in a "
		    "transaction." : "Use DISCARD ALL, or another session.");
		return s->state == SESSION_CLOSED ? UNIT_CLOSED : UNIT_WAIT;
	}
	p = session_pool(s, b);
	if (p == NULL) {
		session_unit_error(s, u, "53300", "too many pools", NULL,
		    NULL);
		return UNIT_WAIT;
	}
	switch (pool_lease(p, &s->waiter, s->started, &srv, &why)) {
	case LEASE_GOT:
		session_leased(s, srv, b);
		return UNIT_DONE;
	case LEASE_WAIT:
		stat_add(&session_metrics(s)->c.waits, 1);
		s->waiting = p;
		s->backend = b;
		session_enter(s, SESSION_SERVER_WAIT);
		return UNIT_WAIT;
	default:
		if (!fill_stale(s, u, &why))
			session_unit_error(s, u, why.sqlstate, why.text, NULL,
			    NULL);
		return s->state == SESSION_CLOSED ? UNIT_CLOSED : UNIT_WAIT;
	}
}

/* Its database was paused while the grant was on its way. */
static void
session_wait_on(struct session *s, struct server *srv)
{
	nsec_t since = s->waiter.since;
	struct pool_error why;

	pool_put(srv->pool, srv);
	switch (pool_lease(s->waiting, &s->waiter, since, &srv, &why)) {
	case LEASE_GOT: /* and resumed by now */
		session_granted(s->sw->w, s->id, srv);
		break;
	case LEASE_WAIT:
		break;
	case LEASE_FAILED:
		session_lease_failed(s->sw->w, s->id, &why);
		break;
	}
}

void
session_granted(struct worker *w, uint64_t id, struct server *srv)
{
	struct session *s = session_find(w->sessions, id);
	nsec_t waited;

	if (s == NULL && (hub_granted(w, id, srv) ||
	    part_granted(w, id, srv) || aside_granted(w, id, srv)))
		return;
	if (s == NULL || s->waiting != srv->pool) {
		pool_put(srv->pool, srv);
		return;
	}
	if ((s->state == SESSION_SERVER_WAIT ||
	    s->db->pool_mode == POOL_MODE_SESSION) &&
	    !pool_may_serve(&s->waiter)) {
		session_wait_on(s, srv);
		return;
	}
	waited = clock_mono() - s->waiter.since;
	hist_record(&w->metrics->wait, waited);
	stat_add(&w->metrics->c.wait_nanoseconds, waited);
	stat_add(&s->stats->wait_time, waited);
	s->waiting = NULL;
	if (s->state == SESSION_WELCOME) {
		session_welcome(s, srv);
		return;
	}
	CHECK(s->state == SESSION_SERVER_WAIT);
	s->trail.queued += waited;
	session_leased(s, srv, s->backend);
	s->granted = true;
	session_enter(s, SESSION_IDLE);
	session_pump(s);
}

void
session_lease_failed(struct worker *w, uint64_t id,
    const struct pool_error *why)
{
	struct session *s = session_find(w->sessions, id);

	if (s == NULL && (hub_failed(w, id, why) ||
	    part_lease_failed(w, id, why) || aside_lease_failed(w, id)))
		return;
	if (s == NULL || s->waiting == NULL)
		return;
	s->waiting = NULL;
	if (s->state == SESSION_WELCOME)
		session_unwelcome(s, why);
	else
		session_no_server(s, why);
}
