/* SPDX-License-Identifier: PostgreSQL
 *
 * Relation names of the configuration, compared and written as SQL.
 *
 * A configured name is one part or two with a dot between; a part may be
 * quoted as in SQL.  Unlike SQL an unquoted part keeps its case, because
 * people write down names as the catalog shows them.  Pure, any thread.
 */
#ifndef PGSLUICE_CONF_IDENT_H
#define PGSLUICE_CONF_IDENT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/slice.h"

/* The name without schema is name. */
bool ident_bare_is(const char *text, const char *name);
/* text means the table schema.name; a schema missing on either side fits. */
bool ident_is_table(const char *text, const char *schema, const char *name);
bool ident_has_schema(const char *text);
/* Schema, or NULL, and bare name as they stand in catalogs; malloc'ed. */
void ident_parts(const char *text, char **schema, char **name);
/* One name, not quoted, so that two which PostgreSQL may take for the same,
 * whatever the encoding, become equal. */
#define IDENT_FOLDED_SIZE 61
void ident_fold(const char *name, char out[IDENT_FOLDED_SIZE]);
/* Append as SQL, quoted where needed. */
bool ident_append_qualified(struct buf *b, const char *text) PG_MUST_CHECK;
bool ident_append_name(struct buf *b, struct slice name) PG_MUST_CHECK;
/* The same as strings, malloc'ed. */
char *ident_qualified_sql(const char *text) PG_MUST_CHECK;
char *ident_name_sql(const char *name) PG_MUST_CHECK;

#endif
