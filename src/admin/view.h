/* SPDX-License-Identifier: PostgreSQL
 *
 * What each worker lets other threads see: numbers that would otherwise have
 * to be asked for.  Written by the worker's tick, read by any thread.
 */
#ifndef PGSLUICE_ADMIN_VIEW_H
#define PGSLUICE_ADMIN_VIEW_H

#include "session/layer.h"

void view_init(unsigned n_workers);
void view_fini(void);
/* On w's thread. */
void view_publish(struct worker *w);

/* Any thread, until view_fini(). */
uint64_t view_shapes(void);
uint64_t view_unprofitable(void); /* shapes, see cache/worth.h */
/* Sums over the workers; connected: how many of them are. false: no worker
 * uses L2. */
bool view_l2(struct l2_stats *sum, unsigned *connected) PG_MUST_CHECK;

#endif
