/* SPDX-License-Identifier: PostgreSQL
 *
 * Lists of names in one cell.
 */
#ifndef PGSLUICE_ADMIN_NAMES_H
#define PGSLUICE_ADMIN_NAMES_H

#include "base/buf.h"
#include "conf/conf.h"

#define NAMES_MAX (1024 * 1024) /* bytes of a list */

/* The databases whose default backend this is, separated by commas, in b;
 * "" if it is none's. Valid until b changes. */
const char *names_of_databases(const struct conf *c, const char *backend,
    struct buf *b);
/* The first of them; NULL: there is none. */
const struct conf_database *names_first(const struct conf *c,
    const char *backend);

#endif
