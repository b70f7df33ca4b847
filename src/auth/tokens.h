/* SPDX-License-Identifier: PostgreSQL
 *
 * Lines of PostgreSQL's authentication files (pg_hba.conf, pg_ident.conf), cut
 * into fields and those into tokens.
 *
 * As PostgreSQL does it (hba.c, next_token): fields are separated by blanks,
 * tokens of one field by commas; # starts a comment; text in double quotes may
 * hold all of that and loses the meaning of a keyword, "" inside is one quote;
 * a backslash at the end of a line joins the next one.  Unlike there, a quote
 * that is never closed and a zero byte are mistakes.  Pure.
 */
#ifndef PGSLUICE_AUTH_TOKENS_H
#define PGSLUICE_AUTH_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"

#define TOKENS_LINE_MAX 8192 /* bytes of a line, joined ones together */
#define TOKENS_MAX 1024      /* in a line */

struct token {
	char *text;
	bool quoted; /* it began with a quote: no keyword */
	unsigned field;
};

struct tokens {
	const char *p, *end; /* of the whole text, not owned */
	int next_line;
	/* the line at hand */
	int line;            /* its number, from 1; of the first if joined */
	struct token v[TOKENS_MAX];
	unsigned n, n_fields;
	char text[TOKENS_LINE_MAX + 1], out[TOKENS_LINE_MAX + TOKENS_MAX];
};

void tokens_init(struct tokens *t, const char *text, size_t len);
/* Go to the next line that holds a token. 1: there it is; 0: no more; -1: *why
 * says what is wrong in line t->line. */
int tokens_next(struct tokens *t, const char **why) PG_MUST_CHECK;
/* The tokens of a field: how many; the first in *v. 0: no such field. */
unsigned tokens_field(const struct tokens *t, unsigned field,
    const struct token **v);

#endif
