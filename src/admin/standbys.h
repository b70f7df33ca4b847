/* SPDX-License-Identifier: PostgreSQL
 *
 * Who asks replicas and their primaries how far they have come, and who asks what
 * checks ask.
 */
#ifndef PGSLUICE_ADMIN_STANDBYS_H
#define PGSLUICE_ADMIN_STANDBYS_H

#include "session/layer.h"

/* A configuration is in force. Control thread. */
void standbys_use(const struct session_setup *setup);

#endif
