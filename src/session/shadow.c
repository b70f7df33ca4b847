/* SPDX-License-Identifier: PostgreSQL
 *
 * Shadow mode: what is asked of arms, and what their answers mean.
 *
 * A check is of one statement and one arm.  It keeps what is to be asked, as
 * questions that are never sent themselves but their copies, and of answers
 * only sums.  Invariant: a check has at most one question under way.
 */
#include "session/shadow.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "conf/trial.h"
#include "experiment/answer.h"
#include "experiment/board.h"
#include "experiment/mirror.h"
#include "session/explain.h"
#include "session/question.h"

#define SHADOW_QUEUES ((size_t)CONF_EXPERIMENTS_MAX * CONF_ARMS_MAX)

static const struct aside_ops shadow_aside_ops;

enum shadow_step { SHADOW_FIRST, SHADOW_CONTROL, SHADOW_AGAIN, SHADOW_LAST };

struct shadow_check {
	struct session_worker *sw;
	struct aside_queue *queue;
	struct conf_run *run;
	unsigned arm, shape, group;
	char *experiment;      /* for the log */
	enum shadow_step step;
	struct aside *ask[2];  /* of the control, of the arm */
	struct answer_sum control, said;
	nsec_t control_took;
	uint64_t digest;
	uint64_t mirrored;     /* writes that the arm had when it was asked first */
	struct answer *now;    /* of the question under way, once it is answered;
	                          or NULL */
};

/* Of a session's statement under way. */
struct shadow {
	struct answer control;
	nsec_t asked;
	unsigned n;
	struct shadow_check *checks[CONF_ARMS_MAX];
};

static struct aside_queue *
shadow_queue(struct session_worker *sw, const struct conf_experiment *e,
    unsigned arm)
{
	return &sw->shadows[e->id * CONF_ARMS_MAX + arm];
}

static void
shadow_count(const struct shadow_check *c, enum board_count what)
{
	board_count(c->run->board, c->sw->w->id, c->arm, what);
}

/* ---- birth and death ---- */

static void
check_free(struct shadow_check **cp)
{
	struct shadow_check *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	conf_run_unref(&c->run);
	aside_free(&c->ask[0]);
	aside_free(&c->ask[1]);
	free(c->experiment);
	free(c->now);
	free(c);
}

void
shadow_drop(struct session *s)
{
	struct shadow *x = s->shadow;
	unsigned i;

	s->shadow = NULL;
	for (i = 0; x != NULL && i < x->n; i++)
		check_free(&x->checks[i]);
	free(x);
}

/* ---- what is asked ---- */

static struct aside *
shadow_question(struct session *s, const struct unit *u,
    const struct query *q, struct route_plan *plan)
{
	return question_new(s, q, plan, q->stmt != NULL ? u->bind.rest :
	    slice_make(NULL, 0), u->described, ASIDE_TEXT_MAX);
}

static struct shadow_check *
shadow_check(struct session *s, const struct unit *u, const struct query *q,
    unsigned arm)
{
	const struct conf_experiment *e = q->experiment;
	const struct conf_database *view = s->db->views[
	    (size_t)(q->shadow.at - 1) * CONF_ARMS_MAX + arm];
	struct shadow_check *c = x_calloc(1, sizeof(*c));
	struct hash128 h;

	c->sw = s->sw;
	c->queue = shadow_queue(s->sw, e, arm);
	c->run = conf_run_ref(e->run);
	c->arm = arm;
	c->shape = q->shadow.shape;
	c->group = q->shadow.group;
	c->experiment = x_strdup(e->name);
	h = hash_bytes(q->sql.p, q->sql.n);
	if (q->stmt != NULL)
		h = hash_mix(h, hash_bytes(u->bind.rest.p, u->bind.rest.n));
	c->digest = h.lo;
	if (e->run->mirror != NULL)
		c->mirrored = mirror_applied(e->run->mirror, arm);
	c->ask[0] = shadow_question(s, u, q, q->plan);
	c->ask[1] = shadow_question(s, u, q, query_plan_of(s, q->shape,
	    view));
	if (c->ask[0] != NULL && c->ask[1] != NULL)
		return c;
	shadow_count(c, BOARD_DROPPED);
	check_free(&c);
	return NULL;
}

/* Asked again it would say the same, were it not for writes. */
static bool
shadow_can_repeat(const struct session *s, const struct unit *u,
    const struct query *q)
{
	const struct analysis *an = q->shape->an;

	return an->kind == STMT_SELECT && an->pins == 0 && !(an->flags &
	    (AN_MULTI | AN_WRITES | AN_WRITES_ALL | AN_LOCKING | AN_STABLE |
	    AN_VOLATILE | AN_READONLY_FN | AN_UNKNOWN_FN | AN_TABLESAMPLE |
	    AN_CATALOG | AN_EXPLAIN_ROUTE)) && s->tx == 'I' &&
	    s->held_begin == NULL && !session_is_pinned(s) &&
	    !settings_are_unsure(s) && s->reading == NULL && u->rest == 0 &&
	    !explain_runs(s) && !s->repeating &&
	    !analysis_has_special_literals(an, q->sql, q->values.lx);
}

/* NULL: too many wait for the arm, or it cannot be asked. */
static struct shadow_check *
shadow_arm(struct session *s, const struct unit *u, const struct query *q,
    unsigned arm)
{
	const struct conf_experiment *e = q->experiment;
	struct aside_queue *queue = shadow_queue(s->sw, e, arm);

	queue->max = (unsigned)e->shadow_queue;
	queue->max_asked = (unsigned)e->shadow_running;
	if (queue->n < queue->max)
		return shadow_check(s, u, q, arm);
	board_count(e->run->board, s->sw->w->id, arm, BOARD_DROPPED);
	return NULL;
}

void
shadow_begin(struct session *s, const struct unit *u, const struct query *q)
{
	const struct conf_experiment *e = q->experiment;
	struct shadow_check *checks[CONF_ARMS_MAX];
	struct shadow *x;
	unsigned i, n = 0;

	if (s->shadow != NULL || s->sw->draining ||
	    !shadow_can_repeat(s, u, q) ||
	    !session_draws(s->sw, (uint32_t)e->shadow_share * 10000))
		return;
	for (i = 1; i < e->n_arms; i++) {
		checks[n] = shadow_arm(s, u, q, i);
		n += checks[n] != NULL;
	}
	if (n == 0)
		return;
	x = x_malloc(sizeof(*x));
	answer_init(&x->control);
	x->n = n;
	memcpy(x->checks, checks, n * sizeof(checks[0]));
	x->asked = clock_mono();
	s->shadow = x;
}

void
shadow_answer(struct session *s, const char *p, size_t n)
{
	answer_feed(&s->shadow->control, p, n);
}

static void
check_ask(struct shadow_check *c, unsigned whom)
{
	free(c->now);
	c->now = NULL;
	aside_submit(c->queue, aside_dup(c->ask[whom]),
	    &shadow_aside_ops, c);
}

void
shadow_answered(struct session *s, nsec_t now)
{
	struct shadow *x = s->shadow;
	struct shadow_check *c;
	unsigned i;

	if (x->control.sum.broken) {
		shadow_drop(s);
		return;
	}
	s->shadow = NULL;
	for (i = 0; i < x->n; i++) {
		c = x->checks[i];
		c->control = x->control.sum;
		c->control_took = now - x->asked;
		check_ask(c, 1);
	}
	free(x);
}

/* ---- what the answers mean ---- */

/* Control and arm are measured by the same statements: in pairs. */
static void
check_measure(const struct shadow_check *c, nsec_t took)
{
	struct board_measure m = { .arm = c->arm, .shape = c->shape,
		.group = c->group, .failed = c->said.failed };

	board_add(c->run->board, c->sw->w->id, &m, took);
	/* Of several arms the first stands for the control's. */
	if (c->arm != 1)
		return;
	m.arm = 0;
	m.failed = false;
	board_add(c->run->board, c->sw->w->id, &m, c->control_took);
}

static void
check_mismatch(const struct shadow_check *c)
{
	enum answer_difference d = answer_compare(&c->control, &c->said);
	const struct board_sample sample = { .at = clock_wall(),
		.arm = c->arm, .shape = c->shape,
		.what = answer_difference_name(d), .digest = c->digest,
		.rows = { c->control.rows, c->said.rows } };

	shadow_count(c, BOARD_MISMATCHES);
	if (!board_keep_sample(c->run->board, &sample))
		return;
	log_warn("experiment", "msg=\"arm answers otherwise than the control\" "
	    "name=%s arm=%u what=\"%s\" rows=%llu control_rows=%llu "
	    "digest=%016llx", log_escs(c->experiment), c->arm, sample.what,
	    (unsigned long long)c->said.rows,
	    (unsigned long long)c->control.rows,
	    (unsigned long long)c->digest);
}

/* Mirrored writes were, or are, on their way to the arm. */
static bool
check_is_behind(const struct shadow_check *c)
{
	struct mirror *m = c->run->mirror;

	return m != NULL && (mirror_waiting(m, c->arm) > 0 ||
	    mirror_applied(m, c->arm) != c->mirrored);
}

/* The answer to the question of its step. true: the check is over. */
static bool
check_step(struct shadow_check *c, nsec_t took)
{
	const struct answer_sum *sum = &c->now->sum;
	bool as_control = answer_compare(&c->control, sum) == ANSWER_SAME;

	switch (c->step) {
	case SHADOW_FIRST:
		c->said = *sum;
		check_measure(c, took);
		shadow_count(c, BOARD_COMPARED);
		if (as_control)
			return true;
		c->step = SHADOW_CONTROL;
		check_ask(c, 0);
		return false;
	case SHADOW_CONTROL:
		if (!as_control)
			break;
		c->step = SHADOW_AGAIN;
		check_ask(c, 1);
		return false;
	case SHADOW_AGAIN:
		if (as_control)
			break;
		c->said = *sum;
		c->step = SHADOW_LAST;
		check_ask(c, 0);
		return false;
	case SHADOW_LAST:
		if (!as_control || check_is_behind(c))
			break;
		check_mismatch(c);
		return true;
	}
	shadow_count(c, BOARD_INCONCLUSIVE);
	return true;
}

/* ---- aside_ops ---- */

/* Those that only wait have none: it is large. */
static struct answer *
check_now(struct shadow_check *c)
{
	if (c->now == NULL) {
		c->now = x_malloc(sizeof(*c->now));
		answer_init(c->now);
	}
	return c->now;
}

static void
shadow_said(void *owner, const char *p, size_t n)
{
	struct shadow_check *c = owner;

	answer_feed(check_now(c), p, n);
}

static void
shadow_error(void *owner, const char *body, size_t n)
{
	struct shadow_check *c = owner;

	answer_fail(check_now(c), body, n);
}

static void
shadow_asked(void *owner, enum aside_end how, nsec_t took)
{
	struct shadow_check *c = owner;

	if (how == ASIDE_ANSWERED && !check_step(c, took))
		return;
	if (how == ASIDE_DROPPED || how == ASIDE_LOST)
		shadow_count(c, c->step == SHADOW_FIRST ? BOARD_DROPPED :
		    BOARD_INCONCLUSIVE);
	check_free(&c);
}

static const struct aside_ops shadow_aside_ops = {
	.answer = shadow_said,
	.error = shadow_error,
	.end = shadow_asked,
};

/* ---- the worker's ---- */

void
shadow_init(struct session_worker *sw)
{
	size_t i;

	sw->shadows = x_calloc(SHADOW_QUEUES, sizeof(*sw->shadows));
	for (i = 0; i < SHADOW_QUEUES; i++) {
		aside_queue_init(&sw->shadows[i], sw, 1, 1);
		sw->shadows[i].spares = true;
	}
}

void
shadow_fini(struct session_worker *sw)
{
	free(sw->shadows);
	sw->shadows = NULL;
}

void
shadow_tick(struct session_worker *sw, nsec_t now)
{
	size_t i;

	for (i = 0; i < SHADOW_QUEUES; i++)
		aside_tick(&sw->shadows[i], now);
}

void
shadow_stop(struct session_worker *sw)
{
	size_t i;

	for (i = 0; i < SHADOW_QUEUES; i++)
		aside_stop(&sw->shadows[i]);
}
