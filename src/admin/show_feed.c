/* SPDX-License-Identifier: PostgreSQL
 *
 * SHOW FEEDS, CHECK CACHE: what the feed thread shows of itself.
 *
 * On the worker of the session that asked.
 */
#include <inttypes.h>
#include <stdio.h>

#include "admin/console.h"
#include "feed/feed.h"

/* A place in the log, as PostgreSQL writes it. */
static void
row_lsn(struct row *row, uint64_t lsn)
{
	char *text = row->text[row->n];

	snprintf(text, sizeof(row->text[0]), "%" PRIX32 "/%" PRIX32,
	    (uint32_t)(lsn >> 32), (uint32_t)lsn);
	row_str(row, lsn != 0 ? text : NULL);
}

static void
feed_row(const struct feed_info *i, void *arg)
{
	struct row row = { .n = 0 };

	row_str(&row, i->backend);
	row_str(&row, feed_state_name(i->state));
	row_ms(&row, i->state_for);
	if (i->proven_ago == UINT64_MAX)
		row_str(&row, NULL);
	else
		row_ms(&row, i->proven_ago);
	row_u64(&row, i->lag_bytes);
	row_lsn(&row, i->received);
	row_lsn(&row, i->commit);
	row_u64(&row, i->unsettled);
	row_u64(&row, i->commits);
	row_u64(&row, i->changes);
	row_u64(&row, i->bumps);
	row_u64(&row, i->beats);
	row_u64(&row, i->reconnects);
	row_u64(&row, i->gates);
	row_u64(&row, i->gates_open);
	row_str(&row, i->system);
	row_str(&row, i->timeline);
	row_str(&row, i->reason);
	rows_add(arg, &row);
}

void
console_show_feeds(struct console_call *call)
{
	struct rows r;

	console_rows(call, &r);
	feed_each(feed_row, &r);
	rows_reply(&r, call->w, call->session, "SHOW");
}

static void
check_row(const struct feed_check *c, void *arg)
{
	struct row row = { .n = 0 };

	row_str(&row, c->backend);
	row_str(&row, c->named);
	row_str(&row, c->relation);
	row_str(&row, c->kind);
	row_str(&row, c->relation == NULL ? NULL : c->published ? "yes" :
	    "no");
	row_str(&row, c->identity);
	row_str(&row, c->tells);
	row_str(&row, c->state);
	row_when(&row, clock_mono() - c->at);
	row_str(&row, c->text);
	rows_add(arg, &row);
}

void
console_check_cache(struct console_call *call)
{
	struct rows r;

	console_rows(call, &r);
	feed_checks_each(check_row, &r);
	rows_reply(&r, call->w, call->session, "CHECK");
}
