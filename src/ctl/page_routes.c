/* SPDX-License-Identifier: PostgreSQL
 *
 * Routes of the page: what statements took between two looks, by route and
 * variant; see page_priv.h.  Pure.
 *
 * A distribution that holds less than before, as a whole or in a bucket, has begun
 * anew: the daemon was restarted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/page_priv.h"

struct route_row {
	const char *route, *variant;
	struct hist_view time;
	uint64_t hits;
};

/* ---- differences -------------------------------------------------------------- */

/* What was recorded between the two; old may be NULL. */
static void
hist_since(const struct hist_view *old, const struct hist_view *now,
    struct hist_view *into)
{
	unsigned b;
	uint64_t n;

	for (b = 0; b < HIST_BUCKETS; b++) {
		n = page_since(old == NULL || old->count > now->count ? 0 :
		    old->bucket[b], now->bucket[b]);
		into->bucket[b] += n;
		into->count += n;
		/* What it took, to the accuracy of a bucket. */
		into->sum += n * (hist_bucket_upper(b) / 2 +
		    (b > 0 ? hist_bucket_upper(b - 1) : 0) / 2);
	}
}

static const struct look_series *
series_before(const struct look *old, const struct look_series *s, size_t at)
{
	size_t i, k;

	/* Most often it is at the same place. */
	for (i = 0; i < old->n_series; i++) {
		k = (at + i) % old->n_series;
		if (strcmp(old->series[k].route, s->route) == 0 &&
		    strcmp(old->series[k].variant, s->variant) == 0 &&
		    strcmp(old->series[k].outcome, s->outcome) == 0)
			return &old->series[k];
	}
	return NULL;
}

/* ---- rows ------------------------------------------------------------------------ */

/* The row of a series among n; a new one if there is none. */
static struct route_row *
routes_row_of(struct route_row *rows, size_t *n, const struct look_series *s)
{
	size_t i;

	for (i = *n; i > 0; i--)
		if (strcmp(rows[i - 1].route, s->route) == 0 &&
		    strcmp(rows[i - 1].variant, s->variant) == 0)
			return &rows[i - 1];
	rows[*n] = (struct route_row){ .route = s->route,
		.variant = s->variant };
	return &rows[(*n)++];
}

static void
routes_count(struct route_row *row, struct layers *l, const char *outcome,
    uint64_t n)
{
	l->all += n;
	if (strcmp(outcome, "l1") == 0)
		l->l1 += n;
	else if (strcmp(outcome, "l2") == 0)
		l->l2 += n;
	else if (strcmp(outcome, "miss") == 0)
		l->miss += n;
	else if (strcmp(outcome, "bypass") == 0)
		l->bypass += n;
	if (strcmp(outcome, "l1") == 0 || strcmp(outcome, "l2") == 0)
		row->hits += n;
}

static size_t
routes_between(const struct writing *w, struct route_row *rows,
    struct layers *layers)
{
	const struct look_series *s, *before;
	struct route_row *row;
	size_t n = 0, kept = 0, i;
	uint64_t had;

	for (i = 0; i < w->now->n_series; i++) {
		s = &w->now->series[i];
		before = series_before(w->old, s, i);
		row = routes_row_of(rows, &n, s);
		had = row->time.count;
		hist_since(before != NULL ? &before->time : NULL, &s->time,
		    &row->time);
		routes_count(row, layers, s->outcome, row->time.count - had);
	}
	for (i = 0; i < n; i++)
		if (rows[i].time.count > 0)
			rows[kept++] = rows[i];
	return kept;
}

/* ---- order ------------------------------------------------------------------------- */

static int
routes_by_time(const void *a, const void *b)
{
	const struct route_row *x = a, *y = b;

	return page_order((double)x->time.sum, (double)y->time.sum);
}

static int
routes_by_calls(const void *a, const void *b)
{
	const struct route_row *x = a, *y = b;

	return page_order((double)x->time.count, (double)y->time.count);
}

static int
routes_by_p99(const void *a, const void *b)
{
	const struct route_row *x = a, *y = b;

	return page_order((double)hist_quantile(&x->time, 0.99),
	    (double)hist_quantile(&y->time, 0.99));
}

/* ---- the section -------------------------------------------------------------------- */

static void
routes_head(struct writing *w)
{
	say(w, "%s %12s %10s %10s %7s", page_name(w, "route", "").text,
	    "statements/s", "p50 ms", "p99 ms", "hits");
}

static void
routes_row(struct writing *w, const struct section *s, size_t i)
{
	const struct route_row *row = (const struct route_row *)s->rows + i;

	say(w, "%s %12.1f %10.3f %10.3f %5.1f %%",
	    page_name(w, row->route, row->variant).text,
	    (double)row->time.count / w->took,
	    (double)hist_quantile(&row->time, 0.5) / 1e6,
	    (double)hist_quantile(&row->time, 0.99) / 1e6,
	    100.0 * (double)row->hits / (double)row->time.count);
}

struct section
page_routes(const struct writing *w, struct layers *layers)
{
	static int (*const order[])(const void *, const void *) = {
		[PAGE_BY_TIME] = routes_by_time,
		[PAGE_BY_CALLS] = routes_by_calls,
		[PAGE_BY_P99] = routes_by_p99 };
	struct route_row *rows = x_calloc(w->now->n_series + 1,
	    sizeof(*rows));
	size_t n;

	*layers = (struct layers){ .all = 0 };
	n = routes_between(w, rows, layers);
	qsort(rows, n, sizeof(*rows), order[w->p->sort]);
	return (struct section){ "no statements", n, rows, routes_head,
		routes_row };
}
