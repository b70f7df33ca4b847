/* SPDX-License-Identifier: PostgreSQL
 *
 * The last words to clients that read slowly.
 *
 * A session may end while bytes wait to be sent that came before its end: rows, or
 * why it ends. They stay behind with the connection until the client has
 * taken them, which PostgreSQL waits for too.
 */
#ifndef PGSLUICE_SESSION_FAREWELL_H
#define PGSLUICE_SESSION_FAREWELL_H

#include "session/session_priv.h"

/* Take over stream and places of a session that ends, if bytes wait to be sent, or
 * are on their way and the client may send more. The session's stream is closed
 * then. */
void farewell_take(struct session *s, bool more);
/* About every second: close those that have taken too long. */
void farewell_tick(struct session_worker *sw, nsec_t now);
/* Close all. */
void farewell_close_all(struct session_worker *sw);

#endif
