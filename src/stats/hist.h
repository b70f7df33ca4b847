/* SPDX-License-Identifier: PostgreSQL
 *
 * Log-linear latency histogram: 8 sub-buckets per power of two from 1 us to
 * about 4.6 hours (relative error at most 12.5 %).  One writer, any number of
 * readers (relaxed atomics); pure otherwise.
 */
#ifndef PGSLUICE_STATS_HIST_H
#define PGSLUICE_STATS_HIST_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/clock.h"

#define HIST_SUB 8
#define HIST_POWERS 34
#define HIST_BUCKETS (HIST_SUB * (HIST_POWERS + 1))

struct hist {
	_Atomic uint64_t count;
	_Atomic uint64_t sum; /* ns */
	_Atomic uint64_t bucket[HIST_BUCKETS];
};

/* Plain copy for readers: merge several writers, then ask. */
struct hist_view {
	uint64_t count, sum;
	uint64_t bucket[HIST_BUCKETS];
};

unsigned hist_bucket_of(nsec_t v);
nsec_t hist_bucket_upper(unsigned b); /* inclusive upper bound, ns */
void hist_record(struct hist *h, nsec_t v);
void hist_merge(struct hist_view *into, const struct hist *h);
/* q in [0,1]; 0 when empty; interpolated inside the bucket. */
nsec_t hist_quantile(const struct hist_view *v, double q);
/* How many values were at most bound (bucket resolution): for Prometheus'
 * cumulative buckets. */
uint64_t hist_count_le(const struct hist_view *v, nsec_t bound);

#endif
