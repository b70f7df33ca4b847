/* SPDX-License-Identifier: PostgreSQL
 *
 * The connections of one job.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layout/call.h"

void
calls_close(struct calls *all)
{
	unsigned i;

	for (i = 0; i < CALLS_MAX; i++)
		ask_close(&all->v[i].a);
}

static void
call_open(struct calls *all, struct call *c, const char *conninfo)
{
	char **keywords = NULL, **values = NULL;

	c->a.stopping = all->stopping;
	c->a.timeout = all->job->conf->server_connect_timeout;
	c->nobody = !all->job->login(all->job, conninfo, &keywords, &values);
	c->good = ask_login(&c->a, !c->nobody, keywords, values);
}

struct call *
calls_to(struct calls *all, const char *conninfo)
{
	struct hash128 where = hash_bytes(conninfo, strlen(conninfo));
	struct call *c;
	unsigned i;

	for (i = 0; i < CALLS_MAX && i < all->n; i++)
		if (hash_eq(all->v[i].where, where))
			return &all->v[i];
	c = &all->v[all->n++ % CALLS_MAX];
	ask_close(&c->a);
	*c = (struct call){ .where = where };
	call_open(all, c, conninfo);
	return c;
}

bool
call_facts(struct call *c, const char *relation, struct facts *out)
{
	c->good = c->good && ask_facts(&c->a, relation, out);
	return c->good;
}
