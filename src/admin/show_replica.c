/* SPDX-License-Identifier: PostgreSQL
 *
 * SHOW REPLICAS, and replicas on the page /metrics.
 *
 * What is not known is NULL, or has no sample.  Rows are made on the worker of
 * the session that asked, the page on the control thread.
 */
#include <stdio.h>

#include "admin/console.h"
#include "admin/exposition_priv.h"
#include "layout/standby.h"
#include "route/route.h"

/* ------------------------------------------------------------ rows */

static void
replica_row(const struct standby_info *i, void *arg)
{
	struct row row = { .n = 0 };
	char lsn[32];

	row_str(&row, i->primary);
	row_str(&row, i->replica);
	row_str(&row, replica_state_name(i->state));
	snprintf(lsn, sizeof(lsn), "%X/%X", (unsigned)(i->replayed >> 32),
	    (unsigned)i->replayed);
	row_str(&row, i->known ? lsn : NULL);
	if (i->compared)
		row_u64(&row, i->bytes);
	else
		row_str(&row, NULL);
	if (i->age > 0)
		row_ms(&row, i->age);
	else
		row_str(&row, NULL);
	if (i->known)
		row_u64(&row, i->timeline);
	else
		row_str(&row, NULL);
	row_str(&row, replica_state_doc(i->state));
	row_str(&row, i->error[0] != '\0' ? i->error : NULL);
	rows_add(arg, &row);
}

void
console_show_replicas(struct console_call *call)
{
	struct rows r;

	console_rows(call, &r);
	standby_each(replica_row, &r);
	rows_reply(&r, call->w, call->session, "SHOW");
}

/* ------------------------------------------------------------ /metrics */

struct replica_page {
	struct prom *p;
	enum family f;
};

static void
replica_sample(const struct standby_info *i, void *arg)
{
	const struct replica_page *page = arg;
	const struct prom_label l[] = { { "backend", i->primary },
		{ "replica", i->replica } };
	const char *name = families[page->f].name;

	if (page->f == FAMILY_REPLICA_FIT)
		prom_number(page->p, name, l, 2, i->state == REPLICA_FIT);
	else if (page->f == FAMILY_REPLICA_LAG && i->compared)
		prom_number(page->p, name, l, 2, i->bytes);
	else if (page->f == FAMILY_REPLICA_AGE && i->age > 0)
		prom_seconds(page->p, name, l, 2, i->age);
}

static void
replica_bypass(struct prom *p, const struct control *c)
{
	struct prom_label l = { "reason", "" };
	uint64_t sum;
	unsigned r, i;

	CHECK(REPLICA_REASON_COUNT <= REPLICA_SLOTS);
	exposition_family(p, FAMILY_REPLICA_BYPASS);
	for (r = REPLICA_REASON_NONE + 1; r < REPLICA_REASON_COUNT; r++) {
		sum = 0;
		for (i = 0; i < c->n_workers; i++)
			sum += atomic_load_explicit(
			    &c->workers[i]->metrics->replica_bypass[r],
			    memory_order_relaxed);
		l.value = replica_reason_name((enum replica_reason)r);
		prom_number(p, families[FAMILY_REPLICA_BYPASS].name, &l, 1,
		    sum);
	}
}

void
exposition_replicas(struct prom *p, const struct control *c)
{
	static const enum family each[] = { FAMILY_REPLICA_FIT,
		FAMILY_REPLICA_LAG, FAMILY_REPLICA_AGE };
	struct replica_page page = { .p = p };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(each); i++) {
		page.f = each[i];
		exposition_family(p, each[i]);
		standby_each(replica_sample, &page);
	}
	replica_bypass(p, c);
}
