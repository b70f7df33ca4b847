/* SPDX-License-Identifier: PostgreSQL
 *
 * From changes to tags: what ends when a row of a relation changes.
 *
 * A change of a partition is one of its parents, too, and routed tables go by
 * their logical name.  The catalogs are read whole now and then; a relation
 * that has come up since means everything until they are read again.  The
 * feed's thread.
 */
#ifndef PGSLUICE_FEED_RELATIONS_H
#define PGSLUICE_FEED_RELATIONS_H

#include "base/htab.h"
#include "conf/conf.h"
#include "feed/pgoutput.h"
#include "feed/settle.h"

/* Gives rows of two columns: the oid of a table, and the name of it or of a
 * table that it is part of. */
extern const char relations_query[];
/* With more rows every change means everything. */
#define RELATIONS_MAX 200000

struct relations {
	struct htab by_oid;
	bool all;             /* there are too many */
	bool loaded;          /* catalogs have been read before */
	/* A tag that means another, too: physical to logical names. */
	struct relations_alias {
		tag_t from, to;
	} *aliases;
	size_t n_aliases;
	const struct conf *conf; /* whose columns tell rows apart; or NULL */
};

void relations_init(struct relations *r);
void relations_fini(struct relations *r);
/* Take logical names and columns from a configuration, which has to last; the
 * catalogs are to be read again. */
void relations_use(struct relations *r, const struct conf *c);
/* Read the catalogs: begin, each row, end. From the second time on changed is
 * told which tables have won or lost parts, and names that are gone. */
void relations_load(struct relations *r);
void relations_row(struct relations *r, uint32_t oid, const char *name);
void relations_loaded(struct relations *r,
    void (*changed)(void *arg, tag_t tag), void *arg);
/* The description of a relation has come: the catalogs should be read. */
void relations_described(struct relations *r, const struct pgo_message *m);
/* What a change ends is added to t. */
void relations_change(const struct relations *r, const struct pgo_message *m,
    struct feed_tags *t);

#endif
