/* SPDX-License-Identifier: PostgreSQL
 *
 * Places in the text of PREPARE, EXECUTE and DEALLOCATE.  Source: PostgreSQL's
 * scan.l for white space, comments and identifiers.  Pure.
 */
#include "sql/prepared.h"

#include <string.h>
#include <strings.h>

struct cursor {
	const char *p, *end;
};

/* Behind white space and comments. */
static void
cursor_skip(struct cursor *c)
{
	unsigned depth = 0;

	while (c->p < c->end) {
		if (depth == 0 && strchr(" \t\r\n\f", *c->p) != NULL &&
		    *c->p != '\0') {
			c->p++;
		} else if (depth == 0 && c->end - c->p >= 2 &&
		    memcmp(c->p, "--", 2) == 0) {
			while (c->p < c->end && *c->p != '\n' && *c->p != '\r')
				c->p++;
		} else if (c->end - c->p >= 2 && memcmp(c->p, "/*", 2) == 0) {
			depth++;
			c->p += 2;
		} else if (depth > 0) {
			if (c->end - c->p >= 2 && memcmp(c->p, "*/", 2) == 0) {
				depth--;
				c->p++;
			}
			c->p++;
		} else {
			return;
		}
	}
}

static bool
is_word_byte(char ch, bool first)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
	    ch == '_' || (ch & 0x80) != 0 ||
	    (!first && ((ch >= '0' && ch <= '9') || ch == '$'));
}

/* The word at c, not folded; empty: there is none. */
static struct slice
cursor_word(struct cursor *c)
{
	const char *from = c->p;

	while (c->p < c->end && is_word_byte(*c->p, c->p == from))
		c->p++;
	return slice_make(from, (size_t)(c->p - from));
}

static bool
word_is(struct slice w, const char *text)
{
	return w.n == strlen(text) && strncasecmp(w.p, text, w.n) == 0;
}

static bool
name_quoted(struct cursor *c, char *out)
{
	size_t n = 0;

	for (c->p++; c->p < c->end; c->p++) {
		if (*c->p == '"' && (c->end - c->p < 2 || c->p[1] != '"')) {
			c->p++;
			out[n] = '\0';
			return n > 0;
		}
		if (*c->p == '"')
			c->p++;
		if (n == SQL_NAME_MAX)
			return false;
		out[n++] = *c->p;
	}
	return false;
}

static bool
name_plain(struct slice w, char *out)
{
	size_t i;

	if (w.n == 0 || w.n > SQL_NAME_MAX)
		return false;
	for (i = 0; i < w.n; i++) {
		if ((w.p[i] & 0x80) != 0)
			return false;
		out[i] = w.p[i] >= 'A' && w.p[i] <= 'Z' ?
		    (char)(w.p[i] | 32) : w.p[i];
	}
	out[w.n] = '\0';
	return true;
}

/* The name at c. */
static bool
cursor_name(struct cursor *c, struct slice sql, struct sql_prepared *out)
{
	struct slice w;
	const char *from = c->p;

	if (c->p < c->end && *c->p == '"') {
		if (!name_quoted(c, out->name))
			return false;
	} else {
		w = cursor_word(c);
		/* U&"..." is an identifier with escapes. */
		if (!name_plain(w, out->name) || (word_is(w, "u") &&
		    c->p < c->end && *c->p == '&'))
			return false;
	}
	out->before = slice_make(sql.p, (size_t)(from - sql.p));
	out->after = slice_make(c->p, (size_t)(c->end - c->p));
	return true;
}

/* Behind a list in parentheses, which may hold more of them and quoted names. */
static bool
cursor_list(struct cursor *c)
{
	unsigned depth = 0;
	bool quoted = false;

	do {
		cursor_skip(c);
		if (c->p == c->end)
			return false;
		if (*c->p == '(')
			depth++;
		else if (*c->p == ')')
			depth--;
		quoted = *c->p++ == '"';
		while (quoted && c->p < c->end && *c->p++ != '"')
			continue;
	} while (depth > 0);
	return true;
}

static bool
read_prepare(struct cursor *c, struct sql_prepared *out)
{
	const char *from = c->p;

	cursor_skip(c);
	if (c->p < c->end && *c->p == '(' && !cursor_list(c))
		return false;
	cursor_skip(c);
	if (!word_is(cursor_word(c), "as"))
		return false;
	out->head = slice_make(from, (size_t)(c->p - from));
	while (c->end > c->p && strchr("; \t\r\n\f", c->end[-1]) != NULL &&
	    c->end[-1] != '\0')
		c->end--;
	out->body = slice_make(c->p, (size_t)(c->end - c->p));
	return out->body.n > 0;
}

static bool
read_deallocate(struct cursor *c, struct slice sql, struct sql_prepared *out)
{
	struct cursor mark = *c;

	out->kind = SQL_DEALLOCATE;
	if (word_is(cursor_word(c), "prepare")) {
		cursor_skip(c);
		if (c->p == c->end || *c->p == ';')
			*c = mark; /* a statement of this name */
		else
			mark = *c;
	}
	*c = mark;
	if (word_is(cursor_word(c), "all")) {
		out->kind = SQL_DEALLOCATE_ALL;
		return true;
	}
	*c = mark;
	return cursor_name(c, sql, out);
}

bool
sql_prepared_read(struct slice sql, struct sql_prepared *out)
{
	struct cursor c = { sql.p, sql.p + sql.n };
	struct slice verb;

	memset(out, 0, sizeof(*out));
	cursor_skip(&c);
	while (c.p < c.end && *c.p == ';') {
		c.p++;
		cursor_skip(&c);
	}
	verb = cursor_word(&c);
	cursor_skip(&c);
	if (word_is(verb, "deallocate"))
		return read_deallocate(&c, sql, out);
	if (!word_is(verb, "prepare") && !word_is(verb, "execute"))
		return false;
	out->kind = word_is(verb, "prepare") ? SQL_PREPARE : SQL_EXECUTE;
	return cursor_name(&c, sql, out) &&
	    (out->kind == SQL_EXECUTE || read_prepare(&c, out));
}
