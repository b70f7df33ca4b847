/* SPDX-License-Identifier: PostgreSQL
 *
 * SHOW CACHE CANDIDATES: what rules would save, from the workers' ghost caches.
 *
 * A tour collects what each worker knows into one block; it is put in order
 * and written on the worker of the session that asked.  A rule is shown once,
 * beside the statement over its tables that it saves most of, so that all
 * rules of the answer together are a configuration.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/console.h"
#include "admin/tour.h"
#include "cache/ghost.h"

#define CANDIDATES_MAX 1024
#define CANDIDATES_SHOWN 100

struct candidates {
	size_t n;
	struct ghost_shape v[CANDIDATES_MAX];
};

static void
candidates_take(const struct ghost_shape *s, void *arg)
{
	struct candidates *all = arg;
	size_t i;

	for (i = 0; i < all->n; i++)
		if (all->v[i].id == s->id) {
			ghost_merge(&all->v[i], s);
			return;
		}
	if (all->n < CANDIDATES_MAX)
		all->v[all->n++] = *s;
}

static void
candidates_visit(struct tour *t, struct worker *w)
{
	if (t->text == NULL)
		t->text = x_calloc(1, sizeof(struct candidates));
	session_each_candidate(w, candidates_take, t->text);
}

/* What would save most comes first, then what takes most. */
static int
candidates_compare(const void *a, const void *b)
{
	const struct ghost_shape *x = a, *y = b;

	if (x->saved != y->saved)
		return x->saved < y->saved ? 1 : -1;
	return x->took < y->took ? 1 : x->took > y->took ? -1 : 0;
}

/* A rule that has been shown, or none that can be written. */
static bool
candidates_ruled(const struct candidates *all, size_t i)
{
	const struct ghost_shape *s = &all->v[i];
	size_t k;

	if (s->tables[0] == '\0' || s->hits == 0)
		return true;
	for (k = 0; k < i; k++)
		if (strcmp(all->v[k].tables, s->tables) == 0 &&
		    strcmp(all->v[k].database, s->database) == 0)
			return true;
	return false;
}

/* Ready to be pasted. Its name is only to be another one each time. */
static void
candidates_rule(const struct ghost_shape *s, char *out, size_t size)
{
	snprintf(out, size, "cache \"candidate %016llx\" { databases = {\"%s\"} "
	    "tables = {%s} ttl = \"60s\" }", (unsigned long long)s->id,
	    s->database, s->tables);
}

static void
candidates_row(struct rows *r, const struct candidates *all, size_t i)
{
	const struct ghost_shape *s = &all->v[i];
	struct row row = { .n = 0 };
	char rule[600] = "";

	if (!candidates_ruled(all, i))
		candidates_rule(s, rule, sizeof(rule));
	row_str(&row, s->database);
	row_ms(&row, s->saved);
	row_u64(&row, s->count);
	row_u64(&row, s->hits);
	row_u64(&row, s->written);
	row_ms(&row, s->took / s->count);
	row_u64(&row, s->bytes / s->count);
	row_u64(&row, s->writes);
	row_u64(&row, (s->last - s->first) / NSEC_PER_SEC);
	row_str(&row, s->query);
	row_str(&row, rule);
	rows_add(r, &row);
}

static void
candidates_done(struct tour *t)
{
	struct candidates *all = (struct candidates *)(void *)t->text;
	size_t i;

	qsort(all->v, all->n, sizeof(all->v[0]), candidates_compare);
	for (i = 0; i < all->n && i < CANDIDATES_SHOWN; i++)
		candidates_row(&t->rows, all, i);
	rows_reply(&t->rows, t->origin, t->session, "SHOW");
}

void
console_show_cache_candidates(struct console_call *call)
{
	struct tour *t = tour_new(call->w, call->session);

	rows_columns(&t->rows, call->line->command->columns);
	t->visit = candidates_visit;
	t->done = candidates_done;
	tour_start(t);
}
