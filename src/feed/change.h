/* SPDX-License-Identifier: PostgreSQL
 *
 * The values that a changed row has, and had, in the columns by which results
 * are told apart (struct conf_tag_key).
 *
 * A value is known if the stream has it: new rows are whole, but for long
 * values that were not touched; of old ones there is what the replica identity
 * holds.  What is not known is any value, and then the column's tag stands for
 * all of them.  Pure.
 */
#ifndef PGSLUICE_FEED_CHANGE_H
#define PGSLUICE_FEED_CHANGE_H

#include "conf/conf.h"
#include "feed/pgoutput.h"
#include "feed/settle.h"

/* Where a relation has such a column. */
struct change_key {
	const struct conf_tag_key *key;
	int column;         /* -1: not known */
	bool in_identity;
	tag_t any;          /* of the column */
};

/* key's column in the relation that m describes. */
void change_key_find(struct change_key *k, const struct pgo_message *m);
/* Add tags of the values before and after, or that of the column. */
void change_values(const struct change_key *k, const struct pgo_message *m,
    struct feed_tags *t);

#endif
