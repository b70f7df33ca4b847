/* SPDX-License-Identifier: PostgreSQL
 *
 * INSERT ... VALUES of many rows: those that are like others but for their
 * literals are blanked in the text that libpg_query is given, which takes 8 us a
 * row otherwise.  Places stay what they are, and what a row left out would have
 * said is what its like says, so many cuts further on.
 *
 * Why the whole text would have been read the same way.  Rows are like each other
 * if their shapes are the same, byte for byte, and no literal stands where a token
 * could be cut in two ways: then their tokens are of the same types.  The tree
 * of the text that is left says whether the rows were read as members of the
 * INSERT's own VALUES: behind each of them the parser is in the same state, which
 * a comma and a row that is like another leads back to.  It also says whether
 * their expressions are of a kind of which one says as much as a thousand: no
 * subquery, no column, no set_config().  Else the whole text is read.
 *
 * A literal that is an error in itself (E'\xq') does not make the whole
 * statement count as unparsed, as it does not in a shape that is known.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sql/parse_priv.h"
#include "sql/scan.h"

#define ROWS_KEPT_MAX 64 /* different ones */
#define ROWS_LEFT_MIN 16 /* left out; fewer are not worth it */

/* A place in the text, which is one in its shape. */
struct rows_place {
	size_t at;  /* in the shape */
	size_t cut; /* the next one */
	size_t pos; /* in the text */
};

struct rows_reader {
	struct slice sql;
	const struct lexer *lx;
	struct slice shape;
	struct rows_place p;
	struct parse_rows *rows;
	size_t size;
	struct { /* of the rows that are kept */
		struct slice shape;
		uint32_t row;
	} kept[ROWS_KEPT_MAX];
};

void
parse_rows_free(struct parse_rows **rows)
{
	if (*rows != NULL)
		free((*rows)->v);
	free(*rows);
	*rows = NULL;
}

/* ------------------------------------------------------------ the text */

static bool
rows_is_cut(char c)
{
	return c >= CUT_INT && c <= CUT_COMMENT;
}

/* The byte at hand; '\0' at the end: a shape holds none. */
static char
rows_byte(const struct rows_reader *r)
{
	return r->p.at < r->shape.n ? r->shape.p[r->p.at] : '\0';
}

static void
rows_skip(struct rows_reader *r)
{
	if (rows_is_cut(r->shape.p[r->p.at]))
		r->p.pos += r->lx->cuts[r->p.cut++].len;
	else
		r->p.pos++;
	r->p.at++;
}

/* There are no cuts up to this place of the shape. */
static void
rows_skip_to(struct rows_reader *r, size_t at)
{
	r->p.pos += at - r->p.at;
	r->p.at = at;
}

static void
rows_blanks(struct rows_reader *r)
{
	while (rows_byte(r) == CUT_COMMENT ||
	    scan_class_of(rows_byte(r)) == SC_SPACE)
		rows_skip(r);
}

/* A word or a quoted identifier, or anything else's first byte. */
static struct slice
rows_token(struct rows_reader *r)
{
	size_t from = r->p.at, to;

	switch (scan_class_of(rows_byte(r))) {
	case SC_IDENT:
		to = scan_word(r->shape, from);
		break;
	case SC_DQUOTE:
		to = scan_quoted(r->shape, from);
		break;
	default:
		rows_skip(r);
		return slice_make(r->shape.p + from, r->p.at - from);
	}
	rows_skip_to(r, to);
	return slice_make(r->shape.p + from, to - from);
}

static bool
rows_is_word(struct slice s, const char *word)
{
	return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

/* Go to the bracket behind the first VALUES that is in none. */
static bool
rows_find(struct rows_reader *r)
{
	struct slice token;
	unsigned depth = 0;
	bool dot = false;

	rows_blanks(r);
	if (!rows_is_word(rows_token(r), "insert"))
		return false;
	while (rows_byte(r) != '\0') {
		token = rows_token(r);
		if (depth == 0 && !dot && rows_is_word(token, "values")) {
			rows_blanks(r);
			return rows_byte(r) == '(';
		}
		dot = token.p[0] == '.';
		if (scan_class_of(token.p[0]) == SC_OPEN)
			depth++;
		else if (scan_class_of(token.p[0]) == SC_CLOSE && depth > 0)
			depth--;
	}
	return false;
}

/* Does a token begin or end here, whatever the literal beside? */
static bool
rows_is_edge(char c)
{
	const unsigned edges = 1u << SC_SPACE | 1u << SC_OP | 1u << SC_OPEN |
	    1u << SC_CLOSE | 1u << SC_COMMA;

	return c == CUT_COMMENT || (edges >> scan_class_of(c) & 1) != 0;
}

/* The literal at hand is one token, of the type that its cut tells. */
static bool
rows_is_clear(const struct rows_reader *r)
{
	const struct cut *c = &r->lx->cuts[r->p.cut];
	char first = r->sql.p[c->pos];

	if (c->kind == CUT_COMMENT)
		return true;
	/* B'1' and U&'\0041' are cut as 'a''b' is. */
	if (c->kind == CUT_STR_ESC && first != '\'' && first != '$' &&
	    (first | 0x20) != 'e')
		return false;
	return rows_is_edge(r->shape.p[r->p.at - 1]) &&
	    r->p.at + 1 < r->shape.n && rows_is_edge(r->shape.p[r->p.at + 1]);
}

/* Past the row that begins here. false: it is not to be judged by its shape. */
static bool
rows_pass(struct rows_reader *r)
{
	unsigned depth = 0;
	enum scan_class c;

	do {
		c = scan_class_of(rows_byte(r));
		if (rows_byte(r) == '\0' || c == SC_SEMI ||
		    (rows_is_cut(rows_byte(r)) && !rows_is_clear(r)))
			return false;
		if (c == SC_OPEN)
			depth++;
		else if (c == SC_CLOSE)
			depth--;
		(void)rows_token(r);
	} while (depth > 0);
	return true;
}

/* The row of this shape that is kept; UINT32_MAX: there are too many. */
static uint32_t
rows_like(struct rows_reader *r, struct slice shape, uint32_t row)
{
	size_t i = r->rows->n_kept;

	while (i-- > 0)
		if (slice_eq(r->kept[i].shape, shape))
			return r->kept[i].row;
	if (r->rows->n_kept == ROWS_KEPT_MAX)
		return UINT32_MAX;
	r->kept[r->rows->n_kept].shape = shape;
	r->kept[r->rows->n_kept++].row = row;
	return row;
}

/* The row at hand, which begins with its comma, if it has one. */
static bool
rows_add(struct rows_reader *r, size_t from)
{
	struct parse_rows *rows = r->rows;
	struct rows_place begin = r->p;
	struct parse_row_text *row, *grown;
	size_t size;

	if (!rows_pass(r))
		return false;
	if (rows->n == r->size) {
		size = r->size > 0 ? 2 * r->size : 64;
		grown = realloc(rows->v, size * sizeof(*grown));
		if (grown == NULL)
			return false;
		rows->v = grown;
		r->size = size;
	}
	row = &rows->v[rows->n];
	*row = (struct parse_row_text){ .from = (uint32_t)from,
		.to = (uint32_t)r->p.pos, .cut = (uint32_t)begin.cut,
		.place = (uint32_t)rows->n_kept };
	row->like = rows_like(r, slice_make(r->shape.p + begin.at,
	    r->p.at - begin.at), (uint32_t)rows->n);
	rows->n++;
	return row->like != UINT32_MAX;
}

/* All rows. false: not those, or no memory. */
static bool
rows_read(struct rows_reader *r)
{
	struct rows_place end;
	size_t comma = r->p.pos;

	for (;;) {
		if (rows_byte(r) != '(' || !rows_add(r, comma))
			return false;
		end = r->p;
		rows_blanks(r);
		if (rows_byte(r) != ',') {
			r->p = end;
			return r->rows->n - r->rows->n_kept >= ROWS_LEFT_MIN;
		}
		comma = r->p.pos;
		rows_skip(r);
		rows_blanks(r);
	}
}

struct parse_rows *
parse_rows_new(struct slice sql, const struct lexer *lx)
{
	struct rows_reader r = { .sql = sql, .lx = lx,
		.shape = slice_make(lx->shape, lx->shape_len) };

	if (lx->n_cuts < ROWS_LEFT_MIN || lx->n_statements != 1)
		return NULL;
	r.rows = calloc(1, sizeof(*r.rows));
	if (r.rows != NULL && !(rows_find(&r) && rows_read(&r)))
		parse_rows_free(&r.rows);
	return r.rows;
}

void
parse_rows_blank(const struct parse_rows *rows, char *text)
{
	const struct parse_row_text *v = rows->v;
	size_t i;

	for (i = 0; i < rows->n; i++)
		if (v[i].like != i)
			memset(text + v[i].from, ' ', v[i].to - v[i].from);
}

/* ------------------------------------------------------------ the tree */

static bool rows_is_plain(struct parse_row_text *row, const parse_node *n);

static bool
rows_are_plain(struct parse_row_text *row, parse_node *const *nodes, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!rows_is_plain(row, nodes[i]))
			return false;
	return true;
}

static bool
rows_is_in(const struct parse_row_text *row, int32_t location)
{
	return location >= 0 && (uint32_t)location >= row->from &&
	    (uint32_t)location < row->to;
}

/* Its modifiers are numbers and bare words: the grammar takes any expression. */
static bool
rows_is_plain_type(const PgQuery__TypeName *t)
{
	const parse_node *n;
	size_t i;

	for (i = 0; t != NULL && i < t->n_typmods; i++) {
		n = t->typmods[i];
		if (!NODE_IS(n, A_CONST) && (!NODE_IS(n, COLUMN_REF) ||
		    n->column_ref->n_fields != 1))
			return false;
	}
	return t != NULL;
}

static bool
rows_is_plain_call(struct parse_row_text *row, const PgQuery__FuncCall *f)
{
	const char *name = f->n_funcname > 0 ?
	    parse_string(f->funcname[f->n_funcname - 1]) : NULL;

	return name != NULL && strcmp(name, "set_config") != 0 &&
	    f->n_agg_order == 0 && f->agg_filter == NULL && f->over == NULL &&
	    rows_is_in(row, f->location) &&
	    rows_are_plain(row, f->args, f->n_args);
}

/* It stands in the row, and what it says it says once, however often it stands
 * there. Values are counted, as parse_identity.c does. */
static bool
rows_is_plain(struct parse_row_text *row, const parse_node *n)
{
	const PgQuery__AExpr *e;

	if (n == NULL)
		return false;
	switch ((int)n->node_case) {
	case PG_QUERY__NODE__NODE_A_CONST:
		row->n_places += !n->a_const->isnull && n->a_const->val_case !=
		    PG_QUERY__A__CONST__VAL_BOOLVAL;
		return rows_is_in(row, n->a_const->location);
	case PG_QUERY__NODE__NODE_PARAM_REF:
		row->n_places++;
		return rows_is_in(row, n->param_ref->location);
	case PG_QUERY__NODE__NODE_SET_TO_DEFAULT:
		return rows_is_in(row, n->set_to_default->location);
	case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
		return rows_is_in(row, n->sqlvalue_function->location);
	case PG_QUERY__NODE__NODE_TYPE_CAST:
		return rows_is_plain_type(n->type_cast->type_name) &&
		    rows_is_plain(row, n->type_cast->arg);
	case PG_QUERY__NODE__NODE_A_ARRAY_EXPR:
		return rows_is_in(row, n->a_array_expr->location) &&
		    rows_are_plain(row, n->a_array_expr->elements,
		    n->a_array_expr->n_elements);
	case PG_QUERY__NODE__NODE_A_EXPR:
		e = n->a_expr;
		return e->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP &&
		    (e->lexpr == NULL || rows_is_plain(row, e->lexpr)) &&
		    rows_is_plain(row, e->rexpr);
	case PG_QUERY__NODE__NODE_FUNC_CALL:
		return rows_is_plain_call(row, n->func_call);
	default:
		return false;
	}
}

static bool
rows_is_plain_list(struct parse_row_text *row, const PgQuery__SelectStmt *s)
{
	const parse_node *n = s->values_lists[row->place];

	return NODE_IS(n, LIST) && rows_are_plain(row, n->list->items,
	    n->list->n_items);
}

/* The rows that were kept are these. */
static bool
rows_fit_lists(struct parse_rows *rows, const PgQuery__SelectStmt *s)
{
	struct parse_row_text *v = rows->v;
	uint64_t places = 0;
	size_t i;

	for (i = 0; i < rows->n; i++) {
		if (v[i].like == i && !rows_is_plain_list(&v[i], s))
			return false;
		places += v[v[i].like].n_places;
	}
	/* Of a statement with fewer, all of them are wanted. */
	return places > AN_PLACES_MAX;
}

bool
parse_rows_fit(struct parse_rows *rows, const PgQuery__ParseResult *tree)
{
	const parse_node *n = tree->n_stmts == 1 ? tree->stmts[0]->stmt : NULL;
	const PgQuery__SelectStmt *q;

	if (!NODE_IS(n, INSERT_STMT) ||
	    !NODE_IS(n->insert_stmt->select_stmt, SELECT_STMT))
		return false;
	rows->of = n->insert_stmt;
	q = n->insert_stmt->select_stmt->select_stmt;
	return q->n_values_lists == rows->n_kept && rows_fit_lists(rows, q);
}
