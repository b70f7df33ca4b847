/* SPDX-License-Identifier: PostgreSQL
 *
 * What a session wants of the cache, as it sets it.
 *
 * Outside of transactions that is what the server answered when it was asked
 * (settings.c), or what it was born with.  Within one that sets something the
 * statement's own word counts from when it is sent; where that does not tell,
 * or may have been taken back, the session stays away from the cache until the
 * transaction is over.  Runs on the session's worker.
 */
#include <string.h>

#include "conf/units.h"
#include "session/session_priv.h"

/* Those of its servers, and of what it has set on them. */
static void
wish_settle(struct session *s)
{
	static const char *const names[WISH_COUNT] = {
#define CACHE_WISH(sym, setting, doc) setting,
#include "tbl/cache_wishes.h"
	};
	const struct scope *base = pool_scope(s->home);
	const char *value;
	unsigned i;

	s->set.wishes = base != NULL ? base->wishes : WISHES_NONE;
	s->set.has_wishes = false;
	for (i = 0; i < WISH_COUNT; i++) {
		value = vars_get(s->set.vars, names[i]);
		if (value == NULL)
			continue;
		wishes_set(&s->set.wishes, (enum wish)i, value);
		s->set.has_wishes = true;
	}
}

const struct wishes *
session_wishes(const struct session *s)
{
	static const struct wishes none = { .max_staleness = UINT64_MAX };
	const struct scope *base;

	if (s->set.has_wishes)
		return &s->set.wishes;
	base = pool_scope(s->home);
	return base != NULL ? &base->wishes : &none;
}

static const char *
wish_value(const struct query *q, const struct an_wish *w, char *out,
    size_t size)
{
	const struct lexer *lx = q->values.lx;
	char scratch[UNITS_TEXT];
	struct slice text;

	if (w->word != NULL)
		return w->word;
	if (w->value.kind != AN_VAL_CUT || w->value.negative || lx == NULL ||
	    w->value.index >= lx->n_cuts ||
	    !analysis_literal(q->sql, &lx->cuts[w->value.index], scratch,
	    sizeof(scratch), &text) || text.n >= size)
		return NULL;
	memcpy(out, text.p, text.n);
	out[text.n] = '\0';
	return out;
}

void
session_wish_note(struct session *s, const struct query *q)
{
	const struct analysis *an = q->shape->an;
	char value[UNITS_TEXT];
	size_t i;

	if (!s->set.has_wishes)
		wish_settle(s);
	s->set.has_wishes = s->set.wishing = true;
	for (i = 0; i < an->n_wishes; i++)
		wishes_set(&s->set.wishes, an->wishes[i].of,
		    an->flags & AN_MULTI ? NULL : wish_value(q,
		    &an->wishes[i], value, sizeof(value)));
}

void
session_wish_doubt(struct session *s)
{
	unsigned i;

	for (i = 0; i < WISH_COUNT; i++)
		wishes_set(&s->set.wishes, (enum wish)i, NULL);
	s->set.has_wishes = s->set.wishing = true;
}

void
session_wish_settle(struct session *s)
{
	s->set.wishing = false;
	wish_settle(s);
}
