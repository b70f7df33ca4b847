/* SPDX-License-Identifier: PostgreSQL
 *
 * What a hub's server says.
 *
 * Its replies are of interest only as success or failure of the batch under
 * way; notifications go to the outlets of the workers that want them.  A
 * notification that is malformed, too long or for nobody is dropped.  Runs on the
 * hub's worker.
 */
#include <stdio.h>
#include <string.h>

#include "backend/hub_priv.h"
#include "backend/lessee.h"
#include "pgwire/msgread.h"

#define NOTE_MAX (64 * 1024)

static void
server_forward(void *lessee PG_UNUSED, const char *p PG_UNUSED,
    size_t n PG_UNUSED)
{
}

static bool
server_failed(void *lessee, const char *body, size_t n, bool own PG_UNUSED)
{
	struct hub *h = lessee;
	struct wire_error e;

	(void)!msgread_error(body, n, &e);
	snprintf(h->sqlstate, sizeof(h->sqlstate), "%.*s",
	    e.sqlstate.n == 5 ? 5 : 0, e.sqlstate.p);
	if (h->sqlstate[0] == '\0')
		snprintf(h->sqlstate, sizeof(h->sqlstate), "XX000");
	snprintf(h->why, sizeof(h->why), "%.*s", (int)(e.message.n < 199 ?
	    e.message.n : 199), e.message.n > 0 ? e.message.p : "");
	return true;
}

static bool
server_parameter(void *lessee PG_UNUSED, const char *name PG_UNUSED,
    const char *value PG_UNUSED)
{
	return true;
}

static bool
server_notification(void *lessee, const char *body, size_t n)
{
	struct hub *h = lessee;
	struct msgread r;
	struct slice name;
	struct channel *c;
	unsigned i;

	msgread_init(&r, body, n);
	(void)msgread_u32(&r);
	name = msgread_str(&r);
	(void)msgread_str(&r);
	if (!msgread_done(&r) || n > NOTE_MAX)
		return false;
	h->notifications++;
	stat_add(&h->w->metrics->c.notifications, 1);
	c = hub_channel(h, name);
	for (i = 0; c != NULL && i < hub_table.n_workers; i++)
		if (c->refs[i] > 0)
			outlet_note(&h->out, i, body, n);
	if (outlets_full(&h->out))
		stream_read_stop(&h->server->st);
	hub_later(h);
	return false;
}

static void
server_ready(void *lessee, char status PG_UNUSED)
{
	struct hub *h = lessee;

	h->busy = false;
	hub_answer(h, &h->sent, h->sqlstate[0] != '\0' ? h->sqlstate :
	    NULL, h->why);
	h->sqlstate[0] = '\0';
}

static void
server_lost(void *lessee, const char *why)
{
	hub_lose(lessee, why);
}

const struct server_ops hub_server_ops = {
	.forward = server_forward,
	.completed = lessee_skip_completed,
	.failed = server_failed,
	.mend = lessee_skip_mend,
	.named = lessee_skip_named,
	.copy_in = lessee_skip,
	.parameter = server_parameter,
	.parameter_own = lessee_skip,
	.notification = server_notification,
	.synced = lessee_skip_synced,
	.ready = server_ready,
	.quiet = lessee_skip,
	.cancelled = lessee_skip,
	.lost = server_lost,
	.drained = lessee_skip,
};
