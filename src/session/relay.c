/* SPDX-License-Identifier: PostgreSQL
 *
 * What the server says, on its way to the client.
 *
 * The server hands over runs of bytes that belong to this client and tells of
 * the few messages that matter; here they become invalidations, transaction
 * status, recordings and the release of the server.  Writes are bumped at the
 * ReadyForQuery that ends the transaction, before the client sees it.  Runs on
 * the session's worker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/planted.h"
#include "conf/vouch.h"
#include "layout/job.h"
#include "layout/standby.h"
#include "pgwire/msgwrite.h"
#include "session/explain.h"
#include "session/fill.h"
#include "session/mirroring.h"
#include "session/shadow.h"
#include "session/trial.h"

/* ---- invalidation ------------------------------------------------------------- */

static const struct hash128 no_hash;
static _Atomic uint64_t statement_epoch = 1;

void
session_statements_outdated(void)
{
	atomic_fetch_add(&statement_epoch, 1);
}

uint64_t
session_statement_epoch(void)
{
	return atomic_load_explicit(&statement_epoch, memory_order_relaxed);
}

static void
write_set_bump(struct session_worker *sw, const struct write_set *w)
{
	const tag_t all = TAG_ALL;
	/* Results of the other process may depend on other tags. */
	const bool whole = w->all || sw->yields;
	unsigned i;

	if (PLANTED(NO_INVALIDATION))
		return;
	stat_add(&sw->w->metrics->c.cache_bumps, 1);
	if (atomic_load_explicit(&standby_is_on, memory_order_relaxed))
		standby_written();
	if (w->ddl)
		session_statements_outdated();
	if (w->doubt)
		vouch_doubt();
	/* L2 first: whoever sees the new generations must find L2 closed for
	 * these tags until Redis has acknowledged. */
	if (sw->l2 != NULL)
		l2_bump(sw->l2, whole ? &all : w->tag, whole ? 1 : w->n);
	if (whole)
		tag_bump(TAG_ALL);
	else
		for (i = 0; i < w->n; i++)
			tag_bump(w->tag[i]);
}

/* A transaction keeps the configuration that it began with; by keys of a newer
 * one it has noted nothing. */
static bool
relay_writes_all(const struct session *s)
{
	return s->writes.all || (s->conf != s->sw->setup.conf &&
	    !conf_tag_keys_eq(s->conf, s->sw->setup.conf));
}

void
session_write_bump(struct session *s, bool clear)
{
	if (!s->writes.any)
		return;
	s->writes.all = relay_writes_all(s);
	write_set_bump(s->sw, &s->writes);
	if (clear)
		memset(&s->writes, 0, sizeof(s->writes));
}

/* The client went away with writes under way: they count when their outcome
 * is decided, which nobody will be told. */
struct orphan_writes {
	struct server_orphan base;
	struct write_set writes;
};

static void
orphan_settled(struct server_orphan *o, struct worker *w)
{
	struct orphan_writes *ow = (struct orphan_writes *)(void *)o;

	write_set_bump(w->sessions, &ow->writes);
	free(ow);
}

struct server_orphan *
session_orphan(const struct session *s)
{
	struct orphan_writes *ow;

	if (!s->writes.any)
		return NULL;
	ow = x_calloc(1, sizeof(*ow));
	ow->base.settled = orphan_settled;
	ow->writes = s->writes;
	ow->writes.all = relay_writes_all(s);
	return &ow->base;
}

/* ---- server_ops ------------------------------------------------------------------ */

static void
relay_forward(void *lessee, const char *p, size_t n)
{
	struct session *s = lessee;

	if (unlikely(s->trail.on))
		trail_heard(s);
	if (unlikely(s->reading != NULL) && session_reading_holds(s, p, n))
		return;
	if (s->fill != NULL)
		fill_record(s, p, n);
	s->candidate.bytes += n;
	if (unlikely(s->shadow != NULL))
		shadow_answer(s, p, n);
	if (s->repeat != NULL)
		session_said(s);
	if (unlikely(explain_runs(s)))
		explain_answered(s, NULL, p, n);
	if (mirroring_is_wrapped(s))
		mirroring_pass(s, p, n);
	else
		session_send(s, p, n);
	if (s->state != SESSION_CLOSED && s->server != NULL &&
	    stream_backlog(&s->st) > STREAM_HIGH_WATER)
		stream_read_stop(&s->server->st);
}

/* The server has no named statement any more, for anybody. */
static void
relay_deallocated(struct session *s)
{
	prepared_doubt(&s->server->prepared);
	statements_clear_named(&s->prepared, &s->sw->statements);
}

static void
relay_completed(void *lessee, const char *tag, bool hidden)
{
	struct session *s = lessee;

	if (hidden) {
		if (unlikely(s->mirroring != NULL))
			mirroring_completed_own(s, tag);
		return;
	}
	if (unlikely(s->trail.on))
		trail_completed(s, tag);
	if (unlikely(s->mirroring != NULL))
		mirroring_completed(s, tag, s->completed);
	if (s->listening != NULL)
		session_listen_completed(s, tag);
	s->completed++;
	s->rolled_back = false;
	switch (tag[0]) {
	case 'R':
		s->rolled_back = strcmp(tag, "ROLLBACK") == 0;
		session_doubt_pins(s);
		break;
	case 'C':
		/* COMMIT AND CHAIN, or a COMMIT in the middle of a string of
		 * statements: others may see the rows from now on. */
		if (strncmp(tag, "COMMIT", 6) == 0)
			session_write_bump(s, false);
		break;
	case 'D':
		if (strcmp(tag, "DISCARD SEQUENCES") == 0)
			s->over |= PIN_BIT(PIN_SEQUENCE);
		if (strcmp(tag, "DISCARD ALL") == 0) {
			s->over |= s->over & OVER_ALONE ? OVER_ALL : 0;
			relay_deallocated(s);
		}
		if (strcmp(tag, "DEALLOCATE ALL") == 0)
			relay_deallocated(s);
		break;
	default:
		break;
	}
}

/* A Parse of the unnamed statement has ended the one before it. */
static void
relay_unnamed_refused(struct session *s)
{
	struct parsing *p;

	TAILQ_FOREACH(p, &s->parsing, link)
		if (*p->name == '\0') {
			statement_unref(&s->sw->statements, &p->before);
			return;
		}
	statements_drop_unnamed(&s->prepared, &s->sw->statements);
}

static bool
relay_failed(void *lessee, const char *body, size_t n, bool own)
{
	struct session *s = lessee;
	struct wire_error e;
	bool whole;

	if (unlikely(s->reading != NULL)) {
		session_reading_release(s);
		if (s->state == SESSION_CLOSED)
			return true;
	}
	s->erred = true;
	stat_add(&session_metrics(s)->c.query_errors, 1);
	session_doubt_pins(s);
	settings_failed(&s->set);
	if (s->listening != NULL)
		session_listen_failed(s);
	if (own) {
		session_send(s, s->server->owed.failed_text.p,
		    s->server->owed.failed_text.n);
		return true;
	}
	whole = msgread_error(body, n, &e);
	if (unlikely(s->trail.on))
		trail_error(s, body, n);
	if (s->unread && s->completed == 0 && !e.inner &&
	    slice_eq_str(e.sqlstate, "42601"))
		s->over |= PIN_BIT(PIN_UNPARSED);
	if (s->rewritten != NULL)
		layout_doubt(e.sqlstate);
	if (slice_eq_str(e.severity, "FATAL") ||
	    slice_eq_str(e.severity, "PANIC"))
		s->closing_fatal = true;
	if (whole)
		session_fault(s, body, n);
	if (s->server->owed.failed == OWED_PARSE &&
	    (s->server->owed.failed_flags & (LEDGER_UNNAMED | LEDGER_HIDE |
	    LEDGER_NAME)) == LEDGER_UNNAMED)
		relay_unnamed_refused(s);
	s->again = false;
	if (s->server->owed.failed_flags & LEDGER_STEP)
		session_step_failed(s);
	if (whole && ((e.position.n > 0 && (s->rewritten != NULL ||
	    session_terms(s) != NULL)) ||
	    (e.message.n > 0 && session_names_ours(e.message.p)))) {
		session_own_terms(s, body, n, e.position);
		return true;
	}
	return false;
}

static bool
relay_mend(void *lessee, const char *body, size_t n)
{
	struct session *s = lessee;

	return session_mend(s, body, n) || (s->reading != NULL &&
	    session_reading_mends(s, body, n));
}

static void
relay_named(void *lessee, enum named how)
{
	struct session *s = lessee;
	struct parsing *p = TAILQ_FIRST(&s->parsing), *behind;

	CHECK(p != NULL);
	behind = TAILQ_NEXT(p, link);
	TAILQ_REMOVE(&s->parsing, p, link);
	if (how != NAMED_DONE && !p->undone) {
		statements_remove(&s->prepared, &s->sw->statements,
		    slice_str(p->name));
		/* A Parse of the unnamed one ends that before it in any case. */
		if (p->before != NULL && (how == NAMED_SKIPPED ||
		    *p->name != '\0'))
			statements_set(&s->prepared, &s->sw->statements,
			    slice_str(p->name), statement_ref(p->before));
		/* What the name was before the first of those that an error
		 * takes along, it is again. */
		for (; behind != NULL && behind->group == p->group;
		    behind = TAILQ_NEXT(behind, link))
			behind->undone |= strcmp(behind->name, p->name) == 0;
	}
	statement_unref(&s->sw->statements, &p->before);
	free(p);
}

void
session_names_skipped(struct session *s)
{
	while (!TAILQ_EMPTY(&s->parsing))
		relay_named(s, NAMED_SKIPPED);
}

static void
relay_row(void *lessee, const char *body, size_t n)
{
	settings_answer(lessee, body, n);
	session_pins_answer(lessee, body, n);
	session_reading_row(lessee, body, n);
}

static void
relay_copy_in(void *lessee)
{
	struct session *s = lessee;

	/* The answer to a COPY is the client's to give. It may have spoken
	 * already, or have said goodbye. */
	if (s->leaving) {
		session_close(s, CLOSE_TERMINATE, NULL);
		return;
	}
	stream_read_start(&s->st);
	session_pump(s);
}

static bool
relay_notification(void *lessee, const char *body, size_t n)
{
	return session_listen_own(lessee, body, n);
}

/* What the client is to believe of it; false: nothing new, or not in the server's
 * words. */
static bool
relay_app_name(struct session *s, const char *value)
{
	struct server *srv = s->server;
	const char *now = s->app_name != NULL ? s->app_name : "";
	const char *born = s->app_born != NULL ? s->app_born : now;
	/* What a native EXECUTE does is not known. */
	bool reset = (s->set.app_reset || s->native) &&
	    strcmp(value, srv->app_born) == 0;

	free(srv->app_name);
	srv->app_name = x_strdup(value);
	if (strcmp(reset ? born : value, now) == 0)
		return false;
	/* born may be what it was. */
	s->app_news = reset;
	session_set_app_name(s, reset ? born : value);
	return !reset;
}

static bool
relay_parameter(void *lessee, const char *name, const char *value)
{
	struct session *s = lessee;

	if (strcmp(name, "application_name") == 0)
		return relay_app_name(s, value);
	if (s->reading != NULL) {
		session_reading_spoil(s);
		s->server->settings_changed = true;
		return false;
	}
	/* What the lexer and the router must know at once. */
	if (strcmp(name, "standard_conforming_strings") == 0)
		s->backslashes = strcmp(value, "on") != 0;
	if (strcmp(name, "client_encoding") == 0)
		s->other_encoding = strcmp(value, "UTF8") != 0;
	/* Not by a SET of this session: the server's configuration changed,
	 * and its results may look different from now on. */
	if (!session_is_pinned(s) && !s->tx_dirty)
		s->server->settings_changed = true;
	return true;
}

static void
relay_parameter_own(void *lessee)
{
	struct session *s = lessee;
	struct msgwrite w;
	struct buf b;

	if (!s->app_news)
		return;
	s->app_news = false;
	buf_init(&b, 256);
	msgwrite_init(&w, &b);
	msgwrite_param_status(&w, "application_name", s->app_name);
	CHECK(!w.failed);
	session_send(s, buf_head(&b), buf_len(&b));
	buf_reset(&b);
}

/* The writes of the transaction that ended. More may be on their way behind
 * it: they were noted when they were sent, so nothing is forgotten before the
 * server owes nothing more. */
static void
relay_settle_writes(struct session *s, bool last)
{
	/* A lone ROLLBACK undid them all, or there were none. */
	if (last && ((s->rolled_back && s->completed == 1) ||
	    s->over == PIN_BIT(PIN_UNPARSED)))
		memset(&s->writes, 0, sizeof(s->writes));
	else
		session_write_bump(s, last);
}

/* A DISCARD of some state or all, alone. */
static void
relay_discarded(struct session *s, uint32_t over)
{
	session_unpin(s, over & OVER_ALL ? UINT32_MAX : over);
	s->server->sequences_of = s->id;
	if (!(over & OVER_ALL))
		return;
	s->native = s->renamed = false;
	settings_discarded(s);
}

/* What the unit at hand ended, if nothing was sent behind it. */
static void
relay_settle_pins(struct session *s, bool last)
{
	uint32_t over = s->over & ~(OVER_ASKED | OVER_ALONE);

	if (last && over == PIN_BIT(PIN_UNPARSED))
		session_unpin(s, over); /* nothing was run */
	else if (last && over != 0 && s->completed == 1)
		relay_discarded(s, over);
	s->over = last ? 0 : s->over & (OVER_ASKED | OVER_ALONE);
	s->unread = false;
}

static void
relay_measured(struct session *s, nsec_t took)
{
	trial_record(s, &s->mark, took, false, s->erred);
	s->mark.at = 0;
}

static void
relay_synced(void *lessee, char status)
{
	struct session *s = lessee;
	bool last = ledger_empty(&s->server->owed);
	nsec_t now = s->sw->w->now = clock_mono();

	if (unlikely(s->mirroring != NULL)) {
		if (mirroring_holds(s, status))
			return;
		mirroring_synced(s, status, s->erred);
	}
	if (unlikely(s->reading != NULL)) {
		if (!session_reading_synced(s, now)) {
			s->completed = s->noted = 0;
			return;
		}
	} else {
		lag_read_elsewhere(&s->reader, now);
	}
	if (s->tx == 'I')
		s->tx_began = s->started;
	s->tx = status;
	s->since = now;
	metrics_time(session_metrics(s), s->series, now - s->started);
	if (unlikely(s->mark.at != 0) && !s->again)
		relay_measured(s, now - s->started);
	/* One that failed tells nothing of the arms, nor does the time of one that
	 * is sent again, and of several answers it is not known where they end. */
	if (unlikely(s->shadow != NULL) && (s->again || s->erred || !last))
		shadow_drop(s);
	s->erred = false;
	if (s->timed != NULL)
		session_timed(s, now - s->started);
	stat_add(&s->stats->query_time, now - s->started);
	if (status == 'I') {
		stat_add(&s->stats->transactions, 1);
		stat_add(&s->stats->transaction_time, now - s->tx_began);
		relay_settle_writes(s, last);
		if (last) {
			s->tx_dirty = s->savepoints = false;
			settings_transaction_ended(s);
		}
		stat_add(&session_metrics(s)->c.transactions, 1);
	}
	if (s->listening != NULL)
		session_listen_synced(s, status);
	if ((s->over | s->pins) != 0)
		relay_settle_pins(s, last);
	s->completed = s->noted = 0;
	s->rolled_back = false;
}

void
session_ask(struct session *s, struct slice sql)
{
	struct buf *c = &s->sw->compose;
	struct msgwrite w;
	struct iovec iov;

	buf_consume(c, buf_len(c));
	msgwrite_init(&w, c);
	msgwrite_query(&w, sql);
	if (w.failed || !server_owe(s->server, OWED_QUERY,
	    LEDGER_HIDE | LEDGER_MUTE, no_hash)) {
		session_close(s, CLOSE_MEMORY, NULL);
		return;
	}
	s->server->has_unnamed = false;
	iov.iov_base = buf_head(c);
	iov.iov_len = buf_len(c);
	(void)!server_send(s->server, &iov, 1);
}

/* A transaction is over. true: the server is asked what it left. */
static bool
relay_asks(struct session *s)
{
	return (s->set.touched.count | s->set.asked.count | s->pins) != 0 &&
	    (settings_ask(s) || session_ask_pins(s));
}

/* The server owes nothing, and the transaction is ours. false: it goes on. */
static bool
relay_ends_own(struct session *s, char status)
{
	if (mirroring_asks(s, status))
		return false;
	if (!mirroring_is_counted(s))
		relay_synced(s, status);
	mirroring_tell(s);
	return s->state != SESSION_CLOSED;
}

static void
relay_ready(void *lessee, char status)
{
	struct session *s = lessee;
	struct server *srv = s->server;
	nsec_t ended;

	if (mirroring_is_wrapped(s) && !relay_ends_own(s, status))
		return;
	ended = s->since;
	if (s->again) {
		session_repeat(s);
		return;
	}
	if (unlikely(s->reading != NULL)) {
		if (session_reading_has_failed(s)) {
			session_reading_again(s);
			return;
		}
		session_reading_free(s);
	}
	session_forget_unit(s);
	if (unlikely(s->trail.on) && s->unit_len == 0)
		trail_end(s, ended);
	if (unlikely(s->shadow != NULL))
		shadow_answered(s, ended);
	if (s->fill != NULL)
		fill_finish(s, status);
	else if (s->candidate.shape != NULL)
		session_candidate_done(s, ended);
	s->open_unit = false;
	s->sampling = 0;
	if (status == 'I' && (relay_asks(s) || session_reading_asks(s)))
		return;
	session_enter(s, SESSION_IDLE);
	s->since = ended;
	if (status == 'I' && !session_is_pinned(s) &&
	    s->db->pool_mode == POOL_MODE_TRANSACTION) {
		/* It waits for the rest of a CopyData that it gave up. */
		if (s->body_left > 0 && !s->body_drop)
			srv->doomed = s->body_drop = true;
		s->server = NULL;
		server_give_back(srv, false);
	}
	if ((s->sw->draining || s->sw->moving) && s->tx == 'I' &&
	    session_boundary(s))
		return;
	if (buf_len(&s->in) > 0 || !s->st.reading)
		session_pump(s);
}

static void
relay_quiet(void *lessee)
{
	struct session *s = lessee;

	/* COPY data that came ahead of an invitation: there will be none. */
	if (buf_len(&s->in) > 0)
		session_pump(s);
}

static void
relay_cancelled(void *lessee)
{
	struct session *s = lessee;

	if (s->state != SESSION_CANCEL_WAIT)
		return;
	s->granted = true;
	session_enter(s, SESSION_IDLE);
	session_pump(s);
}

static void
relay_lost(void *lessee, const char *why)
{
	struct session *s = lessee;
	bool cut = s->server->body_left > 0;

	s->server = NULL;
	if (s->reading != NULL && session_reading_untold(s)) {
		session_reading_again(s);
		return;
	}
	if (unlikely(s->mark.at != 0)) {
		s->erred = true;
		relay_measured(s, clock_mono() - s->started);
	}
	/* Whether a write took effect is unknown: count it as done. */
	session_write_bump(s, true);
	fill_drop(s);
	/* Words of ours would pass for the rest of a message. */
	session_close(s, s->closing_fatal ? CLOSE_SERVER_FATAL :
	    cut ? CLOSE_SERVER_CUT : CLOSE_SERVER_LOST, why);
}

static void
relay_drained(void *lessee)
{
	struct session *s = lessee;

	/* The client is not to blame for this pause. */
	if (s->partial_since != 0)
		s->partial_since = clock_mono();
	if (s->state == SESSION_RELAY || s->state == SESSION_IDLE)
		stream_read_start(&s->st);
}

const struct server_ops session_server_ops = {
	.forward = relay_forward,
	.completed = relay_completed,
	.failed = relay_failed,
	.mend = relay_mend,
	.named = relay_named,
	.row = relay_row,
	.copy_in = relay_copy_in,
	.notification = relay_notification,
	.parameter = relay_parameter,
	.parameter_own = relay_parameter_own,
	.synced = relay_synced,
	.ready = relay_ready,
	.quiet = relay_quiet,
	.cancelled = relay_cancelled,
	.lost = relay_lost,
	.drained = relay_drained,
};

/* ---- the end --------------------------------------------------------------------------- */

/* State that DISCARD ALL does not undo. */
#define PINS_TO_CLOSE (PIN_BIT(PIN_FUNCTION) | PIN_BIT(PIN_CODE) | \
	PIN_BIT(PIN_LOAD) | PIN_BIT(PIN_UNPARSED))

void
session_release_at_end(struct session *s)
{
	struct server *srv = s->server;

	if (srv == NULL)
		return;
	s->server = NULL;
	if (s->pins & PINS_TO_CLOSE)
		srv->doomed = true;
	if (ledger_empty(&srv->owed) && srv->tx == 'I' && !s->open_unit &&
	    s->body_left == 0) {
		server_give_back(srv, session_is_pinned(s) ||
		    settings_are_open(s) ||
		    s->db->pool_mode == POOL_MODE_SESSION);
		return;
	}
	server_abandon(srv, session_orphan(s),
	    s->body_left > 0 && !s->body_drop);
}
