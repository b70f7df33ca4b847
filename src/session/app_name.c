/* SPDX-License-Identifier: PostgreSQL
 *
 * application_name on servers: what a session's statements find there.
 *
 * It is told to a server before a statement, unseen by the client.  RESET and
 * DISCARD ALL lead back to the name with which the server's own connection
 * came; what is behind them in the same transaction or group finds the one
 * with which the client came.  What the server reports becomes the session's
 * in relay.c.  Runs on the session's worker.
 */
#include <stdlib.h>
#include <string.h>

#include "pgwire/msgwrite.h"
#include "session/session_priv.h"

static const struct hash128 no_hash;

static bool
app_name_text(struct buf *t, const char *name)
{
	const char *p;
	bool ok = buf_append(t, "SET application_name = E'", 25);

	/* Doubled, since some client encodings forbid \'. */
	for (p = name; *p != '\0' && ok; p++)
		ok = buf_append(t, p, 1) && ((*p != '\'' && *p != '\\') ||
		    buf_append(t, p, 1));
	return ok && buf_append(t, "'", 1);
}

/* Inside of a transaction, with nothing under way: RESET in it may have given the
 * server a name that is not the session's. */
static bool
app_name_is_reset(const struct session *s)
{
	return s->set.app_reset && s->server->tx == 'T' && !s->open_unit &&
	    ledger_empty(&s->server->owed);
}

bool
session_app_name_tell(struct session *s, struct msgwrite *w, bool fresh)
{
	struct server *srv = s->server;
	const char *app = s->app_name != NULL ? s->app_name : "";
	struct buf t;
	bool ok;

	if ((!fresh && !app_name_is_reset(s)) || (srv->app_name != NULL &&
	    strcmp(srv->app_name, app) == 0))
		return true;
	buf_init(&t, 4096);
	ok = app_name_text(&t, app);
	if (ok)
		msgwrite_query(w, slice_make(buf_head(&t), buf_len(&t)));
	buf_reset(&t);
	free(srv->app_name);
	srv->app_name = x_strdup(app);
	srv->has_unnamed = false;
	return ok && server_owe(srv, OWED_QUERY, LEDGER_HIDE, no_hash);
}

/* ---- behind a RESET in its group ----------------------------------------------------- */

static bool
analysis_resets_app_name(const struct analysis *an)
{
	size_t i;

	for (i = 0; i < an->n_settings; i++)
		if (an->settings[i].reset && an->settings[i].name != NULL &&
		    strcmp(an->settings[i].name, "application_name") == 0)
			return true;
	return (an->flags & (AN_RESET_ALL | AN_DISCARD_ALL)) != 0;
}

void
session_app_name_bound(struct session *s, const struct query *q,
    struct slice portal)
{
	bool resets = analysis_resets_app_name(q->shape->an);
	struct hash128 hash;

	if (likely(!resets && hash_eq(s->set.app_portal, no_hash)))
		return;
	hash = hash_bytes(portal.p, portal.n);
	if (resets) {
		s->set.app_portal = hash;
		s->set.app_discard =
		    (q->shape->an->flags & AN_DISCARD_ALL) != 0;
	} else if (hash_eq(s->set.app_portal, hash)) {
		s->set.app_portal = no_hash;
	}
}

bool
session_app_name_executed(struct session *s, struct msgwrite *w,
    struct slice portal)
{
	const char *born = s->app_born != NULL ? s->app_born :
	    s->app_name != NULL ? s->app_name : "";
	struct buf t;
	bool ok;

	if (likely(hash_eq(s->set.app_portal, no_hash)) ||
	    !hash_eq(s->set.app_portal, hash_bytes(portal.p, portal.n)))
		return true;
	s->set.app_portal = no_hash;
	buf_init(&t, 4096);
	ok = app_name_text(&t, born) && session_write_unseen(s, w,
	    slice_make(buf_head(&t), buf_len(&t)), LEDGER_VITAL, no_hash);
	buf_reset(&t);
	/* What DISCARD ALL did has been committed: what comes behind it begins
	 * a transaction. The server warns that there is none. */
	return ok && (!s->set.app_discard || session_write_unseen(s, w,
	    SLICE_LIT("COMMIT"), LEDGER_MUTE, no_hash));
}
