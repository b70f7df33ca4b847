/* SPDX-License-Identifier: PostgreSQL
 *
 * Databases as arms of experiments see them: the same but for the variant that
 * the experiment's table uses.
 *
 * A view is a database to routing and to the cache, with an id of its own; it
 * owns nothing but its list of tables.  There are views only of experiments
 * that are running or promoted.  Control thread.
 */
#include <stdlib.h>
#include <string.h>

#include "conf/conf_priv.h"

static bool
view_is_wanted(const struct conf_experiment *e, unsigned arm)
{
	return arm > 0 && (e->state == EXPERIMENT_RUNNING ||
	    (e->state == EXPERIMENT_PROMOTED && e->promoted == arm));
}

static bool
view_concerns(const struct conf_experiment *e, const struct conf_database *db)
{
	size_t i;

	for (i = 0; i < e->n_databases; i++)
		if (e->databases[i] == db)
			return e->state != EXPERIMENT_STOPPED;
	return false;
}

static void
view_make(struct conf *c, const struct conf_database *db,
    const struct conf_experiment *e, unsigned arm)
{
	struct conf_table *t = &c->arm_tables[c->n_views];
	struct conf_database *view = &c->views[c->n_views];
	size_t i;

	*t = *e->table;
	t->use = e->arms[arm].variant;
	*view = *db;
	view->id = (unsigned)(c->n_databases + c->n_views++);
	view->base = db;
	view->tables = x_calloc(db->n_tables, sizeof(view->tables[0]));
	for (i = 0; i < db->n_tables; i++)
		view->tables[i] = db->tables[i] == e->table ? t :
		    db->tables[i];
}

static void
view_database(struct conf *c, struct conf_database *db)
{
	const struct conf_experiment **list, *e;
	unsigned arm;
	size_t n = 0;

	list = x_calloc(c->n_experiments, sizeof(*list));
	for (e = c->experiments; e < c->experiments + c->n_experiments; e++)
		if (view_concerns(e, db))
			list[n++] = e;
	if (n == 0) {
		free(list);
		return;
	}
	db->views = x_calloc(n * CONF_ARMS_MAX, sizeof(db->views[0]));
	for (size_t i = 0; i < n; i++)
		for (arm = 0; arm < list[i]->n_arms; arm++) {
			if (!view_is_wanted(list[i], arm))
				continue;
			db->views[i * CONF_ARMS_MAX + arm] =
			    &c->views[c->n_views];
			view_make(c, db, list[i], arm);
		}
	db->experiments = list;
	db->n_experiments = n;
}

void
conf_make_views(struct conf *c)
{
	size_t i, n = 0;

	for (i = 0; i < c->n_experiments; i++)
		n += c->experiments[i].n_arms * c->experiments[i].n_databases;
	c->views = x_calloc(n, sizeof(c->views[0]));
	c->arm_tables = x_calloc(n, sizeof(c->arm_tables[0]));
	for (i = 0; i < c->n_databases; i++)
		view_database(c, &c->databases[i]);
}

void
conf_each_view(const struct conf_database *d,
    void (*fn)(void *arg, const struct conf_database *view), void *arg)
{
	size_t i;

	for (i = 0; i < d->n_experiments * CONF_ARMS_MAX; i++)
		if (d->views[i] != NULL)
			fn(arg, d->views[i]);
}

void
conf_free_views(struct conf *c)
{
	size_t i;

	for (i = 0; i < c->n_views; i++)
		free(c->views[i].tables);
	for (i = 0; i < c->n_databases; i++) {
		free((void *)(uintptr_t)c->databases[i].experiments);
		free(c->databases[i].views);
	}
	free(c->views);
	free(c->arm_tables);
}
