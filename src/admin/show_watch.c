/* SPDX-License-Identifier: PostgreSQL
 *
 * SHOW CACHE TABLES, SHOW WATCHES.
 *
 * Rows are made from the configuration in force, which holds what the catalogs
 * said, and from what watches tell of themselves.  Runs on the worker of the
 * session that asked.
 */
#include <stdio.h>
#include <string.h>

#include "admin/console.h"
#include "admin/rows.h"
#include "conf/deps.h"
#include "layout/watch.h"

#define CELL_MAX 65536u
#define CHANGERS_MAX 100 /* named in one cell */

/* A list is cut at the cap, which is no failure. */
static void
cell_item(struct buf *b, const char *text)
{
	if (buf_len(b) > 0 && !buf_append(b, ", ", 2))
		return;
	if (!buf_append(b, text, strlen(text)))
		return;
}

static void
cell_end(struct row *row, struct buf *b)
{
	row_str(row, buf_len(b) > 0 && buf_append(b, "", 1) ? buf_head(b) :
	    NULL);
}

static const char *
table_kind(const struct deps_relation *r)
{
	switch (r->kind) {
	case 'p':
		return "partitioned table";
	case 'v':
		return "view";
	case 'm':
		return "materialized view";
	case 'f':
		return "foreign table";
	default:
		return "table";
	}
}

/* The permission that a rule would have to give, or that none can. */
static void
table_cached(struct buf *b, const struct deps_relation *r)
{
	unsigned i;

	for (i = 0; i < TRAIT_COUNT; i++)
		if (r->traits & (1u << i))
			cell_item(b, deps_trait_name(i));
	if (r->reads.any)
		cell_item(b, "reads too many tables");
	if (buf_len(b) == 0)
		cell_item(b, r->kind == 'm' ? "yes, for ttl" : "yes");
}

static bool
table_is_changed_by(const struct deps_relation *r,
    const struct deps_relation *by)
{
	size_t i, k;

	for (i = 0; i < by->changes.n && !by->changes.any; i++)
		for (k = 0; k < r->reads.n; k++)
			if (strcmp(by->changes.v[i], r->reads.v[k]) == 0)
				return true;
	return false;
}

static void
table_changers(struct buf *b, const struct deps *d,
    const struct deps_relation *r)
{
	char text[512];
	size_t i, n = 0;

	for (i = 0; i < d->n && n < CHANGERS_MAX; i++) {
		if (d->v[i].changes.any) {
			snprintf(text, sizeof(text), "%s.%s (anything: %s)",
			    d->v[i].schema, d->v[i].name, d->v[i].why != NULL ?
			    d->v[i].why : "foreign keys to too many tables");
			cell_item(b, text);
			n++;
		} else if (table_is_changed_by(r, &d->v[i])) {
			snprintf(text, sizeof(text), "%s.%s", d->v[i].schema,
			    d->v[i].name);
			cell_item(b, text);
			n++;
		}
	}
	if (n == CHANGERS_MAX)
		cell_item(b, "...");
}

static void
table_row(struct rows *rows, const struct deps *d,
    const struct deps_relation *r)
{
	struct buf cached, reads, changers;
	struct row row = { .n = 0 };
	size_t i;

	buf_init(&cached, CELL_MAX);
	buf_init(&reads, CELL_MAX);
	buf_init(&changers, CELL_MAX);
	table_cached(&cached, r);
	for (i = 0; i < r->reads.n; i++)
		cell_item(&reads, r->reads.v[i]);
	table_changers(&changers, d, r);
	row_str(&row, d->backend);
	row_str(&row, r->schema);
	row_str(&row, r->name);
	row_str(&row, table_kind(r));
	cell_end(&row, &cached);
	cell_end(&row, &reads);
	cell_end(&row, &changers);
	rows_add(rows, &row);
	buf_reset(&cached);
	buf_reset(&reads);
	buf_reset(&changers);
}

void
console_show_cache_tables(struct console_call *call)
{
	const struct conf *c = session_conf(call->w);
	const struct deps *d;
	struct rows r;
	size_t i, k;

	console_rows(call, &r);
	for (i = 0; i < c->n_watches; i++) {
		d = c->watches[i].deps;
		for (k = 0; d != NULL && k < d->n; k++)
			if (d->v[k].asked)
				table_row(&r, d, &d->v[k]);
	}
	rows_reply(&r, call->w, call->session, "SHOW");
}

static void
watch_row(const struct watch_info *i, void *arg)
{
	struct row row = { .n = 0 };

	row_str(&row, i->backend);
	row_str(&row, i->vouched ? "vouched" : i->looked_at == 0 ?
	    "not looked yet" : i->good ? "looking" : "failing");
	row_ms(&row, i->left);
	if (i->looked_at == 0)
		row_str(&row, NULL);
	else
		row_when(&row, clock_wall() - i->looked_at);
	row_ms(&row, i->took);
	row_u64(&row, i->looks);
	row_u64(&row, i->moves);
	row_u64(&row, i->reads);
	row_u64(&row, i->relations);
	row_str(&row, i->error);
	row_str(&row, i->partial);
	rows_add(arg, &row);
}

void
console_show_watches(struct console_call *call)
{
	struct rows r;

	console_rows(call, &r);
	watch_each(watch_row, &r);
	rows_reply(&r, call->w, call->session, "SHOW");
}
