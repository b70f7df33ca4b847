/* SPDX-License-Identifier: PostgreSQL
 *
 * The parts of PREPARE, EXECUTE and DEALLOCATE.
 *
 * For text that the grammar has accepted as one such statement: what is looked
 * for here are places in it, which the parse tree does not give.  Pure.
 */
#ifndef PGSLUICE_SQL_PREPARED_H
#define PGSLUICE_SQL_PREPARED_H

#include <stdbool.h>

#include "base/check.h"
#include "base/slice.h"

#define SQL_NAME_MAX 63 /* bytes; PostgreSQL cuts longer names off */

enum sql_prepared_kind {
	SQL_PREPARE,
	SQL_EXECUTE,
	SQL_DEALLOCATE,
	SQL_DEALLOCATE_ALL
};

struct sql_prepared {
	enum sql_prepared_kind kind;
	char name[SQL_NAME_MAX + 1]; /* as PostgreSQL folds it; not for ALL */
	struct slice before; /* the text up to the name */
	struct slice after;  /* the text behind it */
	/* PREPARE: what is behind the name up to and with AS, and the statement
	 * behind that, without semicolons at its end. */
	struct slice head, body;
};

/* false: not understood, or a name whose folding depends on the encoding or is
 * written with escapes. */
bool sql_prepared_read(struct slice sql, struct sql_prepared *out)
    PG_MUST_CHECK;

#endif
