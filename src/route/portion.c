/* SPDX-License-Identifier: PostgreSQL
 *
 * The rows of an INSERT, told apart by their shards and written out again.
 *
 * Rows are found by brackets and commas behind VALUES; there must be as many as
 * the tree has.  All else of the text goes to every shard.  Pure.
 */
#include <stdio.h>
#include <stdlib.h>

#include "route/portion.h"
#include "route/route_priv.h"
#include "sql/tokens.h"

struct portion_row {
	size_t from, until; /* tokens: its opening bracket, behind its closing one */
	unsigned shard;
};

struct portions {
	const struct route_plan *p;
	const struct shape *s;
	const struct route_values *v;
	struct tokens t;
	struct portion_row *rows;
	size_t n_rows;
};

struct portion_out {
	const struct portions *po;
	unsigned form;
	struct buf *out;
	uint16_t *of;
	size_t n;
};

bool
portions_possible(const struct route_plan *p, const struct analysis *a)
{
	const uint32_t never = AN_MULTI | AN_UNKNOWN_FN | AN_WRITES_ALL |
	    AN_CATALOG | AN_SUBLINK | AN_STABLE;

	return p->table->split_inserts && a->kind == STMT_INSERT &&
	    p->variant->kind == VARIANT_SHARDED && p->table->n_keys > 0 &&
	    a->insert_known && a->n_tables == 1 && a->pins == 0 &&
	    (a->flags & never) == 0;
}

/* Rows come back, which would have to be put in their order. */
static bool
portions_return(const struct portions *po)
{
	const struct token *t = po->t.v;

	for (size_t i = po->rows[po->n_rows - 1].until; i < po->t.n; i++) {
		if (t[i].depth == 0 && t[i - 1].kind != TOKEN_DOT &&
		    token_is(&t[i], po->v->sql, "returning"))
			return true;
	}
	return false;
}

/* The rows behind VALUES. false: there are not n. */
static bool
portions_find(struct portions *po, size_t n)
{
	struct slice sql = po->v->sql;
	const struct token *t = po->t.v;
	size_t i = 0, close;

	while (i < po->t.n && (t[i].depth > 0 || !token_is(&t[i], sql,
	    "values")))
		i++;
	for (i++; i < po->t.n && po->n_rows < n; i = close + 2) {
		if (t[i].kind != TOKEN_OPEN)
			return false;
		close = tokens_close(&po->t, i);
		if (close == po->t.n)
			return false;
		po->rows[po->n_rows++] = (struct portion_row){ i, close + 1,
			0 };
		if (close + 1 == po->t.n || t[close + 1].kind != TOKEN_COMMA)
			break;
	}
	return po->n_rows == n && !portions_return(po);
}

static size_t
portions_count(const struct analysis *a)
{
	for (size_t i = 0; i < a->n_preds; i++) {
		if (a->preds[i].op == AN_ROWS)
			return a->preds[i].n_values;
	}
	return 0;
}

static bool
portions_read(struct portions *po)
{
	size_t n = portions_count(po->s->an);
	unsigned *shard_of = calloc(n + 1, sizeof(*shard_of));
	bool ok;

	po->rows = calloc(n + 1, sizeof(*po->rows));
	ok = n > 0 && shard_of != NULL && po->rows != NULL &&
	    tokens_read(&po->t, po->v->sql, po->v->lx) &&
	    portions_find(po, n) &&
	    route_confine_rows(po->p, po->s, po->v, shard_of, n);
	for (size_t i = 0; ok && i < n; i++)
		po->rows[i].shard = shard_of[i];
	free(shard_of);
	return ok;
}

struct portions *
portions_new(const struct route_plan *p, const struct shape *s,
    const struct route_values *v)
{
	struct portions *po = calloc(1, sizeof(*po));

	if (po == NULL)
		return NULL;
	po->p = p;
	po->s = s;
	po->v = v;
	if (!portions_read(po))
		portions_free(&po);
	return po;
}

void
portions_free(struct portions **pp)
{
	struct portions *po = *pp;

	*pp = NULL;
	if (po == NULL)
		return;
	tokens_free(&po->t);
	free(po->rows);
	free(po);
}

/* -------------------------------------------------------------------- text */

/* The number that the portion gives to a parameter. */
static size_t
portion_param(struct portion_out *o, struct slice text)
{
	unsigned long old = strtoul(text.p + 1, NULL, 10);
	size_t i;

	for (i = 0; i < o->n; i++) {
		if (o->of[i] == old - 1)
			return i + 1;
	}
	o->of[o->n++] = (uint16_t)(old - 1);
	return o->n;
}

static bool
portion_copy(struct portion_out *o, uint32_t from, uint32_t until)
{
	const struct portions *po = o->po;

	return from == until || route_rewrite_range(po->p, po->s, po->v,
	    o->form, from, until, o->out);
}

/* Bytes [at, until), where tokens [i, end) are, with parameters numbered anew. */
static bool
portion_tokens(struct portion_out *o, uint32_t at, size_t i, size_t end,
    uint32_t until)
{
	char number[24];

	for (; i < end; i++) {
		const struct token *t = &o->po->t.v[i];
		struct slice text;

		if (t->kind != TOKEN_PARAM)
			continue;
		text = slice_make(o->po->v->sql.p + t->pos, t->len);
		snprintf(number, sizeof(number), "$%zu", portion_param(o,
		    text));
		if (!portion_copy(o, at, t->pos) ||
		    !buf_append(o->out, number, strlen(number)))
			return false;
		at = t->pos + t->len;
	}
	return portion_copy(o, at, until);
}

static bool
portion_row(struct portion_out *o, const struct portion_row *r)
{
	const struct token *last = &o->po->t.v[r->until - 1];

	return portion_tokens(o, o->po->t.v[r->from].pos, r->from, r->until,
	    last->pos + last->len);
}

bool
portions_write(const struct portions *po, unsigned shard, struct buf *out,
    uint16_t *of, size_t *n)
{
	const struct portion_row *first = &po->rows[0];
	const struct portion_row *last = &po->rows[po->n_rows - 1];
	const struct token *end = &po->t.v[last->until - 1];
	struct portion_out o = { .po = po, .out = out, .of = of,
		.form = FORM_OF(po->p->variant->shards[shard].relation) };
	bool any = false;

	if (!portion_tokens(&o, 0, 0, first->from,
		po->t.v[first->from].pos))
		return false;
	for (size_t i = 0; i < po->n_rows; i++) {
		if (po->rows[i].shard != shard)
			continue;
		if ((any && !buf_append(out, ", ", 2)) ||
		    !portion_row(&o, &po->rows[i]))
			return false;
		any = true;
	}
	*n = 0;
	if (!portion_tokens(&o, end->pos + end->len, last->until, po->t.n,
		(uint32_t)po->v->sql.n))
		return false;
	*n = o.n;
	return true;
}
