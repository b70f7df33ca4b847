/* SPDX-License-Identifier: PostgreSQL
 *
 * Quantiles of an arm's times, with intervals that hold at all times.
 *
 * The distribution is the mean of the random groups' distributions (groups.h),
 * so that a busy tenant counts no more than in the mean.  Intervals are
 * Woodruff's (Confidence intervals for medians and other position measures,
 * 1952): the share of times up to x is a mean over groups, with the variance
 * between them; x may be the quantile as long as the confidence sequence of
 * that share has q in it.  The true quantile is one x, so the interval leaves it
 * out, ever, with chance alpha at most, whatever the shape of the distribution.
 * (Howard, Ramdas: Sequential estimation of quantiles with applications to A/B
 * testing, 2022, need independent values, which statements of one tenant are
 * not.)  Pure.
 */
#ifndef PGSLUICE_EXPERIMENT_QUANTILE_H
#define PGSLUICE_EXPERIMENT_QUANTILE_H

#include "experiment/figure.h"
#include "experiment/tally.h"

/* So many values have to be expected beyond a quantile, on either side. */
#define QUANTILE_LEAST 20

/* The distribution of a view. */
struct curve {
	uint64_t n;
	unsigned groups;     /* that have values */
	double thinness;     /* groups_thinness() */
	unsigned first, end; /* buckets that are not empty lie in [first, end) */
	/* Of times up to the bucket's upper end, from first on. */
	double share[TALLY_BUCKETS], variance[TALLY_BUCKETS];
};

void curve_make(struct curve *c, const struct tally_view *v);
/* In ns. q: in (0, 1); effect: the relative difference that matters (0.1), at
 * which the interval should be narrow. */
void curve_quantile(const struct curve *c, double q, double effect,
    double alpha, struct figure *out);
/* The arm's over the control's; each may be wrong with half of alpha. */
void curve_ratio(const struct curve *arm, const struct curve *control,
    double q, double effect, double alpha, struct figure *out);

#endif
