/* SPDX-License-Identifier: PostgreSQL
 *
 * From relations and what links them to what cached results depend on and what
 * writes change.
 *
 * Parents and children.  A result that reads a table records its name and those
 * of its ancestors.  A write to a table bumps its name, those of its
 * ancestors, and those of other ancestors that its descendants have: whoever
 * reads a descendant has recorded the table itself.  So neither list grows
 * with the number of partitions.
 *
 * A walk visits each relation once for each way of looking at it.  All walks
 * together have a budget of steps, which are links looked at; when it is used
 * up, what is left over may read, and its writes may change, anything.  Where
 * all relations were asked for, that would be at the cost of those that rules
 * name: then nothing is said.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layout/kin.h"

#define CLOSE_STEPS_MAX 20000000u

/* Ways of looking at a relation in one walk; and the same, shifted, for those
 * that a write to others changes. */
enum {
	CLOSE_NAMED = 1,  /* it is read, or written by its name */
	CLOSE_BELOW = 2,  /* it is a descendant of one that is */
	CLOSE_ABOVE = 4,  /* ... an ancestor */
	CLOSE_SHIFT = 3
};
#define CLOSE_DIRECT (CLOSE_NAMED | CLOSE_BELOW | CLOSE_ABOVE)
#define CLOSE_TARGET (CLOSE_NAMED << CLOSE_SHIFT)

struct close_link { /* of the relation at place from */
	uint32_t from, to;
	char kind; /* as kin_edge.kind; c: to is a child of from */
};

struct close_visit {
	uint32_t at;
	uint8_t how;
};

enum close_verb { CLOSE_ANY, CLOSE_UPDATE, CLOSE_INSERT };

struct close_place {
	uint32_t oid, at;
};

/* A declaration, with what its names mean here. */
struct close_writes {
	const struct conf_writes *w;
	uint32_t *also; /* places */
	size_t n;
};

struct close {
	const struct kin *r;
	const struct conf_strings *readonly; /* functions */
	struct deps *deps;        /* relations at the places of r, until the end */
	struct close_place *by_oid;
	struct close_link *links; /* by from, to parents first */
	size_t n_links;
	uint32_t *first;          /* link of each place, and one more */
	struct close_writes *writes;
	size_t n_writes;
	bool *declared;           /* of each place: some of writes is of it */
	/* of one walk: */
	uint32_t walk, *walked;   /* number of the walk that seen is of */
	uint8_t *seen;
	struct close_visit *todo; /* those that are done stay in front */
	size_t n_todo, todo_room;
	size_t steps;
};

/* ------------------------------------------------------------ index */

static int
close_compare_place(const void *a, const void *b)
{
	const struct close_place *x = a, *y = b;

	return x->oid < y->oid ? -1 : x->oid > y->oid;
}

static int
close_compare_link(const void *a, const void *b)
{
	const struct close_link *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return (x->kind != 'i') - (y->kind != 'i');
}

static bool
close_find(const struct close *c, uint32_t oid, uint32_t *at)
{
	const struct close_place key = { oid, 0 };
	const struct close_place *p = c->r->n == 0 ? NULL : bsearch(&key,
	    c->by_oid, c->r->n, sizeof(key), close_compare_place);

	if (p != NULL)
		*at = p->at;
	return p != NULL;
}

static void
close_index_links(struct close *c)
{
	const struct kin_edge *e;
	uint32_t a, b, from;
	size_t i;

	c->links = x_calloc(2 * c->r->n_edges, sizeof(c->links[0]));
	for (i = 0; i < c->r->n_edges; i++) {
		e = &c->r->edges[i];
		if (!close_find(c, e->a, &a) || !close_find(c, e->b, &b))
			continue;
		c->links[c->n_links++] = (struct close_link){ a, b, e->kind };
		if (e->kind == 'i')
			c->links[c->n_links++] =
			    (struct close_link){ b, a, 'c' };
	}
	if (c->n_links > 0)
		qsort(c->links, c->n_links, sizeof(c->links[0]),
		    close_compare_link);
	c->first = x_calloc(c->r->n + 1, sizeof(c->first[0]));
	for (i = 0, from = 0; from <= c->r->n; from++) {
		while (i < c->n_links && c->links[i].from < from)
			i++;
		c->first[from] = (uint32_t)i;
	}
}

static void
close_index(struct close *c)
{
	size_t n = c->r->n, i;

	c->by_oid = x_calloc(n, sizeof(c->by_oid[0]));
	for (i = 0; i < n; i++)
		c->by_oid[i] = (struct close_place){ c->r->v[i].oid,
			(uint32_t)i };
	if (n > 0)
		qsort(c->by_oid, n, sizeof(c->by_oid[0]), close_compare_place);
	close_index_links(c);
	c->walked = x_calloc(n, sizeof(c->walked[0]));
	c->seen = x_calloc(n, sizeof(c->seen[0]));
	c->declared = x_calloc(n, sizeof(c->declared[0]));
}

/* ------------------------------------------------------------ declarations */

static void
close_declare(struct close *c, const struct conf_writes *w)
{
	struct close_writes *d = &c->writes[c->n_writes++];
	const struct kin_relation *r;
	size_t i, k;

	d->w = w;
	d->also = x_calloc(c->r->n, sizeof(d->also[0]));
	for (i = 0; i < c->r->n; i++) {
		r = &c->r->v[i];
		if (ident_is_table(w->name, r->schema, r->name))
			c->declared[i] = true;
		for (k = 0; k < w->also.n; k++)
			if (ident_is_table(w->also.v[k], r->schema, r->name)) {
				d->also[d->n++] = (uint32_t)i;
				break;
			}
	}
}

/* What one database says of a table of the backend holds for all. */
static void
close_declarations(struct close *c, const struct conf *conf,
    const struct conf_backend *b)
{
	const struct conf_database *db;
	size_t i, k;

	c->writes = x_calloc(conf->n_writes * conf->n_databases,
	    sizeof(c->writes[0]));
	for (i = 0; i < conf->n_databases; i++) {
		db = &conf->databases[i];
		for (k = 0; k < db->n_writes; k++)
			if (conf_database_reaches(db, b->name))
				close_declare(c, db->writes[k]);
	}
}

/* A trigger function that is said to write nothing. */
static bool
close_is_readonly(const struct close *c, const char *function, size_t len)
{
	char *name = x_strndup(function, len), *dot = strchr(name, '.');
	bool is = false;
	size_t i;

	for (i = 0; i < c->readonly->n && !is; i++)
		is = strcmp(c->readonly->v[i], name) == 0 ||
		    (dot != NULL && strcmp(c->readonly->v[i], dot + 1) == 0);
	free(name);
	return is;
}

/* What may write anything when the table is written; malloc'ed, or NULL. */
static char *
close_acts(const struct close *c, const struct kin_relation *r)
{
	const char *f = r->functions;
	char text[512];
	size_t len;

	if (r->rules) {
		snprintf(text, sizeof(text), "rules on %s.%s", r->schema,
		    r->name);
		return x_strdup(text);
	}
	for (; f != NULL && *f != '\0'; f += len + (f[len] == '\n')) {
		len = strcspn(f, "\n");
		if (close_is_readonly(c, f, len))
			continue;
		snprintf(text, sizeof(text), "trigger function %.*s on %s.%s",
		    (int)len, f, r->schema, r->name);
		return x_strdup(text);
	}
	return NULL;
}

/* ------------------------------------------------------------ walks */

static void
close_begin(struct close *c)
{
	c->walk++;
	c->n_todo = 0;
}

static bool
close_is_over(const struct close *c)
{
	return c->steps > CLOSE_STEPS_MAX;
}

static void
close_visit(struct close *c, uint32_t at, uint8_t how)
{
	if (c->walked[at] != c->walk) {
		c->walked[at] = c->walk;
		c->seen[at] = 0;
	}
	if (c->seen[at] & how)
		return;
	c->seen[at] |= how;
	if (c->n_todo == c->todo_room) {
		c->todo_room = c->todo_room == 0 ? 256 : 2 * c->todo_room;
		c->todo = realloc(c->todo, c->todo_room * sizeof(c->todo[0]));
		CHECK(c->todo != NULL);
	}
	c->todo[c->n_todo++] = (struct close_visit){ at, how };
}

static uint32_t
close_traits(const struct kin_relation *r)
{
	uint32_t traits = 0;

	if (r->persistence == 'u')
		traits |= TRAIT_BIT(UNLOGGED);
	if (r->kind == 'f')
		traits |= TRAIT_BIT(FOREIGN);
	return traits;
}

/* ... of one that is read by its name. */
static uint32_t
close_read_traits(const struct kin_relation *r)
{
	uint32_t traits = close_traits(r), text = 0;

	if (r->text != NULL)
		text = kin_text_traits(r->text);
	else if (r->kind == 'v')
		text = TRAIT_BIT(UNKNOWN_FN);
	if (r->code)
		text |= TRAIT_BIT(UNKNOWN_FN);
	if (r->rls) {
		/* Stable is who the user is and what the settings are, and
		 * those are in the key. */
		traits |= TRAIT_BIT(RLS);
		text &= ~TRAIT_BIT(STABLE);
	}
	return traits | text;
}

static void
close_read_visit(struct close *c, struct deps_relation *d,
    struct close_visit v)
{
	const struct kin_relation *r = &c->r->v[v.at];
	const struct close_link *l;
	uint32_t i;

	if (v.how == CLOSE_NAMED)
		d->traits |= close_read_traits(r);
	else if (v.how == CLOSE_BELOW)
		d->traits |= close_traits(r);
	if (v.how != CLOSE_BELOW)
		deps_names_add(&d->reads, c->deps->v[v.at].name);
	for (i = c->first[v.at]; i < c->first[v.at + 1]; i++) {
		l = &c->links[i];
		c->steps++;
		if (v.how == CLOSE_ABOVE && l->kind != 'i')
			break;
		if (l->kind == 'i' && v.how != CLOSE_BELOW)
			close_visit(c, l->to, CLOSE_ABOVE);
		else if (l->kind == 'c')
			close_visit(c, l->to, CLOSE_BELOW);
		else if (v.how == CLOSE_NAMED && (l->kind == 'v' ||
		    (l->kind == 'p' && r->rls)))
			close_visit(c, l->to, CLOSE_NAMED);
	}
}

static void
close_reads(struct close *c, uint32_t at)
{
	struct deps_relation *d = &c->deps->v[at];
	size_t i;

	close_begin(c);
	d->asked = true;
	close_visit(c, at, CLOSE_NAMED);
	for (i = 0; i < c->n_todo && !d->reads.any; i++) {
		close_read_visit(c, d, c->todo[i]);
		d->reads.any |= close_is_over(c);
	}
}

/* false: it may write anything. */
static bool
close_write_acts(struct close *c, struct deps_relation *d, uint32_t at)
{
	const struct kin_relation *r = &c->r->v[at];
	const struct close_writes *w;
	char *why;
	size_t i, k;

	for (k = 0; k < c->n_writes && c->declared[at]; k++) {
		w = &c->writes[k];
		c->steps += 1 + w->n;
		for (i = 0; i < w->n && ident_is_table(w->w->name, r->schema,
		    r->name); i++)
			close_visit(c, w->also[i], CLOSE_TARGET);
	}
	if (c->declared[at])
		return true;
	why = close_acts(c, r);
	if (why == NULL)
		return true;
	free(d->why);
	d->why = why;
	return false;
}

static bool
close_follows(const struct close_link *l, enum close_verb verb)
{
	return (l->kind == 'u' && verb != CLOSE_INSERT) ||
	    (l->kind == 'd' && verb == CLOSE_ANY);
}

static bool
close_write_visit(struct close *c, struct deps_relation *d,
    struct deps_names *out, struct close_visit v, enum close_verb verb)
{
	unsigned shift = v.how > CLOSE_DIRECT ? CLOSE_SHIFT : 0;
	unsigned how = v.how >> shift;
	const struct close_link *l;
	uint32_t i;

	/* A trigger may do other things to other tables; and an UPDATE that
	 * moves a row to another partition may count as a DELETE. */
	if (how != CLOSE_ABOVE && verb != CLOSE_ANY && (c->declared[v.at] ||
	    (verb == CLOSE_UPDATE && c->r->v[v.at].kind == 'p')))
		return false;
	if (how != CLOSE_ABOVE && !close_write_acts(c, d, v.at))
		return false;
	if (how == CLOSE_NAMED)
		deps_names_add(out, c->deps->v[v.at].name);
	for (i = c->first[v.at]; i < c->first[v.at + 1]; i++) {
		l = &c->links[i];
		c->steps++;
		if (how == CLOSE_ABOVE && l->kind != 'i')
			break;
		if (l->kind == 'i')
			close_visit(c, l->to, (uint8_t)(CLOSE_ABOVE << shift));
		else if (l->kind == 'c')
			close_visit(c, l->to, (uint8_t)(CLOSE_BELOW << shift));
		else if (l->kind == 'v')
			close_visit(c, l->to, (uint8_t)(CLOSE_NAMED << shift));
		else if (close_follows(l, verb))
			close_visit(c, l->to, CLOSE_TARGET);
	}
	return true;
}

/* Who reads what is below has recorded what it is below of. */
static void
close_write_ends(struct close *c, struct deps_names *out)
{
	const uint8_t written = CLOSE_NAMED | CLOSE_BELOW;
	uint8_t seen;
	size_t i;

	for (i = 0; i < c->n_todo && !out->any; i++) {
		seen = c->seen[c->todo[i].at];
		if ((seen & (written | written << CLOSE_SHIFT)) == 0)
			deps_names_add(out, c->deps->v[c->todo[i].at].name);
		out->again |= (seen & CLOSE_DIRECT) != 0 &&
		    (seen >> CLOSE_SHIFT) != 0;
	}
}

static void
close_written(struct close *c, uint32_t at, struct deps_names *out,
    enum close_verb verb)
{
	struct deps_relation *d = &c->deps->v[at];
	size_t i;

	close_begin(c);
	close_visit(c, at, CLOSE_NAMED);
	for (i = 0; i < c->n_todo && !out->any; i++)
		if (!close_write_visit(c, d, out, c->todo[i], verb) ||
		    close_is_over(c))
			out->any = true;
	close_write_ends(c, out);
}

static void
close_writes(struct close *c, uint32_t at)
{
	struct deps_relation *d = &c->deps->v[at];

	close_written(c, at, &d->changes, CLOSE_ANY);
	close_written(c, at, &d->updates, CLOSE_UPDATE);
	close_written(c, at, &d->inserts, CLOSE_INSERT);
}

/* ------------------------------------------------------------ all of it */

static bool
close_is_asked(const struct close *c, const struct conf_strings *names,
    const struct kin_relation *r)
{
	char a[IDENT_FOLDED_SIZE], b[IDENT_FOLDED_SIZE];
	size_t i;

	if (c->r->all)
		return true;
	ident_fold(r->name, a);
	for (i = 0; i < names->n; i++) {
		ident_fold(names->v[i], b);
		if (strcmp(a, b) == 0)
			return true;
	}
	return false;
}

static bool
close_says_nothing(const struct close *c)
{
	return c->r->all && close_is_over(c);
}

static void
close_relations(struct close *c, const struct conf_strings *names)
{
	struct deps_relation *d;
	uint32_t i;

	for (i = 0; i < c->r->n; i++) {
		d = &c->deps->v[i];
		d->schema = x_strdup(c->r->v[i].schema);
		d->name = x_strdup(c->r->v[i].name);
		d->kind = c->r->v[i].kind;
	}
	for (i = 0; i < c->r->n && !close_says_nothing(c); i++) {
		if (close_is_asked(c, names, &c->r->v[i]))
			close_reads(c, i);
		close_writes(c, i);
	}
}

static int
close_compare_words(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* For rules that are for all tables. */
static void
close_words(struct close *c)
{
	char folded[IDENT_FOLDED_SIZE];
	struct deps *d = c->deps;
	size_t i;

	for (i = 0; i < c->r->functions.n; i++) {
		ident_fold(c->r->functions.v[i], folded);
		conf_strings_add(&d->functions, folded);
	}
	if (d->functions.n > 0)
		qsort(d->functions.v, d->functions.n,
		    sizeof(d->functions.v[0]), close_compare_words);
	for (i = 0; i < c->r->operators.n; i++)
		conf_strings_add(&d->operators, c->r->operators.v[i]);
	if (c->r->odd != NULL)
		CHECK(asprintf(&d->partial, "not immutable, and called "
		    "unseen: %s", c->r->odd) >= 0);
}

struct deps *
kin_close(const struct kin *r, const struct conf *conf,
    const struct conf_backend *b)
{
	struct close c = { .r = r, .readonly = &conf->readonly_functions,
		.deps = deps_new(b->name, r->n) };
	struct conf_strings names = { .n = 0 };
	size_t i;

	close_index(&c);
	close_declarations(&c, conf, b);
	conf_deps_names(conf, b, &names);
	close_relations(&c, &names);
	close_words(&c);
	c.deps->question = conf_deps_question(conf, b);
	deps_sort(c.deps);
	if (close_says_nothing(&c))
		deps_unref(&c.deps);
	conf_deps_names_free(&names);
	for (i = 0; i < c.n_writes; i++)
		free(c.writes[i].also);
	free(c.writes);
	free(c.by_oid);
	free(c.links);
	free(c.first);
	free(c.declared);
	free(c.walked);
	free(c.seen);
	free(c.todo);
	return c.deps;
}
