/* SPDX-License-Identifier: PostgreSQL
 *
 * What the catalogs of one backend say of the tables that cached results
 * depend on: what is read through a table, what a write to one changes, and
 * why results of some are not cached.
 *
 * Immutable once complete, shared by reference; any thread.  Relations are
 * found by name as statements write it: case, what PostgreSQL cuts off and
 * bytes beyond ASCII do not tell two names apart here, and a name without
 * schema means all of that name.  What is not named here has nothing to do
 * with the tables of cache rules but by its own name.
 */
#ifndef PGSLUICE_CONF_DEPS_H
#define PGSLUICE_CONF_DEPS_H

#include "base/hash.h"
#include "conf/conf.h"
#include "conf/ident.h"
#include "conf/vouch.h"

enum {
#define TABLE_TRAIT(sym, name, bypass) TRAIT_NO_##sym,
#include "tbl/table_traits.h"
	TRAIT_COUNT
};
#define TRAIT_BIT(sym) (1u << TRAIT_NO_##sym)
const char *deps_trait_name(unsigned trait);

/* More names in one list are not kept: "anything". */
#define DEPS_NAMES_MAX 16

/* Bare names, borrowed from the same struct deps. */
struct deps_names {
	const char **v;
	size_t n;
	bool any; /* there would be more, or it is not known */
	bool again; /* other rows than those written may change, of the table
	             written or of its parents and children */
};

struct deps_relation {
	char *schema, *name;
	char kind;             /* pg_class.relkind */
	bool asked;            /* a rule names it: reads and traits are known */
	uint32_t traits;       /* of it and of what is read through it */
	struct deps_names reads;   /* what a result that reads it depends on */
	struct deps_names changes; /* what may change with a write to it */
	/* ... with an UPDATE, or with one that only adds rows; any: changes
	 * says it. */
	struct deps_names updates, inserts;
	char *why;             /* any: because of that; or NULL */
	char folded[IDENT_FOLDED_SIZE];
};

struct deps {
	atomic_uint refs;
	char *backend;
	struct hash128 question; /* what it answers, see conf_deps_question() */
	uint64_t version;        /* see conf/vouch.h */
	char digest[40];         /* of privileges and all that is said here: the
	                            same in every process */
	struct deps_relation *v; /* by folded name */
	size_t n;
	/* Where all tables were asked for: why not all that hang on it are
	 * known; NULL: they are. */
	char *partial;
	/* Functions and operators of the users' that are not immutable: folded
	 * and sorted; as they are. */
	struct conf_strings functions, operators;
};

/* n empty relations, one reference. */
struct deps *deps_new(const char *backend, size_t n) PG_MUST_CHECK;
/* Once names are in place. */
void deps_sort(struct deps *d);
struct deps *deps_ref(struct deps *d) PG_MUST_CHECK;
void deps_unref(struct deps **dp);
void deps_names_add(struct deps_names *l, const char *name);

/* The relations that a name may mean: the first one at or behind *i, which
 * starts with 0, or NULL; *i is then behind it. schema may be NULL. */
const struct deps_relation *deps_find(const struct deps *d,
    const char *schema, const char *name, size_t *i);

/* The names hold "*": all relations are asked for. */
bool conf_deps_names_all(const struct conf_strings *names);
/* What has to be asked of a backend for a configuration: bare names of
 * relations there that rules mean or declarations name. */
void conf_deps_names(const struct conf *c, const struct conf_backend *b,
    struct conf_strings *out);
/* A set of names, malloc'ed. */
void conf_deps_names_add(struct conf_strings *names, const char *name);
void conf_deps_names_free(struct conf_strings *names);
/* The names and all else in a configuration that the answer depends on. */
struct hash128 conf_deps_question(const struct conf *c,
    const struct conf_backend *b);
/* The watch of a backend; NULL: it is not watched. */
const struct conf_watch *conf_find_watch(const struct conf *c,
    const char *backend);
/* The same text and changes with what is known now; references of its own.
 * NULL with messages in *d: a file it names is gone. Control thread. */
struct conf *conf_with_deps(const struct conf *from, struct deps *const *v,
    size_t n, struct conf_diag *d) PG_MUST_CHECK;

/* All that is known of the backends of a database holds at this moment. */
static inline bool
conf_is_vouched(const struct conf_database *db, nsec_t now)
{
	size_t i;

	for (i = 0; i < db->n_watches; i++)
		if (db->watches[i]->deps == NULL ||
		    !vouch_holds(db->watches[i]->vouch,
		    db->watches[i]->deps->version, now))
			return false;
	return true;
}

#endif
