/* SPDX-License-Identifier: PostgreSQL
 *
 * The course of a gathered statement: whom to ask, when all have answered, what
 * is done if one cannot.
 *
 * What goes wrong before the client has got a byte, be it only that the shards
 * do not understand the statement, is no answer yet: the unit goes again, to
 * the coordinator, whose answer is the right one; but a shard that is down is
 * named at once.  Runs on the session's worker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgwire/msgread.h"
#include "session/explain.h"
#include "session/fill.h"
#include "session/gather_priv.h"

/* How often a plan whose parts could not be put together goes to the coordinator
 * at once. */
#define GATHER_PAUSE 100u

static const struct part_owner gather_owner;
static void gather_step(struct gathering *g);

/* ---- life --------------------------------------------------------------------- */

static void
gather_release(struct gathering *g)
{
	size_t i;

	for (i = 0; i <= g->n_parts; i++) {
		part_drop(&g->part[i].base, NULL);
		buf_reset(&g->part[i].kept);
	}
	if (g->stmt != NULL)
		statement_unref(&g->s->sw->statements, &g->stmt);
	buf_reset(&g->error);
	buf_reset(&g->desc);
	buf_reset(&g->formats);
	buf_reset(&g->text);
	buf_reset(&g->final);
	free(g);
}

static void
gather_end(struct session *s)
{
	struct gathering *g = s->gathering;

	s->gathering = NULL;
	gather_release(g);
}

void
gather_drop(struct session *s)
{
	if (s->gathering != NULL)
		gather_end(s);
}

/* One part for each backend of the shards concerned, in the order of their
 * numbers. */
static size_t
gather_backends(const struct query *q,
    const struct conf_backend *of[CONF_MAX_SHARDS])
{
	const struct route_shards *shards = &q->where.shards;
	const struct conf_backend *b;
	size_t n = 0, k;
	int i;

	for (i = route_shards_first(shards); i >= 0;
	    i = route_shards_next(shards, (unsigned)i + 1)) {
		b = q->plan->variant->shards[i].backend;
		for (k = n; k > 0 && of[k - 1]->id > b->id; k--)
			;
		if (k > 0 && of[k - 1] == b)
			continue;
		memmove(&of[k + 1], &of[k], (n - k) * sizeof(*of));
		of[k] = b;
		n++;
	}
	return n;
}

static struct gathering *
gather_make(struct session *s, const struct unit *u, const struct query *q,
    const struct gather *how)
{
	const struct conf_backend *of[CONF_MAX_SHARDS + 1];
	size_t n = gather_backends(q, of), i;
	struct gathering *g = calloc(1, sizeof(*g) + (n + 1) * sizeof(g->part[0]));

	if (g == NULL)
		return NULL;
	of[n] = q->plan->variant->backend;
	g->s = s;
	g->n_parts = n;
	g->kept_max = (size_t)s->conf->max_gather_bytes;
	for (i = 0; i <= n; i++) {
		part_init(&g->part[i].base, s, &gather_owner, g, of[i]);
		buf_init(&g->part[i].kept, g->kept_max + WORKER_SCRATCH);
	}
	buf_init(&g->error, 1024 * 1024 + 4096);
	buf_init(&g->desc, 1024 * 1024);
	buf_init(&g->formats, 2 * UINT16_MAX);
	buf_init(&g->text, s->sw->text.cap);
	buf_init(&g->final, 16 * 1024 * 1024);
	g->to = q->plan->variant;
	g->shards = q->where.shards;
	if (q->stmt != NULL)
		g->stmt = statement_ref(q->stmt);
	g->mode = gather_mode(how);
	if ((q->stmt == NULL || u->bind.n_result_formats == 0 ||
	    buf_append(&g->formats, u->bind.result_formats,
	    2u * u->bind.n_result_formats)) &&
	    gather_text_for(g, how, FORM_OF(g->to->shards[
	    route_shards_first(&g->shards)].relation)))
		return g;
	gather_release(g);
	return NULL;
}

/* ---- the end of a unit ------------------------------------------------------------ */

/* The client has its reply. */
static void
gather_answered(struct gathering *g)
{
	struct session *s = g->s;
	size_t n = s->unit_len;
	struct unit u;

	if (s->state == SESSION_CLOSED)
		return;
	CHECK(unit_read(&u, buf_head(&s->in), n));
	session_unit_done(s, &u, g->stmt);
	if (gather_failing(g))
		fill_drop(s);
	else
		fill_finish(s, s->tx);
	gather_end(s);
	parts_answered(s, n);
}

/* The unit goes again, to the coordinator. */
static void
gather_again(struct gathering *g)
{
	struct session *s = g->s;

	stat_add(&session_metrics(s)->c.gathers_refused, 1);
	explain_note(s, "the coordinator was asked, since the shards' answers "
	    "could not be put together");
	gather_end(s);
	parts_again(s);
}

/* ---- merging -------------------------------------------------------------------------- */

static enum gather_end
gather_plan_final(struct gathering *g)
{
	struct gather_column *c = calloc(g->columns + 1, sizeof(*c));
	enum gather_end how = GATHER_REFUSED;
	struct gather_view v;
	size_t i;

	if (c == NULL || !gather_look(g, &v)) {
		free(c);
		return GATHER_REFUSED;
	}
	for (i = 0; i < g->columns && gather_column_at(g, i, &c[i]); i++)
		;
	if (i == g->columns)
		how = gather_final(v.how, c, g->columns, g->partial,
		    &g->visible, &g->final);
	gather_free(&v.how);
	free(c);
	return how;
}

/* All rows of the shards are here. */
static void
gather_merge(struct gathering *g)
{
	g->partial = g->rows;
	g->rows = 0;
	switch (gather_plan_final(g)) {
	case GATHER_REFUSED:
		gather_refuse(g);
		break;
	case GATHER_EMPTY:
		gather_tell_end(g);
		gather_answered(g);
		return;
	case GATHER_ADD:
		if (!gather_tell_sums(g)) {
			gather_refuse(g);
			break;
		}
		gather_tell_end(g);
		gather_answered(g);
		return;
	case GATHER_QUERY:
		g->merging = true;
		break;
	}
	gather_step(g);
}

static void
gather_finish(struct gathering *g)
{
	struct session *s = g->s;

	if (g->refused) {
		gather_again(g);
	} else if (g->floor != NULL) {
		session_close(s, CLOSE_SERVER_CUT, NULL);
	} else if (buf_len(&g->error) > 0) {
		gather_tell_error(g);
		gather_answered(g);
	} else if (g->mode == GATHER_ROWS || g->merging) {
		gather_tell_end(g);
		gather_answered(g);
	} else {
		gather_merge(g);
	}
}

/* Of those that have been leased or waited for none is under way. */
static bool
gather_is_quiet(const struct gathering *g)
{
	size_t i;

	for (i = 0; i < g->started; i++)
		if (!g->part[i].base.over)
			return false;
	return true;
}

static bool
gather_waits(const struct gathering *g)
{
	return g->started > 0 && part_waits(&g->part[g->started - 1].base);
}

/* A part has got its server, or has ended: go on. g may be gone behind it. */
static void
gather_step(struct gathering *g)
{
	size_t all = g->n_parts + g->merging;

	while (!gather_failing(g) && g->started < all && !gather_waits(g))
		part_lease(&g->part[g->started++].base);
	if (g->unit == NULL && gather_is_quiet(g) && (gather_failing(g) ||
	    g->started == all))
		gather_finish(g);
}

/* ---- failing ----------------------------------------------------------------------------- */

static void
gather_stop(struct gathering *g)
{
	size_t i;

	for (i = 0; i < g->started; i++)
		if (!g->part[i].base.over)
			part_cancel(&g->part[i].base);
}

void
gather_refuse(struct gathering *g)
{
	struct gather_view v;

	if (gather_failing(g))
		return;
	if (g->told) {
		gather_fail(g, "0A000", "the shards' rows are of different "
		    "types");
		return;
	}
	g->refused = true;
	if (gather_look(g, &v)) {
		v.q.plan->gather_pause = GATHER_PAUSE;
		gather_free(&v.how);
	}
	gather_stop(g);
}

void
gather_fail(struct gathering *g, const char *sqlstate, const char *message)
{
	struct msgwrite w;

	if (gather_failing(g))
		return;
	msgwrite_init(&w, &g->error);
	msgwrite_error(&w, "ERROR", sqlstate, message, NULL, NULL);
	CHECK(!w.failed);
	gather_stop(g);
}

static void
gather_on_error(struct part *p, const char *body, size_t n)
{
	struct gathering *g = p->of;
	struct wire_error e;

	if (gather_failing(g))
		return;
	if (!msgread_error(body, n, &e)) {
		gather_fail(g, "XX000", "a shard sent a malformed error");
		return;
	}
	/* The coordinator may know better. */
	if (!g->told && !part_error_is_outside(e.sqlstate))
		g->refused = true;
	else if (!part_copy_error(&g->error, body, n, NULL, NULL))
		gather_fail(g, "54000", "a shard's error is too long");
	gather_stop(g);
}

static void
gather_on_broken(struct part *p, const char *sqlstate, const char *message)
{
	gather_fail(p->of, sqlstate, message);
}

static void
gather_on_unlike(struct part *p)
{
	gather_refuse(p->of);
}

static bool
gather_on_failing(const struct part *p)
{
	return gather_failing(p->of);
}

static bool
gather_on_ready(struct part *p PG_UNUSED, char status PG_UNUSED)
{
	return true;
}

static void
gather_on_step(struct part *p)
{
	gather_step(p->of);
}

static const struct part_owner gather_owner = {
	.compose = gather_compose,
	.unlike = gather_on_unlike,
	.input = gather_input,
	.failed = gather_on_error,
	.broken = gather_on_broken,
	.failing = gather_on_failing,
	.ready = gather_on_ready,
	.step = gather_on_step,
};

/* ---- from the session ---------------------------------------------------------------------- */

/* The first servers could not be had. false: the coordinator's may. */
static bool
gather_failed_at_once(struct gathering *g, enum unit_result *r)
{
	struct session *s = g->s;
	bool refused = g->refused;

	*r = UNIT_CLOSED;
	if (!refused) {
		fill_drop(s);
		gather_tell_error(g);
	}
	if (s->state == SESSION_CLOSED)
		return true;
	gather_end(s);
	session_enter(s, SESSION_IDLE);
	s->no_gather = refused;
	*r = UNIT_DONE;
	return !refused;
}

bool
gather_begin(struct session *s, const struct unit *u, const struct query *q,
    enum unit_result *r)
{
	struct gathering *g;
	struct gather *how;

	/* Shards have no snapshot in common. */
	if (!parts_are_possible(s) || !settings_scope(s)->read_committed ||
	    u->rest > 0 || (u->first != 'Q' && !u->canonical))
		return false;
	if (q->plan->gather_pause > 0) {
		q->plan->gather_pause--;
		return false;
	}
	how = gather_new(q->plan, q->shape, &q->values);
	if (how == NULL)
		return false;
	g = gather_make(s, u, q, how);
	gather_free(&how);
	if (g == NULL)
		return false;
	stat_add(&session_metrics(s)->c.gathers, 1);
	s->gathering = g;
	query_account(s, q, q->where.backend, s->fill != NULL ? OUT_MISS :
	    OUT_BYPASS);
	session_enter(s, SESSION_GATHER);
	if (unlikely(s->trail.on))
		trail_asked(s);
	g->unit = u;
	gather_step(g);
	g->unit = NULL;
	*r = UNIT_WAIT;
	return !gather_failing(g) || !gather_is_quiet(g) ||
	    gather_failed_at_once(g, r);
}

void
gather_cancel(struct session *s)
{
	struct gathering *g = s->gathering;

	/* Those that run tell it themselves. */
	if (!gather_is_quiet(g) && !gather_waits(g)) {
		gather_stop(g);
		return;
	}
	gather_fail(g, "57014", "canceling statement due to user request");
	gather_step(g);
}

void
gather_tick(struct session *s, nsec_t now)
{
	struct gathering *g = s->gathering;
	const struct part *p = &g->part[g->started - 1].base;

	if (!part_waits(p) || s->conf->query_wait_timeout == 0 ||
	    now - p->waiter.since <= s->conf->query_wait_timeout)
		return;
	stat_add(&session_metrics(s)->c.wait_timeouts, 1);
	gather_fail(g, "53300", "no server became free within "
	    "query_wait_timeout");
	gather_step(g);
}

bool
gather_is_midway(const struct session *s)
{
	return s->gathering != NULL && s->gathering->floor != NULL;
}

void
gather_drained(struct session *s)
{
	struct gathering *g = s->gathering;
	size_t i;

	for (i = 0; i < g->started; i++)
		if (g->part[i].base.server != NULL && (g->merging ||
		    g->mode != GATHER_ROWS || buf_len(&g->part[i].kept) == 0))
			stream_read_start(&g->part[i].base.server->st);
}
