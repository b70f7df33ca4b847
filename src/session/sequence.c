/* SPDX-License-Identifier: PostgreSQL
 *
 * currval() and lastval(): a session's own values of sequences, or none.
 *
 * A server remembers the values that were made on it, whoever's they are.  What
 * asks for them is sent behind DISCARD SEQUENCES, unless all that the server
 * remembers is this session's, and nothing that the session made lies
 * elsewhere (server.sequences_of).  PostgreSQL then answers as it does where
 * no value was made, by 55000.  So that values made earlier in a transaction
 * are still there when they are asked for, a pool in which something has asked
 * lets transactions and writes begin on servers that have forgotten, and what
 * pins does so in every pool.
 *
 * Does not know what functions of the application ask inside of transactions,
 * nor which statements make values.  Runs on the session's worker.
 */
#include "pgwire/msgwrite.h"
#include "session/session_priv.h"

/* Of server.sequences_of: nobody's, or not one session's alone. No session has
 * these ids. */
#define NOBODY 0
#define MIXED UINT64_MAX

/* What may make a value that is asked for later. */
#define MAY_MAKE (AN_WRITES | AN_WRITES_ALL | AN_TX_BEGIN)

static const struct hash128 no_hash;

void
session_sequences_leased(struct session *s)
{
	struct server *srv = s->server;

	if (srv->sequences_of != s->id || s->sequences_on != srv)
		srv->sequences_of = srv->sequences_of == NOBODY ? s->id :
		    MIXED;
	s->sequences_on = srv;
}

bool
session_asks_others(const struct session *s, uint32_t pins)
{
	return (pins & PIN_BIT(PIN_SEQUENCE)) != 0 &&
	    s->server->sequences_of != s->id;
}

bool
session_asks_past_failure(const struct session *s, uint32_t pins,
    uint32_t flags)
{
	return s->tx == 'E' && s->server != NULL &&
	    (flags & (AN_TX_END | AN_SAVEPOINT)) != 0 &&
	    session_asks_others(s, pins);
}

void
session_sequences_refuse(struct session *s, const struct unit *u)
{
	pool_note_sequences(s->server->pool);
	if (s->tx == 'E')
		session_unit_error(s, u, "0A000", "currval and lastval cannot "
		    "follow this end of a failed transaction in one message",
		    NULL, "Send it alone.");
	else
		session_unit_error(s, u, "0A000", "currval and lastval need a "
		    "Sync before them", NULL, "Send Sync before them.");
}

static bool
sequences_forget(struct session *s, struct msgwrite *w)
{
	struct server *srv = s->server;

	msgwrite_query(w, SLICE_LIT("DISCARD SEQUENCES"));
	srv->has_unnamed = false;
	srv->sequences_of = s->id;
	return server_owe(srv, OWED_QUERY, LEDGER_HIDE, no_hash);
}

bool
session_sequences(struct session *s, struct msgwrite *w, uint32_t pins,
    uint32_t flags, bool fresh)
{
	struct server *srv = s->server;
	bool asks = (pins & PIN_BIT(PIN_SEQUENCE)) != 0;

	if (asks)
		pool_note_sequences(srv->pool);
	if (srv->sequences_of == s->id)
		return true;
	/* What the session has made since it got this server must stay,
	 * unless it cannot be told from what others have made. */
	if (!asks && (!fresh || s->open_unit || session_is_pinned(s) ||
	    (pins == 0 && ((flags & MAY_MAKE) == 0 ||
	    !pool_asks_sequences(srv->pool)))))
		return true;
	if (s->tx != 'E')
		return sequences_forget(s, w);
	/* It fails, unless it ends the transaction first. */
	return !session_asks_past_failure(s, pins, flags) ||
	    (session_write_rollback(s, w) && sequences_forget(s, w) &&
	    session_write_failed(s, w));
}
