/* SPDX-License-Identifier: PostgreSQL
 * Traffic whose truth is known: tenants that differ, some of them busy, and
 * statements with a long tail. */
#ifndef PGSLUICE_TESTS_EXPERIMENT_UTIL_H
#define PGSLUICE_TESTS_EXPERIMENT_UTIL_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include "base/check.h"
#include "base/slice.h"

#define UNITS 20000

static uint64_t seed;
static double tenant[UNITS]; /* how slow they are, as a logarithm */

static inline double
uniform(void)
{
	/* SplitMix64 (Steele, Lea, Flood, 2014). */
	uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return ((double)((z ^ (z >> 31)) >> 11) + 0.5) / 9007199254740992.0;
}

static inline double
normal(void)
{
	return sqrt(-2 * log(uniform())) * cos(2 * M_PI * uniform());
}

static inline struct slice
unit_name(char out[32], unsigned n)
{
	return slice_make(out, (size_t)sprintf(out, "tenant-%u", n));
}

static inline void
tenants_make(void)
{
	unsigned i;

	seed = 1;
	for (i = 0; i < UNITS; i++)
		tenant[i] = 0.3 * normal();
}

/* Who comes next. */
static inline unsigned
tenant_next(void)
{
	double busy = uniform();

	return (unsigned)(busy * busy * UNITS);
}

/* Logarithm of the time of a statement of theirs. */
static inline double
tenant_time(unsigned u)
{
	return tenant[u] + 0.7 * normal() + (uniform() < 0.01 ? 3 : 0);
}

/* At most so many of n at chance p, but for once in a thousand. */
static inline unsigned
binomial_bound(unsigned n, double p)
{
	return (unsigned)(n * p + 3.1 * sqrt(n * p * (1 - p)));
}

#endif
