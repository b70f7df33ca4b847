/* SPDX-License-Identifier: PostgreSQL
 *
 * From the messages of a console answer to JSON.
 *
 * So every SHOW command is written once, for the console.  Pure.  Messages are
 * our own: what does not fit their format is a broken contract, but for the
 * end, where the answer may be cut off.
 */
#include "admin/rows_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/rows.h"
#include "pgwire/msgread.h"

#define NAME_MAX_BYTES 64

struct rows_column {
	char name[NAME_MAX_BYTES];
	bool number;
	double scale; /* to seconds; 0: as it is */
};

struct rows_reader {
	struct json *j;
	enum rows_form form;
	size_t max;
	unsigned n;
	bool described, truncated;
	struct rows_column columns[ROWS_COLUMNS_MAX];
};

/* ------------------------------------------------------------ columns */

static bool
column_ends(const char *name, size_t n, const char *end)
{
	size_t len = strlen(end);

	return n > len && memcmp(name + n - len, end, len) == 0;
}

/* Units are seconds, and names say so. */
static void
column_to_seconds(struct rows_column *c)
{
	size_t n = strlen(c->name);

	if (!c->number || n + sizeof("seconds") > sizeof(c->name))
		return;
	if (column_ends(c->name, n, "_ms"))
		c->scale = 1e-3;
	else if (column_ends(c->name, n, "_us"))
		c->scale = 1e-6;
	else
		return;
	strcpy(c->name + n - 2, "seconds");
}

static void
rows_describe(struct rows_reader *r, struct msgread *m)
{
	struct rows_column *c;
	struct slice name;
	uint32_t oid;

	r->n = msgread_u16(m);
	CHECK(r->n <= ROWS_COLUMNS_MAX);
	for (c = r->columns; c < r->columns + r->n; c++) {
		name = msgread_str(m);
		msgread_u32(m);
		msgread_u16(m);
		oid = msgread_u32(m);
		msgread_u16(m);
		msgread_u32(m);
		msgread_u16(m);
		CHECK(name.n < sizeof(c->name));
		memcpy(c->name, name.p, name.n);
		c->name[name.n] = '\0';
		c->number = oid != ROWS_TEXT_OID;
		c->scale = 0;
		if (r->form == ROWS_OBJECTS)
			column_to_seconds(c);
	}
	CHECK(msgread_done(m));
}

static void
rows_head(struct rows_reader *r)
{
	const struct rows_column *c;

	if (r->form == ROWS_TABLE) {
		json_key(r->j, "columns");
		json_open(r->j, '[');
		for (c = r->columns; c < r->columns + r->n; c++) {
			json_open(r->j, '{');
			json_key(r->j, "name");
			json_str(r->j, c->name);
			json_key(r->j, "type");
			json_str(r->j, c->number ? "number" : "text");
			json_close(r->j, '}');
		}
		json_close(r->j, ']');
	}
	json_key(r->j, "rows");
	json_open(r->j, '[');
	r->described = true;
}

/* ------------------------------------------------------------ rows */

static void
rows_value(struct json *j, const struct rows_column *c, struct slice v,
    bool null)
{
	char text[64];

	if (null) {
		json_null(j);
	} else if (!c->number) {
		json_slice(j, v);
	} else if (c->scale == 0 || v.n >= sizeof(text)) {
		json_number(j, v);
	} else {
		memcpy(text, v.p, v.n);
		text[v.n] = '\0';
		json_real(j, strtod(text, NULL) * c->scale);
	}
}

/* A row that does not fit is taken back, and ends the list. */
static void
rows_row(struct rows_reader *r, struct msgread *m)
{
	struct json_mark mark = json_mark(r->j);
	bool objects = r->form == ROWS_OBJECTS, null;
	struct slice v;
	unsigned i;

	CHECK(msgread_u16(m) == r->n);
	json_open(r->j, objects ? '{' : '[');
	for (i = 0; i < r->n; i++) {
		v = msgread_value(m, &null);
		if (objects)
			json_key(r->j, r->columns[i].name);
		rows_value(r->j, &r->columns[i], v, null);
	}
	json_close(r->j, objects ? '}' : ']');
	CHECK(msgread_done(m));
	if (r->j->failed || buf_len(r->j->b) > r->max) {
		json_rewind(r->j, mark);
		r->truncated = true;
	}
}

/* ------------------------------------------------------------ errors */

static void
rows_error_json(struct json *j, struct msgread *m, char sqlstate[6])
{
	struct slice v;
	uint8_t field;

	json_key(j, "error");
	json_open(j, '{');
	while ((field = msgread_u8(m)) != 0) {
		v = msgread_str(m);
		if (field == 'C' && v.n == 5) {
			memcpy(sqlstate, v.p, 5);
			sqlstate[5] = '\0';
		}
		if (strchr("CMDH", field) == NULL)
			continue;
		json_key(j, field == 'C' ? "sqlstate" : field == 'M' ?
		    "message" : field == 'D' ? "detail" : "hint");
		json_slice(j, v);
	}
	json_close(j, '}');
}

static void
rows_notice_json(struct json *j, struct msgread *m)
{
	struct slice v;
	uint8_t field;

	while ((field = msgread_u8(m)) != 0) {
		v = msgread_str(m);
		if (field == 'M')
			json_slice(j, v);
	}
}

/* ------------------------------------------------------------ answers */

/* The next whole message; false: there is none. */
static bool
rows_next(struct slice *answer, char *type, struct msgread *m)
{
	size_t n;

	if (answer->n < 5)
		return false;
	*type = answer->p[0];
	n = wire_u32(answer->p + 1);
	CHECK(n >= 4);
	if (n > answer->n - 1)
		return false;
	msgread_init(m, answer->p + 5, n - 4);
	*answer = slice_make(answer->p + 1 + n, answer->n - 1 - n);
	return true;
}

static void
rows_notices(struct json *j, struct slice answer)
{
	bool any = false;
	struct msgread m;
	char type;

	while (rows_next(&answer, &type, &m)) {
		if (type != 'N')
			continue;
		if (!any) {
			json_key(j, "notices");
			json_open(j, '[');
			any = true;
		}
		rows_notice_json(j, &m);
	}
	if (any)
		json_close(j, ']');
}

void
rows_json(struct json *j, struct slice answer, enum rows_form form,
    size_t max, char sqlstate[6])
{
	struct rows_reader r = { .j = j, .form = form,
		.max = buf_len(j->b) + max };
	struct slice rest = answer;
	bool complete = false;
	struct msgread m;
	char type;

	sqlstate[0] = '\0';
	rows_notices(j, answer);
	while (!r.truncated && rows_next(&rest, &type, &m)) {
		if (type == 'E') {
			rows_error_json(j, &m, sqlstate);
			return;
		}
		if (type == 'T') {
			rows_describe(&r, &m);
			rows_head(&r);
		} else if (type == 'D') {
			rows_row(&r, &m);
		}
		complete = type == 'C';
	}
	if (r.described)
		json_close(j, ']');
	json_key(j, "truncated");
	json_bool(j, !complete);
}
