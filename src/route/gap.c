/* SPDX-License-Identifier: PostgreSQL
 *
 * What stands around a relation token: blanks, comments, ONLY, brackets.
 *
 * Works on the client's text with the lexer's cuts, so that comments are
 * skipped as the lexer saw them.  Positions are trusted to lie in the text
 * that the cuts were made from.  Pure.
 */
#include "route/route_priv.h"

#include <strings.h>

static bool
gap_is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Number of the first cut that begins at or after pos. */
static size_t
gap_cut(const struct lexer *lx, size_t pos)
{
	size_t lo = 0, hi = lx->n_cuts;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (lx->cuts[mid].pos < pos)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

size_t
gap_forward(const struct route_values *v, size_t pos)
{
	const struct lexer *lx = v->lx;
	size_t k = gap_cut(lx, pos);

	while (pos < v->sql.n) {
		if (k < lx->n_cuts && lx->cuts[k].pos == pos) {
			if (lx->cuts[k].kind != CUT_COMMENT)
				break;
			pos += lx->cuts[k++].len;
		} else if (gap_is_blank(v->sql.p[pos])) {
			pos++;
		} else {
			break;
		}
	}
	return pos;
}

size_t
gap_backward(const struct route_values *v, size_t pos)
{
	const struct lexer *lx = v->lx;
	size_t k = gap_cut(lx, pos);

	while (pos > 0) {
		const struct cut *c = k > 0 ? &lx->cuts[k - 1] : NULL;

		if (c != NULL && (size_t)c->pos + c->len == pos) {
			if (c->kind != CUT_COMMENT)
				break;
			pos = c->pos;
			k--;
		} else if (gap_is_blank(v->sql.p[pos - 1])) {
			pos--;
		} else {
			break;
		}
	}
	return pos;
}

bool
gap_is_only(const struct route_values *v, size_t pos, bool *open)
{
	size_t end = gap_backward(v, pos);
	char before;

	*open = end > 0 && v->sql.p[end - 1] == '(';
	if (*open)
		end = gap_backward(v, end - 1);
	if (end < 4 || strncasecmp(v->sql.p + end - 4, "only", 4) != 0)
		return false;
	if (end == 4)
		return true;
	before = v->sql.p[end - 5];
	return !(before >= 'a' && before <= 'z') &&
	    !(before >= 'A' && before <= 'Z') &&
	    !(before >= '0' && before <= '9') && before != '_' &&
	    before != '$' && before != '"' && (unsigned char)before < 0x80;
}
