/* SPDX-License-Identifier: PostgreSQL
 *
 * Drawings of an experiment, as SVG inside HTML.  Arms differ by colour and by
 * the dashes of their lines.  Pure but for memory.
 */
#ifndef PGSLUICE_EXPERIMENT_REPORT_CHART_H
#define PGSLUICE_EXPERIMENT_REPORT_CHART_H

#include "experiment/report_page.h"

/* How times are distributed, arms over each other, on a logarithmic axis. */
void chart_distributions(struct page *p, const struct report_item *e);
/* Ratios to the control with their intervals. */
void chart_ratios(struct page *p, const struct report_item *e);

#endif
