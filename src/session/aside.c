/* SPDX-License-Identifier: PostgreSQL
 *
 * Questions on the side: servers, messages, time.
 */
#include "session/aside.h"

#include <stdlib.h>
#include <string.h>

#include "backend/lessee.h"
#include "pgwire/msgwrite.h"
#include "session/session_priv.h"

#define ASIDE_WAIT (2 * NSEC_PER_SEC) /* for a server */
#define ASIDE_TIMEOUT (60 * NSEC_PER_SEC)

static const struct hash128 no_hash;
static const struct server_ops aside_server_ops;

struct aside {
	TAILQ_ENTRY(aside) link;
	struct aside_queue *queue;
	const struct aside_ops *ops;
	void *owner;
	struct pool *pool;
	const atomic_bool *hold;
	struct hash128 settings; /* of servers whose answers are alike */
	struct vars *vars;
	struct server *server;   /* or NULL */
	nsec_t since;            /* it waits, or was sent */
	bool spoilt;             /* the server's settings have changed */
	enum key_form form;
	struct slice sql, types, bind; /* behind the struct */
	struct aside *next;      /* asked behind it, in one transaction; or NULL */
	uint64_t id;             /* while it waits for a pool, else 0 */
	struct htab_node by_id;
	struct pool_waiter waiter;
};

void
aside_queue_init(struct aside_queue *q, struct session_worker *sw,
    unsigned max, unsigned max_asked)
{
	*q = (struct aside_queue){ .sw = sw, .max = max,
		.max_asked = max_asked };
	TAILQ_INIT(&q->waiting);
	TAILQ_INIT(&q->asked);
}

/* ---- birth and death ---- */

void
aside_free(struct aside **ap)
{
	struct aside *a = *ap;

	struct aside *next;

	*ap = NULL;
	for (; a != NULL; a = next) {
		next = a->next;
		pool_unref(&a->pool);
		vars_unref(&a->vars);
		free(a);
	}
}

static struct slice
aside_copy(char **at, struct slice s)
{
	struct slice copy = slice_make(*at, s.n);

	*at = s.n > 0 ? mempcpy(*at, s.p, s.n) : *at;
	return copy;
}

/* Of the same fields; texts are copied. */
static struct aside *
aside_make(const struct aside *like)
{
	struct aside *a = x_calloc(1, sizeof(*a) + like->sql.n +
	    like->types.n + like->bind.n);
	char *at = (char *)(a + 1);

	a->pool = pool_ref(like->pool);
	a->hold = like->hold;
	a->settings = like->settings;
	a->vars = vars_ref(like->vars);
	a->form = like->form;
	a->sql = aside_copy(&at, like->sql);
	a->types = aside_copy(&at, like->types);
	a->bind = aside_copy(&at, like->bind);
	return a;
}

struct aside *
aside_new(struct session *s, struct pool *pool, enum key_form form,
    struct slice sql, struct slice types, struct slice bind, size_t max)
{
	struct aside like = { .pool = pool, .hold = s->waiter.hold,
		.vars = s->set.vars, .form = form, .sql = sql,
		.types = types, .bind = bind };

	if (sql.n + bind.n > max || pool_scope(s->home) == NULL)
		return NULL;
	like.settings = pool_scope(s->home)->settings;
	return aside_make(&like);
}

struct aside *
aside_dup(const struct aside *a)
{
	return aside_make(a);
}

void
aside_chain(struct aside *a, struct aside *next)
{
	while (a->next != NULL)
		a = a->next;
	CHECK(a->pool == next->pool);
	a->next = next;
}

struct pool *
aside_pool(const struct aside *a)
{
	return a->pool;
}

size_t
aside_size(const struct aside *a)
{
	return a->sql.n + a->types.n + a->bind.n;
}

/* It is in no list any more. */
static void
aside_end(struct aside *a, enum aside_end how, nsec_t took)
{
	const struct aside_ops *ops = a->ops;
	void *owner = a->owner;

	a->queue->n--;
	aside_free(&a);
	ops->end(owner, how, took);
}

/* ---- asking ---- */

static bool
aside_write_extended(const struct aside *a, struct server *srv,
    struct msgwrite *w)
{
	static const char describe[] = "D\0\0\0\006P\0";
	static const char rest[] = "E\0\0\0\011\0\0\0\0\0S\0\0\0\004";
	bool tell = a->form == KEY_EXT_PORTAL;

	msgwrite_begin(w, 'P');
	msgwrite_str(w, "");
	msgwrite_slice(w, a->sql);
	msgwrite_u16(w, (uint16_t)(a->types.n / 4));
	msgwrite_bytes(w, a->types.p, a->types.n);
	msgwrite_end(w);
	msgwrite_begin(w, 'B');
	msgwrite_str(w, "");
	msgwrite_str(w, "");
	msgwrite_bytes(w, a->bind.p, a->bind.n);
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
aside_write_query(struct server *srv, struct msgwrite *w, struct slice sql,
    unsigned flags)
{
	msgwrite_query(w, sql);
	return server_owe(srv, OWED_QUERY, flags, no_hash);
}

static bool
aside_write(const struct aside *a, struct buf *b)
{
	struct server *srv = a->server;
	bool several = a->next != NULL, ok;
	struct msgwrite w;

	buf_consume(b, buf_len(b));
	msgwrite_init(&w, b);
	if (srv->vars != a->vars && !settings_bring(srv, a->vars, &w))
		return false;
	srv->has_unnamed = false;
	ok = !several || aside_write_query(srv, &w, SLICE_LIT("BEGIN"),
	    LEDGER_HIDE);
	for (; ok && a != NULL; a = a->next)
		ok = a->form != KEY_SIMPLE ?
		    aside_write_extended(a, srv, &w) :
		    aside_write_query(srv, &w, a->sql, 0);
	if (ok && several)
		ok = aside_write_query(srv, &w, SLICE_LIT("COMMIT"), 0);
	return ok && !w.failed;
}

static bool
aside_ask(struct aside *a, struct server *srv, nsec_t now)
{
	struct buf *b = &a->queue->sw->compose;
	struct iovec iov;

	if (srv->scope == NULL || srv->settings_changed ||
	    !hash_eq(srv->scope->settings, a->settings)) {
		pool_put(a->pool, srv);
		return false;
	}
	a->server = srv;
	a->since = now;
	server_lease(srv, &aside_server_ops, a);
	if (!aside_write(a, b)) {
		a->server = NULL;
		server_close(srv, "out of memory");
		return false;
	}
	iov = (struct iovec){ buf_head(b), buf_len(b) };
	TAILQ_INSERT_TAIL(&a->queue->asked, a, link);
	a->queue->n_asked++;
	(void)!server_send(srv, &iov, 1);
	return true;
}

enum aside_step { ASIDE_ASKED, ASIDE_LATER, ASIDE_OVER };

/* For the one that has waited longest; it is in no list. */
static enum aside_step
aside_try(struct aside *a, nsec_t now)
{
	struct pool_waiter wt = { .w = a->queue->sw->w, .hold = a->hold };
	struct server *srv;

	if (a->ops->wanted != NULL && !a->ops->wanted(a->owner))
		return ASIDE_OVER;
	srv = pool_try(a->pool, &wt, a->queue->spares, now);
	if (srv != NULL && aside_ask(a, srv, now))
		return ASIDE_ASKED;
	return srv == NULL && now < a->since + ASIDE_WAIT ? ASIDE_LATER :
	    ASIDE_OVER;
}

/* ---- waiting as sessions do ---- */

static struct aside *
aside_find(struct session_worker *sw, uint64_t id)
{
	struct htab_node *n = htab_find(&sw->asides, id);

	return n != NULL ? htab_entry(n, struct aside, by_id) : NULL;
}

static void
aside_forget(struct aside *a)
{
	htab_remove(&a->queue->sw->asides, &a->by_id);
	a->id = 0;
	a->queue->leasing = NULL;
}

/* The first of those that wait, where it stays until it has a server. */
static enum aside_step
aside_lease(struct aside *a)
{
	struct session_worker *sw = a->queue->sw;
	struct pool_error why;
	struct server *srv;

	a->id = ++sw->next_id << 8 | sw->w->id;
	htab_insert(&sw->asides, &a->by_id, a->id);
	a->queue->leasing = a;
	a->waiter = (struct pool_waiter){ .w = sw->w, .session = a->id,
		.hold = a->hold };
	switch (pool_lease(a->pool, &a->waiter, clock_mono(), &srv, &why)) {
	case LEASE_WAIT:
		return ASIDE_LATER;
	case LEASE_GOT:
		aside_forget(a);
		return aside_ask(a, srv, clock_mono()) ? ASIDE_ASKED :
		    ASIDE_OVER;
	case LEASE_FAILED:
		break;
	}
	aside_forget(a); /* the next tick tries again */
	return ASIDE_LATER;
}

bool
aside_granted(struct worker *w, uint64_t id, struct server *srv)
{
	struct aside *a = aside_find(w->sessions, id);
	struct aside_queue *q;

	if (a == NULL)
		return false;
	q = a->queue;
	aside_forget(a);
	if (!pool_may_serve(&a->waiter)) {
		pool_put(srv->pool, srv); /* paused: the next tick waits anew */
		return true;
	}
	TAILQ_REMOVE(&q->waiting, a, link);
	if (!aside_ask(a, srv, clock_mono()))
		aside_end(a, ASIDE_DROPPED, 0);
	return true;
}

bool
aside_lease_failed(struct worker *w, uint64_t id)
{
	struct aside *a = aside_find(w->sessions, id);

	if (a != NULL)
		aside_forget(a);
	return a != NULL;
}

/* Ask for those that may be asked now. */
static void
aside_next(struct aside_queue *q, nsec_t now)
{
	enum aside_step step = ASIDE_ASKED;
	struct aside *a;

	while (step != ASIDE_LATER && q->n_asked < q->max_asked &&
	    q->leasing == NULL && (a = TAILQ_FIRST(&q->waiting)) != NULL) {
		TAILQ_REMOVE(&q->waiting, a, link);
		step = q->waits ? aside_lease(a) : aside_try(a, now);
		if (step == ASIDE_LATER)
			TAILQ_INSERT_HEAD(&q->waiting, a, link);
		else if (step == ASIDE_OVER)
			aside_end(a, ASIDE_DROPPED, 0);
	}
}

void
aside_submit(struct aside_queue *q, struct aside *a,
    const struct aside_ops *ops, void *owner)
{
	a->queue = q;
	a->ops = ops;
	a->owner = owner;
	a->since = clock_mono();
	q->n++;
	if (q->n > q->max) {
		aside_end(a, ASIDE_DROPPED, 0);
		return;
	}
	TAILQ_INSERT_TAIL(&q->waiting, a, link);
	aside_next(q, a->since);
}

/* ---- time ---- */

void
aside_tick(struct aside_queue *q, nsec_t now)
{
	struct aside *a;

	if (q->n == 0)
		return;
	/* Asked in this order. */
	while (!q->waits && (a = TAILQ_FIRST(&q->asked)) != NULL &&
	    now > a->since + ASIDE_TIMEOUT) {
		TAILQ_REMOVE(&q->asked, a, link);
		q->n_asked--;
		server_abandon(a->server, NULL, false);
		a->server = NULL;
		aside_end(a, ASIDE_LOST, 0);
	}
	aside_next(q, now);
}

void
aside_stop(struct aside_queue *q)
{
	struct aside *a;

	q->max = 0; /* an end may ask for more */
	a = q->leasing;
	if (a != NULL) {
		(void)pool_leave(a->pool, &a->waiter);
		aside_forget(a);
	}
	while ((a = TAILQ_FIRST(&q->asked)) != NULL) {
		TAILQ_REMOVE(&q->asked, a, link);
		q->n_asked--;
		server_close(a->server, NULL);
		a->server = NULL;
		aside_end(a, ASIDE_STOPPED, 0);
	}
	while ((a = TAILQ_FIRST(&q->waiting)) != NULL) {
		TAILQ_REMOVE(&q->waiting, a, link);
		aside_end(a, ASIDE_STOPPED, 0);
	}
}

/* ---- server_ops ---- */

static void
aside_forward(void *lessee, const char *p, size_t n)
{
	struct aside *a = lessee;

	a->ops->answer(a->owner, p, n);
}

static bool
aside_failed(void *lessee, const char *body, size_t n, bool own)
{
	struct aside *a = lessee;

	a->ops->error(a->owner, own ? "" : body, own ? 0 : n);
	return true;
}

/* Not by a SET: the server's configuration has changed. */
static bool
aside_parameter(void *lessee, const char *name PG_UNUSED,
    const char *value PG_UNUSED)
{
	struct aside *a = lessee;

	a->server->settings_changed = true;
	a->spoilt = true;
	return false;
}

static void
aside_ready(void *lessee, char status PG_UNUSED)
{
	struct aside *a = lessee;
	struct aside_queue *q = a->queue;
	struct server *srv = a->server;
	nsec_t now = clock_mono();

	a->server = NULL;
	TAILQ_REMOVE(&q->asked, a, link);
	q->n_asked--;
	server_give_back(srv, false);
	aside_end(a, a->spoilt ? ASIDE_LOST : ASIDE_ANSWERED, now - a->since);
	aside_next(q, now);
}

static void
aside_lost(void *lessee, const char *why PG_UNUSED)
{
	struct aside *a = lessee;

	a->server = NULL;
	TAILQ_REMOVE(&a->queue->asked, a, link);
	a->queue->n_asked--;
	aside_end(a, ASIDE_LOST, 0);
}

static const struct server_ops aside_server_ops = {
	.forward = aside_forward,
	.completed = lessee_skip_completed,
	.failed = aside_failed,
	.mend = lessee_skip_mend,
	.named = lessee_skip_named,
	.row = lessee_skip_row,
	.copy_in = lessee_skip,
	.notification = lessee_skip_notification,
	.parameter = aside_parameter,
	.parameter_own = lessee_skip,
	.synced = lessee_skip_synced,
	.ready = aside_ready,
	.quiet = lessee_skip,
	.cancelled = lessee_skip,
	.lost = aside_lost,
	.drained = lessee_skip,
};
