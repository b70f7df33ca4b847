/* SPDX-License-Identifier: PostgreSQL
 *
 * Until when rows hold, by a column of theirs.
 */
#ifndef PGSLUICE_ROUTE_EXPIRY_H
#define PGSLUICE_ROUTE_EXPIRY_H

#include <stdint.h>

#include "base/check.h"
#include "base/slice.h"

/* The smallest value of the first result column of this name, of type
 * timestamptz, in microseconds since 1970 UTC; INT64_MAX: there are no rows, or
 * all say infinity; 0: one is from before 1970.  desc: messages that describe
 * the rows, data: the rows and what follows.  false: there is no such column,
 * a row has NULL, or a value cannot be read (ISO with a zone, or binary). */
bool route_rows_expire(struct slice desc, struct slice data,
    const char *column, int64_t *us) PG_MUST_CHECK;

#endif
