/* SPDX-License-Identifier: PostgreSQL
 *
 * COPY table FROM STDIN with its options, as far as it takes to deal its rows
 * out: which columns come in which order, and how they are written.
 *
 * Unlike an analysis this is of one text, literals included: COPY is rare and
 * long.  Pure, but for libpg_query's memory of the thread.
 */
#ifndef PGSLUICE_SQL_COPY_SPEC_H
#define PGSLUICE_SQL_COPY_SPEC_H

#include "sql/copyrows.h"

struct copy_spec {
	struct copy_options options; /* null points to null_text */
	char *null_text;
	char **columns;    /* as named; none: all of the table, in its order */
	size_t n_columns;
};

/* The only statement of sql; NULL: it is no COPY FROM STDIN, or says something that
 * is not known here (FREEZE, an ENCODING, FORCE_NULL, options of later versions), or
 * there is no memory. */
struct copy_spec *copy_spec_new(struct slice sql) PG_MUST_CHECK;
void copy_spec_free(struct copy_spec **s);

#endif
