/* SPDX-License-Identifier: PostgreSQL
 *
 * What a shape alone says: routed tables, the backend that can serve them,
 * the places to rewrite, the static part of the cache verdict.
 *
 * A plan borrows from the configuration and from the shape's analysis and
 * must not outlive either.  Statements that no single backend can serve get
 * an error instead of a guess.  Pure; used by one worker.
 */
#include "route/gather.h"
#include "route/portion.h"
#include "route/route_priv.h"

#include <stdlib.h>

#define PLAN_NAMES_MAX 4096 /* bytes of table names in an error message */

static void
plan_error(struct route_plan *p, const char *sqlstate, char *message,
    char *hint)
{
	p->err_sqlstate = sqlstate;
	p->err_message = message;
	p->err_hint = hint;
	p->why = "no backend can run this statement";
}

/* A terminated copy of what is in b; the buffer is emptied. */
static char *
plan_take(struct buf *b)
{
	char *s = buf_len(b) > 0 ? x_strndup(buf_head(b), buf_len(b)) :
	                           x_strdup("");

	buf_reset(b);
	return s;
}

/* Texts of errors are cut at the buffer's cap, which is no failure. */
static void
plan_put(struct buf *b, const char *s)
{
	if (!buf_append(b, s, strlen(s)))
		return;
}

/* ------------------------------------------------------------------- edits */

static int
plan_compare_edits(const void *a, const void *b)
{
	const struct route_edit *x = a, *y = b;

	if (x->pos.cut != y->pos.cut)
		return x->pos.cut < y->pos.cut ? -1 : 1;
	return x->pos.off < y->pos.off ? -1 : x->pos.off > y->pos.off;
}

static struct route_edit *
plan_add_edit(struct route_plan *p, struct textpos pos, struct textpos end,
    unsigned an_table, const struct conf_table *table)
{
	struct route_edit *e = &p->edits[p->n_edits++];

	e->pos = pos;
	e->end = end;
	e->an_table = an_table;
	e->table = table;
	return e;
}

static void
plan_table_edit(struct route_plan *p, unsigned i, const struct an_table *t,
    const struct conf_table *table)
{
	struct route_edit *e = plan_add_edit(p, t->pos, t->end, i, table);

	e->name = ident_name_sql(t->name);
	e->takes_alias = t->takes_alias && !t->has_alias;
}

static void
plan_qualref_edit(struct route_plan *p, const struct an_qualref *q,
    const struct an_table *t, const struct conf_table *table)
{
	struct route_edit *e = plan_add_edit(p, q->pos, q->end, q->table,
	    table);

	e->name = ident_name_sql(t->name);
	e->column = true;
}

/* ------------------------------------------------------------------ tables */

/* What the statement's tables add up to. */
struct plan_tables {
	const struct conf_table **routed; /* per an_table; NULL: not routed */
	size_t n_routed;
	const struct an_table *unrouted;  /* the first one */
	bool several;                     /* different routed tables */
	uint64_t hidden;                  /* see route_plan_hidden() */
};

static char *
plan_ambiguous(const struct an_table *t, const struct conf_table *a,
    const struct conf_table *b)
{
	struct buf m;

	buf_init(&m, PLAN_NAMES_MAX);
	plan_put(&m, "table name \"");
	plan_put(&m, t->name);
	plan_put(&m, "\" fits several routed tables: ");
	plan_put(&m, a->name);
	plan_put(&m, ", ");
	plan_put(&m, b->name);
	return plan_take(&m);
}

/* It is a temporary one, or one of the session's hides it. */
static bool
plan_is_hidden(const struct route_plan *p, const struct an_table *t,
    uint64_t hidden)
{
	const struct analysis one = { .tables = (struct an_table *)
		(uintptr_t)t, .n_tables = 1 };

	return t->temp || (hidden != 0 &&
	    route_hidden_names(p->db, &one, hidden) != 0);
}

static bool
plan_find_tables(struct route_plan *p, const struct analysis *a,
    struct plan_tables *pt)
{
	for (size_t i = 0; i < a->n_tables; i++) {
		const struct an_table *t = &a->tables[i];
		const struct conf_table *second = NULL, *c = NULL;

		if (!plan_is_hidden(p, t, pt->hidden))
			c = route_table_find(p->db, t, &second);
		if (second != NULL) {
			plan_error(p, "0A000", plan_ambiguous(t, c, second),
			    x_strdup("Qualify the name with its schema."));
			return false;
		}
		pt->routed[i] = c;
		if (c == NULL) {
			if (pt->unrouted == NULL)
				pt->unrouted = t;
			continue;
		}
		if (pt->n_routed++ == 0) {
			p->table = c;
			p->variant = c->use;
			p->backend = c->use->backend;
			p->an_table = (unsigned)i;
		} else if (c != p->table) {
			pt->several = true;
		}
	}
	return true;
}

static bool
plan_make_edits(struct route_plan *p, const struct analysis *a,
    const struct plan_tables *pt)
{
	size_t n = pt->n_routed;

	for (size_t i = 0; i < a->n_qualrefs; i++)
		n += pt->routed[a->qualrefs[i].table] != NULL;
	if (n > ROUTE_MAX_EDITS) {
		plan_error(p, "54000",
		    x_strdup("statement names routed tables too often"),
		    x_strdup("Use aliases, or run it on a backend database "
			     "directly."));
		return false;
	}
	p->edits = x_calloc(n, sizeof(*p->edits));
	for (size_t i = 0; i < a->n_tables; i++) {
		if (pt->routed[i] != NULL && a->tables[i].placed)
			plan_table_edit(p, (unsigned)i, &a->tables[i],
			    pt->routed[i]);
	}
	for (size_t i = 0; i < a->n_qualrefs; i++) {
		unsigned k = a->qualrefs[i].table;

		if (pt->routed[k] != NULL)
			plan_qualref_edit(p, &a->qualrefs[i], &a->tables[k],
			    pt->routed[k]);
	}
	qsort(p->edits, p->n_edits, sizeof(*p->edits), plan_compare_edits);
	return true;
}

/* ------------------------------------------------------------------ errors */

static void
plan_put_backend(struct buf *m, const struct conf_backend *b)
{
	plan_put(m, " (backend ");
	plan_put(m, b->name);
	plan_put(m, ")");
}

static void
plan_put_table(struct buf *m, const struct an_table *t,
    const struct conf_table *c, const struct conf_backend *home)
{
	if (buf_len(m) > 0)
		plan_put(m, ", ");
	if (c != NULL) {
		plan_put(m, c->name);
	} else {
		if (t->schema != NULL) {
			plan_put(m, t->schema);
			plan_put(m, ".");
		}
		plan_put(m, t->name);
	}
	plan_put_backend(m, c != NULL ? c->use->backend : home);
}

/* Every table once, with the backend that would serve it. */
static void
plan_no_common_backend(struct route_plan *p, const struct analysis *a,
    const struct plan_tables *pt)
{
	static const char intro[] =
	    "no single backend serves all tables of the statement: ";
	struct buf names, m;
	char *list;

	buf_init(&names, PLAN_NAMES_MAX);
	for (size_t i = 0; i < a->n_tables && i < ROUTE_MAX_DEPS; i++) {
		bool seen = false;

		for (size_t k = 0; k < i; k++) {
			if (pt->routed[i] != NULL)
				seen |= pt->routed[k] == pt->routed[i];
			else
				seen |= pt->routed[k] == NULL &&
				    strcmp(a->tables[k].name,
					a->tables[i].name) == 0;
		}
		if (!seen)
			plan_put_table(&names, &a->tables[i], pt->routed[i],
			    p->home);
	}
	list = plan_take(&names);
	buf_init(&m, PLAN_NAMES_MAX + sizeof(intro));
	plan_put(&m, intro);
	plan_put(&m, list);
	free(list);
	plan_error(p, "0A000", plan_take(&m),
	    x_strdup("Split the statement, or let the tables use variants on "
		     "one backend."));
}

static void
plan_ddl_error(struct route_plan *p)
{
	const struct conf_table *t = p->table;
	struct buf m;

	buf_init(&m, PLAN_NAMES_MAX);
	plan_put(&m, "cannot change the definition of routed table ");
	plan_put(&m, t->name);
	plan_put(&m, ": it has the variants ");
	for (size_t i = 0; i < t->n_variants; i++) {
		if (i > 0)
			plan_put(&m, ", ");
		plan_put(&m, t->variants[i].name);
		plan_put_backend(&m, t->variants[i].backend);
	}
	plan_error(p, "0A000", plan_take(&m),
	    x_strdup("Run it on a backend database directly."));
}

/* ----------------------------------------------------------------- backend */

static bool
plan_names_column(char *const *names, size_t n, const char *column)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], column) == 0)
			return true;
	}
	return false;
}

static bool
plan_assigns_key(const struct conf_table *t, const struct analysis *a)
{
	for (size_t i = 0; i < t->n_keys; i++) {
		if (plan_names_column(a->assigned, a->n_assigned,
			t->keys[i].column))
			return true;
	}
	return false;
}

static int
plan_key_pred(const struct route_plan *p, const struct analysis *a)
{
	for (size_t i = 0; i < a->n_preds; i++) {
		const struct an_pred *d = &a->preds[i];

		if (d->n_values > 0 && d->table == p->an_table &&
		    (d->op == AN_EQ || d->op == AN_IN || d->op == AN_ROWS ||
			d->op == AN_IN_ARRAY) &&
		    route_key_of(p->table, d->column) < p->table->n_keys)
			return (int)i;
	}
	return -1;
}

/* Statements whose rows a predicate can confine to one shard or span.  What
 * may touch more than its one table (unknown functions), leaves state on the
 * session's server or is several statements stays with the backend that
 * sees everything. */
static bool
plan_is_confinable(const struct analysis *a)
{
	switch (a->kind) {
	case STMT_SELECT:
	case STMT_INSERT:
	case STMT_UPDATE:
	case STMT_DELETE:
	case STMT_MERGE:
	case STMT_EXPLAIN:
	case STMT_CURSOR:
	case STMT_COPY_OUT:
		return a->n_tables <= ROUTE_MAX_CONFINED && a->pins == 0 &&
		    !(a->flags &
			(AN_MULTI | AN_UNKNOWN_FN | AN_WRITES_ALL |
			    AN_CATALOG));
	default:
		return false;
	}
}

/* What is known of times is of one table, and no row of it moves. */
static bool
plan_keeps_period(const struct analysis *a)
{
	return a->n_tables == 1 && a->kind != STMT_MERGE && a->n_assigned == 0;
}

static void
plan_single(struct route_plan *p, const struct analysis *a)
{
	const struct conf_table *t = p->table;
	bool confinable = plan_is_confinable(a);

	p->key_pred = plan_key_pred(p, a);
	switch (p->variant->kind) {
	case VARIANT_PLAIN:
		p->why = "the plain table";
		break;
	case VARIANT_MONTHLY:
		p->why = "the backend that sees all months";
		p->may_span = confinable && a->n_tables == 1 &&
		    a->kind != STMT_MERGE && p->variant->n_spans > 0 &&
		    t->time_column != NULL &&
		    !plan_names_column(a->assigned, a->n_assigned,
			t->time_column);
		p->may_leaf = confinable && plan_keeps_period(a) &&
		    p->variant->n_shards > 0 && p->variant->n_spans == 0;
		break;
	case VARIANT_SHARDED:
		p->why = p->variant->n_shards > 0 ?
		    "the coordinator, which sees all shards" :
		    p->variant->refuted ? "the coordinator: the catalogs "
		    "contradict the configured shards" :
		    "the coordinator: the shards are not known";
		if (p->variant->n_shards == 0)
			break;
		if (p->variant->n_periods > 0) {
			p->may_shard = confinable && plan_keeps_period(a);
			break; /* and rows of one key are in all of them */
		}
		p->alike = true;
		p->may_shard = confinable;
		p->gather = gather_mode_of(p, a);
		p->may_split = portions_possible(p, a);
		break;
	}
}

/* A sharded table whose rows would get another key: PostgreSQL moves no row
 * from one foreign partition to another, it leaves it where nobody looks. */
static const struct conf_table *
plan_moves_rows(const struct analysis *a, const struct plan_tables *pt)
{
	for (size_t i = 0; i < a->n_tables; i++) {
		const struct conf_table *t = pt->routed[i];

		if (t != NULL && a->tables[i].written &&
		    t->use->kind == VARIANT_SHARDED && plan_assigns_key(t, a))
			return t;
	}
	return NULL;
}

static void
plan_moves_error(struct route_plan *p, const struct conf_table *t)
{
	struct buf m;

	buf_init(&m, PLAN_NAMES_MAX);
	plan_put(&m, "the key of sharded table ");
	plan_put(&m, t->name);
	plan_put(&m, " cannot be assigned: rows do not move between shards");
	plan_error(p, "0A000", plan_take(&m),
	    x_strdup("DELETE the row and INSERT it with its new key."));
}

/* Rows with equal keys are on the same shard, and a statement in the form of
 * one is in that of the other. */
static bool
plan_is_alike(const struct conf_table *a, const struct conf_table *b)
{
	const struct conf_variant *x = a->use, *y = b->use;

	if (x->kind != VARIANT_SHARDED || y->kind != VARIANT_SHARDED ||
	    x->backend != y->backend || x->n_shards == 0 ||
	    x->n_periods > 0 || y->n_periods > 0 ||
	    x->n_shards != y->n_shards)
		return false;
	for (size_t i = 0; i < x->n_shards; i++) {
		const struct conf_shard *s = &x->shards[i], *t = &y->shards[i];

		if (s->backend != t->backend || s->relation != t->relation ||
		    s->modulus != t->modulus || s->remainder != t->remainder)
			return false;
	}
	return true;
}

static void
plan_several(struct route_plan *p, const struct analysis *a,
    const struct plan_tables *pt)
{
	p->why = "the one backend that serves all tables named";
	p->key_pred = plan_key_pred(p, a);
	p->alike = pt->unrouted == NULL;
	for (size_t i = 0; i < a->n_tables && p->alike; i++)
		p->alike = plan_is_alike(p->table, p->tables[i]);
	p->may_shard = p->alike && plan_is_confinable(a);
	if (p->may_shard)
		p->gather = gather_mode_of(p, a);
}

static void
plan_choose(struct route_plan *p, const struct analysis *a,
    const struct plan_tables *pt)
{
	const struct conf_table *moves = plan_moves_rows(a, pt);
	bool placed = true;
	bool common = pt->unrouted == NULL || p->backend == p->home;

	for (size_t i = 0; i < a->n_tables; i++) {
		if (pt->routed[i] != NULL &&
		    pt->routed[i]->use->backend != p->backend)
			common = false;
		if (pt->routed[i] != NULL && !a->tables[i].placed)
			placed = false; /* DROP: cannot be rewritten */
	}
	if (!placed ||
	    (a->kind == STMT_DDL &&
		(p->table->n_variants > 1 ||
		    p->variant->kind == VARIANT_SHARDED)))
		plan_ddl_error(p);
	else if (moves != NULL)
		plan_moves_error(p, moves);
	else if (!common)
		plan_no_common_backend(p, a, pt);
	else if (pt->several || pt->unrouted != NULL)
		plan_several(p, a, pt);
	else
		plan_single(p, a);
}

/* ------------------------------------------------------------- experiments */

/* Of several experiments that it would take part in, in none. */
static void
plan_find_experiment(struct route_plan *p, const struct analysis *a)
{
	const struct conf_database *db = p->db;

	for (size_t k = 0; k < db->n_experiments; k++) {
		const struct conf_experiment *e = db->experiments[k];
		bool named = false;

		for (size_t i = 0; i < a->n_tables; i++)
			named = named || p->tables[i] == e->table;
		if (!named)
			continue;
		if (p->experiment != NULL) {
			p->experiment = NULL;
			return;
		}
		p->experiment = e;
		p->experiment_at = (unsigned)k;
	}
}

/* A statement that the variant in use is asked in other words takes part, too. */
static void
plan_join_experiment(struct route_plan *p)
{
	const struct conf_database *db = p->db;

	for (size_t k = 0; k < db->n_experiments; k++) {
		if (db->experiments[k]->table != p->table)
			continue;
		p->experiment = db->experiments[k];
		p->experiment_at = (unsigned)k;
	}
}

static struct route_plan *
plan_rewritten(struct route_plan *p, const struct conf *c,
    const struct conf_table *t, const struct conf_rewrite *r)
{
	struct shape *inner = x_calloc(1, sizeof(*inner));

	inner->text = r->text;
	inner->len = strlen(r->text);
	inner->an = route_analyse(c, slice_str(r->text));
	p->inner = inner;
	p->rewrite = r;
	p->table = t;
	p->variant = t->use;
	p->home = p->backend = t->use->backend;
	p->relaxed = false;
	p->why = "the variant is asked in other words: rewrite";
	route_plan_verdict(p, inner);
	plan_join_experiment(p);
	return p;
}

/* Of what a view's variant has no words for. */
static bool
plan_is_served(const struct route_plan *p, const struct analysis *a)
{
	for (size_t i = 0; i < a->n_tables; i++)
		if (p->tables[i] != NULL && p->tables[i]->use->only_rewrites)
			return false;
	return p->err_sqlstate == NULL;
}

/* -------------------------------------------------------------------- life */

static struct route_plan *
plan_new(const struct conf *c, const struct conf_database *db,
    const struct shape *s, uint64_t hidden, const struct conf_backend *home)
{
	const struct analysis *a = s->an;
	struct route_plan *p = x_calloc(1, sizeof(*p));
	struct plan_tables pt = { .n_routed = 0 };
	const struct conf_rewrite *rewrite;
	const struct conf_table *rewritten;

	p->generation = c->generation;
	p->tag_keys = c->tag_keys;
	p->n_tag_keys = c->n_tag_keys;
	p->db = db;
	p->hidden = hidden;
	p->home = p->backend = home;
	p->key_pred = -1;
	p->relaxed = true;
	p->why = hidden != 0 ? "the session's server: a temporary table "
	    "hides the routed one" : a->kind == STMT_UNPARSED ?
	    "the default backend: the statement cannot be parsed" :
	    "the default backend: no routed table is named";
	rewrite = route_translation(db, a, &rewritten);
	if (rewrite != NULL)
		return plan_rewritten(p, c, rewritten, rewrite);
	route_plan_verdict(p, s);
	if (a->n_tables == 0 || db->n_tables == 0)
		return p;
	pt.routed = calloc(a->n_tables, sizeof(*pt.routed));
	if (pt.routed == NULL) {
		plan_error(p, "53200", x_strdup("out of memory"), NULL);
		return p;
	}
	pt.hidden = hidden;
	if (a->flags & AN_MULTI) /* one may read what another has made */
		pt.hidden |= route_temp_names(db, a);
	p->tables = pt.routed;
	if (plan_find_tables(p, a, &pt) && pt.n_routed > 0) {
		p->relaxed = false;
		if (plan_make_edits(p, a, &pt))
			plan_choose(p, a, &pt);
		if (hidden == 0)
			plan_find_experiment(p, a);
	}
	p->unserved = db->base != NULL && !plan_is_served(p, a);
	return p;
}

struct route_plan *
route_plan_new(const struct conf *c, const struct conf_database *db,
    const struct shape *s)
{
	return route_plan_hidden(c, db, s, 0, db->backend);
}

struct route_plan *
route_plan_hidden(const struct conf *c, const struct conf_database *db,
    const struct shape *s, uint64_t hidden, const struct conf_backend *home)
{
	struct route_plan *p = plan_new(c, db, s, hidden, home);

	route_plan_replica(p, p->inner != NULL ? p->inner->an : s->an);
	return p;
}

void
route_plan_free(struct route_plan **pp)
{
	struct route_plan *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n_edits; i++)
		free(p->edits[i].name);
	free(p->edits);
	free(p->tables);
	free(p->err_message);
	free(p->err_hint);
	free(p->derived);
	if (p->inner != NULL)
		analysis_free(&p->inner->an);
	free(p->inner);
	free(p);
}
