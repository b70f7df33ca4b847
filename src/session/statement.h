/* SPDX-License-Identifier: PostgreSQL
 *
 * Prepared statements of clients: content shared per worker, names per session.
 *
 * Content (text and parameter types) is interned, so that a driver that sends
 * the same Parse again finds shape and physical texts ready.  Reference counts
 * are not atomic: everything stays on one worker.
 */
#ifndef PGSLUICE_SESSION_STATEMENT_H
#define PGSLUICE_SESSION_STATEMENT_H

#include "base/hash.h"
#include "base/htab.h"
#include "base/slice.h"
#include "pgwire/msgread.h"
#include "route/route.h"
#include "session/promote.h"

/* Texts kept of one statement; those of more forms are made again. */
#define STATEMENT_TEXTS 4

struct statement_phys {
	unsigned form;
	const struct conf_database *db; /* or the view of it, whose form it is */
	char *sql;           /* NULL: not made */
	size_t n;
	struct hash128 hash; /* of text and types: name on servers */
};

struct statement {
	struct htab_node node;
	unsigned refs;
	struct hash128 hash;     /* of text and types */
	struct hash128 sql_hash; /* of the text alone */
	struct slice sql, types; /* owned, behind the struct */
	struct slice bare;       /* of sql: what the cache knows it by */
	struct hash128 bare_hash;
	bool declared;           /* by SQL's PREPARE: types is the text between
	                            name and sql, not OIDs */
	/* A name for it was made then, so that its result must keep its types
	 * once a client was told them; 0: it has no name of Parse. */
	uint64_t epoch;
	bool told;
	struct promotion promotion; /* as an unnamed statement */
	/* Physical texts, made when first needed for a configuration. */
	uint64_t generation;
	const struct conf_database *db;
	uint64_t hidden;         /* of the session they were made for */
	struct statement_phys phys[STATEMENT_TEXTS];
	unsigned next_phys;      /* is overwritten next */
};

#define STATEMENT_SETS 64
#define STATEMENT_WAYS 4
#define STATEMENT_KEPT_MAX 4096 /* bytes of text */

struct statement_table { /* per worker */
	struct htab tab;
	/* Lately sent as unnamed ones, by hash and in each set the last first:
	 * they come again, though no session holds on to them. */
	struct statement *kept[STATEMENT_SETS][STATEMENT_WAYS];
};

struct named_statement;

struct statements { /* per session */
	struct htab named;
	struct statement *unnamed;
	size_t bytes;
	bool no_memory; /* for a name: the session has to end */
};

void statement_table_init(struct statement_table *t);
void statement_table_fini(struct statement_table *t);
/* A reference to the statement of this content. NULL: out of memory. */
struct statement *statement_get(struct statement_table *t, struct slice sql,
    const struct hash128 *sql_hash, struct slice types, bool declared,
    uint64_t epoch) PG_MUST_CHECK;
static inline struct statement *
statement_ref(struct statement *st)
{
	st->refs++;
	return st;
}
/* Hold on to one for some time. */
void statement_keep(struct statement_table *t, struct statement *st);
void statement_unref(struct statement_table *t, struct statement **st);
/* The place of the text in this form; where there is none yet, one to make it
 * in, which may have been another form's. */
struct statement_phys *statement_phys(struct statement *st,
    const struct conf_database *db, unsigned form);
void statement_forget_phys(struct statement *st);

void statements_init(struct statements *s);
void statements_clear(struct statements *s, struct statement_table *t);
/* All but the unnamed one, as DEALLOCATE ALL does. */
void statements_clear_named(struct statements *s, struct statement_table *t);
size_t statements_count(const struct statements *s);
/* name empty: the unnamed one. NULL: none. Borrowed. */
struct statement *statements_find(const struct statements *s,
    struct slice name);
/* Takes over the reference. The name must be free (empty: replaced). */
void statements_set(struct statements *s, struct statement_table *t,
    struct slice name, struct statement *st);
void statements_remove(struct statements *s, struct statement_table *t,
    struct slice name);
/* Each name with its statement. */
void statements_each(const struct statements *s, void (*fn)(void *arg,
    struct slice name, struct statement *st), void *arg);
void statements_drop_unnamed(struct statements *s, struct statement_table *t);

#endif
