/* SPDX-License-Identifier: PostgreSQL
 *
 * Shared by gather.c (the course of it), gather_query.c (what is asked),
 * gather_input.c (what the servers say) and gather_reply.c (what the client is
 * told) only.
 */
#ifndef PGSLUICE_SESSION_GATHER_PRIV_H
#define PGSLUICE_SESSION_GATHER_PRIV_H

#include "route/gather.h"
#include "session/gather.h"
#include "session/part.h"

/* What one backend contributes; the last one is the final query. */
struct gather_part {
	struct part base;
	size_t left;             /* bytes of a message that is half here */
	bool drops;              /* ... which is no row */
	struct buf kept;         /* rows to be merged, or that have to wait while
	                            another part is in the middle of one */
};

struct gathering {
	struct session *s;
	struct statement *stmt;  /* referenced; NULL: a Query */
	const struct unit *unit; /* during gather_begin(); then it is at the
	                            head of the session's input */
	enum gather_mode mode;
	bool merging;            /* the final query is under way */
	bool told;               /* the client has got something */
	bool refused;            /* the coordinator shall answer */
	struct buf error;        /* what the client shall be told instead of an
	                            answer, or empty */
	struct buf desc;         /* body of the first RowDescription */
	size_t columns, visible; /* of it; the client's are the first ones */
	struct buf formats;      /* of results, as in the client's Bind */
	const struct conf_variant *to; /* inside the session's conf */
	struct route_shards shards; /* of it, that are asked */
	struct buf text;         /* what they are asked, in this form */
	unsigned form;
	struct buf final;        /* text of the final query */
	struct gather_part *floor;      /* in the middle of a row for the client */
	uint64_t rows;           /* by command tags; of the answer, once merging
	                            or not to be merged */
	uint64_t partial;        /* rows that were merged */
	size_t kept, kept_max;   /* bytes in kept of all parts */
	size_t n_parts, started; /* parts: leased or waited for */
	struct gather_part part[]; /* n_parts and one more */
};

static inline bool
gather_failing(const struct gathering *g)
{
	return g->refused || buf_len(&g->error) > 0;
}

/* ---- gather.c ---- */
/* The whole has failed, for what the client is told: the first one counts. Parts
 * under way are cancelled. */
void gather_fail(struct gathering *g, const char *sqlstate,
    const char *message);
/* The answer cannot be made of these parts. */
void gather_refuse(struct gathering *g);

/* ---- gather_query.c ---- */
/* The unit and how it is gathered, made anew. */
struct gather_view {
	struct unit u;
	struct query q;
	struct gather *how;
};
/* false: out of memory. */
bool gather_look(struct gathering *g, struct gather_view *v) PG_MUST_CHECK;
/* The text for a shard is in g->text then. how: this, or (NULL) made anew. false: out
 * of memory. */
bool gather_text_for(struct gathering *g, const struct gather *how,
    unsigned form) PG_MUST_CHECK;
/* The server is leased: write what it is asked. false: out of memory. */
bool gather_compose(struct part *p, struct msgwrite *w) PG_MUST_CHECK;

/* ---- gather_input.c ---- */
/* Bytes from a part's server. The session may be closed behind it. */
void gather_input(struct part *p, const char *data, size_t n);
/* Column i of the RowDescription that is kept. false: there is none. */
bool gather_column_at(const struct gathering *g, size_t i,
    struct gather_column *c) PG_MUST_CHECK;

/* ---- gather_reply.c ---- */
/* What goes before the first row, if it has not gone yet. */
void gather_tell_head(struct gathering *g);
/* Rows, in the wire's form. */
void gather_tell_rows(struct gathering *g, const char *p, size_t n);
/* One row: the sums of the parts' single rows of int8. false: there is one that
 * is too large. */
bool gather_tell_sums(struct gathering *g) PG_MUST_CHECK;
/* CommandComplete and ReadyForQuery; or the error and ReadyForQuery. */
void gather_tell_end(struct gathering *g);
void gather_tell_error(struct gathering *g);

#endif
