/* SPDX-License-Identifier: PostgreSQL
 *
 * Scopes: everything about a server, other than the statement, that decides
 * what a result looks like, as one interned text with a number.
 *
 * The text holds backend, database, user, startup parameters and the server's
 * output-affecting settings, as changed by what a session has set; equal text, equal
 * number.  Scopes are immutable
 * and live as long as the process; their number is capped, and past the cap
 * servers have no scope (NULL), which means their results are never cached.
 */
#ifndef PGSLUICE_BACKEND_SCOPE_H
#define PGSLUICE_BACKEND_SCOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/vars.h"
#include "base/hash.h"
#include "conf/wishes.h"

#define SCOPES_MAX 65536u
/* Of these, so many may be made by sessions that set something. */
#define SCOPES_WITH_MAX 32768u

struct scope {
	uint32_t id;         /* from 1 */
	char *text;
	size_t identity_len; /* of text, without the line end */
	struct hash128 settings; /* of those of results alone: equal settings,
	                            equal output for the same rows */
	/* The one whose results are this one's, too: without what only says
	 * what use is to be made of the cache; or itself. */
	const struct scope *results;
	struct wishes wishes;
	bool read_committed; /* default_transaction_isolation */
	bool conforming;     /* standard_conforming_strings is on */
	bool ascii_tails;    /* client_encoding has characters whose later bytes
	                        look like ASCII: its text cannot be lexed */
	bool recoded;        /* client_encoding is not server_encoding: the server
	                        converts */
};

/* identity: who and where; settings: "name=value\n..." as the connector read
 * them. Any thread. */
const struct scope *scope_intern(const char *identity, const char *settings);
/* The scope of a session that has set v on servers of this one. NULL: there are too
 * many. Any thread. */
const struct scope *scope_with(const struct scope *base,
    const struct vars *v);
/* The one of this number; NULL: there is none. Any thread. */
const struct scope *scope_find_id(uint32_t id);
/* The settings hold this line. */
bool scope_has(const struct scope *sc, const char *name, const char *value);
/* The server's current user is the one that logged in. */
bool scope_keeps_user(const struct scope *sc);

#endif
