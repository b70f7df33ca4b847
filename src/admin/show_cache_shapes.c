/* SPDX-License-Identifier: PostgreSQL
 *
 * SHOW CACHE SHAPES: whether caching pays, shape by shape.
 *
 * Every worker judges by what it sees itself, so a shape has a row for each.
 * Goes from worker to worker.
 */
#include <stdio.h>

#include "admin/console.h"
#include "admin/tour.h"
#include "cache/worth.h"

static void
shape_number(struct row *row, double v)
{
	char *text = row->text[row->n];

	snprintf(text, sizeof(row->text[0]), "%.4f", v);
	row->v[row->n++] = text;
}

/* Nanoseconds as microseconds; 0: not known. */
static void
shape_time(struct row *row, nsec_t v)
{
	char *text = row->text[row->n];

	snprintf(text, sizeof(row->text[0]), "%.1f", (double)v / 1e3);
	row->v[row->n++] = v > 0 ? text : NULL;
}

static void
shape_row(const struct worth_shape *s, void *arg)
{
	struct tour *t = arg;
	struct row row = { .n = 0 };

	row_u64(&row, t->number);
	row_str(&row, s->rule);
	row_str(&row, s->passed ? "not stored" : "stored");
	if (s->judged) {
		shape_number(&row, s->ratio / 1e4);
		shape_number(&row, s->need / 1e4);
	} else {
		row_str(&row, NULL);
		row_str(&row, NULL);
	}
	shape_time(&row, s->origin);
	shape_time(&row, s->hit);
	shape_time(&row, s->added);
	row_u64(&row, s->all_lookups);
	row_u64(&row, s->all_hits);
	row_u64(&row, s->all_passed);
	row_str(&row, s->text);
	rows_add(&t->rows, &row);
}

static void
shapes_visit(struct tour *t, struct worker *w)
{
	t->number = w->id;
	worth_each(session_worth(w), shape_row, t);
}

void
console_show_cache_shapes(struct console_call *call)
{
	struct tour *t = tour_new(call->w, call->session);

	rows_columns(&t->rows, call->line->command->columns);
	t->visit = shapes_visit;
	tour_start(t);
}
