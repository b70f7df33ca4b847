/* SPDX-License-Identifier: PostgreSQL
 *
 * Prepared transactions that writes over several shards have left behind: when
 * pgsluice or a shard died between the first PREPARE TRANSACTION and the last
 * COMMIT PREPARED.
 *
 * Each is ended as the decider's transaction has ended, which its server is asked
 * for (layout/gid.h): that is final, so it does not matter who asks, how often, or
 * whether the write is still at work.  A decider that is prepared itself for longer
 * than any write takes is rolled back: a write that is at work all the same
 * finds that it cannot commit it.  What cannot be decided is left, and told.  The
 * layout thread.
 */
#ifndef PGSLUICE_LAYOUT_RESOLVE_H
#define PGSLUICE_LAYOUT_RESOLVE_H

#include "layout/call.h"

/* All places of the job's sharded variants; sets survey_place.prepared, and the job's
 * committed and unsettled. */
void resolve_all(struct calls *all);

#endif
