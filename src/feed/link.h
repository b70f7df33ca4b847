/* SPDX-License-Identifier: PostgreSQL
 *
 * A connection of libpq on an event loop: opening it, questions one at a time,
 * and the stream that a walsender begins.
 *
 * Every callback may close the link; nothing is called after link_close().  A
 * link that failed has been closed before on_failure is called.  The loop's
 * thread.  Names may be resolved, which blocks.
 */
#ifndef PGSLUICE_FEED_LINK_H
#define PGSLUICE_FEED_LINK_H

#include <event2/event.h>
#include <libpq-fe.h>
#include <stdbool.h>

#include "base/check.h"
#include "base/slice.h"

struct link;

struct link_ops {
	void (*on_open)(struct link *l);
	/* The answer to the question. Its status is TUPLES_OK, COMMAND_OK,
	 * COPY_BOTH (on_data comes next) or that of an error. */
	void (*on_answer)(struct link *l, const PGresult *r);
	/* One CopyData message. */
	void (*on_data)(struct link *l, struct slice data);
	/* sqlstate: as far as the server gave one, else "". */
	void (*on_failure)(struct link *l, const char *sqlstate,
	    const char *why);
};

struct link {
	struct event_base *base;
	const struct link_ops *ops;
	void *arg;           /* the owner's */
	/* private */
	PGconn *conn;        /* NULL: closed */
	struct event *event;
	short waits;         /* what event waits for */
	PGresult *answer;
	bool open, busy, streams, moved;
};

void link_init(struct link *l, struct event_base *base,
    const struct link_ops *ops, void *arg);
/* For libpq: arrays that end with NULL. Failures come by on_failure, maybe
 * before this returns. */
void link_open(struct link *l, const char *const *keywords,
    const char *const *values);
void link_close(struct link *l);
/* May a question be asked now? */
static inline bool
link_is_free(const struct link *l)
{
	return l->conn != NULL && l->open && !l->busy;
}
/* values: texts, may be NULL if n is 0; then in the simple protocol, as a
 * walsender wants it. */
void link_ask(struct link *l, const char *sql, int n,
    const char *const *values);
/* A CopyData message, while it streams. */
void link_send(struct link *l, const char *data, size_t n);
/* Has anything been heard since the last time this was asked? */
bool link_has_moved(struct link *l);

#endif
