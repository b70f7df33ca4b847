/* SPDX-License-Identifier: PostgreSQL
 *
 * SHOW CACHE KEYS: columns by whose values results are told apart, and why
 * some are not.
 *
 * As the catalogs had it when they were read last (admin/layouts.h).  Runs on
 * the worker of the session that asked.
 */
#include "admin/console.h"
#include "admin/layouts.h"
#include "admin/rows.h"

/* What the last reading said of the key of these names; NULL: nothing. */
static const struct layout_tag_result *
cache_key_result(const struct layouts_report *report,
    const struct conf_tag_key *key)
{
	const struct conf *c = report->job.conf;
	struct conf_tag_place at = { .rel = slice_str(key->rel),
		.column = slice_str(key->column), .month = key->month };
	const struct conf_tag_key *asked = conf_tag_key_find(c, &at);

	return asked != NULL ? &report->job.tag_results[asked - c->tag_keys] :
	    NULL;
}

static void
cache_key_row(struct rows *rows, const struct conf_tag_key *key,
    const struct layouts_report *report)
{
	const struct layout_tag_result *r = report != NULL ?
	    cache_key_result(report, key) : NULL;
	struct row row = { .n = 0 };

	row_str(&row, key->rel);
	row_str(&row, key->column);
	row_str(&row, key->month ? "month" : "value");
	row_str(&row, !key->known ? NULL : key->month ? "timestamptz" :
	    conf_key_type_name(key->type));
	row_str(&row, key->known ? "in use" : "not in use");
	row_str(&row, r == NULL ? "the catalogs have not been read" : r->why);
	rows_add(rows, &row);
}

void
console_show_cache_keys(struct console_call *call)
{
	struct layouts_report *report = layouts_report();
	const struct conf *c = session_conf(call->w);
	struct rows rows;
	size_t i;

	console_rows(call, &rows);
	for (i = 0; i < c->n_tag_keys; i++)
		cache_key_row(&rows, &c->tag_keys[i], report);
	layouts_report_unref(&report);
	rows_reply(&rows, call->w, call->session, "SHOW");
}
