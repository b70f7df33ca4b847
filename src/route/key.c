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

size_t
route_key_of(const struct conf_table *t, const char *column)
{
	size_t i;

	for (i = 0; i < t->n_keys; i++) {
		if (strcmp(t->keys[i].column, column) == 0)
			break;
	}
	return i;
}

/* The type that an explicit cast gives; AN_CAST_NONE gives 0. false: it is
 * none that is known. */
static bool
key_cast(enum an_cast cast, uint32_t *oid)
{
	static const uint32_t oids[AN_CAST_OTHER] = {
		[AN_CAST_INT2] = ROUTE_OID_INT2,
		[AN_CAST_INT4] = ROUTE_OID_INT4,
		[AN_CAST_INT8] = ROUTE_OID_INT8,
		[AN_CAST_TEXT] = ROUTE_OID_TEXT,
		[AN_CAST_UUID] = ROUTE_OID_UUID,
		[AN_CAST_DATE] = ROUTE_OID_DATE,
		[AN_CAST_TIMESTAMP] = ROUTE_OID_TIMESTAMP,
		[AN_CAST_TIMESTAMPTZ] = ROUTE_OID_TIMESTAMPTZ,
		[AN_CAST_BOOL] = ROUTE_OID_BOOL,
		[AN_CAST_NUMERIC] = ROUTE_OID_NUMERIC,
		[AN_CAST_VARCHAR] = ROUTE_OID_VARCHAR,
		[AN_CAST_BPCHAR] = ROUTE_OID_BPCHAR,
	};

	if (cast == AN_CAST_OTHER)
		return false;
	*oid = oids[cast];
	return true;
}

static bool
key_oid_is_int(uint32_t oid)
{
	return oid == ROUTE_OID_INT2 || oid == ROUTE_OID_INT4 ||
	    oid == ROUTE_OID_INT8;
}

static bool
key_takes_numbers(enum conf_key_type type)
{
	return type == KEY_TYPE_NUMERIC || route_key_is_int(type);
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

/* The type a value has where it meets the column; 0: the column's. false: a
 * cast may change it. */
static bool
key_type_of(struct route_value *rv, enum an_cast cast, uint32_t *oid)
{
	uint32_t to;

	if (!key_cast(cast, &to))
		return false;
	if (rv->oid == 0 || to == 0 || rv->oid == to ||
	    (key_oid_is_int(rv->oid) && key_oid_is_int(to))) {
		*oid = rv->oid != 0 ? rv->oid : to;
		return true;
	}
	if (!route_oid_is_text(rv->oid))
		return false;
	/* Converted by the type's input function; binary text is text. */
	rv->kind = ROUTE_VALUE_TEXT;
	*oid = to;
	return true;
}

bool
route_key_hash_value(enum conf_key_type type, const struct route_values *v,
    struct route_value *rv, enum an_cast cast, bool stored, uint64_t *hash)
{
	uint32_t oid;
	bool binary;

	if (rv->kind == ROUTE_VALUE_NONE || !key_type_of(rv, cast, &oid))
		return false;
	/* A bare number is no text: '007' = 7 is the server's to judge. */
	if (rv->kind == ROUTE_VALUE_NUMBER && !key_takes_numbers(type))
		return false;
	/* Nothing but a uuid compares with a uuid, so there the type is sure
	 * even if the parameter stands elsewhere too. */
	if (rv->repeated && type != KEY_TYPE_UUID)
		return false;
	if (v->other_encoding && conf_key_type_is_text(type) &&
	    !key_is_ascii(rv->s))
		return false;
	binary = rv->kind == ROUTE_VALUE_BINARY;
	return (!stored || tenant_stores_value(type, rv->s, binary)) &&
	    tenant_hash_value(type, rv->s, binary, oid, hash);
}

enum route_key
route_key_hash(enum conf_key_type type, struct route_reader *r,
    const struct an_value *val, bool stored, uint64_t *hash)
{
	struct route_value rv;

	route_value_get(r, val, &rv);
	if (rv.kind == ROUTE_VALUE_NULL)
		return ROUTE_KEY_NULL;
	return route_key_hash_value(type, r->v, &rv, val->cast, stored,
	    hash) ? ROUTE_KEY_HASH : ROUTE_KEY_UNSURE;
}

bool
route_key_uuid(struct route_reader *r, const struct an_value *val,
    uint8_t out[16])
{
	struct route_value rv;
	uint32_t oid;

	route_value_get(r, val, &rv);
	if (rv.kind != ROUTE_VALUE_TEXT && rv.kind != ROUTE_VALUE_BINARY)
		return false;
	return key_type_of(&rv, val->cast, &oid) &&
	    tenant_value_uuid(rv.s, rv.kind == ROUTE_VALUE_BINARY, oid, out);
}
