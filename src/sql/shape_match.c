/* SPDX-License-Identifier: PostgreSQL
 *
 * Compares a text with a shape; see shape_match.h.  Knows what may surround a
 * literal, no more of SQL.  One worker, its own struct lexer.
 */
#include "sql/shape_match.h"

#include <stdlib.h>
#include <string.h>

#include "sql/scan.h"

static bool
marks_is_marker(char c)
{
	return c >= CUT_INT && c <= CUT_COMMENT;
}

/* Whether the literal with its marker at i ends where its own bytes say. */
static bool
marks_ends_clearly(struct slice shape, size_t i)
{
	char next;

	if (shape.p[i] != CUT_INT && shape.p[i] != CUT_STR)
		return false;
	if (i + 1 == shape.n)
		return true;
	next = shape.p[i + 1];
	if (marks_is_marker(next))
		return false;
	return shape.p[i] != CUT_INT || (next != '.' && (next | 0x20) != 'e');
}

void
shape_marks_init(struct shape_marks *m, struct slice shape)
{
	uint32_t at[SHAPE_MARKS_MAX];
	size_t i;

	*m = (struct shape_marks){ 0 };
	for (i = 0; i < shape.n; i++) {
		if (!marks_is_marker(shape.p[i]))
			continue;
		if (m->n == SHAPE_MARKS_MAX || !marks_ends_clearly(shape, i))
			return;
		at[m->n++] = (uint32_t)i;
	}
	if (m->n > 0) {
		m->at = malloc(m->n * sizeof(*at));
		if (m->at == NULL)
			return;
		memcpy(m->at, at, m->n * sizeof(*at));
	}
	m->usable = true;
}

void
shape_marks_fini(struct shape_marks *m)
{
	free(m->at);
	*m = (struct shape_marks){ 0 };
}

/* Past the literal of that kind at p; NULL if there is none the lexer would
 * cut so. */
static const char *
match_literal(enum cut_kind kind, const char *p, const char *end, bool scs)
{
	const char *q = p;

	if (kind == CUT_INT) {
		while (q < end && scan_class_of(*q) == SC_DIGIT)
			q++;
		return q > p ? q : NULL;
	}
	if (p == end || *p != '\'')
		return NULL;
	q = memchr(p + 1, '\'', (size_t)(end - p - 1));
	if (q == NULL || memchr(p, 0, (size_t)(q - p)) != NULL ||
	    (!scs && memchr(p, '\\', (size_t)(q - p)) != NULL))
		return NULL;
	return q + 1;
}

bool
shape_match(const struct shape_marks *m, struct slice shape,
    struct slice sql, bool scs, struct lexer *lx)
{
	const char *p = sql.p, *end = sql.p + sql.n, *q;
	size_t from = 0, n, i;

	if (!m->usable || lx->cuts_size < m->n)
		return false;
	for (i = 0; i < m->n; i++) {
		n = m->at[i] - from;
		if ((size_t)(end - p) < n ||
		    memcmp(p, shape.p + from, n) != 0)
			return false;
		p += n;
		from = m->at[i] + 1;
		q = match_literal((enum cut_kind)shape.p[m->at[i]], p, end,
		    scs);
		if (q == NULL)
			return false;
		lx->cuts[i] = (struct cut){ (uint32_t)(p - sql.p),
		    (uint32_t)(q - p), (enum cut_kind)shape.p[m->at[i]] };
		p = q;
	}
	n = shape.n - from;
	if ((size_t)(end - p) != n || memcmp(p, shape.p + from, n) != 0)
		return false;
	lx->n_cuts = m->n;
	return true;
}
