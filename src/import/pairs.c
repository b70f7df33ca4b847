/* SPDX-License-Identifier: PostgreSQL
 *
 * PgBouncer's connection strings.  Pure, any thread.
 */
#include "import/pairs.h"

#include <stdbool.h>

static bool
pairs_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
pairs_skip(struct pairs *p)
{
	while (p->p < p->end && pairs_blank(*p->p))
		p->p++;
}

static int
pairs_fail(struct pairs *p, const char *what)
{
	p->wrong = what;
	return -1;
}

static int
pairs_key(struct pairs *p)
{
	size_t n = 0;

	for (; p->p < p->end && !pairs_blank(*p->p) && *p->p != '='; p->p++) {
		if (n + 1 == sizeof(p->key))
			return pairs_fail(p, "word without =, expected "
			    "key=value");
		p->key[n++] = *p->p;
	}
	p->key[n] = '\0';
	pairs_skip(p);
	if (n == 0 || p->p == p->end || *p->p != '=')
		return pairs_fail(p, "word without =, expected key=value");
	p->p++;
	pairs_skip(p);
	return 1;
}

static int
pairs_value(struct pairs *p)
{
	bool quoted = p->p < p->end && *p->p == '\'';
	size_t n = 0;

	p->p += quoted;
	for (; p->p < p->end; p->p++) {
		if (quoted && *p->p == '\'') {
			p->p++;
			if (p->p == p->end || *p->p != '\'')
				goto done;
		} else if (!quoted && pairs_blank(*p->p)) {
			goto done;
		}
		if (n + 1 == sizeof(p->value))
			return pairs_fail(p, "value too long, expected at most "
			    "4095 bytes");
		p->value[n++] = *p->p;
	}
	if (quoted)
		return pairs_fail(p, "value is not closed, expected a '");
done:
	p->value[n] = '\0';
	return 1;
}

void
pairs_init(struct pairs *p, struct slice text)
{
	*p = (struct pairs){ .p = text.p, .end = text.p + text.n };
}

int
pairs_next(struct pairs *p)
{
	int r;

	pairs_skip(p);
	if (p->p == p->end)
		return 0;
	r = pairs_key(p);
	return r == 1 ? pairs_value(p) : r;
}
