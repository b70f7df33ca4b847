/* SPDX-License-Identifier: PostgreSQL
 *
 * Samples of hits: what is asked, of whom, and what the answers mean.
 *
 * Runs on the session's worker.  Invariants: at most VERIFY_MAX samples a
 * worker; at most one of them, sw->verify.asked, has a server.
 */
#include "session/verify.h"

#include <stdlib.h>
#include <string.h>

#include "backend/lessee.h"
#include "base/log.h"
#include "cache/compare.h"
#include "pgwire/msgwrite.h"

#define VERIFY_MAX 16
#define VERIFY_TEXT_MAX (64 * 1024)  /* statement and values */
#define VERIFY_OVER 4096             /* of a reply over what is compared */
#define VERIFY_WAIT (2 * NSEC_PER_SEC) /* for a server */
#define VERIFY_TIMEOUT (60 * NSEC_PER_SEC)
/* A commit that its server has shown is seen here before that, unless a
 * worker hangs. */
#define VERIFY_SETTLE NSEC_PER_SEC

static const struct hash128 no_hash;
static const struct server_ops verify_server_ops;

struct verify_job {
	TAILQ_ENTRY(verify_job) link;
	struct session_worker *sw;
	struct object *object;
	struct pool *pool;
	const atomic_bool *hold;
	struct hash128 settings; /* of servers whose answers are alike */
	struct vars *vars;
	bool strong;
	nsec_t lag;              /* of what vouches for it, then */
	char *rule;
	uint64_t shape;          /* for the log */
	struct server *server;   /* or NULL */
	nsec_t age;              /* of the object when it was the answer */
	nsec_t asked;            /* or, while it waits, drawn */
	nsec_t due;              /* when to decide */
	struct buf reply;
	bool failed;
	struct slice sql, types, bind; /* behind the struct */
	enum key_form form;
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
	pool_unref(&j->pool);
	vars_unref(&j->vars);
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

static struct slice
verify_copy(char **at, struct slice s)
{
	struct slice copy = slice_make(*at, s.n);

	*at = s.n > 0 ? mempcpy(*at, s.p, s.n) : *at;
	return copy;
}

static struct verify_job *
verify_new(struct session *s, const struct query *q,
    const struct cache_key *k, struct slice sql, struct pool *pool)
{
	const struct conf_rule *rule = q->plan->rule;
	struct verify_job *j = x_calloc(1, sizeof(*j) + sql.n + k->types.n +
	    k->bind.n);
	char *at = (char *)(j + 1);

	j->sw = s->sw;
	j->pool = pool_ref(pool);
	j->hold = s->waiter.hold;
	j->settings = pool_scope(s->home)->settings;
	j->vars = vars_ref(s->set.vars);
	j->strong = rule->strong;
	j->lag = s->conf->max_feed_lag;
	j->rule = x_strdup(rule->name);
	j->shape = q->shape->hash.lo;
	j->form = k->form;
	j->sql = verify_copy(&at, sql);
	j->types = verify_copy(&at, k->types);
	j->bind = verify_copy(&at, k->bind);
	return j;
}

struct verify_job *
verify_prepare(struct session *s, const struct query *q,
    const struct cache_key *k)
{
	struct buf *t = &s->sw->text;
	struct slice sql = q->sql;
	struct pool *pool;

	if (s->sw->draining || s->sw->verify.n >= VERIFY_MAX ||
	    k->sql.n + k->bind.n > VERIFY_TEXT_MAX || q->plan->rule == NULL ||
	    q->plan->err_sqlstate != NULL || q->where.gathers ||
	    pool_scope(s->home) == NULL)
		return NULL;
	if (q->where.form != FORM_ASIS) {
		buf_consume(t, buf_len(t));
		if (!route_rewrite(q->plan, q->shape, &q->values,
		    q->where.form, t))
			return NULL;
		sql = slice_make(buf_head(t), buf_len(t));
	}
	pool = session_pool(s, q->where.backend);
	return pool == NULL ? NULL : verify_new(s, q, k, sql, pool);
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

static bool
verify_write_extended(const struct verify_job *j, struct msgwrite *w)
{
	static const char describe[] = "D\0\0\0\006P\0";
	static const char rest[] = "E\0\0\0\011\0\0\0\0\0S\0\0\0\004";
	struct server *srv = j->server;
	bool tell = j->form == KEY_EXT_PORTAL;

	msgwrite_begin(w, 'P');
	msgwrite_str(w, "");
	msgwrite_slice(w, j->sql);
	msgwrite_u16(w, (uint16_t)(j->types.n / 4));
	msgwrite_bytes(w, j->types.p, j->types.n);
	msgwrite_end(w);
	msgwrite_begin(w, 'B');
	msgwrite_str(w, "");
	msgwrite_str(w, "");
	msgwrite_bytes(w, j->bind.p, j->bind.n);
	msgwrite_end(w);
	if (tell)
		msgwrite_raw(w, describe, sizeof(describe) - 1);
	msgwrite_raw(w, rest, sizeof(rest) - 1);
	return server_owe(srv, OWED_PARSE, LEDGER_UNNAMED, no_hash) &&
	    server_owe(srv, OWED_BIND, 0, no_hash) &&
	    (!tell || server_owe(srv, OWED_DESCRIBE_P, 0, no_hash)) &&
	    server_owe(srv, OWED_EXECUTE, 0, no_hash) &&
	    server_owe(srv, OWED_SYNC, 0, no_hash);
}

static bool
verify_write(const struct verify_job *j, struct buf *b)
{
	struct server *srv = j->server;
	struct msgwrite w;

	buf_consume(b, buf_len(b));
	msgwrite_init(&w, b);
	if (srv->vars != j->vars && !settings_bring(srv, j->vars, &w))
		return false;
	srv->has_unnamed = false;
	if (j->form != KEY_SIMPLE)
		return verify_write_extended(j, &w) && !w.failed;
	msgwrite_query(&w, j->sql);
	return server_owe(srv, OWED_QUERY, 0, no_hash) && !w.failed;
}

static bool
verify_ask(struct verify_job *j, struct server *srv, nsec_t now)
{
	struct buf *b = &j->sw->compose;
	struct iovec iov;

	if (srv->scope == NULL || srv->settings_changed ||
	    !hash_eq(srv->scope->settings, j->settings)) {
		pool_put(j->pool, srv);
		return false;
	}
	j->server = srv;
	j->asked = now;
	buf_init(&j->reply, j->object->frames.n + VERIFY_OVER);
	server_lease(srv, &verify_server_ops, j);
	if (!verify_write(j, b)) {
		j->server = NULL;
		server_close(srv, "out of memory");
		return false;
	}
	iov = (struct iovec){ buf_head(b), buf_len(b) };
	j->sw->verify.asked = j;
	(void)!server_send(srv, &iov, 1);
	return true;
}

enum verify_step { VERIFY_ASKED, VERIFY_LATER, VERIFY_OVER_NOW };

/* For the one that has waited longest. */
static enum verify_step
verify_try(struct verify_job *j, nsec_t now)
{
	struct pool_waiter wt = { .w = j->sw->w, .hold = j->hold };
	struct server *srv;

	if (!object_current(j->object)) {
		VERIFY_COUNT(j, inconclusive);
		return VERIFY_OVER_NOW;
	}
	srv = pool_try(j->pool, &wt, now);
	if (srv != NULL && verify_ask(j, srv, now))
		return VERIFY_ASKED;
	if (srv == NULL && now < j->asked + VERIFY_WAIT)
		return VERIFY_LATER;
	VERIFY_COUNT(j, dropped);
	return VERIFY_OVER_NOW;
}

/* Ask for the next one, if none is under way. */
static void
verify_next(struct session_worker *sw, nsec_t now)
{
	enum verify_step step = VERIFY_OVER_NOW;
	struct verify_job *j;

	while (step == VERIFY_OVER_NOW && sw->verify.asked == NULL &&
	    (j = TAILQ_FIRST(&sw->verify.waiting)) != NULL) {
		TAILQ_REMOVE(&sw->verify.waiting, j, link);
		step = verify_try(j, now);
		if (step == VERIFY_LATER)
			TAILQ_INSERT_HEAD(&sw->verify.waiting, j, link);
		else if (step == VERIFY_OVER_NOW)
			verify_end(j);
	}
}

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

	stat_add(&sw->w->metrics->c.verify_samples, 1);
	if (j == NULL || sw->verify.n >= VERIFY_MAX) {
		stat_add(&sw->w->metrics->c.verify_dropped, 1);
		verify_free(&j);
		return;
	}
	sw->verify.n++;
	j->object = object_ref(o);
	j->asked = now;
	j->age = verify_age(o, now);
	TAILQ_INSERT_TAIL(&sw->verify.waiting, j, link);
	verify_next(sw, now);
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
verify_tick(struct session_worker *sw, nsec_t now)
{
	struct verify_job *j = sw->verify.asked;

	if (sw->verify.n == 0)
		return;
	if (j != NULL && now > j->asked + VERIFY_TIMEOUT) {
		sw->verify.asked = NULL;
		server_abandon(j->server, NULL, false);
		VERIFY_COUNT(j, failed);
		verify_end(j);
	}
	while ((j = TAILQ_FIRST(&sw->verify.open)) != NULL && now >= j->due) {
		TAILQ_REMOVE(&sw->verify.open, j, link);
		verify_decide(j, now);
	}
	verify_next(sw, now);
}

void
verify_stop(struct session_worker *sw)
{
	struct verify_job *j = sw->verify.asked;

	sw->verify.asked = NULL;
	if (j != NULL) {
		server_close(j->server, NULL);
		verify_end(j);
	}
	while ((j = TAILQ_FIRST(&sw->verify.waiting)) != NULL) {
		TAILQ_REMOVE(&sw->verify.waiting, j, link);
		verify_end(j);
	}
	while ((j = TAILQ_FIRST(&sw->verify.open)) != NULL) {
		TAILQ_REMOVE(&sw->verify.open, j, link);
		verify_end(j);
	}
}

/* ---- server_ops ---- */

static void
verify_forward(void *lessee, const char *p, size_t n)
{
	struct verify_job *j = lessee;

	j->failed |= !buf_append(&j->reply, p, n);
}

static bool
verify_failed(void *lessee, const char *body PG_UNUSED, size_t n PG_UNUSED,
    bool own PG_UNUSED)
{
	struct verify_job *j = lessee;

	j->failed = true;
	return true;
}

/* Not by a SET: the server's configuration has changed. */
static bool
verify_parameter(void *lessee, const char *name PG_UNUSED,
    const char *value PG_UNUSED)
{
	struct verify_job *j = lessee;

	j->server->settings_changed = true;
	j->failed = true;
	return false;
}

static void
verify_ready(void *lessee, char status PG_UNUSED)
{
	struct verify_job *j = lessee;
	struct session_worker *sw = j->sw;
	struct server *srv = j->server;

	j->server = NULL;
	sw->verify.asked = NULL;
	server_give_back(srv, false);
	verify_judge(j);
	verify_next(sw, clock_mono());
}

static void
verify_lost(void *lessee, const char *why PG_UNUSED)
{
	struct verify_job *j = lessee;

	j->server = NULL;
	j->sw->verify.asked = NULL;
	VERIFY_COUNT(j, failed);
	verify_end(j);
}

static const struct server_ops verify_server_ops = {
	.forward = verify_forward,
	.completed = lessee_skip_completed,
	.failed = verify_failed,
	.mend = lessee_skip_mend,
	.named = lessee_skip_named,
	.row = lessee_skip_row,
	.copy_in = lessee_skip,
	.notification = lessee_skip_notification,
	.parameter = verify_parameter,
	.parameter_own = lessee_skip,
	.synced = lessee_skip_synced,
	.ready = verify_ready,
	.quiet = lessee_skip,
	.cancelled = lessee_skip,
	.lost = verify_lost,
	.drained = lessee_skip,
};
