/* SPDX-License-Identifier: PostgreSQL
 *
 * Tokens, from the cuts of the lexer and the bytes between them.  Allocates
 * one array of at most one token a byte.  Pure, any thread.
 */
#include <stdlib.h>
#include <strings.h>

#include "sql/scan.h"
#include "sql/tokens.h"

static enum token_kind
tokens_punctuation(enum scan_class c)
{
	switch (c) {
	case SC_OPEN:
		return TOKEN_OPEN;
	case SC_CLOSE:
		return TOKEN_CLOSE;
	case SC_COMMA:
		return TOKEN_COMMA;
	case SC_DOT:
		return TOKEN_DOT;
	case SC_SEMI:
		return TOKEN_SEMI;
	default:
		return TOKEN_OTHER;
	}
}

/* The token at pos, which is no blank, comment or literal. */
static struct token
tokens_one(struct slice sql, uint32_t pos)
{
	enum scan_class c = scan_class_of(sql.p[pos]);
	struct token t = { .kind = tokens_punctuation(c), .pos = pos,
	    .len = 1 };
	size_t end = pos + 1;

	switch (c) {
	case SC_IDENT:
		t.kind = TOKEN_WORD;
		end = scan_word(sql, pos);
		break;
	case SC_DQUOTE:
		t.kind = TOKEN_QUOTED;
		end = scan_quoted(sql, pos);
		break;
	case SC_DOLLAR:
		t.kind = TOKEN_PARAM;
		while (end < sql.n && scan_class_of(sql.p[end]) == SC_DIGIT)
			end++;
		break;
	default:
		break;
	}
	if (end != SIZE_MAX && end > pos)
		t.len = (uint32_t)(end - pos);
	return t;
}

bool
tokens_read(struct tokens *t, struct slice sql, const struct lexer *lx)
{
	uint32_t pos = 0, depth = 0;
	size_t cut = 0;
	struct token one;

	t->n = 0;
	t->v = malloc((sql.n + 1) * sizeof(*t->v));
	if (t->v == NULL)
		return false;
	while (pos < sql.n) {
		if (cut < lx->n_cuts && lx->cuts[cut].pos == pos) {
			const struct cut *c = &lx->cuts[cut++];

			if (c->kind != CUT_COMMENT)
				t->v[t->n++] = (struct token){ TOKEN_LITERAL,
				    c->pos, c->len, depth };
			pos += c->len;
			continue;
		}
		if (scan_class_of(sql.p[pos]) == SC_SPACE) {
			pos++;
			continue;
		}
		one = tokens_one(sql, pos);
		if (one.kind == TOKEN_CLOSE && depth > 0)
			depth--;
		one.depth = depth;
		if (one.kind == TOKEN_OPEN)
			depth++;
		t->v[t->n++] = one;
		pos += one.len;
	}
	return true;
}

void
tokens_free(struct tokens *t)
{
	free(t->v);
	t->v = NULL;
	t->n = 0;
}

bool
token_is(const struct token *t, struct slice sql, const char *word)
{
	return t->kind == TOKEN_WORD && t->len == strlen(word) &&
	    strncasecmp(sql.p + t->pos, word, t->len) == 0;
}

size_t
tokens_at(const struct tokens *t, uint32_t pos)
{
	size_t lo = 0, hi = t->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->v[mid].pos < pos)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

size_t
tokens_close(const struct tokens *t, size_t open)
{
	size_t i;

	for (i = open + 1; i < t->n; i++)
		if (t->v[i].kind == TOKEN_CLOSE &&
		    t->v[i].depth == t->v[open].depth)
			return i;
	return t->n;
}
