/* SPDX-License-Identifier: PostgreSQL
 *
 * What watches over catalogs are given to work with, and how what they find
 * comes into force: as a new configuration, like layouts.
 */
#ifndef PGSLUICE_ADMIN_WATCHES_H
#define PGSLUICE_ADMIN_WATCHES_H

#include "admin/control.h"

/* Control thread: */

void watches_init(struct control *c);
void watches_fini(void); /* after watch_stop() */
/* The loop begins; another configuration is in force. */
void watches_follow(void);
/* From the loop, about every second. */
void watches_tick(void);

#endif
