/* SPDX-License-Identifier: PostgreSQL
 *
 * The value that an analysis only refers to: a literal of the text or a
 * parameter of Bind, with what is known of its type.
 *
 * Pure.  Results borrow from the statement, the Bind message or the scratch
 * of the result itself.
 */
#include "route/route_priv.h"

#define VALUE_SPECIAL_MAX 128 /* longer text is no date */
/* Parameters passed over for one execution: values in the order of Bind take
 * one step each. */
#define VALUE_MAX_STEPS (4u << 16)

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
	return oid == ROUTE_OID_UNKNOWN ? 0 : oid;
}

void
route_reader_init(struct route_reader *r, const struct route_values *v)
{
	r->v = v;
	r->next = 0;
	r->steps = 0;
	if (v->bind != NULL)
		msgread_init(&r->at, v->bind->params, v->bind->params_len);
}

/* The value of parameter number index, walking on from the last one. false:
 * that were too many steps. */
static bool
route_reader_param(struct route_reader *r, uint32_t index, struct slice *s,
    bool *null)
{
	const struct wire_bind *b = r->v->bind;

	if (index < r->next) {
		msgread_init(&r->at, b->params, b->params_len);
		r->next = 0;
	}
	while (r->next <= index) {
		if (r->steps++ == VALUE_MAX_STEPS)
			return false;
		*s = msgread_value(&r->at, null);
		r->next++;
	}
	return true;
}

static void
route_value_param(struct route_reader *r, const struct an_value *val,
    struct route_value *out)
{
	const struct route_values *v = r->v;
	bool null;
	uint16_t format;

	if (v->bind == NULL || val->index >= v->bind->n_params ||
	    val->negative ||
	    !route_reader_param(r, val->index, &out->s, &null))
		return;
	format = wire_bind_format(v->bind, val->index);
	if (format > 1)
		return;
	if (null) {
		out->kind = ROUTE_VALUE_NULL;
		return;
	}
	out->kind = format == 1 ? ROUTE_VALUE_BINARY : ROUTE_VALUE_TEXT;
	out->param = true;
	out->oid = route_value_oid(v, val->index);
	out->repeated = out->oid == 0 && val->repeated;
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
	case CUT_NUM:
		if (c->len >= sizeof(out->scratch))
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
	case CUT_COMMENT:
		break;
	}
}

void
route_value_get(struct route_reader *r, const struct an_value *val,
    struct route_value *out)
{
	out->kind = ROUTE_VALUE_NONE;
	out->s = slice_make(NULL, 0);
	out->oid = 0;
	out->param = out->repeated = false;
	switch (val->kind) {
	case AN_VAL_CUT:
		route_value_cut(r->v, val, out);
		break;
	case AN_VAL_PARAM:
		route_value_param(r, val, out);
		break;
	case AN_VAL_NULL:
		out->kind = ROUTE_VALUE_NULL;
		break;
	case AN_VAL_TRUE:
	case AN_VAL_FALSE:
		out->kind = ROUTE_VALUE_TEXT;
		out->oid = ROUTE_OID_BOOL;
		out->s = val->kind == AN_VAL_TRUE ? SLICE_LIT("t") :
		    SLICE_LIT("f");
		break;
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
