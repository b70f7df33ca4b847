/* SPDX-License-Identifier: PostgreSQL
 *
 * Results that come from another process: whatever the bytes are, they are taken
 * or refused as a whole, and nothing is left behind.
 */
#include "cache/warm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool begun;

	if (!begun)
		hash_init();
	begun = true;
	warm_begin(1u << 20, 1);
	CHECK(warm_add(data, size) == warm_is_there());
	warm_drop();
	return 0;
}
