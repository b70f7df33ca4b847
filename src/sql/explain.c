/* SPDX-License-Identifier: PostgreSQL
 *
 * Recognises EXPLAIN (ROUTE), be it with ANALYZE, in the text, so that what
 * stands behind it can be any statement, also one that PostgreSQL does not
 * explain.  Pure.
 */
#include <strings.h>

#include "sql/analysis.h"
#include "sql/scan.h"

static bool
explain_word(struct slice sql, size_t pos, size_t end, const char *word)
{
	return end - pos == strlen(word) &&
	    strncasecmp(sql.p + pos, word, end - pos) == 0;
}

/* Past one token of the option list. */
static size_t
explain_token(struct slice sql, size_t pos)
{
	size_t end = scan_ident(sql, pos);

	if (end == pos)
		end = scan_string(sql, pos);
	if (end == SIZE_MAX)
		return sql.n;
	return end == pos ? pos + 1 : end;
}

/* A word that stands for true or false, as PostgreSQL reads them. */
static bool
explain_bool(struct slice sql, size_t pos, size_t end, bool *value)
{
	static const char *const words[] = { "false", "off", "0", "true", "on",
		"1" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (explain_word(sql, pos, end, words[i])) {
			*value = i >= 3;
			return true;
		}
	return false;
}

enum explain_name { EXPLAIN_ROUTE, EXPLAIN_ANALYZE, EXPLAIN_OTHER };

static enum explain_name
explain_name(struct slice sql, size_t pos, size_t end)
{
	if (explain_word(sql, pos, end, "route") ||
	    explain_word(sql, pos, end, "\"route\""))
		return EXPLAIN_ROUTE;
	return explain_word(sql, pos, end, "analyze") ||
	    explain_word(sql, pos, end, "analyse") ? EXPLAIN_ANALYZE :
	    EXPLAIN_OTHER;
}

struct slice
analysis_explain_options(struct slice sql, struct explain_options *o)
{
	const struct slice none = { NULL, 0 };
	enum explain_name last = EXPLAIN_OTHER;
	size_t pos, end;
	bool route = false, name = true, valued = false;

	*o = (struct explain_options){ 0 };
	pos = scan_space(sql, 0);
	end = scan_ident(sql, pos);
	if (!explain_word(sql, pos, end, "explain"))
		return none;
	pos = scan_space(sql, end);
	if (pos == sql.n || sql.p[pos] != '(')
		return none;
	for (pos = scan_space(sql, pos + 1); pos < sql.n && sql.p[pos] != ')';
	    pos = scan_space(sql, end)) {
		end = explain_token(sql, pos);
		if (sql.p[pos] == ',') {
			o->unsupported |= name;
			name = true;
		} else if (name) {
			last = explain_name(sql, pos, end);
			route |= last == EXPLAIN_ROUTE;
			o->analyze |= last == EXPLAIN_ANALYZE;
			o->unsupported |= last == EXPLAIN_OTHER;
			name = valued = false;
		} else {
			o->unsupported |= valued || last != EXPLAIN_ANALYZE ||
			    !explain_bool(sql, pos, end, &o->analyze);
			valued = true;
		}
	}
	if (!route || pos == sql.n)
		return none;
	o->unsupported |= name;
	return slice_make(sql.p + pos + 1, sql.n - pos - 1);
}

struct slice
analysis_explain_inner(struct slice sql)
{
	struct explain_options o;

	return analysis_explain_options(sql, &o);
}
