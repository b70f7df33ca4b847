/* SPDX-License-Identifier: PostgreSQL
 *
 * Doors: every socket that clients can come in by, on every worker.
 */
#ifndef PGSLUICE_ADMIN_DOORS_H
#define PGSLUICE_ADMIN_DOORS_H

#include "conf/conf.h"
#include "net/listener.h"

struct doors;

/* Bind what the configuration says, or take over n inherited sockets (first,
 * first + 1, ...) instead. Before the workers start. NULL with one line in
 * why: what, where and what to do. */
struct doors *doors_open(const struct conf *c, struct worker *const *workers,
    unsigned n_workers, int first, int n, listener_accept_cb cb, char *why,
    size_t why_size) PG_MUST_CHECK;
/* "127.0.0.1:6432,/run/pgsluice/.s.PGSQL.6432" */
const char *doors_text(const struct doors *d);
/* Stop accepting: each worker closes its own. */
void doors_close(struct doors *d);
/* After the workers have ended. */
void doors_free(struct doors **d);

#endif
