/* SPDX-License-Identifier: PostgreSQL
 *
 * Events that a lessee is not interested in.  Any thread.
 */
#include "backend/lessee.h"

void
lessee_skip(void *lessee PG_UNUSED)
{
}

void
lessee_skip_completed(void *lessee PG_UNUSED, const char *tag PG_UNUSED,
    bool hidden PG_UNUSED)
{
}

bool
lessee_skip_mend(void *lessee PG_UNUSED, const char *body PG_UNUSED,
    size_t n PG_UNUSED)
{
	return false;
}

void
lessee_skip_named(void *lessee PG_UNUSED, enum named how PG_UNUSED)
{
}

void
lessee_skip_row(void *lessee PG_UNUSED, const char *body PG_UNUSED,
    size_t n PG_UNUSED)
{
}

bool
lessee_skip_notification(void *lessee PG_UNUSED, const char *body PG_UNUSED,
    size_t n PG_UNUSED)
{
	return false;
}

void
lessee_skip_synced(void *lessee PG_UNUSED, char status PG_UNUSED)
{
}
