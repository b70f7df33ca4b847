/* SPDX-License-Identifier: PostgreSQL
 *
 * L1: the in-process store of results.
 *
 * A key's hash chooses a stripe; a stripe is a lock, a table of entries, the
 * eviction queues (l1_fifo.c), the fills that run (l1_fill.c) and a memo of keys
 * that have nothing here (l1_memo.c).  Knows
 * nothing of sessions, Redis or the wire.  Any thread; one stripe lock at a
 * time, never held over a callback, and objects are freed after it is dropped.
 *
 * Invariants: an entry is in the table while it has an object or a fill; at
 * most one fill per key; an object is handed out only if its key is equal, its
 * tags have not moved and it is fresh, or in grace while its key is filled.
 */
#include <pthread.h>
#include <stdlib.h>

#include "base/check.h"
#include "cache/glob.h"
#include "cache/l1_priv.h"

#define L1_STRIPES_MAX 64
/* Fewer stripes rather than shares that one object could fill. */
#define L1_SHARE_OBJECTS 4

struct l1_stripe {
	pthread_mutex_t lock;
	struct htab table;
	struct l1_fifo fifo;
	struct l1_accounts accounts;
	size_t max_object;
	unsigned tenant_share; /* percent */
	struct l1_memo memo;
	uint64_t busy, inserts, evictions, expired, stale, tenant_evictions;
} __attribute__((aligned(128)));

struct l1 {
	struct l1_stripe *stripes;
	unsigned n; /* a power of two */
	l1_wake_cb wake;
	void *arg;
};

/* Objects to be freed once the lock is dropped. */
struct l1_trash {
	unsigned n;
	struct object *obj[32];
};

static void
l1_trash_put(struct l1_trash *t, struct object *o)
{
	if (t->n < ARRAY_SIZE(t->obj))
		t->obj[t->n++] = o;
	else
		object_unref(&o);
}

static void
l1_trash_empty(struct l1_trash *t)
{
	while (t->n > 0)
		object_unref(&t->obj[--t->n]);
}

static struct l1_stripe *
l1_stripe_lock(struct l1 *l, const struct cache_key *k)
{
	struct l1_stripe *s = &l->stripes[(k->hash.hi >> 58) & (l->n - 1)];

	pthread_mutex_lock(&s->lock);
	return s;
}

/* --- entries ----------------------------------------------------------- */

static struct l1_entry *
l1_entry_find(const struct l1_stripe *s, const struct cache_key *k)
{
	struct htab_node *n;

	for (n = htab_find(&s->table, k->hash.lo); n != NULL;
	     n = htab_next(n)) {
		struct l1_entry *e = htab_entry(n, struct l1_entry, node);

		if (cache_key_eq(e->obj != NULL ? &e->obj->key :
			&e->fill->key, k))
			return e;
	}
	return NULL;
}

/* Forget an entry that has nothing left. */
static void
l1_entry_settle(struct l1_stripe *s, struct l1_entry *e)
{
	if (e->obj != NULL || e->fill != NULL)
		return;
	htab_remove(&s->table, &e->node);
	free(e);
}

/* Take away an object that is in no queue any more. */
static struct object *
l1_entry_part(struct l1_stripe *s, struct l1_entry *e)
{
	struct object *o = e->obj;

	l1_account_remove(&s->accounts, e);
	l1_memo_answer(&s->memo, &o->key, o->fetched_wall, 0);
	e->obj = NULL;
	return o;
}

/* Take the object away from an entry and out of its queue. */
static struct object *
l1_entry_take(struct l1_stripe *s, struct l1_entry *e)
{
	l1_fifo_remove(&s->fifo, e);
	return l1_entry_part(s, e);
}

/* In time. STALE is as good as absent, unless no server can be had. */
enum l1_state { L1_ABSENT, L1_FRESH, L1_GRACE, L1_STALE, L1_DEAD };

static enum l1_state
l1_entry_state(struct l1_stripe *s, const struct l1_entry *e, nsec_t now)
{
	bool live;

	if (e == NULL || e->obj == NULL)
		return L1_ABSENT;
	/* In this order: who vouches again has bumped before what it missed. */
	live = live_now(e->obj->live, now);
	if (unlikely(!object_current(e->obj) || l1_memo_outruns(&s->memo, e->obj))) {
		s->stale++;
		return L1_DEAD;
	}
	/* It may be again: nothing has been missed. */
	if (unlikely(!live))
		return L1_ABSENT;
	if (likely(now < e->obj->l1_until))
		return L1_FRESH;
	if (now < e->obj->grace_until)
		return L1_GRACE;
	if (!object_is_over(e->obj, now))
		return L1_STALE;
	s->expired++;
	return L1_DEAD;
}

/* Drop a dead object. What was in use comes back to the main queue when it is
 * filled again. Returns the entry if it is still there. */
static struct l1_entry *
l1_entry_bury(struct l1_stripe *s, struct l1_entry *e, struct object **dead)
{
	bool stays = e->fill != NULL;

	if (e->queue == L1_MAIN || e->freq > 0)
		l1_fifo_remember(&s->fifo, &e->obj->key.hash);
	*dead = l1_entry_take(s, e);
	l1_entry_settle(s, e);
	return stays ? e : NULL;
}

static struct object *
l1_entry_use(struct l1_entry *e)
{
	if (e->freq < L1_FREQ_MAX)
		e->freq++;
	return object_ref(e->obj);
}

/* It is hot, ends soon, and nobody is fetching it anew: the caller is to. */
static bool
l1_entry_is_due(const struct l1_entry *e, nsec_t now)
{
	return e->obj->renew_from != 0 && now >= e->obj->renew_from &&
	    e->fill == NULL && !e->renewed && e->freq >= L1_FREQ_HOT;
}

static void
l1_make_room(struct l1_stripe *s, size_t need, nsec_t now, struct l1_trash *t)
{
	while (need > s->fifo.share ||
	    l1_fifo_bytes(&s->fifo) > s->fifo.share - need) {
		struct l1_entry *e = l1_fifo_victim(&s->fifo, now);

		if (e == NULL)
			return;
		l1_trash_put(t, l1_entry_part(s, e));
		s->evictions++;
		l1_entry_settle(s, e);
	}
}

/* ... in the account of o. false: it is too large for any. */
static bool
l1_make_room_of_tenant(struct l1_stripe *s, const struct object *o,
    struct l1_trash *t)
{
	size_t limit = s->fifo.share / 100 * s->tenant_share;
	struct l1_entry *e;

	if (likely(s->tenant_share == 100))
		return true;
	if (l1_cost(o) > limit)
		return false;
	while ((e = l1_account_victim(&s->accounts, o, limit)) != NULL) {
		l1_trash_put(t, l1_entry_take(s, e));
		s->tenant_evictions++;
		l1_entry_settle(s, e);
	}
	return true;
}

/* --- store ------------------------------------------------------------- */

struct l1 *
l1_new(size_t budget, size_t max_object, l1_wake_cb wake, void *arg)
{
	struct l1 *l = x_calloc(1, sizeof(*l));
	pthread_mutexattr_t attr;
	unsigned i;

	l->n = L1_STRIPES_MAX;
	while (l->n > 1 && budget / l->n / L1_SHARE_OBJECTS < max_object)
		l->n /= 2;
	l->wake = wake;
	l->arg = arg;
	CHECK(posix_memalign((void **)&l->stripes, 128,
	    l->n * sizeof(*l->stripes)) == 0);
	memset(l->stripes, 0, l->n * sizeof(*l->stripes));
	/* Held for well under a microsecond: spinning a little is cheaper than
	 * sleeping. */
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
	for (i = 0; i < l->n; i++) {
		struct l1_stripe *s = &l->stripes[i];

		pthread_mutex_init(&s->lock, &attr);
		htab_init(&s->table);
		l1_fifo_init(&s->fifo, budget / l->n);
		l1_accounts_init(&s->accounts);
		s->max_object = max_object;
		s->tenant_share = 100;
	}
	pthread_mutexattr_destroy(&attr);
	return l;
}

static void
l1_entry_free(struct htab_node *n, void *arg)
{
	struct l1_entry *e = htab_entry(n, struct l1_entry, node);
	struct l1_stripe *s = arg;
	struct object *o;

	if (e->obj != NULL) {
		o = l1_entry_take(s, e);
		object_unref(&o);
	}
	if (e->fill != NULL)
		(void)l1_fill_finish(e->fill, NULL, NULL, NULL);
	free(e);
}

void
l1_free(struct l1 **l)
{
	struct l1 *old = *l;
	unsigned i;

	if (old == NULL)
		return;
	*l = NULL;
	for (i = 0; i < old->n; i++) {
		struct l1_stripe *s = &old->stripes[i];

		htab_each(&s->table, l1_entry_free, s);
		htab_fini(&s->table);
		l1_fifo_fini(&s->fifo);
		pthread_mutex_destroy(&s->lock);
	}
	free(old->stripes);
	free(old);
}

void
l1_set_limits(struct l1 *l, size_t budget, size_t max_object)
{
	struct l1_trash trash = { .n = 0 };
	unsigned i;

	for (i = 0; i < l->n; i++) {
		struct l1_stripe *s = &l->stripes[i];

		pthread_mutex_lock(&s->lock);
		l1_fifo_set_share(&s->fifo, budget / l->n);
		s->max_object = max_object;
		l1_make_room(s, 0, 0, &trash);
		pthread_mutex_unlock(&s->lock);
		l1_trash_empty(&trash);
	}
}

void
l1_set_tenant_share(struct l1 *l, unsigned percent)
{
	unsigned i;

	CHECK(percent > 0 && percent <= 100);
	for (i = 0; i < l->n; i++) {
		struct l1_stripe *s = &l->stripes[i];

		pthread_mutex_lock(&s->lock);
		s->tenant_share = percent;
		pthread_mutex_unlock(&s->lock);
	}
}

struct object *
l1_get(struct l1 *l, const struct cache_key *k, nsec_t now)
{
	struct l1_stripe *s = l1_stripe_lock(l, k);
	struct l1_entry *e = l1_entry_find(s, k);
	enum l1_state state = l1_entry_state(s, e, now);
	struct object *found = NULL, *dead = NULL;

	if ((likely(state == L1_FRESH) && likely(!l1_entry_is_due(e, now))) ||
	    (state == L1_GRACE && e->fill != NULL))
		found = l1_entry_use(e);
	else if (state == L1_DEAD)
		l1_entry_bury(s, e, &dead);
	pthread_mutex_unlock(&s->lock);
	object_unref(&dead);
	return found;
}

nsec_t
l1_left(struct l1 *l, const struct hash128 *hash, nsec_t now)
{
	const struct cache_key k = { .hash = *hash };
	struct l1_stripe *s = l1_stripe_lock(l, &k);
	const struct object *o;
	struct htab_node *n;
	nsec_t left = 0;

	for (n = htab_find(&s->table, hash->lo); n != NULL && left == 0;
	     n = htab_next(n)) {
		o = htab_entry(n, struct l1_entry, node)->obj;
		if (o != NULL && hash_eq(o->key.hash, *hash) &&
		    live_now(o->live, now) && object_current(o) &&
		    !l1_memo_outruns(&s->memo, o) && now < o->l1_until)
			left = o->l1_until - now;
	}
	pthread_mutex_unlock(&s->lock);
	return left;
}

/* --- answers that are not here ------------------------------------------ */

bool
l1_had_younger(struct l1 *l, const struct cache_key *k, nsec_t wall)
{
	struct l1_stripe *s = l1_stripe_lock(l, k);
	bool younger = l1_memo_younger(&s->memo, k, wall);

	pthread_mutex_unlock(&s->lock);
	return younger;
}

void
l1_answered(struct l1 *l, const struct cache_key *k, nsec_t wall, nsec_t mono)
{
	struct l1_stripe *s = l1_stripe_lock(l, k);

	l1_memo_answer(&s->memo, k, wall, mono);
	pthread_mutex_unlock(&s->lock);
}

/* --- fills ------------------------------------------------------------- */

/* Make the caller the leader for k; e is its entry or NULL. */
static enum l1_claim
l1_fill_start(struct l1_stripe *s, struct l1_entry *e,
    const struct cache_key *k)
{
	struct l1_fill *f = l1_fill_new(k);

	if (f == NULL)
		return L1_ALONE;
	if (e == NULL) {
		e = x_calloc(1, sizeof(*e));
		htab_insert(&s->table, &e->node, k->hash.lo);
	}
	e->fill = f;
	s->busy++;
	return L1_LEAD;
}

/* The fill of k has ended: take it. */
static struct l1_fill *
l1_fill_end(struct l1_stripe *s, struct l1_entry *e)
{
	struct l1_fill *f;

	CHECK(e != NULL && e->fill != NULL);
	f = e->fill;
	e->fill = NULL;
	s->busy--;
	return f;
}

enum l1_claim
l1_claim(struct l1 *l, const struct cache_key *k, nsec_t now,
    struct l1_waiter w, struct object **obj)
{
	struct l1_stripe *s = l1_stripe_lock(l, k);
	struct l1_entry *e = l1_entry_find(s, k);
	enum l1_state state = l1_entry_state(s, e, now);
	struct object *dead = NULL;
	enum l1_claim claim;
	bool due = state == L1_FRESH && l1_entry_is_due(e, now);

	*obj = NULL;
	if (state == L1_DEAD)
		e = l1_entry_bury(s, e, &dead);
	if (((state == L1_FRESH && !due) ||
	    (state == L1_GRACE && e->fill != NULL)) &&
	    e->obj->fetched_mono >= w.since) {
		*obj = l1_entry_use(e);
		claim = L1_HIT;
	} else if (due) {
		e->renewed = true;
		claim = l1_fill_start(s, e, k) == L1_LEAD ? L1_RENEW :
		    L1_ALONE;
	} else if (unlikely(l1_memo_passes(&s->memo, k, now))) {
		claim = L1_PASS;
	} else if (e == NULL || e->fill == NULL) {
		claim = l1_fill_start(s, e, k);
	} else {
		claim = l1_fill_wait(e->fill, w) ? L1_WAIT : L1_ALONE;
	}
	pthread_mutex_unlock(&s->lock);
	object_unref(&dead);
	return claim;
}

struct object *
l1_stale(struct l1 *l, const struct cache_key *k, nsec_t now)
{
	struct l1_stripe *s = l1_stripe_lock(l, k);
	struct l1_entry *e = l1_entry_find(s, k);
	enum l1_state state = l1_entry_state(s, e, now);
	struct object *found = NULL;

	if (state == L1_FRESH || state == L1_GRACE || state == L1_STALE)
		found = l1_entry_use(e);
	pthread_mutex_unlock(&s->lock);
	return found;
}

/* Put o in the place of what the entry had. */
static void
l1_entry_store(struct l1_stripe *s, struct l1_entry *e, struct object *o,
    nsec_t now, struct l1_trash *t)
{
	size_t cost = l1_cost(o);

	if ((o->l1_until <= now && object_is_over(o, now)) ||
	    o->frames.n > s->max_object || cost > s->fifo.share ||
	    !l1_make_room_of_tenant(s, o, t))
		return;
	l1_make_room(s, cost, now, t);
	e->obj = object_ref(o);
	e->renewed = false;
	l1_fifo_add(&s->fifo, e, e->queue == L1_MAIN);
	l1_account_add(&s->accounts, e);
	s->inserts++;
}

bool
l1_publish(struct l1 *l, struct object *o, nsec_t now)
{
	struct l1_stripe *s = l1_stripe_lock(l, &o->key);
	struct l1_entry *e = l1_entry_find(s, &o->key);
	struct l1_fill *f = l1_fill_end(s, e);
	struct l1_trash trash = { .n = 0 };
	bool current = object_current(o) && !l1_memo_outruns(&s->memo, o);
	bool wanted = f->epoch == 0;

	/* The key's old object goes in any case: there is newer data. */
	if (e->obj != NULL)
		l1_trash_put(&trash, l1_entry_take(s, e));
	l1_memo_shared(&s->memo, &o->key);
	if (current && wanted)
		l1_entry_store(s, e, o, now, &trash);
	/* Who led has the answer all the same. */
	if (e->obj == NULL)
		l1_memo_answer(&s->memo, &o->key, o->fetched_wall,
		    o->fetched_mono);
	l1_entry_settle(s, e);
	pthread_mutex_unlock(&s->lock);
	l1_trash_empty(&trash);
	(void)l1_fill_finish(f, current ? o : NULL, l->wake, l->arg);
	return wanted;
}

/* With s locked, which is dropped. o: for those who wait, or NULL. */
static unsigned
l1_fill_give_up(struct l1 *l, struct l1_stripe *s, const struct cache_key *k,
    struct object *o)
{
	struct l1_entry *e = l1_entry_find(s, k);
	struct l1_fill *f = l1_fill_end(s, e);

	l1_entry_settle(s, e);
	pthread_mutex_unlock(&s->lock);
	return l1_fill_finish(f, o, l->wake, l->arg);
}

void
l1_abandon(struct l1 *l, const struct cache_key *k)
{
	(void)l1_fill_give_up(l, l1_stripe_lock(l, k), k, NULL);
}

unsigned
l1_abandon_with(struct l1 *l, struct object *o)
{
	return l1_fill_give_up(l, l1_stripe_lock(l, &o->key), &o->key, o);
}

void
l1_refuse(struct l1 *l, const struct cache_key *k, bool certain, nsec_t now)
{
	struct l1_stripe *s = l1_stripe_lock(l, k);

	l1_memo_refused(&s->memo, k, certain, now);
	(void)l1_fill_give_up(l, s, k, NULL);
}

bool
l1_forget(struct l1 *l, const struct cache_key *k, struct l1_waiter w)
{
	struct l1_stripe *s = l1_stripe_lock(l, k);
	struct l1_entry *e = l1_entry_find(s, k);
	bool removed = e != NULL && e->fill != NULL &&
	    l1_fill_forget(e->fill, w);

	pthread_mutex_unlock(&s->lock);
	return removed;
}

static void
l1_entry_flush(struct htab_node *n, void *arg)
{
	struct l1_entry *e = htab_entry(n, struct l1_entry, node);
	struct l1_stripe *s = arg;
	struct object *o;

	if (e->fill != NULL)
		e->fill->epoch++;
	if (e->obj != NULL) {
		o = l1_entry_take(s, e);
		object_unref(&o);
	}
	l1_entry_settle(s, e);
}

void
l1_flush(struct l1 *l)
{
	unsigned i;

	for (i = 0; i < l->n; i++) {
		struct l1_stripe *s = &l->stripes[i];

		pthread_mutex_lock(&s->lock);
		htab_each(&s->table, l1_entry_flush, s);
		pthread_mutex_unlock(&s->lock);
	}
}

/* --- what is in use ------------------------------------------------------ */

unsigned
l1_parts(const struct l1 *l)
{
	return l->n;
}

bool
l1_used(struct l1 *l, unsigned part, nsec_t now,
    struct object *out[L1_USED_MAX], size_t *n)
{
	struct l1_stripe *s;
	struct l1_entry *e;
	int q;

	*n = 0;
	if (part >= l->n)
		return false;
	s = &l->stripes[part];
	pthread_mutex_lock(&s->lock);
	for (q = L1_MAIN; q >= L1_SMALL; q--)
		TAILQ_FOREACH(e, &s->fifo.queue[q], link)
			if (*n < L1_USED_MAX && (q == L1_MAIN || e->freq > 0) &&
			    now < e->obj->l1_until && object_current(e->obj) &&
			    !l1_memo_outruns(&s->memo, e->obj))
				out[(*n)++] = object_ref(e->obj);
	pthread_mutex_unlock(&s->lock);
	return true;
}

/* --- by name ------------------------------------------------------------ */

/* What one call looks at, for some 100 us: so many slots, fewer if comparing
 * may have taken so many steps or the trash is full. */
#define L1_DROP_SLOTS 1024
#define L1_DROP_STEPS 65536

struct l1_dropping {
	struct l1_stripe *s;
	struct l1_drop *d;
	struct l1_trash *trash;
	size_t steps;
	bool full; /* the slot is to be looked at again */
};

static void
l1_entry_drop(struct htab_node *n, void *arg)
{
	struct l1_entry *e = htab_entry(n, struct l1_entry, node);
	struct l1_dropping *g = arg;
	struct slice name = e->obj != NULL ? e->obj->key.name :
	    e->fill->key.name;

	g->steps += g->d->pattern.n * name.n;
	if (g->full || !glob_match(g->d->pattern, name))
		return;
	if (e->fill != NULL)
		e->fill->epoch++;
	if (e->obj != NULL) {
		g->full = g->trash->n == ARRAY_SIZE(g->trash->obj);
		if (g->full)
			return;
		l1_trash_put(g->trash, l1_entry_take(g->s, e));
		g->d->dropped++;
	}
	l1_entry_settle(g->s, e);
}

bool
l1_drop(struct l1 *l, struct l1_drop *d)
{
	struct l1_stripe *s = &l->stripes[d->stripe];
	struct l1_trash trash = { .n = 0 };
	struct l1_dropping g = { .s = s, .d = d, .trash = &trash };
	unsigned slots = 0;
	size_t next;

	pthread_mutex_lock(&s->lock);
	/* Slots are others once the table has grown. */
	if (d->mask != s->table.mask)
		d->slot = 0;
	d->mask = s->table.mask;
	do {
		next = htab_some(&s->table, d->slot, 1, l1_entry_drop, &g);
		if (!g.full)
			d->slot = next;
	} while (!g.full && next != 0 && ++slots < L1_DROP_SLOTS &&
	    g.steps < L1_DROP_STEPS);
	pthread_mutex_unlock(&s->lock);
	l1_trash_empty(&trash);
	if (!g.full && next == 0)
		d->stripe++;
	return d->stripe < l->n;
}

void
l1_stats(struct l1 *l, struct l1_stats *st)
{
	unsigned i;

	*st = (struct l1_stats){ .objects = 0 };
	for (i = 0; i < l->n; i++) {
		struct l1_stripe *s = &l->stripes[i];

		pthread_mutex_lock(&s->lock);
		st->objects += s->fifo.objects[L1_SMALL] +
		    s->fifo.objects[L1_MAIN];
		st->bytes += l1_fifo_bytes(&s->fifo);
		st->busy += s->busy;
		st->inserts += s->inserts;
		st->evictions += s->evictions;
		st->expired += s->expired;
		st->stale += s->stale;
		st->tenant_evictions += s->tenant_evictions;
		pthread_mutex_unlock(&s->lock);
	}
}
