/* SPDX-License-Identifier: PostgreSQL
 *
 * SHOW SHAPES and RESET SHAPES: what statements cost, shape by shape.
 *
 * A tour adds up what the workers have counted, in one block with an index by
 * hash; it is put in order and written on the worker of the session that
 * asked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/console.h"
#include "admin/tour.h"
#include "stats/census.h"

struct shape_sum {
	uint64_t fingerprint;
	const char *database, *route;
	uint64_t calls, errors, rows, bytes;
	uint64_t outcomes[CENSUS_OUTCOMES];
	nsec_t longest;
	struct hist_view time;
	char text[CENSUS_TEXT];
};

/* Behind the sums stands the index: places + 1, 0 for none. */
struct shape_sums {
	size_t n, room, mask;
	struct shape_sum v[];
};

static uint32_t *
sums_index(struct shape_sums *all)
{
	return (uint32_t *)(void *)&all->v[all->room];
}

/* Pages that are not touched cost nothing. */
static struct shape_sums *
sums_new(size_t room)
{
	struct shape_sums *all;
	size_t slots = 16;

	while (slots < 2 * room)
		slots *= 2;
	all = x_calloc(1, sizeof(*all) + room * sizeof(all->v[0]) +
	    slots * sizeof(uint32_t));
	all->room = room;
	all->mask = slots - 1;
	return all;
}

/* NULL: there is no room for another one. */
static struct shape_sum *
sums_place(struct shape_sums *all, const struct census_shape *s)
{
	uint32_t *index = sums_index(all);
	struct shape_sum *sum;
	size_t at;

	for (at = s->node.hash & all->mask; index[at] != 0;
	    at = (at + 1) & all->mask) {
		sum = &all->v[index[at] - 1];
		if (sum->fingerprint == s->fingerprint &&
		    strcmp(sum->database, s->database) == 0)
			return sum;
	}
	if (all->n == all->room)
		return NULL;
	sum = &all->v[all->n++];
	index[at] = (uint32_t)all->n;
	sum->fingerprint = s->fingerprint;
	sum->database = s->database;
	memcpy(sum->text, s->text, sizeof(sum->text));
	return sum;
}

static void
sums_take(const struct census_shape *s, void *arg)
{
	struct shape_sum *sum = sums_place(arg, s);
	unsigned i;

	if (sum == NULL)
		return;
	sum->route = s->route;
	sum->calls += s->calls;
	sum->errors += s->errors;
	sum->rows += s->rows;
	sum->bytes += s->bytes;
	for (i = 0; i < CENSUS_OUTCOMES; i++)
		sum->outcomes[i] += s->outcomes[i];
	if (s->longest > sum->longest)
		sum->longest = s->longest;
	hist_merge(&sum->time, &s->time);
}

static void
shapes_visit(struct tour *t, struct worker *w)
{
	if (t->text == NULL)
		t->text = (char *)sums_new(2 *
		    (size_t)session_conf(w)->track_shapes_max);
	census_each(session_census(w), sums_take, t->text);
}

static int
sums_compare(const void *a, const void *b)
{
	const struct shape_sum *x = *(struct shape_sum *const *)a;
	const struct shape_sum *y = *(struct shape_sum *const *)b;

	return x->time.sum < y->time.sum ? 1 : x->time.sum > y->time.sum ? -1 :
	    0;
}

/* A bucket may end behind the longest of all. */
static void
shape_quantile(struct row *row, const struct shape_sum *s, double q)
{
	nsec_t v = hist_quantile(&s->time, q);

	row_ms(row, v < s->longest ? v : s->longest);
}

static void
shape_row(struct rows *r, const struct shape_sum *s)
{
	struct row row = { .n = 0 };
	char number[20];

	snprintf(number, sizeof(number), "%016llx",
	    (unsigned long long)s->fingerprint);
	row_str(&row, number);
	row_str(&row, s->database);
	row_str(&row, s->route);
	row_u64(&row, s->calls);
	row_u64(&row, s->errors);
	row_u64(&row, s->rows);
	row_u64(&row, s->bytes);
	row_u64(&row, s->outcomes[CENSUS_HIT]);
	row_u64(&row, s->outcomes[CENSUS_MISS]);
	row_u64(&row, s->outcomes[CENSUS_BYPASS]);
	row_ms(&row, s->time.sum);
	row_ms(&row, s->calls > 0 ? s->time.sum / s->calls : 0);
	shape_quantile(&row, s, 0.5);
	shape_quantile(&row, s, 0.95);
	shape_quantile(&row, s, 0.99);
	row_ms(&row, s->longest);
	row_str(&row, s->text);
	rows_add(r, &row);
}

static void
shapes_done(struct tour *t)
{
	struct shape_sums *all = (struct shape_sums *)(void *)t->text;
	struct shape_sum **order = x_calloc(all->n, sizeof(*order));
	size_t i;

	for (i = 0; i < all->n; i++)
		order[i] = &all->v[i];
	qsort(order, all->n, sizeof(*order), sums_compare);
	for (i = 0; i < all->n; i++)
		shape_row(&t->rows, order[i]);
	free(order);
	rows_reply(&t->rows, t->origin, t->session, "SHOW");
}

void
console_show_shapes(struct console_call *call)
{
	struct tour *t;

	if (!session_conf(call->w)->track_shapes) {
		rows_error(call->w, call->session, "55000",
		    "shapes are not counted", NULL,
		    "The setting track_shapes switches it on.");
		return;
	}
	t = tour_new(call->w, call->session);
	rows_columns(&t->rows, call->line->command->columns);
	t->visit = shapes_visit;
	t->done = shapes_done;
	tour_start(t);
}

static void
shapes_reset_visit(struct tour *t PG_UNUSED, struct worker *w)
{
	census_clear(session_census(w));
}

static void
shapes_reset_done(struct tour *t)
{
	rows_reply(&t->rows, t->origin, t->session, "RESET");
}

void
console_reset_shapes(struct console_call *call)
{
	struct tour *t = tour_new(call->w, call->session);

	t->visit = shapes_reset_visit;
	t->done = shapes_reset_done;
	tour_start(t);
}
