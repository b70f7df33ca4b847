/* SPDX-License-Identifier: PostgreSQL
 *
 * Names of prepared transactions that are parts of one write over several
 * shards.
 *
 * One part of the write, number 0, is the decider: what becomes of its
 * transaction is what is to become of all.  So the names of the others say which
 * transaction of which server that is, and whoever finds one can ask there.  Pure;
 * the same in every process.
 */
#ifndef PGSLUICE_LAYOUT_GID_H
#define PGSLUICE_LAYOUT_GID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

#define GID_PREFIX "pgsluice_"
#define GID_MAX 120 /* with its end; PostgreSQL takes 200 */

struct gid {
	uint64_t id;       /* of the write, at random */
	unsigned part;     /* of the write; 0: the decider itself */
	uint64_t decider;  /* gid_backend() of its backend */
	uint64_t system;   /* ... whose cluster has this system identifier, */
	uint32_t timeline; /* and was on this timeline */
	uint64_t xid;      /* of its transaction, with the epoch */
};

/* A number for a backend's name. */
uint64_t gid_backend(const char *name) PG_MUST_CHECK;
void gid_print(const struct gid *g, char out[GID_MAX]);
/* false: it is none that gid_print() has made. */
bool gid_parse(const char *text, struct gid *out) PG_MUST_CHECK;

/* What a decider is asked for in its transaction; three columns. */
extern const char gid_question[];
/* Its answer. false: it is not understood. */
bool gid_answer(struct gid *g, const char *xid, const char *system,
    const char *wal_file) PG_MUST_CHECK;

#endif
