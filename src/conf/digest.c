/* SPDX-License-Identifier: PostgreSQL
 *
 * A configuration as one number.
 *
 * Knows rows (rows.c), nothing of what they mean.  Pure, any thread.  Unlike
 * other hashes it has no secret of the process.
 */
#include "conf/digest.h"

#include <string.h>
#include <xxhash.h>

#include "conf/conf_priv.h"

/* With the end of each, so that no two rows look like others. */
static void
digest_add(XXH3_state_t *x, const char *text)
{
	CHECK(XXH3_128bits_update(x, text, strlen(text) + 1) == XXH_OK);
}

static void
digest_row(void *arg, const struct conf_value_row *row)
{
	digest_add(arg, row->where);
	digest_add(arg, row->name);
	digest_add(arg, row->exact);
}

struct hash128
conf_digest(const struct conf *c)
{
	XXH3_state_t *x = XXH3_createState();
	XXH128_hash_t h;

	CHECK(x != NULL && XXH3_128bits_reset(x) == XXH_OK);
	conf_each_value(c, digest_row, x);
	h = XXH3_128bits_digest(x);
	CHECK(XXH3_freeState(x) == XXH_OK);
	return (struct hash128){ h.low64, h.high64 };
}
