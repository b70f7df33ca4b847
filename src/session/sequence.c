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
	if (s->tx == 'E') {
		/* It fails, unless it ends the transaction first. */
		if (!asks || (flags & (AN_TX_END | AN_SAVEPOINT)) == 0)
			return true;
		session_close(s, CLOSE_PROTOCOL, "currval or lastval behind "
		    "the end of a failed transaction, in one message");
		return false;
	}
	msgwrite_query(w, SLICE_LIT("DISCARD SEQUENCES"));
	srv->has_unnamed = false;
	srv->sequences_of = s->id;
	return server_owe(srv, OWED_QUERY, LEDGER_HIDE, no_hash);
}
