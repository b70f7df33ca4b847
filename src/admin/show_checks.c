/* SPDX-License-Identifier: PostgreSQL
 *
 * SHOW CHECKS, and checks on the page /metrics.
 *
 * What is not known is NULL, or has no sample.  Rows are made on the worker of
 * the session that asked, the page on the control thread.
 */
#include <stdio.h>

#include "admin/console.h"
#include "admin/exposition_priv.h"
#include "layout/checks.h"

/* ------------------------------------------------------------ rows */

static void
check_row(const struct checks_info *i, void *arg)
{
	struct row row = { .n = 0 };
	char value[32];

	row_str(&row, i->name);
	row_str(&row, i->backend);
	row_str(&row, i->up ? "up" : i->error[0] != '\0' ? "down" : "new");
	snprintf(value, sizeof(value), "%.15g", i->value);
	row_str(&row, i->known ? value : NULL);
	if (i->known) {
		row_ms(&row, i->took);
		row_ms(&row, i->age);
	} else {
		row_str(&row, NULL);
		row_str(&row, NULL);
	}
	row_ms(&row, i->interval);
	row_u64(&row, i->runs);
	row_u64(&row, i->failures);
	row_str(&row, i->error[0] != '\0' ? i->error : NULL);
	row_str(&row, i->query);
	rows_add(arg, &row);
}

void
console_show_checks(struct console_call *call)
{
	struct rows r;

	console_rows(call, &r);
	checks_each(check_row, &r);
	rows_reply(&r, call->w, call->session, "SHOW");
}

/* ------------------------------------------------------------ /metrics */

struct check_page {
	struct prom *p;
	enum family f;
};

static void
check_sample(const struct checks_info *i, void *arg)
{
	const struct check_page *page = arg;
	const struct prom_label l = { "check", i->name };
	const char *name = families[page->f].name;

	if (page->f == FAMILY_CHECK_UP)
		prom_number(page->p, name, &l, 1, i->up);
	else if (page->f == FAMILY_CHECK_RUNS)
		prom_number(page->p, name, &l, 1, i->runs);
	else if (page->f == FAMILY_CHECK_FAILURES)
		prom_number(page->p, name, &l, 1, i->failures);
	else if (page->f == FAMILY_CHECK_VALUE && i->up)
		prom_real(page->p, name, &l, 1, i->value);
	else if (page->f == FAMILY_CHECK_SECONDS && i->up)
		prom_seconds(page->p, name, &l, 1, i->took);
}

void
exposition_checks(struct prom *p)
{
	static const enum family each[] = { FAMILY_CHECK_UP,
		FAMILY_CHECK_VALUE, FAMILY_CHECK_SECONDS, FAMILY_CHECK_RUNS,
		FAMILY_CHECK_FAILURES };
	struct check_page page = { .p = p };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(each); i++) {
		page.f = each[i];
		exposition_family(p, each[i]);
		checks_each(check_sample, &page);
	}
}
