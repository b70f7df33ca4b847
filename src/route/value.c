/* SPDX-License-Identifier: PostgreSQL
 *
 * The value that an analysis only refers to: a literal of the text or a
 * parameter of Bind, with what is known of its type.
 *
 * Pure.  Results borrow from the statement, the Bind message or the scratch
 * of the result itself.
 */
#include "route/route_priv.h"

#include <stdio.h>

#define VALUE_OID_UNKNOWN 705
#define VALUE_SPECIAL_MAX 128 /* longer text is no date */

/* $n stands more than once in the shape. Names in quotes that look like it
 * count too: that only proves less. */
static bool
route_value_repeated(const struct shape *s, unsigned index)
{
	char name[16];
	const char *p = s->text, *end = s->text + s->len;
	size_t n;
	unsigned seen = 0;

	n = (size_t)snprintf(name, sizeof(name), "$%u", index + 1);
	while (p < end && (p = memchr(p, '$', (size_t)(end - p))) != NULL) {
		if ((size_t)(end - p) >= n && memcmp(p, name, n) == 0 &&
		    (p + n == end || p[n] < '0' || p[n] > '9'))
			seen++;
		p++;
	}
	return seen != 1;
}

static uint32_t
route_value_oid(const struct route_values *v, unsigned index)
{
	const uint8_t *p;
	uint32_t oid;

	if (v->oids == NULL || index >= v->n_oids)
		return 0;
	p = (const uint8_t *)v->oids + (size_t)index * 4;
	oid = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
	return oid == VALUE_OID_UNKNOWN ? 0 : oid;
}

static void
route_value_param(const struct shape *s, const struct route_values *v,
    const struct an_value *val, struct route_value *out)
{
	bool null;
	uint16_t format;

	if (v->bind == NULL || val->index >= v->bind->n_params ||
	    val->negative)
		return;
	out->s = wire_bind_param(v->bind, val->index, &null);
	format = wire_bind_format(v->bind, val->index);
	if (null || format > 1)
		return;
	out->kind = format == 1 ? ROUTE_VALUE_BINARY : ROUTE_VALUE_TEXT;
	out->param = true;
	out->oid = route_value_oid(v, val->index);
	out->repeated = out->oid == 0 && route_value_repeated(s, val->index);
}

static void
route_value_cut(const struct route_values *v, const struct an_value *val,
    struct route_value *out)
{
	const struct cut *c;
	struct slice s;

	if (v->lx == NULL || val->index >= v->lx->n_cuts)
		return;
	c = &v->lx->cuts[val->index];
	switch (c->kind) {
	case CUT_INT:
		if (c->len > 32)
			return;
		out->scratch[0] = '-';
		memcpy(out->scratch + 1, v->sql.p + c->pos, c->len);
		out->s.p = out->scratch + !val->negative;
		out->s.n = c->len + val->negative;
		out->kind = ROUTE_VALUE_NUMBER;
		break;
	case CUT_STR:
	case CUT_STR_ESC:
		if (val->negative ||
		    !analysis_literal(v->sql, c, out->scratch,
			sizeof(out->scratch), &s))
			return;
		out->s = s;
		out->kind = ROUTE_VALUE_TEXT;
		break;
	case CUT_NUM:
	case CUT_COMMENT:
		break;
	}
}

void
route_value_get(const struct shape *s, const struct route_values *v,
    const struct an_value *val, struct route_value *out)
{
	out->kind = ROUTE_VALUE_NONE;
	out->s = slice_make(NULL, 0);
	out->oid = 0;
	out->param = out->repeated = false;
	switch (val->kind) {
	case AN_VAL_CUT:
		route_value_cut(v, val, out);
		break;
	case AN_VAL_PARAM:
		route_value_param(s, v, val, out);
		break;
	case AN_VAL_NULL:
	case AN_VAL_NOW:
	case AN_VAL_OTHER:
		break;
	}
}

/* A text parameter may be converted to a date or time whatever its format, so
 * that is not asked. */
bool
route_values_special(const struct route_values *v)
{
	struct msgread r;

	if (v->bind == NULL)
		return false;
	msgread_init(&r, v->bind->params, v->bind->params_len);
	for (unsigned i = 0; i < v->bind->n_params; i++) {
		bool null;
		struct slice s = msgread_value(&r, &null);

		if (!null && s.n <= VALUE_SPECIAL_MAX &&
		    analysis_literal_is_special(s))
			return true;
	}
	return false;
}
