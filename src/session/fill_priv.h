/* SPDX-License-Identifier: PostgreSQL
 *
 * What the files of fills share, besides what fill.h tells everyone: a fill
 * itself, what fill.c needs of fill_key.c, and fill_record.c and fill.c of one
 * another.
 */
#ifndef PGSLUICE_SESSION_FILL_PRIV_H
#define PGSLUICE_SESSION_FILL_PRIV_H

#include "cache/life.h"
#include "session/fill.h"
#include "session/verify.h"

enum fill_phase { FILL_P_WAITING, FILL_P_LEADING };

struct fill {
	uint32_t magic;
#define FILL_MAGIC 0xf1117a3bu
	enum fill_phase phase;
	struct cache_key key;    /* slices point behind the struct */
	struct tagset tags;
	struct track_mark mark; /* of a rule that is in Redis, too */
	nsec_t mono, wall;       /* before anything was asked */
	struct life_rule life;
	nsec_t ttl_empty;
	uint32_t dice;           /* how much of it jitter takes */
	bool renews;             /* what is in L1, and will end */
	nsec_t left;             /* what its rows say, see fill_limit() */
	const struct conf_rule *rule; /* inside the session's conf */
	const struct conf_database *view; /* or the database; inside it, too */
	struct trial_mark trial; /* what hits are measured as */
	const struct live_set *live; /* of a strong rule */
	const char *db;
	bool use_l2, asked_l2;
	struct l2_request *request;
	struct l2_tokens tokens;
	struct l2_lease *lease;  /* or NULL */
	const struct scope *base; /* of the servers that may answer */
	const struct scope *scope; /* ... once at the session's settings */
	char *shared_scope;      /* for L2: what scope and key hold, in words that
	                            mean the same to other processes */
	unsigned series_l1, series_l2;
	uint64_t shape;          /* see worth.h */
	uint64_t fingerprint;    /* see object.h */
	uint32_t tenant;         /* see l1_set_tenant_share() */
	nsec_t began;            /* of looking */
	nsec_t asked;            /* a server, from here on */
	nsec_t looking, keeping; /* what looking and recording took */
	struct verify_job *verify; /* of a hit in L2 that was drawn, or NULL */
	bool drawn;
	struct buf rec;
	bool recording;
	bool has_parse;
	uint64_t ticket;         /* while WAITING */
	uint64_t session;        /* for callbacks */
	struct session_worker *sw;
};

/* Its answers look as those of servers that begin as base says. */
bool fill_fits(const struct server *srv, const struct scope *base);
/* Two processes agree on an entry only if they agree on where its tables are,
 * and on who may read them. Vouched for by fill_key(). malloc'ed, or NULL. */
char *fill_shared_scope(const struct conf_database *db,
    const struct scope *scope)
    PG_MUST_CHECK;
/* What the result depends on: of each table all rows, or those with certain
 * values as far as there is room for their tags. */
void fill_tags(struct tagset *tags, const struct query *q);
/* Whose account it is on: of all that are possible any is right. */
uint32_t fill_tenant(const struct query *q);
/* What worth.h knows the statement by. */
uint64_t fill_shape(const struct session *s, const struct query *q);

/* The session's fill is over. */
void fill_free(struct session *s);
/* Ages count from before the query was sent, in L1 too. */
void fill_date(struct object *o, const struct fill *f, nsec_t mono,
    nsec_t wall);
/* A rule may take the end of a result from its rows: its life is shortened.
 * false: it does, and they do not say, or it is over. wall: its age counts from
 * then. */
bool fill_limit(struct fill *f, struct slice desc, struct slice data,
    nsec_t wall) PG_MUST_CHECK;

#endif
