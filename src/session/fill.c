/* SPDX-License-Identifier: PostgreSQL
 *
 * The cache from a session's point of view.
 *
 *   hit ------------------------------> answered
 *   miss -> claim -> lead -> L2? -> hit -> publish, answered
 *                 |              \-> server, record -> publish (or abandon)
 *                 \-> wait -> woken with the object -> answered
 *                                   or with nothing -> claim again
 *
 * Tag generations are recorded before L2 or a server is asked, so a write that
 * overtakes the fill leaves it dead on arrival.  A struct fill owns copies of
 * its key's bytes, since it outlives the input it was made from.  One
 * worker's thread; waking crosses threads by mailbox.
 */
#include "session/fill_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/planted.h"
#include "conf/deps.h"
#include "route/named.h"
#include "session/inherit.h"
#include "session/trial.h"
#include "sql/shape_text.h"

/* ---- answering from an object ------------------------------------------------ */

#define HOT_LEXED 65536 /* of longer texts no words are shown */

/* A cached text has been lexed before, and to the same end, whatever the
 * session's standard_conforming_strings: if that is off, backslashes in plain
 * strings are refused. */
static void
fill_hot_words(struct session *s, struct hot_key *k, struct slice sql)
{
	struct lexer *lx = &s->sw->lx;

	lx->of = slice_make(NULL, 0);
	if (lex_statement(lx, sql, true, HOT_LEXED) != LEX_OK ||
	    shape_text(slice_make(lx->shape, lx->shape_len), k->text,
	    sizeof(k->text)) == 0)
		snprintf(k->text, sizeof(k->text), "(a long statement)");
}

/* A hit of the sample. */
static void
fill_hot(struct session *s, const struct object *o, bool l2, nsec_t now)
{
	struct hot_key *k = hot_meet(s->sw->hot, &o->key.hash, now);

	k->l2 = l2;
	k->bytes = o->frames.n;
	k->shape = o->fingerprint;
	k->database = s->dbstate->name;
	/* Keys that come once are not told of. */
	if (k->met < 2 || k->text[0] != '\0')
		return;
	fill_hot_words(s, k, o->key.sql);
	snprintf(k->name, sizeof(k->name), "%.*s", (int)o->key.name.n,
	    o->key.name.p);
}

/* Returns how long the statement has taken. */
static nsec_t
fill_deliver(struct session *s, const struct unit *u, struct object *o,
    bool l2, unsigned series)
{
	static const char bound[] = "1\0\0\0\0042\0\0\0\004";
	char ready[6] = { 'Z', 0, 0, 0, 5, s->tx };
	struct trial_mark mark;
	struct iovec iov[3];
	nsec_t took;
	int n = 0;

	if (o->key.form == KEY_SIMPLE) {
		/* As at the server. */
		statements_drop_unnamed(&s->prepared, &s->sw->statements);
	} else {
		/* ParseComplete only where there was a Parse. */
		iov[n].iov_base = (char *)(uintptr_t)bound +
		    (u->has_parse ? 0 : 5);
		iov[n++].iov_len = u->has_parse ? 10 : 5;
	}
	iov[n].iov_base = (char *)(uintptr_t)o->frames.p;
	iov[n++].iov_len = o->frames.n;
	iov[n].iov_base = ready;
	iov[n++].iov_len = sizeof(ready);
	/* Counted first: whoever has the answer finds it in the metrics. */
	stat_add(l2 ? &session_metrics(s)->c.cache_hits_l2 :
	    &session_metrics(s)->c.cache_hits_l1, 1);
	took = clock_mono() - s->started;
	metrics_time(session_metrics(s), series, took);
	if (hot_hit(s->sw->hot))
		fill_hot(s, o, l2, s->started + took);
	if (unlikely(s->trail.on))
		trail_hit(s, o, series, s->started + took);
	if (unlikely(o->trial != 0)) {
		memcpy(&mark, &o->trial, sizeof(mark));
		trial_record(s, &mark, took, true, false);
	}
	session_sendv(s, iov, n);
	return took;
}

bool
fill_hit(struct session *s, const struct unit *u, struct statement *stmt,
    const struct cache_key *k)
{
	struct object *o = l1_get(session_layer_l1(), k, s->started);
	nsec_t took;

	if (o == NULL)
		return false;
	if (unlikely(o->fetched_mono < fill_since(s))) {
		stat_add(&session_metrics(s)->c.cache_too_old, 1);
		object_unref(&o);
		return false;
	}
	if (unlikely(s->trail.on))
		s->trail.unread = stmt != NULL ? stmt->sql :
		    slice_make(u->p + FRAME_HEADER, u->n - FRAME_HEADER - 1);
	took = fill_deliver(s, u, o, false, o->series);
	worth_hit(s->sw->worth, o->shape, &k->hash, took);
	if (unlikely(o->verify != 0) && s->state != SESSION_CLOSED &&
	    session_draws(s->sw, o->verify))
		verify_hit(s, u, stmt, o);
	object_unref(&o);
	return true;
}

bool
fill_names(struct session *s, const struct unit *u)
{
	struct statement *st;

	if (u->first == 'Q' || !u->has_parse)
		return true;
	st = session_statement(s, &u->parse);
	if (st == NULL)
		return false;
	statements_set(&s->prepared, &s->sw->statements, u->parse.name, st);
	return true;
}

/* The unit that waits at the head of the input gets its answer. */
static void
fill_answer_waiting(struct session *s, struct object *o, bool l2,
    unsigned series)
{
	size_t n = s->unit_len;
	struct unit u;

	CHECK(n > 0 && unit_read(&u, buf_head(&s->in), n));
	s->unit_len = 0;
	if (!fill_names(s, &u))
		return;
	worth_found(s->sw->worth, o->shape);
	(void)fill_deliver(s, &u, o, l2, series);
	if (s->state == SESSION_CLOSED)
		return;
	buf_consume(&s->in, n);
	session_pump(s);
}

/* ---- making and dropping --------------------------------------------------------- */

static struct fill *
fill_new(struct session *s, const struct query *q, const struct cache_key *k)
{
	char name[ROUTE_NAME_MAX];
	size_t n_name = route_name(q->plan, q->shape, &q->values, name);
	size_t n = k->sql.n + k->types.n + k->bind.n + n_name;
	struct fill *f = calloc(1, sizeof(*f) + n);
	char *p;

	if (f == NULL)
		return NULL;
	f->magic = FILL_MAGIC;
	p = (char *)(f + 1);
	f->key = *k;
	if (k->sql.n > 0)
		memcpy(p, k->sql.p, k->sql.n);
	f->key.sql.p = p;
	p += k->sql.n;
	if (k->types.n > 0)
		memcpy(p, k->types.p, k->types.n);
	f->key.types.p = p;
	p += k->types.n;
	if (k->bind.n > 0)
		memcpy(p, k->bind.p, k->bind.n);
	f->key.bind.p = p;
	p += k->bind.n;
	memcpy(p, name, n_name);
	f->key.name = slice_make(p, n_name);
	f->rule = q->plan->rule;
	f->view = q->plan->db;
	f->trial = q->mark;
	f->db = s->db->name;
	f->life = (struct life_rule){ .ttl = q->where.ttl,
		.l1_ttl = q->where.l1_ttl, .grace = q->where.grace,
		.stale = q->where.stale,
		.jitter = (unsigned)f->rule->ttl_jitter,
		.ahead = (unsigned)f->rule->refresh_ahead };
	f->ttl_empty = q->where.ttl_empty;
	f->dice = (uint32_t)((k->hash.lo ^ s->started) *
	    0x9e3779b97f4a7c15u >> 32);
	f->base = pool_scope(s->home);
	f->scope = settings_scope(s);
	f->sw = s->sw;
	f->session = s->id;
	f->series_l1 = query_series(s, q, q->where.backend, OUT_L1);
	f->series_l2 = query_series(s, q, q->where.backend, OUT_L2);
	f->shape = fill_shape(s, q);
	f->fingerprint = q->shape->fingerprint;
	if (s->conf->cache_tenant_share < 100)
		f->tenant = fill_tenant(q);
	buf_init(&f->rec, (size_t)s->conf->cache_max_object);
	fill_tags(&f->tags, q);
	return f;
}

void
fill_free(struct session *s)
{
	struct fill *f = s->fill;

	s->fill = NULL;
	buf_reset(&f->rec);
	if (f->lease != NULL)
		l2_release(s->sw->l2, &f->lease);
	verify_free(&f->verify);
	free(f->shared_scope);
	f->magic = 0;
	free(f);
}

/* What the end of a fill says of the next one of its key. */
enum fill_fits { FITS, FITS_SELDOM, FITS_NEVER };

static void
fill_leave(struct session *s, enum fill_fits next)
{
	struct fill *f = s->fill;
	struct l1_waiter w;

	if (f == NULL)
		return;
	CHECK_MAGIC(f, FILL_MAGIC);
	w = (struct l1_waiter){ s->sw->w->id, s->id, f->ticket, 0 };
	if (f->request != NULL)
		l2_cancel(f->request);
	f->request = NULL;
	if (f->phase != FILL_P_LEADING)
		(void)l1_forget(session_layer_l1(), &f->key, w);
	else if (next == FITS)
		l1_abandon(session_layer_l1(), &f->key);
	else
		l1_refuse(session_layer_l1(), &f->key, next == FITS_NEVER,
		    clock_mono());
	fill_free(s);
}

void
fill_drop(struct session *s)
{
	if (s->fill != NULL)
		worth_undo(s->sw->worth, s->fill->shape);
	fill_leave(s, FITS);
}

static enum fill_fits
fill_next_fits(enum bypass_reason why)
{
	switch (why) {
	case BYPASS_TOO_LARGE:
		return FITS_NEVER;
	/* These may be of one session's settings. */
	case BYPASS_NOTICE:
	case BYPASS_FAILED:
	case BYPASS_SETTINGS_DIFFER:
		return FITS_SELDOM;
	default:
		return FITS;
	}
}

void
fill_spoil(struct session *s, enum bypass_reason why)
{
	if (s->fill == NULL)
		return;
	session_bypass(s, why, 1);
	/* An error says nothing of the rows: older results are still good. */
	if (why != BYPASS_FAILED)
		l1_answered(session_layer_l1(), &s->fill->key, s->fill->wall,
		    s->fill->mono);
	fill_leave(s, fill_next_fits(why));
}

/* ---- L2 ------------------------------------------------------------------------------ */

static void
fill_on_l2(void *arg, const struct l2_found *found,
    const struct l2_tokens *tokens, struct l2_lease *lease)
{
	struct fill *f = arg;
	struct session_worker *sw = f->sw;
	struct session *s = session_find(sw, f->session);
	struct verify_job *job;
	struct object *o = NULL;
	unsigned series;
	nsec_t age;
	bool drawn;

	CHECK_MAGIC(f, FILL_MAGIC);
	CHECK(s != NULL && s->fill == f && s->state == SESSION_LOOKUP);
	f->request = NULL;
	f->asked_l2 = true;
	f->tokens = *tokens;
	if (tokens->mark.used)
		f->mark = tokens->mark;
	f->lease = lease;
	age = found != NULL && f->wall > found->fetched_wall ?
	    f->wall - found->fetched_wall : 0;
	/* It may have waited long for another process's fill. */
	if (!conf_is_vouched(s->db, clock_mono()))
		found = NULL;
	/* In this order: who vouches again has bumped before what it missed. */
	if (f->live != NULL && (!live_now(f->live, clock_mono()) ||
	    !tagset_current(&f->tags)))
		found = NULL;
	if (age > session_wishes(s)->max_staleness)
		stat_add(&session_metrics(s)->c.cache_too_old, 1);
	else if (found != NULL && l1_had_younger(session_layer_l1(), &f->key,
	    found->fetched_wall))
		stat_add(&session_metrics(s)->c.cache_outdated, 1);
	/* Who renews has that already. */
	else if (found != NULL && (!f->renews || age <
	    f->life.ttl / 100 * (100 - f->life.ahead)) &&
	    fill_limit(f, found->desc, found->data, found->fetched_wall))
		o = object_new(&f->key, found->desc, found->data, &f->tags);
	if (o == NULL) {
		session_enter(s, SESSION_IDLE);
		session_pump(s);
		return;
	}
	if (PLANTED(TTL_RESTARTED))
		age = 0;
	fill_date(o, f, f->mono > age ? f->mono - age : 0,
	    found->fetched_wall);
	o->from_l2 = true;
	l1_publish(session_layer_l1(), o, clock_mono());
	series = f->series_l2;
	drawn = f->drawn;
	job = f->verify;
	f->verify = NULL;
	fill_free(s);
	session_enter(s, SESSION_IDLE);
	fill_answer_waiting(s, o, true, series);
	if (unlikely(drawn))
		verify_submit(sw, job, o);
	object_unref(&o);
}

static enum fill_result
fill_ask_l2(struct session *s, struct fill *f)
{
	struct l2 *l2 = s->sw->l2;

	bool usable = f->rule->l2 && l2 != NULL && l2_usable(l2, &f->tags);

	/* Redis may have it, also where it is not asked. */
	if (!usable && (!f->rule->l2 || l2 == NULL || !track_is_wanted()))
		return FILL_RUN;
	f->shared_scope = fill_shared_scope(f->view, f->scope);
	if (f->shared_scope == NULL)
		return FILL_RUN;
	if (track_is_wanted())
		l2_mark(l2, &f->key, slice_str(f->shared_scope), f->db,
		    &f->mark);
	if (!usable)
		return FILL_RUN;
	f->request = l2_get(l2, &f->key, slice_str(f->shared_scope), f->db,
	    &f->tags, f->life.ttl, f->rule->l2_lease, fill_on_l2, f);
	if (f->request == NULL)
		return FILL_RUN;
	session_enter(s, SESSION_LOOKUP);
	return FILL_WAIT;
}

/* ---- claiming -------------------------------------------------------------------------- */

/* What comes is younger than all that is kept or being fetched. */
static void
fill_goes_past(const struct cache_key *k)
{
	l1_answered(session_layer_l1(), k, clock_wall(), clock_mono());
}

/* A server is asked, and nothing is kept of its answer. */
static enum fill_result
fill_pass(struct session *s, const struct cache_key *k,
    enum bypass_reason why)
{
	fill_goes_past(k);
	session_bypass(s, why, 1);
	if (s->fill != NULL)
		fill_free(s);
	return FILL_RUN;
}

/* A server is asked by who leads. */
static enum fill_result
fill_run(struct fill *f, nsec_t now)
{
	f->asked = now;
	f->looking = now - f->began;
	return FILL_RUN;
}

/* Takes the reference over. */
static enum fill_result
fill_inherited(struct session *s, const struct unit *u, struct object *o)
{
	stat_add(&session_metrics(s)->c.cache_inherited, 1);
	l1_publish(session_layer_l1(), o, clock_mono());
	fill_free(s);
	worth_found(s->sw->worth, o->shape);
	(void)fill_deliver(s, u, o, false, o->series);
	object_unref(&o);
	return FILL_ANSWERED;
}

enum fill_result
fill_begin(struct session *s, const struct unit *u, const struct query *q,
    const struct cache_key *k)
{
	struct l1_waiter w = { s->sw->w->id, s->id, ++s->sw->next_ticket,
		fill_since(s) };
	struct object *o = NULL;
	struct fill *f = s->fill;
	enum bypass_reason why;
	const struct live_set *live;
	enum l1_claim claim;
	nsec_t began;

	if (f != NULL)
		/* Leading, and L2 had nothing. */
		return fill_run(f, clock_mono());
	began = clock_mono();
	/* A feed that is not live is not what a shape is judged by. */
	why = fill_vouched(s, q->plan, &live);
	if (why != BYPASS_NONE)
		return fill_pass(s, k, why);
	if (!worth_ask(s->sw->worth, fill_shape(s, q), &k->hash,
	    slice_make(q->shape->text, q->shape->len), q->plan->rule->name))
		return fill_pass(s, k, BYPASS_UNPROFITABLE);
	f = fill_new(s, q, k);
	if (f == NULL)
		return FILL_RUN;
	f->began = began;
	/* In this order: a feed that begins anew bumps before it vouches. */
	tagset_record(&f->tags);
	why = fill_vouched(s, q->plan, &f->live);
	s->fill = f;
	if (why != BYPASS_NONE)
		return fill_pass(s, k, why);
	f->mono = s->started;
	f->wall = clock_wall();
	claim = l1_claim(session_layer_l1(), &f->key, s->started, w, &o);
	switch (claim) {
	case L1_HIT:
		fill_free(s);
		worth_found(s->sw->worth, o->shape);
		(void)fill_deliver(s, u, o, false, o->series);
		object_unref(&o);
		return FILL_ANSWERED;
	case L1_WAIT:
		f->phase = FILL_P_WAITING;
		f->ticket = w.ticket;
		s->trail.joined = true;
		stat_add(&session_metrics(s)->c.cache_waits, 1);
		session_enter(s, SESSION_FILL_WAIT);
		return FILL_WAIT;
	case L1_PASS:
		return fill_pass(s, k, BYPASS_HIT_FOR_PASS);
	case L1_ALONE:
		fill_goes_past(k);
		fill_free(s);
		return FILL_RUN;
	default:
		f->renews = claim == L1_RENEW;
		if (f->renews)
			stat_add(&session_metrics(s)->c.cache_refreshes, 1);
		f->phase = FILL_P_LEADING;
		f->has_parse = u->has_parse;
		o = inherit(s, f);
		if (o != NULL)
			return fill_inherited(s, u, o);
		f->mono = clock_mono();
		if (fill_ask_l2(s, f) == FILL_RUN)
			return fill_run(f, f->mono);
		if (unlikely(f->rule->verify_share != 0) &&
		    session_draws(s->sw, f->rule->verify_share)) {
			f->drawn = true;
			f->verify = verify_prepare(s, q, k);
		}
		return FILL_WAIT;
	}
}

/* ---- waking: from the publisher's thread to the waiter's ---------------------------------- */

struct wake {
	struct message m;
	struct l1_waiter waiter;
	struct object *obj;
};

static void
fill_wake_run(struct worker *w, struct message *m)
{
	struct wake *wk = (struct wake *)(void *)m;
	struct session *s = session_find(w->sessions, wk->waiter.session);

	if (s != NULL && s->state == SESSION_FILL_WAIT &&
	    s->fill->ticket == wk->waiter.ticket) {
		CHECK(s->fill->phase == FILL_P_WAITING);
		if (wk->obj == NULL)
			worth_undo(s->sw->worth, s->fill->shape);
		fill_free(s);
		session_enter(s, SESSION_IDLE);
		if (wk->obj != NULL && wk->obj->fetched_mono >=
		    wk->waiter.since && conf_is_vouched(s->db, clock_mono()))
			fill_answer_waiting(s, wk->obj, false, wk->obj->series);
		else {
			/* Its leader may just have died: try to lead once;
			 * then it is better not to queue again. */
			s->no_cache = ++s->fill_tries > 1;
			session_pump(s);
		}
	}
	object_unref(&wk->obj);
	free(wk);
}

void
session_cache_wake(void *arg, struct l1_waiter w, struct object *obj)
{
	struct worker *const *workers = arg;
	struct wake *wk = x_calloc(1, sizeof(*wk));

	wk->m.run = fill_wake_run;
	wk->waiter = w;
	wk->obj = obj;
	worker_post(workers[w.worker], &wk->m);
}

/* The server cannot be had, be it that it says so itself; it is not that it will not
 * have this user. */
static bool
fill_is_outage(const struct pool_error *why)
{
	return !why->refused || strncmp(why->sqlstate, "57P", 3) == 0 ||
	    strncmp(why->sqlstate, "53", 2) == 0;
}

bool
fill_stale(struct session *s, const struct unit *u,
    const struct pool_error *why)
{
	struct fill *f = s->fill;
	struct object *o;

	if (f == NULL || f->phase != FILL_P_LEADING || f->recording ||
	    !fill_is_outage(why) || !conf_is_vouched(s->db, clock_mono()))
		return false;
	o = l1_stale(session_layer_l1(), &f->key, clock_mono());
	if (o != NULL && o->fetched_mono < fill_since(s))
		object_unref(&o);
	if (o == NULL)
		return false;
	worth_undo(s->sw->worth, f->shape);
	/* Those who wait would wait in vain, one after the other. */
	stat_add(&session_metrics(s)->c.cache_stale_served,
	    1 + l1_abandon_with(session_layer_l1(), o));
	fill_free(s);
	(void)fill_deliver(s, u, o, false, o->series);
	object_unref(&o);
	return true;
}

void
fill_lookup_over(struct session *s)
{
	struct fill *f = s->fill;

	CHECK(s->state == SESSION_LOOKUP && f->request != NULL);
	l2_cancel(f->request);
	f->request = NULL;
	f->asked_l2 = true;
	f->tokens.valid = false;
	session_bypass(s, BYPASS_FILL_WAIT, 1);
	session_enter(s, SESSION_IDLE);
	session_pump(s);
}

void
fill_wait_over(struct session *s)
{
	struct l1_waiter w = { s->sw->w->id, s->id, s->fill->ticket, 0 };

	if (!l1_forget(session_layer_l1(), &s->fill->key, w))
		return; /* woken this very moment */
	fill_free(s);
	s->no_cache = true;
	session_enter(s, SESSION_IDLE);
	session_pump(s);
}
