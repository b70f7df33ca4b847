/* SPDX-License-Identifier: PostgreSQL
 *
 * Relations of one database and how they hang together, as its catalogs say,
 * and what follows from it for cached results.
 *
 *   kin_query   what is asked
 *   kin_add()   one row of the answer
 *   kin_close() -> struct deps
 *
 * The answer is bounded: relations that hang together with those asked for,
 * and those with triggers or rules, whose writes may change anything.  Pure;
 * one thread.
 */
#ifndef PGSLUICE_LAYOUT_KIN_H
#define PGSLUICE_LAYOUT_KIN_H

#include "conf/deps.h"

#define KIN_MAX 50000u /* of one database; with more nothing is known */
#define KIN_EDGES_MAX 200000u
#define KIN_WORDS_MAX 20000u   /* functions, operators */
#define KIN_TEXT_MAX 67108864 /* bytes of views and policies */
#define KIN_ONE_TEXT_MAX 200000 /* of one; what is longer is not looked at */

/* $1: bare names of those asked for, or "*" among them. Rows in two kinds, for kin_add(). */
extern const char kin_query[];
/* One row: a digest of privileges, roles, policies and of what kin_query
 * may tell; one of settings that servers begin with; when the server's own
 * configuration was read last, in microseconds. $1: bare names of tables whose
 * columns' privileges count. */
extern const char kin_digest_query[];

enum { /* columns of kin_query */
	KIN_A, KIN_B, KIN_KIND, KIN_SCHEMA,
	KIN_NAME, KIN_PERSISTENCE, KIN_RLS, KIN_FUNCTIONS,
	KIN_RULES, KIN_CODE, KIN_TEXT, KIN_COLUMNS
};

struct kin_relation {
	uint32_t oid;
	char *schema, *name;
	char kind;        /* pg_class.relkind */
	char persistence;
	bool rls;
	char *functions;  /* of its triggers, schema.name, one a line; or NULL */
	bool rules;       /* other than a view's own */
	bool code;        /* its view or policies use functions or operators that
	                     are not builtin */
	char *text;       /* a SELECT: the view, or its policies; "": it is too
	                     long; or NULL */
};

struct kin_edge {
	uint32_t a, b; /* oids */
	char kind;     /* i: a is a child of b; v: view a reads b; p: a policy of
	                  a reads b; d, u: a foreign key changes b when rows of
	                  a are deleted, when their keys are updated */
};

struct kin {
	struct kin_relation *v;
	size_t n, room;
	struct kin_edge *edges;
	size_t n_edges, edges_room;
	bool all;            /* the caller's: all relations were asked for */
	struct conf_strings functions, operators; /* then: those of the users'
	                        that are not immutable */
	char *odd;           /* ... and what is called unseen; or NULL */
	size_t text_bytes;
};

/* false: it is no such row, or there are too many. */
bool kin_add(struct kin *r,
    const char *const cells[KIN_COLUMNS]) PG_MUST_CHECK;
void kin_fini(struct kin *r);

/* With the declarations of c for databases that use backend b. The result is
 * sorted; it has no version and no digest yet. NULL: all were asked for, and
 * more hangs together than can be followed. */
struct deps *kin_close(const struct kin *r, const struct conf *c,
    const struct conf_backend *b) PG_MUST_CHECK;

/* kin_text.c: the traits of a view's text. */
uint32_t kin_text_traits(const char *text);

#endif
