/* SPDX-License-Identifier: PostgreSQL
 *
 * traceparent in comments: finding the comments, the word, its fields.  Pure.
 *
 * A statement without a comment at either end costs a look at its first and
 * last bytes.
 */
#include "sql/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TRACE_WORD "traceparent"
#define PARENT_LENGTH 55 /* of version 00 */

/* ---- the value -------------------------------------------------------------- */

/* n lower case hexadecimal digits, at most 16. */
static bool
trace_hex(const char *p, size_t n, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		if (p[i] >= '0' && p[i] <= '9')
			v = v << 4 | (uint64_t)(p[i] - '0');
		else if (p[i] >= 'a' && p[i] <= 'f')
			v = v << 4 | (uint64_t)(p[i] - 'a' + 10);
		else
			return false;
	}
	*out = v;
	return true;
}

/* Versions to come may have more behind a '-'. */
static bool
trace_parent(struct slice s, struct trace *t)
{
	uint64_t version, flags;

	if (s.n < PARENT_LENGTH || s.p[2] != '-' || s.p[35] != '-' ||
	    s.p[52] != '-' || !trace_hex(s.p, 2, &version) ||
	    !trace_hex(s.p + 3, 16, &t->id[0]) ||
	    !trace_hex(s.p + 19, 16, &t->id[1]) ||
	    !trace_hex(s.p + 36, 16, &t->span) ||
	    !trace_hex(s.p + 53, 2, &flags))
		return false;
	if (version == 0xff || (s.n > PARENT_LENGTH &&
	    (version == 0 || s.p[PARENT_LENGTH] != '-')))
		return false;
	t->sampled = (flags & 1) != 0;
	return trace_is_there(t) && t->span != 0;
}

/* ---- the word ---------------------------------------------------------------- */

static bool
trace_is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Words are parted by commas; a word's value stands in single quotes. */
static bool
trace_comment(struct slice text, struct trace *t)
{
	const size_t word = sizeof(TRACE_WORD) - 1;
	const char *p = text.p, *end = text.p + text.n, *at, *close;

	while ((at = memmem(p, (size_t)(end - p), TRACE_WORD, word)) != NULL) {
		p = at + word;
		if (at > text.p && at[-1] != ',' && !trace_is_blank(at[-1]))
			continue;
		if (end - p < 2 || p[0] != '=' || p[1] != '\'')
			continue;
		p += 2;
		close = memchr(p, '\'', (size_t)(end - p));
		if (close != NULL &&
		    trace_parent(slice_make(p, (size_t)(close - p)), t))
			return true;
	}
	return false;
}

/* ---- the comments -------------------------------------------------------------- */

static bool
trace_leading(struct slice sql, struct trace *t)
{
	const char *end;

	while (sql.n > 0 && trace_is_blank(*sql.p)) {
		sql.p++;
		sql.n--;
	}
	if (sql.n < 4 || sql.p[0] != '/' || sql.p[1] != '*')
		return false;
	sql = slice_make(sql.p + 2, sql.n - 2);
	if (sql.n > TRACE_BYTES)
		sql.n = TRACE_BYTES;
	end = memmem(sql.p, sql.n, "*/", 2);
	return end != NULL &&
	    trace_comment(slice_make(sql.p, (size_t)(end - sql.p)), t);
}

static bool
trace_trailing(struct slice sql, struct trace *t)
{
	size_t n, least;

	while (sql.n > 0 && (trace_is_blank(sql.p[sql.n - 1]) ||
	    sql.p[sql.n - 1] == ';'))
		sql.n--;
	if (sql.n < 4 || sql.p[sql.n - 1] != '/' || sql.p[sql.n - 2] != '*')
		return false;
	sql.n -= 2;
	least = sql.n > TRACE_BYTES ? sql.n - TRACE_BYTES : 0;
	for (n = sql.n; n >= least + 2; n--)
		if (sql.p[n - 1] == '*' && sql.p[n - 2] == '/')
			return trace_comment(slice_make(sql.p + n, sql.n - n),
			    t);
	return false;
}

void
trace_read(struct slice sql, struct trace *out)
{
	if (!trace_trailing(sql, out) && !trace_leading(sql, out))
		*out = (struct trace){ .span = 0 };
}

char *
trace_print_id(char *out, const struct trace *t)
{
	(void)snprintf(out, TRACE_ID_TEXT, "%016" PRIx64 "%016" PRIx64,
	    t->id[0], t->id[1]);
	return out;
}

char *
trace_print_span(char *out, const struct trace *t)
{
	(void)snprintf(out, TRACE_SPAN_TEXT, "%016" PRIx64, t->span);
	return out;
}
