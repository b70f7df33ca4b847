/* SPDX-License-Identifier: PostgreSQL
 *
 * What one worker has measured of one arm, or of one arm and shape.
 *
 * Latencies are kept apart by random groups of units (groups.h): of each group
 * their number, the sum of their logarithms, failures, and a log-linear
 * histogram with 32 buckets a power of two (at most 3.2 % wide), so that means
 * and quantiles have a variance between groups.  A statement that failed counts
 * as a failure and not by its time.  One writer, any number of readers, who see
 * each group as it was at some moment (a version that is odd while the group is
 * being written): a sum of logarithms with another number is a wrong mean.
 * About 200 KB, of which only what is used is ever touched.
 */
#ifndef PGSLUICE_EXPERIMENT_TALLY_H
#define PGSLUICE_EXPERIMENT_TALLY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/clock.h"
#include "experiment/groups.h"

#define TALLY_SUB 32
#define TALLY_FIRST 10 /* power of two, in ns: the first bucket is what is below */
#define TALLY_POWERS 24 /* up to 17 s; the last bucket holds what is longer, too */
#define TALLY_BUCKETS (1 + TALLY_SUB * TALLY_POWERS)

struct tally {
	_Atomic uint32_t version[GROUPS];
	_Atomic uint32_t used[GROUPS]; /* powers of two, a bit each */
	_Atomic uint64_t n[GROUPS], failed[GROUPS];
	_Atomic double log_sum[GROUPS]; /* of ns, natural */
	_Atomic uint64_t sum;           /* ns */
	_Atomic uint32_t bucket[GROUPS][TALLY_BUCKETS];
};

/* A plain copy, perhaps of several. */
struct tally_view {
	uint64_t n[GROUPS], failed[GROUPS];
	double log_sum[GROUPS];
	uint64_t sum;
	uint32_t bucket[GROUPS][TALLY_BUCKETS];
};

struct tally *tally_new(void) PG_MUST_CHECK;
void tally_free(struct tally **t);
/* Its writer: neither allocates nor locks. */
void tally_add(struct tally *t, unsigned group, nsec_t took, bool failed);
/* The same for all that is in a view. */
void tally_put(struct tally *t, const struct tally_view *v);
/* Readers. */
void tally_merge(struct tally_view *into, const struct tally *t);
void tally_view_add(struct tally_view *into, const struct tally_view *v);
/* Successes, failures. */
uint64_t tally_count(const struct tally_view *v);
uint64_t tally_failures(const struct tally_view *v);
/* Logarithms of times (ns) of what succeeded; failures (1) among everything. */
void tally_groups(const struct tally_view *v, struct groups *logs,
    struct groups *failures);

unsigned tally_bucket_of(nsec_t v);
nsec_t tally_bucket_upper(unsigned b); /* inclusive, ns */

#endif
