/* SPDX-License-Identifier: PostgreSQL
 *
 * Bounds of partitions and names of prepared transactions: any text is taken or
 * refused, and what is taken makes sense.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "layout/bound.h"
#include "layout/gid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = x_strndup((const char *)data, size);
	unsigned modulus, remainder;
	struct bound_range r;
	char again[GID_MAX];
	struct gid g;

	if (gid_parse(text, &g)) {
		gid_print(&g, again);
		CHECK(strcmp(text, again) == 0);
	}
	if (bound_hash(text, &modulus, &remainder))
		CHECK(remainder < modulus);
	if (bound_range(text, &r))
		CHECK(!r.is_default ||
		    (r.lo == INT64_MIN && r.hi == INT64_MAX));
	free(text);
	return 0;
}
