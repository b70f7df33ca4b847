/* SPDX-License-Identifier: PostgreSQL
 *
 * What pgsluicectl knows of the console.
 */
#ifndef PGSLUICE_CTL_CONSOLE_H
#define PGSLUICE_CTL_CONSOLE_H

#include "ctl/dial.h"

#define CONSOLE_DATABASE "pgsluice"

/* A command, and the columns that its answer must have, separated by blanks.
 * NULL: dial.why, which also says so if whoever answers is no console. */
PGresult *console_ask(struct dial *l, const char *command,
    const char *columns) PG_MUST_CHECK;

#endif
