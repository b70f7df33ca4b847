/* SPDX-License-Identifier: PostgreSQL
 *
 * Shape table of one worker: hash lookup, LRU, reference counts; see shape.h.
 *
 * Text that cannot be parsed is not kept: whether it can may depend on a
 * literal (E'\u0000'), and an error costs libpg_query a microsecond, so one
 * client cannot make a good shape count as bad for others.
 */
#include "sql/shape.h"

#include <stdlib.h>
#include <string.h>

#include "sql/shape_text.h"

static void
shape_free(struct shape_table *t, struct shape *s)
{
	if (s->derived != NULL && t->free_derived != NULL)
		t->free_derived(s->derived);
	analysis_free(&s->an);
	shape_marks_fini(&s->marks);
	free(s->text);
	free(s);
}

struct shape *
shape_ref(struct shape *s)
{
	CHECK(s->refs > 0);
	s->refs++;
	return s;
}

void
shape_unref(struct shape_table *t, struct shape **sp)
{
	struct shape *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	CHECK(s->refs > 0);
	if (--s->refs == 0)
		shape_free(t, s);
}

static struct shape *
shape_new_unparsed(void)
{
	struct shape *s = x_calloc(1, sizeof(*s));

	s->refs = 1;
	s->an = analysis_unparsed();
	return s;
}

void
shape_table_init(struct shape_table *t, size_t limit,
    void (*free_derived)(void *))
{
	*t = (struct shape_table){ .limit = limit > 0 ? limit : 1,
	    .free_derived = free_derived };
	htab_init(&t->tab);
	TAILQ_INIT(&t->lru);
	t->unparsed = shape_new_unparsed();
}

static void
shape_drop(struct shape_table *t, struct shape *s)
{
	htab_remove(&t->tab, &s->node);
	TAILQ_REMOVE(&t->lru, s, lru);
	if (s->recent != NULL)
		*s->recent = NULL;
	s->recent = NULL;
	shape_unref(t, &s);
}

static void
shape_drop_all(struct shape_table *t)
{
	struct shape *s;

	while ((s = TAILQ_FIRST(&t->lru)) != NULL)
		shape_drop(t, s);
	shape_unref(t, &t->unparsed);
}

void
shape_table_clear(struct shape_table *t, const struct an_functions *fns)
{
	shape_drop_all(t);
	t->unparsed = shape_new_unparsed();
	t->fns = fns != NULL ? *fns : (struct an_functions){ 0 };
}

void
shape_table_fini(struct shape_table *t)
{
	shape_drop_all(t);
	htab_fini(&t->tab);
}

static struct shape *
shape_find(struct shape_table *t, const struct lexer *lx)
{
	struct htab_node *n;

	for (n = htab_find(&t->tab, lx->hash.lo); n != NULL;
	    n = htab_next(n)) {
		struct shape *s = htab_entry(n, struct shape, node);

		if (hash_eq(s->hash, lx->hash) && s->len == lx->shape_len &&
		    memcmp(s->text, lx->shape, s->len) == 0)
			return s;
	}
	return NULL;
}

/* NULL: cannot be parsed, or no memory. */
static struct shape *
shape_add(struct shape_table *t, const struct lexer *lx, struct slice sql)
{
	struct analysis *an = analysis_new(sql, lx, &t->fns);
	struct shape *s;
	char *text = NULL;

	t->parses++;
	if (an->kind == STMT_UNPARSED ||
	    (text = malloc(lx->shape_len + 1)) == NULL) {
		analysis_free(&an);
		return NULL;
	}
	memcpy(text, lx->shape, lx->shape_len);
	s = x_calloc(1, sizeof(*s));
	s->refs = 1;
	s->hash = lx->hash;
	s->text = text;
	s->len = lx->shape_len;
	s->fingerprint = shape_fingerprint(slice_make(text, s->len));
	shape_marks_init(&s->marks, slice_make(text, s->len));
	s->an = an;
	while (t->tab.count >= t->limit) {
		shape_drop(t, TAILQ_LAST(&t->lru, shape_list));
		t->evictions++;
	}
	htab_insert(&t->tab, &s->node, s->hash.lo);
	TAILQ_INSERT_HEAD(&t->lru, s, lru);
	return s;
}

/* ---- recent shapes ------------------------------------------------------ */

static struct shape **
shape_recent_set(struct shape_table *t, struct slice sql)
{
	uint64_t a, b;

	memcpy(&a, sql.p, sizeof(a));
	memcpy(&b, sql.p + sizeof(a), sizeof(b));
	/* Fibonacci hashing; the high bits are the mixed ones. */
	a = (a ^ (b << 31 | b >> 33)) * 0x9e3779b97f4a7c15u;
	return t->recent[a >> 58];
}

static struct shape *
shape_recall(struct shape_table *t, struct lexer *lx, struct slice sql,
    bool scs)
{
	struct shape **set = shape_recent_set(t, sql), *s;
	unsigned i;

	for (i = 0; i < SHAPE_RECENT_WAYS; i++) {
		s = set[i];
		if (s != NULL && shape_match(&s->marks,
		    slice_make(s->text, s->len), sql, scs, lx))
			return s;
	}
	return NULL;
}

/* s was not found among the recent ones by this text of it. A shape whose first
 * bytes hold a literal moves from set to set. */
static void
shape_remember(struct shape_table *t, struct shape *s, struct slice sql)
{
	struct shape **way = &shape_recent_set(t, sql)[t->next_way++ %
	    SHAPE_RECENT_WAYS];

	if (!s->marks.usable)
		return;
	if (s->recent != NULL)
		*s->recent = NULL;
	if (*way != NULL)
		(*way)->recent = NULL;
	*way = s;
	s->recent = way;
}

/* ---- finding ------------------------------------------------------------ */

static struct shape *
shape_hit(struct shape_table *t, struct shape *s)
{
	t->hits++;
	if (s != TAILQ_FIRST(&t->lru)) {
		TAILQ_REMOVE(&t->lru, s, lru);
		TAILQ_INSERT_HEAD(&t->lru, s, lru);
	}
	return s;
}

struct shape *
shape_get(struct shape_table *t, struct lexer *lx, struct slice sql, bool scs,
    size_t max_len)
{
	bool may_recall = sql.n >= SHAPE_RECENT_KEY && sql.n <= max_len &&
	    sql.n <= UINT32_MAX;
	struct shape *s;

	lx->of = sql;
	if (may_recall && (s = shape_recall(t, lx, sql, scs)) != NULL)
		return shape_hit(t, s);
	s = NULL;
	if (lex_statement(lx, sql, scs, max_len) == LEX_OK) {
		s = shape_find(t, lx);
		s = s != NULL ? shape_hit(t, s) : shape_add(t, lx, sql);
	}
	if (s == NULL) {
		lx->n_cuts = 0;
		return t->unparsed;
	}
	if (may_recall)
		shape_remember(t, s, sql);
	return s;
}
