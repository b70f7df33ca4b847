/* SPDX-License-Identifier: PostgreSQL
 *
 * Values of parameters: what becomes the hash of a key of any type, alone and
 * as a member of an array, text and binary.  The first byte says which type,
 * the second whether it is binary and what type it is declared to be, the rest
 * is the value.  Members must lie inside of it or of their scratch.
 */
#include <stdlib.h>
#include <string.h>

#include "route/route_priv.h"
#include "route/tenant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long fuzz_hashed; /* so that answers are used */

static void
fuzz_array(const struct wire_bind *bind, const struct route_values *v,
    enum conf_key_type type)
{
	const struct an_value param = { .kind = AN_VAL_PARAM };
	struct route_array array;
	struct route_reader r;
	struct route_value m;
	size_t n = 0;
	uint64_t h;

	route_reader_init(&r, v);
	if (!route_array_open(&array, &r, &param, type))
		return;
	while (route_array_next(&array, &m)) {
		CHECK(n++ <= bind->params_len);
		if (m.kind == ROUTE_VALUE_NULL)
			continue;
		if (m.s.n > 0 && m.s.p != m.scratch) {
			CHECK(m.s.p >= bind->params);
			CHECK(m.s.p + m.s.n <= bind->params + bind->params_len);
		}
		fuzz_hashed += route_key_hash_value(type, v, &m, AN_CAST_NONE,
		    true, &h);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t declared[] = { 0, 23, 1007, 1016, 1009, 2951,
		1042, 705 };
	static const char text_format[2] = { 0, 0 }, binary_format[2] = { 0,
		1 };
	struct wire_bind bind = { .n_params = 1, .n_param_formats = 1 };
	struct route_values v = { .bind = &bind, .n_oids = 1 };
	enum conf_key_type type;
	uint32_t oid;
	char oids[4], *params;
	uint64_t h;

	if (size < 2)
		return 0;
	type = (enum conf_key_type)(data[0] % KEY_TYPE_COUNT);
	oid = declared[(data[1] >> 1) % ARRAY_SIZE(declared)];
	bind.param_formats = data[1] & 1 ? binary_format : text_format;
	size -= 2;
	params = malloc(size + 4);
	if (params == NULL)
		return 0;
	for (int i = 0; i < 4; i++) {
		params[i] = (char)(size >> (24 - 8 * i));
		oids[i] = (char)(oid >> (24 - 8 * i));
	}
	memcpy(params + 4, data + 2, size);
	bind.params = params;
	bind.params_len = size + 4;
	v.oids = oids;
	fuzz_array(&bind, &v, type);
	if (tenant_hash_value(type, slice_make(params + 4, size),
	    (data[1] & 1) != 0, oid, &h))
		fuzz_hashed += tenant_stores_value(type, slice_make(params + 4,
		    size), (data[1] & 1) != 0);
	free(params);
	return 0;
}
