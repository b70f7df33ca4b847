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

#include "admin/asker.h"

#define ROWS_BYTES_MAX (64u * 1024 * 1024)

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

static void
rows_column(struct rows *r, const char *spec, size_t n)
{
	static const struct {
		char letter;
		uint32_t oid;
		int16_t size;
	} types[] = { { '4', 23, 4 }, { '8', 20, 8 }, { 'n', 1700, -1 },
		{ 't', ROWS_TEXT_OID, -1 } };
	size_t name = n > 2 && spec[n - 2] == ':' ? n - 2 : n, i = 0;
	char letter = name < n ? spec[n - 1] : 't';

	while (types[i].letter != letter)
		CHECK(++i < ARRAY_SIZE(types));
	msgwrite_slice(&r->w, slice_make(spec, name));
	msgwrite_u32(&r->w, 0); /* of no table, */
	msgwrite_u16(&r->w, 0); /* no column of one */
	msgwrite_u32(&r->w, types[i].oid);
	msgwrite_u16(&r->w, (uint16_t)types[i].size);
	msgwrite_u32(&r->w, UINT32_MAX); /* no type modifier */
	msgwrite_u16(&r->w, 0); /* text format */
}

static unsigned
rows_count(const char *columns)
{
	unsigned n = *columns != '\0';

	for (; *columns != '\0'; columns++)
		n += *columns == ' ';
	return n;
}

void
rows_columns(struct rows *r, const char *columns)
{
	const char *p = columns;
	size_t n;

	r->n = rows_count(columns);
	CHECK(r->n <= ROWS_COLUMNS_MAX);
	msgwrite_begin(&r->w, 'T');
	msgwrite_u16(&r->w, (uint16_t)r->n);
	for (; *p != '\0'; p += n + (p[n] == ' ')) {
		n = strcspn(p, " ");
		rows_column(r, p, n);
	}
	msgwrite_end(&r->w);
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
		asker_reply(w, session, &r->b);
	rows_fini(r);
}

void
rows_error(struct worker *w, uint64_t session, const char *sqlstate,
    const char *message, const char *detail, const char *hint)
{
	struct rows r;

	rows_init(&r);
	msgwrite_error(&r.w, "ERROR", sqlstate, message, detail, hint);
	asker_reply(w, session, &r.b);
	rows_fini(&r);
}
