/* SPDX-License-Identifier: PostgreSQL
 *
 * SHOW commands about numbers: by database as PgBouncer has them, counters,
 * latency.
 *
 * Times by database are microseconds, averages are by second, those of times
 * by transaction, statement or wait.  Reads what is published; any worker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/averages.h"
#include "admin/console.h"

/* ------------------------------------------------------------ databases */

static void
stats_totals(struct row *row, const struct dbtotals *t)
{
	row_u64(row, t->transactions);
	row_u64(row, t->queries);
	row_u64(row, t->received);
	row_u64(row, t->sent);
	row_u64(row, t->transaction_time / NSEC_PER_USEC);
	row_u64(row, t->query_time / NSEC_PER_USEC);
	row_u64(row, t->wait_time / NSEC_PER_USEC);
}

static uint64_t
stats_rate(uint64_t n, nsec_t period)
{
	return period == 0 ? 0 : (uint64_t)((double)n * NSEC_PER_SEC /
	    (double)period);
}

static uint64_t
stats_each(nsec_t sum, uint64_t n)
{
	return n == 0 ? 0 : sum / NSEC_PER_USEC / n;
}

static void
stats_averages(struct row *row, const struct dbtotals *t, nsec_t period)
{
	row_u64(row, stats_rate(t->transactions, period));
	row_u64(row, stats_rate(t->queries, period));
	row_u64(row, stats_rate(t->received, period));
	row_u64(row, stats_rate(t->sent, period));
	row_u64(row, stats_each(t->transaction_time, t->transactions));
	row_u64(row, stats_each(t->query_time, t->queries));
	row_u64(row, stats_each(t->wait_time, t->queries));
}

enum stats_what { STATS_TOTALS = 1, STATS_AVERAGES = 2 };

static void
stats_database(struct rows *r, const char *name, unsigned what)
{
	const struct dbstate *d = dbstate_get(name);
	struct dbtotals totals, last;
	struct row row = { .n = 0 };
	nsec_t period = averages_get(d, &last);

	dbstate_totals(d, &totals);
	row_str(&row, name);
	if (what & STATS_TOTALS)
		stats_totals(&row, &totals);
	if (what & STATS_AVERAGES)
		stats_averages(&row, &last, period);
	rows_add(r, &row);
}

static void
stats_show(struct console_call *call, unsigned what)
{
	const struct conf *c = session_conf(call->w);
	struct rows r;
	size_t i;

	console_rows(call, &r);
	for (i = 0; i < c->n_databases; i++)
		stats_database(&r, c->databases[i].name, what);
	stats_database(&r, "pgsluice", what);
	rows_reply(&r, call->w, call->session, "SHOW");
}

void
console_show_stats(struct console_call *call)
{
	stats_show(call, STATS_TOTALS | STATS_AVERAGES);
}

void
console_show_stats_totals(struct console_call *call)
{
	stats_show(call, STATS_TOTALS);
}

void
console_show_stats_averages(struct console_call *call)
{
	stats_show(call, STATS_AVERAGES);
}

struct stats_sum {
	struct dbtotals totals, last;
	nsec_t period;
};

static void
stats_add(struct dbstate *d, void *arg)
{
	struct stats_sum *s = arg;
	struct dbtotals totals, last;

	dbstate_totals(d, &totals);
	s->period = averages_get(d, &last);
#define DBSTAT(name) \
	s->totals.name += totals.name; \
	s->last.name += last.name;
#include "tbl/dbstats.h"
}

/* Names are PgBouncer's, in the order of stats_totals() and
 * stats_averages(). */
void
console_show_totals(struct console_call *call)
{
	static const char *const names[] = { "xact_count", "query_count",
		"client_bytes", "server_bytes", "xact_time", "query_time",
		"wait_time" };
	struct row cells = { .n = 0 }, row = { .n = 0 };
	struct stats_sum s;
	char name[32];
	struct rows r;
	size_t i;

	memset(&s, 0, sizeof(s));
	dbstate_each(stats_add, &s);
	stats_totals(&cells, &s.totals);
	stats_averages(&cells, &s.last, s.period);
	console_rows(call, &r);
	for (i = 0; i < cells.n; i++) {
		snprintf(name, sizeof(name), "%s_%s", i < ARRAY_SIZE(names) ?
		    "total" : "avg", names[i % ARRAY_SIZE(names)]);
		row_str(&row, name);
		row_str(&row, cells.v[i]);
		rows_add(&r, &row);
	}
	rows_reply(&r, call->w, call->session, "SHOW");
}

/* ------------------------------------------------------------ counters */

static struct metrics **
show_metrics(const struct console_call *call, unsigned *n)
{
	const struct control *c = call->control;
	struct metrics **all = x_calloc(c->n_workers, sizeof(struct metrics *));
	unsigned i;

	for (i = 0; i < c->n_workers; i++)
		all[i] = c->workers[i]->metrics;
	*n = c->n_workers;
	return all;
}

static void
show_counter(void *arg, const char *name, const char *help, uint64_t v)
{
	struct row row = { .n = 0 };

	row_str(&row, name);
	row_u64(&row, v);
	row_str(&row, help);
	rows_add(arg, &row);
}

void
console_show_counters(struct console_call *call)
{
	struct metrics **all;
	struct rows r;
	unsigned n;

	all = show_metrics(call, &n);
	console_rows(call, &r);
	metrics_sum_counters(all, n, show_counter, &r);
	free(all);
	rows_reply(&r, call->w, call->session, "SHOW");
}

static void
show_series(struct rows *r, const struct series_name *s,
    const struct hist_view *v)
{
	struct row row = { .n = 0 };

	row_str(&row, s->route);
	row_str(&row, s->variant);
	row_str(&row, s->backend);
	row_str(&row, s->outcome);
	row_u64(&row, v->count);
	row_ms(&row, v->sum);
	row_ms(&row, v->sum / v->count);
	row_ms(&row, hist_quantile(v, 0.5));
	row_ms(&row, hist_quantile(v, 0.95));
	row_ms(&row, hist_quantile(v, 0.99));
	rows_add(r, &row);
}

static void
show_buckets(struct rows *r, const struct series_name *s,
    const struct hist_view *v)
{
	struct row row = { .n = 0 };
	unsigned b;

	for (b = 0; b < HIST_BUCKETS; b++) {
		if (v->bucket[b] == 0)
			continue;
		row_str(&row, s->route);
		row_str(&row, s->variant);
		row_str(&row, s->backend);
		row_str(&row, s->outcome);
		row_u64(&row, b);
		row_ms(&row, hist_bucket_upper(b));
		row_u64(&row, v->bucket[b]);
		rows_add(r, &row);
	}
}

/* Rows by fn of each series that has been used. */
static void
show_all_series(struct console_call *call, void (*fn)(struct rows *r,
    const struct series_name *s, const struct hist_view *v))
{
	struct hist_view v;
	struct metrics **all;
	struct rows r;
	unsigned i, n, count = series_count();

	all = show_metrics(call, &n);
	console_rows(call, &r);
	for (i = 0; i < count; i++) {
		metrics_sum_series(all, n, i, &v);
		if (v.count > 0)
			fn(&r, series_get(i), &v);
	}
	free(all);
	rows_reply(&r, call->w, call->session, "SHOW");
}

void
console_show_latency(struct console_call *call)
{
	show_all_series(call, show_series);
}

void
console_show_latency_buckets(struct console_call *call)
{
	show_all_series(call, show_buckets);
}
