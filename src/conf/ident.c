/* SPDX-License-Identifier: PostgreSQL
 *
 * Relation names of the configuration, taken apart part by part.
 *
 * Nothing is copied until SQL is written.  Pure, any thread.
 */
#include <stdlib.h>
#include <string.h>

#include "conf/ident.h"

struct ident_part {
	struct slice raw; /* inside the quotes, doubled quotes still doubled */
	bool quoted;
};

/* Keywords that may not be a table's name or alias without quotes (reserved,
 * and those for functions and types), sorted. */
static const char *const ident_reserved[] = { "all", "analyse", "analyze",
	"and", "any", "array", "as", "asc", "asymmetric", "authorization",
	"binary", "both", "case", "cast", "check", "collate", "collation",
	"column", "concurrently", "constraint", "create", "cross",
	"current_catalog", "current_date", "current_role", "current_schema",
	"current_time", "current_timestamp", "current_user", "default",
	"deferrable", "desc", "distinct", "do", "else", "end", "except",
	"false", "fetch", "for", "foreign", "freeze", "from", "full", "grant",
	"group", "having", "ilike", "in", "initially", "inner", "intersect",
	"into", "is", "isnull", "join", "lateral", "leading", "left", "like",
	"limit", "localtime", "localtimestamp", "natural", "not", "notnull",
	"null", "offset", "on", "only", "or", "order", "outer", "overlaps",
	"placing", "primary", "references", "returning", "right", "select",
	"session_user", "similar", "some", "symmetric", "system_user", "table",
	"tablesample", "then", "to", "trailing", "true", "union", "unique",
	"user", "using", "variadic", "verbose", "when", "where", "window",
	"with" };

static int
ident_compare(const void *key, const void *elem)
{
	const struct slice *k = key;
	const char *e = *(const char *const *)elem;
	int r = strncmp(k->p, e, k->n);

	return r != 0 ? r : e[k->n] == '\0' ? 0 : -1;
}

static bool
ident_plain(struct slice s)
{
	if (s.n == 0 || (s.p[0] >= '0' && s.p[0] <= '9'))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '_')
			return false;
	}
	return bsearch(&s, ident_reserved, ARRAY_SIZE(ident_reserved),
	    sizeof(ident_reserved[0]), ident_compare) == NULL;
}

/* Take the part at *text apart and move behind it and its dot. */
static struct ident_part
ident_next(const char **text)
{
	const char *p = *text;
	struct ident_part part = { .quoted = *p == '"' };

	if (part.quoted) {
		part.raw.p = ++p;
		while (*p != '\0' && (*p != '"' || p[1] == '"'))
			p += *p == '"' ? 2 : 1;
		part.raw.n = (size_t)(p - part.raw.p);
		if (*p == '"')
			p++;
	} else {
		part.raw.p = p;
		p += strcspn(p, ".");
		part.raw.n = (size_t)(p - part.raw.p);
	}
	if (*p == '.')
		p++;
	*text = p;
	return part;
}

/* One or two parts; the first is the schema if there are two. */
static bool
ident_split(const char *text, struct ident_part *schema,
    struct ident_part *name)
{
	*name = ident_next(&text);
	if (*text == '\0')
		return false;
	*schema = *name;
	*name = ident_next(&text);
	return true;
}

static bool
ident_part_is(const struct ident_part *part, const char *name)
{
	struct slice r = part->raw;

	if (!part->quoted)
		return slice_eq_str(r, name);
	while (r.n > 0) {
		if (*name == '\0' || *r.p != *name)
			return false;
		if (*r.p == '"' && r.n > 1) { /* doubled */
			r.p++;
			r.n--;
		}
		r.p++;
		r.n--;
		name++;
	}
	return *name == '\0';
}

static char *
ident_part_text(const struct ident_part *part)
{
	char *out = x_strndup(part->raw.p, part->raw.n);
	size_t i, n = 0;

	for (i = 0; part->quoted && i < part->raw.n; i++) {
		out[n++] = part->raw.p[i];
		if (part->raw.p[i] == '"') /* doubled */
			i++;
	}
	if (part->quoted)
		out[n] = '\0';
	return out;
}

void
ident_parts(const char *text, char **schema, char **name)
{
	struct ident_part s, n;
	bool two = ident_split(text, &s, &n);

	*schema = two ? ident_part_text(&s) : NULL;
	*name = ident_part_text(&n);
}

/* PostgreSQL cuts names at 63 bytes, or before the character that does not
 * fit whole. */
void
ident_fold(const char *name, char out[IDENT_FOLDED_SIZE])
{
	unsigned char c;
	size_t n;

	for (n = 0; n < IDENT_FOLDED_SIZE - 1 && name[n] != '\0'; n++) {
		c = (unsigned char)name[n];
		if (c >= 0x80) {
			n = 0;
			break;
		}
		out[n] = (char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
	}
	out[n] = '\0';
}

bool
ident_bare_is(const char *text, const char *name)
{
	struct ident_part s, n;

	(void)ident_split(text, &s, &n);
	return ident_part_is(&n, name);
}

bool
ident_is_table(const char *text, const char *schema, const char *name)
{
	struct ident_part s, n;
	bool two = ident_split(text, &s, &n);

	if (!ident_part_is(&n, name))
		return false;
	return !two || schema == NULL || ident_part_is(&s, schema);
}

bool
ident_has_schema(const char *text)
{
	struct ident_part s, n;

	return ident_split(text, &s, &n);
}

bool
ident_append_name(struct buf *b, struct slice name)
{
	if (ident_plain(name))
		return buf_append(b, name.p, name.n);
	if (!buf_append(b, "\"", 1))
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '"' && !buf_append(b, "\"", 1))
			return false;
		if (!buf_append(b, name.p + i, 1))
			return false;
	}
	return buf_append(b, "\"", 1);
}

static bool
ident_append_part(struct buf *b, const struct ident_part *part)
{
	if (!part->quoted)
		return ident_append_name(b, part->raw);
	return buf_append(b, "\"", 1) &&
	    buf_append(b, part->raw.p, part->raw.n) && buf_append(b, "\"", 1);
}

bool
ident_append_qualified(struct buf *b, const char *text)
{
	struct ident_part s, n;

	if (ident_split(text, &s, &n) &&
	    (!ident_append_part(b, &s) || !buf_append(b, ".", 1)))
		return false;
	return ident_append_part(b, &n);
}

/* Room for a name with every byte doubled and quotes around. */
#define IDENT_QUOTED(name) (2 * strlen(name) + 16)

static char *
ident_take(struct buf *b)
{
	char *s = x_strndup(buf_head(b), buf_len(b));

	buf_reset(b);
	return s;
}

char *
ident_qualified_sql(const char *text)
{
	struct buf b;

	buf_init(&b, IDENT_QUOTED(text));
	CHECK(ident_append_qualified(&b, text));
	return ident_take(&b);
}

char *
ident_name_sql(const char *name)
{
	struct buf b;

	buf_init(&b, IDENT_QUOTED(name));
	CHECK(ident_append_name(&b, slice_str(name)));
	return ident_take(&b);
}
