/* SPDX-License-Identifier: PostgreSQL
 *
 * Do arms get the share of units that their weights promise?
 *
 * If not, something loses or moves units of one arm more than of the others,
 * and no comparison of the arms is worth anything: a sample ratio mismatch.
 * The test holds at all times at once: the Bayes factor of a Dirichlet prior
 * around the promised shares, which as a martingale exceeds 1 / alpha with
 * chance alpha at most if they are kept (Lindon, Malek: Anytime-valid
 * inference for multinomial count data, 2022).  Pure.
 */
#ifndef PGSLUICE_EXPERIMENT_RATIO_H
#define PGSLUICE_EXPERIMENT_RATIO_H

#include <stdint.h>

#include "experiment/assign.h"

/* n[i]: units that were served by arm i, each counted once. The logarithm
 * of the evidence against the promised shares: an alarm above log(1 / alpha).
 * INFINITY: an arm of weight 0 has units. */
double ratio_evidence(const struct arms *a, const uint64_t n[]);

#endif
