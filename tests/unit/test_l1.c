/* SPDX-License-Identifier: PostgreSQL
 *
 * L1: what may be served, one fill per key, eviction and its accounts, and all
 * of it from several threads at once.
 */
#include <pthread.h>
#include <sched.h>

#include "cache/l1_priv.h"
#include "cache_util.h"

#define MB (1024 * 1024)

/* --- wakes of the single-threaded tests --- */

static struct {
	struct l1_waiter waiter;
	bool with_object;
} woken[16];
static unsigned n_woken;

static void
note_wake(void *arg, struct l1_waiter w, struct object *o)
{
	assert_ptr_equal(arg, &n_woken);
	assert_true(n_woken < ARRAY_SIZE(woken));
	woken[n_woken].waiter = w;
	woken[n_woken++].with_object = o != NULL;
	object_unref(&o);
}

static struct l1 *
start(size_t budget, size_t max_object)
{
	n_woken = 0;
	return l1_new(budget, max_object, note_wake, &n_woken);
}

static struct l1_waiter
waiter(uint64_t session)
{
	return (struct l1_waiter){ .worker = 1, .session = session };
}

static void
lead(struct l1 *l, const struct cache_key *k, nsec_t now)
{
	struct object *o;

	assert_int_equal(l1_claim(l, k, now, waiter(0), &o), L1_LEAD);
	assert_null(o);
}

static void
wait_for(struct l1 *l, const struct cache_key *k, nsec_t now, uint64_t session)
{
	struct object *o;

	assert_int_equal(l1_claim(l, k, now, waiter(session), &o), L1_WAIT);
	assert_null(o);
}

/* Claim, publish and drop our reference. */
static void
fill(struct l1 *l, const struct cache_key *k, struct slice data, tag_t tag,
    nsec_t until, nsec_t grace_until, nsec_t now)
{
	struct object *o = util_object(k, data, tag, until);

	lead(l, k, now);
	o->grace_until = grace_until;
	l1_publish(l, o, now);
	object_unref(&o);
}

static bool
has(struct l1 *l, const struct cache_key *k, nsec_t now)
{
	struct object *o = l1_get(l, k, now);
	bool found = o != NULL;

	if (found)
		assert_true(cache_key_eq(&o->key, k));
	object_unref(&o);
	return found;
}

static struct l1_stats
stats(struct l1 *l)
{
	struct l1_stats st;

	l1_stats(l, &st);
	return st;
}

/* --- serving --- */

static void
fresh_objects_are_served(void **state)
{
	struct l1 *l = start(MB, 1000);
	struct cache_key k = util_key("a"), other = util_key("b");
	struct object *o;

	(void)state;
	assert_false(has(l, &k, 5));
	fill(l, &k, UTIL_DATA, 0, 10, 10, 5);
	o = l1_get(l, &k, 9);
	assert_non_null(o);
	assert_int_equal(o->frames.n, UTIL_DESC.n + UTIL_DATA.n);
	assert_int_equal(atomic_load(&o->refs), 2);
	object_unref(&o);
	assert_false(has(l, &other, 5));
	other = k;
	other.form = KEY_SIMPLE;
	assert_false(has(l, &other, 5)); /* the same hash, not the same key */
	assert_int_equal(stats(l).objects, 1);
	l1_free(&l);
	assert_null(l);
}

static void
expired_objects_are_dropped(void **state)
{
	struct l1 *l = start(MB, 1000);
	struct cache_key k = util_key("a");

	(void)state;
	fill(l, &k, UTIL_DATA, 0, 10, 10, 5);
	assert_true(has(l, &k, 9));
	assert_false(has(l, &k, 10));
	assert_int_equal(stats(l).objects, 0);
	assert_int_equal(stats(l).bytes, 0);
	assert_int_equal(stats(l).expired, 1);
	l1_free(&l);
}

static void
stale_objects_are_dropped(void **state)
{
	struct l1 *l = start(MB, 1000);
	struct cache_key k = util_key("a");

	(void)state;
	fill(l, &k, UTIL_DATA, 42, 10, 10, 5);
	assert_true(has(l, &k, 5));
	tag_bump(43);
	assert_true(has(l, &k, 5));
	tag_bump(42);
	assert_false(has(l, &k, 5));
	assert_int_equal(stats(l).stale, 1);
	assert_int_equal(stats(l).objects, 0);
	fill(l, &k, UTIL_DATA, 42, 10, 10, 5);
	tag_bump(TAG_ALL);
	assert_false(has(l, &k, 5));
	l1_free(&l);
}

static void
grace_is_served_during_a_fill_only(void **state)
{
	struct l1 *l = start(MB, 1000);
	struct cache_key k = util_key("a");
	struct object *o;

	(void)state;
	fill(l, &k, UTIL_DATA, 42, 10, 20, 5);
	assert_false(has(l, &k, 10)); /* nobody fills */
	lead(l, &k, 10);
	assert_true(has(l, &k, 10));
	assert_int_equal(l1_claim(l, &k, 19, waiter(2), &o), L1_HIT);
	object_unref(&o);
	l1_abandon(l, &k);
	assert_false(has(l, &k, 10));
	lead(l, &k, 11);
	assert_true(has(l, &k, 11)); /* still there for the next leader */
	wait_for(l, &k, 20, 3);      /* grace is over */
	assert_int_equal(stats(l).objects, 0);
	l1_abandon(l, &k);
	assert_int_equal(n_woken, 1);
	/* Grace never outlives a write. */
	fill(l, &k, UTIL_DATA, 42, 10, 20, 5);
	lead(l, &k, 10);
	assert_true(has(l, &k, 10));
	tag_bump(42);
	assert_false(has(l, &k, 10));
	l1_abandon(l, &k);
	l1_free(&l);
}

static void
what_is_left_is_told(void **state)
{
	struct l1 *l = start(MB, 1000);
	struct cache_key k = util_key("a"), other = util_key("b");

	(void)state;
	lead(l, &other, 5); /* a fill is nothing to be served */
	fill(l, &k, UTIL_DATA, 42, 10, 20, 5);
	assert_int_equal(l1_left(l, &k.hash, 7), 3);
	assert_int_equal(l1_left(l, &other.hash, 7), 0);
	assert_int_equal(l1_left(l, &k.hash, 10), 0);
	tag_bump(42);
	assert_int_equal(l1_left(l, &k.hash, 7), 0);
	assert_int_equal(stats(l).objects, 1);
	assert_int_equal(stats(l).stale, 0);
	l1_abandon(l, &other);
	l1_free(&l);
}

/* --- fills --- */

static void
one_leads_and_the_others_wait(void **state)
{
	struct l1 *l = start(MB, 1000);
	struct cache_key k = util_key("a"), k2 = util_key("b");
	struct object *o = util_object(&k, UTIL_DATA, 0, 10);

	(void)state;
	lead(l, &k, 5);
	wait_for(l, &k, 5, 11);
	wait_for(l, &k, 5, 12);
	lead(l, &k2, 5); /* another key, another leader */
	assert_int_equal(stats(l).busy, 2);
	l1_publish(l, o, 5);
	assert_int_equal(n_woken, 2);
	assert_int_equal(woken[0].waiter.session, 11);
	assert_int_equal(woken[0].waiter.worker, 1);
	assert_int_equal(woken[1].waiter.session, 12);
	assert_true(woken[0].with_object && woken[1].with_object);
	assert_true(has(l, &k, 5));
	l1_abandon(l, &k2);
	assert_int_equal(n_woken, 2);
	assert_int_equal(stats(l).busy, 0);
	assert_int_equal(atomic_load(&o->refs), 2);
	object_unref(&o);
	l1_free(&l);
}

static void
abandoned_fills_wake_with_nothing(void **state)
{
	struct l1 *l = start(MB, 1000);
	struct cache_key k = util_key("a");

	(void)state;
	lead(l, &k, 5);
	wait_for(l, &k, 5, 11);
	l1_abandon(l, &k);
	assert_int_equal(n_woken, 1);
	assert_false(woken[0].with_object);
	lead(l, &k, 5);
	l1_abandon(l, &k);
	l1_free(&l);
}

static void
forgotten_waiters_are_not_woken(void **state)
{
	struct l1 *l = start(MB, 1000);
	struct cache_key k = util_key("a"), k2 = util_key("b");
	uint64_t i;

	(void)state;
	assert_false(l1_forget(l, &k, waiter(1)));
	lead(l, &k, 5);
	for (i = 1; i <= 9; i++)
		wait_for(l, &k, 5, i);
	assert_true(l1_forget(l, &k, waiter(1)));
	assert_false(l1_forget(l, &k, waiter(1)));
	assert_true(l1_forget(l, &k, waiter(9)));
	assert_true(l1_forget(l, &k, waiter(5)));
	assert_false(l1_forget(l, &k2, waiter(2)));
	assert_false(l1_forget(l, &k,
	    (struct l1_waiter){ .worker = 2, .session = 2 }));
	l1_abandon(l, &k);
	assert_int_equal(n_woken, 6);
	for (i = 0; i < n_woken; i++)
		assert_true(woken[i].waiter.session != 1 &&
		    woken[i].waiter.session != 5 &&
		    woken[i].waiter.session != 9);
	assert_false(l1_forget(l, &k, waiter(2)));
	l1_free(&l);
}

static void
waiters_are_bounded(void **state)
{
	struct l1 *l = start(MB, 1000);
	struct cache_key k = util_key("a");
	struct object *o;
	uint64_t i;

	(void)state;
	lead(l, &k, 5);
	for (i = 1; i <= L1_WAITERS_MAX; i++)
		wait_for(l, &k, 5, i);
	assert_int_equal(l1_claim(l, &k, 5, waiter(i), &o), L1_ALONE);
	assert_null(o);
	/* Room that is given back, at either end, is used again. */
	assert_true(l1_forget(l, &k, waiter(1)));
	assert_true(l1_forget(l, &k, waiter(L1_WAITERS_MAX)));
	wait_for(l, &k, 5, 1);
	wait_for(l, &k, 5, 2000000);
	assert_int_equal(l1_claim(l, &k, 5, waiter(i), &o), L1_ALONE);
	/* In order of arrival, as timeouts do. */
	for (i = 2; i < L1_WAITERS_MAX; i++)
		assert_true(l1_forget(l, &k, waiter(i)));
	l1_abandon(l, &k);
	assert_int_equal(n_woken, 2);
	l1_free(&l);
}

static void
hot_objects_are_renewed_by_one(void **state PG_UNUSED)
{
	struct l1 *l = start(MB, MB / 4);
	struct cache_key k = util_key("select 1"), cold = util_key("select 2");
	struct object *o = util_object(&k, UTIL_DATA, 0, 100), *got;
	int i;

	o->renew_from = 50;
	lead(l, &k, 5);
	l1_publish(l, o, 5);
	object_unref(&o);
	for (i = 0; i < 3; i++) {
		got = l1_get(l, &k, 10);
		assert_non_null(got);
		object_unref(&got);
	}
	/* The first who asks then, until it does. */
	assert_null(l1_get(l, &k, 60));
	assert_null(l1_get(l, &k, 60));
	assert_int_equal(l1_claim(l, &k, 60, waiter(1), &got), L1_RENEW);
	assert_null(got);
	got = l1_get(l, &k, 61);
	assert_non_null(got);
	object_unref(&got);
	assert_int_equal(l1_claim(l, &k, 61, waiter(2), &got), L1_HIT);
	object_unref(&got);
	/* In vain: once is enough, and it lives to its end. */
	l1_abandon(l, &k);
	got = l1_get(l, &k, 99);
	assert_non_null(got);
	object_unref(&got);
	assert_null(l1_get(l, &k, 100));
	/* What nobody asked for twice just ends. */
	o = util_object(&cold, UTIL_DATA, 0, 100);
	o->renew_from = 50;
	lead(l, &cold, 5);
	l1_publish(l, o, 5);
	object_unref(&o);
	got = l1_get(l, &cold, 60);
	assert_non_null(got);
	object_unref(&got);
	l1_free(&l);
}

static void
stale_objects_are_for_outages(void **state PG_UNUSED)
{
	struct l1 *l = start(MB, MB / 4);
	struct cache_key k = util_key("select 1");
	struct object *o = util_object(&k, UTIL_DATA, 9, 100), *got;

	o->stale_until = 200;
	lead(l, &k, 5);
	l1_publish(l, o, 5);
	object_unref(&o);
	assert_null(l1_get(l, &k, 150));
	lead(l, &k, 150);
	got = l1_stale(l, &k, 150);
	assert_non_null(got);
	wait_for(l, &k, 150, 1);
	wait_for(l, &k, 150, 2);
	assert_int_equal(l1_abandon_with(l, got), 2);
	assert_true(n_woken == 2 && woken[0].with_object &&
	    woken[1].with_object);
	object_unref(&got);
	assert_null(l1_stale(l, &k, 200));
	/* Never after a write. */
	got = l1_stale(l, &k, 150);
	assert_non_null(got);
	object_unref(&got);
	tag_bump(9);
	assert_null(l1_stale(l, &k, 150));
	lead(l, &k, 150);
	l1_abandon(l, &k);
	l1_free(&l);
}

static enum l1_claim
claim(struct l1 *l, const struct cache_key *k, nsec_t now)
{
	struct object *o;
	enum l1_claim c = l1_claim(l, k, now, waiter(9), &o);

	object_unref(&o);
	return c;
}

static void
unfit_keys_are_passed_for_a_while(void **state PG_UNUSED)
{
	struct l1 *l = start(MB, MB / 4);
	struct cache_key k = util_key("select 1"), other = util_key("select 2");
	nsec_t later = 5 + 60 * NSEC_PER_SEC;

	lead(l, &k, 5);
	wait_for(l, &k, 5, 1);
	l1_refuse(l, &k, true, 5);
	assert_int_equal(n_woken, 1);
	assert_false(woken[0].with_object);
	assert_int_equal(claim(l, &k, 6), L1_PASS);
	assert_int_equal(claim(l, &k, 7), L1_PASS);
	lead(l, &other, 7);
	l1_abandon(l, &other);
	/* Then it is tried again, */
	lead(l, &k, later);
	l1_refuse(l, &k, true, later);
	assert_int_equal(claim(l, &k, later + 1), L1_PASS);
	lead(l, &k, 2 * later);
	l1_abandon(l, &k);
	l1_free(&l);
}

static void
what_happens_once_does_not_count(void **state PG_UNUSED)
{
	struct l1 *l = start(MB, MB / 4);
	struct cache_key k = util_key("select 1");
	struct object *o = util_object(&k, UTIL_DATA, 0, 10);

	lead(l, &k, 5);
	l1_refuse(l, &k, false, 5);
	/* ... nor twice with a good result in between. */
	lead(l, &k, 5);
	l1_publish(l, o, 5);
	object_unref(&o);
	lead(l, &k, 20);
	l1_refuse(l, &k, false, 20);
	lead(l, &k, 20);
	l1_refuse(l, &k, false, 20);
	assert_int_equal(claim(l, &k, 21), L1_PASS);
	l1_free(&l);
}

static void
overtaken_fills_are_dead_on_arrival(void **state)
{
	struct l1 *l = start(MB, 1000);
	struct cache_key k = util_key("a");
	struct object *o = util_object(&k, UTIL_DATA, 42, 10);

	(void)state;
	lead(l, &k, 5);
	wait_for(l, &k, 5, 11);
	tag_bump(42);
	l1_publish(l, o, 5);
	assert_int_equal(n_woken, 1);
	assert_false(woken[0].with_object);
	assert_false(has(l, &k, 5));
	assert_int_equal(stats(l).inserts, 0);
	object_unref(&o);
	l1_free(&l);
}

static void
what_is_not_stored_still_wakes(void **state)
{
	struct l1 *l = start(MB, 64);
	struct cache_key k = util_key("a");
	char big[65] = "";
	struct object *o = util_object(&k, slice_make(big, 65), 0, 10);

	(void)state;
	fill(l, &k, SLICE_LIT("old"), 0, 10, 20, 5);
	lead(l, &k, 10);
	wait_for(l, &k, 20, 11);
	l1_publish(l, o, 5);
	assert_int_equal(n_woken, 1);
	assert_true(woken[0].with_object);
	assert_int_equal(stats(l).objects, 0); /* the old one went, too */
	object_unref(&o);
	/* no life in L1 */
	o = util_object(&k, UTIL_DATA, 0, 5);
	lead(l, &k, 5);
	wait_for(l, &k, 5, 12);
	l1_publish(l, o, 5);
	assert_true(n_woken == 2 && woken[1].with_object);
	assert_int_equal(stats(l).objects, 0);
	object_unref(&o);
	l1_free(&l);
}

static void
flush_drops_everything(void **state)
{
	struct l1 *l = start(MB, 1000);
	struct cache_key k = util_key("a"), k2 = util_key("b");
	struct object *o = util_object(&k2, UTIL_DATA, 0, 10);

	(void)state;
	fill(l, &k, UTIL_DATA, 0, 10, 10, 5);
	lead(l, &k2, 5);
	wait_for(l, &k2, 5, 11);
	l1_flush(l);
	assert_false(has(l, &k, 5));
	assert_int_equal(stats(l).bytes, 0);
	wait_for(l, &k2, 5, 12); /* asked after the flush */
	l1_publish(l, o, 5);
	assert_int_equal(n_woken, 2);
	assert_true(woken[0].with_object);
	assert_false(woken[1].with_object);
	assert_false(has(l, &k2, 5));
	lead(l, &k2, 5);
	l1_publish(l, o, 5);
	assert_true(has(l, &k2, 5));
	object_unref(&o);
	l1_free(&l);
}

/* Until all has been looked at; returns how many went. */
static uint64_t
drop(struct l1 *l, const char *pattern)
{
	struct l1_drop d = { .pattern = slice_str(pattern) };
	unsigned steps = 1;

	while (l1_drop(l, &d))
		steps++;
	assert_true(steps > 1);
	return d.dropped;
}

/* The lock is held for a bounded time, whatever the pattern. */
static void
dropping_goes_by_small_steps(void **state)
{
	struct l1 *l = start(MB, MB / 4); /* one stripe */
	struct l1_drop d = { .pattern = slice_str("*") };
	static char sql[1000][16], name[1000][202], pattern[252];
	uint64_t before = 0;
	struct cache_key k;
	unsigned i, steps;

	(void)state;
	memset(pattern, 'a', sizeof(pattern) - 2);
	pattern[0] = '*';
	pattern[250] = 'b';
	for (i = 0; i < 1000; i++) {
		snprintf(sql[i], sizeof(sql[i]), "%u", i);
		memset(name[i], 'a', sizeof(name[i]) - 1);
		k = util_key(sql[i]);
		k.name = slice_str(name[i]);
		fill(l, &k, UTIL_DATA, 0, 10, 10, 5);
	}
	assert_int_equal(stats(l).objects, 1000);
	d.pattern = slice_str(pattern);
	for (steps = 1; l1_drop(l, &d); steps++)
		;
	assert_int_equal(d.dropped, 0);
	assert_true(steps > 100);
	d = (struct l1_drop){ .pattern = slice_str("*") };
	while (l1_drop(l, &d)) {
		/* No more than can be freed without the lock. */
		assert_true(d.dropped - before <= 32);
		before = d.dropped;
	}
	assert_int_equal(d.dropped, 1000);
	assert_int_equal(stats(l).objects, 0);
	l1_free(&l);
}

static void
objects_are_dropped_by_name(void **state)
{
	struct l1 *l = start(64 * MB, 1000);
	struct cache_key k, busy = util_key("busy"), after = util_key("after");
	static char sql[5000][16], name[5000][16];
	struct object *o, *o2;
	unsigned i;

	(void)state;
	for (i = 0; i < 5000; i++) {
		snprintf(sql[i], sizeof(sql[i]), "%u", i);
		snprintf(name[i], sizeof(name[i]), "m:%u:x", i % 100);
		k = util_key(sql[i]);
		k.name = slice_str(name[i]);
		fill(l, &k, UTIL_DATA, 0, 10, 10, 5);
	}
	busy.name = after.name = SLICE_LIT("m:7:y");
	lead(l, &busy, 5);
	wait_for(l, &busy, 5, 11);
	assert_int_equal(drop(l, "m:7:*"), 50);
	assert_int_equal(drop(l, "m:7:*"), 0);
	for (i = 0; i < 5000; i++) {
		k = util_key(sql[i]);
		assert_int_equal(has(l, &k, 5), i % 100 != 7);
	}
	assert_int_equal(stats(l).objects, 4950);
	/* What was being filled is for those who waited then. */
	lead(l, &after, 5);
	wait_for(l, &busy, 5, 12);
	o = util_object(&busy, UTIL_DATA, 0, 10);
	o2 = util_object(&after, UTIL_DATA, 0, 10);
	assert_false(l1_publish(l, o, 5));
	assert_true(woken[0].with_object);
	assert_false(woken[1].with_object);
	assert_false(has(l, &busy, 5));
	assert_true(l1_publish(l, o2, 5));
	assert_true(has(l, &after, 5));
	object_unref(&o);
	object_unref(&o2);
	l1_free(&l);
}

static void
fills_and_waiters_may_outlive_nothing(void **state)
{
	struct l1 *l = start(MB, 1000);
	struct cache_key k = util_key("a");

	(void)state;
	lead(l, &k, 5);
	wait_for(l, &k, 5, 11);
	l1_free(&l); /* at shutdown: nobody is woken, nothing leaks */
	assert_int_equal(n_woken, 0);
}

/* --- eviction --- */

static void
name(char *buf, size_t n, const char *what, unsigned i)
{
	snprintf(buf, n, "select %s %06u", what, i);
}

/* Read through the cache as a session does. */
static bool
read_through(struct l1 *l, const char *what, unsigned i, size_t size)
{
	static char data[8192];
	char sql[64];
	struct cache_key k;

	name(sql, sizeof(sql), what, i);
	k = util_key(sql);
	if (has(l, &k, 5))
		return true;
	fill(l, &k, slice_make(data, size), 0, 10, 10, 5);
	return false;
}

static void
accounts_are_exact(void **state)
{
	struct l1 *l = start(4 * MB, 1000);
	struct cache_key k;
	size_t want = 0, one = 0;
	char sql[64];
	unsigned i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		struct object *o;

		read_through(l, "exact", i, i % 900);
		name(sql, sizeof(sql), "exact", i);
		k = util_key(sql);
		o = l1_get(l, &k, 5);
		assert_non_null(o);
		one = l1_cost(o);
		assert_int_equal(one, sizeof(*o) + k.sql.n + k.types.n +
		    k.bind.n + UTIL_DESC.n + i % 900 + L1_OVERHEAD);
		want += one;
		object_unref(&o);
	}
	assert_int_equal(stats(l).objects, 1000);
	assert_int_equal(stats(l).bytes, want);
	/* Replacing and expiring keep the account. */
	lead(l, &k, 10);
	l1_abandon(l, &k);
	assert_int_equal(stats(l).bytes, want - one);
	assert_int_equal(stats(l).objects, 999);
	l1_flush(l);
	assert_int_equal(stats(l).bytes, 0);
	assert_int_equal(stats(l).objects, 0);
	l1_free(&l);
}

static void
the_budget_holds(void **state)
{
	struct l1 *l = start(MB, 8192);
	struct l1_stats st;
	unsigned i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		read_through(l, "budget", i, (i * 37) % 8000);
		if (i % 100 == 0)
			assert_true(stats(l).bytes <= MB);
	}
	st = stats(l);
	assert_int_equal(st.inserts, 20000);
	assert_int_equal(st.evictions + st.objects, st.inserts);
	assert_true(st.bytes > MB * 8 / 10);
	l1_set_limits(l, MB / 4, 8192);
	assert_true(stats(l).bytes <= MB / 4);
	assert_true(stats(l).objects > 0);
	l1_set_limits(l, 0, 8192);
	assert_int_equal(stats(l).bytes, 0);
	read_through(l, "budget", 1, 1);
	assert_int_equal(stats(l).objects, 0);
	l1_free(&l);
}

static void
a_scan_leaves_the_working_set(void **state)
{
	struct l1 *l = start(4 * MB, MB / 16);
	unsigned round, i, hits = 0;

	(void)state;
	/* 400 x about 4.5 KB: under half of the budget, used again */
	for (round = 0; round < 3; round++)
		for (i = 0; i < 400; i++)
			read_through(l, "hot", i, 4096);
	/* Ten budgets' worth of what nobody asks for twice, the working set
	 * in use meanwhile. */
	for (i = 0; i < 10000; i++) {
		read_through(l, "scan", i, 4096);
		if (i % 4 == 0)
			hits += read_through(l, "hot", (i / 4) % 400, 4096);
	}
	assert_true(hits > 2500 * 97 / 100);
	l1_free(&l);
}

static void
evicted_keys_come_back_to_main(void **state)
{
	struct l1_fifo f;
	struct l1_entry e[64], *v;
	char sql[64][16];
	size_t one = 0;
	unsigned i;

	(void)state;
	for (i = 0; i < 64; i++) {
		struct cache_key k;

		snprintf(sql[i], sizeof(sql[i]), "fifo %02u", i);
		k = util_key(sql[i]);
		e[i] = (struct l1_entry){ .obj = util_object(&k, UTIL_DATA, 0,
		    10) };
		one = l1_cost(e[i].obj);
	}
	l1_fifo_init(&f, 20 * one);
	for (i = 0; i < 20; i++)
		l1_fifo_add(&f, &e[i], i < 10);
	assert_int_equal(f.objects[L1_MAIN], 10);
	assert_int_equal(f.objects[L1_SMALL], 10);
	e[10].freq = 1;
	v = l1_fifo_victim(&f, 5); /* the oldest new one, not the used one */
	assert_ptr_equal(v, &e[11]);
	assert_int_equal(e[10].queue, L1_MAIN);
	l1_fifo_add(&f, v, false);
	assert_int_equal(v->queue, L1_MAIN); /* the ghost knew it */
	l1_fifo_add(&f, &e[20], false);
	assert_int_equal(e[20].queue, L1_SMALL);
	/* Small drains to its tenth, then the oldest of main goes: not those
	 * with hits, not before the dead. */
	for (i = 0; i < 8; i++)
		assert_int_equal(l1_fifo_victim(&f, 5)->queue, L1_SMALL);
	e[0].freq = 1;
	assert_ptr_equal(l1_fifo_victim(&f, 5), &e[1]);
	assert_int_equal(e[0].freq, 0);
	e[2].freq = 3;
	e[2].obj->grace_until = 4;
	assert_ptr_equal(l1_fifo_victim(&f, 5), &e[2]);
	while (l1_fifo_victim(&f, 5) != NULL)
		continue;
	assert_int_equal(l1_fifo_bytes(&f), 0);
	l1_fifo_fini(&f);
	for (i = 0; i < 64; i++)
		object_unref(&e[i].obj);
}

/* --- threads ---
 *
 * Every key is a register: `version` is what the database holds, each object
 * carries the version its query read, every key has its own tag.  A writer
 * raises the version, bumps the tag, then raises `promised`: no read that
 * starts later may see less than that. */

#define KEYS 24
#define THREADS 4
#define SESSIONS 16 /* a thread */
#define STEPS 40000

static struct {
	struct l1 *l;
	char sql[KEYS][16];
	struct cache_key key[KEYS];
	tag_t tag[KEYS];
	_Atomic uint64_t version[KEYS], promised[KEYS];
	atomic_uint leaders[KEYS];
	atomic_uint waits, wakes, forgotten, hits, flushes;
	/* 0: does not wait; 1: waits; the wake makes it 0 */
	atomic_uint waiting[THREADS][SESSIONS];
} w;

static void
stress_seen(unsigned k, struct object *o, uint64_t floor)
{
	uint64_t v;

	assert_true(cache_key_eq(&o->key, &w.key[k]));
	memcpy(&v, o->frames.p + o->desc_len, sizeof(v));
	if (v < floor)
		check_panic(__FILE__, __LINE__, __func__, "stale object");
}

static void
stress_wake(void *arg, struct l1_waiter who, struct object *o)
{
	(void)arg;
	if (atomic_exchange(&w.waiting[who.worker][who.session], 0) != 1)
		check_panic(__FILE__, __LINE__, __func__, "woken twice");
	atomic_fetch_add(&w.wakes, 1);
	object_unref(&o);
}

static void
stress_fill(unsigned k, unsigned dice, nsec_t now)
{
	struct tagset tags;
	struct object *o;
	uint64_t v;

	if (atomic_fetch_add(&w.leaders[k], 1) != 0)
		check_panic(__FILE__, __LINE__, __func__, "two leaders");
	tagset_init(&tags);
	tagset_add(&tags, w.tag[k]);
	tagset_record(&tags);
	v = atomic_load(&w.version[k]); /* the query */
	if (dice % 3 == 0)
		sched_yield();
	atomic_fetch_sub(&w.leaders[k], 1);
	if (dice % 16 == 0) {
		l1_abandon(w.l, &w.key[k]);
		return;
	}
	o = object_new(&w.key[k], UTIL_DESC, slice_make(&v, sizeof(v)), &tags);
	o->l1_until = now + 20;
	o->grace_until = now + 40;
	l1_publish(w.l, o, now);
	object_unref(&o);
}

static void
stress_write(unsigned k)
{
	uint64_t v = atomic_fetch_add(&w.version[k], 1) + 1, old;

	tag_bump(w.tag[k]);
	old = atomic_load(&w.promised[k]);
	while (old < v &&
	    !atomic_compare_exchange_weak(&w.promised[k], &old, v))
		continue;
}

static void
stress_read(unsigned me, unsigned k, unsigned dice, nsec_t now)
{
	struct l1_waiter who = { .worker = me,
		.session = dice / 64 % SESSIONS };
	uint64_t floor = atomic_load(&w.promised[k]);
	atomic_uint *waiting = &w.waiting[me][who.session];
	struct object *o = l1_get(w.l, &w.key[k], now);

	if (o != NULL) {
		stress_seen(k, o, floor);
		object_unref(&o);
		atomic_fetch_add(&w.hits, 1);
		return;
	}
	if (atomic_load(waiting) != 0)
		return; /* that session is busy */
	atomic_store(waiting, 1);
	switch (l1_claim(w.l, &w.key[k], now, who, &o)) {
	case L1_HIT:
		atomic_store(waiting, 0);
		stress_seen(k, o, floor);
		object_unref(&o);
		break;
	case L1_LEAD:
		atomic_store(waiting, 0);
		stress_fill(k, dice, now);
		break;
	case L1_PASS:
	case L1_RENEW:
		fail_msg("nothing was refused, nor is to be renewed");
		break;
	case L1_WAIT:
		atomic_fetch_add(&w.waits, 1);
		if (dice % 4 == 0 && l1_forget(w.l, &w.key[k], who)) {
			if (atomic_exchange(waiting, 0) != 1)
				check_panic(__FILE__, __LINE__, __func__,
				    "forgotten and woken");
			atomic_fetch_add(&w.forgotten, 1);
		}
		break;
	case L1_ALONE:
		WRONG("alone");
	}
}

static void *
stress_thread(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg, i;
	uint64_t seed = me * 77777 + 1;

	for (i = 0; i < STEPS; i++) {
		unsigned dice, k;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		dice = (unsigned)(seed >> 33);
		k = (dice >> 8) % KEYS;
		if (dice % 1009 == 0) {
			l1_flush(w.l);
			atomic_fetch_add(&w.flushes, 1);
		} else if (dice % 31 == 0) {
			stress_write(k);
		} else {
			stress_read(me, k, dice >> 5, i / 8);
		}
	}
	return NULL;
}

static void
threads_keep_all_promises(void **state)
{
	pthread_t t[THREADS];
	unsigned i, rounds = 0;

	(void)state;
	/* One small stripe that also evicts. */
	w.l = l1_new(12 * (sizeof(struct object) + L1_OVERHEAD + 64), 4000,
	    stress_wake, NULL);
	for (i = 0; i < KEYS; i++) {
		snprintf(w.sql[i], sizeof(w.sql[i]), "register %u", i);
		w.key[i] = util_key(w.sql[i]);
		w.tag[i] = 100 + i;
	}
	/* Threads that hardly meet on a busy machine go once more. */
	do {
		for (i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&t[i], NULL,
			    stress_thread, (void *)(uintptr_t)i), 0);
		for (i = 0; i < THREADS; i++)
			pthread_join(t[i], NULL);
	} while (++rounds < 20 && (atomic_load(&w.waits) == 0 ||
	    stats(w.l).evictions == 0 || stats(w.l).stale == 0 ||
	    stats(w.l).expired == 0));
	assert_int_equal(atomic_load(&w.waits),
	    atomic_load(&w.wakes) + atomic_load(&w.forgotten));
	for (i = 0; i < THREADS * SESSIONS; i++)
		assert_int_equal(atomic_load(
		    &w.waiting[i / SESSIONS][i % SESSIONS]), 0);
	assert_int_equal(stats(w.l).busy, 0);
	assert_true(atomic_load(&w.hits) > STEPS / 20);
	assert_true(atomic_load(&w.waits) > 0);
	assert_true(stats(w.l).evictions > 0 && stats(w.l).stale > 0 &&
	    stats(w.l).expired > 0);
	l1_free(&w.l);
}

/* What has been here is remembered by its age, however it went. */
static void
test_younger_objects_are_remembered(void **arg)
{
	struct l1 *l = start(1 << 20, 1 << 12);
	struct cache_key k = util_key("a"), other = util_key("b");
	struct object *o = util_object(&k, SLICE_LIT("x"), 1, 10);

	(void)arg;
	o->fetched_wall = 500;
	lead(l, &k, 1);
	l1_publish(l, o, 1);
	assert_false(l1_had_younger(l, &k, 400));
	assert_null(l1_get(l, &k, 11));
	assert_true(l1_had_younger(l, &k, 499));
	assert_false(l1_had_younger(l, &k, 500));
	assert_false(l1_had_younger(l, &other, 1));
	l1_answered(l, &other, 7, 70);
	l1_answered(l, &other, 5, 50);
	assert_true(l1_had_younger(l, &other, 6));
	assert_false(l1_had_younger(l, &other, 7));
	object_unref(&o);
	l1_free(&l);
}

/* --- tenants --- */

static void
put_for(struct l1 *l, uint32_t tenant, unsigned n, char *sql)
{
	struct cache_key k;
	struct object *o;

	snprintf(sql, 32, "select %u of %u", n, tenant);
	k = util_key(sql);
	o = util_object(&k, UTIL_DATA, 0, 1000);
	o->tenant = tenant;
	lead(l, &k, 5);
	l1_publish(l, o, 5);
	object_unref(&o);
}

static bool
has_of(struct l1 *l, uint32_t tenant, unsigned n)
{
	struct cache_key k;
	struct object *o;
	char sql[32];

	snprintf(sql, sizeof(sql), "select %u of %u", n, tenant);
	k = util_key(sql);
	o = l1_get(l, &k, 6);
	if (o == NULL)
		return false;
	object_unref(&o);
	return true;
}

/* max_object makes it one stripe. */
static void
a_tenant_has_its_share(void **state PG_UNUSED)
{
	struct l1 *l = start(MB, MB / 4);
	struct l1_stats st;
	char sql[32];
	unsigned i, left = 0;

	l1_set_tenant_share(l, 20);
	for (i = 0; i < 100; i++)
		put_for(l, 2, i, sql);
	for (i = 0; i < 20000; i++) {
		put_for(l, 1, i, sql);
		/* Used again and again, it outlives its elders. */
		assert_true(has_of(l, 1, 0));
	}
	for (i = 0; i < 100; i++)
		assert_true(has_of(l, 2, i));
	for (i = 0; i < 20000; i++)
		left += has_of(l, 1, i);
	assert_true(has_of(l, 1, 19999));
	l1_stats(l, &st);
	assert_int_equal(st.evictions, 0);
	assert_int_equal(st.tenant_evictions, 20000 - left);
	assert_int_equal(st.objects, 100 + left);
	/* 100 others and 20 percent. */
	assert_in_range(st.bytes / (100 + left) * left, MB / 5 * 9 / 10,
	    MB / 5);
	/* An account of its own is as good as any. */
	put_for(l, 1 + L1_ACCOUNTS, 1, sql);
	l1_stats(l, &st);
	assert_true(st.tenant_evictions > 20000 - left);
	l1_free(&l);
}

static void
a_share_is_optional(void **state PG_UNUSED)
{
	struct l1 *l = start(MB, MB / 4);
	struct l1_stats st;
	char sql[32];
	unsigned i;

	for (i = 0; i < 20000; i++)
		put_for(l, 1, i, sql);
	l1_stats(l, &st);
	assert_int_equal(st.tenant_evictions, 0);
	assert_true(st.bytes > MB * 9 / 10);
	/* From then on, by and by. */
	l1_set_tenant_share(l, 10);
	put_for(l, 1, 20001, sql);
	l1_stats(l, &st);
	assert_true(st.bytes <= MB / 10 + 1000);
	l1_set_limits(l, 10 * MB, MB / 4);
	l1_flush(l);
	l1_stats(l, &st);
	assert_int_equal(st.bytes, 0);
	l1_free(&l);
}

/* A fill that began before somebody was answered past it comes to nothing, and
 * what is here is not served behind it. */
static void
test_what_was_outrun_is_not_served(void **arg)
{
	struct l1 *l = start(1 << 20, 1 << 12);
	struct cache_key k = util_key("a");
	struct object *o = util_object(&k, SLICE_LIT("x"), 1, 100), *got;
	unsigned i;

	(void)arg;
	o->fetched_mono = 10;
	for (i = 0; i < 2; i++) {
		lead(l, &k, 12);
		if (i == 0)
			l1_answered(l, &k, 0, 11);
		else
			o->fetched_mono = 11;
		l1_publish(l, o, 13);
		got = l1_get(l, &k, 14);
		assert_int_equal(got != NULL, i == 1);
		object_unref(&got);
	}
	l1_answered(l, &k, 0, 15);
	assert_null(l1_get(l, &k, 16));
	object_unref(&o);
	l1_free(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_younger_objects_are_remembered),
		cmocka_unit_test(test_what_was_outrun_is_not_served),
		cmocka_unit_test(fresh_objects_are_served),
		cmocka_unit_test(expired_objects_are_dropped),
		cmocka_unit_test(stale_objects_are_dropped),
		cmocka_unit_test(grace_is_served_during_a_fill_only),
		cmocka_unit_test(what_is_left_is_told),
		cmocka_unit_test(one_leads_and_the_others_wait),
		cmocka_unit_test(abandoned_fills_wake_with_nothing),
		cmocka_unit_test(forgotten_waiters_are_not_woken),
		cmocka_unit_test(waiters_are_bounded),
		cmocka_unit_test(hot_objects_are_renewed_by_one),
		cmocka_unit_test(stale_objects_are_for_outages),
		cmocka_unit_test(unfit_keys_are_passed_for_a_while),
		cmocka_unit_test(what_happens_once_does_not_count),
		cmocka_unit_test(overtaken_fills_are_dead_on_arrival),
		cmocka_unit_test(what_is_not_stored_still_wakes),
		cmocka_unit_test(flush_drops_everything),
		cmocka_unit_test(dropping_goes_by_small_steps),
		cmocka_unit_test(objects_are_dropped_by_name),
		cmocka_unit_test(fills_and_waiters_may_outlive_nothing),
		cmocka_unit_test(accounts_are_exact),
		cmocka_unit_test(the_budget_holds),
		cmocka_unit_test(a_scan_leaves_the_working_set),
		cmocka_unit_test(evicted_keys_come_back_to_main),
		cmocka_unit_test(a_tenant_has_its_share),
		cmocka_unit_test(a_share_is_optional),
		cmocka_unit_test(threads_keep_all_promises),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
