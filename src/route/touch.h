/* SPDX-License-Identifier: PostgreSQL
 *
 * Which values of a declared column the rows have that a statement reads or
 * changes.
 *
 * The answer is never too small: what is not proven is "any".  So a result
 * that was read for some values is not changed by a write that touches
 * others.  Values are told apart by their hashes, months by their numbers.
 * Pure; runs for every fill and every write, so it allocates nothing.
 */
#ifndef PGSLUICE_ROUTE_TOUCH_H
#define PGSLUICE_ROUTE_TOUCH_H

#include "route/route.h"

#define ROUTE_TOUCH_MAX 8 /* values; more are any */

struct route_touch {
	const struct conf_tag_key *key; /* NULL: any row of the table */
	unsigned n;
	uint64_t value[ROUTE_TOUCH_MAX];
};

/* plan.reads[i]: by the column that leaves the fewest values. */
void route_touch_read(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, size_t i, struct route_touch *out);
/* The tenant whose rows a statement over a routed table is about, if it names one in its key, by
 * the first of its columns that the statement names: a hash. */
bool route_touch_tenant(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, uint64_t *tenant) PG_MUST_CHECK;
/* The tenant of all rows that a statement over a routed table is about, by the
 * first column of its key: a number that is the same in every process. false: it
 * names none, or several. */
bool route_touch_unit(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, uint64_t *tenant) PG_MUST_CHECK;
/* plan.writes[i], by one column of it: of the rows as they were and as they
 * become. false: any. */
bool route_touch_write(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, size_t i, const struct conf_tag_key *key,
    struct route_touch *out) PG_MUST_CHECK;
/* The value that a text is, for a column of the key's type; of one of months,
 * YYYY-MM.  false: it is not certain which. */
bool route_touch_text(const struct conf_tag_key *key, const char *text,
    uint64_t *value) PG_MUST_CHECK;

#endif
