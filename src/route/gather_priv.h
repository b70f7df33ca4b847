/* SPDX-License-Identifier: PostgreSQL
 *
 * Shared by gather_mode.c (if and how), gather.c (what is asked) and
 * gather_final.c (how it is put together) only.
 */
#ifndef PGSLUICE_ROUTE_GATHER_PRIV_H
#define PGSLUICE_ROUTE_GATHER_PRIV_H

#include "route/gather.h"
#include "route/route_priv.h"
#include "sql/split.h"

/* A column of what a shard returns. */
struct gather_ref {
	enum {
		REF_NONE,
		REF_VISIBLE, /* of the client's result: n from 0 */
		REF_EXTRA,   /* behind those: n from 0 */
		REF_NAME     /* ORDER BY a name that may be one of the result's:
		                known when its columns are */
	} kind;
	size_t n;
};

/* Text put behind the select list: prefix(text) filter, or just text. */
struct gather_extra {
	const char *function; /* NULL: none */
	struct an_range text, filter;
	bool groups; /* rows are grouped by it, too */
};

struct gather {
	const struct route_plan *p;
	const struct shape *s;
	const struct route_values *v;
	const struct an_split *split;
	enum gather_mode mode;
	struct gather_extra *extras;
	size_t n_extras;
	struct gather_ref *groups; /* GROUP: columns with the keys */
	struct gather_ref *aggs;   /* GROUP: ... the aggregates; of avg the sum,
	                              its count is the column behind */
	struct gather_ref *orders;
	struct gather_ref *ons;
	bool *keys;     /* GROUP: target i is one of the keys */
	bool has_limit;
	int64_t limit, offset; /* limit: valid with has_limit */
};

/* gather_mode.c */
enum gather_mode gather_mode_for(const struct route_plan *p,
    const struct analysis *a, const struct route_values *v,
    uint32_t *drivers);
bool gather_parse_count(struct slice s, int64_t *out) PG_MUST_CHECK;
/* Called so in the result, without being the column of that name. */
bool gather_is_other(const struct an_item *target, const char *name);
/* Columns of the result are counted only up to the first star. */
size_t gather_counted(const struct an_split *s);
/* Position that an integer in ORDER BY or GROUP BY names, from 0; SIZE_MAX:
 * none. */
size_t gather_position(const struct an_item *item,
    const struct route_values *v);

/* The client's text of a range. */
struct slice gather_text(const struct gather *g, const struct an_range *r);

#endif
