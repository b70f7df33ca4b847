/* SPDX-License-Identifier: PostgreSQL
 *
 * Threads that ask, and the table of what they were told.
 *
 * A group is a primary with its replicas.  Groups in force hang in the table;
 * after a change of the configuration the old ones live on until their threads
 * have noticed.  All fields below that are not said to be constant are guarded
 * by standbys.lock.
 */
#include "layout/standby.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "layout/ask.h"

#define RETRY_EVERY NSEC_PER_SEC /* after a failure, at the least */

struct watched {
	/* constant */
	struct group *group;
	char *name, *conninfo;
	bool is_primary;

	struct ask a;          /* the thread's own */
	struct lag_answer said;
	bool answered;         /* said counts */
	nsec_t asked;
	uint64_t epoch;
	unsigned failures;     /* since it has answered last */
	char error[512];       /* of the last failure; "": it has answered */
	enum replica_state told; /* by the log */
};

struct group {
	/* constant */
	struct standby_login *login;
	nsec_t interval, timeout;
	size_t n;              /* servers: the primary and its replicas */

	atomic_bool stopping;
	unsigned threads;      /* that use it, the table's entry counts too */
	unsigned next;         /* replica to be tried first */
	struct lag_history history;
	struct watched v[];    /* the primary, then its replicas */
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;   /* stopping, or a thread has ended */
	struct group **groups;
	size_t n_groups;
	unsigned threads;
	uint64_t epochs;
} standbys = { .lock = PTHREAD_MUTEX_INITIALIZER };

static _Alignas(SHARED_ALIGN) union {
	_Atomic nsec_t at;
	char room[SHARED_ALIGN];
} standby_write;

atomic_bool standby_is_on;

/* ------------------------------------------------------------ what is known */

/* Under the lock. */
static void
standby_state(const struct watched *r, struct lag_state *s)
{
	const struct watched *p = &r->group->v[0];

	*s = (struct lag_state){ .epoch = r->epoch, .asked = r->asked,
		.instance = r->said.instance };
	if (!r->answered)
		s->state = r->error[0] != '\0' ? REPLICA_UNREACHABLE :
		    REPLICA_UNKNOWN;
	else if (!p->answered)
		s->state = p->error[0] != '\0' ? REPLICA_NO_PRIMARY :
		    REPLICA_UNKNOWN;
	else
		s->state = lag_compare(&p->said, &r->said);
	if (s->state != REPLICA_FIT)
		return;
	s->upto = lag_upto(&r->group->history, r->said.position);
	s->bytes = lag_bytes(&r->group->history, r->said.position);
}

/* Under the lock. */
static void
standby_log(struct watched *r)
{
	struct lag_state s;

	standby_state(r, &s);
	if (s.state == r->told || s.state == REPLICA_UNKNOWN)
		return;
	r->told = s.state;
	if (s.state == REPLICA_FIT)
		log_info("replica", "msg=\"replica takes reads\" backend=%s "
		    "replica=%s", log_escs(r->group->v[0].name),
		    log_escs(r->name));
	else
		log_warn("replica", "msg=\"replica takes no reads\" "
		    "backend=%s replica=%s reason=%s error=%s",
		    log_escs(r->group->v[0].name), log_escs(r->name),
		    replica_state_name(s.state), log_escs(
		    s.state == REPLICA_NO_PRIMARY ? r->group->v[0].error :
		    r->error));
}

static void
standby_log_all(struct group *g)
{
	size_t i;

	for (i = 1; i < g->n; i++)
		standby_log(&g->v[i]);
}

/* The primary is the one it was. */
static bool
standby_is_same(const struct lag_answer *a, const struct lag_answer *b)
{
	return a->system == b->system && a->timeline == b->timeline &&
	    a->standby == b->standby;
}

static void
standby_answered(struct watched *t, nsec_t asked, const struct lag_answer *said)
{
	struct group *g = t->group;

	pthread_mutex_lock(&standbys.lock);
	if (t->is_primary && (!t->answered ||
	    !standby_is_same(&t->said, said)))
		lag_clear(&g->history);
	t->said = *said;
	t->answered = true;
	t->asked = asked;
	t->failures = 0;
	t->error[0] = '\0';
	if (t->is_primary)
		lag_add(&g->history, asked, said->position);
	standby_log_all(g);
	pthread_mutex_unlock(&standbys.lock);
}

static void
standby_failed(struct watched *t, const char *why)
{
	pthread_mutex_lock(&standbys.lock);
	t->answered = false;
	t->failures++;
	snprintf(t->error, sizeof(t->error), "%s", why);
	if (!atomic_load(&t->group->stopping))
		standby_log_all(t->group);
	pthread_mutex_unlock(&standbys.lock);
}

/* ------------------------------------------------------------ asking */

static bool
standby_open(struct watched *t)
{
	struct standby_login *l = t->group->login;
	char **keywords = NULL, **values = NULL;
	bool got = l->args(l, t->conninfo, &keywords, &values);

	if (!ask_login(&t->a, got, keywords, values))
		return false;
	pthread_mutex_lock(&standbys.lock);
	t->epoch = ++standbys.epochs;
	pthread_mutex_unlock(&standbys.lock);
	return true;
}

/* Ask once. false: see a.error; there is no connection. */
static bool
standby_ask(struct watched *t)
{
	struct lag_answer said;
	nsec_t asked;

	if (t->a.conn == NULL && !standby_open(t)) {
		ask_close(&t->a);
		return false;
	}
	asked = clock_mono();
	if (!ask_position(&t->a, &said)) {
		ask_close(&t->a);
		return false;
	}
	standby_answered(t, asked, &said);
	return true;
}

/* false: stopping. */
static bool
standby_sleep(struct group *g, nsec_t until)
{
	struct timespec ts = { (time_t)(until / NSEC_PER_SEC),
		(long)(until % NSEC_PER_SEC) };

	pthread_mutex_lock(&standbys.lock);
	while (!atomic_load(&g->stopping) && clock_mono() < until)
		(void)pthread_cond_timedwait(&standbys.wake, &standbys.lock, &ts);
	pthread_mutex_unlock(&standbys.lock);
	return !atomic_load(&g->stopping);
}

static void
group_free(struct group *g)
{
	size_t i;

	for (i = 0; i < g->n; i++) {
		free(g->v[i].name);
		OPENSSL_cleanse(g->v[i].conninfo, strlen(g->v[i].conninfo));
		free(g->v[i].conninfo);
	}
	if (atomic_fetch_sub(&g->login->refs, 1) == 1)
		g->login->free(g->login);
	free(g);
}

/* Under the lock, which is let go of when the last one frees it. */
static void
group_unuse(struct group *g)
{
	bool last = --g->threads == 0;

	pthread_mutex_unlock(&standbys.lock);
	if (last)
		group_free(g);
	pthread_mutex_lock(&standbys.lock);
}

static void *
standby_run(void *arg)
{
	struct watched *t = arg;
	struct group *g = t->group;
	nsec_t pause, began;

	do {
		began = clock_mono();
		pause = g->interval;
		if (!standby_ask(t)) {
			standby_failed(t, t->a.error);
			if (pause < RETRY_EVERY)
				pause = RETRY_EVERY;
		}
	} while (standby_sleep(g, began + pause));
	ask_close(&t->a);
	pthread_mutex_lock(&standbys.lock);
	group_unuse(g);
	standbys.threads--;
	pthread_cond_broadcast(&standbys.wake);
	pthread_mutex_unlock(&standbys.lock);
	return NULL;
}

/* ------------------------------------------------------------ groups */

static void
watched_init(struct group *g, size_t i, const struct conf_backend *b)
{
	struct watched *t = &g->v[i];

	t->group = g;
	t->is_primary = i == 0;
	t->name = x_strdup(b->name);
	t->conninfo = x_strdup(b->conninfo);
	t->a.stopping = &g->stopping;
	t->a.timeout = g->timeout;
	t->told = REPLICA_UNKNOWN;
}

static struct group *
group_new(const struct conf *c, const struct conf_backend *b,
    struct standby_login *l)
{
	struct group *g = x_calloc(1, sizeof(*g) +
	    (1 + b->n_replicas) * sizeof(g->v[0]));
	size_t i;

	g->login = l;
	atomic_fetch_add(&l->refs, 1);
	g->interval = c->replica_interval;
	g->timeout = c->replica_timeout;
	g->n = 1 + b->n_replicas;
	g->threads = 1;
	for (i = 0; i < g->n; i++)
		watched_init(g, i, i == 0 ? b : b->replicas[i - 1]);
	return g;
}

/* Under the lock. */
static void
group_start(struct group *g)
{
	pthread_t thread;
	size_t i;

	for (i = 0; i < g->n; i++) {
		g->threads++;
		standbys.threads++;
		CHECK(pthread_create(&thread, NULL, standby_run, &g->v[i]) == 0);
		CHECK(pthread_detach(thread) == 0);
	}
}

/* Under the lock: none is in force any more. */
static void
standby_forget(void)
{
	struct group *g;

	while (standbys.n_groups > 0) {
		g = standbys.groups[--standbys.n_groups];
		atomic_store(&g->stopping, true);
		group_unuse(g);
	}
	free(standbys.groups);
	standbys.groups = NULL;
	pthread_cond_broadcast(&standbys.wake);
}

static void
standby_init(void)
{
	pthread_condattr_t attr;

	CHECK(pthread_condattr_init(&attr) == 0);
	CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	CHECK(pthread_cond_init(&standbys.wake, &attr) == 0);
	CHECK(pthread_condattr_destroy(&attr) == 0);
}

void
standby_configure(struct conf *c, struct standby_login *l)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	size_t i, n = 0;

	CHECK(pthread_once(&once, standby_init) == 0);
	for (i = 0; i < c->n_backends; i++)
		n += c->backends[i].n_replicas > 0;
	pthread_mutex_lock(&standbys.lock);
	standby_forget();
	standbys.groups = x_calloc(n, sizeof(struct group *));
	for (i = 0; i < c->n_backends; i++)
		if (c->backends[i].n_replicas > 0) {
			standbys.groups[standbys.n_groups] = group_new(c,
			    &c->backends[i], l);
			group_start(standbys.groups[standbys.n_groups++]);
		}
	atomic_store(&standby_is_on, n > 0);
	pthread_mutex_unlock(&standbys.lock);
	if (atomic_fetch_sub(&l->refs, 1) == 1)
		l->free(l);
}

void
standby_stop(void)
{
	pthread_mutex_lock(&standbys.lock);
	standby_forget();
	atomic_store(&standby_is_on, false);
	while (standbys.threads > 0)
		pthread_cond_wait(&standbys.wake, &standbys.lock);
	pthread_mutex_unlock(&standbys.lock);
}

/* ------------------------------------------------------------ reads */

static struct group *
standby_find(const char *primary)
{
	size_t i;

	for (i = 0; i < standbys.n_groups; i++)
		if (strcmp(standbys.groups[i]->v[0].name, primary) == 0)
			return standbys.groups[i];
	return NULL;
}

/* Of a configuration that the caller has, perhaps another one than ours. */
static const struct conf_backend *
standby_backend(const struct conf_backend *b, const struct watched *t)
{
	size_t i;

	for (i = 0; i < b->n_replicas; i++)
		if (strcmp(b->replicas[i]->name, t->name) == 0 &&
		    strcmp(b->replicas[i]->conninfo, t->conninfo) == 0)
			return b->replicas[i];
	return NULL;
}

/* Those that are proven to be fit, or could be. Under the lock. */
static unsigned
standby_collect(struct group *g, const struct conf_backend *b,
    const struct lag_bounds *bounds, const struct lag_reader *r,
    nsec_t written, nsec_t now, bool unproven, struct standby_choice *out,
    enum replica_state *why)
{
	const struct conf_backend *to;
	enum replica_state state;
	struct lag_state s;
	struct watched *t;
	unsigned n = 0;
	size_t i;

	for (i = 0; i < g->n - 1; i++) {
		t = &g->v[1 + (g->next + i) % (g->n - 1)];
		to = standby_backend(b, t);
		if (to == NULL)
			continue;
		standby_state(t, &s);
		state = lag_fit(&s, bounds, r, written, now);
		if (state == REPLICA_FIT || (unproven &&
		    state == REPLICA_FLOOR && lag_provable(&s, r, written)))
			out[n++] = (struct standby_choice){ to, s.epoch,
				s.instance, s.asked, state != REPLICA_FIT };
		else if (*why != REPLICA_FLOOR)
			*why = state;
	}
	return n;
}

unsigned
standby_choose(const struct conf_backend *b, const struct lag_bounds *bounds,
    const struct lag_reader *r, nsec_t written, nsec_t now,
    struct standby_choice *out, enum replica_state *why)
{
	struct group *g;
	unsigned n = 0;

	*why = REPLICA_UNKNOWN;
	pthread_mutex_lock(&standbys.lock);
	g = standby_find(b->name);
	if (g != NULL)
		n = standby_collect(g, b, bounds, r, written, now, false, out,
		    why);
	if (n == 0 && *why == REPLICA_FLOOR && r->own.position != 0)
		n = standby_collect(g, b, bounds, r, written, now, true, out,
		    why);
	if (n > 0)
		g->next = (g->next + 1) % (unsigned)(g->n - 1);
	pthread_mutex_unlock(&standbys.lock);
	return n;
}

bool
standby_has_lost(uint64_t epoch, const struct conf_backend *b)
{
	bool lost = false;
	const struct group *g;
	size_t i, k;

	pthread_mutex_lock(&standbys.lock);
	for (i = 0; i < standbys.n_groups; i++) {
		g = standbys.groups[i];
		for (k = 1; k < g->n; k++)
			lost |= g->v[k].failures > 1 &&
			    (g->v[k].epoch == epoch ||
			    (strcmp(g->v[k].name, b->name) == 0 &&
			    strcmp(g->v[k].conninfo, b->conninfo) == 0));
	}
	pthread_mutex_unlock(&standbys.lock);
	return lost;
}

struct shared_region
standby_region(void)
{
	return (struct shared_region){ &standby_write, sizeof(standby_write) };
}

void
standby_written(void)
{
	nsec_t now = clock_mono(), last = atomic_load(&standby_write.at);

	while (last < now && !atomic_compare_exchange_weak(&standby_write.at,
	    &last, now))
		;
}

nsec_t
standby_last_written(void)
{
	return atomic_load(&standby_write.at);
}

/* ------------------------------------------------------------ showing */

static void
standby_tell(const struct watched *t, nsec_t now, struct standby_info *out)
{
	struct lag_state s;

	standby_state(t, &s);
	*out = (struct standby_info){ .primary = t->group->v[0].name,
		.replica = t->name, .state = s.state, .error =
		s.state == REPLICA_NO_PRIMARY ? t->group->v[0].error :
		t->error, .replayed = t->said.position,
		.timeline = t->said.timeline, .known = t->answered,
		.compared = s.state == REPLICA_FIT, .bytes = s.bytes };
	if (s.upto > 0)
		out->age = now > s.upto ? now - s.upto : 1;
	if (s.state == REPLICA_FIT && s.upto == 0)
		out->state = REPLICA_BEHIND;
}

void
standby_each(void (*fn)(const struct standby_info *i, void *arg), void *arg)
{
	nsec_t now = clock_mono();
	struct standby_info info;
	size_t i, k;

	pthread_mutex_lock(&standbys.lock);
	for (i = 0; i < standbys.n_groups; i++)
		for (k = 1; k < standbys.groups[i]->n; k++) {
			standby_tell(&standbys.groups[i]->v[k], now, &info);
			fn(&info, arg);
		}
	pthread_mutex_unlock(&standbys.lock);
}
