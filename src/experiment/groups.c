/* SPDX-License-Identifier: PostgreSQL
 *
 * Random groups.  Pure.
 */
#include "experiment/groups.h"

#include <math.h>

void
groups_merge(struct groups *into, const struct groups *g)
{
	unsigned i;

	for (i = 0; i < GROUPS; i++) {
		into->n[i] += g->n[i];
		into->sum[i] += g->sum[i];
	}
}

uint64_t
groups_count(const struct groups *g)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < GROUPS; i++)
		n += g->n[i];
	return n;
}

bool
groups_mean(const struct groups *g, struct estimate *out)
{
	double mean, delta, sum = 0, squares = 0;
	unsigned i, n = 0;

	for (i = 0; i < GROUPS; i++) {
		if (g->n[i] == 0)
			continue;
		mean = g->sum[i] / (double)g->n[i];
		n++;
		delta = mean - sum / (n > 1 ? n - 1 : 1);
		squares += n > 1 ? delta * delta * (n - 1) / n : 0;
		sum += mean;
	}
	if (n < GROUPS_LEAST || squares <= 0)
		return false;
	*out = (struct estimate){ .value = sum / n,
		.variance = squares / (n - 1) / n, .freedom = n - 1 };
	return true;
}

bool
groups_difference(const struct groups *arm, const struct groups *control,
    struct estimate *out)
{
	struct estimate a, c;
	double v;

	if (!groups_mean(arm, &a) || !groups_mean(control, &c))
		return false;
	v = a.variance + c.variance;
	*out = (struct estimate){ .value = a.value - c.value, .variance = v,
		.freedom = v * v / (a.variance * a.variance / a.freedom +
		    c.variance * c.variance / c.freedom) };
	return true;
}

bool
groups_missing(const struct groups *arm, const struct groups *control,
    double effect, double alpha, uint64_t *more)
{
	double n = (double)(groups_count(arm) + groups_count(control));
	double needed = sequence_variance_needed(effect, alpha, 0.8), ratio;
	struct estimate e;

	if (!groups_difference(arm, control, &e))
		return false;
	ratio = e.variance / needed;
	*more = ratio <= 1 ? 0 : (uint64_t)(n * (ratio - 1));
	return true;
}
