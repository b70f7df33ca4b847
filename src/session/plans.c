/* SPDX-License-Identifier: PostgreSQL
 *
 * Statements recognised: shape, plan and where the values lead.
 *
 * Plans hang on shapes, one for each database, and are made anew for a new
 * configuration.  Knows nothing of servers but which backend a session has.
 * Runs on the session's worker, whose shapes these are.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "session/trial.h"

/* Plans of one shape, by database and view; behind these, those for sessions
 * whose temporary tables hide routed ones. */
struct shape_plans {
	size_t n; /* databases and views */
	struct route_plan *plan[];
};

void
query_plans_free(void *p)
{
	struct shape_plans *sp = p;
	size_t i;

	if (sp == NULL)
		return;
	for (i = 0; i < 2 * sp->n; i++)
		route_plan_free(&sp->plan[i]);
	free(sp);
}

/* Room for n of each kind; plans that there are stay where they point. */
static struct shape_plans *
query_plans_grow(struct shape_plans *old, size_t n)
{
	struct shape_plans *sp = x_calloc(1, sizeof(*sp) +
	    2 * n * sizeof(sp->plan[0]));

	sp->n = n;
	for (size_t i = 0; old != NULL && i < old->n; i++) {
		sp->plan[i] = old->plan[i];
		sp->plan[n + i] = old->plan[old->n + i];
	}
	free(old);
	return sp;
}

struct route_plan *
query_plan_of(struct session *s, struct shape *sh,
    const struct conf_database *db)
{
	size_t n = s->conf->n_databases + s->conf->n_views;
	struct shape_plans *sp = sh->derived;
	struct route_plan **slot;

	if (sp == NULL || sp->n < n)
		sh->derived = sp = query_plans_grow(sp, n);
	slot = &sp->plan[db->id];
	if (*slot != NULL && (*slot)->generation != s->conf->generation)
		route_plan_free(slot);
	if (*slot == NULL)
		*slot = route_plan_new(s->conf, db, sh);
	return *slot;
}

struct route_plan *
query_plan(struct session *s, struct shape *sh)
{
	return query_plan_of(s, sh, s->db);
}

/* The plan for a session some of whose temporary tables have the names of
 * routed ones. */
static struct route_plan *
query_plan_hidden(struct session *s, struct shape *sh)
{
	struct route_plan **slot, *open = query_plan(s, sh);
	struct shape_plans *sp = sh->derived;
	const struct conf_backend *home = s->server != NULL ? s->backend :
	    s->db->backend;
	uint64_t hidden = route_hidden_names(s->db, sh->an, s->hidden);

	if (hidden == 0)
		return open;
	slot = &sp->plan[sp->n + s->db->id];
	if (*slot != NULL && ((*slot)->generation != s->conf->generation ||
	    (*slot)->hidden != hidden || (*slot)->home != home))
		route_plan_free(slot);
	if (*slot == NULL)
		*slot = route_plan_hidden(s->conf, s->db, sh, hidden, home);
	return *slot;
}

/* The session has set its TimeZone to UTC, at login or later: so it is on every
 * server that it gets. */
static bool
query_is_utc(const struct session *s)
{
	static const char *const names[] = { "UTC", "Etc/UTC", "GMT",
		"Etc/GMT" };
	const char *zone = vars_get(s->set.vars, "timezone"), *p = s->startup;
	const char *end = p != NULL ? p + s->startup_len : NULL;

	if (settings_are_unsure(s) || session_is_pinned(s) ||
	    s->sw->unit_sets)
		return false;
	for (; zone == NULL && p != end; p += strlen(p) + 1) {
		const char *name = p;

		p += strlen(p) + 1;
		if (strcasecmp(name, "timezone") == 0)
			zone = p;
	}
	for (size_t i = 0; zone != NULL && i < ARRAY_SIZE(names); i++) {
		if (strcasecmp(zone, names[i]) == 0)
			return true;
	}
	return false;
}

/* Within a transaction, on the backend that has all shards. */
static void
query_stay(struct query *q)
{
	if (q->where.shard == NULL)
		return;
	q->where.backend = q->where.variant->backend;
	q->where.form = FORM_RELATION;
	q->where.shard = NULL;
	q->where.why = "the coordinator: transactions of this table run there";
}

void
query_prepare(struct session *s, struct query *q, struct slice sql,
    struct statement *stmt, const struct wire_bind *bind)
{
	struct session_worker *sw = s->sw;
	const struct scope *scope = settings_scope(s);

	q->sql = sql;
	q->stmt = stmt;
	q->bind = bind;
	q->shape = shape_get(&sw->shapes, &sw->lx, sql,
	    (scope == NULL || scope->conforming) && !s->backslashes,
	    (scope != NULL && scope->ascii_tails) || s->other_encoding ? 0 :
	    (size_t)s->conf->max_statement_size);
	q->plan = query_plan(s, q->shape);
	q->mark.at = q->shadow.at = 0;
	q->experiment = q->plan->experiment;
	q->trial_why = NULL;
	q->trial_pass.is = false;
	q->arm_open = q->trial_bypass = q->mirrors = q->unmirrored = false;
	memset(&q->values, 0, sizeof(q->values));
	q->values.sql = sql;
	q->values.lx = &sw->lx;
	q->values.bind = bind;
	if (stmt != NULL && !stmt->declared) {
		q->values.oids = stmt->types.p;
		q->values.n_oids = (unsigned)(stmt->types.n / 4);
	}
	q->values.now_wall = 0;
	if (unlikely(s->hidden != 0) && q->plan->table != NULL)
		q->plan = query_plan_hidden(s, q->shape); /* perhaps to none */
	q->values.other_encoding = scope != NULL && scope->recoded;
	if (unlikely(q->plan->experiment != NULL))
		trial_assign(s, q);
	if (q->plan->table != NULL) {
		q->values.now_wall = clock_wall();
		q->values.utc = q->plan->table->time_column != NULL &&
		    query_is_utc(s);
	}
	route_decide(q->plan, q->shape, &q->values, &q->where);
	if (unlikely(q->trial_bypass))
		q->where.bypass = BYPASS_EXPERIMENT;
	if (unlikely(s->tx != 'I') && q->plan->table != NULL &&
	    q->plan->table->stays)
		query_stay(q);
}

static const char *const outcome_names[OUT_COUNT] = {
	[OUT_BYPASS] = "bypass", [OUT_MISS] = "miss", [OUT_L1] = "l1",
	[OUT_L2] = "l2", [OUT_LOCAL] = "local",
};

unsigned
query_series(struct session *s, const struct query *q,
    const struct conf_backend *b, enum outcome o)
{
	unsigned *cell, *all = q->plan->derived;
	const char *route = "default";

	if (all == NULL)
		q->plan->derived = all = x_calloc(s->conf->n_backends *
		    OUT_COUNT, sizeof(*all));
	cell = &all[b->id * OUT_COUNT + o];
	if (*cell == 0) {
		if (q->plan->table != NULL)
			route = q->plan->table->name;
		else if (q->plan->rule != NULL)
			route = q->plan->rule->name;
		*cell = 1 + series_intern(route, q->where.variant != NULL ?
		    q->where.variant->name : "", b->name, outcome_names[o]);
	}
	return *cell - 1;
}

void
query_account(struct session *s, const struct query *q,
    const struct conf_backend *b, enum outcome o)
{
	s->series = s->trail.series = query_series(s, q, b, o);
	s->mark = q->mark;
	if (unlikely(q->trial_pass.is))
		trial_sent(s, q);
}
