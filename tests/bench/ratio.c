/* SPDX-License-Identifier: PostgreSQL
 *
 * How often L1 finds what it is asked for, beside an exact LRU of as many bytes;
 * and what an object takes in memory beside what it is charged with.
 *
 *	ratio [REQUESTS]
 *
 * L1 is the daemon's own, stripes, accounts and all; the LRU charges an object
 * the same bytes and has no stripes.  Traces are drawn with fixed seeds: Zipf, Zipf
 * with scans in between, and Zipf whose popular keys change.  Exit status 1 if
 * L1 finds less than the LRU on any of them, by more than a thousandth.
 */
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/check.h"
#include "cache/l1_priv.h"

#define KEYS 200000u
#define SCAN_FROM 1000000000u
#define MAX_OBJECT 16384
#define FOREVER (3600 * NSEC_PER_SEC)

/* --- chance ------------------------------------------------------------------ */

static uint64_t dice_state;

static uint64_t
dice(void)
{
	dice_state ^= dice_state << 13;
	dice_state ^= dice_state >> 7;
	dice_state ^= dice_state << 17;
	return dice_state * 0x2545f4914f6cdd1dull;
}

static double zipf_sums[KEYS];

static void
zipf_init(double alpha)
{
	double sum = 0;
	unsigned i;

	for (i = 0; i < KEYS; i++)
		zipf_sums[i] = sum += pow(i + 1, -alpha);
	for (i = 0; i < KEYS; i++)
		zipf_sums[i] /= sum;
}

/* A rank, 0 the most popular. */
static unsigned
zipf(void)
{
	double at = (double)(dice() >> 11) * 0x1p-53;
	unsigned lo = 0, hi = KEYS - 1;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (zipf_sums[mid] < at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* --- traces ------------------------------------------------------------------ */

enum trace { ZIPF, SCANS, SHIFTS, TRACES };
static const char *const trace_names[] = { "zipf", "scans", "shifts" };

/* Request number n of a trace. */
static unsigned
trace_key(enum trace t, unsigned n)
{
	static unsigned scan;

	switch (t) {
	case SCANS: /* one in three is of a scan, 5,000 at once */
		if (n / 5000 % 3 == 2)
			return SCAN_FROM + scan++;
		return zipf();
	case SHIFTS: /* the popular ones are others, by and by */
		return (zipf() + n / 200) % KEYS;
	default:
		return zipf();
	}
}

/* Bytes of a key's result: 100 to 10,000, most of them small. */
static size_t
key_size(unsigned key, bool mixed)
{
	uint64_t h = (key + 1) * 0x9e3779b97f4a7c15ull >> 40;

	if (!mixed)
		return 300;
	return 100 + (h % 64 == 0 ? h % 10000 : h % 8 == 0 ? h % 2000 :
	    h % 400);
}

/* --- an exact LRU ------------------------------------------------------------ */

struct lru_node {
	struct htab_node node;
	TAILQ_ENTRY(lru_node) link;
	unsigned key;
	size_t cost;
};

static struct {
	struct htab table;
	TAILQ_HEAD(lru_list, lru_node) list;
	size_t bytes, budget;
} lru;

static void
lru_drop(struct lru_node *n)
{
	TAILQ_REMOVE(&lru.list, n, link);
	htab_remove(&lru.table, &n->node);
	lru.bytes -= n->cost;
	free(n);
}

static void
lru_start(size_t budget)
{
	htab_init(&lru.table);
	TAILQ_INIT(&lru.list);
	lru.bytes = 0;
	lru.budget = budget;
}

static void
lru_stop(void)
{
	while (!TAILQ_EMPTY(&lru.list))
		lru_drop(TAILQ_FIRST(&lru.list));
	htab_fini(&lru.table);
}

static bool
lru_request(unsigned key, size_t cost)
{
	uint64_t hash = (key + 1) * 0x9e3779b97f4a7c15ull;
	struct htab_node *at;
	struct lru_node *n;

	for (at = htab_find(&lru.table, hash); at != NULL; at = htab_next(at)) {
		n = htab_entry(at, struct lru_node, node);
		if (n->key != key)
			continue;
		TAILQ_REMOVE(&lru.list, n, link);
		TAILQ_INSERT_HEAD(&lru.list, n, link);
		return true;
	}
	while (lru.bytes + cost > lru.budget && !TAILQ_EMPTY(&lru.list))
		lru_drop(TAILQ_LAST(&lru.list, lru_list));
	n = x_calloc(1, sizeof(*n));
	n->key = key;
	n->cost = cost;
	htab_insert(&lru.table, &n->node, hash);
	TAILQ_INSERT_HEAD(&lru.list, n, link);
	lru.bytes += cost;
	return false;
}

/* --- L1 ------------------------------------------------------------------------ */

static struct cache_key
make_key(unsigned key, char *sql, size_t size)
{
	struct cache_key k = { .scope = 1, .form = KEY_SIMPLE };

	snprintf(sql, size, "SELECT * FROM item WHERE id = %u", key);
	k.sql = slice_str(sql);
	cache_key_hash(&k, NULL);
	return k;
}

static struct object *
make_object(const struct cache_key *k, size_t size)
{
	static const char bytes[MAX_OBJECT];
	struct tagset tags;
	struct object *o;

	tagset_init(&tags);
	tagset_record(&tags);
	o = object_new(k, slice_make(bytes, 0), slice_make(bytes, size), &tags);
	CHECK(o != NULL);
	o->ttl = o->l1_until = o->grace_until = FOREVER;
	return o;
}

/* *cost: what the object is charged with, if it was not found. */
static bool
l1_request(struct l1 *l, unsigned key, size_t size, size_t *cost)
{
	char sql[64];
	struct cache_key k = make_key(key, sql, sizeof(sql));
	struct l1_waiter w = { .session = 1 };
	struct object *o = l1_get(l, &k, 1);
	enum l1_claim claim;

	if (o != NULL) {
		*cost = l1_cost(o);
		object_unref(&o);
		return true;
	}
	claim = l1_claim(l, &k, 1, w, &o);
	CHECK(claim == L1_LEAD);
	o = make_object(&k, size);
	*cost = l1_cost(o);
	l1_publish(l, o, 1);
	object_unref(&o);
	return false;
}

static void
no_wake(void *arg PG_UNUSED, struct l1_waiter w PG_UNUSED, struct object *o)
{
	object_unref(&o);
}

/* --- what is compared ------------------------------------------------------------ */

static bool
compare(enum trace t, double alpha, size_t budget, bool mixed,
    unsigned requests)
{
	struct l1 *l = l1_new(budget, MAX_OBJECT, no_wake, NULL);
	unsigned hits_l1 = 0, hits_lru = 0, n;
	double ours, theirs;

	dice_state = 20261130;
	zipf_init(alpha);
	lru_start(budget);
	for (n = 0; n < requests; n++) {
		unsigned key = trace_key(t, n);
		size_t cost;

		hits_l1 += l1_request(l, key, key_size(key, mixed), &cost);
		hits_lru += lru_request(key, cost);
	}
	ours = 100.0 * hits_l1 / requests;
	theirs = 100.0 * hits_lru / requests;
	printf("%-7s %5.1f %6zu kB  %-6s %7.2f %7.2f %+7.2f%s\n",
	    trace_names[t], alpha, budget / 1024, mixed ? "mixed" : "equal",
	    ours, theirs, ours - theirs, ours < theirs - 0.1 ? "  less" : "");
	lru_stop();
	l1_free(&l);
	return ours >= theirs - 0.1;
}

/* All of the process's memory that objects of this size take. */
static void
weigh(size_t size)
{
	const unsigned n = 100000;
	struct l1 *l = l1_new((size_t)4 << 30, MAX_OBJECT, no_wake, NULL);
	size_t before = mallinfo2().uordblks + mallinfo2().hblkhd, real;
	struct l1_stats st;
	unsigned i;

	for (i = 0; i < n; i++) {
		size_t cost;

		CHECK(!l1_request(l, i, size, &cost));
	}
	l1_stats(l, &st);
	CHECK(st.objects == n);
	real = mallinfo2().uordblks + mallinfo2().hblkhd - before;
	printf("%6zu %9.1f %9.1f %9.1f %8.3f\n", size, (double)real / n -
	    (double)size, (double)st.bytes / n, (double)real / n,
	    (double)st.bytes / (double)real);
	l1_free(&l);
}

int
main(int argc, char **argv)
{
	static const double alphas[] = { 0.7, 1.0, 1.2 };
	static const size_t budgets[] = { 1 << 20, 8 << 20, 32 << 20 };
	unsigned requests = argc > 1 ? (unsigned)atoi(argv[1]) : 1000000;
	bool good = true;
	unsigned t, a, b, mixed;

	hash_init();
	printf("hits in percent of %u requests, %u keys\n\n", requests, KEYS);
	printf("%-7s %5s %9s  %-6s %7s %7s\n", "trace", "alpha", "budget",
	    "sizes", "L1", "LRU");
	for (t = 0; t < TRACES; t++)
		for (a = 0; a < ARRAY_SIZE(alphas); a++)
			for (b = 0; b < ARRAY_SIZE(budgets); b++)
				for (mixed = 0; mixed < 2; mixed++)
					good &= compare((enum trace)t,
					    alphas[a], budgets[b], mixed,
					    requests);
	printf("\nbytes for each object in L1\n\n%6s %9s %9s %9s %8s\n",
	    "result", "overhead", "charged", "real", "charged");
	for (b = 100; b <= 10000; b *= 10)
		weigh(b);
	return good ? 0 : 1;
}
