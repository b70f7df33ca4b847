/* SPDX-License-Identifier: PostgreSQL
 *
 * From the text of a value to its tag.
 *
 * The same hashes as for values in statements.  The stream is in UTF8, with
 * ISO dates in UTC; text that is not ASCII may be other bytes on the server.
 * Pure.
 */
#include "feed/change.h"

#include "route/month.h"
#include "route/tenant.h"

/* Values of a transaction; more are any: tables must have room, too. */
#define CHANGE_VALUES_MAX (FEED_TAGS_MAX / 2)

void
change_key_find(struct change_key *k, const struct pgo_message *m)
{
	struct pgo_columns columns = m->columns;
	struct pgo_column c;
	int i;

	k->column = -1;
	for (i = 0; pgo_column_next(&columns, &c); i++)
		if (slice_eq_str(c.name, k->key->column)) {
			k->column = i;
			k->in_identity = c.is_key || m->identity == 'f';
		}
}

static bool
change_is_ascii(struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

static bool
change_hash(const struct conf_tag_key *key, struct slice text, uint64_t *out)
{
	struct month_range r;

	if (!change_is_ascii(text))
		return false;
	if (!key->month)
		return tenant_hash_value(key->type, text, false, 0, out);
	if (!month_parse_text(text, MONTH_TIMESTAMPTZ, 0, &r) ||
	    month_of(r.lo) != month_of(r.hi))
		return false;
	*out = (uint64_t)month_of(r.lo);
	return true;
}

/* false: its value is not known. */
static bool
change_value(const struct change_key *k, struct pgo_tuple row,
    struct feed_tags *t)
{
	struct pgo_value v;
	uint64_t hash;
	int i;

	for (i = 0; i <= k->column; i++)
		if (!pgo_value_next(&row, &v))
			return false;
	if (v.kind == PGO_NULL)
		return true; /* no condition on values finds it */
	if (v.kind != PGO_TEXT || !change_hash(k->key, v.bytes, &hash))
		return false;
	feed_tags_add(t, tag_of_value(k->key->rel, k->key->column, hash));
	return true;
}

static bool
change_known(const struct change_key *k, const struct pgo_message *m,
    struct feed_tags *t)
{
	if (k->column < 0 || !k->key->known || t->n >= CHANGE_VALUES_MAX ||
	    m->kind == PGO_TRUNCATE)
		return false;
	/* Without an old row the identity has not changed. */
	if (m->kind != PGO_INSERT && !k->in_identity)
		return false;
	return (!m->has_old || change_value(k, m->old, t)) &&
	    (!m->has_new || change_value(k, m->new, t));
}

void
change_values(const struct change_key *k, const struct pgo_message *m,
    struct feed_tags *t)
{
	if (!feed_tags_has(t, k->any) && !change_known(k, m, t))
		feed_tags_add(t, k->any);
}
