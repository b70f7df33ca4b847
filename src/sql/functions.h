/* SPDX-License-Identifier: PostgreSQL
 *
 * What PostgreSQL's own functions and operators do, by name.  Pure.
 */
#ifndef PGSLUICE_SQL_FUNCTIONS_H
#define PGSLUICE_SQL_FUNCTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "sql/analysis.h"

struct function_info {
	uint32_t flags;       /* AN_STABLE, AN_VOLATILE, ... */
	enum pin_reason pin;
	bool aggregate;       /* or window function */
};

/* false: pg_catalog has no function of that name. */
bool function_lookup(const char *name, struct function_info *info)
    PG_MUST_CHECK;
bool operator_is_known(const char *name) PG_MUST_CHECK;

#endif
