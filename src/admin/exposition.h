/* SPDX-License-Identifier: PostgreSQL
 *
 * The page /metrics: every number of the process, gathered at the moment.
 */
#ifndef PGSLUICE_ADMIN_EXPOSITION_H
#define PGSLUICE_ADMIN_EXPOSITION_H

#include "admin/control.h"
#include "base/buf.h"

/* open: as OpenMetrics. false: it does not fit into out. Control thread. */
bool exposition_write(struct control *c, struct buf *out, bool open)
    PG_MUST_CHECK;

#endif
