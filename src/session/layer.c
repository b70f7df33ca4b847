/* SPDX-License-Identifier: PostgreSQL
 *
 * The session layer as a whole: per-worker state, reload, time limits, drain.
 *
 * Knows every other file of the folder; the admin layer and main know only
 * this one's header.  Init and fini run before and after the workers; the rest
 * on each worker.
 */
#include <stdlib.h>
#include <string.h>

#include "auth/lookup.h"
#include "base/log.h"
#include "cache/l2_post.h"
#include "cache/l2_track.h"
#include "cache/warm.h"
#include "session/farewell.h"
#include "session/gather.h"
#include "session/mirror_lane.h"
#include "session/peers.h"
#include "session/spread.h"
#include "session/fill.h"
#include "session/session_priv.h"
#include "session/shadow.h"
#include "session/verify.h"

#define SHAPES_PER_WORKER 10000
#define COMPOSE_MAX ((size_t)2 << 30)

static struct {
	struct worker *const *workers;
	unsigned n;
	struct l1 *l1;
	struct l2_track *track; /* on the first worker, or NULL */
} layer;

struct l1 *
session_layer_l1(void)
{
	return layer.l1;
}

struct worker *
session_layer_worker(unsigned i)
{
	return layer.workers[i % layer.n];
}

/* ---- setups -------------------------------------------------------------------- */

static struct session_setup
setup_ref(const struct session_setup *from)
{
	struct session_setup to = *from;

	conf_ref(to.conf);
	hba_ref(to.hba);
	userdb_ref(to.users);
	if (to.tls != NULL)
		SSL_CTX_up_ref(to.tls);
	if (to.redis_password != NULL)
		to.redis_password = x_strdup(to.redis_password);
	if (to.redis_tls != NULL)
		SSL_CTX_up_ref(to.redis_tls);
	l2_keys_ref(to.redis_keys);
	to.http_token = NULL;
	return to;
}

static void
setup_fini(struct session_setup *st)
{
	conf_unref(&st->conf);
	hba_unref(&st->hba);
	userdb_unref(&st->users);
	SSL_CTX_free(st->tls);
	if (st->redis_password != NULL)
		OPENSSL_cleanse(st->redis_password,
		    strlen(st->redis_password));
	free(st->redis_password);
	if (st->http_token != NULL)
		OPENSSL_cleanse(st->http_token, strlen(st->http_token));
	free(st->http_token);
	SSL_CTX_free(st->redis_tls);
	l2_keys_unref(&st->redis_keys);
	memset(st, 0, sizeof(*st));
}

static void
session_worker_apply(struct session_worker *sw)
{
	const struct conf *c = sw->setup.conf;
	struct an_functions fns = route_functions(c);

	shape_table_clear(&sw->shapes, &fns);
	census_limit(sw->census, c->track_shapes ?
	    (size_t)c->track_shapes_max : 0);
	if (sw->l2 != NULL) {
		l2_set_times(sw->l2, c->redis_timeout, c->redis_retry);
		l2_set_keys(sw->l2, sw->setup.redis_keys);
		if (sw->setup.redis_tls != NULL)
			l2_set_tls(sw->l2, sw->setup.redis_tls);
	}
	if (sw->setup.redis_tls != NULL && layer.track != NULL &&
	    sw->w->id == 0)
		l2_track_set_tls(layer.track, sw->setup.redis_tls);
	listen_worker_reload(sw);
}

static void
reload_differs(void *arg, const char *line PG_UNUSED)
{
	*(bool *)arg = true;
}

struct reload_message {
	struct message m;
	struct session_setup setup;
};

static void
reload_run(struct worker *w, struct message *m)
{
	struct reload_message *r = (struct reload_message *)(void *)m;
	struct session_worker *sw = w->sessions;
	struct session_setup old = sw->setup;
	bool differs = false;

	sw->setup = r->setup;
	session_worker_apply(sw);
	/* What others have stored by new keys, a write here has not ended. */
	if (!conf_tag_keys_eq(old.conf, sw->setup.conf))
		session_flush_cache(w);
	(void)conf_diff(old.conf, sw->setup.conf, reload_differs, &differs);
	if (differs && sw->ghost != NULL)
		ghost_clear(sw->ghost);
	setup_fini(&old);
	free(r);
}

void
session_layer_reload(const struct session_setup *setup)
{
	struct reload_message *r;
	unsigned i;

	lookup_forget_all();
	for (i = 0; i < layer.n; i++) {
		r = x_calloc(1, sizeof(*r));
		r->m.run = reload_run;
		r->setup = setup_ref(setup);
		worker_post(layer.workers[i], &r->m);
	}
}

/* ---- start and stop --------------------------------------------------------------- */

/* false: there is no Redis. */
static bool
session_l2_options(const struct session_setup *st, struct l2_options *o)
{
	const struct conf *c = st->conf;

	*o = (struct l2_options){
		.host = *c->redis_host != '\0' ? c->redis_host : NULL,
		.port = (int)c->redis_port,
		.sentinels = (const char *const *)c->redis_sentinels.v,
		.n_sentinels = (unsigned)c->redis_sentinels.n,
		.sentinel_master = c->redis_sentinel_master,
		.unix_socket = *c->redis_unix_socket != '\0' ?
		    c->redis_unix_socket : NULL,
		.user = *c->redis_user != '\0' ? c->redis_user : NULL,
		.password = st->redis_password,
		.database = (int)c->redis_database,
		.prefix = c->redis_prefix,
		.timeout = c->redis_timeout,
		.retry = c->redis_retry,
		.max_object = (size_t)c->cache_max_object,
		.tls = st->redis_tls,
		.tls_verify_host = c->redis_tls == REDIS_TLS_VERIFY_FULL,
	};

	return o->host != NULL || o->unix_socket != NULL ||
	    o->n_sentinels > 0;
}

static void
session_worker_init(struct worker *w, const struct session_setup *setup)
{
	struct session_worker *sw = x_calloc(1, sizeof(*sw));
	struct l2_options o;

	sw->w = w;
	sw->setup = setup_ref(setup);
	lexer_init(&sw->lx);
	shape_table_init(&sw->shapes, SHAPES_PER_WORKER, query_plans_free);
	statement_table_init(&sw->statements);
	buf_init(&sw->compose, COMPOSE_MAX);
	buf_init(&sw->text, COMPOSE_MAX);
	htab_init(&sw->by_id);
	htab_init(&sw->parts);
	htab_init(&sw->asides);
	TAILQ_INIT(&sw->lanes);
	TAILQ_INIT(&sw->sessions);
	TAILQ_INIT(&sw->farewells);
	TAILQ_INIT(&sw->peer_calls);
	verify_init(sw);
	shadow_init(sw);
	hash_random(&sw->dice, sizeof(sw->dice));
	if (session_l2_options(setup, &o))
		sw->l2 = l2_new(w->base, &o);
	sw->worth = worth_new();
	sw->hot = hot_new(sw->dice, clock_mono());
	sw->census = census_new();
	sw->self = dbstate_get("pgsluice");
	listen_worker_init(sw);
	w->sessions = sw;
	session_worker_apply(sw);
}

static void
posts_run(struct worker *w, struct message *m)
{
	struct session_worker *sw = w->sessions;

	l2_take_posts(sw->l2);
	free(m);
}

/* Bumps of the feed's thread are sent by one worker. */
static void
posts_wake(void *arg)
{
	struct message *m = x_calloc(1, sizeof(*m));

	m->run = posts_run;
	worker_post(arg, m);
}

void
session_layer_init(struct worker *const *workers, unsigned n,
    const struct session_setup *setup, struct l1 *l1,
    const struct session_console_ops *console)
{
	static const struct pool_callbacks callbacks = {
		.granted = session_granted,
		.failed = session_lease_failed,
	};
	struct session_setup mine = *setup;
	struct l2_options o;
	unsigned i;

	layer.workers = workers;
	layer.n = n;
	layer.l1 = l1;
	session_secret_init();
	session_console_init(console);
	cancel_init(workers, n);
	quota_init();
	dbstate_init(n);
	pool_init(workers, n, &callbacks);
	hub_init(workers, n, session_listen_records);
	if (mine.conf->redis_tracking && session_l2_options(&mine, &o))
		layer.track = l2_track_new(workers[0]->base, &o);
	for (i = 0; i < n; i++)
		session_worker_init(workers[i], &mine);
	if (session_l2(workers[0]) != NULL)
		l2_post_to(posts_wake, workers[0]);
	setup_fini(&mine);
}

void
session_layer_fini(void)
{
	struct session_worker *sw;
	unsigned i;

	l2_post_to(NULL, NULL);
	l2_track_free(&layer.track);
	for (i = 0; i < layer.n; i++) {
		sw = layer.workers[i]->sessions;
		l2_free(&sw->l2);
		worth_free(&sw->worth);
		hot_free(&sw->hot);
		census_free(&sw->census);
		ghost_free(&sw->ghost);
		listen_worker_fini(sw);
		free(sw->meant);
		free(sw->changes);
		statement_table_fini(&sw->statements);
		shape_table_fini(&sw->shapes);
		lexer_fini(&sw->lx);
		buf_reset(&sw->compose);
		buf_reset(&sw->text);
		session_repeats_free(sw);
		shadow_fini(sw);
		htab_fini(&sw->by_id);
		htab_fini(&sw->parts);
		htab_fini(&sw->asides);
		setup_fini(&sw->setup);
		free(sw);
		layer.workers[i]->sessions = NULL;
	}
	hub_fini();
	pool_fini();
	quota_fini();
	dbstate_fini();
	warm_drop();
}

/* ---- time -------------------------------------------------------------------------------- */

/* The client stopped in the middle of a message. */
static bool
session_tick_stuck(const struct session *s, nsec_t now)
{
	return s->partial_since != 0 && now > s->partial_since &&
	    now - s->partial_since > s->conf->message_timeout;
}

/* The transaction has lasted too long; one statement alone is one, too. */
static bool
session_tick_tx_over(const struct session *s, nsec_t now)
{
	nsec_t limit = s->limits->transaction_timeout;
	nsec_t since = s->tx != 'I' ? s->tx_began : s->since;

	return limit != 0 && (s->tx != 'I' || s->state == SESSION_RELAY ||
	    s->state == SESSION_GATHER || s->spread != NULL) && now > since && now - since > limit;
}

/* For a result that another fetches. false: it waits no longer. */
static bool
session_tick_waits(struct session *s, nsec_t in_state, nsec_t now)
{
	const struct conf_user *l = s->limits;

	if (l->query_timeout != 0 && in_state > l->query_timeout)
		session_close(s, CLOSE_QUERY_TIMEOUT, NULL);
	else if (session_tick_tx_over(s, now))
		session_close(s, CLOSE_TX_LENGTH, NULL);
	else
		return true;
	return false;
}

/* What a session's time limit is now, and what happens at its end. */
static void
session_tick_one(struct session *s, nsec_t now)
{
	const struct conf *c = s->conf;
	const struct conf_user *l = s->limits;
	nsec_t in_state = now > s->since ? now - s->since : 0;
	static const struct pool_error wait_over = { .sqlstate = "53300",
		.text = "no server became free within query_wait_timeout" };

	switch (s->state) {
	case SESSION_STARTUP:
	case SESSION_TLS:
	case SESSION_AUTH:
	case SESSION_AUTH_WAIT:
	case SESSION_WELCOME:
		if (now - s->born > c->client_login_timeout)
			session_close(s, CLOSE_LOGIN_TIMEOUT, NULL);
		return;
	case SESSION_SERVER_WAIT:
		if (c->query_wait_timeout != 0 &&
		    now - s->waiter.since > c->query_wait_timeout &&
		    pool_leave(s->waiting, &s->waiter)) {
			s->waiting = NULL;
			stat_add(&session_metrics(s)->c.wait_timeouts, 1);
			session_no_server(s, &wait_over);
		}
		return;
	case SESSION_LISTEN_WAIT:
		if (c->query_wait_timeout != 0 &&
		    in_state > c->query_wait_timeout) {
			stat_add(&session_metrics(s)->c.wait_timeouts, 1);
			session_waiting_error(s, "53300", "the listening "
			    "server did not answer within query_wait_timeout");
		}
		return;
	case SESSION_FILL_WAIT:
		if (session_tick_waits(s, in_state, now) &&
		    in_state > c->cache_fill_wait)
			fill_wait_over(s);
		return;
	case SESSION_LOOKUP:
		if (session_tick_waits(s, in_state, now) &&
		    in_state > c->cache_fill_wait)
			fill_lookup_over(s);
		return;
	case SESSION_RELAY:
		if (l->query_timeout != 0 && in_state > l->query_timeout)
			session_close(s, CLOSE_QUERY_TIMEOUT, NULL);
		else if (session_tick_tx_over(s, now))
			session_close(s, CLOSE_TX_LENGTH, NULL);
		else if ((s->server->owed.copy_in || s->body_left > 0) &&
		    s->st.reading &&
		    session_tick_stuck(s, now))
			session_close(s, CLOSE_MESSAGE_TIMEOUT, NULL);
		return;
	case SESSION_SPREAD_COPY:
		if (s->st.reading && session_tick_stuck(s, now)) {
			session_close(s, CLOSE_MESSAGE_TIMEOUT, NULL);
			return;
		}
		__attribute__((fallthrough));
	case SESSION_SPREAD_WAIT:
	case SESSION_GATHER:
		if (l->query_timeout != 0 && in_state > l->query_timeout)
			session_close(s, CLOSE_QUERY_TIMEOUT, NULL);
		else if (session_tick_tx_over(s, now))
			session_close(s, CLOSE_TX_LENGTH, NULL);
		else if (s->state == SESSION_GATHER)
			gather_tick(s, now);
		else
			spread_tick(s, now);
		return;
	case SESSION_IDLE:
		break;
	default:
		return;
	}
	if (session_tick_stuck(s, now))
		session_close(s, CLOSE_MESSAGE_TIMEOUT, NULL);
	else if (session_tick_tx_over(s, now))
		session_close(s, CLOSE_TX_LENGTH, NULL);
	else if (s->tx != 'I' && l->idle_transaction_timeout != 0 &&
	    in_state > l->idle_transaction_timeout)
		session_close(s, CLOSE_TX_TIMEOUT, NULL);
	else if (s->tx == 'I' && l->client_idle_timeout != 0 &&
	    in_state > l->client_idle_timeout)
		session_close(s, CLOSE_IDLE_TIMEOUT, NULL);
}

void
session_layer_tick(struct worker *w, nsec_t now)
{
	struct session_worker *sw = w->sessions;
	struct session *s, *next;

	for (s = TAILQ_FIRST(&sw->sessions); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (s->reading != NULL)
			session_reading_tick(s);
		session_tick_one(s, now);
	}
	if (sw->moving)
		session_move_tick(sw, now);
	verify_tick(sw, now);
	shadow_tick(sw, now);
	lane_tick(sw, now);
	peers_tick(sw, now);
	if (now - sw->last_second < NSEC_PER_SEC)
		return;
	sw->last_second = now;
	warm_tick(now);
	farewell_tick(sw, now);
	atomic_store_explicit(&w->metrics->c.shape_parses, sw->shapes.parses,
	    memory_order_relaxed);
	server_tick(w, now);
	hub_tick(w);
	pool_tick(w, now);
}

bool
session_may_drain(const struct session *s)
{
	return (s->state == SESSION_IDLE || s->state == SESSION_STARTUP ||
	    s->state == SESSION_TLS || s->state == SESSION_AUTH ||
	    s->state == SESSION_AUTH_WAIT) &&
	    s->tx == 'I' && !s->open_unit;
}

static bool
session_drains(const struct session *s, enum session_drain how)
{
	switch (how) {
	case DRAIN_CONSOLE:
		return s->console != NULL;
	case DRAIN_NOW:
		return true;
	case DRAIN_IDLE:
		break;
	}
	return session_may_drain(s);
}

void
session_drain(struct worker *w, enum session_drain how)
{
	struct session_worker *sw = w->sessions;
	struct session *s, *next;

	if (how != DRAIN_CONSOLE)
		sw->draining = true;
	if (how == DRAIN_IDLE && sw->moving) {
		session_move_tick(sw, clock_mono());
		return;
	}
	if (how == DRAIN_NOW) {
		hub_stop(w);
		verify_stop(sw);
		shadow_stop(sw);
		lane_stop(sw);
	}
	for (s = TAILQ_FIRST(&sw->sessions); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (session_drains(s, how))
			session_close(s, CLOSE_SHUTDOWN, NULL);
	}
	if (how == DRAIN_NOW) {
		peers_stop(sw);
		farewell_close_all(sw);
	}
}

/* ---- for the admin layer ---------------------------------------------------------------------- */

struct l2 *
session_l2(struct worker *w)
{
	return ((struct session_worker *)w->sessions)->l2;
}

const struct shape_table *
session_shapes(struct worker *w)
{
	return &((struct session_worker *)w->sessions)->shapes;
}

const struct worth *
session_worth(struct worker *w)
{
	return ((struct session_worker *)w->sessions)->worth;
}

const struct hot *
session_hot(struct worker *w)
{
	return ((struct session_worker *)w->sessions)->hot;
}

struct census *
session_census(struct worker *w)
{
	return ((struct session_worker *)w->sessions)->census;
}

const struct conf *
session_conf(struct worker *w)
{
	return ((struct session_worker *)w->sessions)->setup.conf;
}

const struct userdb *
session_users(struct worker *w)
{
	return ((struct session_worker *)w->sessions)->setup.users;
}

struct statement_each {
	void (*fn)(const struct statement_info *i, void *arg);
	void *arg;
};

static void
session_statement_info(struct htab_node *n, void *arg)
{
	const struct statement *st = htab_entry(n, struct statement, node);
	const struct statement_each *e = arg;
	const struct statement_info i = { .hash = st->hash, .sql = st->sql,
		.refs = st->refs, .bytes = sizeof(*st) + st->sql.n +
		st->types.n };

	e->fn(&i, e->arg);
}

void
session_each_statement(struct worker *w,
    void (*fn)(const struct statement_info *i, void *arg), void *arg)
{
	struct session_worker *sw = w->sessions;
	struct statement_each e = { fn, arg };

	htab_each(&sw->statements.tab, session_statement_info, &e);
}

void
session_invalidate(struct worker *w, const tag_t *tags, unsigned n)
{
	struct l2 *l2 = session_l2(w);
	unsigned i;

	/* L2 first, as for a write. */
	if (l2 != NULL)
		l2_bump(l2, tags, n);
	for (i = 0; i < n; i++)
		tag_bump(tags[i]);
}

void
session_flush_cache(struct worker *w)
{
	const tag_t all = TAG_ALL;

	session_invalidate(w, &all, 1);
	l1_flush(layer.l1);
}
