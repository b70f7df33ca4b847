/* SPDX-License-Identifier: PostgreSQL
 *
 * What pgsluicectl knows of the console.
 */
#ifndef PGSLUICE_CTL_CONSOLE_H
#define PGSLUICE_CTL_CONSOLE_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "base/check.h"

#define CONSOLE_DATABASE "pgsluice"

/* Has an answer all of these columns? names: separated by blanks. */
bool console_has(const PGresult *r, const char *names) PG_MUST_CHECK;

#endif
