/* SPDX-License-Identifier: PostgreSQL
 *
 * Bounds of partitions, as pg_get_expr() prints them for a session with
 * TimeZone UTC and DateStyle ISO.  Pure.
 */
#ifndef PGSLUICE_LAYOUT_BOUND_H
#define PGSLUICE_LAYOUT_BOUND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

/* FOR VALUES WITH (modulus 2, remainder 0) */
bool bound_hash(const char *text, unsigned *modulus, unsigned *remainder)
    PG_MUST_CHECK;

/* Values of the one column, in microseconds since 1970-01-01 00:00 (UTC, or no
 * zone at all), from lo up to but without hi; INT64_MIN and INT64_MAX: open. */
struct bound_range {
	bool is_default; /* whatever no other partition takes */
	int64_t lo, hi;
};
/* FOR VALUES FROM ('2026-01-01') TO (MAXVALUE), or DEFAULT. false: not about
 * times, or about several columns. */
bool bound_range(const char *text, struct bound_range *r) PG_MUST_CHECK;

#endif
