/* SPDX-License-Identifier: PostgreSQL
 *
 * Samples of hits: what is asked, of whom, and what the answers mean.
 *
 * Runs on the session's worker.  Invariants: at most VERIFY_MAX samples a
 * worker; at most one of them has a server.
 */
#include "session/verify.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cache/compare.h"

#define VERIFY_MAX 16
#define VERIFY_OVER 4096             /* of a reply over what is compared */
/* A commit that its server has shown is seen here before that, unless a
 * worker hangs. */
#define VERIFY_SETTLE NSEC_PER_SEC

static const struct aside_ops verify_aside_ops;

struct verify_job {
	TAILQ_ENTRY(verify_job) link; /* while it is open */
	struct session_worker *sw;
	struct object *object;
	struct aside *aside;     /* until it is submitted */
	bool strong;
	nsec_t lag;              /* of what vouches for it, then */
	char *rule;
	uint64_t shape;          /* for the log */
	nsec_t age;              /* of the object when it was the answer */
	nsec_t due;              /* when to decide */
	struct buf reply;
	bool failed, unwanted;
};

#define VERIFY_COUNT(j, what) \
	stat_add(&(j)->sw->w->metrics->c.verify_##what, 1)

/* ---- birth and death ---- */

void
verify_free(struct verify_job **jp)
{
	struct verify_job *j = *jp;

	*jp = NULL;
	if (j == NULL)
		return;
	object_unref(&j->object);
	aside_free(&j->aside);
	buf_reset(&j->reply);
	free(j->rule);
	free(j);
}

/* The sample is over. */
static void
verify_end(struct verify_job *j)
{
	j->sw->verify.n--;
	verify_free(&j);
}

struct verify_job *
verify_prepare(struct session *s, const struct query *q,
    const struct cache_key *k)
{
	struct buf *t = &s->sw->text;
	struct slice sql = q->sql;
	const struct conf_rule *rule = q->plan->rule;
	struct verify_job *j;
	struct aside *a;
	struct pool *pool;

	if (s->sw->draining || s->sw->verify.n >= VERIFY_MAX ||
	    rule == NULL || q->plan->err_sqlstate != NULL || q->where.gathers)
		return NULL;
	if (q->where.form != FORM_ASIS) {
		buf_consume(t, buf_len(t));
		if (!route_rewrite(q->plan, q->shape, &q->values,
		    q->where.form, t))
			return NULL;
		sql = slice_make(buf_head(t), buf_len(t));
	}
	pool = session_pool(s, q->where.backend);
	a = pool == NULL ? NULL : aside_new(s, pool, k->form, sql, k->types,
	    k->bind, ASIDE_TEXT_MAX);
	if (a == NULL)
		return NULL;
	j = x_calloc(1, sizeof(*j));
	j->sw = s->sw;
	j->aside = a;
	j->strong = rule->strong;
	j->lag = s->conf->max_feed_lag;
	j->rule = x_strdup(rule->name);
	j->shape = q->shape->hash.lo;
	return j;
}

/* ---- what the answer means ---- */

/* No words of the statement: they may be anybody's. */
#define VERIFY_LOG "rule=%s shape=%016llx age_ms=%llu bytes=%zu", \
	log_escs(j->rule), (unsigned long long)j->shape, \
	(unsigned long long)(j->age / NSEC_PER_MSEC), j->object->frames.n

/* It was different, and what was on its way then has come. */
static void
verify_decide(struct verify_job *j, nsec_t now)
{
	const struct object *o = j->object;
	nsec_t kept = o->grace_until - o->fetched_mono;
	nsec_t bound = kept > o->ttl ? kept : o->ttl;

	if (!object_current(o) || !live_now(o->live, now)) {
		VERIFY_COUNT(j, inconclusive);
	} else if (!j->strong && j->age <= bound) {
		VERIFY_COUNT(j, stale);
		hist_record(&j->sw->w->metrics->staleness, j->age);
		log_info("cache", "msg=\"hit was stale\" " VERIFY_LOG);
	} else {
		VERIFY_COUNT(j, mismatches);
		log_error("cache", "msg=\"hit was not what the backend "
		    "says\" " VERIFY_LOG);
	}
	verify_end(j);
}

static void
verify_judge(struct verify_job *j)
{
	nsec_t now = clock_mono();

	switch (j->failed ? COMPARE_UNUSABLE : compare_reply(j->object,
	    buf_head(&j->reply), buf_len(&j->reply))) {
	case COMPARE_SAME:
		VERIFY_COUNT(j, same);
		break;
	case COMPARE_REORDERED:
		VERIFY_COUNT(j, reordered);
		break;
	case COMPARE_UNUSABLE:
		VERIFY_COUNT(j, failed);
		break;
	case COMPARE_DIFFERENT:
		buf_reset(&j->reply);
		j->due = now + VERIFY_SETTLE + (j->strong ? j->lag : 0);
		TAILQ_INSERT_TAIL(&j->sw->verify.open, j, link);
		return;
	}
	verify_end(j);
}

/* ---- asking ---- */

/* An entry that was waited for is younger than the fill it is dated by. */
static nsec_t
verify_age(const struct object *o, nsec_t now)
{
	nsec_t age = now > o->fetched_mono ? now - o->fetched_mono : 0;
	nsec_t wall = clock_wall();

	if (o->from_l2 && wall > o->fetched_wall &&
	    wall - o->fetched_wall < age)
		age = wall - o->fetched_wall;
	return age;
}

void
verify_submit(struct session_worker *sw, struct verify_job *j,
    struct object *o)
{
	nsec_t now = clock_mono();
	struct aside *a;

	stat_add(&sw->w->metrics->c.verify_samples, 1);
	if (j == NULL || sw->verify.n >= VERIFY_MAX) {
		stat_add(&sw->w->metrics->c.verify_dropped, 1);
		verify_free(&j);
		return;
	}
	sw->verify.n++;
	j->object = object_ref(o);
	j->age = verify_age(o, now);
	buf_init(&j->reply, o->frames.n + VERIFY_OVER);
	a = j->aside;
	j->aside = NULL;
	aside_submit(&sw->verify.asked, a, &verify_aside_ops, j);
}

void
verify_hit(struct session *s, const struct unit *u, struct statement *stmt,
    struct object *o)
{
	struct query q;

	query_prepare(s, &q, o->key.sql, stmt, stmt != NULL ? &u->bind : NULL);
	verify_submit(s->sw, verify_prepare(s, &q, &o->key), o);
}

/* ---- time ---- */

void
verify_init(struct session_worker *sw)
{
	aside_queue_init(&sw->verify.asked, sw, VERIFY_MAX, 1);
	TAILQ_INIT(&sw->verify.open);
}

void
verify_tick(struct session_worker *sw, nsec_t now)
{
	struct verify_job *j;

	if (sw->verify.n == 0)
		return;
	aside_tick(&sw->verify.asked, now);
	while ((j = TAILQ_FIRST(&sw->verify.open)) != NULL && now >= j->due) {
		TAILQ_REMOVE(&sw->verify.open, j, link);
		verify_decide(j, now);
	}
}

void
verify_stop(struct session_worker *sw)
{
	struct verify_job *j;

	aside_stop(&sw->verify.asked);
	while ((j = TAILQ_FIRST(&sw->verify.open)) != NULL) {
		TAILQ_REMOVE(&sw->verify.open, j, link);
		verify_end(j);
	}
}

/* ---- aside_ops ---- */

static bool
verify_wanted(void *owner)
{
	struct verify_job *j = owner;

	j->unwanted = !object_current(j->object);
	return !j->unwanted;
}

static void
verify_answer(void *owner, const char *p, size_t n)
{
	struct verify_job *j = owner;

	j->failed |= !buf_append(&j->reply, p, n);
}

static void
verify_error(void *owner, const char *body PG_UNUSED, size_t n PG_UNUSED)
{
	struct verify_job *j = owner;

	j->failed = true;
}

static void
verify_asked(void *owner, enum aside_end how, nsec_t took PG_UNUSED)
{
	struct verify_job *j = owner;

	if (how == ASIDE_ANSWERED) {
		verify_judge(j);
		return;
	}
	if (j->unwanted)
		VERIFY_COUNT(j, inconclusive);
	else if (how == ASIDE_DROPPED)
		VERIFY_COUNT(j, dropped);
	else if (how == ASIDE_LOST)
		VERIFY_COUNT(j, failed);
	verify_end(j);
}

static const struct aside_ops verify_aside_ops = {
	.wanted = verify_wanted,
	.answer = verify_answer,
	.error = verify_error,
	.end = verify_asked,
};
