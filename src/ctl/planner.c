/* SPDX-License-Identifier: PostgreSQL
 *
 * Plans without a daemon; see planner.h.
 */
#include "ctl/planner.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/words.h"

#define PLANNER_SHAPES 1000

void
planner_init(struct planner *p, struct conf *c)
{
	const struct an_functions fns = route_functions(c);

	*p = (struct planner){ .conf = c };
	lexer_init(&p->lx);
	shape_table_init(&p->shapes, PLANNER_SHAPES, NULL);
	shape_table_clear(&p->shapes, &fns);
}

void
planner_fini(struct planner *p)
{
	shape_table_fini(&p->shapes);
	lexer_fini(&p->lx);
	conf_unref(&p->conf);
}

const struct conf_database *
planner_database(const struct planner *p, const char *name, char *why,
    size_t size)
{
	const struct conf *c = p->conf;
	const struct conf_database *d;

	if (name != NULL) {
		d = conf_find_database(c, name);
		if (d == NULL)
			snprintf(why, size, "%s: there is no database %s",
			    c->path, name);
		return d;
	}
	if (c->n_databases == 1)
		return &c->databases[0];
	snprintf(why, size, "%s: there are %zu databases, expected "
	    "--database with the name of one", c->path, c->n_databases);
	return NULL;
}

void
planner_plan(struct planner *p, const struct conf_database *db,
    struct slice sql, struct planned *out)
{
	*out = (struct planned){ .shape = shape_get(&p->shapes, &p->lx, sql,
	    true, (size_t)p->conf->max_statement_size) };
	out->plan = route_plan_new(p->conf, db, out->shape);
	out->values = (struct route_values){ .sql = sql, .lx = &p->lx,
		.now_wall = clock_wall() };
	route_decide(out->plan, out->shape, &out->values, &out->where);
}

bool
planner_plan_words(struct planner *p, const struct conf_database *db,
    const char *words, char **sql, struct planned *out)
{
	const struct analysis *a;
	bool planned;
	unsigned n;

	for (n = 0; (*sql = words_reading(words, n, &planned)) != NULL; n++) {
		planner_plan(p, db, slice_str(*sql), out);
		a = out->shape->an;
		if (a->kind != STMT_UNPARSED &&
		    (planned || !analysis_is_planned(a)))
			return true;
		planned_fini(out);
		free(*sql);
	}
	return false;
}

void
planned_fini(struct planned *pd)
{
	route_plan_free(&pd->plan);
}

bool
planned_is_known(const struct conf_table *t)
{
	const struct conf_variant *v = t->use;

	return v->n_shards > 0 || v->n_spans > 0;
}

void
planned_each_divided(const struct planned *pd,
    void (*fn)(void *arg, const struct conf_table *t, bool known), void *arg)
{
	const struct conf_table *const *tables = pd->plan->tables;
	size_t n = tables != NULL ? pd->shape->an->n_tables : 0, i, k;

	for (i = 0; i < n; i++) {
		for (k = 0; k < i && tables[k] != tables[i]; k++)
			;
		if (k == i && tables[i] != NULL &&
		    tables[i]->use->kind != VARIANT_PLAIN)
			fn(arg, tables[i], planned_is_known(tables[i]));
	}
}
