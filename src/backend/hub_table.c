/* SPDX-License-Identifier: PostgreSQL
 *
 * The table of hubs: making and finding them, what concerns all of them.
 *
 * The table's lock is held for a look-up only; hubs are dealt out to the
 * workers in turn, and each is touched by its own worker alone.
 */
#include <stdlib.h>
#include <string.h>

#include "backend/hub_priv.h"

/* Bit of ids that tells hubs from sessions where pools are waited for. */
#define HUB_ID (1ull << 63)

struct hub_table hub_table = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.all = TAILQ_HEAD_INITIALIZER(hub_table.all) };

static struct hub *
hub_new(struct pool *p)
{
	struct hub *h = x_calloc(1, sizeof(*h));

	h->magic = HUB_MAGIC;
	h->pool = pool_ref(p);
	h->w = hub_table.workers[hub_table.count % hub_table.n_workers];
	h->waiter.w = h->w;
	h->waiter.session = HUB_ID | hub_table.count++;
	h->refs = x_calloc(hub_table.n_workers, sizeof(*h->refs));
	htab_init(&h->channels);
	TAILQ_INIT(&h->idle);
	STAILQ_INIT(&h->waiting);
	STAILQ_INIT(&h->sent);
	h->turn.run = hub_turn;
	outlets_init(&h->out, h, h->w, hub_table.workers, hub_table.n_workers,
	    hub_table.cb, hub_relieved);
	return h;
}

struct hub *
hub_get(struct pool *p)
{
	struct hub *h;

	pthread_mutex_lock(&hub_table.lock);
	TAILQ_FOREACH(h, &hub_table.all, link)
		if (h->pool == p)
			break;
	if (h == NULL) {
		h = hub_new(p);
		TAILQ_INSERT_TAIL(&hub_table.all, h, link);
	}
	pthread_mutex_unlock(&hub_table.lock);
	return h;
}

/* The next hub of w behind h (NULL: the first), or NULL. */
static struct hub *
hub_next(const struct worker *w, struct hub *h)
{
	pthread_mutex_lock(&hub_table.lock);
	h = h == NULL ? TAILQ_FIRST(&hub_table.all) : TAILQ_NEXT(h, link);
	while (h != NULL && h->w != w)
		h = TAILQ_NEXT(h, link);
	pthread_mutex_unlock(&hub_table.lock);
	return h;
}

static struct hub *
hub_find(const struct worker *w, uint64_t id)
{
	struct hub *h = NULL;

	if (!(id & HUB_ID))
		return NULL;
	while ((h = hub_next(w, h)) != NULL)
		if (h->waiter.session == id)
			break;
	return h;
}

bool
hub_granted(struct worker *w, uint64_t id, struct server *s)
{
	struct hub *h = hub_find(w, id);

	if (h == NULL)
		return false;
	h->leasing = false;
	if (h->stopped || h->channels.count == 0)
		pool_put(s->pool, s);
	else
		hub_got(h, s);
	hub_later(h);
	return true;
}

bool
hub_failed(struct worker *w, uint64_t id, const struct pool_error *why)
{
	struct hub *h = hub_find(w, id);

	if (h == NULL)
		return false;
	h->leasing = false;
	hub_answer(h, &h->waiting, why->sqlstate, why->text);
	return true;
}

void
hub_tick(struct worker *w)
{
	struct hub *h = NULL;

	while ((h = hub_next(w, h)) != NULL)
		if (h->server != NULL)
			hub_later(h);
}

void
hub_stop(struct worker *w)
{
	struct hub *h = NULL;

	while ((h = hub_next(w, h)) != NULL) {
		h->stopped = true;
		h->busy = false;
		if (h->server != NULL)
			server_close(h->server, NULL);
		h->server = NULL;
	}
}

void
hub_each(struct worker *w,
    void (*fn)(const struct hub_info *i, void *arg), void *arg)
{
	struct hub *h = NULL;
	unsigned i;

	while ((h = hub_next(w, h)) != NULL) {
		struct hub_info info = {
			.backend = pool_backend_name(h->pool),
			.user = pool_user(h->pool),
			.state = h->server != NULL ? "listening" :
			    h->leasing ? "connecting" : "idle",
			.server_pid = h->server != NULL ? h->server->pid : 0,
			.channels = h->channels.count,
			.notifications = h->notifications,
		};
		for (i = 0; i < hub_table.n_workers; i++)
			info.subscriptions += h->refs[i];
		fn(&info, arg);
	}
}

void
hub_init(struct worker *const *workers, unsigned n, hub_cb cb)
{
	hub_table.workers = workers;
	hub_table.n_workers = n;
	hub_table.cb = cb;
}

static void
channel_end(struct htab_node *n, void *arg)
{
	htab_remove(arg, n);
	free(htab_entry(n, struct channel, node));
}

void
hub_fini(void)
{
	struct hub *h;
	struct ask *a;

	while ((h = TAILQ_FIRST(&hub_table.all)) != NULL) {
		TAILQ_REMOVE(&hub_table.all, h, link);
		STAILQ_CONCAT(&h->sent, &h->waiting);
		while ((a = STAILQ_FIRST(&h->sent)) != NULL) {
			STAILQ_REMOVE_HEAD(&h->sent, next);
			free(a);
		}
		htab_each(&h->channels, channel_end, &h->channels);
		htab_fini(&h->channels);
		outlets_fini(&h->out);
		pool_unref(&h->pool);
		free(h->refs);
		free(h);
	}
	hub_table.count = 0;
}
