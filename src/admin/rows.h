/* SPDX-License-Identifier: PostgreSQL
 *
 * A console answer under construction: a table of text, or an error.
 */
#ifndef PGSLUICE_ADMIN_ROWS_H
#define PGSLUICE_ADMIN_ROWS_H

#include "base/clock.h"
#include "pgwire/msgwrite.h"
#include "run/worker.h"

#define ROWS_COLUMNS_MAX 40
#define ROWS_TEXT_OID 25

/* Stays where it was initialised: the writer points into it. */
struct rows {
	struct buf b;
	struct msgwrite w;
	unsigned n; /* columns */
};

/* Cells of one row. Strings are borrowed until rows_add(). */
struct row {
	unsigned n;
	const char *v[ROWS_COLUMNS_MAX];
	char text[ROWS_COLUMNS_MAX][32];
};

void rows_init(struct rows *r);
void rows_fini(struct rows *r);
/* columns: as in tbl/console_commands.h, separated by blanks. */
void rows_columns(struct rows *r, const char *columns);

void row_str(struct row *row, const char *s); /* NULL allowed */
void row_u64(struct row *row, uint64_t v);
void row_i64(struct row *row, int64_t v);
void row_bool(struct row *row, bool v);
/* Milliseconds, with three decimals. */
void row_ms(struct row *row, nsec_t v);
/* The wall time that lies `ago` back, in UTC. */
void row_when(struct row *row, nsec_t ago);
/* Take the cells over into the answer and empty the row. */
void rows_add(struct rows *r, struct row *row);

/* Send to who asked (asker.h), on its worker, and free. */
void rows_reply(struct rows *r, struct worker *w, uint64_t session,
    const char *tag);
/* Send an error alone. detail and hint may be NULL. */
void rows_error(struct worker *w, uint64_t session, const char *sqlstate,
    const char *message, const char *detail, const char *hint);

#endif
