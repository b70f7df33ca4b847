/* SPDX-License-Identifier: PostgreSQL
 *
 * Which databases a backend serves.  Any thread.
 */
#include "admin/names.h"

#include <string.h>

const char *
names_of_databases(const struct conf *c, const char *backend, struct buf *b)
{
	const struct conf_database *d;
	size_t i, n;

	for (i = 0; i < c->n_databases; i++) {
		d = &c->databases[i];
		if (strcmp(d->backend->name, backend) != 0)
			continue;
		n = strlen(d->name);
		/* What does not fit is left out. */
		if ((buf_len(b) > 0 && !buf_append(b, ",", 1)) ||
		    !buf_append(b, d->name, n))
			break;
	}
	return buf_append(b, "", 1) ? buf_head(b) : "";
}

const struct conf_database *
names_first(const struct conf *c, const char *backend)
{
	size_t i;

	for (i = 0; i < c->n_databases; i++)
		if (strcmp(c->databases[i].backend->name, backend) == 0)
			return &c->databases[i];
	return NULL;
}
