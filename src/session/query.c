/* SPDX-License-Identifier: PostgreSQL
 *
 * The life of a statement: ask the cache, get a server, send.
 *
 * Knows units and decisions; recognising is in plans.c, what a statement does
 * to its session in effects.c, the extended protocol's message work in
 * extended.c, what needs no server in local.c.  Runs on the session's worker.
 * A unit that has to wait stays at the head of the session's input and is
 * looked at anew when the wait is over: nothing about it is remembered but its
 * fill and, once granted, its server.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/planted.h"
#include "pgwire/msgwrite.h"
#include "session/explain.h"
#include "session/fill.h"
#include "session/gather.h"
#include "session/mirroring.h"
#include "session/shadow.h"
#include "session/spread.h"
#include "session/trial.h"

#define PIPELINE_MAX 20000u /* replies owed before we stop reading */

static const struct hash128 no_hash;

bool
query_remember(struct session *s, struct slice sql, unsigned form)
{
	free(s->rewritten);
	s->rewritten = form == FORM_ASIS ? NULL : strndup(sql.p, sql.n);
	s->form = form;
	return form == FORM_ASIS || s->rewritten != NULL;
}

void
query_adapt(struct session *s, struct query *q)
{
	const struct conf_variant *v = q->where.variant;

	if (s->server == NULL || s->backend == q->where.backend)
		return;
	if (s->tx == 'E' || (q->plan->table == NULL &&
	    q->shape->an->n_tables == 0)) {
		q->where.backend = s->backend;
		q->where.form = FORM_ASIS;
	} else if (v != NULL && v->backend == s->backend) {
		q->where.backend = s->backend;
		q->where.form = FORM_RELATION;
		q->where.shard = NULL;
	}
}

/* session_go_native() looks at other statements. */
static bool
query_go_native(struct session *s, struct buf *b, struct query *q)
{
	struct query again;

	/* It may be a shape that was kept, without values. */
	query_prepare(s, &again, q->sql, NULL, NULL);
	if (!session_go_native(s, b, session_ends_failed(s, &again)))
		return false;
	query_prepare(s, &again, q->sql, NULL, NULL);
	q->values = again.values;
	return true;
}

/* Send a simple query to the leased server. */
static enum unit_result
query_send(struct session *s, const struct unit *u, struct query *q,
    enum outcome o)
{
	bool native = session_needs_native(s, q->shape->an);
	struct buf *b = &s->sw->compose;
	struct slice sent = q->sql;
	struct iovec iov[2];
	struct msgwrite w;
	unsigned flags = 0;
	int n = 0;

	buf_consume(b, buf_len(b));
	if (unlikely(q->mirrors))
		mirroring_wrap(s, u, q->shape->an->flags);
	if (!session_preamble(s, b, q->shape->an->pins, q->shape->an->flags))
		goto fail;
	if (unlikely(native) && !query_go_native(s, b, q))
		goto fail;
	if (unlikely(q->shape->an->flags & AN_DISCARD_ALL))
		s->over |= native ? OVER_ASKED : OVER_ASKED | OVER_ALONE;
	if (unlikely(s->open_unit) && u->first == 'Q' &&
	    s->prepared.unnamed != NULL) {
		session_naming(s, slice_make(NULL, 0));
		flags = LEDGER_NAME;
	}
	if (q->where.form != FORM_ASIS) {
		struct buf *t = &s->sw->text;

		buf_consume(t, buf_len(t));
		if (!route_rewrite(q->plan, q->shape, &q->values,
		    q->where.form, t))
			goto fail;
		sent = slice_make(buf_head(t), buf_len(t));
		msgwrite_init(&w, b);
		msgwrite_query(&w, sent);
		if (w.failed)
			goto fail;
	}
	if (unlikely(explain_runs(s)))
		explain_asked(s, NULL, s->backend, q->where.shard, "", sent);
	if (!server_owe(s->server, u->first == 'F' ? OWED_FUNCTION :
	    OWED_QUERY, flags, no_hash))
		goto fail;
	if (!query_remember(s, q->sql, q->where.form))
		goto fail;
	query_note(s, q);
	query_note_settings(s, q);
	if (u->first == 'Q') { /* a FunctionCall leaves it */
		s->server->has_unnamed = false;
		statements_drop_unnamed(&s->prepared, &s->sw->statements);
	}
	query_account(s, q, s->backend, o);
	if (unlikely(q->shadow.at != 0) && s->state != SESSION_RELAY &&
	    !s->open_unit)
		shadow_begin(s, u, q);
	if (buf_len(b) > 0) {
		iov[n].iov_base = buf_head(b);
		iov[n++].iov_len = buf_len(b);
	}
	if (q->where.form == FORM_ASIS) {
		iov[n].iov_base = (void *)(uintptr_t)u->p;
		iov[n++].iov_len = u->n;
	}
	session_enter(s, SESSION_RELAY);
	s->open_unit = s->long_bind = false;
	if (unlikely(u->rest > 0))
		session_stream(s, u, false);
	if (unlikely(s->trail.on))
		trail_asked(s);
	(void)!server_send(s->server, iov, n);
	if (stream_backlog(&s->server->st) > STREAM_HIGH_WATER)
		stream_read_stop(&s->st);
	return UNIT_DONE;
fail:
	session_close(s, CLOSE_MEMORY, NULL);
	return UNIT_CLOSED;
}

/* What a wait-or-error result means for the caller: errors have consumed the
 * unit. */
static enum unit_result
unit_after(const struct session *s, enum unit_result r)
{
	if (s->state == SESSION_CLOSED)
		return UNIT_CLOSED;
	if (r == UNIT_WAIT && s->state != SESSION_SERVER_WAIT &&
	    s->state != SESSION_CANCEL_WAIT)
		return UNIT_DONE;
	return r;
}

/* k: the cache key, if why is BYPASS_NONE. */
static enum unit_result
query_run(struct session *s, struct unit *u, struct query *q,
    const struct cache_key *k, enum bypass_reason why)
{
	enum unit_result r;

	if (q->plan->err_sqlstate != NULL && s->tx != 'E') {
		session_unit_error(s, u, q->plan->err_sqlstate,
		    q->plan->err_message, NULL, q->plan->err_hint);
		return unit_after(s, UNIT_WAIT);
	}
	query_adapt(s, q);
	if (q->plan->bypass != BYPASS_NONE)
		why = q->plan->bypass;
	else if (q->where.bypass != BYPASS_NONE)
		why = q->where.bypass;
	if (unlikely(q->where.hint.bad.n > 0) && s->unit_len == 0)
		stat_add(&session_metrics(s)->c.hints_bad, 1);
	if (!s->granted && why == BYPASS_NONE) {
		switch (fill_begin(s, u, q, k)) {
		case FILL_ANSWERED:
			return unit_after(s, UNIT_DONE);
		case FILL_WAIT:
			return UNIT_WAIT;
		case FILL_RUN:
			break;
		}
	} else if (!s->granted) {
		session_bypass(s, why, 1);
		if (why == BYPASS_NO_RULE)
			session_candidate(s, u, q);
	}
	if ((q->where.gathers && gather_begin(s, u, q, &r)) ||
	    (((q->where.splits && !q->mirrors) ||
	    q->shape->an->kind == STMT_COPY_IN) &&
	    spread_begin(s, u, q, &r)))
		return r;
	if (unlikely(q->where.backend->n_replicas > 0) &&
	    session_reading_begin(s, u, q))
		return u->first == 'Q' ? query_send(s, u, q, OUT_BYPASS) :
		    session_compose(s, u, q);
	r = session_acquire(s, u, q->where.backend);
	if (r != UNIT_DONE)
		return unit_after(s, r);
	if (unlikely(session_asks_past_failure(s, q->shape->an->pins,
	    q->shape->an->flags)) && !session_ends_failed(s, q)) {
		session_sequences_refuse(s, u);
		return unit_after(s, UNIT_WAIT);
	}
	fill_server(s, s->server);
	if (u->first == 'Q')
		return query_send(s, u, q, s->fill != NULL ? OUT_MISS :
		    OUT_BYPASS);
	return session_extended(s, u, q);
}

void
session_unit_done(struct session *s, const struct unit *u,
    struct statement *st)
{
	struct statement_table *t = &s->sw->statements;
	nsec_t took = (s->sw->w->now = clock_mono()) - s->started;

	if (u->first == 'Q')
		statements_drop_unnamed(&s->prepared, t);
	else if (u->has_parse)
		statements_set(&s->prepared, t, u->parse.name,
		    statement_ref(explain_prepared(s, st)));
	lag_read_elsewhere(&s->reader, s->sw->w->now);
	metrics_time(session_metrics(s), s->series, took);
	if (unlikely(s->trail.on))
		trail_end(s, s->sw->w->now);
	if (unlikely(s->mark.at != 0))
		trial_record(s, &s->mark, took, false, false);
	stat_add(&s->stats->query_time, took);
	stat_add(&s->stats->transactions, 1);
	stat_add(&s->stats->transaction_time, took);
	stat_add(&session_metrics(s)->c.transactions, 1);
}

/* Nothing that is known of a text without its end is certain: what cannot be
 * lexed stands for it. */
static bool
unit_sql(const struct unit *u, struct slice *sql)
{
	size_t n = u->n - 5;

	if (unlikely(u->rest > 0)) {
		*sql = SLICE_LIT("'");
		return true;
	}
	*sql = slice_make(u->p + 5, n > 0 ? n - 1 : 0);
	return n > 0 && memchr(u->p + 5, '\0', n) == u->p + u->n - 1;
}

/* A statement that names no routed table and waits for a server would be
 * recognised and decided just the same when it has one: keep its shape. (Its
 * backend is the session's by then, and its text goes as it is.) Not without its
 * values where these tell what a write ends. */
static void
query_keep(struct session *s, const struct query *q)
{
	query_forget(s);
	if (q->plan->table == NULL && s->fill == NULL &&
	    q->shape->an->n_settings == 0 &&
	    (q->plan->n_writes == 0 || q->plan->n_tag_keys == 0))
		s->kept = shape_ref(q->shape);
}

static void
query_recall(struct session *s, struct query *q, struct slice sql)
{
	memset(q, 0, sizeof(*q));
	q->sql = sql;
	q->shape = s->kept;
	q->plan = query_plan(s, s->kept);
	q->where.backend = s->backend;
	q->where.form = FORM_ASIS;
	q->where.shard = NULL;
}

void
query_forget(struct session *s)
{
	if (s->kept != NULL)
		shape_unref(&s->sw->shapes, &s->kept);
}

static enum unit_result
unit_query(struct session *s, struct unit *u)
{
	enum bypass_reason why = BYPASS_NONE;
	enum unit_result r;
	struct cache_key k;
	struct slice sql;
	struct query q;

	if (!unit_sql(u, &sql)) {
		session_close(s, CLOSE_PROTOCOL, "invalid Query message");
		return UNIT_CLOSED;
	}
	if (!s->granted && fill_key(s, u, sql, NULL, &k, &why) &&
	    s->fill == NULL && fill_hit(s, u, NULL, &k))
		return UNIT_DONE;
	if (s->granted && s->kept != NULL) {
		query_recall(s, &q, sql);
		return query_send(s, u, &q, OUT_BYPASS);
	}
	query_prepare(s, &q, sql, NULL, NULL);
	if (unlikely(s->trail.on))
		trail_query(s, &q);
	if (s->listening != NULL && session_listen_commit(s, &q, &r))
		return r;
	if (session_local(s, u, &q))
		return unit_after(s, UNIT_DONE);
	if (q.shape->an->flags & AN_EXPLAIN_ROUTE) {
		explain_blank(u);
		return unit_query(s, u);
	}
	if (q.shape->an->n_channels > 0 && session_listen(s, u, &q, &r))
		return r;
	if (session_sql_prepared(s, u, &q, &r))
		return unit_after(s, r);
	r = query_run(s, u, &q, &k, why);
	if (r == UNIT_WAIT && s->state == SESSION_SERVER_WAIT)
		query_keep(s, &q);
	return r;
}

/* The fast-path interface calls functions by OID: anything may happen. */
static void
function_prepare(struct session *s, struct query *q)
{
	query_prepare(s, q, SLICE_LIT("do 'fastpath'"), NULL, NULL);
}

/* Behind messages without Sync, on the same server. */
static enum unit_result
function_send(struct session *s, const struct unit *u)
{
	struct query q;

	function_prepare(s, &q);
	q.where.form = FORM_ASIS;
	return query_send(s, u, &q, OUT_BYPASS);
}

static enum unit_result
unit_function(struct session *s, struct unit *u)
{
	struct query q;
	enum unit_result r;

	function_prepare(s, &q);
	if (session_local(s, u, &q))
		return unit_after(s, UNIT_DONE);
	query_adapt(s, &q);
	if (s->server != NULL)
		q.where.backend = s->backend;
	r = session_acquire(s, u, q.where.backend);
	if (r != UNIT_DONE)
		return unit_after(s, r);
	return query_send(s, u, &q, OUT_BYPASS);
}

static enum unit_result unit_statement(struct session *s, struct unit *u,
    struct statement *st);

/* EXPLAIN (ROUTE, ANALYZE) runs what stands behind it. */
static enum unit_result
unit_explained(struct session *s, struct unit *u, struct statement *st)
{
	struct statement *inner = explain_statement(s, st);
	enum unit_result r;

	if (inner == NULL)
		return UNIT_CLOSED;
	r = unit_statement(s, u, inner);
	statement_unref(&s->sw->statements, &inner);
	return r;
}

/* The canonical unit of a statement that is found or made. */
static enum unit_result
unit_statement(struct session *s, struct unit *u, struct statement *st)
{
	enum bypass_reason why = BYPASS_NONE;
	enum unit_result r;
	struct cache_key k;
	struct query q;

	if (!s->granted && fill_key(s, u, st->sql, st, &k, &why) &&
	    s->fill == NULL && fill_hit(s, u, st, &k))
		return UNIT_DONE;
	query_prepare(s, &q, st->sql, st, &u->bind);
	if (unlikely(s->trail.on))
		trail_query(s, &q);
	if (s->listening != NULL && session_listen_commit(s, &q, &r))
		return r;
	if (session_local(s, u, &q))
		return unit_after(s, UNIT_DONE);
	if (q.shape->an->flags & AN_EXPLAIN_ROUTE)
		return unit_explained(s, u, st);
	if (q.shape->an->n_channels > 0 && session_listen(s, u, &q, &r))
		return r;
	if (session_sql_prepared(s, u, &q, &r))
		return unit_after(s, r);
	return query_run(s, u, &q, &k, why);
}

static enum unit_result
unit_canonical(struct session *s, struct unit *u)
{
	struct statement *st = statements_find(&s->prepared,
	    u->bind.statement);
	enum unit_result r;

	if (!u->has_parse && st != NULL)
		return unit_statement(s, u, st);
	if (!u->has_parse || (st != NULL && u->parse.name.n > 0))
		return unit_after(s, session_extended(s, u, NULL));
	/* The unnamed statement, sent again by a driver: nothing changes. */
	if (st != NULL && slice_eq(st->sql, u->parse.sql) &&
	    slice_eq(st->types, slice_make(u->parse.oids,
	    (size_t)u->parse.n_oids * 4)))
		return unit_statement(s, u, st);
	st = session_statement(s, &u->parse);
	if (st == NULL)
		return UNIT_CLOSED;
	s->refused = false;
	r = unit_statement(s, u, st);
	/* Answering may have found the client gone, and closed the session. */
	if (r == UNIT_DONE && !s->refused && s->state != SESSION_CLOSED)
		statements_set(&s->prepared, &s->sw->statements,
		    u->parse.name, st);
	else
		statement_unref(&s->sw->statements, &st);
	return r;
}

/* Wait for ReadyForQuery, if one can come. */
static enum unit_result
unit_wait_ready(struct session *s, const struct unit *u)
{
	if (!s->open_unit)
		return UNIT_WAIT;
	session_unit_error(s, u, "0A000", "a statement in a pipeline needs a "
	    "Sync before it", NULL, "Send Sync before it.");
	return s->state == SESSION_CLOSED ? UNIT_CLOSED : UNIT_DONE;
}

static bool
unit_jumps_queue(struct session *s, const struct unit *u, struct slice sql)
{
	enum bypass_reason why;
	struct cache_key k;

	return fill_key(s, u, sql, NULL, &k, &why) &&
	    fill_hit(s, u, NULL, &k);
}

/* Behind statements whose replies are still owed: only what can follow them
 * on the same server goes now. */
static enum unit_result
unit_pipelined(struct session *s, struct unit *u)
{
	struct slice sql;
	struct query q;

	if (s->reading != NULL || (s->sampling != 0 &&
	    s->server->owed.count == 1) ||
	    /* A transaction that arms get, too, goes step by step. */
	    (s->mirroring != NULL && !s->open_unit) ||
	    s->server->owed.count > PIPELINE_MAX || s->again ||
	    session_terms(s) != NULL || explain_runs(s) ||
	    /* What a name means is known when it has been answered. */
	    ((s->over & OVER_ASKED) && s->server->owed.count > 0) ||
	    /* A cancel under way is for what has been sent already. */
	    ((s->server->cancels > 0 || s->server->cancel_later) &&
	    !s->open_unit) ||
	    /* The cache may have it when that is known, or shards take it. */
	    ((s->set.asked.count > 0 || s->pins_asked != 0) &&
	    s->server->owed.count == 1 &&
	    s->db->n_rules + s->db->n_tables > 0))
		return UNIT_WAIT;
	if (s->server->owed.skipping) {
		session_skip_unit(s, u);
		return s->state == SESSION_CLOSED ? UNIT_CLOSED : UNIT_DONE;
	}
	/* Its reply will not stand alone: let others fill. */
	fill_spoil(s, BYPASS_PIPELINED);
	s->candidate.shape = NULL;
	if (u->first == 'F')
		return s->open_unit ? function_send(s, u) : UNIT_WAIT;
	if (u->first != 'Q')
		return session_extended(s, u, NULL);
	if (!unit_sql(u, &sql)) {
		session_close(s, CLOSE_PROTOCOL, "invalid Query message");
		return UNIT_CLOSED;
	}
	/* It ends the unnamed statement. */
	if (session_name_is_open(s, slice_make(NULL, 0)))
		return UNIT_WAIT;
	if (PLANTED(HIT_JUMPS_QUEUE) && unit_jumps_queue(s, u, sql))
		return UNIT_DONE;
	query_prepare(s, &q, sql, NULL, NULL);
	if (unlikely(s->trail.on))
		trail_query(s, &q);
	query_adapt(s, &q);
	if (session_needs_native(s, q.shape->an) && !s->native &&
	    !ledger_empty(&s->server->owed))
		return UNIT_WAIT;
	if (q.plan->err_sqlstate != NULL || q.where.backend != s->backend ||
	    q.mirrors || (q.shape->an->flags & AN_EXPLAIN_ROUTE) ||
	    q.shape->an->n_channels > 0 ||
	    session_asks_others(s, q.shape->an->pins) ||
	    (q.shape->an->kind == STMT_PREPARE && !s->open_unit))
		return unit_wait_ready(s, u);
	session_bypass(s, BYPASS_PIPELINED, 1);
	return query_send(s, u, &q, OUT_BYPASS);
}

bool
session_sql_again(struct session *s, struct unit *u)
{
	struct statement *st = statements_find(&s->prepared,
	    slice_make(NULL, 0));
	enum unit_result r;
	struct slice sql;
	struct query q;

	if (u->first == 'Q' && unit_sql(u, &sql))
		query_prepare(s, &q, sql, NULL, NULL);
	else if (st != NULL)
		query_prepare(s, &q, st->sql, st, &u->bind);
	else
		return false;
	return session_sql_prepared(s, u, &q, &r);
}

enum unit_result
session_unit(struct session *s, struct unit *u)
{
	enum unit_result r;
	bool sync = u->first == 'S' || u->first == 'H';

	if (s->console != NULL)
		return session_console_unit(s, u);
	if (s->skip_to_sync || (sync && s->state == SESSION_IDLE)) {
		if (u->last == 'S') {
			s->skip_to_sync = false;
			session_ready(s);
		}
		return unit_after(s, UNIT_DONE);
	}
	if (s->explaining != NULL && !explain_runs(s))
		explain_drop(s);
	if (s->unit_len == 0) {
		s->queries += u->executes + (u->first == 'Q');
		stat_add(&session_metrics(s)->c.queries, u->executes +
		    (u->first == 'Q'));
		stat_add(&s->stats->queries, u->executes + (u->first == 'Q'));
	}
	if (s->state == SESSION_RELAY)
		return unit_pipelined(s, u);
	if (s->unit_len == 0) {
		if (!session_refresh_conf(s))
			return UNIT_CLOSED;
		if (likely(s->db->n_experiments == 0))
			s->slot = s->db->id;
		else
			trial_begin(s);
	}
	if (u->first == 'Q')
		r = unit_query(s, u);
	else if (u->first == 'F')
		r = unit_function(s, u);
	else if (u->canonical)
		r = unit_canonical(s, u);
	else
		r = unit_after(s, session_extended(s, u, NULL));
	if (s->prepared.no_memory && s->state != SESSION_CLOSED) {
		session_close(s, CLOSE_MEMORY, NULL);
		return UNIT_CLOSED;
	}
	if (r == UNIT_DONE)
		session_settle(s);
	if (r == UNIT_DONE && (s->sw->draining || s->sw->moving) &&
	    s->state == SESSION_IDLE && s->tx == 'I' && !s->open_unit &&
	    session_boundary(s))
		return UNIT_CLOSED;
	return r;
}
