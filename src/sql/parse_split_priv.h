/* SPDX-License-Identifier: PostgreSQL
 *
 * Shared by parse_split.c (clauses) and parse_split_item.c (expressions) only:
 * one SELECT being taken apart.
 */
#ifndef PGSLUICE_SQL_PARSE_SPLIT_PRIV_H
#define PGSLUICE_SQL_PARSE_SPLIT_PRIV_H

#include "sql/parse_priv.h"
#include "sql/tokens.h"

#define SPLIT_MAX_ITEMS 1600 /* columns of a PostgreSQL result */

enum clause {
	CLAUSE_SELECT, CLAUSE_FROM, CLAUSE_WHERE, CLAUSE_GROUP, CLAUSE_HAVING,
	CLAUSE_WINDOW, CLAUSE_ORDER, CLAUSE_LIMIT, CLAUSE_OFFSET, CLAUSE_FETCH,
	CLAUSE_COUNT
};

struct splitter {
	struct parse *p;
	const struct parse_scope *sc;
	struct tokens t;
	struct an_split *s;
	size_t aggs_size;
	size_t clause[CLAUSE_COUNT]; /* token of its keyword; t.n: none */
	size_t end;                  /* one past the statement's last token */
	struct an_item *item;        /* being walked */
	unsigned in_aggregate;       /* ... inside of the arguments of one */
	bool refused;
};

static inline struct textpos
split_pos(const struct splitter *x, uint32_t byte)
{
	return lex_pos_from(x->p->lx, byte);
}

/* Behind the token in front of this one. */
static inline struct textpos
split_behind(const struct splitter *x, size_t token)
{
	const struct token *t = &x->t.v[token - 1];

	return split_pos(x, t->pos + t->len);
}

/* Tokens [from, until). */
static inline struct an_range
split_range(const struct splitter *x, size_t from, size_t until)
{
	struct an_range r;

	r.from = split_pos(x, x->t.v[from].pos);
	r.until = until > from ? split_behind(x, until) : r.from;
	return r;
}

static inline bool
split_is(const struct splitter *x, size_t token, const char *word)
{
	return token < x->end && token_is(&x->t.v[token], x->p->sql, word);
}

/* parse_split_item.c: what is known of an item's expression n, at tokens [from,
 * until). */
void split_item(struct splitter *x, struct an_item *item, const parse_node *n,
    size_t from, size_t until);

#endif
