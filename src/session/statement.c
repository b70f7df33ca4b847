/* SPDX-License-Identifier: PostgreSQL
 *
 * Interned statement contents and each session's names for them.  Knows
 * nothing of servers.  One worker's thread.
 */
#include "session/statement.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "sql/trailer.h"

#define STATEMENT_OVERHEAD 256

struct named_statement {
	struct htab_node node;
	struct statement *st;
	size_t len;
	char name[];
};

void
statement_table_init(struct statement_table *t)
{
	htab_init(&t->tab);
	memset(t->kept, 0, sizeof(t->kept));
}

void
statement_table_fini(struct statement_table *t)
{
	size_t set, way;

	for (set = 0; set < STATEMENT_SETS; set++)
		for (way = 0; way < STATEMENT_WAYS; way++)
			statement_unref(t, &t->kept[set][way]);
	CHECK(t->tab.count == 0);
	htab_fini(&t->tab);
}

struct statement *
statement_get(struct statement_table *t, struct slice sql,
    const struct hash128 *sql_hash, struct slice types, bool declared,
    uint64_t epoch)
{
	struct hash128 sh = sql_hash != NULL ? *sql_hash :
	    hash_bytes(sql.p, sql.n);
	struct hash128 h = hash_mix(sh, hash_bytes(types.p, types.n));
	const struct hash128 mark = { declared, epoch };
	struct htab_node *n;
	struct statement *st;
	char *p;

	if (declared || epoch > 0)
		h = hash_mix(h, mark);
	for (n = htab_find(&t->tab, h.lo); n != NULL; n = htab_next(n)) {
		st = htab_entry(n, struct statement, node);
		if (hash_eq(st->hash, h) && slice_eq(st->sql, sql) &&
		    slice_eq(st->types, types) &&
		    st->declared == declared && st->epoch == epoch) {
			st->refs++;
			return st;
		}
	}
	st = calloc(1, sizeof(*st) + sql.n + types.n);
	if (st == NULL)
		return NULL;
	p = (char *)(st + 1);
	if (sql.n > 0)
		memcpy(p, sql.p, sql.n);
	if (types.n > 0)
		memcpy(p + sql.n, types.p, types.n);
	st->sql = slice_make(p, sql.n);
	st->types = slice_make(p + sql.n, types.n);
	st->declared = declared;
	st->epoch = epoch;
	st->hash = h;
	st->sql_hash = sh;
	st->bare = trailer_cut(st->sql);
	st->bare_hash = st->bare.n == sql.n ? sh :
	    hash_bytes(st->bare.p, st->bare.n);
	st->refs = 1;
	htab_insert(&t->tab, &st->node, h.lo);
	return st;
}

void
statement_keep(struct statement_table *t, struct statement *st)
{
	struct statement **set = t->kept[st->hash.lo % STATEMENT_SETS];
	unsigned way = 0;

	if (set[0] == st || st->sql.n > STATEMENT_KEPT_MAX)
		return;
	while (way < STATEMENT_WAYS - 1 && set[way] != st)
		way++;
	if (set[way] != st) {
		statement_unref(t, &set[way]);
		statement_ref(st);
	}
	memmove(set + 1, set, way * sizeof(*set));
	set[0] = st;
}

void
statement_unref(struct statement_table *t, struct statement **stp)
{
	struct statement *st = *stp;

	*stp = NULL;
	if (st == NULL || --st->refs > 0)
		return;
	htab_remove(&t->tab, &st->node);
	statement_forget_phys(st);
	free(st);
}

void
statement_forget_phys(struct statement *st)
{
	size_t i;

	for (i = 0; i < STATEMENT_TEXTS; i++) {
		free(st->phys[i].sql);
		st->phys[i].sql = NULL;
	}
}

struct statement_phys *
statement_phys(struct statement *st, const struct conf_database *db,
    unsigned form)
{
	struct statement_phys *ph;
	size_t i;

	for (i = 0; i < STATEMENT_TEXTS; i++)
		if (st->phys[i].sql != NULL && st->phys[i].form == form &&
		    st->phys[i].db == db)
			return &st->phys[i];
	ph = &st->phys[st->next_phys++ % STATEMENT_TEXTS];
	free(ph->sql);
	ph->sql = NULL;
	return ph;
}

void
statements_init(struct statements *s)
{
	htab_init(&s->named);
	s->unnamed = NULL;
	s->bytes = 0;
}

struct clear_arg {
	struct statements *s;
	struct statement_table *t;
};

static void
named_free(struct htab_node *n, void *arg)
{
	struct clear_arg *a = arg;
	struct named_statement *ns = htab_entry(n, struct named_statement,
	    node);

	htab_remove(&a->s->named, n);
	statement_unref(a->t, &ns->st);
	free(ns);
}

static size_t
statement_cost(const struct statement *st, size_t name_len)
{
	return st->sql.n + st->types.n + name_len + STATEMENT_OVERHEAD;
}

void
statements_clear_named(struct statements *s, struct statement_table *t)
{
	struct clear_arg a = { s, t };

	htab_each(&s->named, named_free, &a);
	htab_fini(&s->named);
	htab_init(&s->named);
	s->bytes = s->unnamed != NULL ? statement_cost(s->unnamed, 0) : 0;
}

void
statements_clear(struct statements *s, struct statement_table *t)
{
	statements_clear_named(s, t);
	statements_drop_unnamed(s, t);
}

size_t
statements_count(const struct statements *s)
{
	return s->named.count + (s->unnamed != NULL);
}

static struct named_statement *
named_find(const struct statements *s, struct slice name)
{
	struct htab_node *n;
	struct named_statement *ns;

	for (n = htab_find(&s->named, hash_bytes(name.p, name.n).lo);
	    n != NULL; n = htab_next(n)) {
		ns = htab_entry(n, struct named_statement, node);
		if (slice_eq(slice_make(ns->name, ns->len), name))
			return ns;
	}
	return NULL;
}

struct statement *
statements_find(const struct statements *s, struct slice name)
{
	struct named_statement *ns;

	if (name.n == 0)
		return s->unnamed;
	ns = named_find(s, name);
	return ns != NULL ? ns->st : NULL;
}

void
statements_set(struct statements *s, struct statement_table *t,
    struct slice name, struct statement *st)
{
	struct named_statement *ns;

	if (name.n == 0) {
		statements_drop_unnamed(s, t);
		s->unnamed = st;
		s->bytes += statement_cost(st, 0);
		return;
	}
	CHECK(named_find(s, name) == NULL);
	ns = malloc(sizeof(*ns) + name.n);
	if (ns == NULL) {
		s->no_memory = true;
		statement_unref(t, &st);
		return;
	}
	ns->st = st;
	ns->len = name.n;
	memcpy(ns->name, name.p, name.n);
	htab_insert(&s->named, &ns->node, hash_bytes(name.p, name.n).lo);
	s->bytes += statement_cost(st, name.n);
}

void
statements_remove(struct statements *s, struct statement_table *t,
    struct slice name)
{
	struct named_statement *ns;

	if (name.n == 0) {
		statements_drop_unnamed(s, t);
		return;
	}
	ns = named_find(s, name);
	if (ns == NULL)
		return;
	s->bytes -= statement_cost(ns->st, ns->len);
	htab_remove(&s->named, &ns->node);
	statement_unref(t, &ns->st);
	free(ns);
}

struct each_arg {
	void (*fn)(void *arg, struct slice name, struct statement *st);
	void *arg;
};

static void
named_each(struct htab_node *n, void *arg)
{
	struct named_statement *ns = htab_entry(n, struct named_statement,
	    node);
	struct each_arg *e = arg;

	e->fn(e->arg, slice_make(ns->name, ns->len), ns->st);
}

void
statements_each(const struct statements *s, void (*fn)(void *arg,
    struct slice name, struct statement *st), void *arg)
{
	struct each_arg e = { fn, arg };

	htab_each((struct htab *)(uintptr_t)&s->named, named_each, &e);
}

void
statements_drop_unnamed(struct statements *s, struct statement_table *t)
{
	if (s->unnamed == NULL)
		return;
	s->bytes -= statement_cost(s->unnamed, 0);
	statement_unref(t, &s->unnamed);
}
