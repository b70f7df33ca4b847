/* SPDX-License-Identifier: PostgreSQL
 *
 * Is a column fit for telling results and writes apart by its values?
 *
 * It is if equal values have equal hashes and every row has in it what its
 * statement says: a table of ordinary rows, without rules and triggers, whose
 * rows no statement on the table itself changes by a cascade.  The layout
 * thread.
 */
#ifndef PGSLUICE_LAYOUT_TAG_KEY_H
#define PGSLUICE_LAYOUT_TAG_KEY_H

#include "layout/call.h"

/* Asks every server that has such a table. key: of the job's conf. */
void tag_key_ask(struct calls *all, const struct conf_tag_key *key,
    struct layout_tag_result *out);

#endif
