/* SPDX-License-Identifier: PostgreSQL
 *
 * Names of the reasons why the cache is bypassed, from their table.  Pure.
 */
#include "route/route.h"

static const struct {
	const char *name, *doc;
} bypass_reasons[BYPASS_REASON_COUNT] = {
	[BYPASS_NONE] = { "none", "not bypassed" },
#define BYPASS_REASON(sym, name, doc) [BYPASS_##sym] = { name, doc },
#include "tbl/bypass_reasons.h"
};

const char *
bypass_reason_name(enum bypass_reason r)
{
	CHECK(r < BYPASS_REASON_COUNT);
	return bypass_reasons[r].name;
}

const char *
bypass_reason_doc(enum bypass_reason r)
{
	CHECK(r < BYPASS_REASON_COUNT);
	return bypass_reasons[r].doc;
}
