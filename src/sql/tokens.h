/* SPDX-License-Identifier: PostgreSQL
 *
 * The tokens of one text, as far as it takes to find where the clauses of a
 * statement and the items of a list begin and end: libpg_query's tree says
 * where an expression begins, not where it ends.  Pure.
 */
#ifndef PGSLUICE_SQL_TOKENS_H
#define PGSLUICE_SQL_TOKENS_H

#include "sql/lex.h"

enum token_kind {
	TOKEN_WORD,    /* identifier or keyword without quotes */
	TOKEN_QUOTED,  /* identifier in quotes */
	TOKEN_LITERAL, /* string or number */
	TOKEN_PARAM,   /* $n */
	TOKEN_OPEN, TOKEN_CLOSE, /* any bracket */
	TOKEN_COMMA, TOKEN_DOT, TOKEN_SEMI,
	TOKEN_OTHER    /* a single byte of an operator */
};

struct token {
	enum token_kind kind;
	uint32_t pos, len;
	uint32_t depth; /* brackets around it; those of a bracket itself are not
	                   counted */
};

struct tokens {
	struct token *v;
	size_t n;
};

/* sql as lx has cut it; comments are left out. false: no memory. */
bool tokens_read(struct tokens *t, struct slice sql, const struct lexer *lx)
    PG_MUST_CHECK;
void tokens_free(struct tokens *t);
/* The token is this word (in lower case), in whatever case it is written. */
bool token_is(const struct token *t, struct slice sql, const char *word);
/* First token at or behind this byte; t->n: none. */
size_t tokens_at(const struct tokens *t, uint32_t pos);
/* The bracket that closes the one at index open; t->n: none does. */
size_t tokens_close(const struct tokens *t, size_t open);

#endif
