/* SPDX-License-Identifier: PostgreSQL
 *
 * What catalogs say of sharded and partitioned variants, as far as routing
 * uses it, and how it becomes part of a configuration.
 *
 * A configuration refers to one set of layouts, which stays with it through
 * reloads and changes of settings until another set takes its place.  A layout
 * belongs to a variant by its origin: what the configuration said of table,
 * variant and backend when the catalogs were read.  Where that has changed the
 * layout does not count any more.  Sets are immutable and shared by reference;
 * any thread.
 */
#ifndef PGSLUICE_CONF_LAYOUT_H
#define PGSLUICE_CONF_LAYOUT_H

#include <stdatomic.h>

#include "base/hash.h"
#include "conf/conf.h"

/* A part: of a hash, of a time, of both. */
struct layout_shard {
	char *backend;  /* its name */
	char *relation; /* there, spelled as a configuration would */
	unsigned modulus, remainder;
	unsigned period;
	char *no_read;  /* why statements must not go there directly; NULL: */
	char *no_write; /* they may */
};

/* A foreign server that is no configured backend. */
struct layout_backend {
	char *name, *conninfo;
};

struct layout {
	struct hash128 origin;
	struct conf_key *keys; /* none: none that routing can use */
	size_t n_keys;
	char *time_column; /* or NULL */
	bool id_timed;     /* see conf_variant */
	int64_t id_lo, id_hi;
	char *columns;     /* of the table, those of the system too, one a line;
	                      NULL: not known */
	bool sorts_text;   /* see conf_variant */
	/* Instead of what was configured: statements stay with the coordinator,
	 * because the catalogs contradict it. */
	bool refuted;
	struct layout_shard *shards;
	size_t n_shards;
	struct conf_period *periods;
	size_t n_periods;
	struct layout_backend *backends;
	size_t n_backends;
};

/* A column that the catalogs vouch for: equal values of it have equal hashes,
 * and a row has the value that its statement gives it. */
struct layout_tag_key {
	struct hash128 origin;
	enum conf_key_type type;
};

struct conf_layouts {
	atomic_uint refs;
	struct layout_tag_key *tag_keys;
	size_t n_tag_keys;
	size_t n;
	struct layout v[];
};

/* n empty layouts, none of n_tag_keys columns yet, one reference. */
struct conf_layouts *conf_layouts_new(size_t n, size_t n_tag_keys)
    PG_MUST_CHECK;
void conf_layouts_ref(struct conf_layouts *l);
void conf_layouts_unref(struct conf_layouts **l);
/* Both may be NULL: none. */
bool conf_layouts_eq(const struct conf_layouts *a,
    const struct conf_layouts *b);

void layout_copy(struct layout *to, const struct layout *from);
void layout_fini(struct layout *l);
bool layout_eq(const struct layout *a, const struct layout *b);
/* The one of this origin, or NULL. */
const struct layout *conf_layout_find(const struct conf_layouts *l,
    struct hash128 origin);
struct hash128 conf_layout_origin(const struct conf_table *t,
    const struct conf_variant *v);

/* Each relation whose catalogs must vouch for the key: wherever its rules' table
 * may be (conf_rule_places()), as far as that was written by hand. */
void conf_tag_key_each(const struct conf *c, const struct conf_tag_key *key,
    void (*fn)(void *arg, const struct conf_place *p), void *arg);
struct hash128 conf_tag_key_origin(const struct conf *c,
    const struct conf_tag_key *key);
const struct layout_tag_key *conf_tag_key_vouched(
    const struct conf_layouts *l, struct hash128 origin);

/* The layouts in force in c; NULL: none. Borrowed. */
struct conf_layouts *conf_layouts_of(const struct conf *c);
/* The same text and changes with these layouts; takes no reference over. NULL
 * with messages in *d: a file it names is gone. Control thread. */
struct conf *conf_with_layouts(const struct conf *from,
    struct conf_layouts *l, struct conf_diag *d) PG_MUST_CHECK;
/* The same without any: what was written by hand, to compare with. It has no
 * generation and is not to be put in force. */
struct conf *conf_bare(const struct conf *from, struct conf_diag *d)
    PG_MUST_CHECK;

#endif
