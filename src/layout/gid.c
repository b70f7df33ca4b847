/* SPDX-License-Identifier: PostgreSQL
 *
 * Names of prepared transactions, and the question for what is in them.
 */
#include "layout/gid.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char gid_question[] =
    "SELECT pg_catalog.txid_current(), (SELECT system_identifier FROM "
    "pg_catalog.pg_control_system()), pg_catalog.pg_walfile_name("
    "pg_catalog.pg_current_wal_insert_lsn())";

/* FNV-1a. */
uint64_t
gid_backend(const char *name)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	return h;
}

void
gid_print(const struct gid *g, char out[GID_MAX])
{
	snprintf(out, GID_MAX, GID_PREFIX "%016llx_%u_%016llx_%016llx_%08x_"
	    "%llu", (unsigned long long)g->id, g->part,
	    (unsigned long long)g->decider, (unsigned long long)g->system,
	    (unsigned)g->timeline, (unsigned long long)g->xid);
}

bool
gid_parse(const char *text, struct gid *out)
{
	unsigned long long id, decider, system, xid;
	char again[GID_MAX];
	unsigned part, timeline;

	if (sscanf(text, GID_PREFIX "%16llx_%9u_%16llx_%16llx_%8x_%19llu", &id,
	    &part, &decider, &system, &timeline, &xid) != 6)
		return false;
	*out = (struct gid){ id, part, decider, system, timeline, xid };
	gid_print(out, again);
	return strcmp(text, again) == 0;
}

/* A number without anything around it. */
static bool
gid_number(const char *text, int base, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, base);
	return *text >= '0' && *end == '\0' && errno == 0;
}

bool
gid_answer(struct gid *g, const char *xid, const char *system,
    const char *wal_file)
{
	char timeline[9];
	uint64_t number = 0;
	bool ok;

	snprintf(timeline, sizeof(timeline), "%.8s", wal_file);
	ok = strlen(wal_file) == 24 && gid_number(timeline, 16, &number) &&
	    gid_number(xid, 10, &g->xid) &&
	    gid_number(system, 10, &g->system);
	g->timeline = (uint32_t)number;
	return ok;
}
