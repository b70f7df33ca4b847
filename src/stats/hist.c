/* SPDX-License-Identifier: PostgreSQL
 *
 * Log-linear latency histogram.
 *
 * Values are counted in units of 128 ns.  The first row holds the eight
 * values under one microsecond (1,024 ns, so that no division is needed);
 * row r > 0 splits [2^(r-1), 2^r) microseconds in eight.  What is longer than
 * the last row counts in the last bucket.  One writer, any readers; a reader
 * that runs beside the writer may miss the newest values, never more.
 */
#include "base/check.h"
#include "stats/hist.h"

#define HIST_UNIT_BITS 7

unsigned
hist_bucket_of(nsec_t v)
{
	uint64_t u = v >> HIST_UNIT_BITS;
	unsigned msb, b;

	if (u < HIST_SUB)
		return (unsigned)u;
	msb = 63 - (unsigned)__builtin_clzll(u);
	b = (msb - 2) * HIST_SUB + ((unsigned)(u >> (msb - 3)) & 7);
	return b < HIST_BUCKETS ? b : HIST_BUCKETS - 1;
}

/* Exclusive upper bound, and so the lower bound of the bucket after. */
static nsec_t
hist_bucket_end(unsigned b)
{
	unsigned row = b / HIST_SUB, sub = b % HIST_SUB;
	nsec_t units;

	if (row == 0)
		units = sub + 1;
	else
		units = (nsec_t)(HIST_SUB + sub + 1) << (row - 1);
	return units << HIST_UNIT_BITS;
}

nsec_t
hist_bucket_upper(unsigned b)
{
	CHECK(b < HIST_BUCKETS);
	return hist_bucket_end(b) - 1;
}

static void
hist_add(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(c,
	    atomic_load_explicit(c, memory_order_relaxed) + n,
	    memory_order_relaxed);
}

void
hist_record(struct hist *h, nsec_t v)
{
	hist_add(&h->bucket[hist_bucket_of(v)], 1);
	hist_add(&h->sum, v);
	hist_add(&h->count, 1);
}

/* The view's count is made from the buckets, not from h->count: whoever
 * prints cumulative buckets needs the two to agree. */
void
hist_merge(struct hist_view *into, const struct hist *h)
{
	uint64_t n;
	unsigned b;

	for (b = 0; b < HIST_BUCKETS; b++) {
		n = atomic_load_explicit(&h->bucket[b], memory_order_relaxed);
		into->bucket[b] += n;
		into->count += n;
	}
	into->sum += atomic_load_explicit(&h->sum, memory_order_relaxed);
}

nsec_t
hist_quantile(const struct hist_view *v, double q)
{
	double rank, below = 0, part;
	nsec_t from = 0, to = 0;
	unsigned b;

	if (v->count == 0)
		return 0;
	if (!(q > 0))
		q = 0;
	if (q > 1)
		q = 1;
	rank = q * (double)v->count;
	for (b = 0; b < HIST_BUCKETS; b++) {
		if (v->bucket[b] == 0)
			continue;
		from = b == 0 ? 0 : hist_bucket_end(b - 1);
		to = hist_bucket_upper(b);
		if (below + (double)v->bucket[b] >= rank)
			break;
		below += (double)v->bucket[b];
	}
	if (b == HIST_BUCKETS)
		return to;
	part = (rank - below) / (double)v->bucket[b];
	return from + (nsec_t)(part * (double)(to - from));
}

uint64_t
hist_count_le(const struct hist_view *v, nsec_t bound)
{
	uint64_t n = 0;
	unsigned b;

	for (b = 0; b < HIST_BUCKETS && hist_bucket_upper(b) <= bound; b++)
		n += v->bucket[b];
	return n;
}
