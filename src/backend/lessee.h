/* SPDX-License-Identifier: PostgreSQL
 *
 * For the tables of lessees (struct server_ops): what those do who are not
 * interested in an event.  Nothing is for a client.
 */
#ifndef PGSLUICE_BACKEND_LESSEE_H
#define PGSLUICE_BACKEND_LESSEE_H

#include "backend/server.h"

void lessee_skip(void *lessee);
void lessee_skip_completed(void *lessee, const char *tag, bool hidden);
bool lessee_skip_mend(void *lessee, const char *body, size_t n);
void lessee_skip_named(void *lessee, enum named how);
void lessee_skip_row(void *lessee, const char *body, size_t n);
bool lessee_skip_notification(void *lessee, const char *body, size_t n);
void lessee_skip_synced(void *lessee, char status);

#endif
