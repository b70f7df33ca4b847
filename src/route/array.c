/* SPDX-License-Identifier: PostgreSQL
 *
 * The members of an array that a statement gives as one value, one by one.
 *
 * Reads '{a,"b c",NULL}' and the binary format of the wire, of one dimension;
 * what is of another form ends the array as broken.  Members borrow from the
 * value or from the scratch of the result.  Pure, no memory.
 */
#include "route/route_priv.h"

#include <strings.h>

static const struct {
	uint32_t array, member;
} array_types[] = {
	{ 1000, ROUTE_OID_BOOL }, { 1005, ROUTE_OID_INT2 },
	{ 1007, ROUTE_OID_INT4 }, { 1016, ROUTE_OID_INT8 },
	{ 1009, ROUTE_OID_TEXT }, { 1014, ROUTE_OID_BPCHAR },
	{ 1015, ROUTE_OID_VARCHAR }, { 1182, ROUTE_OID_DATE },
	{ 1115, ROUTE_OID_TIMESTAMP }, { 1185, ROUTE_OID_TIMESTAMPTZ },
	{ 1231, ROUTE_OID_NUMERIC }, { 2951, ROUTE_OID_UUID },
};

static bool
array_member_type(uint32_t array, uint32_t *member)
{
	for (size_t i = 0; i < ARRAY_SIZE(array_types); i++) {
		if (array_types[i].array == array) {
			*member = array_types[i].member;
			return true;
		}
	}
	return false;
}

static bool
array_take_int(struct route_array *a, int32_t *out)
{
	uint32_t v = 0;

	if (a->left.n < 4)
		return false;
	for (int i = 0; i < 4; i++)
		v = v << 8 | (unsigned char)a->left.p[i];
	a->left.p += 4;
	a->left.n -= 4;
	*out = (int32_t)v;
	return true;
}

static bool
array_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void
array_skip(struct route_array *a)
{
	while (a->left.n > 0 && array_is_space(*a->left.p)) {
		a->left.p++;
		a->left.n--;
	}
}

/* The next byte that is no blank is c, which is stepped over. */
static bool
array_take(struct route_array *a, char c)
{
	array_skip(a);
	if (a->left.n == 0 || *a->left.p != c)
		return false;
	a->left.p++;
	a->left.n--;
	return true;
}

static bool
array_open_binary(struct route_array *a, uint32_t declared)
{
	int32_t dims, nulls, member, size = 0, bound;

	if (!array_take_int(a, &dims) || !array_take_int(a, &nulls) ||
	    !array_take_int(a, &member) || dims < 0 || dims > 1)
		return false;
	if (dims == 1 && (!array_take_int(a, &size) ||
	    !array_take_int(a, &bound) || size < 0))
		return false;
	if (declared != 0 && declared != (uint32_t)member)
		return false;
	a->member = (uint32_t)member;
	a->count = (size_t)size;
	return a->count > 0 || a->left.n == 0;
}

static bool
array_open_text(struct route_array *a)
{
	if (!array_take(a, '{'))
		return false;
	a->first = true;
	return true;
}

bool
route_array_open(struct route_array *a, struct route_reader *r,
    const struct an_value *v, enum conf_key_type type)
{
	struct route_value *rv = &a->value;
	uint32_t member = 0;

	a->broken = a->first = a->comma = a->binary = false;
	a->count = 0;
	a->text = conf_key_type_is_text(type);
	route_value_get(r, v, rv);
	a->null = rv->kind == ROUTE_VALUE_NULL;
	if (a->null)
		return true;
	if (rv->kind != ROUTE_VALUE_TEXT && rv->kind != ROUTE_VALUE_BINARY)
		return false;
	a->binary = rv->kind == ROUTE_VALUE_BINARY;
	a->left = rv->s;
	if (route_oid_is_text(rv->oid)) {
		if (v->cast == AN_CAST_NONE)
			return false;
		a->binary = false; /* binary text is text */
	} else if (rv->oid != 0 && !array_member_type(rv->oid, &member)) {
		return false;
	}
	a->member = member;
	return a->binary ? array_open_binary(a, member) : array_open_text(a);
}

/* ----------------------------------------------------------------- members */

static bool
array_next_binary(struct route_array *a, struct route_value *out)
{
	int32_t len;

	if (a->count == 0)
		return false;
	if (!array_take_int(a, &len) || len < -1 ||
	    (len > 0 && (size_t)len > a->left.n)) {
		a->broken = true;
		return false;
	}
	out->kind = len < 0 ? ROUTE_VALUE_NULL : ROUTE_VALUE_BINARY;
	if (len > 0) {
		out->s = slice_make(a->left.p, (size_t)len);
		a->left.p += len;
		a->left.n -= (size_t)len;
	}
	if (--a->count == 0)
		a->broken = a->left.n > 0;
	return true;
}

/* Behind the opening quote. */
static bool
array_quoted(struct route_array *a, struct route_value *out)
{
	const char *p = a->left.p, *end = p + a->left.n, *from = p;
	size_t n = 0;

	while (p < end && *p != '"' && *p != '\\')
		p++;
	out->s = slice_make(from, (size_t)(p - from));
	if (p < end && *p == '\\') {
		for (p = from; p < end && *p != '"'; p++) {
			if (*p == '\\' && ++p == end)
				return false;
			if (n == sizeof(out->scratch))
				return false;
			out->scratch[n++] = *p;
		}
		out->s = slice_make(out->scratch, n);
	}
	if (p == end)
		return false;
	a->left = slice_make(p + 1, (size_t)(end - p) - 1);
	return true;
}

static bool
array_bare(struct route_array *a, struct route_value *out)
{
	const char *p = a->left.p;
	size_t n = 0, end;

	while (n < a->left.n && p[n] != ',' && p[n] != '}') {
		if (p[n] == '"' || p[n] == '{' || p[n] == '\\')
			return false;
		n++;
	}
	for (end = n; end > 0 && array_is_space(p[end - 1]);)
		end--;
	if (end == 0)
		return false;
	out->s = slice_make(p, end);
	a->left = slice_make(p + n, a->left.n - n);
	/* With array_nulls off it is text, which a text key may be. */
	if (end == 4 && strncasecmp(p, "null", 4) == 0 && !a->text)
		out->kind = ROUTE_VALUE_NULL;
	return true;
}

static bool
array_next_text(struct route_array *a, struct route_value *out)
{
	bool ok;

	if (array_take(a, '}')) {
		array_skip(a);
		/* Not behind a comma, and nothing follows. */
		a->broken = a->comma || a->left.n > 0;
		return false;
	}
	if (!a->first && !a->comma)
		ok = false;
	else
		ok = array_take(a, '"') ? array_quoted(a, out) :
		    array_bare(a, out);
	a->first = false;
	a->comma = ok && array_take(a, ',');
	a->broken = !ok;
	return ok;
}

bool
route_array_next(struct route_array *a, struct route_value *out)
{
	if (a->null || a->broken)
		return false;
	out->kind = ROUTE_VALUE_TEXT;
	out->s = slice_make("", 0);
	out->oid = a->member;
	out->param = a->value.param;
	out->repeated = a->value.repeated;
	return a->binary ? array_next_binary(a, out) : array_next_text(a, out);
}
