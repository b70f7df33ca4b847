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

/* Mean of n values and its variance. */
static bool
groups_of_values(const double value[], unsigned n, struct estimate *out)
{
	double delta, sum = 0, squares = 0;
	unsigned i;

	for (i = 0; i < n; i++) {
		delta = value[i] - sum / (i > 0 ? i : 1);
		squares += i > 0 ? delta * delta * i / (i + 1) : 0;
		sum += value[i];
	}
	if (n < GROUPS_LEAST || squares <= 0)
		return false;
	*out = (struct estimate){ .value = sum / n,
		.variance = squares / (n - 1) / n, .freedom = n - 1 };
	return true;
}

bool
groups_mean(const struct groups *g, struct estimate *out)
{
	double mean[GROUPS];
	unsigned i, n = 0;

	for (i = 0; i < GROUPS; i++)
		if (g->n[i] > 0)
			mean[n++] = g->sum[i] / (double)g->n[i];
	return groups_of_values(mean, n, out);
}

bool
groups_paired(const struct groups *arm, const struct groups *control,
    struct estimate *out)
{
	double more[GROUPS];
	unsigned i, n = 0;

	for (i = 0; i < GROUPS; i++)
		if (arm->n[i] > 0 && control->n[i] > 0)
			more[n++] = arm->sum[i] / (double)arm->n[i] -
			    control->sum[i] / (double)control->n[i];
	return groups_of_values(more, n, out);
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

uint64_t
groups_more(uint64_t n, double variance, double needed)
{
	double more = (double)n * (variance / needed - 1);

	return more <= 0 ? 0 : more >= 1e15 ? UINT64_C(1000000000000000) :
	    (uint64_t)more;
}

uint64_t
groups_missing(const struct estimate *e, uint64_t n, double effect,
    double alpha)
{
	return groups_more(n, e->variance, sequence_variance_needed(effect,
	    alpha, GROUPS_POWER));
}

double
groups_thinness(const struct groups *g)
{
	double sum = 0;
	unsigned i, n = 0;

	for (i = 0; i < GROUPS; i++)
		if (g->n[i] > 0) {
			sum += 1 / (double)g->n[i];
			n++;
		}
	return n > 0 ? sum / ((double)n * n) : 0;
}
