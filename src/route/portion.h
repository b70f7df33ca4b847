/* SPDX-License-Identifier: PostgreSQL
 *
 * One INSERT ... VALUES whose rows belong on several shards: the portion of each.
 *
 * A portion is the client's text without the rows of others.  Parameters are numbered
 * anew, since a server cannot tell the type of one that is left out.  Pure.
 */
#ifndef PGSLUICE_ROUTE_PORTION_H
#define PGSLUICE_ROUTE_PORTION_H

#include "route/route.h"

struct portions;

/* By the shape alone: may such statements be taken apart? p->table and p->variant are
 * set. */
bool portions_possible(const struct route_plan *p, const struct analysis *a);
/* NULL: not with these values (a row's shard is not proven), or no memory. Borrows from
 * all three. */
struct portions *portions_new(const struct route_plan *p,
    const struct shape *s, const struct route_values *v) PG_MUST_CHECK;
void portions_free(struct portions **po);
/* Append the text of this shard's portion. of: room for as many numbers as the statement
 * has parameters; of[i] is set to the number (from 0) that parameter i of the portion
 * has in the statement, *n to how many there are. */
bool portions_write(const struct portions *po, unsigned shard,
    struct buf *out, uint16_t *of, size_t *n) PG_MUST_CHECK;

#endif
