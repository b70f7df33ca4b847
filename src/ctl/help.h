/* SPDX-License-Identifier: PostgreSQL
 *
 * What pgsluicectl says of itself, by command.
 */
#ifndef PGSLUICE_CTL_HELP_H
#define PGSLUICE_CTL_HELP_H

#include "ctl/options.h"

extern const char *const ctl_help[CTL_COMMANDS];

#endif
