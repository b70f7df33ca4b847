/* SPDX-License-Identifier: PostgreSQL
 *
 * Seeing and steering a running pgsluice: console and HTTP.
 */
#ifndef PGSLUICE_ADMIN_ADMIN_H
#define PGSLUICE_ADMIN_ADMIN_H

#include "admin/control.h"

/* Once, after control_new() and before workers start. http: listening socket
 * of the HTTP server, taken over; -1: none. */
void admin_init(struct control *c, int http);
/* Its listening socket, which stays its own; -1: none. */
int admin_http_fd(void);
/* No more HTTP. Control thread, not from a request of its own. */
void admin_close_http(void);
/* After the control loop has ended: no HTTP and no ticks any more. */
void admin_close(void);
/* After the workers have ended. */
void admin_fini(void);

/* Tick of a worker: the session layer's, and then what others may see of this
 * worker is published. */
void admin_tick(struct worker *w, nsec_t now);

extern const struct session_console_ops admin_console_ops;

#endif
