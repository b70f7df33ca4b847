/* SPDX-License-Identifier: PostgreSQL
 *
 * How pools grow: connection attempts, back-off, and what a new server tells.
 *
 * Runs on the worker that asked for the connection; pool_grow() on any, under
 * the pool's lock.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/connect_args.h"
#include "backend/connect_error.h"
#include "backend/connector.h"
#include "backend/pool_priv.h"
#include "base/log.h"
#include "pgwire/msgwrite.h"

#define BACKOFF_MAX 15
#define PASSWORD_HINT "hint=\"the backend wants a password: give one in its " \
	"conninfo, in users_file or by the method password; SCRAM keys are " \
	"passed on by libpq 18 and newer\""

void
welcome_unref(struct welcome **wp)
{
	struct welcome *w = *wp;

	*wp = NULL;
	if (w != NULL && atomic_fetch_sub(&w->refs, 1) == 1)
		free(w);
}

static struct welcome *
welcome_new(PGconn *conn, const struct scope *scope)
{
	static const char *const names[] = {
#define REPORTED(name) #name,
#include "tbl/reported.h"
	};
	struct welcome *w;
	struct msgwrite mw;
	struct buf b;
	const char *v;
	size_t i;

	buf_init(&b, 1024 * 1024);
	msgwrite_init(&mw, &b);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		v = PQparameterStatus(conn, names[i]);
		if (v != NULL)
			msgwrite_param_status(&mw, names[i], v);
	}
	w = x_malloc(sizeof(*w) + buf_len(&b));
	atomic_init(&w->refs, 1);
	w->scope = scope;
	w->n = buf_len(&b);
	if (w->n > 0)
		memcpy(w->messages, buf_head(&b), w->n);
	buf_reset(&b);
	return w;
}

static void
pool_connected(struct pool *p, struct worker *w, struct connect_job *j,
    uint64_t epoch)
{
	const struct scope *scope = scope_intern(p->identity, j->settings);
	struct welcome *old, *fresh = welcome_new(j->conn, scope);
	struct server *s = server_take_over(pool_ref(p), w, j->conn, scope);

	s->epoch = epoch;
	s->instance = j->instance;
	stat_add(&w->metrics->c.server_connects, 1);
	log_debug("pool", "msg=\"server connected\" backend=%s user=%s pid=%d",
	    p->backend, log_escs(p->user), s->pid);
	pthread_mutex_lock(&p->lock);
	p->connecting--;
	if (p->failures > 0)
		log_info("pool", "msg=\"backend is back\" backend=%s user=%s",
		    p->backend, log_escs(p->user));
	p->failures = 0;
	p->retry_at = 0;
	p->error[0] = '\0';
	p->told.refused = false;
	old = p->welcome;
	p->welcome = fresh;
	atomic_store(&p->scope, scope);
	pthread_mutex_unlock(&p->lock);
	welcome_unref(&old);
	pool_put(p, s);
}

static void
pool_tell(struct pool *p, const struct connect_job *j)
{
	struct pool_error *e = &p->told;
	struct slice words;

	e->refused = connect_error_read(j->error, e->sqlstate, &words) &&
	    connect_error_refuses(e->sqlstate);
	if (e->refused) {
		snprintf(e->text, sizeof(e->text), "%.*s", (int)words.n,
		    words.p);
		return;
	}
	snprintf(e->sqlstate, sizeof(e->sqlstate), "08006");
	snprintf(e->text, sizeof(e->text), j->no_password ?
	    "no password is known to connect to backend \"%s\" with" :
	    "could not connect to backend \"%s\"", p->backend);
}

static void
pool_connect_failed(struct pool *p, struct worker *w,
    const struct connect_job *j, uint64_t epoch)
{
	TAILQ_HEAD(, pool_waiter) out = TAILQ_HEAD_INITIALIZER(out);
	struct pool_waiter *wt;
	unsigned factor;

	stat_add(&w->metrics->c.server_connect_failures, 1);
	pthread_mutex_lock(&p->lock);
	p->connecting--;
	pool_ended(p, epoch);
	pool_tell(p, j);
	log_msg(p->told.refused ? LOG_L_INFO : LOG_L_WARN, "pool",
	    "msg=\"cannot connect to backend\" backend=%s user=%s error=%s%s",
	    p->backend, log_escs(p->user), log_escs(j->error),
	    j->no_password ? " " PASSWORD_HINT : "");
	factor = p->told.refused ? 1 : p->failures < 4 ? 1u << p->failures :
	    BACKOFF_MAX;
	p->failures++;
	p->retry_at = clock_mono() + atomic_load(&pool_table.login_retry) *
	    (factor > BACKOFF_MAX ? BACKOFF_MAX : factor);
	snprintf(p->error, sizeof(p->error), "%s", j->error);
	/* While other servers live, waiting goes on. So it does in a pause,
	 * which may well be the reason. */
	if (p->total == 0 && !atomic_load(&pool_table.paused))
		while ((wt = pool_pop_waiter(p)) != NULL)
			pool_fail(wt->w, wt->session, &p->told);
	pthread_mutex_unlock(&p->lock);
}

struct connect_arg {
	struct pool *pool;
	uint64_t epoch;
};

static void
connect_done(struct worker *w, struct message *m)
{
	struct connect_job *j = (struct connect_job *)(void *)m;
	struct connect_arg *a = j->arg;
	struct pool *p = a->pool;

	if (j->conn != NULL)
		pool_connected(p, w, j, a->epoch);
	else
		pool_connect_failed(p, w, j, a->epoch);
	connect_job_free(j);
	free(a);
	pool_unref(&p);
}

static struct connect_job *
pool_connect_job(struct pool *p, struct worker *w)
{
	struct connect_job *j = x_calloc(1, sizeof(*j));
	struct connect_arg *a = x_calloc(1, sizeof(*a));

	a->pool = pool_ref(p);
	a->epoch = p->epoch;
	j->done.run = connect_done;
	j->w = w;
	j->arg = a;
	j->timeout = atomic_load(&pool_table.connect_timeout);
	connect_args(p->conninfo, p->user, &p->with, p->startup,
	    p->startup_len, &j->keywords, &j->values);
	return j;
}

void
pool_connect(struct pool *p, struct worker *w)
{
	connector_submit(pool_connect_job(p, w));
}

/* How many servers there may be now. */
static int64_t
pool_room(const struct pool *p, nsec_t now)
{
	const struct pool_waiter *first = TAILQ_FIRST(&p->waiters);
	nsec_t limit = atomic_load(&pool_table.reserve_timeout);

	if (first == NULL || limit == 0 || now < first->since + limit)
		return p->limit;
	return p->limit + p->reserve;
}

void
pool_grow(struct pool *p, nsec_t now, bool in_turn)
{
	struct pool_waiter *wt = TAILQ_FIRST(&p->waiters);
	unsigned want = p->waiting;
	int64_t room = pool_room(p, now);

	while (wt != NULL && p->connecting + p->idle_count < want &&
	    p->total < room && now >= p->retry_at &&
	    !atomic_load(&pool_table.paused)) {
		/* After a failure one attempt at a time. */
		if ((p->failures > 0 && p->connecting > 0) ||
		    !pool_take_room(p, wt->since, in_turn))
			break;
		p->total++;
		p->connecting++;
		pool_connect(p, wt->w);
		wt = TAILQ_NEXT(wt, link);
	}
}
