/* SPDX-License-Identifier: PostgreSQL
 *
 * pgsluicectl capture.  Returns a status to exit with.
 */
#ifndef PGSLUICE_CTL_CAPTURE_H
#define PGSLUICE_CTL_CAPTURE_H

#include "ctl/options.h"

int ctl_capture(const struct ctl_options *o);

#endif
