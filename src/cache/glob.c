/* SPDX-License-Identifier: PostgreSQL
 *
 * Glob patterns.
 *
 * Only the last star can matter, so there is nothing to recurse into: where
 * what follows it does not fit, it takes one byte more.  Pure.
 */
#include "cache/glob.h"

/* Bytes of the pattern that stand for one byte of text. */
static size_t
glob_step(struct slice p, char c, bool *fits)
{
	size_t i = 1;
	bool not, in = false;
	char lo, hi;

	switch (p.p[0]) {
	case '?':
		*fits = true;
		return 1;
	case '\\':
		i = p.n > 1;
		*fits = p.p[i] == c;
		return i + 1;
	case '[':
		break;
	default:
		*fits = p.p[0] == c;
		return 1;
	}
	not = i < p.n && p.p[i] == '^';
	for (i += not; i < p.n && p.p[i] != ']'; i++) {
		i += p.p[i] == '\\' && i + 1 < p.n;
		lo = hi = p.p[i];
		if (i + 2 < p.n && p.p[i + 1] == '-') {
			hi = p.p[i + 2];
			i += 2;
		}
		in |= ((unsigned char)c >= (unsigned char)lo &&
		    (unsigned char)c <= (unsigned char)hi) ||
		    ((unsigned char)c >= (unsigned char)hi &&
		    (unsigned char)c <= (unsigned char)lo);
	}
	*fits = in != not;
	return i < p.n ? i + 1 : i;
}

bool
glob_match(struct slice pattern, struct slice text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, from = 0;
	bool fits;

	while (t < text.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = ++p;
			from = t;
			continue;
		}
		fits = false;
		if (p < pattern.n) {
			size_t n = glob_step(slice_make(pattern.p + p,
			    pattern.n - p), text.p[t], &fits);

			if (fits) {
				p += n;
				t++;
				continue;
			}
		}
		if (star == SIZE_MAX)
			return false;
		p = star;
		t = ++from;
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}
