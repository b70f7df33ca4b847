/* SPDX-License-Identifier: PostgreSQL
 *
 * The parts of a SELECT, as places in its text, and the relations that it can be
 * taken apart by: what is needed to ask several servers for a part of the answer
 * each, and one more to put the parts together.
 *
 * Made with the analysis, immutable, and only for statements of a form that is
 * understood: one SELECT or UNION without locking clause or grouping sets.
 * Ranges are from the first byte of a token to the end of one; an
 * empty range has from == until.
 */
#ifndef PGSLUICE_SQL_SPLIT_H
#define PGSLUICE_SQL_SPLIT_H

#include "sql/analysis.h"

struct an_range {
	struct textpos from, until;
};

/* Aggregates whose result over all rows is told by their results over parts
 * of them. */
enum an_agg_kind {
	AN_AGG_SUM, AN_AGG_COUNT, AN_AGG_MIN, AN_AGG_MAX, AN_AGG_AVG,
	AN_AGG_BOOL_AND, AN_AGG_BOOL_OR, AN_AGG_BIT_AND, AN_AGG_BIT_OR
};

struct an_agg {
	enum an_agg_kind kind;
	struct an_range call;   /* with its FILTER */
	struct an_range args;   /* what stands in its brackets */
	struct an_range filter; /* FILTER (...), or empty */
	struct an_range condition; /* what stands in that; or empty */
	bool distinct;          /* each value of args, one column, counts once */
	bool recollated;        /* as for an item */
};

struct an_item { /* of the select list, GROUP BY or ORDER BY; or HAVING */
	struct an_range expr;
	struct an_range tail;      /* ORDER BY: what follows expr, or empty */
	size_t first_agg, n_aggs;  /* of split.aggs, in the order of the text */
	bool star;                 /* "*" or "t.*" */
	bool ordinal;              /* an integer literal: cut */
	bool simple;               /* a column or constant, with or without casts */
	bool recollated;           /* COLLATE or a cast is in it: text in it may be
	                              in another order than the columns' */
	bool mergeable;            /* outside of aggregates nothing but constants
	                              and functions that give one value */
	uint32_t cut;
	char *column;  /* its name, if expr is just a column; else NULL */
	bool qualified; /* ... written with its table */
	bool of_table;  /* it is surely column of_column (of a star: any) of this
	                   relation, if that has one */
	unsigned table; /* index in analysis.tables */
	char *of_column;
	char *name;    /* select list: what the column of the result is called,
	                  by AS or as a column or function; NULL: something else */
};

/* Divide the rows of these relations (a set of indexes in analysis.tables), and
 * those of all others with them as far as the conditions say so: the FROM and
 * WHERE of the statement give the same rows for all of them as for the parts.
 * Of each of the relations the parts must be divided by columns of an_within
 * only; of each of the FULL JOINs (a set of an_full.full) by columns that one
 * of its an_full equates. */
struct an_driver {
	uint32_t tables, fulls;
};
struct an_within {
	bool some;      /* else any column */
	char **columns;
	size_t n;
};
struct an_full { /* two columns are equal, by the ON of a FULL JOIN */
	unsigned full, a, b; /* tables */
	char *a_column, *b_column;
};

struct an_split {
	struct an_driver *drivers; /* any of them */
	size_t n_drivers;
	struct an_within *within;  /* of each table, n_within of them */
	size_t n_within;
	struct an_full *fulls;
	size_t n_fulls;
	bool plain;       /* FROM is the only table, by its own names */
	bool united;      /* UNION: targets, groups and aggs are empty */
	bool windows;     /* window functions, whose partitions an_within knows */
	bool recollated;  /* any column may be, by what queries in FROM do */
	struct an_item *targets, *groups, *orders;
	size_t n_targets, n_groups, n_orders;
	struct an_item *ons; /* of DISTINCT ON; distinct is not set then */
	size_t n_ons;
	struct an_item having;
	bool has_having;
	struct an_agg *aggs;
	size_t n_aggs;
	bool aggregated; /* one row a group: aggregates, GROUP BY or HAVING */
	bool other_aggs; /* aggregates that are not of enum an_agg_kind, or with
	                    DISTINCT, ORDER BY and the like */
	bool distinct;
	bool has_limit, has_offset;
	struct an_value limit, offset; /* AN_VAL_NULL: none (ALL) */
	struct textpos start;       /* of the statement */
	struct textpos targets_end; /* behind the select list */
	struct textpos body_end;    /* behind WHERE and GROUP BY */
	struct textpos having_end;  /* behind HAVING and WINDOW, if there are any */
	struct an_range order;      /* the ORDER BY clause, or empty */
	struct textpos end;         /* of the statement */
};

void split_free(struct an_split **s);
/* The columns of n of them; the n fulls and f itself. */
void split_free_within(struct an_within *w, size_t n);
void split_free_fulls(struct an_full *f, size_t n);

#endif
