/* SPDX-License-Identifier: PostgreSQL
 *
 * One SELECT answered by many shards: which of its forms can be, what each shard
 * is asked, and how the parts become the answer.
 *
 *   ROWS   every shard's rows are rows of the answer, in any order
 *   SORT   they are, and DISTINCT, ORDER BY, LIMIT and OFFSET are done again
 *          over all of them
 *   GROUP  every shard gives its part of each group; a final query adds the
 *          parts up
 *
 * What is asked is the client's text with columns put behind its select list
 * (extras) and clauses left out.  The final query reads the parts as
 * parameters, VALUES ($1, $2), ($3, $4), ..., so that PostgreSQL itself
 * sorts and adds.  Where that might give another answer than one table would,
 * there is no gather and the statement belongs to the coordinator.
 *
 * Pure.  A struct gather borrows from plan, shape and values, and is the same
 * each time it is made of the same.
 */
#ifndef PGSLUICE_ROUTE_GATHER_H
#define PGSLUICE_ROUTE_GATHER_H

#include "route/route.h"

/* In words, for EXPLAIN (ROUTE). */
const char *gather_mode_doc(enum gather_mode m);

struct gather;

/* By the shape alone: how it may be, if it can be. p->table, p->variant and
 * p->tables are set; sets p->drivers. */
enum gather_mode gather_mode_of(struct route_plan *p,
    const struct analysis *a);

/* For these values. NULL: it cannot be gathered (or there is no memory). */
struct gather *gather_new(const struct route_plan *p, const struct shape *s,
    const struct route_values *v) PG_MUST_CHECK;
void gather_free(struct gather **g);
/* How it is. */
enum gather_mode gather_mode(const struct gather *g);
/* Append the text for a shard. */
bool gather_partial(const struct gather *g, unsigned form,
    struct buf *out) PG_MUST_CHECK;

/* A column of what the shards return. */
struct gather_column {
	struct slice name;
	uint32_t oid;
};
/* Parameters of the final query, at most. */
#define GATHER_MAX_PARAMS 65535u

enum gather_end {
	GATHER_REFUSED, /* not with columns like these: the coordinator's */
	GATHER_EMPTY,   /* no rows: none is the answer */
	GATHER_ADD,     /* one row a part, of int8: add them up, column by column;
	                   NULL counts for nothing */
	GATHER_QUERY    /* *sql has the final query */
};
/* How the answer is made of rows of n columns. *visible: so many of them, from the first, are the client's; of the same types as those of the answer. */
enum gather_end gather_final(const struct gather *g,
    const struct gather_column *c, size_t n, size_t rows, size_t *visible,
    struct buf *sql) PG_MUST_CHECK;

#endif
