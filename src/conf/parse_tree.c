/* SPDX-License-Identifier: PostgreSQL
 *
 * From text to a tree of sections and options, by libconfuse.
 *
 * libconfuse is asked for text values only, and hands over each as it is read
 * (value callback), so that every option keeps its line; types and bounds are
 * judged later, all in one place.  It has no callback for "a section opens",
 * but reads the default of a list then: each section's first option is such a
 * list, and its callback is the one we need.  A section is taken out of
 * libconfuse as soon as it closes, else one with the same title would replace
 * it.
 *
 * libconfuse stops at the first unknown option.  To find them all, the
 * unknown name is added to the block and the text is read again.
 *
 * Control thread only: libconfuse's lexer and the pointer below are globals.
 */
#include <confuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf_priv.h"

#define TREE_OPENER "*" /* cannot be written without quotes */
#define TREE_TEXT_MAX 256
#define TREE_OPTS_MAX 256 /* options and blocks in one block */

struct tree_extra { /* an unknown option, complained about already */
	enum conf_block block;
	char *name;
};

struct tree {
	struct conf_parse *p;
	cfg_opt_t opts[BLOCK_COUNT][TREE_OPTS_MAX];
	struct tree_extra extras[CONF_DIAG_MAX];
	size_t n_extras;
	struct conf_sec *root, *top;
	bool again; /* an unknown option was added: read once more */
	int conninfo_line; /* if the last value was one, where it ended; or 0 */
};

static struct tree *tree_now;

static struct conf_sec *
tree_sec_new(struct conf_sec *parent, enum conf_block b, const cfg_t *cfg)
{
	struct conf_sec *s = x_calloc(1, sizeof(*s));

	s->block = b;
	s->parent = parent;
	s->subs_tail = &s->subs;
	s->opts_tail = &s->opts;
	s->title = x_strdup(cfg->title != NULL ? cfg->title : "");
	s->line = cfg->line;
	s->owner = cfg;
	if (parent != NULL) {
		*parent->subs_tail = s;
		parent->subs_tail = &s->next;
	}
	return s;
}

static void
tree_opts_free(struct conf_opt *o)
{
	struct conf_opt *next;
	size_t i;

	for (; o != NULL; o = next) {
		next = o->next;
		for (i = 0; i < o->values.n; i++)
			explicit_bzero(o->values.v[i], strlen(o->values.v[i]));
		conf_strings_fini(&o->values);
		free(o->name);
		free(o);
	}
}

void
conf_tree_free(struct conf_sec *s)
{
	struct conf_sec *sub, *next;

	if (s == NULL)
		return;
	for (sub = s->subs; sub != NULL; sub = next) {
		next = sub->next;
		conf_tree_free(sub);
	}
	tree_opts_free(s->opts);
	free(s->title);
	free(s);
}

static enum conf_block
tree_block(const struct conf_sec *parent, const char *name)
{
	int b;

	for (b = BLOCK_ROOT + 1; b < BLOCK_COUNT; b++)
		if (conf_block_parent(b) == parent->block &&
		    strcmp(conf_block_name(b), name) == 0)
			return b;
	WRONG("libconfuse opened a block we do not have");
}

/* ---- complaints ---- */

/* An option that block b lacks. The word may be what follows a stray quote
 * inside a conninfo, and then it may be a password: such a word is shown only
 * if it is almost a name of ours. */
static void
tree_unknown(struct tree *t, enum conf_block b, const char *name, int line)
{
	const char *near = conf_schema_nearest(b, name);
	char names[TREE_TEXT_MAX];
	size_t i;

	for (i = 0; i < t->n_extras; i++)
		if (t->extras[i].block == b &&
		    strcmp(t->extras[i].name, name) == 0)
			return;
	if (t->conninfo_line == line && near == NULL) {
		conf_complain(t->p, line, "unknown option after conninfo, "
		    "expected quotes inside it to be written \\\"");
		return;
	}
	if (near != NULL)
		(void)snprintf(names, sizeof(names), "'%s' perhaps", near);
	else if (b == BLOCK_ROOT)
		(void)snprintf(names, sizeof(names), "a setting or a block");
	else
		conf_schema_list(b, names, sizeof(names));
	conf_complain(t->p, line, "unknown option '%s'%s%s, expected %s", name,
	    b == BLOCK_ROOT ? "" : " in block ", conf_block_name(b), names);
	if (t->n_extras == ARRAY_SIZE(t->extras))
		return;
	t->extras[t->n_extras].block = b;
	t->extras[t->n_extras++].name = x_strdup(name);
	t->again = true;
}

/* What libconfuse says may quote the file; only tokens are harmless. */
static void
tree_syntax(struct tree *t, char *text, int line)
{
	static const char *const harmless[] = { "unexpected ", "missing ",
		"attempt ", "premature " };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(harmless); i++)
		if (strncmp(text, harmless[i], strlen(harmless[i])) == 0)
			break;
	if (i == ARRAY_SIZE(harmless)) {
		i = strcspn(text, "'");
		while (i > 0 && text[i - 1] == ' ')
			i--;
		text[i] = '\0';
	}
	conf_complain(t->p, line, "%s, expected name = value or a block "
	    "name \"title\" { ... }", text);
}

/* ---- callbacks of libconfuse ---- */

static int
tree_on_open(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	struct tree *t = tree_now;

	(void)opt;
	(void)value;
	*(const char **)result = "";
	if (t->top != NULL && t->top->owner == cfg) {
		tree_unknown(t, t->top->block, TREE_OPENER, cfg->line);
		t->again = false;
		return -1;
	}
	if (t->top == NULL)
		t->top = t->root = tree_sec_new(NULL, BLOCK_ROOT, cfg);
	else
		t->top = tree_sec_new(t->top, tree_block(t->top, cfg->name),
		    cfg);
	return 0;
}

static int
tree_on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	struct tree *t = tree_now;
	struct conf_opt *o;

	CHECK(t->top != NULL && t->top->owner == cfg);
	/* libconfuse need not keep what may be a password. */
	*(const char **)result = "";
	t->conninfo_line = strcmp(opt->name, "conninfo") == 0 ? cfg->line : 0;
	for (o = t->top->opts; o != NULL; o = o->next)
		if (strcmp(o->name, opt->name) == 0)
			break;
	if (o != NULL && opt->nvalues == 1) {
		o->again = cfg->line;
		return 0;
	}
	if (o == NULL) {
		o = x_calloc(1, sizeof(*o));
		o->name = x_strdup(opt->name);
		o->line = cfg->line;
		*t->top->opts_tail = o;
		t->top->opts_tail = &o->next;
	}
	if (o->again == 0)
		conf_strings_add(&o->values, value);
	return 0;
}

static int
tree_on_close(cfg_t *cfg, cfg_opt_t *opt)
{
	struct tree *t = tree_now;

	(void)cfg;
	CHECK(t->top != NULL && t->top->parent != NULL && opt->nvalues == 1);
	t->top->owner = NULL;
	t->top = t->top->parent;
	t->conninfo_line = 0;
	return cfg_opt_rmnsec(opt, 0) == CFG_SUCCESS ? 0 : -1;
}

static void tree_on_error(cfg_t *cfg, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

static void
tree_on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	static const char unknown[] = "no such option '";
	struct tree *t = tree_now;
	char text[TREE_TEXT_MAX], *name;
	size_t len;

	if (vsnprintf(text, sizeof(text), fmt, ap) >= (int)sizeof(text)) {
		conf_complain(t->p, cfg->line, "unknown option, "
		    "expected a shorter name");
		return;
	}
	len = strlen(text);
	if (strncmp(text, unknown, sizeof(unknown) - 1) == 0) {
		name = text + sizeof(unknown) - 1;
		text[len - 1] = '\0';
		tree_unknown(t, t->top->block, name, cfg->line);
		return;
	}
	/* A name added by tree_unknown() that turns out to be a block. */
	if (t->n_extras > 0 && strncmp(text, "missing equal", 13) == 0)
		return;
	tree_syntax(t, text, cfg->line);
}

/* ---- schema ---- */

static void
tree_schema_value(cfg_opt_t *o, const char *name, bool list)
{
	o->name = name;
	o->type = CFGT_STR;
	o->flags = CFGF_NODEFAULT | (list ? CFGF_LIST : 0);
	o->parsecb = tree_on_value;
}

static void
tree_schema(struct tree *t, enum conf_block b)
{
	cfg_opt_t *o = t->opts[b];
	size_t i;
	int k;

	memset(o, 0, sizeof(t->opts[b]));
	o->name = TREE_OPENER;
	o->type = CFGT_STR;
	o->flags = CFGF_LIST;
	o->def.parsed = (char *)"{0}";
	o->parsecb = tree_on_open;
	o++;
	for (i = 0; i < conf_n_rows; i++)
		if (conf_rows[i].block == b)
			tree_schema_value(o++, conf_rows[i].name,
			    conf_rows[i].type == TYPE_LIST);
	for (i = 0; i < t->n_extras; i++)
		if (t->extras[i].block == b)
			tree_schema_value(o++, t->extras[i].name, true);
	for (k = BLOCK_ROOT + 1; k < BLOCK_COUNT; k++) {
		if (conf_block_parent(k) != b)
			continue;
		tree_schema(t, k);
		o->name = conf_block_name(k);
		o->type = CFGT_SEC;
		o->flags = CFGF_MULTI | CFGF_TITLE;
		o->subopts = t->opts[k];
		o->validcb = tree_on_close;
		o++;
	}
	/* One zeroed row must be left to end the list. */
	CHECK(o < t->opts[b] + ARRAY_SIZE(t->opts[b]));
}

/* ---- reading ---- */

/* Read the text once; false: a complaint was made. */
static bool
tree_read(struct tree *t, char *text, size_t len)
{
	bool ok = false;
	FILE *f = NULL;
	cfg_t *cfg;

	conf_tree_free(t->root);
	t->root = t->top = NULL;
	t->again = false;
	t->conninfo_line = 0;
	tree_schema(t, BLOCK_ROOT);
	cfg = cfg_init(t->opts[BLOCK_ROOT], CFGF_NONE);
	CHECK(cfg != NULL && t->top != NULL);
	cfg_set_error_function(cfg, tree_on_error);
	f = fmemopen(text, len, "r");
	if (f != NULL) {
		ok = cfg_parse_fp(cfg, f) == CFG_SUCCESS;
		(void)fclose(f);
	}
	if (!ok && t->p->diag->n == 0)
		conf_complain(t->p, cfg->line, "syntax error, "
		    "expected name = value");
	(void)cfg_free(cfg);
	return ok;
}

struct conf_sec *
conf_tree_parse(struct conf_parse *p, char *text)
{
	struct tree *t = x_calloc(1, sizeof(*t));
	struct conf_sec *root = NULL;
	size_t len = strlen(text), i;
	bool ok;

	CHECK(tree_now == NULL);
	tree_now = t;
	t->p = p;
	do {
		ok = tree_read(t, text, len);
	} while (!ok && t->again);
	if (ok)
		root = t->root;
	else
		conf_tree_free(t->root);
	for (i = 0; i < t->n_extras; i++)
		free(t->extras[i].name);
	tree_now = NULL;
	free(t);
	return root;
}

/* ---- looking ---- */

const struct conf_opt *
conf_sec_opt(const struct conf_sec *s, const char *name)
{
	const struct conf_opt *o;

	for (o = s->opts; o != NULL; o = o->next)
		if (strcmp(o->name, name) == 0)
			return o;
	return NULL;
}

const struct conf_sec *
conf_sec_next(const struct conf_sec *s, enum conf_block b)
{
	while (s != NULL && s->block != b)
		s = s->next;
	return s;
}

size_t
conf_sec_count(const struct conf_sec *s, enum conf_block b)
{
	size_t n = 0;

	for (s = conf_sec_next(s->subs, b); s != NULL;
	     s = conf_sec_next(s->next, b))
		n++;
	return n;
}

/* "a, b" to its parts. */
static void
tree_split(struct conf_strings *l, const char *value)
{
	const char *p = value, *end;
	char *part;
	size_t n;

	while (*(p += strspn(p, " ,")) != '\0') {
		end = p + strcspn(p, ",");
		for (n = (size_t)(end - p); p[n - 1] == ' '; n--)
			;
		part = x_strndup(p, n);
		conf_strings_add(l, part);
		free(part);
		p = end;
	}
}

void
conf_tree_set(struct conf_sec *root, const char *name, const char *value)
{
	const struct conf_row *row = conf_row_find(BLOCK_ROOT, name);
	struct conf_opt *o = root->opts;

	CHECK(row != NULL);
	while (o != NULL && strcmp(o->name, name) != 0)
		o = o->next;
	if (o == NULL) {
		o = x_calloc(1, sizeof(*o));
		o->name = x_strdup(name);
		*root->opts_tail = o;
		root->opts_tail = &o->next;
	}
	o->line = 0;
	conf_strings_fini(&o->values);
	if (row->type == TYPE_LIST)
		tree_split(&o->values, value);
	else
		conf_strings_add(&o->values, value);
}
