/* SPDX-License-Identifier: PostgreSQL
 *
 * Shared by spread.c (the course of it), spread_end.c (how it is committed),
 * spread_tell.c (what is said), spread_copy.c (the rows of a COPY) and
 * spread_insert.c (those of an INSERT) only.
 */
#ifndef PGSLUICE_SESSION_SPREAD_PRIV_H
#define PGSLUICE_SESSION_SPREAD_PRIV_H

#include "layout/gid.h"
#include "session/part.h"
#include "session/spread.h"
#include "sql/copy_spec.h"

/* Rows whose lines are remembered for each shard: more than can be under way to
 * it. */
#define SPREAD_LINES 65536u

struct spread_line { /* last line of a row, as the shard counts and as the client */
	uint64_t there, here;
};

struct spread_part {
	struct part base;
	unsigned shard;           /* index in the variant's */
	bool open;                /* it awaits data */
	bool loaded;              /* it has taken all and could commit */
	bool prepares;            /* PREPARE TRANSACTION has been sent */
	bool prepared;            /* ... and done */
	bool ending;              /* COMMIT or ROLLBACK, maybe PREPARED, has been sent */
	bool committed;
	bool left;                /* it is prepared, for all we know, and others will
	                             end it */
	struct buf out;           /* rows to be sent */
	uint64_t line, rows;      /* sent to it */
	struct spread_line *lines; /* ring by row */
};

enum spread_phase {
#define SPREAD_PHASE(sym, doc) SPREAD_##sym,
#include "tbl/spread_phases.h"
};

struct spread {
	struct session *s;
	enum spread_phase phase;
	bool insert;              /* INSERT .. VALUES; else COPY */
	const struct unit *unit;  /* during spread_begin(); then it is at the
	                             head of the session's input, unless taken */
	bool refused;             /* the coordinator shall do it */
	bool taken;               /* the client has been invited to send */
	bool ended;               /* the mark of the end has come */
	bool two_phase;           /* part[0] is the decider, see spread_end.c */
	bool named;               /* gid is that of this write */
	bool doubt;               /* it is not known how the decider has ended */
	struct gid gid;           /* but for the part */
	struct statement *stmt;   /* referenced; NULL: a Query */
	struct buf error;         /* what the client shall be told, or empty */
	char *sql;                /* the client's text, terminated */
	struct copy_spec *spec;
	char **columns;           /* in the order of the data */
	size_t n_columns;
	unsigned wanted[COPY_MAX_WANTED]; /* fields with the keys, ascending */
	unsigned key_of[COPY_MAX_WANTED]; /* ... which key each is */
	struct copy_rows rows;
	struct buf pending;       /* the beginning of a row */
	struct buf scratch;
	size_t left;              /* bytes of a CopyData that is half here */
	uint64_t done;            /* rows, by the shards' tags */
	const struct conf_table *table; /* inside the session's conf */
	size_t n_parts, started;
	struct spread_part part[]; /* n_parts, and the coordinator's for the
	                             columns */
};

static inline bool
spread_failing(const struct spread *x)
{
	return x->refused || buf_len(&x->error) > 0;
}

/* Its end will be that of all. */
static inline bool
spread_decides(const struct spread_part *p)
{
	const struct spread *x = p->base.of;

	return x->two_phase && p == x->part;
}

/* ---- spread.c ---- */
/* The whole has failed: the first reason counts. Shards are rolled back. line: of the
 * client's data; 0: none. */
void spread_fail(struct spread *x, const char *sqlstate, const char *message,
    uint64_t line);
/* All data have come: the shards are told. */
void spread_data_over(struct spread *x);

/* What has been done is undone, as far as this is up to us. */
void spread_stop(struct spread *x);
/* No part has a server, or waits for one. */
bool spread_is_quiet(const struct spread *x) PG_MUST_CHECK;
/* All is over: tell the client, or let the coordinator do it. x is gone behind it. */
void spread_finish(struct spread *x);

/* ---- spread_end.c ---- */
/* All parts could commit: begin. */
void spread_commit(struct spread *x);
/* Something has come: go on. x may be gone behind it. */
void spread_commit_step(struct spread *x);
/* A part's data row: the decider's answer. */
void spread_name(struct spread_part *p, const char *body, size_t n);
/* CommandComplete of a part that prepares or ends. */
void spread_end_done(struct spread_part *p, const char *tag);
/* A server has failed, or (NULL) is lost: does that belong to the end, and needs no
 * undoing? */
bool spread_end_failed(struct spread_part *p, const struct slice *sqlstate)
    PG_MUST_CHECK;
/* Nothing is owed and no transaction is open: keep the server? */
bool spread_keeps(struct spread_part *p) PG_MUST_CHECK;
/* ROLLBACK, or what undoes a prepared one. */
void spread_rollback(struct spread_part *p);
/* The session ends amid this. */
void spread_end_dropped(struct spread *x);

/* ---- spread_tell.c ---- */
/* part_owner.compose. */
bool spread_compose(struct part *p, struct msgwrite *w) PG_MUST_CHECK;
/* A query to a server that has been leased before. */
void spread_tell(struct spread_part *p, struct slice sql);
/* The end of the data, or that there will be none. */
void spread_end_copy(struct spread_part *p, bool good);
/* Set x->error: to this; to what the server has said. */
void spread_write_error(struct spread *x, const char *sqlstate,
    const char *message, uint64_t line);
void spread_take_error(struct spread_part *p, const char *body, size_t n);
/* The client's answer: what was done, or the error. */
void spread_tell_end(struct spread *x);

/* ---- spread_insert.c ---- */
/* The shards' portions can be told apart; set *shards to those that get one. */
bool spread_has_portions(const struct query *q, struct route_shards *shards)
    PG_MUST_CHECK;
/* Write the part's portion and enter what is owed for it. */
bool spread_write_portion(struct spread_part *p, struct msgwrite *w)
    PG_MUST_CHECK;

/* ---- spread_copy.c ---- */
/* The columns are known: which fields hold the keys. false: not all are there. */
bool spread_find_keys(struct spread *x) PG_MUST_CHECK;
/* The question for the columns of a table, whose name is given as SQL; and a row of
 * the answer. */
void spread_add_column(struct spread *x, const char *body, size_t n);
bool spread_ask_columns(const char *relation, struct buf *out) PG_MUST_CHECK;
/* The text that a shard is given. */
bool spread_copy_text(const struct spread_part *p, struct buf *out)
    PG_MUST_CHECK;
/* The CopyInResponse for the client, behind what answers the rest of its unit. */
void spread_invite(struct spread *x, const struct unit *u);
/* Send what has been dealt to the part. */
void spread_flush(struct spread_part *p);
/* The client's line for the shard's; 0: not known any more. */
uint64_t spread_line_here(const struct spread_part *p, uint64_t there);

#endif
