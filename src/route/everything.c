/* SPDX-License-Identifier: PostgreSQL
 *
 * What a rule for all tables asks of a statement besides what any rule does.
 *
 * Nobody has looked at these tables and said that they may be cached.  So the
 * catalogs must have been read for all of them; and no word of the statement
 * may be the name of a function or operator of the users' that is not
 * immutable: it could be called by it, whatever else has that name, and a
 * function of one argument even where a column seems to stand.  Pure.
 */
#include <stdlib.h>

#include "conf/deps.h"
#include "route/route_priv.h"

#define WORD_BYTES 256 /* longer ones are cut short, as PostgreSQL does */

static bool
word_begins(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	    (c & 0x80) != 0;
}

static bool
word_goes_on(char c)
{
	return word_begins(c) || (c >= '0' && c <= '9') || c == '$';
}

static int
word_compare(const void *name, const void *row)
{
	return strcmp(name, *(char *const *)row);
}

static bool
word_is_known(const struct deps *d, struct slice word)
{
	char text[WORD_BYTES], folded[IDENT_FOLDED_SIZE];

	if (word.n >= sizeof(text))
		word.n = sizeof(text) - 1;
	memcpy(text, word.p, word.n);
	text[word.n] = '\0';
	ident_fold(text, folded);
	return bsearch(folded, d->functions.v, d->functions.n,
	    sizeof(d->functions.v[0]), word_compare) != NULL;
}

/* The word at the place i of the shape, which moves behind it. */
static struct slice
word_at(const struct shape *s, size_t *i)
{
	size_t from = *i;

	if (s->text[from] == '"') {
		for (++*i; *i < s->len && s->text[*i] != '"'; ++*i)
			;
		from++;
		return slice_make(s->text + from, (*i)++ - from);
	}
	while (*i < s->len && word_goes_on(s->text[*i]))
		++*i;
	return slice_make(s->text + from, *i - from);
}

/* Names with quotes or Unicode escapes in them, which are not read here. */
static bool
everything_hides_names(const struct shape *s)
{
	return memmem(s->text, s->len, "\"\"", 2) != NULL ||
	    memmem(s->text, s->len, "&\"", 2) != NULL;
}

static bool
everything_calls(const struct deps *d, const struct shape *s)
{
	size_t i = 0;

	if (d->functions.n > 0 && everything_hides_names(s))
		return true;
	while (i < s->len && d->functions.n > 0) {
		if (s->text[i] != '"' && !word_begins(s->text[i]))
			i++;
		else if (word_is_known(d, word_at(s, &i)))
			return true;
	}
	for (i = 0; i < d->operators.n; i++)
		if (memmem(s->text, s->len, d->operators.v[i],
		    strlen(d->operators.v[i])) != NULL)
			return true;
	return false;
}

enum bypass_reason
route_everything(const struct conf_database *db, const struct shape *s)
{
	const struct deps *d;
	size_t i;

	if (db->n_watches == 0)
		return BYPASS_AUTO_OFF;
	for (i = 0; i < db->n_watches; i++) {
		d = db->watches[i]->deps;
		/* Not known yet: the session does not look here. */
		if (d == NULL)
			continue;
		if (d->partial != NULL)
			return BYPASS_AUTO_OFF;
		if (everything_calls(d, s))
			return BYPASS_UNKNOWN_FN;
	}
	return BYPASS_NONE;
}
