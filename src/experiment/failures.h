/* SPDX-License-Identifier: PostgreSQL
 *
 * Shares of statements that fail, as means over random groups (groups.h), with
 * intervals that hold at all times.  Failures of one unit count once however
 * many they are, so a tenant that can do nothing right is no verdict on an arm.
 * Pure.
 */
#ifndef PGSLUICE_EXPERIMENT_FAILURES_H
#define PGSLUICE_EXPERIMENT_FAILURES_H

#include "experiment/figure.h"
#include "experiment/tally.h"

/* An arm with fewer is not told from a control that has none. */
#define FAILURES_LEAST 10

/* In [0, 1]. */
void failures_share(const struct tally_view *v, double alpha,
    struct figure *out);
/* Of the arm, minus ratio times that of the control; it is over that where
 * the figure is bounded and low is above 0. */
void failures_over(const struct tally_view *arm,
    const struct tally_view *control, double ratio, double alpha,
    struct figure *out);

#endif
