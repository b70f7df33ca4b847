/* SPDX-License-Identifier: PostgreSQL
 *
 * Shapes of the page: what was called between two looks; see page_priv.h.  Pure.
 *
 * A shape with fewer calls or less time than before has begun anew: the daemon was
 * restarted, or RESET SHAPES was said.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/page_priv.h"

struct shape_row {
	const struct look_shape *shape;
	uint64_t calls;
	double ms;
};

/* ---- order ------------------------------------------------------------------- */

static int
shapes_by_name(const void *a, const void *b)
{
	const struct look_shape *const *x = a, *const *y = b;
	int c = strcmp((*x)->number, (*y)->number);

	return c != 0 ? c : strcmp((*x)->database, (*y)->database);
}

static int
shapes_by_time(const void *a, const void *b)
{
	const struct shape_row *x = a, *y = b;

	return page_order(x->ms, y->ms);
}

static int
shapes_by_calls(const void *a, const void *b)
{
	const struct shape_row *x = a, *y = b;

	return page_order((double)x->calls, (double)y->calls);
}

static int
shapes_by_mean(const void *a, const void *b)
{
	const struct shape_row *x = a, *y = b;

	return page_order(x->ms / (double)x->calls, y->ms / (double)y->calls);
}

/* ---- the section -------------------------------------------------------------- */

/* Rows of those that were called in between. */
static size_t
shapes_between(const struct look *old, const struct look *now,
    struct shape_row *rows)
{
	const struct look_shape **before = x_calloc(old->n_shapes + 1,
	    sizeof(*before)), **found;
	const struct look_shape *s, *was;
	size_t n = 0, i;

	for (i = 0; i < old->n_shapes; i++)
		before[i] = &old->shapes[i];
	qsort(before, old->n_shapes, sizeof(*before), shapes_by_name);
	for (i = 0; i < now->n_shapes; i++) {
		s = &now->shapes[i];
		found = bsearch(&s, before, old->n_shapes, sizeof(*before),
		    shapes_by_name);
		rows[n] = (struct shape_row){ s, s->calls, s->total_ms };
		was = found != NULL ? *found : NULL;
		if (was != NULL && was->calls <= s->calls &&
		    was->total_ms <= s->total_ms) {
			rows[n].calls -= was->calls;
			rows[n].ms -= was->total_ms;
		}
		n += rows[n].calls > 0;
	}
	free(before);
	return n;
}

static void
shapes_head(struct writing *w)
{
	say(w, "%10s %12s %10s shape", "ms/s", "statements/s", "mean ms");
}

static void
shapes_row(struct writing *w, const struct section *s, size_t i)
{
	const struct shape_row *row = (const struct shape_row *)s->rows + i;

	say(w, "%10.1f %12.1f %10.3f %s: %s", row->ms / w->took,
	    (double)row->calls / w->took, row->ms / (double)row->calls,
	    row->shape->database, row->shape->text);
}

struct section
page_shapes(const struct writing *w)
{
	static int (*const order[])(const void *, const void *) = {
		[PAGE_BY_TIME] = shapes_by_time,
		[PAGE_BY_CALLS] = shapes_by_calls,
		[PAGE_BY_P99] = shapes_by_mean };
	struct shape_row *rows;
	size_t n;

	if (w->now->shapes_off)
		return (struct section){ .none = "shapes are not counted: "
		    "the setting track_shapes switches it on" };
	rows = x_calloc(w->now->n_shapes + 1, sizeof(*rows));
	n = shapes_between(w->old, w->now, rows);
	qsort(rows, n, sizeof(*rows), order[w->p->sort]);
	return (struct section){ "no shapes", n, rows, shapes_head,
		shapes_row };
}
