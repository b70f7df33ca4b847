/* SPDX-License-Identifier: PostgreSQL
 *
 * COPY data cut into rows.  Source: PostgreSQL 15, commands/copyfromparse.c:
 * CopyReadLineText() for where a line ends, CopyReadAttributesText() and
 * CopyReadAttributesCSV() for its fields; documentation of COPY for binary.
 *
 * A row that is not all here is looked at again where the last look ended.
 * Pure, any thread.
 */
#include "sql/copyrows.h"

#include <string.h>

#define BINARY_HEAD 19 /* signature, flags, length of the extension */

void
copy_options_default(struct copy_options *o, enum copy_format format)
{
	*o = (struct copy_options){ .format = format,
		.delimiter = format == COPY_CSV ? ',' : '\t', .quote = '"',
		.escape = '"' };
	o->null = format == COPY_CSV ? SLICE_LIT("") : SLICE_LIT("\\N");
}

static void
rows_begin(struct copy_rows *r)
{
	r->at = r->field_start = 0;
	r->field = 0;
	r->next_wanted = 0;
	r->in_quotes = r->quoted = false;
	memset(r->fields, 0, sizeof(r->fields));
}

void
copy_rows_init(struct copy_rows *r, const struct copy_options *o,
    const unsigned *wanted, size_t n_wanted)
{
	CHECK(n_wanted <= COPY_MAX_WANTED);
	*r = (struct copy_rows){ .o = *o, .wanted = wanted,
		.n_wanted = n_wanted };
	rows_begin(r);
}

/* ------------------------------------------------------------------- lines */

/* The field that began at field_start ends before at. */
static void
rows_end_field(struct copy_rows *r, size_t at)
{
	struct copy_field *f;

	if (r->next_wanted < r->n_wanted &&
	    r->wanted[r->next_wanted] == r->field) {
		f = &r->fields[r->next_wanted++];
		f->pos = r->field_start;
		f->n = at - r->field_start;
		f->given = true;
		f->quoted = r->quoted;
	}
	r->field++;
	r->field_start = at + 1;
	r->quoted = false;
}

static enum copy_verdict
rows_bad(const char **sqlstate, const char **why, const char *text)
{
	*sqlstate = "22P04";
	*why = text;
	return COPY_BAD;
}

/* A line end of another kind than the first one's. */
static enum copy_verdict
rows_stray(const struct copy_rows *r, char c, const char **sqlstate,
    const char **why)
{
	bool csv = r->o.format == COPY_CSV;

	if (c == '\r')
		return rows_bad(sqlstate, why, csv ?
		    "unquoted carriage return found in data" :
		    "literal carriage return found in data");
	return rows_bad(sqlstate, why, csv ?
	    "unquoted newline found in data" :
	    "literal newline found in data");
}

/* A line end at p[at], outside of quotes: its bytes, 0: none of this COPY's, or
 * (*more) not all here. */
static size_t
rows_line_end(struct copy_rows *r, const char *p, size_t n, bool last,
    bool *more)
{
	size_t at = r->at;
	bool nl = at + 1 < n && p[at + 1] == '\n';

	if (p[at] == '\r' && at + 1 == n && !last &&
	    r->eol != COPY_EOL_CR && r->eol != COPY_EOL_NL) {
		*more = true;
		return 0;
	}
	if (r->eol == COPY_EOL_UNKNOWN)
		r->eol = p[at] == '\n' ? COPY_EOL_NL :
		    nl ? COPY_EOL_CRNL : COPY_EOL_CR;
	switch (r->eol) {
	case COPY_EOL_NL:
		return p[at] == '\n';
	case COPY_EOL_CR:
		return p[at] == '\r';
	default:
		return p[at] == '\r' && nl ? 2 : 0;
	}
}

/* Behind "\." there is a line end, or nothing. */
static bool
rows_is_end(const char *p, size_t n)
{
	return n >= 2 && p[0] == '\\' && p[1] == '.' &&
	    (n == 2 || p[2] == '\n' || p[2] == '\r');
}

static enum copy_verdict
rows_line(struct copy_rows *r, size_t end, size_t size, size_t *out)
{
	bool head = r->o.header && !r->started;

	rows_end_field(r, end);
	r->started = true;
	*out = size;
	return head ? COPY_HEAD : COPY_ROW;
}

/* One byte inside or outside of quotes, as CopyReadLineText() toggles; true: it
 * is no end of anything. */
static bool
rows_csv_byte(struct copy_rows *r, const char *p, size_t n, bool *more,
    bool last)
{
	char c = p[r->at];

	if (r->in_quotes && c == r->o.escape && r->o.escape != r->o.quote) {
		/* It takes the byte behind it along, if that is special. */
		if (r->at + 1 == n && !last) {
			*more = true;
			return true;
		}
		r->at += r->at + 1 < n && (p[r->at + 1] == r->o.quote ||
		    p[r->at + 1] == r->o.escape) ? 2 : 1;
		return true;
	}
	if (c == r->o.quote) {
		r->in_quotes = !r->in_quotes;
		r->quoted = true;
		r->at++;
		return true;
	}
	if (r->in_quotes) {
		r->line += c == (r->eol == COPY_EOL_NL ? '\n' : '\r');
		r->at++;
		return true;
	}
	return false;
}

static enum copy_verdict
rows_text(struct copy_rows *r, const char *p, size_t n, bool last,
    size_t *size, const char **sqlstate, const char **why)
{
	bool csv = r->o.format == COPY_CSV, more = false;
	size_t end;

	if (r->at == 0 && n > 0 && p[0] == '\\') {
		if (n < 3 && !last && (n == 1 || p[1] == '.'))
			return COPY_MORE;
		if (rows_is_end(p, n)) {
			*size = n;
			return COPY_END;
		}
	}
	while (r->at < n) {
		char c = p[r->at];

		if (csv && rows_csv_byte(r, p, n, &more, last)) {
			if (more)
				return COPY_MORE;
			continue;
		}
		if (c == '\n' || c == '\r') {
			size_t k = rows_line_end(r, p, n, last, &more);

			if (more)
				return COPY_MORE;
			if (k == 0)
				return rows_stray(r, c, sqlstate, why);
			return rows_line(r, r->at, r->at + k, size);
		}
		if (!csv && c == '\\') {
			if (r->at + 1 == n && !last)
				return COPY_MORE;
			if (r->at + 1 < n && p[r->at + 1] == '.')
				return rows_bad(sqlstate, why,
				    "end-of-copy marker corrupt");
			r->at += 2;
			continue;
		}
		if (c == r->o.delimiter)
			rows_end_field(r, r->at);
		r->at++;
	}
	if (!last || n == 0)
		return COPY_MORE;
	if (r->in_quotes)
		return rows_bad(sqlstate, why, "unterminated CSV quoted field");
	end = n;
	return rows_line(r, end, n, size);
}

/* ------------------------------------------------------------------ binary */

static uint32_t
rows_number(const char *p, size_t bytes)
{
	uint32_t v = 0;

	for (size_t i = 0; i < bytes; i++)
		v = v << 8 | (uint8_t)p[i];
	return v;
}

static enum copy_verdict
rows_binary_head(struct copy_rows *r, const char *p, size_t n, size_t *size,
    const char **sqlstate, const char **why)
{
	static const char signature[11] = "PGCOPY\n\377\r\n";
	size_t k = n < sizeof(signature) ? n : sizeof(signature);
	uint32_t extension;

	if (memcmp(p, signature, k) != 0)
		return rows_bad(sqlstate, why,
		    "COPY file signature not recognized");
	if (n < BINARY_HEAD)
		return COPY_MORE;
	if (rows_number(p + 11, 4) & 0xffff0000u)
		return rows_bad(sqlstate, why,
		    "unrecognized critical flags in COPY file header");
	extension = rows_number(p + 15, 4);
	if (extension > 0x7fffffffu)
		return rows_bad(sqlstate, why,
		    "invalid COPY file header (missing length)");
	if (n - BINARY_HEAD < extension)
		return COPY_MORE;
	r->started = true;
	*size = BINARY_HEAD + extension;
	return COPY_HEAD;
}

static enum copy_verdict
rows_binary(struct copy_rows *r, const char *p, size_t n, size_t *size,
    const char **sqlstate, const char **why)
{
	unsigned fields;
	uint32_t len;

	if (!r->started)
		return rows_binary_head(r, p, n, size, sqlstate, why);
	if (n < 2)
		return COPY_MORE;
	fields = rows_number(p, 2);
	if (fields == 0xffff) {
		*size = n;
		return COPY_END;
	}
	if (r->at == 0)
		r->at = 2;
	for (; r->field < fields; r->field++) {
		if (n - r->at < 4)
			return COPY_MORE;
		len = rows_number(p + r->at, 4);
		if (len > 0x7fffffffu && len != 0xffffffffu)
			return rows_bad(sqlstate, why, "invalid field size");
		if (len != 0xffffffffu && n - r->at - 4 < len)
			return COPY_MORE;
		if (r->next_wanted < r->n_wanted &&
		    r->wanted[r->next_wanted] == r->field)
			r->fields[r->next_wanted++] = (struct copy_field){
				.pos = r->at + 4, .given = true,
				.null = len == 0xffffffffu,
				.n = len == 0xffffffffu ? 0 : len };
		r->at += 4 + (len == 0xffffffffu ? 0 : len);
	}
	*size = r->at;
	return COPY_ROW;
}

enum copy_verdict
copy_rows_next(struct copy_rows *r, const char *p, size_t n, bool last,
    size_t *size, const char **sqlstate, const char **why)
{
	enum copy_verdict v;

	if (r->at == 0) {
		if (n == 0)
			return COPY_MORE;
		rows_begin(r);
	}
	v = r->o.format == COPY_BINARY ?
	    rows_binary(r, p, n, size, sqlstate, why) :
	    rows_text(r, p, n, last, size, sqlstate, why);
	if (v == COPY_BAD)
		r->line++;
	if (v == COPY_ROW || v == COPY_HEAD) {
		r->line += v == COPY_ROW || r->o.format != COPY_BINARY;
		r->at = 0;
	}
	return v;
}

/* ------------------------------------------------------------------- values */

static int
value_digit(char c, int base)
{
	int d = c >= '0' && c <= '9' ? c - '0' :
	    c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	    c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;

	return d < base ? d : -1;
}

/* Up to max digits at p[*i]. */
static char
value_number(struct slice s, size_t *i, int base, int max)
{
	int v = 0, d;

	for (; max > 0 && *i < s.n && (d = value_digit(s.p[*i], base)) >= 0;
	     max--, (*i)++)
		v = v * base + d;
	return (char)v;
}

/* What stands behind a backslash, at s.p[*i]. */
static char
value_escape(struct slice s, size_t *i)
{
	static const char from[] = "bfnrtv", to[] = "\b\f\n\r\t\v";
	char c = s.p[*i];
	const char *at;

	if (c >= '0' && c <= '7')
		return value_number(s, i, 8, 3);
	(*i)++;
	if (c == 'x' && *i < s.n && value_digit(s.p[*i], 16) >= 0)
		return value_number(s, i, 16, 2);
	at = strchr(from, c);
	return c != '\0' && at != NULL ? to[at - from] : c;
}

static bool
value_text(struct slice s, struct buf *out)
{
	size_t i = 0;
	char c;

	while (i < s.n) {
		c = s.p[i++];
		if (c == '\\' && i < s.n)
			c = value_escape(s, &i);
		if (!buf_append(out, &c, 1))
			return false;
	}
	return true;
}

static bool
value_csv(const struct copy_options *o, struct slice s, struct buf *out)
{
	bool quotes = false;
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (quotes && s.p[i] == o->escape && i + 1 < s.n &&
		    (s.p[i + 1] == o->quote || s.p[i + 1] == o->escape)) {
			i++;
		} else if (s.p[i] == o->quote) {
			quotes = !quotes;
			continue;
		}
		if (!buf_append(out, &s.p[i], 1))
			return false;
	}
	return true;
}

bool
copy_rows_value(const struct copy_rows *r, const char *p, size_t i,
    struct buf *scratch, struct slice *value, bool *null)
{
	const struct copy_field *f = &r->fields[i];
	bool ok = true;

	*value = slice_make(p + f->pos, f->n);
	*null = f->null;
	if (r->o.format == COPY_BINARY || *null)
		return true;
	if (r->o.format == COPY_TEXT && slice_eq(*value, r->o.null)) {
		*null = true;
		return true;
	}
	if (r->o.format == COPY_TEXT ? memchr(value->p, '\\', value->n) == NULL :
	    !f->quoted) {
		*null = r->o.format == COPY_CSV && slice_eq(*value,
		    r->o.null);
		return true;
	}
	buf_consume(scratch, buf_len(scratch));
	ok = r->o.format == COPY_TEXT ? value_text(*value, scratch) :
	    value_csv(&r->o, *value, scratch);
	*value = slice_make(buf_head(scratch) != NULL ? buf_head(scratch) : "",
	    buf_len(scratch));
	return ok;
}
