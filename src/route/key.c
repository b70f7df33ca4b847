/* SPDX-License-Identifier: PostgreSQL
 *
 * The hash of a value that is compared with, or put into, a key column.
 *
 * A value has one if it is certain how the server will read it: its type is
 * of the column's family, and nothing else in the statement can give it
 * another type.  Knows no tables.  Pure; runs for every routed execution, so
 * it allocates nothing.
 */
#include "route/route_priv.h"
#include "route/tenant.h"

/* The type that an explicit cast gives. false: not of the key's family.
 * AN_CAST_NONE gives 0. */
static bool
key_cast(enum conf_key_type type, enum an_cast cast, uint32_t *oid)
{
	bool is_int = type == KEY_TYPE_INT4 || type == KEY_TYPE_INT8;

	switch (cast) {
	case AN_CAST_NONE:
		*oid = 0;
		return true;
	case AN_CAST_INT2:
		*oid = ROUTE_OID_INT2;
		return is_int;
	case AN_CAST_INT4:
		*oid = ROUTE_OID_INT4;
		return is_int;
	case AN_CAST_INT8:
		*oid = ROUTE_OID_INT8;
		return is_int;
	case AN_CAST_TEXT:
		*oid = ROUTE_OID_TEXT;
		return type == KEY_TYPE_TEXT;
	case AN_CAST_UUID:
		*oid = ROUTE_OID_UUID;
		return type == KEY_TYPE_UUID;
	case AN_CAST_DATE:
	case AN_CAST_TIMESTAMP:
	case AN_CAST_TIMESTAMPTZ:
	case AN_CAST_OTHER:
		break;
	}
	return false;
}

static bool
key_is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	}
	return true;
}

static bool
key_value(enum conf_key_type type, const struct route_values *v,
    enum an_cast cast, struct route_value *rv, uint64_t *hash)
{
	uint32_t oid, cast_oid;

	if (rv->kind == ROUTE_VALUE_NONE || !key_cast(type, cast, &cast_oid))
		return false;
	/* A bare number is no text: '007' = 7 is the server's to judge. */
	if (rv->kind == ROUTE_VALUE_NUMBER && type != KEY_TYPE_INT4 &&
	    type != KEY_TYPE_INT8)
		return false;
	/* Nothing but a uuid compares with a uuid, so there the type is sure
	 * even if the parameter stands elsewhere too. */
	if (rv->repeated && type != KEY_TYPE_UUID)
		return false;
	if (type == KEY_TYPE_TEXT && v->other_encoding &&
	    !key_is_ascii(rv->s))
		return false;
	oid = rv->oid;
	if (oid == 0) {
		oid = cast_oid;
	} else if (route_oid_is_text(oid) && cast_oid != 0) {
		/* Converted by the type's input function; binary text is text. */
		rv->kind = ROUTE_VALUE_TEXT;
		oid = cast_oid;
	}
	return tenant_hash_value(type, rv->s, rv->kind == ROUTE_VALUE_BINARY,
	    oid, hash);
}

enum route_key
route_key_hash(enum conf_key_type type, struct route_reader *r,
    const struct an_value *val, uint64_t *hash)
{
	struct route_value rv;

	route_value_get(r, val, &rv);
	if (rv.kind == ROUTE_VALUE_NULL)
		return ROUTE_KEY_NULL;
	return key_value(type, r->v, val->cast, &rv, hash) ? ROUTE_KEY_HASH :
	    ROUTE_KEY_UNSURE;
}
