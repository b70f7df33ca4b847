/* SPDX-License-Identifier: PostgreSQL
 *
 * What is noted of the statement under way for those who are told of single
 * statements: the log, SHOW SHAPES and exemplars.
 *
 * Followed is a unit that executes something, from its arrival to the end of
 * its answer; units that are sent without waiting for answers are followed as
 * one, until all are answered.  Nothing is noted while no setting asks for it
 * (conf.follows): every call but trail_begin() is made only while trail.on.
 * Runs on the session's worker; allocates nothing but the text of a statement
 * that is to be logged in full.
 */
#ifndef PGSLUICE_SESSION_TRAIL_H
#define PGSLUICE_SESSION_TRAIL_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/slice.h"
#include "sql/trace.h"

struct session;
struct unit;
struct query;
struct shape;
struct object;

#define TRAIL_NO_SERIES ((unsigned)-1)

struct trail {
	bool on;
	bool drawn;          /* for the log, however short it is */
	bool joined;         /* it waited for another session's fill */
	bool mixed;          /* of several shapes */
	bool has_rows;
	unsigned char bypass; /* enum bypass_reason, of the last statement */
	unsigned statements;
	unsigned series;     /* of the last that was sent; or TRAIL_NO_SERIES */
	struct shape *shape; /* of the first, referenced; NULL: not known */
	char *text;          /* of the first; NULL: not wanted */
	struct slice unread; /* its text, borrowed, if it was not recognised
	                        because it hit at once; or p is NULL */
	struct trace trace;
	nsec_t began;
	nsec_t queued;       /* so long for a server */
	const char *backend; /* ... of this, of which it got none; or NULL */
	nsec_t asked, first; /* sent; the server's first byte. 0: not (yet) */
	uint64_t rows;
	uint64_t sent;       /* session.sent when it began */
	char sqlstate[6];    /* of the last error; empty: none */
};

/* A unit has come. */
void trail_begin(struct session *s, const struct unit *u);
/* A statement of it has been recognised. */
void trail_query(struct session *s, const struct query *q);
/* It waits for a server, and will not get one. */
void trail_gave_up(struct session *s);
/* It is being sent. */
void trail_asked(struct session *s);
/* The server says something. */
void trail_heard(struct session *s);
void trail_completed(struct session *s, const char *tag);
/* An ErrorResponse; or an error of our own. */
void trail_error(struct session *s, const char *body, size_t n);
void trail_refused(struct session *s, const char *sqlstate);

/* The end. */
void trail_end(struct session *s, nsec_t now);
/* ... that o is the answer to, about to be sent. */
void trail_hit(struct session *s, const struct object *o, unsigned series,
    nsec_t now);
/* ... that will get none: the session ends. reason: in words. */
void trail_closed(struct session *s, const char *sqlstate,
    const char *reason);
/* Forget it. */
void trail_drop(struct session *s);

/* trail_line.c: log it. took: in all; now: its end. */
void trail_log(const struct session *s, unsigned series, nsec_t took,
    nsec_t now, uint64_t bytes, const char *closed);

#endif
