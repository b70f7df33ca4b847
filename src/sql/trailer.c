/* SPDX-License-Identifier: PostgreSQL
 *
 * Cutting off a comment at the end.  Pure.
 *
 * A text that does not end in one costs a look at its last bytes.
 */
#include "sql/trailer.h"

#include <stdbool.h>

static bool
trailer_is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Begin of the comment whose end, without the marks, is at end; 0: there is
 * none that may be cut, since a statement stands before it. */
static size_t
trailer_begin(const char *p, size_t end)
{
	size_t least = end > TRAILER_BYTES ? end - TRAILER_BYTES : 0, n;
	bool odd = false;
	char c;

	for (n = end; n > least; n--) {
		c = p[n - 1];
		if (c == '*')
			break;
		if (c < ' ' || c > '~' || c == '"' || c == '$' || c == '\\' ||
		    (c == '-' && n > least + 1 && p[n - 2] == '-'))
			return 0;
		odd ^= c == '\'';
	}
	if (n < least + 3 || p[n - 2] != '/' || p[n - 3] == '*' || odd ||
	    (n < end && (p[n] == '+' || p[n] == '/' || p[end - 1] == '/')))
		return 0;
	return n - 2;
}

struct slice
trailer_cut(struct slice sql)
{
	size_t n = sql.n;

	while (n > 0 && (trailer_is_blank(sql.p[n - 1]) ||
	    sql.p[n - 1] == ';'))
		n--;
	if (n < 4 || sql.p[n - 1] != '/' || sql.p[n - 2] != '*')
		return sql;
	n = trailer_begin(sql.p, n - 2);
	if (n == 0)
		return sql;
	while (n > 0 && trailer_is_blank(sql.p[n - 1]))
		n--;
	return slice_make(sql.p, n);
}
