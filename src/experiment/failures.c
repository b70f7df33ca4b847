/* SPDX-License-Identifier: PostgreSQL
 *
 * Shares of failures.  Pure.
 */
#include "experiment/failures.h"

/* The share at which intervals are narrowest. */
#define FAILURES_EFFECT 0.01

/* Groups may agree by chance, on no failure above all; they cannot mean it with
 * less variance than independent statements have, one of which would be the
 * next to fail (Laplace's rule of succession). false: too few groups. */
static bool
failures_estimate(const struct tally_view *v, struct estimate *out)
{
	double n = 0, failed = 0, share = 0, p, least;
	struct groups logs, all;
	unsigned g, groups = 0;

	tally_groups(v, &logs, &all);
	for (g = 0; g < GROUPS; g++) {
		if (all.n[g] == 0)
			continue;
		groups++;
		n += (double)all.n[g];
		failed += all.sum[g];
		share += all.sum[g] / (double)all.n[g];
	}
	if (groups == 0)
		return false;
	p = (failed + 1) / (n + 2);
	least = p * (1 - p) * groups_thinness(&all);
	if (!groups_mean(&all, out))
		*out = (struct estimate){ .value = share / groups,
			.freedom = groups - 1 };
	if (out->variance < least)
		out->variance = least;
	return groups >= GROUPS_LEAST;
}

void
failures_share(const struct tally_view *v, double alpha, struct figure *out)
{
	struct estimate e;
	struct interval i;

	*out = (struct figure){ .known = tally_count(v) + tally_failures(v) };
	if (!out->known)
		return;
	out->bounded = failures_estimate(v, &e);
	out->value = e.value;
	if (!out->bounded)
		return;
	i = sequence_interval(&e, FAILURES_EFFECT, alpha);
	out->low = i.low > 0 ? i.low : 0;
	out->high = i.high < 1 ? i.high : 1;
}

void
failures_over(const struct tally_view *arm, const struct tally_view *control,
    double ratio, double alpha, struct figure *out)
{
	struct estimate a, c, e;
	struct interval i;

	*out = (struct figure){ .known = false };
	if (!failures_estimate(arm, &a) || !failures_estimate(control, &c))
		return;
	e.value = a.value - ratio * c.value;
	e.variance = a.variance + ratio * ratio * c.variance;
	e.freedom = a.freedom < c.freedom ? a.freedom : c.freedom;
	i = sequence_interval(&e, FAILURES_EFFECT, alpha);
	*out = (struct figure){ .value = e.value, .low = i.low, .high = i.high,
		.known = true, .bounded = tally_failures(arm) >= FAILURES_LEAST };
}
