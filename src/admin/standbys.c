/* SPDX-License-Identifier: PostgreSQL
 *
 * Logins for the threads that ask replicas; setup_login() says who that is.
 *
 * standbys_use() runs on the control thread, the rest on any.
 */
#include "admin/standbys.h"

#include <stdlib.h>

#include "admin/setup.h"
#include "layout/standby.h"

static const char standbys_startup[] =
    "application_name\0pgsluice replicas\0DateStyle\0ISO\0TimeZone\0UTC\0"
    "search_path\0";

struct standbys_login {
	struct standby_login base;
	struct session_setup setup;
};

static bool
standbys_login(struct standby_login *l, const char *conninfo, char ***keywords,
    char ***values)
{
	const struct standbys_login *w = (struct standbys_login *)(void *)l;

	return setup_login(&w->setup, conninfo, standbys_startup,
	    sizeof(standbys_startup), keywords, values);
}

static void
standbys_free(struct standby_login *l)
{
	struct standbys_login *w = (struct standbys_login *)(void *)l;

	setup_release(&w->setup);
	free(w);
}

void
standbys_use(const struct session_setup *setup)
{
	struct standbys_login *w = x_calloc(1, sizeof(*w));

	w->base.args = standbys_login;
	w->base.free = standbys_free;
	atomic_init(&w->base.refs, 1);
	setup_copy(&w->setup, setup);
	standby_configure(setup->conf, &w->base);
}
