/* SPDX-License-Identifier: PostgreSQL
 *
 * The control thread's loop.
 *
 * Knows workers by their heartbeat and mailbox, and the session layer by its
 * face; does no work of a client.  A stop goes through three steps: doors are
 * closed, sessions drain until none is left or the time is over, what is left
 * is closed.  A takeover is a stop by which clients may leave for another
 * process (admin/takeover.h).  All of it runs on the main thread,
 * control_post() excepted.
 */
#include "admin/control.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "admin/admin.h"
#include "admin/experiments.h"
#include "admin/feeds.h"
#include "admin/kept.h"
#include "admin/layouts.h"
#include "admin/setup.h"
#include "admin/standbys.h"
#include "admin/takeover.h"
#include "admin/watches.h"
#include "backend/pool.h"
#include "base/log.h"

#define DRAIN_TIME (30 * NSEC_PER_SEC)
#define FAST_TIME (5 * NSEC_PER_SEC)
#define STALLED_AFTER (5 * NSEC_PER_SEC)
#define LOOK_EVERY NSEC_PER_SEC

static const struct timeval control_drain_look = { 0, 20 * 1000 };

/* ------------------------------------------------------------ mailbox */

void
control_post(struct control *c, struct control_message *m)
{
	static const uint64_t one = 1;

	pthread_mutex_lock(&c->lock);
	STAILQ_INSERT_TAIL(&c->inbox, m, next);
	pthread_mutex_unlock(&c->lock);
	CHECK(write(c->wake_fd, &one, sizeof(one)) == sizeof(one) ||
	    errno == EAGAIN);
}

static void
control_take(struct control *c, struct control_messages *out)
{
	STAILQ_INIT(out);
	pthread_mutex_lock(&c->lock);
	STAILQ_CONCAT(out, &c->inbox);
	pthread_mutex_unlock(&c->lock);
}

static void
control_on_wake(evutil_socket_t fd, short what PG_UNUSED, void *arg)
{
	struct control *c = arg;
	struct control_messages todo;
	struct control_message *m;
	uint64_t n;

	CHECK_MAGIC(c, CONTROL_MAGIC);
	if (read(fd, &n, sizeof(n)) < 0)
		CHECK(errno == EAGAIN || errno == EINTR);
	/* Only what is there now: signals must get their turn, however fast
	 * others ask. */
	control_take(c, &todo);
	while ((m = STAILQ_FIRST(&todo)) != NULL) {
		STAILQ_REMOVE_HEAD(&todo, next);
		m->run(c, m);
	}
}

/* ------------------------------------------------------------ reload */

struct control_change {
	control_change_cb *fn;
	void *arg;
};

static void
control_change(void *arg, const char *line)
{
	const struct control_change *ch = arg;

	log_info("conf", "msg=\"setting changed\" change=%s", log_escs(line));
	if (ch->fn != NULL)
		ch->fn(ch->arg, line);
}

static void
control_apply(struct control *c, struct session_setup *fresh,
    struct control_change *ch)
{
	const struct conf *conf = fresh->conf;
	struct session_setup old = c->setup;
	/* Else only what catalogs say of tables is new. */
	bool other = old.conf->lineage != conf->lineage;

	conf_diff(old.conf, conf, control_change, ch);
	__atomic_store_n(&log_threshold, (enum log_level)conf->log_level,
	    __ATOMIC_RELAXED);
	pool_configure(fresh->conf);
	l1_set_limits(session_layer_l1(), (size_t)conf->cache_memory,
	    (size_t)conf->cache_max_object);
	l1_set_tenant_share(session_layer_l1(),
	    (unsigned)conf->cache_tenant_share);
	feeds_use(fresh);
	session_layer_reload(fresh);
	c->setup = *fresh;
	setup_release(&old);
	if (c->state == CONTROL_SERVING)
		watches_follow();
	if (other)
		standbys_use(&c->setup);
}

void
control_use(struct control *c, struct session_setup *fresh)
{
	struct control_change ch = { NULL, NULL };

	CHECK_MAGIC(c, CONTROL_MAGIC);
	control_apply(c, fresh, &ch);
}

static void
control_refused(const struct conf_diag *d)
{
	int i;

	for (i = 0; i < d->n; i++)
		log_error("conf", "msg=\"bad configuration\" error=%s",
		    log_escs(d->msg[i]));
	log_error("conf", "msg=\"reload refused, the old "
	    "configuration stays\" errors=%d", d->n);
}

/* Between two processes of a takeover some of it has to stay as it is. Else
 * fresh is released. */
static bool
control_may_use(struct session_setup *fresh, struct conf_diag *d)
{
	const char *why = takeover_forbids(fresh->conf);
	char *text;

	if (why == NULL)
		return true;
	CHECK(asprintf(&text, "%s: %s; then try again", fresh->conf->path,
	    why) >= 0);
	d->msg[d->n++] = text;
	setup_release(fresh);
	return false;
}

bool
control_reload(struct control *c, struct conf_diag *d, control_change_cb *fn,
    void *arg)
{
	struct control_change ch = { fn, arg };
	struct session_setup fresh;

	CHECK_MAGIC(c, CONTROL_MAGIC);
	/* A service manager must not hear of readiness while stopping. */
	if (c->state == CONTROL_SERVING)
		c->hooks.reloading();
	c->last_reload_ok = setup_load(c->path, &c->setup, &fresh, d) &&
	    control_may_use(&fresh, d);
	if (c->last_reload_ok) {
		control_apply(c, &fresh, &ch);
		log_info("conf", "msg=\"configuration reloaded\" file=%s "
		    "generation=%llu", log_escs(c->path),
		    (unsigned long long)c->setup.conf->generation);
		experiments_follow(c);
		layouts_read();
	} else {
		control_refused(d);
	}
	if (c->state == CONTROL_SERVING)
		c->hooks.serving();
	return c->last_reload_ok;
}

bool
control_set(struct control *c, const char *name, const char *value,
    struct conf_diag *d, control_change_cb *fn, void *arg)
{
	struct control_change ch = { fn, arg };
	struct session_setup fresh;

	CHECK_MAGIC(c, CONTROL_MAGIC);
	if (!setup_change(&c->setup, name, value, &fresh, d) ||
	    !control_may_use(&fresh, d))
		return false;
	control_apply(c, &fresh, &ch);
	layouts_read();
	return true;
}

/* ------------------------------------------------------------ stop */

struct drain_message {
	struct message m;
	enum session_drain how;
};

static void
drain_run(struct worker *w, struct message *m)
{
	struct drain_message *dm = (struct drain_message *)(void *)m;

	session_drain(w, dm->how);
	free(dm);
}

static void
control_drain(struct control *c, enum session_drain how)
{
	struct drain_message *dm;
	unsigned i;

	for (i = 0; i < c->n_workers; i++) {
		dm = x_calloc(1, sizeof(*dm));
		dm->m.run = drain_run;
		dm->how = how;
		worker_post(c->workers[i], &dm->m);
	}
}

static void
control_fast(struct control *c)
{
	if (c->fast_began != 0)
		return;
	c->fast_began = clock_mono();
	control_drain(c, DRAIN_NOW);
}

static void
control_on_drain(evutil_socket_t fd PG_UNUSED, short what PG_UNUSED,
    void *arg)
{
	struct control *c = arg;
	nsec_t now = clock_mono();
	unsigned left = session_count();

	CHECK_MAGIC(c, CONTROL_MAGIC);
	if (left == 0) {
		event_base_loopbreak(c->base);
	} else if (c->replaced && c->stop == STOP_CLIENTS &&
	    now - c->drain_began > c->setup.conf->takeover_timeout) {
		control_stop(c, STOP_SERVERS);
	} else if (c->fast_began == 0 && c->stop == STOP_DRAIN &&
	    now - c->drain_began > DRAIN_TIME) {
		log_warn("main", "msg=\"clients did not finish in time, "
		    "closing them\" clients=%u", left);
		control_fast(c);
	} else if (c->fast_began != 0 && now - c->fast_began > FAST_TIME) {
		log_warn("main", "msg=\"clients left at the stop\" "
		    "clients=%u", left);
		event_base_loopbreak(c->base);
	}
}

static const char *const control_stops[] = {
	[STOP_CLIENTS] = "wait_for_clients",
	[STOP_SERVERS] = "wait_for_servers",
	[STOP_DRAIN] = "drain", [STOP_FAST] = "fast",
};

void
control_stop(struct control *c, enum control_stop how)
{
	bool first = c->state != CONTROL_DRAINING;

	CHECK_MAGIC(c, CONTROL_MAGIC);
	if (!first && how <= c->stop)
		return;
	log_info("main", "msg=\"stopping\" clients=%u mode=%s",
	    session_count(), control_stops[how]);
	if (first) {
		c->state = CONTROL_DRAINING;
		c->hooks.stopping();
		doors_close(c->doors);
		event_add(c->on_drain, &control_drain_look);
	}
	c->stop = how;
	c->drain_began = clock_mono();
	if (how == STOP_FAST)
		control_fast(c);
	else
		control_drain(c, how == STOP_CLIENTS ? DRAIN_CONSOLE :
		    DRAIN_IDLE);
}

static void
replaced_run(struct worker *w, struct message *m)
{
	session_move_all(w);
	free(m);
}

void
control_replaced(struct control *c, int pid)
{
	struct message *m;
	unsigned i;

	CHECK_MAGIC(c, CONTROL_MAGIC);
	CHECK(c->state == CONTROL_SERVING);
	/* While the service manager still listens to us. */
	c->hooks.replaced(pid);
	c->state = CONTROL_DRAINING;
	c->replaced = true;
	c->stop = STOP_CLIENTS;
	c->drain_began = clock_mono();
	kept_leave();
	admin_close_http();
	doors_disown(c->doors);
	doors_close(c->doors);
	for (i = 0; i < c->n_workers; i++) {
		m = x_calloc(1, sizeof(*m));
		m->run = replaced_run;
		worker_post(c->workers[i], m);
	}
	/* Servers are wanted by the other process. */
	pool_reconnect(NULL, NULL);
	event_add(c->on_drain, &control_drain_look);
}

/* ------------------------------------------------------------ signals */

static const int control_signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR2 };

static void
control_mask(int how)
{
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < ARRAY_SIZE(control_signals); i++)
		sigaddset(&set, control_signals[i]);
	CHECK(pthread_sigmask(how, &set, NULL) == 0);
}

void
control_block_signals(void)
{
	signal(SIGPIPE, SIG_IGN);
	control_mask(SIG_BLOCK);
}

static void
control_on_signal(evutil_socket_t sig, short what PG_UNUSED, void *arg)
{
	struct control *c = arg;
	struct conf_diag d;

	CHECK_MAGIC(c, CONTROL_MAGIC);
	if (sig == SIGUSR2) {
		takeover_start(c, NULL, 0);
		return;
	}
	if (sig == SIGHUP) {
		/* Errors are in the log. */
		if (!control_reload(c, &d, NULL, NULL))
			log_debug("conf", "msg=\"reload by signal failed\"");
		conf_diag_fini(&d);
		return;
	}
	/* A second SIGTERM means: now. One after a SHUTDOWN that may last
	 * means: within DRAIN_TIME. */
	control_stop(c, sig == SIGINT || (c->state == CONTROL_DRAINING &&
	    c->stop >= STOP_DRAIN) ? STOP_FAST : STOP_DRAIN);
}

/* ------------------------------------------------------------ heartbeat */

static void
control_look(struct control *c, nsec_t now)
{
	uint64_t beats;
	unsigned i;

	for (i = 0; i < c->n_workers; i++) {
		beats = atomic_load_explicit(&c->workers[i]->beats,
		    memory_order_relaxed);
		if (beats == c->pulses[i].beats)
			continue;
		c->pulses[i].beats = beats;
		c->pulses[i].since = now;
	}
}

int
control_stalled(struct control *c)
{
	nsec_t now = clock_mono();
	unsigned i;

	control_look(c, now);
	for (i = 0; i < c->n_workers; i++)
		if (now - c->pulses[i].since > STALLED_AFTER)
			return (int)i;
	return -1;
}

static void
control_tell_alive(struct control *c, nsec_t now)
{
	unsigned i;

	if (c->hooks.alive_every == 0 || now < c->alive_at)
		return;
	c->alive_at = now + c->hooks.alive_every;
	for (i = 0; i < c->n_workers; i++)
		if (c->pulses[i].beats == c->pulses[i].told) {
			log_error("main", "msg=\"worker does not move\" "
			    "worker=%u", i);
			return;
		}
	for (i = 0; i < c->n_workers; i++)
		c->pulses[i].told = c->pulses[i].beats;
	c->hooks.alive();
}

static void
control_on_look(evutil_socket_t fd PG_UNUSED, short what PG_UNUSED,
    void *arg)
{
	struct control *c = arg;
	nsec_t now = clock_mono();

	CHECK_MAGIC(c, CONTROL_MAGIC);
	control_look(c, now);
	control_tell_alive(c, now);
	if (c->state == CONTROL_SERVING) {
		experiments_tick(c, now);
		kept_tick(c, now);
		layouts_tick(now);
		watches_tick();
	}
}

/* ------------------------------------------------------------ life */

static struct event *
control_event(struct control *c, int fd, short what, event_callback_fn fn)
{
	struct event *ev = event_new(c->base, fd, what | EV_PERSIST, fn, c);

	CHECK(ev != NULL);
	return ev;
}

static void
control_make_events(struct control *c)
{
	c->on_term = control_event(c, SIGTERM, EV_SIGNAL, control_on_signal);
	c->on_int = control_event(c, SIGINT, EV_SIGNAL, control_on_signal);
	c->on_hup = control_event(c, SIGHUP, EV_SIGNAL, control_on_signal);
	c->on_usr2 = control_event(c, SIGUSR2, EV_SIGNAL, control_on_signal);
	c->on_wake = control_event(c, c->wake_fd, EV_READ, control_on_wake);
	c->on_look = control_event(c, -1, 0, control_on_look);
	c->on_drain = control_event(c, -1, 0, control_on_drain);
	event_add(c->on_term, NULL);
	event_add(c->on_int, NULL);
	event_add(c->on_hup, NULL);
	event_add(c->on_usr2, NULL);
	event_add(c->on_wake, NULL);
}

struct control *
control_new(const char *path, const struct session_setup *setup,
    struct worker *const *workers, unsigned n_workers,
    const struct control_hooks *hooks)
{
	struct control *c = x_calloc(1, sizeof(*c));

	c->magic = CONTROL_MAGIC;
	c->base = event_base_new();
	CHECK(c->base != NULL);
	c->path = path;
	c->setup = *setup;
	c->last_reload_ok = true;
	c->started = clock_mono();
	c->workers = workers;
	c->n_workers = n_workers;
	c->hooks = *hooks;
	c->pulses = x_calloc(n_workers, sizeof(*c->pulses));
	c->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	CHECK(c->wake_fd >= 0);
	CHECK(pthread_mutex_init(&c->lock, NULL) == 0);
	STAILQ_INIT(&c->inbox);
	control_make_events(c);
	return c;
}

/* A short watchdog wants more than one look a second. */
static struct timeval
control_look_every(const struct control *c)
{
	nsec_t every = LOOK_EVERY;

	if (c->hooks.alive_every != 0 && c->hooks.alive_every / 2 < every)
		every = c->hooks.alive_every / 2;
	return (struct timeval){ (time_t)(every / NSEC_PER_SEC),
		(suseconds_t)(every % NSEC_PER_SEC / NSEC_PER_USEC) };
}

void
control_run(struct control *c, struct doors *doors)
{
	struct timeval look = control_look_every(c);
	nsec_t now = clock_mono();
	unsigned i;

	CHECK_MAGIC(c, CONTROL_MAGIC);
	for (i = 0; i < c->n_workers; i++)
		c->pulses[i].since = now;
	/* The first look at the watchdog comes after one whole interval. */
	c->alive_at = now + c->hooks.alive_every;
	c->doors = doors;
	c->state = CONTROL_SERVING;
	event_add(c->on_look, &look);
	control_mask(SIG_UNBLOCK);
	c->hooks.serving();
	succession_serve(c);
	kept_load(c);
	experiments_follow(c);
	standbys_use(&c->setup);
	layouts_read();
	watches_follow();
	event_base_dispatch(c->base);
}

void
control_free(struct control **cp)
{
	struct control *c = *cp;
	struct control_messages left;
	struct control_message *m;

	*cp = NULL;
	if (c == NULL)
		return;
	CHECK_MAGIC(c, CONTROL_MAGIC);
	control_take(c, &left);
	while ((m = STAILQ_FIRST(&left)) != NULL) {
		STAILQ_REMOVE_HEAD(&left, next);
		free(m);
	}
	event_free(c->on_term);
	event_free(c->on_int);
	event_free(c->on_hup);
	event_free(c->on_usr2);
	event_free(c->on_wake);
	event_free(c->on_look);
	event_free(c->on_drain);
	event_base_free(c->base);
	close(c->wake_fd);
	pthread_mutex_destroy(&c->lock);
	setup_release(&c->setup);
	free(c->pulses);
	c->magic = 0;
	free(c);
}
