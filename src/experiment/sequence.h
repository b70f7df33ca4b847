/* SPDX-License-Identifier: PostgreSQL
 *
 * Intervals that hold at all times at once.
 *
 * An interval of the textbook may be looked at once; who looks at it all the
 * time and stops when it leaves zero is wrong far more often than alpha says.
 * These are confidence sequences: the chance that the true value is ever
 * outside is at most alpha, however often one looks and whenever one stops.
 *
 * For an estimate whose information grows (variance falls) as data come, the
 * score process estimate / variance behaves like Brownian motion on the clock
 * 1 / variance, and a normal mixture gives its boundary: Robbins, Statistical
 * methods related to the law of the iterated logarithm, 1970; Howard, Ramdas,
 * McAuliffe, Sekhon, Time-uniform, nonparametric, nonasymptotic confidence
 * sequences, 2021, equation 14.  Variances that are estimated themselves
 * count as by Student's distribution, through Wallace's approximation (Bounds
 * on normal approximations to Student's, 1959).  Pure.
 */
#ifndef PGSLUICE_EXPERIMENT_SEQUENCE_H
#define PGSLUICE_EXPERIMENT_SEQUENCE_H

#include <stdbool.h>

struct estimate {
	double value, variance; /* variance of value, above 0 */
	double freedom;         /* degrees, of the variance; INFINITY: known */
};

struct interval {
	double low, high;
};

/* effect: the size of value at which the interval should be narrowest, in
 * its units; above 0, chosen before data are seen. alpha: in (0, 0.5). */
struct interval sequence_interval(const struct estimate *e, double effect,
    double alpha);
static inline bool
interval_holds(struct interval i, double value)
{
	return i.low <= value && value <= i.high;
}

/* The largest variance at which a true effect is told from 0 with this
 * power, 0.5 to 0.99: as data are to variance, so is what is needed to what
 * there is. */
double sequence_variance_needed(double effect, double alpha, double power);
/* The largest variance at which the interval reaches no further than half to
 * either side. */
double sequence_variance_at(double half, double effect, double alpha);

#endif
