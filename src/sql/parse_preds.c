/* SPDX-License-Identifier: PostgreSQL
 *
 * The list of conditions in the making, and the rows that a statement makes.
 *
 * What is over the cap takes all conditions back in the end; until then
 * nothing more is added.
 */
#include <stdlib.h>

#include "sql/parse_priv.h"

/* One more, or NULL. */
static struct an_pred *
preds_add(struct parse *p, unsigned table, const char *column, enum an_op op)
{
	struct analysis *an = p->an;
	struct an_pred *pred;
	char *name = NULL;

	if (an->n_preds == PARSE_MAX_PREDS)
		p->unproven = true;
	if (p->unproven || !parse_reserve(p, &an->preds, an->n_preds,
	    &p->preds_size, sizeof(*pred), PARSE_MAX_PREDS) ||
	    (column != NULL && (name = parse_strdup(p, column)) == NULL))
		return NULL;
	pred = &an->preds[an->n_preds++];
	*pred = (struct an_pred){ .table = table, .column = name, .op = op };
	return pred;
}

struct an_pred *
parse_pred_values(struct parse *p, unsigned table, const char *column,
    enum an_op op, size_t n)
{
	struct an_value *values = calloc(n, sizeof(*values));
	struct an_pred *pred;

	if (values == NULL)
		p->failed = true;
	pred = values != NULL ? preds_add(p, table, column, op) : NULL;
	if (pred == NULL) {
		free(values);
		return NULL;
	}
	pred->values = values;
	pred->n_values = n;
	return pred;
}

struct an_pred *
parse_pred_value(struct parse *p, unsigned table, const char *column,
    enum an_op op, const struct an_value *v)
{
	struct an_pred *pred = parse_pred_values(p, table, column, op, 1);

	if (pred != NULL)
		pred->values[0] = *v;
	return pred;
}

void
parse_pred_column(struct parse *p, unsigned table, const char *column,
    enum an_op op, const struct parse_column *other)
{
	struct an_pred *pred = preds_add(p, table, column, op);

	if (pred == NULL)
		return;
	pred->other = other->table;
	pred->other_column = parse_strdup(p, other->name);
}

/* What stands for a column in a row of VALUES. */
static const parse_node *
preds_member(const struct parse_out *out, size_t row)
{
	return out->rows->values_lists[row]->list->items[out->number];
}

void
parse_pred_members(struct parse *p, unsigned table, const char *column,
    const struct parse_out *out)
{
	size_t n = out->rows->n_values_lists, i, first = p->an->n_preds;
	struct an_pred *pred = parse_pred_values(p, table, column, AN_IN, n);

	for (i = 0; pred != NULL && i < n; i++)
		if (!parse_value(p, preds_member(out, i), &pred->values[i])) {
			analysis_drop_preds(p->an, first);
			return;
		}
}

size_t
parse_group_begin(struct parse *p, enum an_op op)
{
	size_t group = p->an->n_preds;

	(void)preds_add(p, 0, NULL, op);
	return group;
}

void
parse_group_end(struct parse *p, size_t group)
{
	if (group < p->an->n_preds)
		p->an->preds[group].span =
		    (unsigned)(p->an->n_preds - group - 1);
}

/* ---------------------------------------------------------- rows of INSERT */

void
parse_row_value(struct parse *p, unsigned table, const char *column,
    const parse_node *n)
{
	struct an_value v;

	if (parse_value(p, n, &v))
		(void)parse_pred_value(p, table, column, AN_ROWS, &v);
}

/* Any of those in VALUES, whichever another column of the row has. */
static void
preds_row_members(struct parse *p, unsigned table, const char *column,
    const struct parse_out *out)
{
	size_t group = parse_group_begin(p, AN_ANY_OF), one, i;
	bool ok = true;

	for (i = 0; ok && i < out->rows->n_values_lists; i++) {
		one = parse_group_begin(p, AN_ALL_OF);
		parse_row_value(p, table, column, preds_member(out, i));
		ok = p->an->n_preds > one + 1;
		parse_group_end(p, one);
	}
	parse_group_end(p, group);
	if (!ok && group < p->an->n_preds)
		analysis_drop_preds(p->an, group);
}

void
parse_row_from(struct parse *p, unsigned table, const char *column,
    const struct parse_column *c)
{
	if (c->name != NULL)
		parse_pred_column(p, table, column, AN_ROWS_FROM, c);
	else if (c->made != NULL && c->made->rows == NULL)
		parse_row_value(p, table, column, c->made->value);
	else if (c->made != NULL && c->made->rows->n_values_lists == 1)
		parse_row_value(p, table, column, preds_member(c->made, 0));
	else if (c->made != NULL)
		preds_row_members(p, table, column, c->made);
}

static bool
preds_rows_known(const PgQuery__InsertStmt *s)
{
	const PgQuery__SelectStmt *v = s->select_stmt->select_stmt;
	size_t i;

	if (s->n_cols == 0 || v->limit_count != NULL ||
	    v->limit_offset != NULL || parse_insert_ignores(s))
		return false;
	for (i = 0; i < v->n_values_lists; i++)
		if (!NODE_IS(v->values_lists[i], LIST) ||
		    v->values_lists[i]->list->n_items != s->n_cols)
			return false;
	for (i = 0; i < s->n_cols; i++)
		if (!NODE_IS(s->cols[i], RES_TARGET) ||
		    s->cols[i]->res_target->n_indirection > 0)
			return false;
	return true;
}

/* What the rows of the text give to column i. */
static void
preds_rows(const struct parse *p, const PgQuery__InsertStmt *s, size_t i,
    struct an_pred *pred)
{
	const PgQuery__SelectStmt *v = s->select_stmt->select_stmt;
	const struct parse_row_text *text = p->rows != NULL &&
	    p->rows->of == s ? p->rows->v : NULL, *row;
	struct an_value *value = pred->values;
	size_t n;

	for (n = 0; n < pred->n_values; n++, value++) {
		row = text != NULL ? &text[n] : NULL;
		if (row != NULL && row->like != n) {
			*value = pred->values[row->like];
			if (value->kind == AN_VAL_CUT)
				value->index += row->cut -
				    text[row->like].cut;
		} else if (!parse_value(p, v->values_lists[row != NULL ?
		    row->place : n]->list->items[i], value)) {
			value->kind = AN_VAL_OTHER;
		}
	}
}

/* INSERT ... VALUES: one predicate a column, whatever its values. */
void
parse_insert_rows(struct parse *p, unsigned table,
    const PgQuery__InsertStmt *s)
{
	const PgQuery__SelectStmt *v = s->select_stmt->select_stmt;
	size_t n = p->rows != NULL && p->rows->of == s ? p->rows->n :
	    v->n_values_lists, i;
	struct an_pred *pred;

	if (!preds_rows_known(s))
		return;
	for (i = 0; i < s->n_cols && !p->failed; i++) {
		pred = parse_pred_values(p, table, s->cols[i]->res_target->name,
		    AN_ROWS, n);
		if (pred != NULL)
			preds_rows(p, s, i, pred);
	}
	p->an->insert_known = !p->failed && !p->unproven;
}
