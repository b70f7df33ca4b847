/* SPDX-License-Identifier: PostgreSQL
 *
 * pgsluicectl capture: SHOW SHAPES as a file of shapes.
 *
 * Those called most first, so that a person sees what matters at the top.
 */
#include "ctl/capture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/console.h"
#include "ctl/dial.h"
#include "ctl/shapes.h"
#include "ctl/trouble.h"
#include "stats/census.h"

/* Names may hold any byte; a file that people look at may not. true: it was as it
 * is. */
static bool
capture_tame(char *text)
{
	bool same = true;

	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f) {
			*text = '.';
			same = false;
		}
	return same;
}

static void
capture_row(struct captures *all, const PGresult *r, int row)
{
	const char *text = dial_cell(r, row, "query");
	struct captured *c = &all->v[all->n++];

	*c = (struct captured){
		.database = x_strdup(dial_cell(r, row, "database")),
		.calls = strtoull(dial_cell(r, row, "calls"), NULL, 10),
		.mean_ms = dial_number(r, row, "mean_ms"),
		.text = x_strdup(text),
		.cut = strlen(text) >= CENSUS_TEXT - 1 };
	c->cut |= !capture_tame(c->text) || !capture_tame(c->database);
}

static void
capture_head(const struct dial *l, size_t n)
{
	time_t now = time(NULL);
	char when[40];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
	printf("# %zu shapes of pgsluice at %s port %s, %s\n"
	    "# database, calls, mean milliseconds, statement; ? is a literal, "
	    "... at the end: cut\n", n, PQhost(l->conn), PQport(l->conn),
	    when);
}

static int
capture_write(const struct dial *l, const PGresult *r)
{
	struct captures all = { .n = 0 };
	size_t i;
	int row;

	all.room = (size_t)PQntuples(r);
	all.v = x_calloc(all.room, sizeof(*all.v));
	for (row = 0; row < PQntuples(r); row++)
		capture_row(&all, r, row);
	captures_sort(&all);
	capture_head(l, all.n);
	for (i = 0; i < all.n; i++)
		captured_write(stdout, &all.v[i]);
	captures_fini(&all);
	return trouble_of_output();
}

int
ctl_capture(const struct ctl_options *o)
{
	struct dial l = { .conn = NULL };
	PGresult *r = NULL;
	int status;

	if (dial_open(&l, o, CONSOLE_DATABASE))
		r = console_ask(&l, "SHOW SHAPES",
		    "database calls mean_ms query");
	if (r == NULL)
		status = trouble("%s", l.why);
	else
		status = capture_write(&l, r);
	PQclear(r);
	dial_fini(&l);
	return status;
}
