/* SPDX-License-Identifier: PostgreSQL
 *
 * What the files of a server share, and nobody else sees.
 */
#ifndef PGSLUICE_BACKEND_SERVER_PRIV_H
#define PGSLUICE_BACKEND_SERVER_PRIV_H

#include "backend/server.h"

#define MAX_CONTROL (64 * 1024 * 1024) /* messages that are seen whole */

/* ---- server.c ---- */
/* The connection failed under us: tell the lessee, then close. */
void server_lost(struct server *s, const char *why);

/* ---- server_input.c ---- */
/* stream_ops.readable */
void server_on_readable(struct stream *st);
/* Hand on replies of our own whose turn has come, behind the run of bytes at
 * p + run that ends at pos. Returns where the next run begins. */
size_t server_synths(struct server *s, const char *p, size_t run, size_t pos);

#endif
