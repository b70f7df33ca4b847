/* SPDX-License-Identifier: PostgreSQL
 *
 * What was measured of one arm, in random groups of units.
 *
 * Statements of one tenant are not independent, so it is units that are
 * sampled.  There may be any number of them; each belongs to one of GROUPS by
 * hash (assign_group()), and an arm's estimate is the mean of its groups'
 * means.  The spread between groups has in it whatever units have in common
 * with themselves, so it tells the estimate's variance without a model: the
 * random group method (Mahalanobis, 1946; Wolter, Introduction to Variance
 * Estimation, chapter 2).  A group counts once however busy it is, so that one
 * busy tenant neither decides nor hides in the variance.  Pure.
 */
#ifndef PGSLUICE_EXPERIMENT_GROUPS_H
#define PGSLUICE_EXPERIMENT_GROUPS_H

#include <stdint.h>

#include "base/check.h"
#include "experiment/sequence.h"

#define GROUPS 64
/* With fewer that have anything, variances say nothing. */
#define GROUPS_LEAST 16

struct groups {
	uint64_t n[GROUPS];
	double sum[GROUPS];
};

static inline void
groups_add(struct groups *g, unsigned group, double value)
{
	g->n[group]++;
	g->sum[group] += value;
}
void groups_merge(struct groups *into, const struct groups *g);
uint64_t groups_count(const struct groups *g);
/* Mean of value in the arm. false: too few groups have any. */
bool groups_mean(const struct groups *g, struct estimate *out) PG_MUST_CHECK;
/* Of the arm minus of the control (Welch, 1947). */
bool groups_difference(const struct groups *arm, const struct groups *control,
    struct estimate *out) PG_MUST_CHECK;
/* How many values more, of both together, until an effect of this size is
 * likely (power 0.8) to be told from none, if they come of ever more units that
 * vary as those so far; 0: there are enough. false: nothing can be said yet. */
bool groups_missing(const struct groups *arm, const struct groups *control,
    double effect, double alpha, uint64_t *more) PG_MUST_CHECK;

#endif
