/* SPDX-License-Identifier: PostgreSQL
 *
 * What passed through each database in the last whole period.
 */
#ifndef PGSLUICE_ADMIN_AVERAGES_H
#define PGSLUICE_ADMIN_AVERAGES_H

#include "base/clock.h"
#include "session/dbstate.h"

void averages_init(nsec_t now);
void averages_fini(void); /* after the workers have ended */
/* Often, by one worker: begins a new period when the last one is over. */
void averages_tick(nsec_t now, nsec_t period);
/* Any thread. What was counted in the last whole period, and its length; all
 * zero before the first is over. */
nsec_t averages_get(const struct dbstate *d, struct dbtotals *out);

#endif
