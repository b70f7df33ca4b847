/* SPDX-License-Identifier: PostgreSQL
 *
 * Arms of a session's statements.
 *
 * A session's arms stand in s->trial, by the experiment's place in its
 * database.  Once a unit of messages has met an arm of an experiment, all its
 * statements, and all of the transaction it is in, have the same.
 */
#include "session/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/trial.h"
#include "experiment/board.h"
#include "session/mirroring.h"
#include "route/touch.h"
#include "sql/shape_text.h"

/* ---- units ------------------------------------------------------------------ */

static struct arms
trial_arms(const struct conf_experiment *e)
{
	struct arms a = { .n = e->n_arms };

	memcpy(a.weight, e->weights, sizeof(a.weight));
	return a;
}

static uint64_t
trial_salt(const struct conf_experiment *e)
{
	return assign_salt(slice_str(e->name));
}

/* Its number is the same in every process, but for those of sessions and
 * statements, which are met once. */
static void
trial_place(struct session_trial *t, const struct conf_experiment *e,
    struct slice unit)
{
	const struct arms a = trial_arms(e);
	uint64_t salt = trial_salt(e);

	t->arm = (uint8_t)assign_arm(&a, salt, unit);
	t->group = (uint8_t)assign_group(salt, unit, GROUPS);
	t->unit = assign_unit(salt, unit);
	t->known = true;
}

static void
trial_place_random(struct session *s, struct session_trial *t,
    const struct conf_experiment *e, uint64_t what)
{
	const uint64_t id[2] = { s->id, what };
	struct hash128 h = hash_bytes(id, sizeof(id)); /* keyed */

	trial_place(t, e, slice_make((const char *)&h, sizeof(h)));
}

/* What is known of units before a statement is. */
static void
trial_foresee(struct session *s, struct session_trial *t,
    const struct conf_experiment *e)
{
	switch (e->unit) {
	case CONF_UNIT_SESSION:
		trial_place_random(s, t, e, 0);
		break;
	case CONF_UNIT_USER:
		trial_place(t, e, slice_str(s->user));
		break;
	case CONF_UNIT_STATEMENT:
		trial_place_random(s, t, e, s->queries);
		break;
	case CONF_UNIT_TENANT:
		t->known = false;
		break;
	}
}

void
trial_begin(struct session *s)
{
	const struct conf_database *db = s->db;
	const struct conf_experiment *e;
	unsigned slot = 0;
	bool runs;
	size_t i;

	if (s->tx != 'I' || s->open_unit)
		return;
	if (s->trial == NULL)
		s->trial = x_calloc(CONF_EXPERIMENTS_MAX, sizeof(s->trial[0]));
	for (i = 0; i < db->n_experiments; i++) {
		struct session_trial *t = &s->trial[i];

		e = db->experiments[i];
		t->met = TRIAL_NONE;
		runs = conf_experiment_runs(e);
		if (runs && (s->trial_generation != s->conf->generation ||
		    e->unit == CONF_UNIT_STATEMENT))
			trial_foresee(s, t, e);
		/* Of one that is promoted nobody's arm is another. */
		slot = slot * e->n_arms + (t->known && runs && !e->shadow &&
		    e->unit != CONF_UNIT_TENANT ? t->arm : 0);
	}
	s->trial_generation = s->conf->generation;
	s->slot = db->id + (uint32_t)s->conf->n_databases * slot;
}

void
trial_yield(struct session *s)
{
	size_t i;

	for (i = 0; i < s->db->n_experiments; i++)
		s->trial[i].met = 0;
}

/* ---- plans ------------------------------------------------------------------ */

static struct route_plan *
trial_plan(struct session *s, struct query *q, unsigned at, unsigned arm)
{
	const struct conf_database *view =
	    s->db->views[at * CONF_ARMS_MAX + arm];

	return view == NULL ? query_plan(s, q->shape) :
	    query_plan_of(s, q->shape, view);
}

/* Statements that some arm cannot serve are nobody's measure: the arms must be
 * asked the same. Found out once for a shape. */
static bool
trial_compares(struct session *s, struct query *q, struct route_plan *base)
{
	const struct conf_experiment *e = base->experiment;
	char words[BOARD_SHAPE_TEXT + 1];
	unsigned arm;

	if (base->compares != COMPARES_UNKNOWN)
		return base->compares == COMPARES;
	base->compares = COMPARES;
	for (arm = 0; arm < e->n_arms; arm++)
		if (trial_plan(s, q, base->experiment_at, arm)->unserved)
			base->compares = COMPARES_NOT;
	if (base->compares == COMPARES)
		base->board_shape = board_shape(e->run->board,
		    q->shape->hash.lo, slice_make(words, shape_text(
		    slice_make(q->shape->text, q->shape->len), words,
		    sizeof(words))));
	return base->compares == COMPARES;
}

/* ... or takes locks, or moves a sequence, which others may have to see. */
static bool
trial_writes(const struct query *q)
{
	return q->plan->n_writes > 0 || q->plan->writes_all ||
	    (q->shape->an->flags & (AN_WRITES | AN_WRITES_ALL | AN_LOCKING |
	    AN_VOLATILE)) != 0;
}

/* The arm, or another one that can be had: a session that must keep its server
 * stays where that is; and a transaction stays on the control's backend, for
 * what comes in it may name other tables, which are nowhere else. */
static unsigned
trial_arm_there(struct session *s, struct query *q, unsigned at,
    unsigned arm)
{
	const struct conf_experiment *e = q->plan->experiment;
	const struct conf_backend *there = trial_plan(s, q, at, arm)->backend;
	unsigned k;

	if (s->tx != 'I' && s->server == NULL)
		return there == q->plan->backend ? arm : 0;
	if (s->server == NULL || there == s->backend || (s->tx == 'I' &&
	    !s->open_unit && !session_is_pinned(s) &&
	    s->db->pool_mode == POOL_MODE_TRANSACTION))
		return arm;
	for (k = 0; k < e->n_arms; k++)
		if ((k == 0 || s->db->views[at * CONF_ARMS_MAX + k] !=
		    NULL) && trial_plan(s, q, at, k)->backend == s->backend)
			return k;
	return arm;
}

/* It is not measured: why. Counted when it is sent. */
static void
trial_pass(struct query *q, unsigned arm, enum board_count what)
{
	q->trial_why = board_count_doc(what);
	q->trial_pass = (struct trial_pass){ true, (uint8_t)arm,
		(uint8_t)what };
}

void
trial_sent(struct session *s, const struct query *q)
{
	board_count(q->experiment->run->board, s->sw->w->id,
	    q->trial_pass.arm, (enum board_count)q->trial_pass.what);
}

/* ---- assignment --------------------------------------------------------------- */

/* The statement's tenant, all of whose rows it is about. */
static void
trial_find_tenant(struct session_trial *t, const struct conf_experiment *e,
    const struct query *q)
{
	uint64_t tenant;

	t->known = route_touch_unit(q->plan, q->shape, &q->values, &tenant);
	if (t->known)
		trial_place(t, e, slice_make((const char *)&tenant,
		    sizeof(tenant)));
}

static void
trial_promoted(struct session *s, struct query *q,
    const struct conf_experiment *e)
{
	struct route_plan *p = trial_plan(s, q, q->plan->experiment_at,
	    e->promoted);

	/* What it has no words for, the control has. */
	if (!p->unserved)
		q->plan = p;
}

/* Of all backends that hold rows of it, feeds tell what is written there. */
static bool
trial_is_followed(const struct conf_variant *v)
{
	bool followed = v->backend->feed;
	size_t i;

	for (i = 0; i < v->n_shards; i++)
		followed = followed && v->shards[i].backend->feed;
	for (i = 0; i < v->n_spans; i++)
		followed = followed && v->spans[i].backend->feed;
	return followed;
}

/* What becomes of a statement whose unit is known. */
static void
trial_give(struct session *s, struct query *q, struct session_trial *t)
{
	struct route_plan *base = q->plan;
	unsigned at = base->experiment_at, arm = t->arm;

	if (t->met != TRIAL_NONE)
		arm = t->met;
	else if (arm != 0 && mirroring_is_ahead(s, base->experiment, at, arm)) {
		t->met = 0;
		trial_pass(q, t->arm, BOARD_BEHIND);
		q->trial_bypass = true;
		return;
	}
	arm = trial_arm_there(s, q, at, arm);
	t->met = (uint8_t)arm;
	q->plan = trial_plan(s, q, at, arm);
	if (arm != t->arm) {
		trial_pass(q, t->arm, BOARD_ASTRAY);
		q->trial_bypass = true;
		return;
	}
	/* When it has what the control was given is not known otherwise. */
	if (arm != 0 && base->experiment->writes != CONF_WRITES_ARM &&
	    !trial_is_followed(base->experiment->arms[arm].variant))
		q->trial_bypass = true;
	q->mark = (struct trial_mark){ (uint8_t)(at + 1), (uint8_t)arm,
		(uint8_t)base->board_shape, t->group };
}

/* The control has it; others are asked the same, unless it writes. */
static void
trial_shade(struct query *q, const struct session_trial *t)
{
	if (trial_writes(q))
		trial_pass(q, 0, BOARD_WRITES);
	else if (t->known)
		q->shadow = (struct trial_mark){
			(uint8_t)(q->plan->experiment_at + 1), 0,
			(uint8_t)q->plan->board_shape, t->group };
	else if (q->bind != NULL || q->stmt == NULL)
		trial_pass(q, 0, BOARD_UNITLESS);
}

void
trial_assign(struct session *s, struct query *q)
{
	const struct conf_experiment *e = q->plan->experiment;
	struct session_trial *t = &s->trial[q->plan->experiment_at];

	q->trial_bypass = !e->cache;
	if (e->state == EXPERIMENT_PROMOTED) {
		q->trial_bypass = false;
		trial_promoted(s, q, e);
		return;
	}
	if (!conf_experiment_runs(e)) {
		q->trial_why = "it has been stopped";
		return;
	}
	mirroring_mark(q, e);
	if (!trial_compares(s, q, q->plan)) {
		trial_pass(q, t->known ? t->arm : 0, BOARD_UNSERVED);
		/* What its transaction reads later is with what it wrote. */
		if (trial_writes(q))
			t->met = 0;
		return;
	}
	if (e->unit == CONF_UNIT_TENANT)
		trial_find_tenant(t, e, q);
	if (e->shadow) {
		trial_shade(q, t);
		return;
	}
	if (!t->known) {
		q->arm_open = q->bind == NULL && q->stmt != NULL;
		if (t->met != TRIAL_NONE)
			q->plan = trial_plan(s, q, q->plan->experiment_at,
			    t->met);
		else if (!q->arm_open)
			trial_pass(q, 0, BOARD_UNITLESS);
		q->trial_bypass |= t->met != TRIAL_NONE;
		if (e->writes != CONF_WRITES_ARM && trial_writes(q)) {
			q->plan = query_plan(s, q->shape);
			t->met = 0;
		}
		return;
	}
	if (e->writes != CONF_WRITES_ARM && trial_writes(q)) {
		trial_pass(q, t->arm, BOARD_WRITES);
		t->met = 0;
		return;
	}
	trial_give(s, q, t);
}

bool
trial_explain(struct session *s, const struct query *q, char *out,
    size_t size)
{
	const struct conf_experiment *e = q->experiment;

	if (e == NULL)
		return false;
	if (e->state == EXPERIMENT_PROMOTED)
		snprintf(out, size, "%s, promoted arm %s", e->name,
		    e->arms[e->promoted].variant->name);
	else if (q->mark.at != 0)
		snprintf(out, size, "%s, arm %s, by its %s%s", e->name,
		    e->arms[q->mark.arm].variant->name,
		    conf_unit_name(e->unit), s->tx != 'I' ?
		    ", with its transaction" : "");
	else
		snprintf(out, size, "%s, not measured: %s", e->name,
		    q->trial_why != NULL ? q->trial_why :
		    e->shadow ? "the control has it, others are asked on the "
		    "side" : "its values tell the unit");
	return true;
}

/* ---- measuring ------------------------------------------------------------------ */

void
trial_record(struct session *s, const struct trial_mark *mark, nsec_t took,
    bool cached, bool failed)
{
	const struct conf_experiment *e;
	const struct session_trial *t;
	struct board_measure m;
	struct board *b;

	if (mark->at == 0 || mark->at > s->db->n_experiments)
		return;
	e = s->db->experiments[mark->at - 1];
	t = &s->trial[mark->at - 1];
	if (e->run == NULL)
		return;
	b = e->run->board;
	m = (struct board_measure){ mark->arm, mark->shape, mark->group,
		cached, failed };
	/* What another unit of this kind has put into the cache. */
	if (e->unit != CONF_UNIT_TENANT)
		m.group = t->group;
	board_add(b, s->sw->w->id, &m, took);
	if (t->known)
		board_unit(b, s->sw->w->id, t->unit, mark->arm);
}
