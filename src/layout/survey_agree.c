/* SPDX-License-Identifier: PostgreSQL
 *
 * Whether the catalogs prove that a table's UUIDv7 agree with its times.
 *
 * The constraints of the whole table hold for all of its partitions but foreign ones,
 * whose own server must have such as well.  Times without a constraint, columns
 * of other types or that may be NULL: not proven.  Pure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layout/survey.h"
#include "sql/agree.h"

/* The line: column "name" is so. */
static bool
agree_lacks(const char *list, const char *column, const char *so)
{
	char line[300];
	const char *at;
	int n;

	if ((size_t)snprintf(line, sizeof(line), "column \"%s\" %s", column,
	    so) >= sizeof(line))
		return true;
	return facts_line_lacking(line, list, &at, &n);
}

/* The column that divides the table, else the one that was written by hand. */
static const char *
agree_time(const struct survey *s)
{
	return s->layout.time_column != NULL ? s->layout.time_column :
	    s->table->time_column;
}

/* Why it is not proven of this relation, static text; NULL: it is. */
static const char *
agree_of(const struct survey *s, const struct fact *f, struct agree *a)
{
	const char *id = s->table->month_id, *time = agree_time(s);
	char *line;
	size_t i;

	agree_init(a);
	if (agree_lacks(f->columns, id, "uuid"))
		return "expected the column in month_of to be a uuid";
	if (agree_lacks(f->columns, time, "timestamp with time zone"))
		return "expected the time column to be a timestamp with time "
		    "zone";
	if (agree_lacks(f->constraints, time, "is NOT NULL"))
		return "expected the time column to be NOT NULL";
	for (i = 0; i < facts_lines(f->constraints); i++) {
		line = facts_line(f->constraints, i);
		agree_check(a, line, id, time);
		free(line);
	}
	return agree_is_closed(a) ? NULL : "expected valid CHECK constraints "
	    "that keep the time column near the time in the UUID, on both "
	    "sides";
}

static const struct survey_place *
agree_place(const struct survey *s, const struct fact *f)
{
	size_t i;

	for (i = 0; i < s->n_places; i++)
		if (s->places[i].fact == f && !s->places[i].local)
			return &s->places[i];
	return NULL;
}

/* Rows that are on another server are as their table there says. */
static const char *
agree_foreign(const struct survey *s, const struct fact *f, struct agree *a)
{
	const struct survey_place *p = agree_place(s, f);
	size_t i;

	if (p == NULL || p->found.n == 0)
		return "a foreign partition is not known";
	for (i = 0; i < p->found.n; i++)
		if (*p->found.v[i].kind == 'f')
			return "a foreign partition has foreign partitions";
	return agree_of(s, &p->found.v[0], a);
}

void
survey_agree(struct survey *s)
{
	const char *why, *where = NULL;
	struct agree all, a;
	size_t i;

	if (s->table->month_id == NULL)
		return;
	if (agree_time(s) == NULL) {
		survey_note(s, "month_of: expected a time column, found none");
		return;
	}
	why = agree_of(s, &s->facts.v[0], &all);
	for (i = 1; i < s->facts.n && why == NULL; i++) {
		if (*s->facts.v[i].kind != 'f')
			continue;
		where = s->facts.v[i].rel_name;
		why = agree_foreign(s, &s->facts.v[i], &a);
		if (why != NULL)
			break;
		all.lo = a.lo < all.lo ? a.lo : all.lo;
		all.hi = a.hi > all.hi ? a.hi : all.hi;
	}
	if (why != NULL) {
		survey_note(s, "month_of: not proven of %s: %s", where != NULL ?
		    where : "the table", why);
		return;
	}
	s->layout.id_timed = true;
	s->layout.id_lo = all.lo;
	s->layout.id_hi = all.hi;
}
