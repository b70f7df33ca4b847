/* SPDX-License-Identifier: PostgreSQL
 *
 * How many clients share a database, a user or an address, process-wide.
 *
 * A place is taken for the name and given back by the session that took it.
 * Entries live as long as somebody holds a place in them, so their number is
 * bounded by the number of clients.
 */
#ifndef PGSLUICE_SESSION_QUOTA_H
#define PGSLUICE_SESSION_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

enum quota_kind { QUOTA_ADDRESS, QUOTA_DATABASE, QUOTA_USER, QUOTA_KINDS };

struct quota;

void quota_init(void); /* once, after hash_init(), before workers start */
void quota_fini(void); /* every place has been given back */
/* One more place for this name. NULL: limit of them are taken; limit 0: none.
 * Any thread. */
struct quota *quota_take(enum quota_kind kind, const char *name,
    int64_t limit) PG_MUST_CHECK;
/* Give it back; *q may be NULL and is after it. */
void quota_give(struct quota **q);
/* Places taken. */
int64_t quota_count(const struct quota *q);

#endif
