/* SPDX-License-Identifier: PostgreSQL
 *
 * Statements that a variant is asked in other words.
 */
#ifndef PGSLUICE_ROUTE_TRANSLATE_H
#define PGSLUICE_ROUTE_TRANSLATE_H

#include "conf/conf.h"

/* conf_rewrite_cb */
bool route_rewrite_read(const struct conf *c, struct conf_rewrite *r,
    char *why, size_t size) PG_MUST_CHECK;

#endif
