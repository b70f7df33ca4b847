/* SPDX-License-Identifier: PostgreSQL
 *
 * Cache rules with a query: reading it, and what the results are called.
 *
 * In a rule's query :name stands for a value.  It is given to the parser as a
 * parameter; the statements that the rule is for have the same print, and the
 * value in the same place.  Names are made of values that clients choose, so
 * whatever could be read as a part of a key or of a pattern is written as %XX,
 * and what is long as its digest.  Pure but for the process's hash key.
 */
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "conf/ident.h"
#include "route/named.h"
#include "route/route_priv.h"
#include "route/tenant.h"
#include "sql/scan.h"

#define NAMED_TEXT_MAX 65536
#define NAMED_NAME_MAX 32  /* bytes of a name */
#define NAMED_BINARY_MAX 16 /* bytes of a value written as hex */

/* ------------------------------------------------------------ the query */

struct named_read {
	bool known;       /* names are those of q, as often as one likes */
	uint32_t met;     /* ... and these have been met, a set */
	const char *text; /* with :name */
	struct buf sql;   /* with $1 */
	struct conf_query *q;
	char *why;
	size_t size;
};

static bool
named_complain(struct named_read *r, const char *what)
{
	snprintf(r->why, r->size, "%s", what);
	return false;
}

static bool
named_is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static size_t
named_length(const char *p)
{
	size_t n = 0;

	while (named_is_letter(p[n]) || (p[n] >= '0' && p[n] <= '9'))
		n++;
	return n;
}

static bool
named_put_param(struct named_read *r, size_t number)
{
	char param[24];

	snprintf(param, sizeof(param), "$%zu", number);
	return buf_append(&r->sql, param, strlen(param)) ||
	    named_complain(r, "is too long, expected less");
}

/* The same of one that q must have. */
static bool
named_take_known(struct named_read *r, const char *p, size_t n)
{
	const struct conf_query *q = r->q;
	size_t i;

	for (i = 0; i < q->n_named; i++) {
		if (!slice_eq_str(slice_make(p, n), q->named[i].name))
			continue;
		r->met |= UINT32_C(1) << i;
		return named_put_param(r, i + 1);
	}
	snprintf(r->why, r->size, "text: query has no :%.*s, expected one of "
	    "its names", (int)(n < NAMED_NAME_MAX ? n : NAMED_NAME_MAX), p);
	return false;
}

/* The name at p becomes a parameter. */
static bool
named_take(struct named_read *r, const char *p, size_t n)
{
	struct conf_query *q = r->q;
	size_t i;

	if (r->known)
		return named_take_known(r, p, n);
	for (i = 0; i < q->n_named; i++)
		if (slice_eq_str(slice_make(p, n), q->named[i].name)) {
			snprintf(r->why, r->size, ":%s stands in it twice, "
			    "expected another name for another value",
			    q->named[i].name);
			return false;
		}
	if (n > NAMED_NAME_MAX || q->n_named == CONF_NAMES_MAX) {
		snprintf(r->why, r->size, "has more than %d names, or one "
		    "over %d bytes, expected fewer: literals stand for any "
		    "value", CONF_NAMES_MAX, NAMED_NAME_MAX);
		return false;
	}
	q->named[q->n_named++].name = x_strndup(p, n);
	return named_put_param(r, q->n_named);
}

/* Bytes of what is copied as a whole: names in quotes, and the double colon
 * of a cast. */
static size_t
named_skip(const char *p)
{
	const char *end = *p == '"' ? strchr(p + 1, '"') : NULL;

	if (end != NULL)
		return (size_t)(end - p) + 1;
	return p[0] == ':' && (p[1] == ':' || p[1] == '=') ? 2 : 1;
}

/* Copy text with names as parameters; lx: what is a literal in it. */
static bool
named_rewrite(struct named_read *r, const struct lexer *lx)
{
	const char *p = r->text, *end = p + strlen(p);
	size_t cut = 0, n;

	while (p < end) {
		if (cut < lx->n_cuts && p == r->text + lx->cuts[cut].pos) {
			n = lx->cuts[cut++].len;
		} else if (*p == '$' && p[1] >= '0' && p[1] <= '9') {
			return named_complain(r, "has a parameter by number, "
			    "expected :name");
		} else if (*p == ':' && named_is_letter(p[1])) {
			n = named_length(p + 1);
			if (!named_take(r, p + 1, n))
				return false;
			p += n + 1;
			continue;
		} else {
			n = named_skip(p);
		}
		if (!buf_append(&r->sql, p, n))
			return named_complain(r, "is too long, expected less");
		p += n;
	}
	return true;
}

static uint32_t
named_oid(enum an_cast cast)
{
	switch (cast) {
	case AN_CAST_INT2:
		return ROUTE_OID_INT2;
	case AN_CAST_INT4:
		return ROUTE_OID_INT4;
	case AN_CAST_INT8:
		return ROUTE_OID_INT8;
	case AN_CAST_TEXT:
		return ROUTE_OID_TEXT;
	case AN_CAST_VARCHAR:
		return ROUTE_OID_VARCHAR;
	case AN_CAST_UUID:
		return ROUTE_OID_UUID;
	default:
		return 0;
	}
}

static bool
named_places(struct named_read *r, const struct analysis *a)
{
	struct conf_query *q = r->q;
	size_t i, k;

	for (k = 0; k < q->n_named; k++) {
		for (i = 0; i < a->n_places; i++)
			if (a->places[i].kind == AN_VAL_PARAM &&
			    a->places[i].index == k)
				break;
		if (i == a->n_places) {
			snprintf(r->why, r->size, ":%s is not one of its "
			    "first %d values, expected a name for a value",
			    q->named[k].name, AN_PLACES_MAX);
			return false;
		}
		q->named[k].place = i;
		q->named[k].oid = named_oid(a->places[i].cast);
	}
	return true;
}

static bool
named_tables(struct named_read *r, const struct analysis *a)
{
	const struct an_table *t;
	char name[2 * 64 + 2];
	size_t i, k;

	for (i = 0; i < a->n_tables; i++) {
		t = &a->tables[i];
		snprintf(name, sizeof(name), "%s%s%s", t->schema != NULL ?
		    t->schema : "", t->schema != NULL ? "." : "", t->name);
		if (!ident_is_table(name, t->schema, t->name)) {
			snprintf(r->why, r->size, "reads '%.64s', whose name "
			    "needs quotes, expected tables to name it",
			    t->name);
			return false;
		}
		for (k = 0; k < r->q->tables.n; k++)
			if (strcmp(r->q->tables.v[k], name) == 0)
				break;
		if (k == r->q->tables.n)
			conf_strings_add(&r->q->tables, name);
	}
	return true;
}

static bool
named_analyse(struct named_read *r, const struct analysis *a)
{
	enum bypass_reason why = route_never_cached(a);

	if (why == BYPASS_UNPARSED)
		return named_complain(r, "cannot be parsed, expected a SELECT "
		    "with :name where its values are");
	if (why != BYPASS_NONE) {
		snprintf(r->why, r->size, "could never be cached: %s - %s, "
		    "expected another", bypass_reason_name(why),
		    bypass_reason_doc(why));
		return false;
	}
	if (!a->has_print)
		return named_complain(r, "is too long, expected less");
	r->q->print = a->print;
	r->q->stable = (a->flags & AN_STABLE) != 0;
	return named_places(r, a) && named_tables(r, a);
}

struct an_functions
route_functions(const struct conf *c)
{
	return (struct an_functions){
		.readonly = (const char *const *)c->readonly_functions.v,
		.n_readonly = c->readonly_functions.n,
		.stateless = (const char *const *)c->stateless_functions.v,
		.n_stateless = c->stateless_functions.n,
	};
}

struct analysis *
route_analyse(const struct conf *c, struct slice sql)
{
	const struct an_functions fns = route_functions(c);
	struct analysis *a;
	struct lexer lx;

	lexer_init(&lx);
	a = lex_statement(&lx, sql, true, 2 * NAMED_TEXT_MAX) == LEX_OK ?
	    analysis_new(sql, &lx, &fns) : analysis_unparsed();
	lexer_fini(&lx);
	return a;
}

/* Into r->sql. */
static bool
named_number(struct named_read *r)
{
	struct lexer lx;
	bool ok;

	lexer_init(&lx);
	buf_init(&r->sql, 2 * NAMED_TEXT_MAX);
	ok = lex_statement(&lx, slice_str(r->text), true, NAMED_TEXT_MAX) ==
	    LEX_OK || named_complain(r, "is too long, too deep, or has a "
	    "quote or comment that does not end, expected one statement");
	ok = ok && named_rewrite(r, &lx);
	lexer_fini(&lx);
	return ok;
}

bool
route_query_read(const struct conf *c, struct conf_query *q, char *why,
    size_t size)
{
	struct named_read r = { .text = q->text, .q = q, .why = why,
		.size = size };
	struct analysis *a = NULL;
	bool ok = named_number(&r);

	if (ok) {
		a = route_analyse(c, slice_make(buf_head(&r.sql),
		    buf_len(&r.sql)));
		ok = named_analyse(&r, a);
	}
	analysis_free(&a);
	buf_reset(&r.sql);
	return ok;
}

/* Whatever is planned and does no more than its text says. */
static bool
named_is_plain_statement(struct named_read *r, const struct analysis *a)
{
	if (a->kind == STMT_UNPARSED)
		return named_complain(r, "cannot be parsed, expected a SELECT, "
		    "INSERT, UPDATE or DELETE with :name where its values "
		    "are");
	if (!analysis_is_planned(a) || (a->flags & (AN_MULTI |
	    AN_EXPLAIN_ROUTE)))
		return named_complain(r, "is no single SELECT, INSERT, UPDATE "
		    "or DELETE, expected one");
	if (a->pins != 0 || (a->flags & AN_WRITES_ALL))
		return named_complain(r, "calls a function of unknown effect, "
		    "or leaves something on its server, expected neither; "
		    "see readonly_functions and stateless_functions");
	return true;
}

bool
route_names_read(const struct conf *c, struct conf_query *q, bool *selects,
    char *why, size_t size)
{
	struct named_read r = { .text = q->text, .q = q, .why = why,
		.size = size };
	struct analysis *a = NULL;
	bool ok = named_number(&r);

	if (ok) {
		a = route_analyse(c, slice_make(buf_head(&r.sql),
		    buf_len(&r.sql)));
		ok = named_is_plain_statement(&r, a);
	}
	if (ok && (!a->has_print || a->n_places > CONF_NAMES_MAX))
		ok = named_complain(&r, "is too long or has too many values, "
		    "expected less");
	if (ok && a->n_places != q->n_named)
		ok = named_complain(&r, "has a value without a name, expected "
		    ":name for each");
	ok = ok && named_places(&r, a) && named_tables(&r, a);
	if (ok) {
		q->print = a->print;
		*selects = !(a->flags & AN_WRITES);
	}
	analysis_free(&a);
	buf_reset(&r.sql);
	return ok;
}

bool
route_names_number(struct conf_query *q, const char *text, struct buf *out,
    uint32_t *met, char *why, size_t size)
{
	struct named_read r = { .known = true, .text = text, .q = q,
		.why = why, .size = size };
	bool ok = named_number(&r) && (buf_append(out, buf_head(&r.sql),
	    buf_len(&r.sql)) || named_complain(&r, "text: is too long"));

	*met |= r.met;
	buf_reset(&r.sql);
	return ok;
}

bool
route_names_plain(const struct conf *c, struct slice sql, bool *selects,
    char *why, size_t size)
{
	struct named_read r = { .why = why, .size = size };
	struct analysis *a = route_analyse(c, sql);
	bool ok = named_is_plain_statement(&r, a);

	*selects = !(a->flags & AN_WRITES);
	analysis_free(&a);
	return ok;
}

/* ------------------------------------------------------------ the name */

static bool
named_is_plain(char c)
{
	return named_is_letter(c) || (c >= '0' && c <= '9') || c == '.' ||
	    c == '-';
}

/* Append what v is in a name: at most ROUTE_NAME_VALUE bytes. */
static void
named_escape(char **at, struct slice v)
{
	char *start = *at, *keep = start;
	size_t i;

	for (i = 0; i < v.n; i++) {
		size_t room = ROUTE_NAME_VALUE - (size_t)(*at - start);

		if (*at - start <= ROUTE_NAME_VALUE / 2)
			keep = *at;
		if (named_is_plain(v.p[i]) && room >= 1) {
			*(*at)++ = v.p[i];
		} else if (!named_is_plain(v.p[i]) && room >= 3) {
			*at += sprintf(*at, "%%%02X", (unsigned char)v.p[i]);
		} else {
			*at = keep + sprintf(keep, "%%~%016llx",
			    (unsigned long long)XXH3_64bits(v.p, v.n));
			return;
		}
	}
}

/* Digits that PostgreSQL takes for the same number, written in one way. */
static struct slice
named_integer(struct slice v, char out[32])
{
	size_t i = 0, sign;

	while (v.n > 0 && scan_class_of(v.p[0]) == SC_SPACE)
		v = slice_make(v.p + 1, v.n - 1);
	while (v.n > 0 && scan_class_of(v.p[v.n - 1]) == SC_SPACE)
		v.n--;
	sign = v.n > 0 && (v.p[0] == '-' || v.p[0] == '+');
	while (i + sign < v.n && v.p[i + sign] >= '0' && v.p[i + sign] <= '9')
		i++;
	if (i == 0 || i + sign != v.n)
		return v;
	for (i = sign; i + 1 < v.n && v.p[i] == '0'; i++)
		continue;
	if (v.n - i > 30)
		return v;
	out[0] = '-';
	memcpy(out + 1, v.p + i, v.n - i);
	sign = v.p[0] == '-' && !(v.n - i == 1 && out[1] == '0');
	return slice_make(out + !sign, v.n - i + sign);
}

static bool
named_is_integer(uint32_t oid)
{
	return oid == ROUTE_OID_INT2 || oid == ROUTE_OID_INT4 ||
	    oid == ROUTE_OID_INT8;
}

/* A value of this type in binary; false: it is not known how to read it. */
static bool
named_binary(struct slice v, uint32_t oid, char out[40], struct slice *text)
{
	int64_t n = v.n > 0 ? (int8_t)v.p[0] : 0;
	size_t i;

	if (route_oid_is_text(oid)) {
		*text = v;
		return true;
	}
	if (!named_is_integer(oid) || v.n !=
	    (oid == ROUTE_OID_INT2 ? 2 : oid == ROUTE_OID_INT4 ? 4 : 8))
		return false;
	for (i = 1; i < v.n; i++)
		n = (int64_t)((uint64_t)n << 8 | (uint8_t)v.p[i]);
	*text = slice_make(out, (size_t)snprintf(out, 40, "%lld",
	    (long long)n));
	return true;
}

static void
named_put_uuid(char **at, const uint8_t id[16])
{
	for (int i = 0; i < 16; i++)
		*at += sprintf(*at, "%s%02x", i == 4 || i == 6 || i == 8 ||
		    i == 10 ? "-" : "", id[i]);
}

static void
named_put(char **at, const struct route_value *v, uint32_t oid)
{
	struct slice text = v->s;
	uint8_t uuid[16];
	char scratch[40];

	if (v->oid != 0)
		oid = v->oid;
	if (v->kind == ROUTE_VALUE_NONE || v->kind == ROUTE_VALUE_NULL) {
		*at += sprintf(*at, "%s", v->kind == ROUTE_VALUE_NULL ?
		    "%null" : "%unknown");
		return;
	}
	if (oid == ROUTE_OID_UUID && tenant_value_uuid(v->s,
	    v->kind == ROUTE_VALUE_BINARY, oid, uuid)) {
		named_put_uuid(at, uuid);
		return;
	}
	if (v->kind == ROUTE_VALUE_BINARY) {
		if (!named_binary(v->s, oid, scratch, &text)) {
			*at += sprintf(*at, "%%x");
			for (size_t i = 0; i < v->s.n && i < NAMED_BINARY_MAX;
			     i++)
				*at += sprintf(*at, "%02x",
				    (unsigned char)v->s.p[i]);
			if (v->s.n > NAMED_BINARY_MAX)
				*at += sprintf(*at, "%%~%016llx",
				    (unsigned long long)XXH3_64bits(v->s.p,
				    v->s.n));
			return;
		}
	} else if (v->kind == ROUTE_VALUE_NUMBER || named_is_integer(oid)) {
		text = named_integer(v->s, scratch);
	}
	named_escape(at, text);
}

/* Without a key results are called as their rule. */
static void
named_put_rule(char **at, const char *name)
{
	for (int i = 0; name[i] != '\0' && i < ROUTE_NAME_VALUE; i++)
		*(*at)++ = named_is_plain(name[i]) ? name[i] : '_';
}

size_t
route_name(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, char out[ROUTE_NAME_MAX])
{
	const struct conf_rule *r = p->rule;
	const struct conf_named *named;
	struct route_reader reader;
	struct route_value value;
	char *at = out;
	size_t i;

	if (r != NULL && r->n_parts == 0)
		named_put_rule(&at, r->name);
	for (i = 0; r != NULL && i < r->n_parts; i++) {
		memcpy(at, r->parts[i].text.p, r->parts[i].text.n);
		at += r->parts[i].text.n;
		if (r->parts[i].named < 0)
			break;
		named = &r->query.named[r->parts[i].named];
		CHECK(named->place < s->an->n_places);
		route_reader_init(&reader, v);
		route_value_get(&reader, &s->an->places[named->place], &value);
		named_put(&at, &value, named->oid);
	}
	*at = '\0';
	return (size_t)(at - out);
}
