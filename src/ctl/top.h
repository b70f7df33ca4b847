/* SPDX-License-Identifier: PostgreSQL
 *
 * pgsluicectl top.  Returns a status to exit with.
 */
#ifndef PGSLUICE_CTL_TOP_H
#define PGSLUICE_CTL_TOP_H

#include "ctl/options.h"

int ctl_top(const struct ctl_options *o);

#endif
