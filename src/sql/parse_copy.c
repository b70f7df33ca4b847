/* SPDX-License-Identifier: PostgreSQL
 *
 * The tree of one COPY FROM STDIN.  What is not understood gives nothing, and the
 * statement runs where it can run whole.
 */
#include <stdlib.h>

#include "sql/copy_spec.h"
#include "sql/parse_priv.h"

void
copy_spec_free(struct copy_spec **sp)
{
	struct copy_spec *s = *sp;
	size_t i;

	*sp = NULL;
	if (s == NULL)
		return;
	for (i = 0; i < s->n_columns; i++)
		free(s->columns[i]);
	free(s->columns);
	free(s->null_text);
	free(s);
}

/* A value that is a string or a word; NULL: another one. */
static const char *
copy_string(const PgQuery__DefElem *d)
{
	return parse_string(d->arg);
}

static bool
copy_char(const PgQuery__DefElem *d, char *out)
{
	const char *s = copy_string(d);

	if (s == NULL || s[0] == '\0' || s[1] != '\0' ||
	    (unsigned char)s[0] >= 0x80)
		return false;
	*out = s[0];
	return true;
}

/* HEADER, HEADER true, on, 1; HEADER match sends the line to be compared, which
 * is the same here. */
static bool
copy_header(const PgQuery__DefElem *d, bool *out)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = { { "true", true }, { "on", true }, { "1", true },
	    { "match", true }, { "false", false }, { "off", false },
	    { "0", false } };
	const char *s = copy_string(d);
	size_t i;

	*out = true;
	if (d->arg == NULL)
		return true;
	if (NODE_IS(d->arg, BOOLEAN)) {
		*out = d->arg->boolean->boolval;
		return true;
	}
	if (NODE_IS(d->arg, INTEGER)) {
		*out = d->arg->integer->ival == 1;
		return d->arg->integer->ival == 0 || *out;
	}
	for (i = 0; s != NULL && i < ARRAY_SIZE(words); i++)
		if (strcasecmp(words[i].word, s) == 0) {
			*out = words[i].value;
			return true;
		}
	return false;
}

static bool
copy_format(const PgQuery__DefElem *d, enum copy_format *out)
{
	const char *s = copy_string(d);

	if (s == NULL)
		return false;
	if (strcmp(s, "text") == 0)
		*out = COPY_TEXT;
	else if (strcmp(s, "csv") == 0)
		*out = COPY_CSV;
	else if (strcmp(s, "binary") == 0)
		*out = COPY_BINARY;
	else
		return false;
	return true;
}

static const PgQuery__DefElem *
copy_option(const PgQuery__CopyStmt *c, size_t i)
{
	return NODE_IS(c->options[i], DEF_ELEM) ? c->options[i]->def_elem :
	    NULL;
}

/* The format first: the others' defaults hang on it. Each at most once. */
static bool
copy_read_format(const PgQuery__CopyStmt *c, struct copy_options *o)
{
	enum copy_format format = COPY_TEXT;
	unsigned seen = 0;
	size_t i;

	for (i = 0; i < c->n_options; i++) {
		const PgQuery__DefElem *d = copy_option(c, i);

		if (d == NULL)
			return false;
		if (strcmp(d->defname, "format") == 0 &&
		    (seen++ > 0 || !copy_format(d, &format)))
			return false;
	}
	copy_options_default(o, format);
	return true;
}

static bool
copy_read_option(struct copy_spec *s, const PgQuery__DefElem *d)
{
	struct copy_options *o = &s->options;
	const char *name = d->defname;

	if (strcmp(name, "format") == 0)
		return true;
	if (o->format == COPY_BINARY)
		return false;
	if (strcmp(name, "delimiter") == 0)
		return copy_char(d, &o->delimiter);
	if (strcmp(name, "header") == 0)
		return copy_header(d, &o->header);
	if (strcmp(name, "null") == 0 && copy_string(d) != NULL) {
		free(s->null_text);
		s->null_text = strdup(copy_string(d));
		o->null = slice_str(s->null_text != NULL ? s->null_text : "");
		return s->null_text != NULL &&
		    strpbrk(s->null_text, "\r\n") == NULL;
	}
	if (o->format != COPY_CSV)
		return false;
	if (strcmp(name, "quote") == 0)
		return copy_char(d, &o->quote);
	return strcmp(name, "escape") == 0 && copy_char(d, &o->escape);
}

/* ESCAPE is QUOTE where it is not given. */
static bool
copy_read_options(const PgQuery__CopyStmt *c, struct copy_spec *s)
{
	bool escape = false;
	size_t i;

	if (!copy_read_format(c, &s->options))
		return false;
	for (i = 0; i < c->n_options; i++) {
		if (!copy_read_option(s, copy_option(c, i)))
			return false;
		escape |= strcmp(copy_option(c, i)->defname, "escape") == 0;
	}
	if (!escape)
		s->options.escape = s->options.quote;
	return true;
}

static bool
copy_read_columns(const PgQuery__CopyStmt *c, struct copy_spec *s)
{
	size_t i;

	s->columns = calloc(c->n_attlist + 1, sizeof(*s->columns));
	for (i = 0; s->columns != NULL && i < c->n_attlist; i++) {
		const char *name = parse_string(c->attlist[i]);

		if (name == NULL || (s->columns[i] = strdup(name)) == NULL)
			return false;
		s->n_columns++;
	}
	return s->columns != NULL;
}

static struct copy_spec *
copy_of_tree(const PgQuery__ParseResult *tree)
{
	const PgQuery__CopyStmt *c;
	struct copy_spec *s;

	if (tree->n_stmts != 1 || !NODE_IS(tree->stmts[0]->stmt, COPY_STMT))
		return NULL;
	c = tree->stmts[0]->stmt->copy_stmt;
	if (!c->is_from || c->is_program || c->filename[0] != '\0' ||
	    c->relation == NULL)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (s != NULL && (!copy_read_options(c, s) ||
	    !copy_read_columns(c, s)))
		copy_spec_free(&s);
	return s;
}

struct copy_spec *
copy_spec_new(struct slice sql)
{
	PgQueryProtobufParseResult r;
	PgQuery__ParseResult *tree = NULL;
	struct copy_spec *s = NULL;
	char *text = strndup(sql.p, sql.n);

	if (text == NULL)
		return NULL;
	r = pg_query_parse_protobuf(text);
	free(text);
	if (r.error == NULL)
		tree = pg_query__parse_result__unpack(NULL, r.parse_tree.len,
		    (const uint8_t *)r.parse_tree.data);
	if (tree != NULL) {
		s = copy_of_tree(tree);
		pg_query__parse_result__free_unpacked(tree, NULL);
	}
	pg_query_free_protobuf_parse_result(r);
	return s;
}
