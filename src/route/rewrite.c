/* SPDX-License-Identifier: PostgreSQL
 *
 * The physical text of a statement, and positions in it.
 *
 * One walk over the plan's edits serves both: it hands out pieces that are
 * either copied from the client's text or put in its place.  Nothing is
 * printed from a tree, so all that is not a routed table's name stays as the
 * client wrote it, byte for byte.  Pure.
 */
#include "route/route_priv.h"

struct rewriter {
	const struct route_values *v;
	const struct shape *s;
	unsigned form;
	size_t at;        /* client's text is dealt with up to here */
	struct buf *out;  /* NULL: only positions are wanted */
	/* Position wanted: characters still to pass, 0: found or not wanted */
	unsigned left;
	size_t found;     /* byte of the client's text */
};

/* First byte of a UTF-8 character. */
static bool
rewrite_is_start(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

static bool
rewrite_emit(struct rewriter *r, const char *p, size_t n, bool copied)
{
	for (size_t i = 0; i < n && r->left > 0; i++) {
		if (rewrite_is_start(p[i]) && --r->left == 0)
			r->found = copied ? r->at + i : r->at;
	}
	return r->out == NULL || buf_append(r->out, p, n);
}

static bool
rewrite_copy(struct rewriter *r, size_t until)
{
	size_t from = r->at;

	CHECK(until >= from && until <= r->v->sql.n);
	if (!rewrite_emit(r, r->v->sql.p + from, until - from, true))
		return false;
	r->at = until;
	return true;
}

static bool
rewrite_put(struct rewriter *r, const char *s)
{
	return rewrite_emit(r, s, strlen(s), false);
}

/* Where an alias may stand: behind the token, or behind the closing bracket
 * of "ONLY (name)". */
static size_t
rewrite_alias_pos(const struct route_values *v, size_t pos, size_t end)
{
	size_t next = gap_forward(v, end);
	bool open;

	if (next < v->sql.n && v->sql.p[next] == ')' &&
	    gap_is_only(v, pos, &open) && open)
		return next + 1;
	return end;
}

/* A statement in a form of parts names tables with such parts only. */
static const struct conf_relation *
rewrite_relation(const struct route_edit *e, unsigned form)
{
	const struct conf_variant *v = e->table->use;

	CHECK(form >= FORM_RELATION && form - FORM_RELATION < v->n_relations);
	return &v->relations[form - FORM_RELATION];
}

static bool
rewrite_edit(struct rewriter *r, const struct route_edit *e)
{
	const char *rel = r->s->an->tables[e->an_table].name;
	size_t pos = lex_pos(r->v->lx, e->pos);
	const struct conf_relation *to = rewrite_relation(e, r->form);
	size_t end = lex_pos(r->v->lx, e->end);

	CHECK(pos >= r->at && pos <= end && end <= r->v->sql.n);
	if (!rewrite_copy(r, pos) ||
	    !rewrite_put(r, e->column ? e->name : to->sql))
		return false;
	r->at = end;
	if (!e->takes_alias || ident_bare_is(to->name, rel))
		return true;
	return rewrite_copy(r, rewrite_alias_pos(r->v, pos, end)) &&
	    rewrite_put(r, " AS ") && rewrite_put(r, e->name);
}

static bool
rewrite_walk(const struct route_plan *p, struct rewriter *r)
{
	for (size_t i = 0; r->form != FORM_ASIS && i < p->n_edits; i++) {
		if (!rewrite_edit(r, &p->edits[i]))
			return false;
	}
	return rewrite_copy(r, r->v->sql.n);
}

bool
route_rewrite(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, unsigned form, struct buf *out)
{
	struct rewriter r = { .v = v, .s = s, .form = form, .out = out };

	if (p->rewrite != NULL && form != FORM_ASIS)
		return route_translate(p->rewrite, s, v, out);
	return rewrite_walk(p, &r);
}

bool
route_rewrite_range(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, unsigned form, uint32_t from, uint32_t until,
    struct buf *out)
{
	struct rewriter r = { .v = v, .s = s, .form = form, .at = from,
	    .out = out };
	size_t pos;

	for (size_t i = 0; i < p->n_edits; i++) {
		pos = lex_pos(v->lx, p->edits[i].pos);
		if (pos >= from && pos < until &&
		    !rewrite_edit(&r, &p->edits[i]))
			return false;
	}
	return rewrite_copy(&r, until);
}

unsigned
route_unmap_position(const struct route_plan *p,
    const struct shape *s, const struct route_values *v, unsigned form,
    unsigned pos)
{
	struct rewriter r = { .v = v, .s = s, .form = form, .left = pos };
	unsigned chars = 0;

	if (pos == 0)
		return 0;
	if (p->rewrite != NULL && form != FORM_ASIS)
		return 1; /* those are other words */
	CHECK(rewrite_walk(p, &r));
	if (r.left > 0) /* the end of the statement, or behind it */
		r.found = v->sql.n;
	for (size_t i = 0; i < r.found; i++)
		chars += rewrite_is_start(v->sql.p[i]);
	return chars + 1;
}
