/* SPDX-License-Identifier: PostgreSQL
 *
 * Quantiles.  Pure.
 *
 * Between the ends of a bucket shares go straight, and so do the bounds of
 * their confidence sequence.
 */
#include "experiment/quantile.h"

#include <math.h>
#include <string.h>

/* ---- distributions ---- */

/* How many values a group has; first and end reach as far as they do. */
static double
curve_range(struct curve *c, const uint32_t bucket[TALLY_BUCKETS])
{
	uint64_t n = 0;
	unsigned b, first = 0, end = TALLY_BUCKETS;

	for (b = 0; b < TALLY_BUCKETS; b++)
		n += bucket[b];
	if (n == 0)
		return 0;
	while (bucket[first] == 0)
		first++;
	while (bucket[end - 1] == 0)
		end--;
	c->first = first < c->first ? first : c->first;
	c->end = end > c->end ? end : c->end;
	return (double)n;
}

/* Adds a group's shares, and for now their squares in place of variances. */
static void
curve_group(struct curve *c, const uint32_t bucket[TALLY_BUCKETS], double n)
{
	double below = 0, share;
	unsigned b;

	for (b = c->first; b < c->end; b++) {
		below += bucket[b];
		share = below / n;
		c->share[b] += share;
		c->variance[b] += share * share;
	}
}

void
curve_make(struct curve *c, const struct tally_view *v)
{
	double n[GROUPS], total = 0, thin = 0, squares;
	unsigned g, b;

	memset(c, 0, sizeof(*c));
	c->first = TALLY_BUCKETS;
	for (g = 0; g < GROUPS; g++) {
		/* Not v->n: full buckets hold less than there was. */
		n[g] = curve_range(c, v->bucket[g]);
		total += n[g];
		c->groups += n[g] > 0;
		thin += n[g] > 0 ? 1 / n[g] : 0;
	}
	if (c->groups == 0)
		return;
	c->n = (uint64_t)total;
	c->thinness = thin / ((double)c->groups * c->groups);
	for (g = 0; g < GROUPS; g++)
		if (n[g] > 0)
			curve_group(c, v->bucket[g], n[g]);
	for (b = c->first; b < c->end; b++) {
		squares = c->variance[b];
		c->share[b] /= c->groups;
		squares -= c->share[b] * c->share[b] * c->groups;
		c->variance[b] = c->groups < 2 || squares < 0 ? 0 :
		    squares / (c->groups - 1) / c->groups;
	}
}

/* ---- places ---- */

/* The bucket's lower end. */
static double
curve_from(unsigned b)
{
	return b == 0 ? 0 : (double)tally_bucket_upper(b - 1);
}

/* Where a line through the bucket's ends, from there to here, crosses 0. */
static double
curve_cross(unsigned b, double from, double to)
{
	double width = (double)tally_bucket_upper(b) - curve_from(b);
	double part = to == from ? 1 : -from / (to - from);

	return curve_from(b) + width * (part < 0 ? 0 : part > 1 ? 1 : part);
}

static double
curve_value(const struct curve *c, double q)
{
	double before = 0;
	unsigned b;

	for (b = c->first; b + 1 < c->end && c->share[b] < q; b++)
		before = c->share[b];
	return curve_cross(b, before - q, c->share[b] - q);
}

/* How far the confidence sequence of a share of this variance reaches to either
 * side, if q is the true one.  Groups may agree by chance; they cannot mean it
 * with less variance than independent values have. */
static double
curve_half(const struct curve *c, double variance, double q, double effect,
    double alpha)
{
	double least = q * (1 - q) * c->thinness;
	const struct estimate e = {
		.variance = variance > least ? variance : least,
		.freedom = c->groups - 1,
	};

	return sequence_interval(&e, effect, alpha).high;
}

/* The farthest that any of them reaches: it grows with variance. */
static double
curve_half_most(const struct curve *c, double q, double effect, double alpha)
{
	double most = 0;
	unsigned b;

	for (b = c->first; b < c->end; b++)
		most = c->variance[b] > most ? c->variance[b] : most;
	return curve_half(c, most, q, effect, alpha);
}

/* By how much the upper (way 1) or lower (-1) end of what the share up to the
 * upper end of bucket b may be is over q. */
static double
curve_over(const struct curve *c, unsigned b, int way, double q, double effect,
    double alpha)
{
	return c->share[b] - q + way * curve_half(c, c->variance[b], q,
	    effect, alpha);
}

/* The lowest x for which q is not above what its share may be. */
static bool
curve_low(const struct curve *c, double q, double effect, double alpha,
    double most, double *x)
{
	double before, here = curve_half(c, 0, q, effect, alpha) - q;
	unsigned b = c->first;

	if (here >= 0)
		return false; /* not even that below all values */
	/* Those need no look of their own. */
	while (b + 1 < c->end && c->share[b] + most < q)
		b++;
	if (b > c->first)
		here = curve_over(c, b - 1, 1, q, effect, alpha);
	do {
		before = here;
		here = curve_over(c, b, 1, q, effect, alpha);
	} while (here < 0 && ++b < c->end);
	*x = curve_cross(b, before, here);
	return here >= 0;
}

/* The highest x for which q is not below what its share may be. */
static bool
curve_high(const struct curve *c, double q, double effect, double alpha,
    double most, double *x)
{
	double here = 1 - q - curve_half(c, 0, q, effect, alpha), after;
	unsigned b = c->end - 1;

	/* The last of all buckets has no upper end. */
	if (here <= 0 || c->end == TALLY_BUCKETS)
		return false;
	while (b > c->first && c->share[b - 1] - most > q)
		b--;
	if (b + 1 < c->end)
		here = curve_over(c, b, -1, q, effect, alpha);
	/* b: a bucket whose upper end is above. */
	for (;; b--) {
		after = here;
		if (b == c->first) {
			here = -q - curve_half(c, 0, q, effect, alpha);
			break;
		}
		here = curve_over(c, b - 1, -1, q, effect, alpha);
		if (here <= 0)
			break;
	}
	*x = curve_cross(b, here, after);
	return true;
}

/* ---- quantiles ---- */

/* A relative difference as one of shares: about what it is for a distribution
 * as wide as latencies are. */
static double
curve_effect(double effect, double q)
{
	return 2 * effect * (q < 0.5 ? q : 1 - q);
}

void
curve_quantile(const struct curve *c, double q, double effect, double alpha,
    struct figure *out)
{
	double least = (double)c->n * (q < 0.5 ? q : 1 - q);
	double e = curve_effect(effect, q), most;

	CHECK(q > 0 && q < 1);
	*out = (struct figure){ .known = c->n > 0 };
	if (c->n == 0)
		return;
	out->value = curve_value(c, q);
	if (c->groups < GROUPS_LEAST || least < QUANTILE_LEAST)
		return;
	most = curve_half_most(c, q, e, alpha);
	out->bounded = curve_low(c, q, e, alpha, most, &out->low) &&
	    curve_high(c, q, e, alpha, most, &out->high);
}

void
curve_ratio(const struct curve *arm, const struct curve *control, double q,
    double effect, double alpha, struct figure *out)
{
	struct figure a, c;

	curve_quantile(arm, q, effect, alpha / 2, &a);
	curve_quantile(control, q, effect, alpha / 2, &c);
	*out = (struct figure){ .known = a.known && c.known && c.value > 0 };
	if (!out->known)
		return;
	out->value = a.value / c.value;
	out->bounded = a.bounded && c.bounded && c.low > 0;
	if (out->bounded) {
		out->low = a.low / c.high;
		out->high = a.high / c.low;
	}
}
