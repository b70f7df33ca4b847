/* SPDX-License-Identifier: PostgreSQL
 *
 * pgsluicectl diff.  Returns a status to exit with.
 */
#ifndef PGSLUICE_CTL_DIFF_H
#define PGSLUICE_CTL_DIFF_H

#include "ctl/options.h"

int ctl_diff(const struct ctl_options *o);

#endif
