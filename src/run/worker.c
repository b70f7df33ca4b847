/* SPDX-License-Identifier: PostgreSQL
 *
 * Worker threads: loop, mailbox, tick and end-of-turn reclaim.
 *
 * Knows nothing of sessions or sockets.  The mailbox lock is the innermost
 * lock of the program (doc/threads.md): it is held for two pointer writes and
 * never while another lock is taken.
 */
#include "run/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/log.h"

#define TICK (100 * NSEC_PER_MSEC)

static void
worker_on_wake(evutil_socket_t fd, short what PG_UNUSED, void *arg)
{
	struct worker *w = arg;
	struct message_list todo = STAILQ_HEAD_INITIALIZER(todo);
	struct message *m;
	uint64_t n;

	CHECK_MAGIC(w, WORKER_MAGIC);
	if (read(fd, &n, sizeof(n)) < 0)
		CHECK(errno == EAGAIN || errno == EINTR);
	pthread_mutex_lock(&w->lock);
	STAILQ_CONCAT(&todo, &w->inbox);
	pthread_mutex_unlock(&w->lock);
	while ((m = STAILQ_FIRST(&todo)) != NULL) {
		STAILQ_REMOVE_HEAD(&todo, next);
		m->run(w, m);
	}
}

static void
worker_on_tick(evutil_socket_t fd, short what PG_UNUSED, void *arg)
{
	struct worker *w = arg;
	nsec_t now = clock_mono(), late;
	uint64_t n = 0;

	CHECK_MAGIC(w, WORKER_MAGIC);
	if (read(fd, &n, sizeof(n)) < 0)
		CHECK(errno == EAGAIN || errno == EINTR);
	w->now = now;
	if (n == 0)
		return;
	/* As long as this one, whatever else is ready may have waited. */
	late = now > w->tick_due ? now - w->tick_due : 0;
	w->tick_due += n * TICK;
	hist_record(&w->metrics->lag, late);
	if (late > NSEC_PER_SEC) {
		stat_add(&w->metrics->c.loop_stalls, 1);
		log_warn("worker", "msg=\"event loop stalled\" worker=%u ms=%llu",
		    w->id, (unsigned long long)(late / NSEC_PER_MSEC));
	}
	atomic_fetch_add_explicit(&w->beats, 1, memory_order_relaxed);
	w->tick(w, now);
}

static void
worker_on_reclaim(evutil_socket_t fd PG_UNUSED, short what PG_UNUSED,
    void *arg)
{
	struct worker *w = arg;
	struct deferred *d;

	while ((d = STAILQ_FIRST(&w->deferred)) != NULL) {
		STAILQ_REMOVE_HEAD(&w->deferred, next);
		d->run(d);
	}
}

void
worker_event_set(struct worker *w, struct event *ev, int fd, short what,
    event_callback_fn fn, void *arg)
{
	CHECK(event_assign(ev, w->base, fd, what, fn, arg) == 0);
}

struct worker *
worker_new(unsigned id)
{
	struct worker *w = x_calloc(1, sizeof(*w));
	struct event_config *cfg = event_config_new();

	CHECK(cfg != NULL);
	/* Only the owner touches the base; others go through the mailbox.
	 * The tick is a descriptor of its own and nothing on this base has a
	 * timeout: so no turn reads the clock for the loop's sake, and no
	 * sleep sets up and takes down a kernel timer. */
	event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK |
	    EVENT_BASE_FLAG_NO_CACHE_TIME);
	w->magic = WORKER_MAGIC;
	w->id = id;
	w->base = event_base_new_with_config(cfg);
	CHECK(w->base != NULL);
	event_config_free(cfg);
	w->metrics = metrics_new();
	w->now = clock_mono();
	w->scratch = x_malloc(WORKER_SCRATCH);
	STAILQ_INIT(&w->inbox);
	STAILQ_INIT(&w->deferred);
	CHECK(pthread_mutex_init(&w->lock, NULL) == 0);
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	CHECK(w->wake_fd >= 0);
	worker_event_set(w, &w->wake_ev, w->wake_fd, EV_READ | EV_PERSIST,
	    worker_on_wake, w);
	event_add(&w->wake_ev, NULL);
	worker_event_set(w, &w->reclaim_ev, -1, 0, worker_on_reclaim, w);
	return w;
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;
	char name[16];

	/* Which one it is, for top and for a debugger. */
	snprintf(name, sizeof(name), "worker %u", w->id % 1000);
	CHECK(pthread_setname_np(pthread_self(), name) == 0);
	event_base_loop(w->base, EVLOOP_NO_EXIT_ON_EMPTY);
	worker_on_reclaim(-1, 0, w);
	return NULL;
}

void
worker_start(struct worker *w, size_t stack,
    void (*tick)(struct worker *w, nsec_t now))
{
	struct itimerspec period = { .it_interval.tv_nsec = TICK };
	pthread_attr_t attr;

	w->tick = tick;
	w->tick_due = clock_mono() + TICK;
	period.it_value.tv_sec = (time_t)(w->tick_due / NSEC_PER_SEC);
	period.it_value.tv_nsec = (long)(w->tick_due % NSEC_PER_SEC);
	w->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK |
	    TFD_CLOEXEC);
	CHECK(w->tick_fd >= 0);
	CHECK(timerfd_settime(w->tick_fd, TFD_TIMER_ABSTIME, &period,
	    NULL) == 0);
	worker_event_set(w, &w->tick_ev, w->tick_fd, EV_READ | EV_PERSIST,
	    worker_on_tick, w);
	event_add(&w->tick_ev, NULL);
	CHECK(pthread_attr_init(&attr) == 0);
	CHECK(pthread_attr_setstacksize(&attr, stack) == 0);
	CHECK(pthread_create(&w->thread, &attr, worker_main, w) == 0);
	pthread_attr_destroy(&attr);
}

void
worker_stop(struct worker *w)
{
	event_base_loopbreak(w->base);
}

void
worker_join(struct worker *w)
{
	CHECK(pthread_join(w->thread, NULL) == 0);
}

void
worker_free(struct worker **wp)
{
	struct worker *w = *wp;
	struct message *m;

	*wp = NULL;
	if (w == NULL)
		return;
	CHECK_MAGIC(w, WORKER_MAGIC);
	while ((m = STAILQ_FIRST(&w->inbox)) != NULL) {
		STAILQ_REMOVE_HEAD(&w->inbox, next);
		free(m);
	}
	event_del(&w->wake_ev);
	if (w->tick != NULL) {
		event_del(&w->tick_ev);
		close(w->tick_fd);
	}
	event_del(&w->reclaim_ev);
	event_base_free(w->base);
	close(w->wake_fd);
	pthread_mutex_destroy(&w->lock);
	metrics_free(&w->metrics);
	free(w->scratch);
	w->magic = 0;
	free(w);
}

void
worker_post(struct worker *w, struct message *m)
{
	static const uint64_t one = 1;
	bool was_empty;

	CHECK_MAGIC(w, WORKER_MAGIC);
	pthread_mutex_lock(&w->lock);
	was_empty = STAILQ_EMPTY(&w->inbox);
	STAILQ_INSERT_TAIL(&w->inbox, m, next);
	pthread_mutex_unlock(&w->lock);
	if (was_empty)
		CHECK(write(w->wake_fd, &one, sizeof(one)) == sizeof(one) ||
		    errno == EAGAIN);
}

void
worker_defer(struct worker *w, struct deferred *d)
{
	if (STAILQ_EMPTY(&w->deferred))
		event_active(&w->reclaim_ev, 0, 0);
	STAILQ_INSERT_TAIL(&w->deferred, d, next);
}
