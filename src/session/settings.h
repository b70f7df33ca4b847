/* SPDX-License-Identifier: PostgreSQL
 *
 * Settings that a session has set, and how they follow it from server to
 * server.
 *
 *   SET, RESET, set_config() sent --> touched --(transaction over)--> asked
 *                                                    |
 *              row of current_setting() <------------/
 *                  |
 *                  v
 *                vars --(next server stands at others)--> replayed
 *
 * Nothing is guessed from a statement but the names it may change.  When the
 * transaction is over, the server is asked what they are now, unseen by the
 * client; so what failed, was rolled back (to a savepoint, too) or was local
 * to the transaction comes out right without being followed.  Before the
 * first statement on a server whose set is another, one query of ours brings
 * it there.  A name whose value cannot be told or given to another server
 * pins the session.
 */
#ifndef PGSLUICE_SESSION_SETTINGS_H
#define PGSLUICE_SESSION_SETTINGS_H

#include "backend/scope.h"
#include "backend/vars.h"
#include "base/hash.h"
#include "conf/wishes.h"
#include "pgwire/msgwrite.h"

struct query;
struct server;
struct session;

/* Names of settings, one after the other, each with its NUL. */
struct setting_names {
	char *p;
	size_t n;
	unsigned count;
	bool resets; /* some may be at their default now */
	bool shapes; /* some are not harmless */
};

struct settings {
	struct vars *vars;             /* what it has set, as far as known */
	struct setting_names touched;  /* may be others since */
	struct setting_names asked;    /* the server is being asked for */
	bool local;                    /* SET LOCAL in this transaction */
	bool app_reset;                /* ... application_name may be reset in it */
	struct hash128 app_portal;     /* ... by this portal, of hash; or 0 */
	bool app_discard;              /* ... with DISCARD ALL */
	uint64_t salt;                 /* see settings_mark() */
	bool has_wishes;               /* not only those of its servers */
	bool wishing;                  /* ... of this transaction */
	struct wishes wishes;          /* then; see wish.c */
	/* The last scope made, and of what. */
	const struct scope *base, *scope;
	struct vars *scoped;
};

void settings_free(struct session *s);
/* A statement is sent: note what it may change. */
void settings_note(struct session *s, const struct query *q);
/* From here on a text may mean something else: see settings_mark(). */
void settings_differ(struct session *s);
/* Nothing is owed and no transaction is open. true: the server is being asked;
 * it stays with the session until it has answered. */
bool settings_ask(struct session *s);
/* The row it answered with. */
void settings_answer(struct session *s, const char *row, size_t n);
/* Something failed: what was to be changed may be at its default. */
static inline void
settings_failed(struct settings *set)
{
	set->touched.resets |= set->touched.count > 0;
}
/* A transaction is over. */
void settings_transaction_ended(struct session *s);
/* DISCARD ALL took effect. */
void settings_discarded(struct session *s);
/* Settings that results or the meaning of statements depend on are not what
 * vars says. */
bool settings_are_unsure(const struct session *s);
/* ... or any. */
bool settings_are_open(const struct session *s);
/* Bring a leased server, which is idle, to these settings: write what it must be
 * sent and enter it in its ledger. */
bool settings_bring(struct server *srv, struct vars *to, struct msgwrite *w)
    PG_MUST_CHECK;
/* ... to the session's. */
bool settings_replay(struct session *s, struct msgwrite *w) PG_MUST_CHECK;
/* The scope of what the session's home pool answers to it; NULL: none. */
const struct scope *settings_scope(struct session *s);
/* Mix into the hash that names a statement on servers what may decide what
 * its text means: literals are read when a statement is prepared. While the
 * settings are not known that is a number, and another one with whatever may
 * have changed them. */
struct hash128 settings_mark(const struct session *s, struct hash128 h);

#endif
