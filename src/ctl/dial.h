/* SPDX-License-Identifier: PostgreSQL
 *
 * A connection of pgsluicectl to pgsluice, by libpq: what it asks is answered
 * at once or soon, so that waiting has an end.
 *
 * While it waits it can look after something else, a keyboard.  Errors are one
 * line each.  One thread.
 */
#ifndef PGSLUICE_CTL_DIAL_H
#define PGSLUICE_CTL_DIAL_H

#include <libpq-fe.h>

#include "base/buf.h"
#include "ctl/options.h"

#define DIAL_WHY 400

/* What can interrupt waiting. */
struct dial_idle {
	int fd;          /* readable: call; -1: never */
	bool (*fn)(void *arg); /* false: give up. Also called after a signal. */
	void *arg;
};

struct dial {
	PGconn *conn; /* NULL: closed */
	char why[DIAL_WHY]; /* of the last failure */
	char sqlstate[6];   /* ... if the server says it; or "" */
	const struct dial_idle *idle; /* or NULL */
	char *password;     /* that was asked for; or NULL */
	bool given_up; /* the last failure is that idle said so */
};

/* Of the options; dbname: what they leave open, NULL: as libpq finds it. Asks for
 * a password at the terminal if the server wants one and none is known. */
bool dial_open(struct dial *l, const struct ctl_options *o,
    const char *dbname) PG_MUST_CHECK;
/* One command by the simple protocol; NULL: dial.why. The connection may be
 * over then: see dial_is_open(). Free with PQclear(). */
PGresult *dial_ask(struct dial *l, const char *sql) PG_MUST_CHECK;
bool dial_is_open(const struct dial *l);
/* May be opened again. */
void dial_close(struct dial *l);
/* ... and forget the password. */
void dial_fini(struct dial *l);

/* A cell by the name of its column; NULL: there is none of that name. */
const char *dial_cell(const PGresult *r, int row, const char *column);
double dial_number(const PGresult *r, int row, const char *column);

#endif
