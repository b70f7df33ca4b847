/* SPDX-License-Identifier: PostgreSQL
 *
 * Pools: limits, idle servers, waiters.
 *
 * Knows servers as things to hand out, not what they say.  Called from every
 * worker.  Locks: table lock, then one pool's lock, then a connector's or a
 * mailbox's; callbacks and server calls happen outside them.  Invariants under
 * the pool's lock: total = idle + leased + connecting + under way between
 * workers; a waiter is queued only if no idle server was free for it or one is
 * being handed over; total <= limit, or while statements wait limit + reserve,
 * unless these shrank; each of total is counted once in each of limits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/pool_priv.h"

#define CHECK_QUIET_AFTER (50 * NSEC_PER_MSEC)

/* ---- handing over ------------------------------------------------------ */

static void
grant_run(struct worker *w, struct message *m)
{
	struct server *s = (struct server *)(void *)((char *)m -
	    offsetof(struct server, grant.m));

	server_attach(s, w);
	pool_table.cb.granted(w, s->grant.session, s);
}

static void
grant_here(struct deferred *d)
{
	static const struct pool_error lost = { .sqlstate = "08006",
		.text = "the server was lost" };
	struct server *s = (struct server *)(void *)((char *)d -
	    offsetof(struct server, grant.here));

	/* It may have died in the meantime; its memory is still there. */
	if (s->state == SERVER_IDLE)
		pool_table.cb.granted(s->w, s->grant.session, s);
	else
		pool_table.cb.failed(s->w, s->grant.session, &lost);
}

/* Whoever gives a server back is in the middle of something: the next session
 * starts when that is over. */
static void
pool_grant(struct server *s, struct worker *to, uint64_t session)
{
	s->grant.session = session;
	if (s->w == to) {
		s->grant.here.run = grant_here;
		worker_defer(to, &s->grant.here);
		return;
	}
	s->grant.m.run = grant_run;
	server_detach(s);
	worker_post(to, &s->grant.m);
}

struct failure { /* of what a session waits for */
	struct message m;
	uint64_t session;
	struct pool_error why;
};

static void
failure_run(struct worker *w, struct message *m)
{
	struct failure *f = (struct failure *)(void *)m;

	pool_table.cb.failed(w, f->session, &f->why);
	free(f);
}

void
pool_fail(struct worker *w, uint64_t session, const struct pool_error *why)
{
	struct failure *f = x_calloc(1, sizeof(*f));

	f->m.run = failure_run;
	f->session = session;
	f->why = *why;
	worker_post(w, &f->m);
}

struct pool_waiter *
pool_pop_waiter(struct pool *p)
{
	struct pool_waiter *wt = TAILQ_FIRST(&p->waiters);

	if (wt != NULL) {
		TAILQ_REMOVE(&p->waiters, wt, link);
		p->waiting--;
		wt->queued = false;
	}
	return wt;
}

static struct server *
pool_pop_idle(struct pool *p, unsigned worker)
{
	struct server *s = TAILQ_FIRST(&p->idle[worker]);

	if (s != NULL) {
		TAILQ_REMOVE(&p->idle[worker], s, idle_link);
		p->idle_count--;
	}
	return s;
}

struct steal { /* ask a worker to hand one of its idle servers over */
	struct message m;
	struct pool *pool;
	struct worker *to; /* to have it at rest; NULL: whoever waits */
};

/* A server comes to rest on this worker. */
static void
move_run(struct worker *w, struct message *m)
{
	struct server *s = (struct server *)(void *)((char *)m -
	    offsetof(struct server, grant.m));

	server_attach(s, w);
	pool_put(s->pool, s);
}

static void
pool_move(struct server *s, struct worker *to)
{
	if (to == s->w) {
		pool_put(s->pool, s);
		return;
	}
	s->grant.m.run = move_run;
	server_detach(s);
	worker_post(to, &s->grant.m);
}

static void
steal_run(struct worker *w, struct message *m)
{
	struct steal *st = (struct steal *)(void *)m;
	struct pool *p = st->pool;
	struct worker *to = st->to;
	struct server *s = NULL;
	unsigned i, next = pool_table.n_workers;

	free(st);
	pthread_mutex_lock(&p->lock);
	if ((to != NULL || !TAILQ_EMPTY(&p->waiters)) &&
	    !atomic_load(&pool_table.paused))
		s = pool_pop_idle(p, w->id);
	/* Two may have asked us for the one we had. */
	for (i = 0; i < pool_table.n_workers && !TAILQ_EMPTY(&p->waiters) &&
	    !atomic_load(&pool_table.paused); i++)
		if (!TAILQ_EMPTY(&p->idle[i]))
			next = i;
	pthread_mutex_unlock(&p->lock);
	if (next < pool_table.n_workers && next != w->id)
		pool_steal(p, next);
	/* Looked at, and given to whoever has waited longest. */
	if (s != NULL && stream_is_quiet(&s->st))
		pool_move(s, to != NULL ? to : w);
	else if (s != NULL)
		server_close(s, "gone while idle");
	pool_unref(&p);
}

static void
pool_ask_for(struct pool *p, unsigned from, struct worker *to)
{
	struct steal *st = x_calloc(1, sizeof(*st));

	st->m.run = steal_run;
	st->pool = pool_ref(p);
	st->to = to;
	worker_post(pool_table.workers[from], &st->m);
}

void
pool_steal(struct pool *p, unsigned from)
{
	pool_ask_for(p, from, NULL);
}

/* ---- leasing ---------------------------------------------------------------- */

static bool
server_fit(struct server *s, nsec_t now, uint64_t epoch)
{
	nsec_t life = atomic_load(&pool_table.lifetime);

	return !s->doomed && !s->settings_changed && s->epoch == epoch &&
	    (life == 0 || now < s->born + life);
}

/* Under the lock. One server more than the limit is to go, not one for each
 * worker that notices. */
static bool
pool_is_over(const struct pool *p, int64_t limit)
{
	return (int64_t)(p->total - p->leaving) > limit;
}

void
pool_part(struct pool *p, struct server *s)
{
	s->leaving = true;
	p->leaving++;
	limits_leave(&p->limits, 1);
}

/* Under the lock. */
static void
pool_queue(struct pool *p, struct pool_waiter *wt, nsec_t now)
{
	wt->since = now;
	wt->queued = true;
	wt->held = !pool_serves(wt);
	if (wt->held) {
		TAILQ_INSERT_TAIL(&p->held, wt, link);
		p->held_count++;
	} else {
		TAILQ_INSERT_TAIL(&p->waiters, wt, link);
		p->waiting++;
	}
}

enum lease_result
pool_lease(struct pool *p, struct pool_waiter *wt, nsec_t now,
    struct server **out, struct pool_error *why)
{
	struct server *s;
	unsigned i, from = pool_table.n_workers;
	uint64_t epoch;
	bool serve;

	CHECK_MAGIC(p, POOL_MAGIC);
again:
	s = NULL;
	pthread_mutex_lock(&p->lock);
	epoch = p->epoch;
	p->last_used = now;
	serve = pool_may_serve(wt);
	if (TAILQ_EMPTY(&p->waiters) && serve)
		s = pool_pop_idle(p, wt->w->id);
	if (s != NULL) {
		p->served = now;
	} else if (serve && p->total == 0 && now < p->retry_at) {
		*why = p->told;
		pthread_mutex_unlock(&p->lock);
		return LEASE_FAILED;
	} else {
		pool_queue(p, wt, now);
		for (i = 0; i < pool_table.n_workers && p->idle_count > 0; i++)
			if (!TAILQ_EMPTY(&p->idle[i]))
				from = i;
		pool_grow(p, now, false);
	}
	pthread_mutex_unlock(&p->lock);
	if (s == NULL) {
		if (from < pool_table.n_workers)
			pool_steal(p, from);
		return LEASE_WAIT;
	}
	/* One that has rested for a while may have died unnoticed. */
	if (!server_fit(s, now, epoch) || (now > s->used +
	    CHECK_QUIET_AFTER && !stream_is_quiet(&s->st))) {
		server_close(s, "retired, or gone while idle");
		goto again;
	}
	*out = s;
	return LEASE_GOT;
}

/* Under the lock: one more server, for whoever tries next. */
static void
pool_grow_idle(struct pool *p, struct worker *w, nsec_t now)
{
	if (p->connecting > 0 || (int64_t)p->total >= p->limit ||
	    now < p->retry_at || limits_full(&p->limits) ||
	    !pool_take_room(p, now, false))
		return;
	p->total++;
	p->connecting++;
	pool_connect(p, w);
}

/* Under the lock: nobody would miss one server more: neither who waits, nor who
 * comes next. */
static bool
pool_can_spare(const struct pool *p)
{
	int64_t room = p->limit - (int64_t)p->total;
	int64_t left = p->limit / 4 > 1 ? p->limit / 4 : 1;

	if (room < 0 || limits_full(&p->limits))
		room = 0;
	return p->waiting == 0 &&
	    (int64_t)p->idle_count + (int64_t)p->connecting + room > left;
}

struct server *
pool_try(struct pool *p, const struct pool_waiter *wt, bool spare,
    nsec_t now)
{
	unsigned i, from = pool_table.n_workers;
	struct server *s;
	uint64_t epoch;

	CHECK_MAGIC(p, POOL_MAGIC);
	if (!pool_may_serve(wt))
		return NULL;
	for (;;) {
		pthread_mutex_lock(&p->lock);
		epoch = p->epoch;
		if (spare && !pool_can_spare(p)) {
			pthread_mutex_unlock(&p->lock);
			return NULL;
		}
		p->last_used = now;
		s = pool_pop_idle(p, wt->w->id);
		if (s != NULL)
			p->served = now;
		for (i = 0; s == NULL && i < pool_table.n_workers; i++)
			if (!TAILQ_EMPTY(&p->idle[i]))
				from = i;
		if (s == NULL && from == pool_table.n_workers)
			pool_grow_idle(p, wt->w, now);
		pthread_mutex_unlock(&p->lock);
		if (s == NULL)
			break;
		if (server_fit(s, now, epoch) && (now <= s->used +
		    CHECK_QUIET_AFTER || stream_is_quiet(&s->st)))
			return s;
		server_close(s, "retired, or gone while idle");
	}
	if (from < pool_table.n_workers)
		pool_ask_for(p, from, wt->w);
	return NULL;
}

bool
pool_leave(struct pool *p, struct pool_waiter *wt)
{
	bool was;

	pthread_mutex_lock(&p->lock);
	was = wt->queued;
	if (was && wt->held) {
		TAILQ_REMOVE(&p->held, wt, link);
		p->held_count--;
	} else if (was) {
		TAILQ_REMOVE(&p->waiters, wt, link);
		p->waiting--;
	}
	wt->queued = false;
	pthread_mutex_unlock(&p->lock);
	return was;
}

void
pool_put(struct pool *p, struct server *s)
{
	struct pool_waiter *wt = NULL;
	struct worker *to = NULL;
	uint64_t session = 0;
	nsec_t now = s->w->now;
	bool fit;

	CHECK_MAGIC(p, POOL_MAGIC);
	CHECK(s->state == SERVER_IDLE);
	pthread_mutex_lock(&p->lock);
	/* One of the reserve goes on while somebody waits. */
	fit = server_fit(s, now, p->epoch) && !pool_is_over(p, p->limit +
	    (TAILQ_EMPTY(&p->waiters) ? 0 : p->reserve)) &&
	    !pool_must_yield(p, now);
	if (fit && !atomic_load(&pool_table.paused))
		wt = pool_pop_waiter(p);
	if (wt != NULL) {
		to = wt->w;
		session = wt->session;
		p->served = now;
	} else if (fit) {
		TAILQ_INSERT_HEAD(&p->idle[s->w->id], s, idle_link);
		p->idle_count++;
	} else {
		pool_part(p, s);
	}
	pthread_mutex_unlock(&p->lock);
	if (wt != NULL)
		pool_grant(s, to, session);
	else if (!fit)
		server_close(s, "retired");
}

bool
pool_fits(struct pool *p, const struct server *s)
{
	bool fits;

	pthread_mutex_lock(&p->lock);
	fits = s->epoch == p->epoch;
	pthread_mutex_unlock(&p->lock);
	return fits;
}

void
pool_remove(struct pool *p, struct server *s)
{
	struct server *i;

	pthread_mutex_lock(&p->lock);
	TAILQ_FOREACH(i, &p->idle[s->w->id], idle_link)
		if (i == s) {
			TAILQ_REMOVE(&p->idle[s->w->id], s, idle_link);
			p->idle_count--;
			break;
		}
	if (s->leaving) {
		p->leaving--;
		limits_leave(&p->limits, -1);
	}
	pool_ended(p, s->epoch);
	pool_grow(p, clock_mono(), false);
	pthread_mutex_unlock(&p->lock);
}

/* ---- upkeep ------------------------------------------------------------------ */

/* Take one idle server of w that has outstayed; NULL: none. */
static struct server *
pool_pop_outstayed(struct pool *p, struct worker *w, nsec_t now)
{
	nsec_t rest = atomic_load(&pool_table.idle_timeout);
	struct server *s;

	TAILQ_FOREACH(s, &p->idle[w->id], idle_link) {
		if (!server_fit(s, now, p->epoch) ||
		    pool_is_over(p, p->limit) || limits_over(&p->limits) ||
		    (rest != 0 && now > s->used + rest &&
		    pool_is_over(p, atomic_load(&pool_table.min_size)))) {
			TAILQ_REMOVE(&p->idle[w->id], s, idle_link);
			p->idle_count--;
			pool_part(p, s);
			return s;
		}
	}
	return NULL;
}

void
pool_close_outstayed(struct pool *p, struct worker *w, nsec_t now)
{
	struct server *s;

	for (;;) {
		pthread_mutex_lock(&p->lock);
		s = pool_pop_outstayed(p, w, now);
		pthread_mutex_unlock(&p->lock);
		if (s == NULL)
			break;
		server_close(s, "idle or old");
	}
}

static void
pool_tick_one(struct pool *p, struct worker *w, nsec_t now)
{
	int64_t min = atomic_load(&pool_table.min_size);

	pool_close_outstayed(p, w, now);
	if (w->id != 0)
		return;
	pthread_mutex_lock(&p->lock);
	pool_grow(p, now, false);
	if (p->served != 0 && now < p->served + FORGET_AFTER &&
	    p->total < min && p->total < p->limit && p->connecting == 0 &&
	    now >= p->retry_at &&
	    !atomic_load(&pool_table.paused) &&
	    atomic_load(&p->refs) > 1 && !limits_full(&p->limits) &&
	    pool_take_room(p, now, false)) {
		p->total++;
		p->connecting++;
		pool_connect(p, w);
	}
	pthread_mutex_unlock(&p->lock);
}

void
pool_tick(struct worker *w, nsec_t now)
{
	unsigned i, n;
	struct pool **v;

	if (w->id == 0)
		pool_forget_unused(now);
	v = pool_snapshot(&n);
	for (i = 0; i < n; i++)
		pool_tick_one(v[i], w, now);
	if (w->id == 0)
		pool_room_tick(v, n);
	for (i = 0; i < n; i++)
		pool_unref(&v[i]);
	free(v);
}
