/* SPDX-License-Identifier: PostgreSQL
 *
 * The feed thread: which feeds there are, and what others may know of them.
 *
 * A new configuration is put together on the control thread and taken by the
 * feed thread; sessions look things up in the newest.  feeds.lock guards the
 * newest, the list and what is shown of each feed; it is held for memory only.
 */
#include "feed/feed.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "feed/feed_priv.h"

/* A configuration and its gates. */
struct use {
	struct feed_setup setup;
	struct gate_plan *plan;
};

static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	struct event_base *base;
	struct event *on_wake;
	int wake_fd;
	bool started;
	bool stopping;          /* under lock, like those below */
	struct use *newest;     /* for sessions; the thread's or pending */
	struct use *pending;    /* not yet taken by the thread */
	TAILQ_HEAD(, feed) all;
	struct use *mine;       /* the thread's */
} feeds = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.all = TAILQ_HEAD_INITIALIZER(feeds.all), .wake_fd = -1 };

void
feed_lock(void)
{
	pthread_mutex_lock(&feeds.lock);
}

void
feed_unlock(void)
{
	pthread_mutex_unlock(&feeds.lock);
}

/* ------------------------------------------------------------ setups */

static void
use_free(struct use *u)
{
	if (u == NULL)
		return;
	u->setup.done(u->setup.arg);
	conf_unref(&u->setup.conf);
	gate_plan_free(&u->plan);
	free(u);
}

static void
feeds_wake(void)
{
	static const uint64_t one = 1;

	CHECK(write(feeds.wake_fd, &one, sizeof(one)) == sizeof(one) ||
	    errno == EAGAIN);
}

void
feed_use(const struct feed_setup *s)
{
	struct use *u = x_calloc(1, sizeof(*u)), *skipped;

	u->setup = *s;
	u->plan = gate_plan_new(s->conf);
	feed_lock();
	skipped = feeds.pending;
	feeds.pending = feeds.newest = u;
	feed_unlock();
	use_free(skipped);
	feeds_wake();
}

const struct live_set *
feed_set(const struct conf *c, const struct conf_database *d,
    const struct conf_rule *r)
{
	const struct live_set *set = NULL;

	feed_lock();
	if (feeds.newest != NULL &&
	    feeds.newest->setup.conf->generation == c->generation)
		set = gate_plan_set(feeds.newest->plan, d, r);
	feed_unlock();
	return set;
}

const struct live_set *
feed_set_of(const struct conf *c, const struct conf_database *d,
    const char *const *names, size_t n)
{
	const struct live_set *set = NULL;

	feed_lock();
	if (feeds.newest != NULL &&
	    feeds.newest->setup.conf->generation == c->generation)
		set = gate_names_set(&feeds.newest->plan->names[d->id], names,
		    n);
	feed_unlock();
	return set;
}

bool
feed_is_unable(const struct live_set *s)
{
	return gates_unable(s);
}

/* ------------------------------------------------------------ the thread */

static struct feed *
feeds_find(const struct conf *c, const struct conf_backend *b)
{
	struct feed *f;

	TAILQ_FOREACH(f, &feeds.all, next)
		if (feed_is_for(f, c, b))
			return f;
	return NULL;
}

static bool
feeds_wants(const struct conf *c, const struct feed *f)
{
	size_t i;

	for (i = 0; i < c->n_backends; i++)
		if (c->backends[i].feed && feed_is_for(f, c, &c->backends[i]))
			return true;
	return false;
}

static void
feeds_end(struct feed *f)
{
	feed_lock();
	TAILQ_REMOVE(&feeds.all, f, next);
	feed_unlock();
	feed_free(&f);
}

/* Feeds that are wanted no more end, others begin, and all go by the new
 * configuration. */
static void
feeds_apply(struct use *u)
{
	const struct conf *c = u->setup.conf;
	struct feed *f, *next;
	size_t i;

	for (f = TAILQ_FIRST(&feeds.all); f != NULL; f = next) {
		next = TAILQ_NEXT(f, next);
		if (!feeds_wants(c, f))
			feeds_end(f);
	}
	for (i = 0; i < c->n_backends; i++) {
		if (!c->backends[i].feed)
			continue;
		f = feeds_find(c, &c->backends[i]);
		if (f == NULL) {
			f = feed_new(feeds.base, c, &c->backends[i]);
			feed_lock();
			TAILQ_INSERT_TAIL(&feeds.all, f, next);
			feed_unlock();
		}
		feed_set_setup(f, &u->setup, u->plan);
	}
	use_free(feeds.mine);
	feeds.mine = u;
}

static void
feeds_on_wake(evutil_socket_t fd, short what PG_UNUSED, void *arg PG_UNUSED)
{
	struct use *u;
	uint64_t n;
	bool stopping;

	if (read(fd, &n, sizeof(n)) < 0)
		CHECK(errno == EAGAIN || errno == EINTR);
	feed_lock();
	u = feeds.pending;
	feeds.pending = NULL;
	stopping = feeds.stopping;
	feed_unlock();
	if (u != NULL)
		feeds_apply(u);
	if (stopping)
		event_base_loopbreak(feeds.base);
}

static void *
feeds_run(void *arg PG_UNUSED)
{
	struct feed *f;

	event_base_dispatch(feeds.base);
	while ((f = TAILQ_FIRST(&feeds.all)) != NULL)
		feeds_end(f);
	return NULL;
}

void
feed_start(void)
{
	feeds.base = event_base_new();
	CHECK(feeds.base != NULL);
	feeds.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	CHECK(feeds.wake_fd >= 0);
	feeds.on_wake = event_new(feeds.base, feeds.wake_fd,
	    EV_READ | EV_PERSIST, feeds_on_wake, NULL);
	CHECK(feeds.on_wake != NULL && event_add(feeds.on_wake, NULL) == 0);
	CHECK(pthread_create(&feeds.thread, NULL, feeds_run, NULL) == 0);
	feeds.started = true;
}

void
feed_stop(void)
{
	struct use *left;

	if (!feeds.started)
		return;
	feed_lock();
	feeds.stopping = true;
	feed_unlock();
	feeds_wake();
	CHECK(pthread_join(feeds.thread, NULL) == 0);
	feeds.started = false;
	feed_lock();
	left = feeds.pending;
	feeds.pending = feeds.newest = NULL;
	feed_unlock();
	use_free(left);
	use_free(feeds.mine);
	feeds.mine = NULL;
}

void
feed_fini(void)
{
	event_free(feeds.on_wake);
	event_base_free(feeds.base);
	close(feeds.wake_fd);
	gates_fini();
}

/* ------------------------------------------------------------ for others */

static void
publish_gates(const struct feed *f, struct feed_info *i)
{
	size_t k;

	i->gates = f->n_gates;
	i->gates_open = 0;
	for (k = 0; k < f->n_gates; k++)
		i->gates_open += f->gates[k]->open;
}

void
feed_publish(struct feed *f)
{
	struct feed_info *i = &f->info;

	feed_lock();
	memcpy(f->shown_reason, f->reason, sizeof(f->shown_reason));
	memcpy(f->shown_system, f->system, sizeof(f->shown_system));
	memcpy(f->shown_timeline, f->timeline, sizeof(f->shown_timeline));
	*i = (struct feed_info){ .backend = f->name, .state = f->state,
		.reason = f->shown_reason, .system = f->shown_system,
		.timeline = f->shown_timeline, .received = f->received,
		.commit = f->commit,
		.lag_bytes = f->server_at > f->received ?
		    f->server_at - f->received : 0,
		/* moments, until they are shown */
		.proven_ago = f->beats.proven, .state_for = f->since,
		.commits = f->commits, .changes = f->changes,
		.bumps = f->bumps, .beats = f->beats.back,
		.reconnects = f->reconnects, .unsettled = f->settle.n };
	publish_gates(f, i);
	feed_unlock();
}

void
feed_each(void (*fn)(const struct feed_info *i, void *arg), void *arg)
{
	nsec_t now = clock_mono();
	struct feed_info i;
	struct feed *f;

	feed_lock();
	TAILQ_FOREACH(f, &feeds.all, next) {
		if (f->info.backend == NULL)
			continue;
		i = f->info;
		i.proven_ago = i.proven_ago == 0 ? UINT64_MAX :
		    now > i.proven_ago ? now - i.proven_ago : 0;
		i.state_for = now > i.state_for ? now - i.state_for : 0;
		fn(&i, arg);
	}
	feed_unlock();
}

void
feed_checks_each(void (*fn)(const struct feed_check *c, void *arg), void *arg)
{
	struct feed *f;
	size_t i;

	feed_lock();
	TAILQ_FOREACH(f, &feeds.all, next)
		for (i = 0; i < f->n_checks; i++)
			fn(&f->checks[i], arg);
	feed_unlock();
}
