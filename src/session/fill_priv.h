/* SPDX-License-Identifier: PostgreSQL
 *
 * What fill.c needs of fill_key.c, besides what fill.h tells everyone.
 */
#ifndef PGSLUICE_SESSION_FILL_PRIV_H
#define PGSLUICE_SESSION_FILL_PRIV_H

#include "session/fill.h"

/* Its answers look as those of servers that begin as base says. */
bool fill_fits(const struct server *srv, const struct scope *base);
/* Two processes agree on an entry only if they agree on where its tables are,
 * and on who may read them. Vouched for by fill_key(). malloc'ed, or NULL. */
char *fill_shared_scope(const struct session *s, const struct scope *scope)
    PG_MUST_CHECK;
/* What the result depends on: of each table all rows, or those with certain
 * values as far as there is room for their tags. */
void fill_tags(struct tagset *tags, const struct query *q);
/* Whose account it is on: of all that are possible any is right. */
uint32_t fill_tenant(const struct query *q);
/* What worth.h knows the statement by. */
uint64_t fill_shape(const struct session *s, const struct query *q);

#endif
