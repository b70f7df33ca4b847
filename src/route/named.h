/* SPDX-License-Identifier: PostgreSQL
 *
 * Cache rules with a query: reading it, and what their results are called.
 */
#ifndef PGSLUICE_ROUTE_NAMED_H
#define PGSLUICE_ROUTE_NAMED_H

#include "route/route.h"

#define ROUTE_NAME_VALUE 64 /* bytes of one value, at most */
#define ROUTE_NAME_MAX (CONF_KEY_MAX + CONF_NAMED_MAX * ROUTE_NAME_VALUE + 1)

/* conf_query_cb */
bool route_query_read(const struct conf *c, struct conf_query *q, char *why,
    size_t size) PG_MUST_CHECK;

/* The name of the statement's result, the same in every process: by the key of
 * the plan's rule, or the rule's own; returns its length, 0: no rule.  Of values only letters,
 * digits and . _ - are as they are.  %null, %unknown, %x with hexadecimal
 * digits (binary values of a type that is not known) and %~ with a digest (of
 * what is long) are no other value's. */
size_t route_name(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, char out[ROUTE_NAME_MAX]);

#endif
