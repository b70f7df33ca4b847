/* SPDX-License-Identifier: PostgreSQL
 *
 * Memory that a process shares with the one that takes over from it.
 *
 * While two processes serve the same clients' tables, what one of them writes
 * must end what the other has cached.  So the counters that decide lie in
 * memory of both.  Regions are static arrays, aligned and sized by
 * SHARED_ALIGN: the same addresses are used whether they are shared or not.
 * Before threads start.
 */
#ifndef PGSLUICE_RUN_SHARED_H
#define PGSLUICE_RUN_SHARED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"

#define SHARED_ALIGN 65536u /* pages of any machine are no larger */

struct shared_region {
	void *at;
	size_t size;
};

/* A new descriptor of memory for these regions; -1 with errno. */
int shared_make(const struct shared_region *r, size_t n) PG_MUST_CHECK;
/* Put that memory in the place of the regions. fd stays the caller's. false,
 * with errno: they are what they were, as it is of another size, or not to be
 * had. What the regions held is not kept. */
bool shared_use(const struct shared_region *r, size_t n, int fd) PG_MUST_CHECK;

#endif
