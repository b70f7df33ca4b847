/* SPDX-License-Identifier: PostgreSQL
 *
 * Units to arms.  Pure.
 */
#include "experiment/assign.h"

#include <math.h>
#include <xxhash.h>

#include "base/check.h"

#define GROUP_SEED 0x67726f7570ULL /* "group" */
#define UNIT_SEED 0x756e6974ULL /* "unit" */

uint64_t
assign_salt(struct slice name)
{
	return XXH3_64bits(name.p, name.n);
}

/* In (0, 1). */
static double
assign_uniform(uint64_t h)
{
	return ((double)(h >> 11) + 0.5) / (double)(UINT64_C(1) << 53);
}

unsigned
assign_arm(const struct arms *a, uint64_t salt, struct slice unit)
{
	uint64_t h = XXH3_64bits_withSeed(unit.p, unit.n, salt);
	double score, best = INFINITY;
	unsigned i, arm = a->n;

	CHECK(a->n >= 1 && a->n <= ARMS_MAX);
	for (i = 0; i < a->n; i++) {
		if (a->weight[i] == 0)
			continue;
		/* The first of exponential clocks that run at these rates. */
		score = -log(assign_uniform(XXH3_64bits_withSeed(&h,
		    sizeof(h), i + 1))) / a->weight[i];
		if (score < best) {
			best = score;
			arm = i;
		}
	}
	CHECK(arm < a->n);
	return arm;
}

unsigned
assign_group(uint64_t salt, struct slice unit, unsigned n)
{
	return (unsigned)(XXH3_64bits_withSeed(unit.p, unit.n,
	    salt ^ GROUP_SEED) % n);
}

uint64_t
assign_unit(uint64_t salt, struct slice unit)
{
	return XXH3_64bits_withSeed(unit.p, unit.n, salt ^ UNIT_SEED);
}
