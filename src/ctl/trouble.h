/* SPDX-License-Identifier: PostgreSQL
 *
 * What pgsluicectl exits with when it could not do what it was asked for, and the
 * line that says why.
 */
#ifndef PGSLUICE_CTL_TROUBLE_H
#define PGSLUICE_CTL_TROUBLE_H

#include "base/check.h"

#define TROUBLE 2 /* as diff's */

/* Say it; returns TROUBLE. */
int trouble(const char *fmt, ...) PG_PRINTF(1, 2);
/* 0: all that went to stdout is out; else trouble. */
int trouble_of_output(void);

#endif
