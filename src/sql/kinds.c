/* SPDX-License-Identifier: PostgreSQL
 *
 * Names of statement kinds and pin reasons, from their tables.  Pure.
 */
#include "sql/analysis.h"

#include <string.h>

const char *
stmt_kind_name(enum stmt_kind k)
{
	static const char *const names[] = {
#define STMT_KIND(sym, name) name,
#include "tbl/stmt_kinds.h"
	};

	CHECK((size_t)k < ARRAY_SIZE(names));
	return names[k];
}

const char *
pin_reason_name(enum pin_reason r)
{
	static const char *const names[] = {
		"none",
#define PIN_REASON(sym, name, doc, question) name,
#include "tbl/pin_reasons.h"
	};

	CHECK((size_t)r < ARRAY_SIZE(names));
	return names[r];
}

const char *
pin_reasons_text(uint32_t pins, char out[PIN_TEXT_MAX])
{
	char *p = out;
	unsigned r;

	*out = '\0';
	for (r = PIN_NONE + 1; r < PIN_REASON_COUNT; r++) {
		if (!(pins & PIN_BIT(r)))
			continue;
		if (p != out)
			*p++ = ',';
		CHECK(strlen(pin_reason_name(r)) + 2 <
		    (size_t)(out + PIN_TEXT_MAX - p));
		p = stpcpy(p, pin_reason_name(r));
	}
	return out;
}
