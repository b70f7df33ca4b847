/* SPDX-License-Identifier: PostgreSQL
 *
 * Sessions as bytes, and back.
 *
 * Knows nothing of sessions but what a parcel holds; no I/O.  Reading goes
 * over settings and statements once, so that who unpacks them meets no error.
 */
#include "session/parcel.h"

#include <string.h>

#define FLAG_RENAMED 1u
#define FLAG_APP_NEWS 2u
#define FLAG_OWN 4u
#define FLAG_BACKSLASHES 8u
#define FLAG_OTHER_ENCODING 16u
#define FLAGS_ALL 31u

#define STATEMENT_DECLARED 1u
#define STATEMENT_NAMED 2u
#define STATEMENT_TOLD 4u
#define STATEMENT_ALL 7u

/* ---- writing ------------------------------------------------------------ */

static bool
put_slice(struct buf *b, struct slice s)
{
	return s.n <= PARCEL_MAX && buf_put_u32(b, (uint32_t)s.n) &&
	    (s.n == 0 || buf_append(b, s.p, s.n));
}

bool
parcel_add_var(struct buf *vars, const char *name, const char *value)
{
	return put_slice(vars, slice_str(name)) &&
	    put_slice(vars, slice_str(value));
}

bool
parcel_add_statement(struct buf *statements, const struct parcel_statement *s)
{
	uint32_t flags = (s->declared ? STATEMENT_DECLARED : 0) |
	    (s->named ? STATEMENT_NAMED : 0) | (s->told ? STATEMENT_TOLD : 0);

	return buf_put_u32(statements, flags) &&
	    put_slice(statements, s->name) &&
	    put_slice(statements, s->sql) && put_slice(statements, s->types);
}

bool
parcel_write(struct buf *b, const struct parcel *p)
{
	uint32_t flags = (p->renamed ? FLAG_RENAMED : 0) |
	    (p->app_news ? FLAG_APP_NEWS : 0) | (p->own ? FLAG_OWN : 0) |
	    (p->backslashes ? FLAG_BACKSLASHES : 0) |
	    (p->other_encoding ? FLAG_OTHER_ENCODING : 0);
	bool ok = buf_put_u32(b, flags) && buf_put_u64(b, p->born) &&
	    buf_put_u64(b, p->queries) && buf_put_u32(b, p->cancel_pid);
	int i;

	for (i = 0; ok && i < PARCEL_TEXTS; i++)
		ok = put_slice(b, p->text[i]);
	return ok && buf_put_u32(b, p->n_vars) && put_slice(b, p->vars) &&
	    buf_put_u32(b, p->n_statements) && put_slice(b, p->statements);
}

/* ---- reading ------------------------------------------------------------ */

static uint64_t
get_u64(struct msgread *r)
{
	uint64_t high = msgread_u32(r);

	return high << 32 | msgread_u32(r);
}

static struct slice
get_slice(struct msgread *r)
{
	return msgread_bytes(r, msgread_u32(r));
}

static bool
has_nul(struct slice s)
{
	return s.n > 0 && memchr(s.p, '\0', s.n) != NULL;
}

static bool
text_is_good(enum parcel_text which, struct slice s)
{
	size_t i, nuls = 0;

	switch (which) {
	case PARCEL_SECRET:
		return s.n == 4 || s.n == PARCEL_SECRET_MAX;
	case PARCEL_INPUT:
		return true;
	case PARCEL_STARTUP:
		for (i = 0; i < s.n; i++)
			nuls += s.p[i] == '\0';
		return s.n <= PARCEL_STARTUP_MAX && nuls % 2 == 0 &&
		    (s.n == 0 || s.p[s.n - 1] == '\0');
	case PARCEL_USER:
	case PARCEL_DATABASE:
	case PARCEL_PEER:
		return s.n > 0 && !has_nul(s);
	default:
		return !has_nul(s);
	}
}

bool
parcel_next_var(struct msgread *r, struct slice *name, struct slice *value)
{
	if (msgread_left(r) == 0)
		return false;
	*name = get_slice(r);
	*value = get_slice(r);
	if (name->n == 0 || has_nul(*name) || has_nul(*value))
		r->error = true;
	return !r->error;
}

bool
parcel_next_statement(struct msgread *r, struct parcel_statement *s)
{
	uint32_t flags;

	if (msgread_left(r) == 0)
		return false;
	flags = msgread_u32(r);
	s->name = get_slice(r);
	s->sql = get_slice(r);
	s->types = get_slice(r);
	s->declared = (flags & STATEMENT_DECLARED) != 0;
	s->named = (flags & STATEMENT_NAMED) != 0;
	s->told = (flags & STATEMENT_TOLD) != 0;
	if ((flags & ~STATEMENT_ALL) != 0 || has_nul(s->name) ||
	    has_nul(s->sql) || (s->named && s->name.n == 0) ||
	    (!s->declared && s->types.n % 4 != 0))
		r->error = true;
	return !r->error;
}

/* As many of both as it says, and nothing more. */
static bool
parcel_counts(const struct parcel *p)
{
	struct parcel_statement s;
	struct slice name, value;
	uint32_t n = 0;
	struct msgread r;

	msgread_init(&r, p->vars.p, p->vars.n);
	while (parcel_next_var(&r, &name, &value))
		n++;
	if (!msgread_done(&r) || n != p->n_vars)
		return false;
	msgread_init(&r, p->statements.p, p->statements.n);
	for (n = 0; parcel_next_statement(&r, &s); n++)
		;
	return msgread_done(&r) && n == p->n_statements;
}

bool
parcel_read(const void *bytes, size_t n, struct parcel *p)
{
	struct msgread r;
	uint32_t flags;
	int i;

	*p = (struct parcel){ .born = 0 };
	msgread_init(&r, bytes, n);
	flags = msgread_u32(&r);
	p->renamed = (flags & FLAG_RENAMED) != 0;
	p->app_news = (flags & FLAG_APP_NEWS) != 0;
	p->own = (flags & FLAG_OWN) != 0;
	p->backslashes = (flags & FLAG_BACKSLASHES) != 0;
	p->other_encoding = (flags & FLAG_OTHER_ENCODING) != 0;
	p->born = get_u64(&r);
	p->queries = get_u64(&r);
	p->cancel_pid = msgread_u32(&r);
	for (i = 0; i < PARCEL_TEXTS; i++)
		p->text[i] = get_slice(&r);
	p->n_vars = msgread_u32(&r);
	p->vars = get_slice(&r);
	p->n_statements = msgread_u32(&r);
	p->statements = get_slice(&r);
	if (!msgread_done(&r) || (flags & ~FLAGS_ALL) != 0 ||
	    p->cancel_pid == 0 || p->cancel_pid > INT32_MAX)
		return false;
	for (i = 0; i < PARCEL_TEXTS; i++)
		if (!text_is_good((enum parcel_text)i, p->text[i]))
			return false;
	return parcel_counts(p);
}
