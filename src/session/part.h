/* SPDX-License-Identifier: PostgreSQL
 *
 * One backend's part in a statement that several take part in: the lease of a
 * server, and its callbacks on their way to the statement, the owner.
 *
 *   begun -> waits for a pool -> has a server -> over
 *
 * Parts are leased one after the other in the order of their backends' numbers:
 * so no two sessions can each wait for what the other holds.  Runs on the
 * session's worker.
 */
#ifndef PGSLUICE_SESSION_PART_H
#define PGSLUICE_SESSION_PART_H

#include "pgwire/msgwrite.h"
#include "session/session_priv.h"

struct part;

struct part_owner {
	/* The server is leased and at the session's settings: write what it is
	 * asked, and enter what it will owe. false: out of memory. */
	bool (*compose)(struct part *p, struct msgwrite *w);
	/* Values may be read and written there otherwise than where the session is at
	 * home: it is not asked. */
	void (*unlike)(struct part *p);
	/* Whole messages, and rows in pieces. */
	void (*input)(struct part *p, const char *data, size_t n);
	/* The body of an ErrorResponse; or what went wrong here. */
	void (*failed)(struct part *p, const char *body, size_t n);
	void (*broken)(struct part *p, const char *sqlstate,
	    const char *message);
	/* It is no use to go on. */
	bool (*failing)(const struct part *p);
	/* COPY data are awaited; there is room for more of them. NULL: never. */
	void (*copy_in)(struct part *p);
	void (*drained)(struct part *p);
	/* Nothing more is owed. true: nor will be, the server may go. */
	bool (*ready)(struct part *p, char status);
	/* Got its server, or ended: go on. The part may be gone behind it. */
	void (*step)(struct part *p);
};

struct part {
	struct session *s;
	const struct part_owner *owner;
	void *of;                /* the owner's */
	uint64_t id;             /* among sessions and parts of the worker; 0: not
	                            to be found */
	struct htab_node by_id;
	const struct conf_backend *backend;
	struct pool *pool;       /* waited for, or NULL */
	struct pool_waiter waiter;
	struct server *server;   /* leased, or NULL */
	bool over;               /* it had its part */
};

void part_init(struct part *p, struct session *s,
    const struct part_owner *owner, void *of,
    const struct conf_backend *b);
/* Get a server. If none can be had, the part is over and broken() was told. */
void part_lease(struct part *p);
/* Send messages whose replies have been entered. */
void part_send(struct part *p, const struct buf *b);
/* End what runs, or stop waiting. */
void part_cancel(struct part *p);
/* Its server, which owes nothing and is in no transaction, goes back. */
void part_release(struct part *p);
/* Let go of everything, whatever is owed. orphan: told when that is decided; or NULL. */
void part_drop(struct part *p, struct server_orphan *orphan);
static inline bool
part_waits(const struct part *p)
{
	return p->pool != NULL;
}

/* Nothing ties the session to a server: a statement of its may have several. */
bool parts_are_possible(struct session *s);
/* The owner is gone and the client has its answer: go on behind the n bytes of the
 * unit that waited at the head of the input. */
void parts_answered(struct session *s, size_t n);
/* The owner is gone without an answer: the unit goes again, to one server. */
void parts_again(struct session *s);
/* An error of this SQLSTATE ends the statement from outside, or says that the server
 * is not well: another one would not know better. */
bool part_error_is_outside(struct slice sqlstate);
/* A server's ErrorResponse again, as an error of the statement, into an empty buffer.
 * Without a position, which would be one in another text; its context is written by
 * context, with arg, or (NULL) as it is. false: no room, and nothing was written. */
bool part_copy_error(struct buf *out, const char *body, size_t n,
    void (*context)(void *arg, struct msgwrite *w, const char *text),
    void *arg) PG_MUST_CHECK;

/* What pools tell those that wait: false, if this is none of ours. */
bool part_granted(struct worker *w, uint64_t id, struct server *srv);
bool part_lease_failed(struct worker *w, uint64_t id,
    const struct pool_error *why);

#endif
