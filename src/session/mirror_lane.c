/* SPDX-License-Identifier: PostgreSQL
 *
 * Lanes: one after the other, whatever becomes of each.
 *
 * Knows no sessions: what is asked was made by one, and outlives it.
 */
#include "session/mirror_lane.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "conf/trial.h"
#include "experiment/board.h"
#include "experiment/mirror.h"
#include "pgwire/frame.h"
#include "pgwire/msgread.h"

struct lane_expect {
	char tag[LANE_TAG];
	unsigned shape;
	uint64_t digest;
};

struct lane_step {
	struct aside *ask;
	size_t n;
	struct lane_expect *expects;
};

struct lane_work {
	struct conf_run *run;
	unsigned arm;
	char *experiment; /* for the log */
	size_t n;
	struct lane_step *steps;
};

struct lane {
	struct session_worker *sw;
	TAILQ_ENTRY(lane) link;
	struct deferred reclaim;
	struct mirror *mirror;
	unsigned arm;
	struct aside_queue queue;
	struct lane_work *work;
	size_t at;              /* step under way */
	size_t heard;           /* tags of it that have come */
	size_t row_left;        /* of a row that is half here */
	bool told;              /* of this step: it differs */
	bool going, more;       /* see lane_go() */
};

struct lane_message {
	struct message m;
	struct mirror *mirror;
	unsigned arm;
};

static const struct aside_ops lane_aside_ops;

/* ---- work ---- */

struct lane_work *
lane_work_new(const struct conf_experiment *e, unsigned arm)
{
	struct lane_work *x = x_calloc(1, sizeof(*x));

	x->run = conf_run_ref(e->run);
	x->arm = arm;
	x->experiment = x_strdup(e->name);
	return x;
}

/* Room for one more, by doubling. */
static void *
lane_room(void *array, size_t n, size_t each)
{
	void *more;

	if (n != 0 && (n & (n - 1)) != 0)
		return array;
	more = realloc(array, (n == 0 ? 1 : 2 * n) * each);
	CHECK(more != NULL);
	return more;
}

void
lane_work_begin(struct lane_work *x)
{
	x->steps = lane_room(x->steps, x->n, sizeof(x->steps[0]));
	x->steps[x->n++] = (struct lane_step){ .ask = NULL };
}

void
lane_work_add(struct lane_work *x, struct aside *ask, const char *tag,
    unsigned shape, uint64_t digest)
{
	struct lane_step *step = &x->steps[x->n - 1];
	struct lane_expect *want;

	step->expects = lane_room(step->expects, step->n,
	    sizeof(step->expects[0]));
	want = &step->expects[step->n++];
	memset(want->tag, 0, sizeof(want->tag));
	strncpy(want->tag, tag, sizeof(want->tag) - 1);
	want->shape = shape;
	want->digest = digest;
	if (step->ask == NULL)
		step->ask = ask;
	else
		aside_chain(step->ask, ask);
}

void
lane_work_free(void *arg)
{
	struct lane_work *x = arg;
	size_t i;

	for (i = 0; i < x->n; i++) {
		aside_free(&x->steps[i].ask);
		free(x->steps[i].expects);
	}
	free(x->steps);
	free(x->experiment);
	conf_run_unref(&x->run);
	free(x);
}

/* ---- differences ---- */

static void
lane_count(const struct lane *l, enum board_count what)
{
	board_count(l->work->run->board, l->sw->w->id, l->arm, what);
}

static uint64_t
tag_rows(const char *tag)
{
	const char *last = strrchr(tag, ' ');

	return last != NULL ? strtoull(last + 1, NULL, 10) : 0;
}

/* Told once of a step: what comes behind a failure fails because of it. */
static void
lane_differs(struct lane *l, const char *what, uint64_t rows)
{
	const struct lane_step *step = &l->work->steps[l->at];
	const struct lane_expect *want = &step->expects[
	    l->heard < step->n ? l->heard : step->n - 1];
	const struct board_sample sample = { .at = clock_wall(),
		.arm = l->arm, .shape = want->shape, .what = what,
		.digest = want->digest,
		.rows = { tag_rows(want->tag), rows } };

	if (l->told)
		return;
	l->told = true;
	lane_count(l, BOARD_DIVERGED);
	if (!board_keep_sample(l->work->run->board, &sample))
		return;
	log_warn("experiment", "msg=\"a write had another effect on the arm "
	    "than on the control\" name=%s arm=%u what=\"%s\" rows=%llu "
	    "control_rows=%llu digest=%016llx",
	    log_escs(l->work->experiment), l->arm, what,
	    (unsigned long long)sample.rows[1],
	    (unsigned long long)sample.rows[0],
	    (unsigned long long)sample.digest);
}

static void
lane_tag(struct lane *l, const char *tag)
{
	const struct lane_step *step = &l->work->steps[l->at];

	if (l->heard < step->n &&
	    strncmp(tag, step->expects[l->heard].tag, LANE_TAG - 1) != 0)
		lane_differs(l, "rows", tag_rows(tag));
	else if (l->heard >= step->n && strcmp(tag, "COMMIT") != 0)
		lane_differs(l, "not committed", 0);
	l->heard++;
}

/* ---- going on ---- */

static void
lane_reclaim(struct deferred *d)
{
	struct lane *l = (struct lane *)(void *)((char *)d -
	    offsetof(struct lane, reclaim));

	mirror_unref(&l->mirror);
	free(l);
}

/* Its queue may be on the stack. */
static void
lane_end(struct lane *l)
{
	TAILQ_REMOVE(&l->sw->lanes, l, link);
	l->reclaim.run = lane_reclaim;
	worker_defer(l->sw->w, &l->reclaim);
}

static void
lane_over(struct lane *l)
{
	lane_work_free(l->work);
	l->work = NULL;
	mirror_done(l->mirror, l->arm);
}

/* A step, or the next transaction. false: asleep. */
static bool
lane_one(struct lane *l)
{
	struct lane_step *step;
	struct aside *ask;

	if (l->work != NULL && l->at == l->work->n)
		lane_over(l);
	if (l->work == NULL) {
		l->work = mirror_next(l->mirror, l->arm);
		l->at = 0;
	}
	if (l->work == NULL)
		return false;
	step = &l->work->steps[l->at];
	l->heard = l->row_left = 0;
	l->told = false;
	ask = step->ask;
	step->ask = NULL;
	aside_submit(&l->queue, ask, &lane_aside_ops, l);
	return true;
}

/* Ends may come before a submit returns: not one within the other. */
static void
lane_go(struct lane *l)
{
	bool awake = true;

	l->more = true;
	if (l->going)
		return;
	l->going = true;
	while (awake && l->more) {
		l->more = false;
		awake = lane_one(l);
	}
	l->going = false;
	if (!awake)
		lane_end(l);
}

/* ---- aside_ops ---- */

static void
lane_said(void *owner, const char *p, size_t n)
{
	struct lane *l = owner;
	const char *end = p + n;
	struct frame f;
	size_t here;

	if (l->row_left > 0) {
		here = l->row_left < n ? l->row_left : n;
		l->row_left -= here;
		p += here;
	}
	for (; p < end; p += here) {
		if (frame_next(p, (size_t)(end - p), UINT32_MAX, &f) ==
		    FRAME_NEED_MORE)
			return;
		here = f.size < (size_t)(end - p) ? f.size :
		    (size_t)(end - p);
		l->row_left = f.size - here;
		if (f.type == 'C')
			lane_tag(l, f.p);
	}
}

static void
lane_error(void *owner, const char *body, size_t n)
{
	struct lane *l = owner;
	struct wire_error e;

	if (!l->told && msgread_error(body, n, &e))
		log_info("experiment", "msg=\"a mirrored write failed\" "
		    "name=%s arm=%u sqlstate=%s text=%s",
		    log_escs(l->work->experiment), l->arm,
		    log_esc(e.sqlstate), log_esc(e.message));
	lane_differs(l, "error", 0);
	l->heard++;
}

static void
lane_asked(void *owner, enum aside_end how, nsec_t took PG_UNUSED)
{
	struct lane *l = owner;

	if (how == ASIDE_STOPPED)
		return; /* the worker ends, and so does the lane */
	if (how == ASIDE_LOST)
		lane_differs(l, "server lost", 0);
	else if (how == ASIDE_DROPPED)
		lane_differs(l, "server settings", 0);
	else if (!l->told)
		lane_count(l, BOARD_MIRRORED);
	l->at++;
	lane_go(l);
}

static const struct aside_ops lane_aside_ops = {
	.answer = lane_said,
	.error = lane_error,
	.end = lane_asked,
};

/* ---- the worker's ---- */

static void
lane_begin(struct worker *w, struct message *msg)
{
	struct lane_message *m = (struct lane_message *)(void *)msg;
	struct session_worker *sw = w->sessions;
	struct lane *l = x_calloc(1, sizeof(*l));

	l->sw = sw;
	l->mirror = m->mirror;
	l->arm = m->arm;
	aside_queue_init(&l->queue, sw, 1, 1);
	l->queue.waits = true;
	TAILQ_INSERT_TAIL(&sw->lanes, l, link);
	free(m);
	lane_go(l);
}

void
lane_wake(const struct conf_experiment *e, unsigned arms)
{
	struct lane_message *m;
	unsigned arm;

	for (arm = 0; arms >> arm != 0; arm++) {
		if ((arms >> arm & 1) == 0)
			continue;
		m = x_calloc(1, sizeof(*m));
		m->m.run = lane_begin;
		m->mirror = mirror_ref(e->run->mirror);
		m->arm = arm;
		worker_post(session_layer_worker(e->id * CONF_ARMS_MAX + arm),
		    &m->m);
	}
}

void
lane_tick(struct session_worker *sw, nsec_t now)
{
	struct lane *l, *next;

	for (l = TAILQ_FIRST(&sw->lanes); l != NULL; l = next) {
		next = TAILQ_NEXT(l, link);
		aside_tick(&l->queue, now);
	}
}

void
lane_stop(struct session_worker *sw)
{
	struct lane *l;

	while ((l = TAILQ_FIRST(&sw->lanes)) != NULL) {
		aside_stop(&l->queue);
		if (l->work != NULL) {
			log_warn("experiment", "msg=\"the process ends before "
			    "the arm has all mirrored writes\" name=%s arm=%u "
			    "waiting=%llu", log_escs(l->work->experiment),
			    l->arm, (unsigned long long)mirror_waiting(
			    l->mirror, l->arm));
			lane_work_free(l->work);
			l->work = NULL;
		}
		mirror_break(l->mirror);
		lane_end(l);
	}
}
