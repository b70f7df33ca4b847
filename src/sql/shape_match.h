/* SPDX-License-Identifier: PostgreSQL
 *
 * Is this text one of that shape?  Told without lexing it: what lies between
 * the literals is compared, and the literals are found by their first and last
 * byte.  Says yes only where lex_statement() would cut the same literals and
 * leave the same shape; a no means nothing.
 *
 * Only integers ('1') and plain strings ('a') are followed, and only where
 * what the shape has behind them cannot be read as a part of the literal: no
 * point or exponent behind an integer, and no literal right behind another.
 * The lexer looks at no other byte of a literal to decide about what surrounds
 * it, so equal bytes around literals of equal kinds are cut equally.
 *
 * Pure.
 */
#ifndef PGSLUICE_SQL_SHAPE_MATCH_H
#define PGSLUICE_SQL_SHAPE_MATCH_H

#include "sql/lex.h"

#define SHAPE_MARKS_MAX 64

/* Where the literals of a shape are: ascending positions of their marker
 * bytes. */
struct shape_marks {
	bool usable; /* false: texts of this shape have to be lexed */
	uint16_t n;
	uint32_t *at; /* NULL if n is 0 */
};

/* Find them in shape (text of struct lexer). usable is false where the rule
 * above, SHAPE_MARKS_MAX or memory forbid it. */
void shape_marks_init(struct shape_marks *m, struct slice shape);
void shape_marks_fini(struct shape_marks *m);

/* Whether sql is a text of shape, whose marks m are. scs as in
 * lex_statement(). If so, lx->cuts and lx->n_cuts are as lex_statement() would
 * have left them; its other fields are not touched. */
bool shape_match(const struct shape_marks *m, struct slice shape,
    struct slice sql, bool scs, struct lexer *lx) PG_MUST_CHECK;

#endif
