/* SPDX-License-Identifier: PostgreSQL
 *
 * Configurations on their way to the feed thread, and how it logs in.
 */
#ifndef PGSLUICE_ADMIN_FEEDS_H
#define PGSLUICE_ADMIN_FEEDS_H

#include "session/layer.h"

/* Control thread: what is about to be in force. */
void feeds_use(const struct session_setup *s);

#endif
