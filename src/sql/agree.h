/* SPDX-License-Identifier: PostgreSQL
 *
 * Constraints by which a column of times agrees with the time in a UUIDv7.
 *
 * A UUIDv7 begins with 48 bits of milliseconds since 1970.  Understood are CHECK
 * constraints, as pg_get_constraintdef() prints them, of comparisons joined by AND:
 *
 *	column | date_trunc('milliseconds' | 'second', column)
 *	    = | < | <= | > | >=
 *	time [+|- 'hours:minutes:seconds'::interval]
 *
 * where time is uuid_extract_timestamp(id) or
 *
 *	to_timestamp((('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint) / 1000.0)
 *
 * The division must be one of numeric or double precision.  Comparisons that are not
 * understood say nothing.  Pure.
 */
#ifndef PGSLUICE_SQL_AGREE_H
#define PGSLUICE_SQL_AGREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

/* The column's value is in [T + lo, T + hi], in microseconds, of each row whose id has
 * the time T and in which neither is NULL. Open: INT64_MIN, INT64_MAX. */
struct agree {
	int64_t lo, hi;
};

void agree_init(struct agree *a);
/* Take in what one constraint says; it must be known to hold for all rows. */
void agree_check(struct agree *a, const char *constraint, const char *id,
    const char *column);
static inline bool
agree_is_closed(const struct agree *a)
{
	return a->lo != INT64_MIN && a->hi != INT64_MAX && a->lo <= a->hi;
}

#endif
