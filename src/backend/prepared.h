/* SPDX-License-Identifier: PostgreSQL
 *
 * Which prepared statements one server holds, by content.
 *
 * Names on the server are made from the 128-bit keyed hash of the statement's
 * text and parameter types, so that sessions share them and no registry is
 * needed.  Least recently used first out.  Not thread safe; moves with its
 * server.
 */
#ifndef PGSLUICE_BACKEND_PREPARED_H
#define PGSLUICE_BACKEND_PREPARED_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/htab.h"

#define PREPARED_PREFIX "pgsluice_"
#define PREPARED_NAME_LEN 41 /* the prefix and 32 digits */

struct prepared_entry;

struct prepared {
	struct htab tab;
	TAILQ_HEAD(prepared_list, prepared_entry) lru; /* oldest last */
};

void prepared_init(struct prepared *p);
void prepared_clear(struct prepared *p); /* also frees */
/* Present? Marks it as used. */
bool prepared_has(struct prepared *p, struct hash128 h);
void prepared_add(struct prepared *p, struct hash128 h);
void prepared_remove(struct prepared *p, struct hash128 h);

enum prepared_state {
	PREPARED_ABSENT, /* was never sent */
	PREPARED_UNSURE, /* was sent, and may have been skipped */
	PREPARED_HELD    /* there, or nothing behind it is looked at either */
};
/* group: which messages are sent between the same two Syncs; what an error
 * skips never reaches into the next. Marks it as used. */
enum prepared_state prepared_state(struct prepared *p, struct hash128 h,
    unsigned group);
/* A Parse of it goes out in this group. */
void prepared_sent(struct prepared *p, struct hash128 h, unsigned group);
/* What became of a Parse: there; or skipped or refused. */
void prepared_answered(struct prepared *p, struct hash128 h, bool there);
/* Any of them may be gone, or there after all: all are UNSURE. */
void prepared_doubt(struct prepared *p);
/* If more than limit: take the oldest out. */
bool prepared_evict(struct prepared *p, size_t limit, struct hash128 *out)
    PG_MUST_CHECK;
/* Name on the server; out holds PREPARED_NAME_LEN + 1 bytes. */
void prepared_name(struct hash128 h, char *out);

#endif
