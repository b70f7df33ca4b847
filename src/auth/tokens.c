/* SPDX-License-Identifier: PostgreSQL
 *
 * Lines cut into fields and tokens: see the header.
 *
 * Knows nothing of what they mean.  Pure; any thread.  Every loop uses up at
 * least one byte a turn.
 */
#include "auth/tokens.h"

#include <string.h>

void
tokens_init(struct tokens *t, const char *text, size_t len)
{
	t->p = text;
	t->end = text + len;
	t->next_line = 1;
	t->line = 0;
	t->n = t->n_fields = 0;
}

/* Copy one line, with those it is continued on, to t->text. */
static bool
tokens_take_line(struct tokens *t, const char **why)
{
	const char *nl;
	size_t n = 0, k;

	t->line = t->next_line;
	do {
		if (n > 0)
			n--; /* the backslash */
		nl = memchr(t->p, '\n', (size_t)(t->end - t->p));
		k = (size_t)((nl != NULL ? nl : t->end) - t->p);
		if (k > TOKENS_LINE_MAX - n) {
			*why = "line too long, expected at most 8192 bytes";
			return false;
		}
		memcpy(t->text + n, t->p, k);
		t->p += nl != NULL ? k + 1 : k;
		t->next_line++;
		n += k;
		while (n > 0 && t->text[n - 1] == '\r')
			n--;
	} while (n > 0 && t->text[n - 1] == '\\' && t->p < t->end);
	t->text[n] = '\0';
	if (strlen(t->text) == n)
		return true;
	*why = "zero byte, expected text";
	return false;
}

static bool
token_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Read one token at *in to *out. more: a comma follows it. */
static bool
token_take(struct tokens *t, char **in, char **out, bool *more)
{
	bool in_quote = false, was_quote = false;
	struct token *k = &t->v[t->n];
	char *p = *in, c;

	k->text = *out;
	k->quoted = *p == '"';
	k->field = t->n_fields;
	*more = false;
	for (; (c = *p) != '\0'; p++) {
		if (!in_quote && (token_is_blank(c) || c == '#'))
			break;
		if (!in_quote && c == ',') {
			*more = true;
			p++;
			break;
		}
		if (c != '"' || was_quote)
			*(*out)++ = c;
		was_quote = in_quote && c == '"' ? !was_quote : false;
		if (c == '"')
			in_quote = !in_quote;
	}
	*(*out)++ = '\0';
	*in = p;
	return !in_quote;
}

/* One line. false: with *why. */
static bool
tokens_cut(struct tokens *t, const char **why)
{
	char *in = t->text, *out = t->out;
	bool more = false;

	t->n = t->n_fields = 0;
	for (;;) {
		while (token_is_blank(*in) || (more && *in == ','))
			in++;
		if (*in == '\0' || *in == '#') {
			if (more)
				t->n_fields++;
			return true;
		}
		if (t->n == TOKENS_MAX) {
			*why = "too many values, expected at most 1024";
			return false;
		}
		if (!token_take(t, &in, &out, &more)) {
			*why = "a quote is never closed, expected a \"";
			return false;
		}
		/* A comma on its own is nothing. */
		if (t->v[t->n].text[0] != '\0' || t->v[t->n].quoted)
			t->n++;
		if (!more)
			t->n_fields++;
	}
}

int
tokens_next(struct tokens *t, const char **why)
{
	while (t->p < t->end) {
		if (!tokens_take_line(t, why) || !tokens_cut(t, why))
			return -1;
		if (t->n > 0)
			return 1;
	}
	return 0;
}

unsigned
tokens_field(const struct tokens *t, unsigned field, const struct token **v)
{
	unsigned i, n = 0;

	for (i = 0; i < t->n; i++) {
		if (t->v[i].field != field)
			continue;
		if (n++ == 0)
			*v = &t->v[i];
	}
	return n;
}
