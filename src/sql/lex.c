/* SPDX-License-Identifier: PostgreSQL
 *
 * Cuts literals and comments out of a statement; see lex.h.
 *
 * One pass with a byte class table; the shape and the cuts go to scratch that
 * only grows, so a steady state allocates nothing.  Text between cuts is
 * copied in runs.  How deep the parse tree can get is followed on the way
 * (struct lex_level); rules that PostgreSQL's grammar guarantees:
 * AND, OR, a comma, WHEN, THEN, ELSE, UNION and JOIN have lower precedence
 * than every operator, so expressions on both sides are siblings, unless the
 * AND belongs to a BETWEEN.  A word behind a dot is a name, never a keyword.
 *
 * Knows no grammar beyond that.  One worker, its own struct lexer.
 */
#include "sql/lex.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sql/scan.h"

#define LEX_WEIGHT_BRACKET 3
#define LEX_WEIGHT_CASE 2

/* Depths are in units of LEX_MAX_CHAIN. What a closed bracket held counts on,
 * because "(...)::int" is deeper than the bracket. */
struct lex_level {
	uint16_t above; /* of what this level is in */
	uint16_t expr;  /* operators since the last separator */
	uint16_t nest;  /* deepest closed bracket since then */
	uint16_t best;  /* deepest before it */
	uint16_t fixed; /* set operations, joins, the lists that AND and OR make:
	                   a comma does not end them */
	bool is_case;
	bool between;   /* the next AND belongs to a BETWEEN */
	bool has_and, has_or;
};

struct lex_run {
	struct lexer *lx;
	struct slice s;
	size_t pos;
	size_t keep;     /* text from here is not yet in the shape */
	char *out;       /* end of the shape */
	bool scs;
	bool after_dot;
	bool in_statement;
	unsigned depth;
	struct lex_level level[LEX_MAX_DEPTH + 1];
};

enum lex_word {
	LW_NONE, LW_OPERATOR, LW_FIXED, LW_AND, LW_OR, LW_BETWEEN, LW_CASE,
	LW_ARM, LW_END
};

void
lexer_init(struct lexer *lx)
{
	*lx = (struct lexer){ 0 };
}

void
lexer_fini(struct lexer *lx)
{
	free(lx->cuts);
	free(lx->shape);
	lexer_init(lx);
}

/* ------------------------------------------------------------------ depth */

static unsigned
lex_level_depth(const struct lex_level *l)
{
	unsigned now = (unsigned)l->expr + l->nest;

	return l->fixed + (now > l->best ? now : l->best);
}

static enum lex_result
lex_check(const struct lex_run *r)
{
	const struct lex_level *l = &r->level[r->depth];

	return l->above + lex_level_depth(l) > LEX_MAX_CHAIN ? LEX_TOO_DEEP :
	    LEX_OK;
}

static enum lex_result
lex_add(struct lex_run *r, unsigned n)
{
	if (n > LEX_MAX_CHAIN)
		return LEX_TOO_DEEP;
	r->level[r->depth].expr += (uint16_t)n;
	return lex_check(r);
}

static void
lex_separate(struct lex_run *r)
{
	struct lex_level *l = &r->level[r->depth];

	if (l->expr + l->nest > l->best)
		l->best = (uint16_t)(l->expr + l->nest);
	l->expr = l->nest = 0;
	l->between = false;
}

static enum lex_result
lex_fix(struct lex_run *r)
{
	lex_separate(r);
	r->level[r->depth].fixed++;
	return lex_check(r);
}

/* "a AND b AND c" is one list, however long. */
static enum lex_result
lex_list(struct lex_run *r, bool *seen)
{
	if (!*seen) {
		*seen = true;
		return lex_fix(r);
	}
	lex_separate(r);
	return LEX_OK;
}

static enum lex_result
lex_push(struct lex_run *r, bool is_case)
{
	const struct lex_level *l = &r->level[r->depth];
	unsigned above = (unsigned)l->above + l->expr + l->fixed +
	    (is_case ? LEX_WEIGHT_CASE : LEX_WEIGHT_BRACKET);

	if (r->depth == LEX_MAX_DEPTH)
		return LEX_TOO_DEEP;
	r->level[++r->depth] = (struct lex_level){ .above = (uint16_t)above,
	    .is_case = is_case };
	return lex_check(r);
}

static void
lex_pop(struct lex_run *r)
{
	const struct lex_level *l = &r->level[r->depth--];
	struct lex_level *outer = &r->level[r->depth];
	unsigned depth = lex_level_depth(l) +
	    (l->is_case ? LEX_WEIGHT_CASE : LEX_WEIGHT_BRACKET);

	if (depth > outer->nest)
		outer->nest = (uint16_t)depth;
}

static void
lex_close(struct lex_run *r)
{
	while (r->depth > 0 && r->level[r->depth].is_case)
		lex_pop(r);
	if (r->depth > 0)
		lex_pop(r);
}

static void
lex_semicolon(struct lex_run *r)
{
	if (r->depth > 0)
		return;
	r->level[0] = (struct lex_level){ 0 };
	r->in_statement = false;
}

/* --------------------------------------------------------------- keywords */

/* word is of small letters only: nothing else becomes one by that bit. */
static bool
lex_is_word(const char *p, const char *word, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((p[i] | 0x20) != word[i])
			return false;
	return true;
}

static enum lex_word
lex_word_class(const char *p, size_t n)
{
/* The first letter settles nearly all of them. */
#define IS_(w) ((p[0] | 0x20) == (w)[0] && lex_is_word(p, w, n))
	switch (n) {
	case 2:
		if (IS_("or"))
			return LW_OR;
		return IS_("in") || IS_("is") || IS_("at") ? LW_OPERATOR :
		    LW_NONE;
	case 3:
		if (IS_("and"))
			return LW_AND;
		if (IS_("end"))
			return LW_END;
		return IS_("not") ? LW_OPERATOR : LW_NONE;
	case 4:
		if (IS_("join"))
			return LW_FIXED;
		if (IS_("case"))
			return LW_CASE;
		if (IS_("when") || IS_("then") || IS_("else"))
			return LW_ARM;
		return IS_("like") ? LW_OPERATOR : LW_NONE;
	case 5:
		if (IS_("union"))
			return LW_FIXED;
		return IS_("ilike") ? LW_OPERATOR : LW_NONE;
	case 6:
		if (IS_("except"))
			return LW_FIXED;
		return IS_("isnull") ? LW_OPERATOR : LW_NONE;
	case 7:
		if (IS_("between"))
			return LW_BETWEEN;
		return IS_("collate") || IS_("similar") || IS_("notnull") ?
		    LW_OPERATOR : LW_NONE;
	case 8:
		return IS_("overlaps") ? LW_OPERATOR : LW_NONE;
	case 9:
		return IS_("intersect") ? LW_FIXED : LW_NONE;
	default:
		return LW_NONE;
	}
#undef IS_
}

static enum lex_result
lex_keyword(struct lex_run *r, const char *p, size_t n)
{
	struct lex_level *l = &r->level[r->depth];

	switch (lex_word_class(p, n)) {
	case LW_NONE:
		return LEX_OK;
	case LW_OPERATOR:
		return lex_add(r, 1);
	case LW_FIXED:
		return lex_fix(r);
	case LW_AND:
		if (l->between) {
			l->between = false;
			return lex_add(r, 1);
		}
		return lex_list(r, &l->has_and);
	case LW_OR:
		return lex_list(r, &l->has_or);
	case LW_BETWEEN:
		l->between = true;
		return lex_add(r, 1);
	case LW_CASE:
		return lex_push(r, true);
	case LW_ARM:
		if (l->is_case)
			lex_separate(r);
		return LEX_OK;
	case LW_END:
		if (l->is_case)
			lex_pop(r);
		return LEX_OK;
	}
	return LEX_OK;
}

/* ------------------------------------------------------------------- cuts */

static void
lex_flush(struct lex_run *r, size_t upto)
{
	size_t n = upto - r->keep;

	memcpy(r->out, r->s.p + r->keep, n);
	r->out += n;
}

static enum lex_result
lex_cut(struct lex_run *r, size_t start, size_t end, enum cut_kind kind)
{
	struct lexer *lx = r->lx;

	if (unlikely(lx->n_cuts == lx->cuts_size)) {
		size_t size = lx->cuts_size ? lx->cuts_size * 2 : 32;
		struct cut *cuts;

		if (size > LEX_MAX_CUTS)
			size = LEX_MAX_CUTS;
		if (lx->n_cuts == size)
			return LEX_TOO_LONG;
		cuts = realloc(lx->cuts, size * sizeof(*cuts));
		if (cuts == NULL)
			return LEX_TOO_LONG;
		lx->cuts = cuts;
		lx->cuts_size = size;
	}
	lx->cuts[lx->n_cuts++] = (struct cut){ (uint32_t)start,
	    (uint32_t)(end - start), kind };
	lex_flush(r, start);
	*r->out++ = (char)kind;
	r->keep = r->pos = end;
	return LEX_OK;
}

/* The string whose opening quote is at quote and whose prefix (or the quote
 * itself) at start. */
static enum lex_result
lex_string(struct lex_run *r, size_t start, size_t quote, bool escapes)
{
	struct slice s = r->s;
	enum cut_kind kind = quote > start ? CUT_STR_ESC : CUT_STR;
	size_t end, open = quote;

	for (;;) {
		end = escapes ? scan_escaped(s, open + 1) :
		    scan_string(s, open);
		if (end == SIZE_MAX)
			return LEX_BROKEN;
		if (!escapes && !r->scs &&
		    memchr(s.p + open, '\\', end - open) != NULL)
			return LEX_BROKEN;
		if (kind == CUT_STR && memchr(s.p + open + 1, '\'',
		    end - open - 2) != NULL)
			kind = CUT_STR_ESC;
		open = scan_continued(s, end);
		if (open == 0)
			break;
		kind = CUT_STR_ESC;
	}
	return lex_cut(r, start, end, kind);
}

static enum lex_result
lex_dollar(struct lex_run *r)
{
	size_t end;

	if (r->pos + 1 < r->s.n &&
	    scan_class_of(r->s.p[r->pos + 1]) == SC_DIGIT) {
		for (r->pos++; r->pos < r->s.n; r->pos++)
			if (scan_class_of(r->s.p[r->pos]) != SC_DIGIT)
				break;
		return LEX_OK;
	}
	end = scan_string(r->s, r->pos);
	if (end == SIZE_MAX)
		return LEX_BROKEN;
	if (end == r->pos) {
		r->pos++;
		return LEX_OK;
	}
	return lex_cut(r, r->pos, end, CUT_STR_ESC);
}

static size_t
lex_digits(struct slice s, size_t pos)
{
	while (pos < s.n && scan_class_of(s.p[pos]) == SC_DIGIT)
		pos++;
	return pos;
}

static enum lex_result
lex_number(struct lex_run *r)
{
	struct slice s = r->s;
	size_t start = r->pos, end = lex_digits(s, start), e;
	enum cut_kind kind = CUT_INT;

	if (end < s.n && s.p[end] == '.' &&
	    (end == start || end + 1 == s.n || s.p[end + 1] != '.')) {
		kind = CUT_NUM;
		end = lex_digits(s, end + 1);
	}
	if (end < s.n && (s.p[end] | 0x20) == 'e') {
		e = end + 1;
		if (e < s.n && (s.p[e] == '+' || s.p[e] == '-'))
			e++;
		if (e < s.n && scan_class_of(s.p[e]) == SC_DIGIT) {
			kind = CUT_NUM;
			end = lex_digits(s, e);
		}
	}
	return lex_cut(r, start, end, kind);
}

/* ----------------------------------------------------------------- tokens */

static enum lex_result
lex_identifier(struct lex_run *r)
{
	struct slice s = r->s;
	size_t start = r->pos, end = scan_word(s, start), n = end - start;

	r->pos = end;
	if (n == 1 && end < s.n) {
		char c = (char)(s.p[start] | 0x20);

		if (s.p[end] == '\'' &&
		    (c == 'e' || c == 'b' || c == 'x' || c == 'n'))
			return lex_string(r, start, end, c == 'e');
		if (c == 'u' && s.n - end >= 2 && s.p[end] == '&') {
			if (s.p[end + 1] == '\'')
				return lex_string(r, start, end + 1, false);
			if (s.p[end + 1] == '"')
				return LEX_BROKEN;
		}
	}
	if (n < 2 || n > 9 || r->after_dot)
		return LEX_OK;
	return lex_keyword(r, s.p + start, n);
}

static enum lex_result
lex_quoted(struct lex_run *r)
{
	size_t end = scan_quoted(r->s, r->pos);

	if (end == SIZE_MAX)
		return LEX_BROKEN;
	for (; r->pos < end; r->pos++)
		if (scan_class_of(r->s.p[r->pos]) == SC_BAD)
			return LEX_BROKEN;
	return LEX_OK;
}

/* An operator run or a comment. PostgreSQL takes a '+' or '-' at the end of a
 * run for an operator of its own, so each of them counts. */
static enum lex_result
lex_operator(struct lex_run *r, bool *comment)
{
	struct slice s = r->s;
	size_t start = r->pos, end = start;
	unsigned n = 1;

	*comment = false;
	for (; end < s.n && scan_class_of(s.p[end]) == SC_OP; end++) {
		char c = s.p[end], next = end + 1 < s.n ? s.p[end + 1] : 0;

		if ((c == '-' && next == '-') || (c == '/' && next == '*'))
			break;
		if (end > start && (c == '-' || c == '+'))
			n++;
	}
	if (end > start) {
		r->pos = end;
		return lex_add(r, n);
	}
	*comment = true;
	end = scan_comment(s, start);
	return end == SIZE_MAX ? LEX_BROKEN :
	    lex_cut(r, start, end, CUT_COMMENT);
}

static enum lex_result
lex_dot(struct lex_run *r, bool *dot)
{
	if (r->pos + 1 < r->s.n &&
	    scan_class_of(r->s.p[r->pos + 1]) == SC_DIGIT)
		return lex_number(r);
	*dot = true;
	r->pos++;
	if (r->pos < r->s.n && r->s.p[r->pos] == '.')
		r->pos++; /* ".." is one token: 1..2 has two integers */
	return LEX_OK;
}

static enum lex_result
lex_token(struct lex_run *r)
{
	enum scan_class c = scan_class_of(r->s.p[r->pos]);
	enum lex_result res = LEX_OK;
	bool dot = false, comment;

	if (c == SC_SPACE) {
		r->pos++;
		return LEX_OK;
	}
	if (c == SC_OP) {
		res = lex_operator(r, &comment);
		if (comment)
			return res;
	} else if (c == SC_SEMI) {
		lex_semicolon(r);
		r->pos++;
		r->after_dot = false;
		return LEX_OK;
	}
	if (!r->in_statement) {
		r->in_statement = true;
		r->lx->n_statements++;
	}
	switch (c) {
	case SC_BAD:
		return LEX_BROKEN;
	case SC_IDENT:
		res = lex_identifier(r);
		break;
	case SC_DIGIT:
		res = lex_number(r);
		break;
	case SC_QUOTE:
		res = lex_string(r, r->pos, r->pos, false);
		break;
	case SC_DQUOTE:
		res = lex_quoted(r);
		break;
	case SC_DOLLAR:
		res = lex_dollar(r);
		break;
	case SC_DOT:
		res = lex_dot(r, &dot);
		break;
	case SC_OPEN:
		r->pos++;
		res = lex_push(r, false);
		break;
	case SC_CLOSE:
		r->pos++;
		lex_close(r);
		break;
	case SC_COMMA:
		r->pos++;
		lex_separate(r);
		break;
	case SC_OTHER:
		r->pos++;
		break;
	case SC_OP:
	case SC_SPACE:
	case SC_SEMI:
		break;
	}
	r->after_dot = dot;
	return res;
}

enum lex_result
lex_statement(struct lexer *lx, struct slice sql, bool scs, size_t max_len)
{
	struct lex_run r;
	enum lex_result res;

	lx->n_cuts = lx->shape_len = lx->n_statements = 0;
	if (sql.n > max_len || sql.n > UINT32_MAX)
		return LEX_TOO_LONG;
	if (sql.n > lx->shape_size || lx->shape == NULL) {
		size_t size = sql.n < 1024 ? 1024 : sql.n;
		char *shape = realloc(lx->shape, size);

		if (shape == NULL)
			return LEX_TOO_LONG;
		lx->shape = shape;
		lx->shape_size = size;
	}
	/* A NUL inside of a literal counts too: PostgreSQL takes none. */
	if (sql.n > 0 && memchr(sql.p, 0, sql.n) != NULL)
		return LEX_BROKEN;
	r.lx = lx;
	r.s = sql;
	r.pos = r.keep = 0;
	r.out = lx->shape;
	r.scs = scs;
	r.after_dot = r.in_statement = false;
	r.depth = 0;
	r.level[0] = (struct lex_level){ 0 };
	while (r.pos < sql.n) {
		res = lex_token(&r);
		if (unlikely(res != LEX_OK))
			return res;
	}
	if (sql.n > 0)
		lex_flush(&r, sql.n);
	lx->shape_len = (size_t)(r.out - lx->shape);
	lx->hash = hash_bytes(lx->shape, lx->shape_len);
	return LEX_OK;
}
