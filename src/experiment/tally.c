/* SPDX-License-Identifier: PostgreSQL
 *
 * Tallies.  Pure but for memory.
 */
#include "experiment/tally.h"

#include <math.h>
#include <sched.h>
#include <stdlib.h>

struct tally *
tally_new(void)
{
	return x_calloc(1, sizeof(struct tally));
}

void
tally_free(struct tally **t)
{
	free(*t);
	*t = NULL;
}

unsigned
tally_bucket_of(nsec_t v)
{
	unsigned power;

	if (v >> TALLY_FIRST == 0)
		return 0;
	power = 63 - (unsigned)__builtin_clzll(v);
	if (power >= TALLY_FIRST + TALLY_POWERS)
		return TALLY_BUCKETS - 1;
	return 1 + (power - TALLY_FIRST) * TALLY_SUB +
	    (unsigned)(v >> (power - 5)) % TALLY_SUB;
}

nsec_t
tally_bucket_upper(unsigned b)
{
	unsigned power = TALLY_FIRST + (b - 1) / TALLY_SUB;

	if (b == 0)
		return (UINT64_C(1) << TALLY_FIRST) - 1;
	return ((TALLY_SUB + (b - 1) % TALLY_SUB + UINT64_C(1)) <<
	    (power - 5)) - 1;
}

/* Single writer: a plain load and store, no locked instruction.  Who sees what
 * was stored sees the version that was stored before, too. */
#define TALLY_ADD(at, more) \
	atomic_store_explicit(at, atomic_load_explicit(at, \
	    memory_order_relaxed) + (more), memory_order_release)

/* A bucket that is full stays so. */
static uint32_t
tally_sum(uint32_t a, uint32_t b)
{
	return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

/* Of bucket 0, and of each power of two. */
#define TALLY_PARTS (TALLY_POWERS + 1)
#define TALLY_PART(b) (((b) + TALLY_SUB - 1) / TALLY_SUB)
#define TALLY_PART_FIRST(part) ((part) == 0 ? 0 : ((part) - 1) * TALLY_SUB + 1)
#define TALLY_PART_END(part) ((part) * TALLY_SUB + 1)

static void
tally_bucket_add(struct tally *t, unsigned g, unsigned b, uint32_t n)
{
	_Atomic uint32_t *at = &t->bucket[g][b];
	uint32_t used = atomic_load_explicit(&t->used[g],
	    memory_order_relaxed), bit = UINT32_C(1) << TALLY_PART(b);

	if (unlikely((used & bit) == 0))
		atomic_store_explicit(&t->used[g], used | bit,
		    memory_order_release);
	atomic_store_explicit(at, tally_sum(atomic_load_explicit(at,
	    memory_order_relaxed), n), memory_order_release);
}

void
tally_add(struct tally *t, unsigned group, nsec_t took, bool failed)
{
	CHECK(group < GROUPS);
	if (failed) {
		TALLY_ADD(&t->failed[group], 1);
		return;
	}
	TALLY_ADD(&t->sum, took);
	TALLY_ADD(&t->version[group], 1);
	TALLY_ADD(&t->n[group], 1);
	TALLY_ADD(&t->log_sum[group], log((double)(took > 0 ? took : 1)));
	tally_bucket_add(t, group, tally_bucket_of(took), 1);
	TALLY_ADD(&t->version[group], 1);
}

static void
tally_put_group(struct tally *t, unsigned g, const struct tally_view *v)
{
	unsigned b;

	TALLY_ADD(&t->version[g], 1);
	TALLY_ADD(&t->n[g], v->n[g]);
	TALLY_ADD(&t->log_sum[g], v->log_sum[g]);
	for (b = 0; b < TALLY_BUCKETS; b++)
		if (v->bucket[g][b] > 0)
			tally_bucket_add(t, g, b, v->bucket[g][b]);
	TALLY_ADD(&t->version[g], 1);
}

void
tally_put(struct tally *t, const struct tally_view *v)
{
	unsigned g;

	TALLY_ADD(&t->sum, v->sum);
	for (g = 0; g < GROUPS; g++) {
		TALLY_ADD(&t->failed[g], v->failed[g]);
		if (v->n[g] > 0)
			tally_put_group(t, g, v);
	}
}

struct tally_group {
	uint64_t n;
	double log_sum;
	uint32_t used;
	uint32_t bucket[TALLY_BUCKETS]; /* in parts that are used */
};

static void
tally_read_part(const struct tally *t, unsigned g, unsigned part,
    struct tally_group *out)
{
	unsigned b;

	for (b = TALLY_PART_FIRST(part); b < TALLY_PART_END(part); b++)
		out->bucket[b] = atomic_load_explicit(&t->bucket[g][b],
		    memory_order_acquire);
}

static void
tally_read_group(const struct tally *t, unsigned g, struct tally_group *out)
{
	uint32_t before, after;
	unsigned part, tries = 0;

	do {
		/* The writer may have been put to sleep in the middle. */
		if (++tries > 100)
			sched_yield();
		before = atomic_load_explicit(&t->version[g],
		    memory_order_acquire);
		out->n = atomic_load_explicit(&t->n[g], memory_order_acquire);
		out->log_sum = atomic_load_explicit(&t->log_sum[g],
		    memory_order_acquire);
		out->used = atomic_load_explicit(&t->used[g],
		    memory_order_acquire);
		for (part = 0; part < TALLY_PARTS; part++)
			if (out->used & UINT32_C(1) << part)
				tally_read_part(t, g, part, out);
		after = atomic_load_explicit(&t->version[g],
		    memory_order_relaxed);
	} while (before != after || before % 2 != 0);
}

static void
tally_merge_group(struct tally_view *into, const struct tally *t, unsigned g)
{
	struct tally_group one;
	unsigned part, b;

	tally_read_group(t, g, &one);
	into->n[g] += one.n;
	into->log_sum[g] += one.log_sum;
	for (part = 0; part < TALLY_PARTS; part++)
		if (one.used & UINT32_C(1) << part)
			for (b = TALLY_PART_FIRST(part);
			    b < TALLY_PART_END(part); b++)
				into->bucket[g][b] = tally_sum(
				    into->bucket[g][b], one.bucket[b]);
}

void
tally_merge(struct tally_view *into, const struct tally *t)
{
	unsigned g;

	into->sum += atomic_load_explicit(&t->sum, memory_order_relaxed);
	for (g = 0; g < GROUPS; g++) {
		into->failed[g] += atomic_load_explicit(&t->failed[g],
		    memory_order_relaxed);
		if (atomic_load_explicit(&t->version[g],
		    memory_order_relaxed) > 0)
			tally_merge_group(into, t, g);
	}
}

void
tally_view_add(struct tally_view *into, const struct tally_view *v)
{
	unsigned g, b;

	into->sum += v->sum;
	for (g = 0; g < GROUPS; g++) {
		into->n[g] += v->n[g];
		into->failed[g] += v->failed[g];
		into->log_sum[g] += v->log_sum[g];
		for (b = 0; b < TALLY_BUCKETS; b++)
			into->bucket[g][b] = tally_sum(into->bucket[g][b],
			    v->bucket[g][b]);
	}
}

uint64_t
tally_count(const struct tally_view *v)
{
	uint64_t n = 0;
	unsigned g;

	for (g = 0; g < GROUPS; g++)
		n += v->n[g];
	return n;
}

uint64_t
tally_failures(const struct tally_view *v)
{
	uint64_t n = 0;
	unsigned g;

	for (g = 0; g < GROUPS; g++)
		n += v->failed[g];
	return n;
}

void
tally_groups(const struct tally_view *v, struct groups *logs,
    struct groups *failures)
{
	unsigned g;

	for (g = 0; g < GROUPS; g++) {
		logs->n[g] = v->n[g];
		logs->sum[g] = v->log_sum[g];
		failures->n[g] = v->n[g] + v->failed[g];
		failures->sum[g] = (double)v->failed[g];
	}
}
