/* SPDX-License-Identifier: PostgreSQL
 *
 * Recognises EXPLAIN (ROUTE) in the text, so that what stands behind it can be
 * any statement, also one that PostgreSQL does not explain.  Pure.
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

struct slice
analysis_explain_options(struct slice sql, bool *unsupported)
{
	const struct slice none = { NULL, 0 };
	size_t pos, end, n = 0;
	bool route = false, name = true;

	*unsupported = false;
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
		if (name && (explain_word(sql, pos, end, "route") ||
		    explain_word(sql, pos, end, "\"route\"")))
			route = true;
		name = sql.p[pos] == ',';
		n++;
	}
	if (!route || pos == sql.n)
		return none;
	*unsupported = n > 1;
	return slice_make(sql.p + pos + 1, sql.n - pos - 1);
}

struct slice
analysis_explain_inner(struct slice sql)
{
	bool unsupported;

	return analysis_explain_options(sql, &unsupported);
}
