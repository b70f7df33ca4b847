/* SPDX-License-Identifier: PostgreSQL
 *
 * Confidence sequences.  Pure.
 */
#include "experiment/sequence.h"

#include <math.h>

#include "base/check.h"

/* The mixture's parameter: about the information at which the boundary is
 * lowest relative to fixed-time intervals (Howard et al., proposition 3), for
 * an effect that is then some three standard errors. */
static double
sequence_rho(double effect, double alpha)
{
	double information = 9 / (effect * effect);
	double l = -2 * log(alpha);

	return information / (l + log1p(l));
}

/* Half the interval's width in standard errors. */
static double
sequence_z(double variance, double effect, double alpha)
{
	double rho = sequence_rho(effect, alpha), v = 1 / variance;

	return sqrt((v + rho) / v * (log((v + rho) / rho) - 2 * log(alpha)));
}

/* The quantile of Student's distribution where the normal one's is z. */
static double
sequence_student(double z, double freedom)
{
	double c;

	if (isinf(freedom))
		return z;
	c = z * (8 * freedom + 3) / (8 * freedom + 1);
	return sqrt(freedom * expm1(c * c / freedom));
}

struct interval
sequence_interval(const struct estimate *e, double effect, double alpha)
{
	double half;

	CHECK(e->variance > 0 && effect > 0 && alpha > 0 && alpha < 0.5);
	half = sqrt(e->variance) * sequence_student(
	    sequence_z(e->variance, effect, alpha), e->freedom);
	return (struct interval){ e->value - half, e->value + half };
}

/* z such that a normal variable is below it with this chance, p >= 0.5. */
static double
normal_quantile(double p)
{
	double low = 0, high = 10, mid;
	int i;

	for (i = 0; i < 60; i++) {
		mid = (low + high) / 2;
		if (1 - erfc(mid / M_SQRT2) / 2 < p)
			low = mid;
		else
			high = mid;
	}
	return low;
}

/* The largest variance at which sqrt(variance) * (z of the interval + more)
 * is at most half. */
static double
sequence_solve(double half, double more, double effect, double alpha)
{
	double high = half * half, low = high / 1e9, mid;
	int i;

	for (i = 0; i < 70; i++) {
		mid = sqrt(low * high);
		if (sqrt(mid) * (sequence_z(mid, effect, alpha) + more) > half)
			high = mid;
		else
			low = mid;
	}
	return low;
}

double
sequence_variance_needed(double effect, double alpha, double power)
{
	CHECK(effect > 0 && power >= 0.5 && power <= 0.99);
	return sequence_solve(effect, normal_quantile(power), effect, alpha);
}

double
sequence_variance_at(double half, double effect, double alpha)
{
	CHECK(half > 0 && effect > 0);
	return sequence_solve(half, 0, effect, alpha);
}
