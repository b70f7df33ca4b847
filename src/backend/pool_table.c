/* SPDX-License-Identifier: PostgreSQL
 *
 * The table of pools: finding, making and forgetting them, and questions about
 * them.  Any thread; the table's lock comes before a pool's.
 */
#include <stdlib.h>
#include <string.h>

#include "backend/connect_args.h"
#include "backend/pool_priv.h"

#define POOLS_MAX 10000u
#define KNOWN_MAX 20000u

struct pool_table pool_table = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.pools = TAILQ_HEAD_INITIALIZER(pool_table.pools) };

/* ---- life ---------------------------------------------------------------- */

/* Under the table's lock. */
static void
pool_free(struct pool *p)
{
	int i;

	CHECK(p->total == 0 && TAILQ_EMPTY(&p->waiters) &&
	    TAILQ_EMPTY(&p->held));
	for (i = 0; i < LIMIT_KINDS; i++)
		limit_put(&p->limits.of[i]);
	welcome_unref(&p->welcome);
	credentials_fini(&p->with);
	pthread_mutex_destroy(&p->lock);
	free(p->backend);
	free(p->user);
	free(p->startup);
	free(p->identity);
	free(p->conninfo);
	free(p->idle);
	prepared_clear(&p->known);
	p->magic = 0;
	free(p);
}

void
pool_forget_unused(nsec_t now)
{
	struct pool *p, *next;
	nsec_t used;

	pthread_mutex_lock(&pool_table.lock);
	for (p = TAILQ_FIRST(&pool_table.pools); p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		/* References are only added under this lock, or by holders. */
		pthread_mutex_lock(&p->lock);
		used = p->last_used;
		pthread_mutex_unlock(&p->lock);
		if (atomic_load(&p->refs) > 1 || now < used ||
		    now - used < FORGET_AFTER)
			continue;
		TAILQ_REMOVE(&pool_table.pools, p, link);
		pool_table.count--;
		pool_free(p);
	}
	pthread_mutex_unlock(&pool_table.lock);
}

struct pool **
pool_snapshot(unsigned *n)
{
	struct pool **v, *p;

	pthread_mutex_lock(&pool_table.lock);
	v = x_calloc(pool_table.count + 1, sizeof(*v));
	*n = 0;
	TAILQ_FOREACH(p, &pool_table.pools, link)
		v[(*n)++] = pool_ref(p);
	pthread_mutex_unlock(&pool_table.lock);
	return v;
}

static int64_t
pool_limit_of(const struct conf_backend *b)
{
	return b->pool_size > 0 ? b->pool_size : atomic_load(&pool_table.pool_size);
}

/* Under the table's lock. */
static void
pool_set_maxima(struct pool *p, const struct conf *c)
{
	const struct conf_backend *b = conf_find_backend(c, p->backend);
	struct limit *const *of = p->limits.of;

	if (b != NULL)
		atomic_store(&of[LIMIT_BACKEND]->max, b->max_db_connections);
	atomic_store(&of[LIMIT_USER]->max,
	    conf_find_user(c, p->user)->max_user_connections);
}

static void
pool_set_conf(struct conf *c)
{
	struct pool *p;

	conf_ref(c);
	pthread_mutex_lock(&pool_table.lock);
	conf_unref(&pool_table.conf);
	pool_table.conf = c;
	TAILQ_FOREACH(p, &pool_table.pools, link)
		pool_set_maxima(p, c);
	pthread_mutex_unlock(&pool_table.lock);
}

void
pool_configure(struct conf *c)
{
	const struct conf_backend *b;
	unsigned i, n;
	struct pool **v;

	atomic_store(&pool_table.pool_size, c->pool_size);
	atomic_store(&pool_table.min_size, c->min_pool_size);
	atomic_store(&pool_table.reserve_timeout, c->reserve_pool_timeout);
	atomic_store(&pool_table.idle_timeout, c->server_idle_timeout);
	atomic_store(&pool_table.lifetime, c->server_lifetime);
	atomic_store(&pool_table.connect_timeout, c->server_connect_timeout);
	atomic_store(&pool_table.login_retry, c->server_login_retry);
	pool_set_conf(c);
	v = pool_snapshot(&n);
	for (i = 0; i < n; i++) {
		b = conf_find_backend(c, v[i]->backend);
		pthread_mutex_lock(&v[i]->lock);
		if (b == NULL) {
			v[i]->limit = v[i]->reserve = 0;
			pool_outdate(v[i]);
		} else {
			v[i]->limit = pool_limit_of(b);
			v[i]->reserve = b->reserve_pool_size;
			if (strcmp(b->conninfo, v[i]->conninfo) != 0) {
				free(v[i]->conninfo);
				v[i]->conninfo = x_strdup(b->conninfo);
				pool_outdate(v[i]);
				atomic_store(&v[i]->scope, NULL);
			}
		}
		pthread_mutex_unlock(&v[i]->lock);
		pool_unref(&v[i]);
	}
	free(v);
}

/* Under the table's lock. */
static struct pool *
pool_new(const struct conf_backend *b, const char *user,
    const struct credentials *with, const char *startup, size_t startup_len)
{
	struct pool *p = x_calloc(1, sizeof(*p));
	unsigned i;

	p->magic = POOL_MAGIC;
	atomic_init(&p->refs, 1);
	p->backend = x_strdup(b->name);
	p->user = x_strdup(user);
	credentials_copy(&p->with, with);
	p->conninfo = x_strdup(b->conninfo);
	p->startup = x_malloc(startup_len + 1);
	memcpy(p->startup, startup, startup_len);
	p->startup_len = startup_len;
	p->identity = connect_identity(b->name, b->conninfo, user, startup,
	    startup_len);
	p->limit = pool_limit_of(b);
	p->reserve = b->reserve_pool_size;
	p->limits.of[LIMIT_BACKEND] = limit_get(LIMIT_BACKEND, b->name);
	p->limits.of[LIMIT_USER] = limit_get(LIMIT_USER, user);
	pool_set_maxima(p, pool_table.conf);
	p->last_used = clock_mono();
	CHECK(pthread_mutex_init(&p->lock, NULL) == 0);
	TAILQ_INIT(&p->waiters);
	TAILQ_INIT(&p->held);
	prepared_init(&p->known);
	p->idle = x_calloc(pool_table.n_workers, sizeof(*p->idle));
	for (i = 0; i < pool_table.n_workers; i++)
		TAILQ_INIT(&p->idle[i]);
	return p;
}

static bool
pool_is(const struct pool *p, const struct conf_backend *b, const char *user,
    const struct credentials *with, const char *startup, size_t startup_len)
{
	if (strcmp(p->backend, b->name) != 0 || strcmp(p->user, user) != 0 ||
	    p->startup_len != startup_len ||
	    memcmp(p->startup, startup, startup_len) != 0)
		return false;
	return credentials_eq(&p->with, with);
}

struct pool *
pool_get(const struct conf_backend *b, const char *user,
    const struct credentials *with, const char *startup, size_t startup_len)
{
	struct pool *p;

	pthread_mutex_lock(&pool_table.lock);
	TAILQ_FOREACH(p, &pool_table.pools, link)
		if (pool_is(p, b, user, with, startup, startup_len))
			break;
	if (p != NULL) {
		pool_ref(p);
	} else if (pool_table.count < POOLS_MAX) {
		p = pool_new(b, user, with, startup, startup_len);
		TAILQ_INSERT_TAIL(&pool_table.pools, p, link);
		pool_table.count++;
		pool_ref(p);
	}
	pthread_mutex_unlock(&pool_table.lock);
	return p;
}

struct pool *
pool_ref(struct pool *p)
{
	CHECK_MAGIC(p, POOL_MAGIC);
	atomic_fetch_add(&p->refs, 1);
	return p;
}

void
pool_unref(struct pool **pp)
{
	struct pool *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	CHECK_MAGIC(p, POOL_MAGIC);
	/* The table's own reference is the last. */
	CHECK(atomic_fetch_sub(&p->refs, 1) > 1);
}

void
pool_init(struct worker *const *workers, unsigned n,
    const struct pool_callbacks *cb)
{
	pool_table.workers = workers;
	pool_table.n_workers = n;
	pool_table.cb = *cb;
	atomic_store(&pool_table.paused, false);
}

void
pool_fini(void)
{
	struct pool *p;

	while ((p = TAILQ_FIRST(&pool_table.pools)) != NULL) {
		TAILQ_REMOVE(&pool_table.pools, p, link);
		pool_table.count--;
		/* Servers still open at exit are not worth a goodbye. */
		p->total = 0;
		TAILQ_INIT(&p->waiters);
		TAILQ_INIT(&p->held);
		pool_free(p);
	}
	pool_table.workers = NULL;
	conf_unref(&pool_table.conf);
}

/* ---- questions --------------------------------------------------------------- */

void
pool_note_sequences(struct pool *p)
{
	atomic_store_explicit(&p->sequences, true, memory_order_relaxed);
}

bool
pool_asks_sequences(const struct pool *p)
{
	return atomic_load_explicit(&p->sequences, memory_order_relaxed);
}

void
pool_know(struct pool *p, struct hash128 content)
{
	struct hash128 oldest;

	pthread_mutex_lock(&p->lock);
	prepared_add(&p->known, content);
	(void)!prepared_evict(&p->known, KNOWN_MAX, &oldest);
	pthread_mutex_unlock(&p->lock);
}

bool
pool_knows(struct pool *p, struct hash128 content)
{
	bool known;

	pthread_mutex_lock(&p->lock);
	known = prepared_has(&p->known, content);
	pthread_mutex_unlock(&p->lock);
	return known;
}

void
pool_count(struct pool *p, enum server_state st, int by)
{
	atomic_fetch_add_explicit(&p->states[st], by, memory_order_relaxed);
}

void
pool_settle(struct pool *p, int by)
{
	atomic_fetch_add_explicit(&p->clients, by, memory_order_relaxed);
}

bool
pool_is_outdated(struct pool *p, const struct server *s)
{
	bool outdated;

	pthread_mutex_lock(&p->lock);
	outdated = s->epoch != p->epoch;
	pthread_mutex_unlock(&p->lock);
	return outdated;
}

const char *
pool_backend_name(const struct pool *p)
{
	return p->backend;
}

const char *
pool_user(const struct pool *p)
{
	return p->user;
}

const struct scope *
pool_scope(struct pool *p)
{
	return atomic_load_explicit(&p->scope, memory_order_acquire);
}

struct welcome *
pool_welcome(struct pool *p)
{
	struct welcome *w;

	pthread_mutex_lock(&p->lock);
	w = p->welcome;
	if (w != NULL)
		atomic_fetch_add(&w->refs, 1);
	pthread_mutex_unlock(&p->lock);
	return w;
}

static struct pool_info
pool_info_of(struct pool *p, char error[sizeof(p->error)])
{
	const struct pool_waiter *first = TAILQ_FIRST(&p->waiters);
	const struct pool_waiter *held = TAILQ_FIRST(&p->held);

	if (first == NULL || (held != NULL && held->since < first->since))
		first = held;
	memcpy(error, p->error, sizeof(p->error));
	return (struct pool_info){
		.backend = p->backend, .user = p->user, .limit = p->limit,
		.total = p->total, .idle = p->idle_count,
		.connecting = p->connecting,
		.waiting = p->waiting + p->held_count,
		.outdated = p->outdated,
		.cleaning = (unsigned)(atomic_load(&p->states[SERVER_COOLING]) +
		    atomic_load(&p->states[SERVER_RESETTING])),
		.draining = (unsigned)atomic_load(&p->states[SERVER_DRAINING]),
		.clients = (unsigned)atomic_load(&p->clients),
		.longest_wait = first == NULL ? 0 :
		    clock_mono() - first->since,
		.paused = atomic_load(&pool_table.paused),
		.last_error = error,
	};
}

void
pool_each(void (*fn)(const struct pool_info *i, void *arg), void *arg)
{
	unsigned i, n;
	struct pool **v = pool_snapshot(&n);
	struct pool_info info;
	char error[sizeof(v[0]->error)];

	for (i = 0; i < n; i++) {
		pthread_mutex_lock(&v[i]->lock);
		info = pool_info_of(v[i], error);
		pthread_mutex_unlock(&v[i]->lock);
		fn(&info, arg);
		pool_unref(&v[i]);
	}
	free(v);
}

bool
pool_backend_ok(const char *backend)
{
	unsigned i, n, bad = 0, good = 0;
	struct pool **v = pool_snapshot(&n);

	for (i = 0; i < n; i++) {
		if (strcmp(v[i]->backend, backend) == 0) {
			pthread_mutex_lock(&v[i]->lock);
			/* Refusing one client's settings, it works. */
			if (v[i]->failures > 0 && !v[i]->told.refused)
				bad++;
			else
				good++;
			pthread_mutex_unlock(&v[i]->lock);
		}
		pool_unref(&v[i]);
	}
	free(v);
	return good > 0 || bad == 0;
}
