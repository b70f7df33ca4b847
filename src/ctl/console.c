/* SPDX-License-Identifier: PostgreSQL
 *
 * Answers of the console; see console.h.
 */
#include "ctl/console.h"

#include <stdlib.h>
#include <string.h>

bool
console_has(const PGresult *r, const char *names)
{
	char *copy = x_strdup(names), *save = NULL, *name;
	bool all = true;

	for (name = strtok_r(copy, " ", &save); name != NULL;
	    name = strtok_r(NULL, " ", &save))
		all = all && PQfnumber(r, name) >= 0;
	free(copy);
	return all;
}
