/* SPDX-License-Identifier: PostgreSQL
 *
 * What is to be known of the types of key columns, from their table.  Any
 * thread.
 */
#include "conf/conf.h"

static const struct {
	const char *name;
	uint32_t oid;
} keys_types[KEY_TYPE_COUNT] = {
#define KEY_TYPE(sym, name, oid) [KEY_TYPE_##sym] = { name, oid },
#include "tbl/key_types.h"
};

const char *
conf_key_type_name(enum conf_key_type t)
{
	CHECK(t < KEY_TYPE_COUNT);
	return keys_types[t].name;
}

uint32_t
conf_key_type_oid(enum conf_key_type t)
{
	CHECK(t < KEY_TYPE_COUNT);
	return keys_types[t].oid;
}

bool
conf_key_type_of(uint32_t oid, enum conf_key_type *t)
{
	unsigned i;

	for (i = 0; i < KEY_TYPE_COUNT; i++)
		if (keys_types[i].oid == oid) {
			*t = (enum conf_key_type)i;
			return true;
		}
	return false;
}
