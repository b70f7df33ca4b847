/* SPDX-License-Identifier: PostgreSQL
 *
 * Statements that a variant is asked in other words: reading a rewrite, and
 * writing its text with a statement's values.
 *
 * A rewrite is for the statements whose print is its query's.  All values of
 * the query have names, so that none of a statement's is lost; a literal goes
 * into the text as the client wrote it, a parameter keeps its number, so that
 * the client's Bind fits.  Several texts become one statement, the last with
 * the others in its WITH: one snapshot, one answer, all or nothing.  Pure.
 */
#include "route/translate.h"

#include <stdio.h>
#include <stdlib.h>

#include "route/route_priv.h"

#define TRANSLATE_MAX 131072 /* bytes of a text */
#define PIECES_MAX 1000

/* ---- reading ------------------------------------------------------------ */

static bool
translate_complain(char *why, size_t size, const char *what)
{
	snprintf(why, size, "%s", what);
	return false;
}

/* What stands before text number i of n. */
static void
translate_with(size_t i, size_t n, char *out, size_t size)
{
	if (i + 1 < n)
		snprintf(out, size, "%s pgsluice_%zu AS (", i == 0 ? "WITH" :
		    "),", i + 1);
	else
		snprintf(out, size, "%s", n > 1 ? ") " : "");
}

/* All texts as one, numbered. */
static bool
translate_join(struct conf_rewrite *r, struct buf *b, char *why, size_t size)
{
	char with[48];
	uint32_t met = 0;
	size_t i, n = r->texts.n;

	for (i = 0; i < n; i++) {
		translate_with(i, n, with, sizeof(with));
		if (!buf_append(b, with, strlen(with)))
			return translate_complain(why, size,
			    "text: is too long, expected less");
		if (!route_names_number(&r->query, r->texts.v[i], b, &met,
			why, size))
			return false;
	}
	for (i = 0; i < r->query.n_named; i++)
		if ((met & UINT32_C(1) << i) == 0) {
			snprintf(why, size, "text: has no :%s, expected each "
			    "value of the query", r->query.named[i].name);
			return false;
		}
	return true;
}

/* Cut text at its parameters. */
static bool
translate_cut(struct conf_rewrite *r, const struct lexer *lx)
{
	const char *p = r->text, *from = p, *quote;
	size_t cut = 0;
	char *end;

	r->pieces = x_calloc(PIECES_MAX, sizeof(r->pieces[0]));
	while (*p != '\0' && r->n_pieces < PIECES_MAX - 1) {
		if (cut < lx->n_cuts && p == r->text + lx->cuts[cut].pos) {
			p += lx->cuts[cut++].len;
		} else if (*p == '"' && (quote = strchr(p + 1, '"')) != NULL) {
			p = quote + 1;
		} else if (*p == '$' && p[1] >= '1' && p[1] <= '9') {
			r->pieces[r->n_pieces++] = (struct conf_piece){
				slice_make(from, (size_t)(p - from)),
				(int)strtol(p + 1, &end, 10) - 1 };
			from = p = end;
		} else {
			p++;
		}
	}
	r->pieces[r->n_pieces++] = (struct conf_piece){ slice_str(from), -1 };
	return *p == '\0';
}

bool
route_rewrite_read(const struct conf *c, struct conf_rewrite *r, char *why,
    size_t size)
{
	bool query_selects, text_selects, ok;
	struct lexer lx;
	struct buf b;

	if (!route_names_read(c, &r->query, &query_selects, why, size))
		return false;
	buf_init(&b, TRANSLATE_MAX);
	if (!translate_join(r, &b, why, size)) {
		buf_reset(&b);
		return false;
	}
	r->text = x_strndup(buf_head(&b), buf_len(&b));
	buf_reset(&b);
	if (!route_names_plain(c, slice_str(r->text), &text_selects, why,
		size)) {
		char rest[200];

		snprintf(rest, sizeof(rest), "%.199s", why);
		snprintf(why, size, "text: %s", rest);
		return false;
	}
	if (query_selects && !text_selects)
		return translate_complain(why, size, "text: writes where the "
		    "query only reads, expected a SELECT");
	lexer_init(&lx);
	ok = (lex_statement(&lx, slice_str(r->text), true, TRANSLATE_MAX) ==
	    LEX_OK && translate_cut(r, &lx)) || translate_complain(why, size,
	    "text: has too many values, expected fewer");
	lexer_fini(&lx);
	return ok;
}

/* ---- matching ------------------------------------------------------------ */

static const char *const translate_casts[] = {
	[AN_CAST_NONE] = "", [AN_CAST_INT2] = "::int2",
	[AN_CAST_INT4] = "::int4", [AN_CAST_INT8] = "::int8",
	[AN_CAST_TEXT] = "::text", [AN_CAST_UUID] = "::uuid",
	[AN_CAST_DATE] = "::date", [AN_CAST_TIMESTAMP] = "::timestamp",
	[AN_CAST_TIMESTAMPTZ] = "::timestamptz", [AN_CAST_BOOL] = "::bool",
	[AN_CAST_NUMERIC] = "::numeric", [AN_CAST_VARCHAR] = "::varchar",
	[AN_CAST_BPCHAR] = "::bpchar",
};

/* Its values can be put into another text, and no parameter is left over: the
 * server would not know its type. */
static bool
translate_fits(const struct analysis *a)
{
	uint64_t params = 0;
	size_t i;

	for (i = 0; i < a->n_places; i++) {
		const struct an_value *v = &a->places[i];

		if (v->cast >= ARRAY_SIZE(translate_casts) ||
		    (v->kind != AN_VAL_CUT && v->kind != AN_VAL_PARAM))
			return false;
		if (v->kind == AN_VAL_PARAM && v->index < 64)
			params |= UINT64_C(1) << v->index;
	}
	return a->n_params < 64 && params ==
	    (UINT64_C(1) << a->n_params) - 1;
}

const struct conf_rewrite *
route_translation(const struct conf_database *db, const struct analysis *a,
    const struct conf_table **table)
{
	const struct conf_variant *v;

	if (!a->has_print || (a->flags & AN_MULTI))
		return NULL;
	for (size_t i = 0; i < db->n_tables; i++) {
		v = db->tables[i]->use;
		for (size_t k = 0; k < v->n_rewrites; k++) {
			if (!hash_eq(v->rewrites[k].query.print, a->print) ||
			    v->rewrites[k].query.n_named != a->n_places)
				continue;
			*table = db->tables[i];
			return translate_fits(a) ? &v->rewrites[k] : NULL;
		}
	}
	return NULL;
}

/* ---- writing ------------------------------------------------------------- */

static bool
translate_put(struct buf *out, const char *s)
{
	return buf_append(out, s, strlen(s));
}

static bool
translate_value(const struct an_value *val, const struct route_values *v,
    struct buf *out)
{
	const struct cut *c;
	char param[16];

	if (val->kind == AN_VAL_PARAM) {
		snprintf(param, sizeof(param), "$%u", val->index + 1);
		return translate_put(out, param) &&
		    translate_put(out, translate_casts[val->cast]);
	}
	CHECK(val->index < v->lx->n_cuts);
	c = &v->lx->cuts[val->index];
	return (!val->negative || translate_put(out, "(-")) &&
	    buf_append(out, v->sql.p + c->pos, c->len) &&
	    (!val->negative || translate_put(out, ")")) &&
	    translate_put(out, translate_casts[val->cast]);
}

bool
route_translate(const struct conf_rewrite *r, const struct shape *s,
    const struct route_values *v, struct buf *out)
{
	const struct conf_piece *p;

	for (p = r->pieces; p < r->pieces + r->n_pieces; p++) {
		if (!buf_append(out, p->text.p, p->text.n))
			return false;
		if (p->named >= 0 && !translate_value(&s->an->places[
		    r->query.named[p->named].place], v, out))
			return false;
	}
	return true;
}
