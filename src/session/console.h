/* SPDX-License-Identifier: PostgreSQL
 *
 * What a session of the console has beside others: shared by console.c, which
 * runs commands, and console_ext.c, which speaks the extended protocol.
 */
#ifndef PGSLUICE_SESSION_CONSOLE_H
#define PGSLUICE_SESSION_CONSOLE_H

#include "session/session_priv.h"

struct console_statement {
	TAILQ_ENTRY(console_statement) link;
	char *name, *sql;
	struct buf desc;   /* RowDescription, all text; or empty: no rows */
};

struct console_portal {
	TAILQ_ENTRY(console_portal) link;
	char *name, *sql;
	struct buf desc;   /* RowDescription with the formats asked for */
	struct buf rows;   /* the answer, once it has run */
	size_t pos;        /* of rows: what the client has had */
	bool ran;
};

/* A unit of extended messages is worked off one message after the other; while
 * a command runs, the unit waits at the head of the session's input. */
struct console {
	TAILQ_HEAD(, console_statement) statements;
	TAILQ_HEAD(, console_portal) portals;
	unsigned n_statements, n_portals;
	size_t at;         /* of the unit at hand: bytes dealt with */
	bool failed;       /* an error was answered; nothing counts before the
	                      next Sync */
	struct buf out;    /* replies not yet sent */
	struct console_portal *running; /* whose answer is to come; or NULL:
	                                   that of a simple query */
};

/* ---- console.c ---- */
/* Hand a command up. The answer comes to running, or to the client. */
void console_run_command(struct session *s, const char *sql);
/* session_console_ops.describe */
bool console_describe(const char *sql, struct buf *out) PG_MUST_CHECK;

/* ---- console_ext.c ---- */
/* Go on with a unit of extended messages. */
enum unit_result console_extended(struct session *s, const struct unit *u)
    PG_MUST_CHECK;
/* Take the answer that running waits for. */
void console_take(struct console *c, const struct buf *messages);
/* Forget statements and portals. */
void console_forget(struct console *c);

#endif
