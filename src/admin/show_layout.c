/* SPDX-License-Identifier: PostgreSQL
 *
 * SHOW LAYOUTS, SHOW SHARDS, SHOW PARTITIONS, CHECK LAYOUTS, CHECK SHARDS.
 *
 * Rows are made from the last report (admin/layouts.h), numbers as the
 * catalogs had them then.  What is not known is NULL.  Showing runs on the
 * worker of the session that asked; what has to be read first is asked of the
 * control thread, and answered on the worker again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/console.h"
#include "admin/layouts.h"
#include "admin/parts.h"
#include "admin/tour.h"

/* ------------------------------------------------------------ cells */

static void
row_known(struct row *row, int64_t v)
{
	if (v < 0)
		row_str(row, NULL);
	else
		row_i64(row, v);
}

/* A wall time in UTC. */
static void
row_instant(struct row *row, int64_t us)
{
	time_t t = (time_t)(us / 1000000 - (us % 1000000 < 0));
	struct tm tm;
	char *text = row->text[row->n];

	if (us == INT64_MIN || us == INT64_MAX || gmtime_r(&t, &tm) == NULL) {
		row_str(row, us == INT64_MIN ? "-infinity" : us == INT64_MAX ?
		    "infinity" : NULL);
		return;
	}
	strftime(text, sizeof(row->text[0]), "%Y-%m-%d %H:%M:%S", &tm);
	row_str(row, text);
}

/* ------------------------------------------------------------ layouts */

static const char *
layout_state(const struct layout_result *r, const struct conf *c)
{
	const struct conf_variant *by_hand = r->s.variant;
	const struct layout *l = conf_layout_find(conf_layouts_of(c),
	    r->s.layout.origin);

	if (r->s.layout.refuted)
		return "refuted";
	if (by_hand->n_shards > 0)
		return r->good ? "by hand, confirmed" : "by hand";
	if (r->good)
		return "in force";
	return l != NULL ? "in force, read before" : "unknown";
}

static void
layout_row(struct rows *rows, const struct layout_result *r,
    const struct conf *c, nsec_t read_at, const char *kind, const char *text)
{
	struct row row = { .n = 0 };

	row_str(&row, r->s.table->name);
	row_str(&row, r->s.variant->name);
	row_str(&row, r->s.variant->backend->name);
	row_str(&row, layout_state(r, c));
	row_instant(&row, (int64_t)(read_at / NSEC_PER_USEC));
	row_str(&row, kind);
	row_str(&row, text);
	rows_add(rows, &row);
}

/* A row for each error and note, or one that says there is none. */
static void
layout_rows(struct rows *rows, const struct layouts_report *report,
    const struct conf *c)
{
	const struct layout_result *r;
	size_t i, k;

	for (i = 0; i < report->job.n_results; i++) {
		r = &report->job.results[i];
		for (k = 0; k < r->s.errors.n; k++)
			layout_row(rows, r, c, report->read_at, "error",
			    r->s.errors.v[k]);
		for (k = 0; k < r->s.notes.n; k++)
			layout_row(rows, r, c, report->read_at, "note",
			    r->s.notes.v[k]);
		if (r->s.errors.n + r->s.notes.n == 0)
			layout_row(rows, r, c, report->read_at, NULL, NULL);
	}
}

void
console_show_layouts(struct console_call *call)
{
	struct layouts_report *report = layouts_report();
	struct rows r;

	console_rows(call, &r);
	if (report != NULL)
		layout_rows(&r, report, session_conf(call->w));
	layouts_report_unref(&report);
	rows_reply(&r, call->w, call->session, "SHOW");
}

/* ------------------------------------------------------------ shards */

static void
shard_row(struct rows *rows, const struct layout_result *r,
    const struct survey_place *p, double mean)
{
	struct row row = { .n = 0 };
	struct part_size size = part_size(p);
	char skew[32];

	row_str(&row, r->s.table->name);
	row_str(&row, r->s.variant->name);
	row_u64(&row, p->remainder);
	row_u64(&row, p->modulus);
	row_str(&row, p->backend);
	row_str(&row, p->relation);
	row_known(&row, size.rows);
	row_known(&row, size.bytes);
	snprintf(skew, sizeof(skew), "%.3f", mean > 0 ?
	    (double)size.rows / mean : 0.0);
	row_str(&row, mean > 0 && size.rows >= 0 ? skew : NULL);
	row_str(&row, p->no_read != NULL ? "no" : p->no_write != NULL ?
	    "reads" : "yes");
	row_str(&row, p->no_read != NULL ? p->no_read : p->no_write);
	row_known(&row, p->prepared);
	rows_add(rows, &row);
}

static void
shard_rows(struct rows *rows, const struct layout_result *r)
{
	double mean = parts_mean_rows(&r->s);
	size_t i;

	for (i = 0; i < r->s.n_places; i++)
		if (r->s.places[i].modulus > 0)
			shard_row(rows, r, &r->s.places[i], mean);
}

void
console_show_shards(struct console_call *call)
{
	struct layouts_report *report = layouts_report();
	struct rows r;
	size_t i;

	console_rows(call, &r);
	for (i = 0; report != NULL && i < report->job.n_results; i++)
		shard_rows(&r, &report->job.results[i]);
	layouts_report_unref(&report);
	rows_reply(&r, call->w, call->session, "SHOW");
}

/* ------------------------------------------------------------ partitions */

struct partition_rows {
	struct rows *rows;
	nsec_t now;
	/* Of the row before: they come by survey and backend. */
	const struct survey *s;
	const char *backend;
	int64_t months_left;
};

static void
row_bound(struct row *row, const struct part *p, int64_t us)
{
	if (p->has_range && !p->range.is_default)
		row_instant(row, us);
	else
		row_str(row, NULL);
}

static void
partition_row(const struct part *p, void *arg)
{
	struct partition_rows *a = arg;
	struct row row = { .n = 0 };

	if (a->s != p->s || strcmp(a->backend, p->backend) != 0)
		a->months_left = parts_months_left(p->s, p->backend, a->now);
	a->s = p->s;
	a->backend = p->backend;

	row_str(&row, p->s->table->name);
	row_str(&row, p->s->variant->name);
	row_str(&row, p->backend);
	row_str(&row, p->fact->schema_name);
	row_str(&row, p->fact->rel_name);
	row_str(&row, p->fact->bound);
	row_bound(&row, p, p->range.lo);
	row_bound(&row, p, p->range.hi);
	row_bool(&row, p->has_range && p->range.is_default);
	row_known(&row, facts_number(p->fact->n_rows));
	row_known(&row, facts_number(p->fact->n_bytes));
	row_known(&row, a->months_left);
	rows_add(a->rows, &row);
}

void
console_show_partitions(struct console_call *call)
{
	struct layouts_report *report = layouts_report();
	struct partition_rows a = { .now = clock_wall() };
	struct rows r;
	size_t i;

	console_rows(call, &r);
	a.rows = &r;
	for (i = 0; report != NULL && i < report->job.n_results; i++)
		parts_each(&report->job.results[i].s, partition_row, &a);
	layouts_report_unref(&report);
	rows_reply(&r, call->w, call->session, "SHOW");
}

/* ------------------------------------------------------------ reading */

struct layout_order {
	struct control_message m;
	struct worker *w;
	uint64_t session;
	const char *columns;
	bool check_rows;
};

static void
check_row(struct rows *rows, const struct layout_result *r, size_t i)
{
	const struct survey_place *p = &r->s.places[i];
	struct row row = { .n = 0 };

	row_str(&row, r->s.table->name);
	row_str(&row, r->s.variant->name);
	row_u64(&row, p->remainder);
	row_u64(&row, p->modulus);
	row_str(&row, p->backend);
	row_str(&row, p->relation);
	row_known(&row, r->misplaced != NULL ? r->misplaced[i] : -1);
	row_str(&row, NULL);
	rows_add(rows, &row);
}

static void
check_text(struct rows *rows, const struct layout_result *r, const char *text)
{
	struct row row = { .n = 0 };
	int i;

	row_str(&row, r->s.table->name);
	row_str(&row, r->s.variant->name);
	for (i = 0; i < 5; i++)
		row_str(&row, NULL);
	row_str(&row, text);
	rows_add(rows, &row);
}

/* Each shard with its misplaced rows, then what else is to be said. */
static void
check_rows(struct rows *rows, const struct layouts_report *report)
{
	const struct layout_result *r;
	size_t i, k;

	for (i = 0; i < report->job.n_results; i++) {
		r = &report->job.results[i];
		if (r->s.variant->kind != VARIANT_SHARDED)
			continue;
		for (k = 0; k < r->s.n_places; k++)
			check_row(rows, r, k);
		for (k = 0; k < r->s.errors.n; k++)
			check_text(rows, r, r->s.errors.v[k]);
		for (k = 0; k < r->s.notes.n; k++)
			check_text(rows, r, r->s.notes.v[k]);
	}
}

static void
layout_reply(struct tour *t)
{
	rows_reply(&t->rows, t->origin, t->session, "CHECK");
}

/* On the control thread. What is in force now has been handed to every worker
 * before the tour that is started here reaches it. */
static void
layout_answer(void *arg, struct layouts_report *report)
{
	struct layout_order *o = arg;
	struct tour *t;

	if (report == NULL) { /* we are stopping, and sessions end */
		free(o);
		return;
	}
	t = tour_new(o->w, o->session);
	rows_columns(&t->rows, o->columns);
	if (o->check_rows)
		check_rows(&t->rows, report);
	else
		layout_rows(&t->rows, report, layouts_conf());
	t->done = layout_reply;
	tour_start(t);
	free(o);
}

static void
layout_order_run(struct control *c PG_UNUSED, struct control_message *m)
{
	struct layout_order *o = (struct layout_order *)(void *)m;

	layouts_read_for(o->check_rows, layout_answer, o);
}

static void
layout_order(struct console_call *call, bool rows)
{
	struct layout_order *o = x_calloc(1, sizeof(*o));

	o->m.run = layout_order_run;
	o->w = call->w;
	o->session = call->session;
	o->columns = call->line->command->columns;
	o->check_rows = rows;
	control_post(call->control, &o->m);
}

void
console_check_layouts(struct console_call *call)
{
	layout_order(call, false);
}

void
console_check_shards(struct console_call *call)
{
	layout_order(call, true);
}
