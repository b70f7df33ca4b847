/* SPDX-License-Identifier: PostgreSQL
 *
 * The end: everything that workers and connectors still hold comes home.
 */
#ifndef PGSLUICE_ADMIN_ENDING_H
#define PGSLUICE_ADMIN_ENDING_H

#include "run/worker.h"

/* Close all sessions and servers, stop the connectors, end the workers.
 * After admin_close(). Main thread. */
void ending_run(struct worker *const *workers, unsigned n);

#endif
