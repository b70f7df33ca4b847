/* SPDX-License-Identifier: PostgreSQL
 *
 * Sample ratio mismatch.  Pure.
 */
#include "experiment/ratio.h"

#include <math.h>

/* Of the prior, as units seen before: large, because shares that are wrong
 * are wrong by little. */
#define CONCENTRATION 1000.0

/* lgamma() writes a global. */
static double
ratio_lgamma(double x)
{
	int sign;

	return lgamma_r(x, &sign);
}

double
ratio_evidence(const struct arms *a, const uint64_t n[])
{
	double total = 0, units = 0, evidence = 0, share, prior;
	unsigned i;

	for (i = 0; i < a->n; i++) {
		total += a->weight[i];
		units += (double)n[i];
		if (a->weight[i] == 0 && n[i] > 0)
			return INFINITY;
	}
	for (i = 0; i < a->n; i++) {
		if (a->weight[i] == 0)
			continue;
		share = a->weight[i] / total;
		prior = CONCENTRATION * share;
		evidence += ratio_lgamma(prior + (double)n[i]) -
		    ratio_lgamma(prior) -
		    (double)n[i] * log(share);
	}
	return evidence + ratio_lgamma(CONCENTRATION) -
	    ratio_lgamma(CONCENTRATION + units);
}
