/* SPDX-License-Identifier: PostgreSQL
 *
 * The ledger of one server: the ordered list of replies still owed.
 *
 * Everything sent to a server is entered here, whether the client asked for it
 * or we did; replies that we make up ourselves (ParseComplete for a statement
 * the server already has) take their place in the same queue.  A message from
 * the server that is not owed is a surprise, and a surprise closes the server.
 * Pure.  Source: PostgreSQL documentation, "Message Flow".
 */
#ifndef PGSLUICE_BACKEND_LEDGER_H
#define PGSLUICE_BACKEND_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/hash.h"

enum owed {
#define OWED(sym, name) OWED_##sym,
#include "tbl/owed.h"
	OWED_COUNT
};

enum {
	LEDGER_HIDE = 1 << 0,   /* the client must not see this reply */
	LEDGER_REPLACE = 1 << 1, /* an error here is replaced by the lessee's own */
	LEDGER_UNNAMED = 1 << 2, /* PARSE: of the unnamed statement */
	LEDGER_MUTE = 1 << 3,    /* HIDE, and errors and notices too */
	LEDGER_STEP = 1 << 4,    /* QUERY or PARSE: HIDE, but an error is the client's, with the
	                            ReadyForQuery behind it */
	LEDGER_VITAL = 1 << 6,   /* HIDE, and what is sent behind it counts on its
	                            success, as for any hidden QUERY */
	LEDGER_BEGIN = 1 << 7,   /* with it a transaction begins, in which what is
	                            sent behind it is to run */
	LEDGER_NAME = 1 << 5     /* PARSE, CLOSE or QUERY: a name of the client's means
	                            something else if it is done */
};

struct ledger_entry {
	uint8_t kind, flags, phase;
	uint32_t synth;      /* bytes in ledger.synth. SYNTH: the reply; with
	                        LEDGER_REPLACE: the lessee's own error; else:
	                        what the client calls the statement */
	struct hash128 hash; /* of the statement that a PARSE makes, or a QUERY or EXECUTE
	                        by SQL's PREPARE; else 0 */
};

struct ledger {
	struct ledger_entry *ring;
	unsigned head, count, size; /* size is a power of two, or 0 */
	bool skipping; /* after an error: everything up to the next Sync is ignored by the server */
	enum owed failed; /* kind of the entry the last error answered */
	uint8_t failed_flags; /* and its flags */
	struct slice failed_text; /* and its name or own error, until the next
	                             push */
	bool copy_in;  /* the server waits for CopyData */
	bool copy_data; /* ... and has been sent some */
	bool copy_sync; /* ... and a Sync behind it */
	bool copy_over; /* the end of the data was sent; what comes of the COPY
	                   is still owed */
	bool unsure;   /* ... which then failed: was the Sync read as data, or
	                  behind the failure? */
	struct buf synth;
	/* Called for every PARSE entry, and any with LEDGER_NAME, that will not
	 * be answered by success; refused: by the server, not skipped. */
	void (*lost)(void *arg, const struct ledger_entry *e, bool refused);
	void *arg;
};

#define LEDGER_MAX 65536u

void ledger_init(struct ledger *l, void (*lost)(void *,
    const struct ledger_entry *, bool), void *arg);
void ledger_fini(struct ledger *l);

static inline bool
ledger_empty(const struct ledger *l)
{
	return l->count == 0 && !l->skipping;
}

/* The reply that comes next is none of the client's business. */
static inline bool
ledger_hidden(const struct ledger *l)
{
	return l->count > 0 &&
	    (l->ring[l->head & (l->size - 1)].flags & LEDGER_HIDE) != 0;
}

/* ... and belongs to a Query. */
static inline bool
ledger_hides_query(const struct ledger *l)
{
	return ledger_hidden(l) &&
	    l->ring[l->head & (l->size - 1)].kind == OWED_QUERY;
}

/* COPY data that come now belong to nothing and need not wait for an invitation:
 * the COPY has been told of its end, and its reply may come only for a Sync
 * that is behind them. */
static inline bool
ledger_copy_is_late(const struct ledger *l)
{
	return l->copy_over && l->count == 1 &&
	    l->ring[l->head & (l->size - 1)].kind == OWED_EXECUTE;
}

/* false: full. While skipping, all but SYNC is not entered (and is true):
 * the server ignores those messages. */
bool ledger_push(struct ledger *l, enum owed kind, unsigned flags,
    struct hash128 hash) PG_MUST_CHECK;
/* The same, and an error about it finds the text in failed_text: the name that the
 * client gave the statement or, with LEDGER_REPLACE, what it is told.  Not of
 * SYNC. */
bool ledger_push_text(struct ledger *l, enum owed kind, unsigned flags,
    struct hash128 hash, struct slice text) PG_MUST_CHECK;
/* A reply of our own making, n bytes copied. */
bool ledger_push_synth(struct ledger *l, const void *p, size_t n)
    PG_MUST_CHECK;

enum ledger_verdict {
	LEDGER_PASS,     /* owed to the client: forward */
	LEDGER_DROP,     /* owed to us: swallow */
	LEDGER_OWN_ERROR, /* swallow and send the lessee's own error */
	LEDGER_ASYNC,    /* notice, parameter or notification: any time */
	LEDGER_SURPRISE
};

/* A data row ('D') or a description of rows ('T') that comes now would pass
 * and change nothing: what ledger_message() would say of it, for less. */
static inline bool
ledger_rows_pass(const struct ledger *l, unsigned char type)
{
	const struct ledger_entry *e;

	if (l->count == 0)
		return false;
	e = &l->ring[l->head & (l->size - 1)];
	return (e->flags & LEDGER_HIDE) == 0 && (e->kind == OWED_QUERY ||
	    (e->kind == OWED_EXECUTE && type == 'D'));
}

/* A reply of our own is next: ledger_take_synth() has one. */
static inline bool
ledger_synth_is_next(const struct ledger *l)
{
	return l->count > 0 &&
	    l->ring[l->head & (l->size - 1)].kind == OWED_SYNTH;
}

/* A message of this type came. *done (may be NULL) is set to the entry it
 * completed; kind OWED_COUNT: none. */
enum ledger_verdict ledger_message(struct ledger *l, unsigned char type,
    struct ledger_entry *done) PG_MUST_CHECK;
/* An error came that the client shall not see: what is owed up to and with the
 * next ReadyForQuery is ours. */
void ledger_swallow(struct ledger *l);
/* An entry of LEDGER_BEGIN is owed. */
bool ledger_begins(const struct ledger *l) PG_MUST_CHECK;
/* If a reply of our own is next: returns true with its bytes (valid until the
 * next push) and removes it. */
bool ledger_take_synth(struct ledger *l, struct slice *bytes) PG_MUST_CHECK;

#endif
