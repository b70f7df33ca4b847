/* SPDX-License-Identifier: PostgreSQL
 *
 * Answers of the console; see console.h.
 */
#include "ctl/console.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Has an answer all of these columns? */
static bool
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

/* A command that the console would not refuse so: this is something else. */
static bool
console_is_none(const struct dial *l)
{
	return dial_is_open(l) && (strncmp(l->sqlstate, "42", 2) == 0 ||
	    strcmp(l->sqlstate, "3F000") == 0) &&
	    strcmp(l->sqlstate, "42501") != 0;
}

PGresult *
console_ask(struct dial *l, const char *command, const char *columns)
{
	PGresult *r = dial_ask(l, command);

	if (r != NULL && console_has(r, columns))
		return r;
	if (r != NULL || console_is_none(l))
		snprintf(l->why, sizeof(l->why), "%s is not understood: the "
		    "database %s is not the console of a pgsluice of this "
		    "version; expected the database %s", command,
		    PQdb(l->conn), CONSOLE_DATABASE);
	PQclear(r);
	return NULL;
}
