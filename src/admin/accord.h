/* SPDX-License-Identifier: PostgreSQL
 *
 * Whether two processes of a takeover agree on what a write ends.
 *
 * A write ends results by the columns that tell them apart, by declarations and
 * by what a program takes statements for.  Two that work by the same settings
 * and are the same program end the same, so each may go on with its cache; of
 * others one has to do without.
 */
#ifndef PGSLUICE_ADMIN_ACCORD_H
#define PGSLUICE_ADMIN_ACCORD_H

#include "base/hash.h"
#include "conf/conf.h"
#include "pgwire/msgread.h"

struct accord {
	struct hash128 conf; /* all of it, but for what catalogs say */
	uint64_t device, inode; /* of the program */
};

/* What this process works by if c is in force. Main or control thread. false:
 * it cannot be told. */
bool accord_of(struct conf *c, struct accord *a) PG_MUST_CHECK;
bool accord_eq(const struct accord *a, const struct accord *b);

#define ACCORD_SIZE 32
void accord_write(const struct accord *a, char out[ACCORD_SIZE]);
/* All that is left. */
bool accord_read(struct msgread *r, struct accord *a) PG_MUST_CHECK;

#endif
