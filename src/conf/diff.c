/* SPDX-License-Identifier: PostgreSQL
 *
 * What a reload changes, one line a difference.
 *
 * Both configurations are flattened into rows (rows.c), the rows are matched
 * by block and name.  A block that comes or goes is one line, whatever stands
 * in it.  Passwords are compared but not shown.  Any thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf_priv.h"

struct diff_row {
	char *where, *parent, *name, *value, *exact;
	bool reloadable;
};

struct diff_rows {
	struct diff_row *v;
	struct diff_row **sorted;
	size_t n, size;
};

struct diff {
	struct diff_rows from, to;
	void (*fn)(void *arg, const char *line);
	void *arg;
	int restart;
};

static void
diff_add(void *arg, const struct conf_value_row *row)
{
	struct diff_rows *d = arg;
	struct diff_row *v;

	if (d->n == d->size) {
		d->size = d->size > 0 ? 2 * d->size : 64;
		v = x_calloc(d->size, sizeof(*v));
		if (d->n > 0)
			memcpy(v, d->v, d->n * sizeof(*v));
		free(d->v);
		d->v = v;
	}
	d->v[d->n++] = (struct diff_row){ x_strdup(row->where),
		x_strdup(row->parent), x_strdup(row->name),
		x_strdup(row->value), x_strdup(row->exact), row->reloadable };
}

static int
diff_order(const void *a, const void *b)
{
	const struct diff_row *x = *(struct diff_row *const *)a;
	const struct diff_row *y = *(struct diff_row *const *)b;
	int c = strcmp(x->where, y->where);

	return c != 0 ? c : strcmp(x->name, y->name);
}

static void
diff_flatten(struct diff_rows *d, const struct conf *c)
{
	size_t i;

	conf_each_value(c, diff_add, d);
	d->sorted = x_calloc(d->n, sizeof(*d->sorted));
	for (i = 0; i < d->n; i++)
		d->sorted[i] = &d->v[i];
	qsort(d->sorted, d->n, sizeof(*d->sorted), diff_order);
}

static void
diff_rows_fini(struct diff_rows *d)
{
	struct diff_row *r;

	for (r = d->v; r < d->v + d->n; r++) {
		free(r->where);
		free(r->parent);
		free(r->name);
		free(r->value);
		explicit_bzero(r->exact, strlen(r->exact));
		free(r->exact);
	}
	free(d->v);
	free(d->sorted);
}

static const struct diff_row *
diff_find(const struct diff_rows *d, char *where, char *name)
{
	struct diff_row key = { .where = where, .name = name }, *k = &key;
	struct diff_row **found;

	found = bsearch(&k, d->sorted, d->n, sizeof(*d->sorted), diff_order);
	return found != NULL ? *found : NULL;
}

static void
diff_say(struct diff *d, const struct diff_row *row, const char *old,
    const char *new, const char *note)
{
	size_t size = strlen(row->where) + strlen(row->name) + strlen(old) +
	    strlen(new) + strlen(note) + 32;
	char *line = x_malloc(size);

	(void)snprintf(line, size, "%s%s%s: %s -> %s%s", row->where,
	    row->where[0] != '\0' ? " " : "", row->name,
	    old[0] != '\0' ? old : "none", new[0] != '\0' ? new : "none",
	    note);
	d->fn(d->arg, line);
	free(line);
}

/* A block that only one of the two has. */
static void
diff_say_block(struct diff *d, const struct diff_row *row,
    const struct diff_rows *other, const char *what)
{
	size_t size = strlen(row->where) + strlen(what) + 4;
	char *line;

	if (row->parent[0] != '\0' &&
	    diff_find(other, row->parent, (char *)"") == NULL)
		return;
	line = x_malloc(size);
	(void)snprintf(line, size, "%s: %s", row->where, what);
	d->fn(d->arg, line);
	free(line);
}

static void
diff_row(struct diff *d, const struct diff_row *row)
{
	const struct diff_row *old = diff_find(&d->from, row->where,
	    row->name);
	const char *note = "";

	if (row->name[0] == '\0') {
		if (old == NULL)
			diff_say_block(d, row, &d->from, "added");
		return;
	}
	if (old == NULL || strcmp(old->exact, row->exact) == 0)
		return;
	if (!row->reloadable) {
		d->restart++;
		note = " (takes effect after a restart)";
	} else if (strcmp(old->value, row->value) == 0) {
		note = " (a hidden part differs)";
	}
	diff_say(d, row, old->value, row->value, note);
}

int
conf_diff(const struct conf *from, const struct conf *to,
    void (*fn)(void *arg, const char *line), void *arg)
{
	struct diff d = { .fn = fn, .arg = arg };
	size_t i;

	CHECK_MAGIC(from, CONF_MAGIC);
	CHECK_MAGIC(to, CONF_MAGIC);
	diff_flatten(&d.from, from);
	diff_flatten(&d.to, to);
	for (i = 0; i < d.to.n; i++)
		diff_row(&d, &d.to.v[i]);
	for (i = 0; i < d.from.n; i++)
		if (d.from.v[i].name[0] == '\0' &&
		    diff_find(&d.to, d.from.v[i].where, (char *)"") == NULL)
			diff_say_block(&d, &d.from.v[i], &d.to, "removed");
	diff_rows_fini(&d.from);
	diff_rows_fini(&d.to);
	return d.restart;
}
