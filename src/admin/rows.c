/* SPDX-License-Identifier: PostgreSQL
 *
 * Building console answers: cells, rows, messages.
 *
 * Knows the wire's text rows, not what stands in them.  An answer is capped;
 * one that is larger becomes an error.  Any thread, one at a time; replies on
 * the session's worker.
 */
#include "admin/rows.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "session/layer.h"

#define ROWS_BYTES_MAX (64u * 1024 * 1024)
#define ROWS_HEADER_MAX 512

void
rows_init(struct rows *r)
{
	buf_init(&r->b, ROWS_BYTES_MAX);
	msgwrite_init(&r->w, &r->b);
	r->n = 0;
}

void
rows_fini(struct rows *r)
{
	buf_reset(&r->b);
}

void
rows_columns(struct rows *r, const char *columns)
{
	char text[ROWS_HEADER_MAX], *save = NULL, *word;
	const char *names[ROWS_COLUMNS_MAX];

	CHECK(strlen(columns) < sizeof(text));
	strcpy(text, columns);
	for (word = strtok_r(text, " ", &save); word != NULL;
	    word = strtok_r(NULL, " ", &save)) {
		CHECK(r->n < ROWS_COLUMNS_MAX);
		names[r->n++] = word;
	}
	msgwrite_text_desc(&r->w, names, r->n);
}

/* ------------------------------------------------------------ cells */

void
row_str(struct row *row, const char *s)
{
	CHECK(row->n < ROWS_COLUMNS_MAX);
	row->v[row->n++] = s;
}

/* The cell's own text, to be written by the caller. */
static char *
row_text(struct row *row)
{
	CHECK(row->n < ROWS_COLUMNS_MAX);
	row->v[row->n] = row->text[row->n];
	return row->text[row->n++];
}

void
row_u64(struct row *row, uint64_t v)
{
	snprintf(row_text(row), sizeof(row->text[0]), "%llu",
	    (unsigned long long)v);
}

void
row_i64(struct row *row, int64_t v)
{
	snprintf(row_text(row), sizeof(row->text[0]), "%lld", (long long)v);
}

void
row_bool(struct row *row, bool v)
{
	row_str(row, v ? "yes" : "no");
}

void
row_ms(struct row *row, nsec_t v)
{
	snprintf(row_text(row), sizeof(row->text[0]), "%llu.%03llu",
	    (unsigned long long)(v / NSEC_PER_MSEC),
	    (unsigned long long)(v / NSEC_PER_USEC % 1000));
}

void
row_when(struct row *row, nsec_t ago)
{
	time_t t = (time_t)((clock_wall() - ago) / NSEC_PER_SEC);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(row_text(row), sizeof(row->text[0]),
	    "%Y-%m-%d %H:%M:%S UTC", &tm);
}

void
rows_add(struct rows *r, struct row *row)
{
	CHECK(row->n == r->n);
	msgwrite_text_row(&r->w, row->v, row->n);
	row->n = 0;
}

/* ------------------------------------------------------------ replies */

void
rows_reply(struct rows *r, struct worker *w, uint64_t session,
    const char *tag)
{
	msgwrite_complete(&r->w, tag);
	if (r->w.failed)
		rows_error(w, session, "54000", "the answer is too large",
		    NULL, NULL);
	else
		session_console_reply(w, session, &r->b);
	rows_fini(r);
}

void
rows_error(struct worker *w, uint64_t session, const char *sqlstate,
    const char *message, const char *detail, const char *hint)
{
	struct rows r;

	rows_init(&r);
	msgwrite_error(&r.w, "ERROR", sqlstate, message, detail, hint);
	session_console_reply(w, session, &r.b);
	rows_fini(&r);
}
