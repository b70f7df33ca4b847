/* SPDX-License-Identifier: PostgreSQL
 *
 * One number for all that a configuration says, the same in every process:
 * for two that are to know whether they work by the same.
 *
 * What catalogs say is no part of it, nor are contents of files that it names.
 */
#ifndef PGSLUICE_CONF_DIGEST_H
#define PGSLUICE_CONF_DIGEST_H

#include "base/hash.h"
#include "conf/conf.h"

/* Any thread. Compared with hash_eq(); not for strangers, as passwords are
 * part of it. */
struct hash128 conf_digest(const struct conf *c);

#endif
