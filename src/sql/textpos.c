/* SPDX-License-Identifier: PostgreSQL
 *
 * Positions that hold for every text of a shape.  Pure.
 */
#include "sql/lex.h"

struct textpos
lex_pos_from(const struct lexer *lx, uint32_t byte)
{
	size_t lo = 0, hi = lx->n_cuts;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (lx->cuts[mid].pos + lx->cuts[mid].len <= byte)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return (struct textpos){ 0, byte };
	return (struct textpos){ (uint32_t)lo, byte -
	    (lx->cuts[lo - 1].pos + lx->cuts[lo - 1].len) };
}

uint32_t
lex_pos(const struct lexer *lx, struct textpos p)
{
	CHECK(p.cut <= lx->n_cuts);
	if (p.cut == 0)
		return p.off;
	return lx->cuts[p.cut - 1].pos + lx->cuts[p.cut - 1].len + p.off;
}
