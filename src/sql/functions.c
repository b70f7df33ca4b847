/* SPDX-License-Identifier: PostgreSQL
 *
 * Binary search in the tables of builtin functions, their effects, and
 * operators.  A user may define a function of a builtin's name with other
 * argument types; that is not seen.  Pure, any thread.
 */
#include "sql/functions.h"

#include <stdlib.h>

enum { IMMUTABLE = 0, STABLE = AN_STABLE, VOLATILE = AN_VOLATILE };

struct function_row {
	const char *name;
	uint32_t flags;
	bool aggregate;
};
static const struct function_row function_rows[] = {
#define FUNCTION(name, volatility) { name, volatility, false },
#define AGGREGATE(name, volatility) { name, volatility, true },
#include "tbl/functions.h"
};

struct function_effect {
	const char *name;
	uint32_t flags;
	enum pin_reason pin;
};
static const struct function_effect function_effects[] = {
#define FUNCTION_EFFECT(name, flags, pin) { name, flags, PIN_##pin },
#include "tbl/function_effects.h"
};

static const char *const operator_names[] = {
#define OPERATOR(name) name,
#include "tbl/operators.h"
};

/* Every row of the three tables begins with its name. */
static int
function_compare(const void *name, const void *row)
{
	return strcmp(name, *(const char *const *)row);
}

bool
function_lookup(const char *name, struct function_info *info)
{
	const struct function_row *row;
	const struct function_effect *effect;

	row = bsearch(name, function_rows, ARRAY_SIZE(function_rows),
	    sizeof(*row), function_compare);
	if (row == NULL)
		return false;
	*info = (struct function_info){ row->flags, PIN_NONE, row->aggregate };
	effect = bsearch(name, function_effects, ARRAY_SIZE(function_effects),
	    sizeof(*effect), function_compare);
	if (effect != NULL) {
		info->flags = effect->flags;
		info->pin = effect->pin;
	}
	return true;
}

bool
operator_is_known(const char *name)
{
	return bsearch(name, operator_names, ARRAY_SIZE(operator_names),
	    sizeof(*operator_names), function_compare) != NULL;
}
