/* SPDX-License-Identifier: PostgreSQL
 *
 * Which arm of an experiment serves a unit.
 *
 * By weighted rendezvous hashing: a unit's arm depends on nothing but the
 * experiment's salt, the unit and the weights, so it is the same in every
 * process and after every restart, and when weights change only as many units
 * move as must.  (Thaler, Ravishankar: Using name-based mappings to increase
 * hit rates, 1998; weights as by Schindelhauer, Schomaker: Weighted distributed
 * hash tables, 2005.)  Pure.
 */
#ifndef PGSLUICE_EXPERIMENT_ASSIGN_H
#define PGSLUICE_EXPERIMENT_ASSIGN_H

#include <stdint.h>

#include "base/slice.h"

#define ARMS_MAX 8

struct arms {
	unsigned n; /* 1 to ARMS_MAX */
	uint32_t weight[ARMS_MAX]; /* 0: gets no unit */
};

/* Of an experiment's name; units of two experiments fall independently. */
uint64_t assign_salt(struct slice name);
/* The arm's index; some weight must not be 0. */
unsigned assign_arm(const struct arms *a, uint64_t salt, struct slice unit);
/* A number below n that does not depend on the arm: the random group that the
 * unit's measurements go to (groups.h). */
unsigned assign_group(uint64_t salt, struct slice unit, unsigned n);
/* What tells the unit from others of the experiment, for unitset.h. */
uint64_t assign_unit(uint64_t salt, struct slice unit);

#endif
