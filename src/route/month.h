/* SPDX-License-Identifier: PostgreSQL
 *
 * Calendar arithmetic for month routing.  Pure.
 *
 * Instants are microseconds since 1970-01-01 00:00 UTC, months are numbered
 * from 1970-01.  A value that names no zone means the session's TimeZone: its
 * range reaches to both sides as far as that may be from UTC, MONTH_ZONE_US
 * if it is not known.
 * What is not certain to mean the same under every DateStyle is not parsed.
 */
#ifndef PGSLUICE_ROUTE_MONTH_H
#define PGSLUICE_ROUTE_MONTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/slice.h"

#define MONTH_SECOND_US INT64_C(1000000)
#define MONTH_DAY_US (86400 * MONTH_SECOND_US)
/* Zones reach from -15:59:59 to +15:59:59 in PostgreSQL, from -12 to +14 on
 * earth; 15 hours leave room for daylight saving. */
#define MONTH_ZONE_US (15 * 3600 * MONTH_SECOND_US)

/* What the server takes the value for. */
enum month_type {
	MONTH_ANY,       /* an untyped value: whatever the column is */
	MONTH_TIMESTAMPTZ,
	MONTH_TIMESTAMP, /* without time zone */
	MONTH_DATE
};

/* The instant lies in [lo, hi]. */
struct month_range {
	int64_t lo, hi;
};

int64_t month_of(int64_t us);
int64_t month_start(int64_t month); /* instant of its first microsecond, UTC */

/* ISO 8601 text: YYYY-MM-DD[( |T)HH:MM[:SS[.ffffff]]][Z|UTC|+HH[[:]MM[:SS]]].
 * false: anything else, 'infinity' and 'now' included. */
bool month_parse_text(struct slice s, enum month_type type, int64_t zone_us,
    struct month_range *r) PG_MUST_CHECK;
/* Days since 1970-01-01 of YYYY-MM-DD. */
bool month_parse_date(struct slice s, int64_t *days) PG_MUST_CHECK;
/* Wire value: int64 microseconds or, for MONTH_DATE, int32 days since
 * 2000-01-01. MONTH_ANY goes by the length. false: infinite or of a wrong
 * length. */
bool month_parse_binary(struct slice s, enum month_type type, int64_t zone_us,
    struct month_range *r) PG_MUST_CHECK;
/* "YYYY-MM" of a month number, for people. */
void month_print(int64_t month, char *out, size_t size);

#endif
