/* SPDX-License-Identifier: PostgreSQL
 *
 * The lexer that cuts literals and comments out of a statement.
 *
 * Follows PostgreSQL's scan.l closely enough to find where strings (plain,
 * E'', U&'', B'', X'', N'', $tag$), numbers, quoted identifiers, parameters ($1) and (nested)
 * comments begin and end; it is no parser.  What is left, byte for byte, with
 * each cut replaced by one marker byte (its kind), is the *shape*: so a
 * position in one text of a shape maps to any other text of it by adding up
 * literal lengths (lex_pos).  It also caps what libpg_query may be given:
 * length, nesting of brackets and CASE, and the number of tokens that can make
 * the parse tree deeper ("1+1+1+...", "NOT NOT ...", UNION, JOIN), because
 * libpg_query recurses over that tree and crashes on a deep one.  What a comma,
 * AND, OR, a closing bracket or ';' separates lies side by side in the tree
 * and is not added up, so lists of any length pass.
 *
 * Pure. A struct lexer is scratch of one worker and is reused.
 */
#ifndef PGSLUICE_SQL_LEX_H
#define PGSLUICE_SQL_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/slice.h"

enum cut_kind { /* value is the marker byte in the shape */
	CUT_INT = 1,  /* decimal digits only */
	CUT_NUM,      /* has a point or exponent */
	CUT_STR,      /* '...' without any escape or doubled quote */
	CUT_STR_ESC,  /* '...' with doubled quotes, E'', U&'', dollar-quoted, B'', X'', N'';
	                 or continued on another line, which is one cut */
	CUT_COMMENT
};

struct cut {
	uint32_t pos, len;
	enum cut_kind kind;
};

enum lex_result {
	LEX_OK,
	LEX_TOO_LONG,  /* over max_len, too many cuts, or no memory */
	LEX_TOO_DEEP,  /* nesting or operator chain over the caps */
	LEX_BROKEN     /* unterminated string, comment or identifier; NUL byte;
	                  a marker byte outside of a literal; U&"..." (its value
	                  depends on a literal); a backslash in a plain string
	                  when scs is off */
};

#define LEX_MAX_DEPTH 150    /* nested brackets and CASE */
/* Depth the tree may reach, in units of one operator (at most 2 KB of stack
 * in libpg_query, measured); a bracket weighs 3 of them, a CASE 2. */
#define LEX_MAX_CHAIN 500
#define LEX_MAX_CUTS 65535
/* Stack of a thread that calls analysis_new(): twice what the worst text
 * within the caps was seen to need. */
#define SQL_STACK_MIN (2u << 20)

struct lexer {
	struct cut *cuts;
	size_t n_cuts, cuts_size;
	char *shape;           /* text with cuts replaced */
	size_t shape_len, shape_size;
	struct hash128 hash;   /* of the shape */
	size_t n_statements;   /* non-empty, separated by ';' outside brackets */
	struct slice of;       /* the text that the cuts are of, for shape_get() */
};

void lexer_init(struct lexer *lx);
void lexer_fini(struct lexer *lx);
/* Lex sql (not terminated). scs: standard_conforming_strings. On LEX_OK all
 * fields are set and valid until the next call. */
enum lex_result lex_statement(struct lexer *lx, struct slice sql, bool scs,
    size_t max_len) PG_MUST_CHECK;

/* A position independent of literal lengths: off bytes after the end of cut
 * number cut-1 (cut 0: after the start). */
struct textpos {
	uint32_t cut, off;
};
struct textpos lex_pos_from(const struct lexer *lx, uint32_t byte);
uint32_t lex_pos(const struct lexer *lx, struct textpos p);

#endif
