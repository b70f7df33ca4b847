/* SPDX-License-Identifier: PostgreSQL
 *
 * From facts to a layout: where the parts of one variant are, whether they may
 * be asked directly, and what is wrong.
 *
 *   survey_begin()   what is configured
 *   survey_places()  facts of the variant's own backend -> places
 *   survey_found()   facts of one place, from the server it is on
 *   survey_end()     -> layout, errors, notes
 *
 * An error means that the layout must not be used; a note says why a part is
 * not asked directly, or what differs without harm.  Both say what was
 * expected and what was found.  Pure; one thread.
 */
#ifndef PGSLUICE_LAYOUT_SURVEY_H
#define PGSLUICE_LAYOUT_SURVEY_H

#include "base/buf.h"
#include "conf/layout.h"
#include "layout/bound.h"
#include "layout/facts.h"

#define SURVEY_TEXTS_MAX 64

struct survey_texts {
	size_t n;
	char *v[SURVEY_TEXTS_MAX];
};

/* One partition of the variant: a hash partition, or a leaf below a range. */
struct survey_place {
	const struct fact *fact; /* of the variant's backend */
	char *backend;    /* its name */
	char *conninfo;   /* if it is none of the configured ones; or NULL */
	char *relation;   /* there, as SQL */
	bool local;       /* on the variant's backend: nothing more to ask */
	unsigned modulus, remainder; /* of hash; modulus 0: of a range alone */
	size_t period;    /* index in the survey's periods */
	bool has_range;
	struct bound_range range;
	bool asked;
	int64_t prepared; /* pgsluice's transactions that are left there; -1: not
	                     known */
	struct facts found;
	char *no_read, *no_write;
};

struct survey {
	const struct conf *conf;
	const struct conf_table *table;
	const struct conf_variant *variant;
	struct facts facts; /* of the variant's backend */
	struct survey_place *places;
	size_t n_places;
	struct conf_period *periods; /* as found */
	size_t n_periods;
	bool timed;       /* all of them are understood, and of a timestamptz */
	const struct fact *hashed; /* the table whose key counts; or NULL */
	struct survey_texts errors, notes;
	bool contradicted; /* what was written by hand, by the catalogs */
	struct layout layout; /* valid if there are no errors */
};

/* Borrows all three. Those of a configuration in which no layout is applied,
 * so that what is in it was written by hand. */
void survey_begin(struct survey *s, const struct conf *conf,
    const struct conf_table *t, const struct conf_variant *v);
void survey_fini(struct survey *s);
/* The variant's relation as the query wants it, malloc'ed. */
char *survey_relation(const struct survey *s) PG_MUST_CHECK;
/* s->facts are complete. false: there are errors, and nothing more to ask. */
bool survey_places(struct survey *s) PG_MUST_CHECK;
/* The facts of a place are complete; why: it could not be asked (or NULL). */
void survey_found(struct survey *s, size_t place, const char *why);
/* false: there are errors; s->layout is empty, or refutes. */
bool survey_end(struct survey *s) PG_MUST_CHECK;

void survey_error(struct survey *s, const char *fmt, ...) PG_PRINTF(2, 3);
void survey_note(struct survey *s, const char *fmt, ...) PG_PRINTF(2, 3);

/* What was written by hand is not so. */
void survey_contradict(struct survey *s);

/* survey_key.c: the key of a table divided by hash, for the layout, compared
 * with what was written by hand and with that of the other tables. The column
 * of time; false: it is none by which parts can be told. */
void survey_hashed(struct survey *s, const struct fact *top);
bool survey_time(struct survey *s, const struct fact *top) PG_MUST_CHECK;
/* survey_agree.c: whether the table's month_of holds; a note, if not. */
void survey_agree(struct survey *s);
/* survey_shards.c: all places are known; what is wrong with them, what
 * contradicts what was written by hand, and the shards of the layout. */
void survey_check_doubles(struct survey *s);
void survey_check_remainders(struct survey *s);
void survey_check_shards(struct survey *s);
void survey_shards(struct survey *s);
/* survey_effect.c: what differs in effect between the top and one place. */
void survey_effects(const struct survey *s, struct survey_place *p);
/* survey_address.c: name and, if it is none of the configured backends,
 * connection string of the server that holds the foreign table. false: there
 * is not enough to go by, which is an error of s. */
bool survey_address(struct survey *s, const struct fact *f, char **backend,
    char **conninfo) PG_MUST_CHECK;
/* The foreign table's server is this backend. */
bool survey_is_backend(const struct survey *s, const struct fact *f,
    const struct conf_backend *b);
/* host:port/dbname of a foreign table, for people; malloc'ed. */
char *survey_address_text(const struct fact *f) PG_MUST_CHECK;

#endif
