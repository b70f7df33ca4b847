/* SPDX-License-Identifier: PostgreSQL
 *
 * What a literal cut says: its plain text, and whether it is one of the words
 * that PostgreSQL's date input reads as the time of day.  Pure, any thread.
 */
#include <strings.h>

#include "sql/analysis.h"
#include "sql/scan.h"

/* Inner text of '...', with or without doubled quotes in it. */
static bool
literal_quoted(struct slice s, char *scratch, size_t scratch_size,
    struct slice *out)
{
	size_t i, n = 0;

	if (scan_string(s, 0) != s.n)
		return false; /* continued on another line */
	s = slice_make(s.p + 1, s.n - 2);
	if (memchr(s.p, '\'', s.n) == NULL) {
		*out = s;
		return true;
	}
	for (i = 0; i < s.n; i++) {
		if (n == scratch_size)
			return false;
		scratch[n++] = s.p[i];
		if (s.p[i] == '\'')
			i++;
	}
	*out = slice_make(scratch, n);
	return true;
}

bool
analysis_literal(struct slice sql, const struct cut *c, char *scratch,
    size_t scratch_size, struct slice *out)
{
	struct slice s = slice_make(sql.p + c->pos, c->len);
	size_t tag;

	switch (c->kind) {
	case CUT_INT:
	case CUT_NUM:
		*out = s;
		return true;
	case CUT_STR:
		*out = slice_make(s.p + 1, s.n - 2);
		return true;
	case CUT_COMMENT:
		return false;
	case CUT_STR_ESC:
		break;
	}
	if (s.p[0] == '\'')
		return literal_quoted(s, scratch, scratch_size, out);
	if (s.p[0] == '$') {
		tag = (size_t)((const char *)memchr(s.p + 1, '$', s.n - 1) -
		    s.p) + 1;
		*out = slice_make(s.p + tag, s.n - 2 * tag);
		return true;
	}
	if ((s.p[0] | 0x20) != 'e' || memchr(s.p, '\\', s.n) != NULL)
		return false;
	return literal_quoted(slice_make(s.p + 1, s.n - 1), scratch,
	    scratch_size, out);
}

bool
analysis_pred_applies(const struct an_pred *p, struct slice sql,
    const struct lexer *lx)
{
	char scratch[8];
	struct slice unit;

	if (p->op != AN_MONTH_EQ)
		return true;
	CHECK(p->unit_cut < lx->n_cuts);
	return analysis_literal(sql, &lx->cuts[p->unit_cut], scratch,
	    sizeof(scratch), &unit) && unit.n == 5 &&
	    strncasecmp(unit.p, "month", 5) == 0;
}

static bool
literal_is_letter(char c)
{
	return (unsigned char)((c | 0x20) - 'a') < 26;
}

bool
analysis_literal_is_special(struct slice t)
{
	static const struct slice words[] = { { "now", 3 }, { "today", 5 },
	    { "tomorrow", 8 }, { "yesterday", 9 } };
	size_t i, end, k;

	for (i = 0; i < t.n; i = end) {
		end = i + 1;
		if (!literal_is_letter(t.p[i]))
			continue;
		while (end < t.n && literal_is_letter(t.p[end]))
			end++;
		for (k = 0; k < ARRAY_SIZE(words); k++)
			if (words[k].n == end - i && strncasecmp(t.p + i,
			    words[k].p, end - i) == 0)
				return true;
	}
	return false;
}

/* The words would stand in the string as they are: no escapes, one piece. */
static bool
literal_is_readable(const struct cut *c, struct slice s)
{
	if (c->kind == CUT_STR || s.p[0] == '$')
		return true;
	if ((s.p[0] | 0x20) == 'e') {
		if (memchr(s.p, '\\', s.n) != NULL)
			return false;
		s = slice_make(s.p + 1, s.n - 1);
	}
	return s.p[0] == '\'' && scan_string(s, 0) == s.n;
}

bool
analysis_has_special_literals(const struct analysis *a, struct slice sql,
    const struct lexer *lx)
{
	size_t i;

	if (a->kind != STMT_SELECT)
		return false;
	for (i = 0; i < lx->n_cuts; i++) {
		const struct cut *c = &lx->cuts[i];
		struct slice s = slice_make(sql.p + c->pos, c->len);

		if (c->kind != CUT_STR && c->kind != CUT_STR_ESC)
			continue;
		if (!literal_is_readable(c, s) ||
		    analysis_literal_is_special(s))
			return true;
	}
	return false;
}
