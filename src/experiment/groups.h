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
/* The same where the arms had the same statements: from group to group what
 * both have in common falls out. */
bool groups_paired(const struct groups *arm, const struct groups *control,
    struct estimate *out) PG_MUST_CHECK;
/* With what chance an effect is found within the size that is foretold. */
#define GROUPS_POWER 0.9
/* n: values of both arms together, of whose difference e tells. How many more
 * until an effect of this size is likely to be told from none, if they come of
 * ever more units that vary as those so far; 0: there are enough. */
uint64_t groups_missing(const struct estimate *e, uint64_t n, double effect,
    double alpha);
/* How many values more than these n bring a variance down to what is needed. */
uint64_t groups_more(uint64_t n, double variance, double needed);
/* Sum over groups that have values of 1 / n, over the square of their number:
 * the variance of the mean of independent values of variance 1, which no
 * variance between groups should be below. */
double groups_thinness(const struct groups *g);

#endif
