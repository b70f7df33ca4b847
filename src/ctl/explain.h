/* SPDX-License-Identifier: PostgreSQL
 *
 * pgsluicectl explain: EXPLAIN (ROUTE) from a configuration, or from a running
 * pgsluice.  Returns a status to exit with.
 */
#ifndef PGSLUICE_CTL_EXPLAIN_H
#define PGSLUICE_CTL_EXPLAIN_H

#include "ctl/options.h"

int ctl_explain(const struct ctl_options *o);

#endif
