/* SPDX-License-Identifier: PostgreSQL
 *
 * Logins for the threads that ask replicas, and for those of checks; setup_login() says who that is.
 *
 * standbys_use() runs on the control thread, the rest on any.
 */
#include "admin/standbys.h"

#include <stdlib.h>

#include "admin/setup.h"
#include "layout/checks.h"
#include "layout/standby.h"

static const char standbys_startup[] =
    "application_name\0pgsluice replicas\0DateStyle\0ISO\0TimeZone\0UTC\0"
    "search_path\0";

/* The question is somebody's own: names are found as by its user, and nothing
 * can be changed. */
static const char standbys_checks[] =
    "application_name\0pgsluice check\0default_transaction_read_only\0on";

struct standbys_login {
	struct standby_login base;
	const char *startup;
	size_t startup_len;
	struct session_setup setup;
};

static bool
standbys_login(struct standby_login *l, const char *conninfo, char ***keywords,
    char ***values)
{
	const struct standbys_login *w = (struct standbys_login *)(void *)l;

	return setup_login(&w->setup, conninfo, w->startup, w->startup_len,
	    keywords, values);
}

static void
standbys_free(struct standby_login *l)
{
	struct standbys_login *w = (struct standbys_login *)(void *)l;

	setup_release(&w->setup);
	free(w);
}

static struct standby_login *
standbys_login_new(const struct session_setup *setup, const char *startup,
    size_t startup_len)
{
	struct standbys_login *w = x_calloc(1, sizeof(*w));

	w->base.args = standbys_login;
	w->base.free = standbys_free;
	w->startup = startup;
	w->startup_len = startup_len;
	atomic_init(&w->base.refs, 1);
	setup_copy(&w->setup, setup);
	return &w->base;
}

void
standbys_use(const struct session_setup *setup)
{
	standby_configure(setup->conf, standbys_login_new(setup,
	    standbys_startup, sizeof(standbys_startup)));
	checks_configure(setup->conf, standbys_login_new(setup,
	    standbys_checks, sizeof(standbys_checks)));
}
