/* SPDX-License-Identifier: PostgreSQL
 *
 * Setups for the feed thread.
 *
 * The control thread hands over references; login runs on the feed thread and
 * reads nothing else.
 */
#include "admin/feeds.h"

#include <stdlib.h>

#include "admin/setup.h"
#include "backend/connect_args.h"
#include "feed/feed.h"

/* Names in our questions mean those of the system, and values come as the feed
 * reads them. Beats wait for the log to be
 * written, but for no other server. */
static const char feeds_startup[] =
    "application_name\0pgsluice feed\0search_path\0\0"
    "client_encoding\0UTF8\0DateStyle\0ISO\0TimeZone\0UTC\0"
    "statement_timeout\0000\0"
    "default_transaction_read_only\0off\0"
    "default_transaction_isolation\0read committed\0"
    "synchronous_commit\0local\0wal_sender_timeout\00060s\0";

static void
feeds_login(void *arg, const char *conninfo, const char *user,
    char ***keywords, char ***values)
{
	const struct session_setup *s = arg;
	struct credentials with = { .password = NULL };
	const struct userdb_entry *e = userdb_find(s->users, user);

	if (e != NULL)
		with.password = e->secret.password;
	connect_args(conninfo, user, &with, feeds_startup,
	    sizeof(feeds_startup) - 1, keywords, values);
}

static void
feeds_done(void *arg)
{
	setup_release(arg);
	free(arg);
}

void
feeds_use(const struct session_setup *s)
{
	struct session_setup *copy = x_calloc(1, sizeof(*copy));
	struct feed_setup fs = { .conf = s->conf, .login = feeds_login,
		.done = feeds_done, .arg = copy };

	setup_copy(copy, s);
	conf_ref(fs.conf);
	feed_use(&fs);
}
