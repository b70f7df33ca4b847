/* SPDX-License-Identifier: PostgreSQL
 *
 * A number that was measured, and where the true one may be.
 */
#ifndef PGSLUICE_EXPERIMENT_FIGURE_H
#define PGSLUICE_EXPERIMENT_FIGURE_H

#include <stdbool.h>

struct figure {
	double value, low, high;
	bool known;   /* value: there are data */
	bool bounded; /* low, high: there are enough; both are finite */
};

#endif
