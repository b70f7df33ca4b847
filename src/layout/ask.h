/* SPDX-License-Identifier: PostgreSQL
 *
 * Questions to one server, put one after another on a connection that lasts
 * for as long as they do.
 *
 * Every wait has a deadline and ends when asking is stopped.  The layout
 * thread, and those of standby.c.
 */
#ifndef PGSLUICE_LAYOUT_ASK_H
#define PGSLUICE_LAYOUT_ASK_H

#include <libpq-fe.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "layout/facts.h"
#include "layout/lag.h"

struct ask {
	PGconn *conn;
	const atomic_bool *stopping;
	nsec_t timeout;  /* for connecting, and again for each question */
	char error[512]; /* why something failed; one line */
	char sqlstate[6]; /* ... and what the server calls it; or "" */
};

/* keywords, values: for libpq. false: see error; ask_close() all the same. */
bool ask_open(struct ask *a, const char *const *keywords,
    const char *const *values) PG_MUST_CHECK;
void ask_close(struct ask *a);
/* With what a login gave, which is wiped and freed. got: there was somebody to log in
 * as; else both are NULL. false: as above. */
bool ask_login(struct ask *a, bool got, char **keywords, char **values)
    PG_MUST_CHECK;
/* Arguments for libpq that end with NULL, perhaps a password among them. */
void ask_wipe(char **v);
/* The facts of a relation (see facts_query); n is 0 if there is none. */
bool ask_facts(struct ask *a, const char *relation, struct facts *out)
    PG_MUST_CHECK;
/* The answer to a statement without parameters, for PQclear(); NULL: see error. */
PGresult *ask_query(struct ask *a, const char *sql) PG_MUST_CHECK;
/* Statements without parameters, of which the last gives one number. */
bool ask_number(struct ask *a, const char *sql, int64_t *out) PG_MUST_CHECK;
/* What the server is and how far it has come. */
bool ask_position(struct ask *a, struct lag_answer *out) PG_MUST_CHECK;

/* A statement with parameters of text that gives one row of n texts, NULL for
 * nulls; malloc'ed, valid only on true. */
bool ask_row(struct ask *a, const char *sql, const char *const *params,
    int n_params, char **cells, int n) PG_MUST_CHECK;
/* Rows of one query with parameters, with at least so many columns; NULL: see
 * error. */
PGresult *ask_rows(struct ask *a, const char *sql, int n_values,
    const char *const *values, int n_columns) PG_MUST_CHECK;

#endif
