/* SPDX-License-Identifier: PostgreSQL
 *
 * The life of a configuration: load, share, find in it, free.
 *
 * A struct conf is built by one thread (control), never changed afterwards,
 * and then read and referenced from any.  conf_load() either yields all of it
 * or nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf_priv.h"
#include "conf/deps.h"
#include "conf/layout.h"
#include "conf/trial.h"

static atomic_uint_fast64_t conf_generations;

/* ---- free ---- */

static void
conf_free_secret(char *s)
{
	if (s != NULL)
		explicit_bzero(s, strlen(s));
	free(s);
}

static void
conf_free_table(struct conf_table *t)
{
	struct conf_variant *v;
	size_t i;

	for (v = t->variants; v < t->variants + t->n_variants; v++)
		conf_variant_fini(v);
	free(t->variants);
	free(t->name);
	free(t->schema);
	free(t->rel);
	free(t->databases);
	for (i = 0; i < t->n_keys; i++)
		free(t->keys[i].column);
	free(t->keys);
	free(t->time_column);
	free(t->month_of);
	free(t->month_id);
}

static void
conf_free_settings(struct conf *c)
{
#define SETTING_STR(name, def, reload, doc) free(c->name);
#define SETTING_LIST(name, def, reload, doc) conf_strings_fini(&c->name);
#include "tbl/settings.h"
}

static void
conf_free(struct conf *c)
{
	size_t i;

	conf_free_settings(c);
	conf_free_views(c);
	conf_free_experiments(c);
	conf_free_checks(c);
	conf_free_peers(c);
	for (i = 0; i < c->n_backends; i++) {
		free(c->backends[i].name);
		conf_free_secret(c->backends[i].conninfo);
		conf_free_secret(c->backends[i].written);
		free(c->backends[i].user);
		free(c->backends[i].replicas);
	}
	for (i = 0; i < c->n_databases; i++) {
		free(c->databases[i].name);
		free(c->databases[i].tables);
		free(c->databases[i].rules);
		free(c->databases[i].writes);
		free(c->databases[i].watches);
	}
	for (i = 0; i < c->n_tables; i++)
		conf_free_table(&c->tables[i]);
	for (i = 0; i < c->n_rules; i++) {
		free(c->rules[i].name);
		free(c->rules[i].databases);
		free(c->rules[i].verify);
		conf_strings_fini(&c->rules[i].tables);
		conf_strings_fini(&c->rules[i].keys);
		conf_query_fini(&c->rules[i].query);
		free(c->rules[i].key);
		free(c->rules[i].ttl_column);
	}
	for (i = 0; i < c->n_writes; i++) {
		free(c->writes[i].name);
		free(c->writes[i].databases);
		conf_strings_fini(&c->writes[i].also);
	}
	for (i = 0; i < c->n_user_map; i++) {
		free(c->user_map[i].from);
		free(c->user_map[i].to);
	}
	free(c->backends);
	free(c->databases);
	free(c->tables);
	free(c->rules);
	for (i = 0; i < c->n_tag_keys; i++) {
		free(c->tag_keys[i].rel);
		free(c->tag_keys[i].column);
	}
	free(c->tag_keys);
	free(c->writes);
	free(c->watches);
	for (i = 0; i < c->n_deps; i++)
		deps_unref(&c->deps[i]);
	free(c->deps);
	for (i = 0; i < c->n_users; i++)
		free(c->users[i].name);
	free(c->users);
	free(c->user_map);
	free(c->path);
	explicit_bzero(c->text, c->text_len);
	free(c->text);
	conf_strings_fini(&c->changes);
	conf_layouts_unref(&c->layouts);
	conf_trials_unref(&c->trials);
	c->magic = 0;
	free(c);
}

/* ---- load ---- */

/* The tree of a text, or NULL. */
static struct conf_sec *
conf_read_tree(struct conf_parse *p, const char *text, size_t len)
{
	struct conf_sec *root;
	char *clean = conf_scan(p, text, len);

	if (clean == NULL)
		return NULL;
	root = conf_tree_parse(p, clean);
	explicit_bzero(clean, strlen(clean));
	free(clean);
	return root;
}

/* What a configuration is built from. */
struct conf_source {
	const char *name, *text;
	size_t len;
	struct conf_strings changes;
	struct conf_trials *trials;   /* or NULL */
	struct conf_layouts *layouts; /* or NULL */
	struct deps *const *deps;
	size_t n_deps;
	bool bare;                    /* never to be in force: no generation */
	uint64_t lineage;             /* 0: a new one */
};

static struct conf *
conf_new(const struct conf_source *from)
{
	struct conf *c = x_calloc(1, sizeof(*c));
	size_t i;

	c->magic = CONF_MAGIC;
	atomic_init(&c->refs, 1);
	c->path = x_strdup(from->name);
	c->text = x_malloc(from->len + 1);
	memcpy(c->text, from->text, from->len);
	c->text_len = from->len;
	for (i = 0; i < from->changes.n; i++)
		conf_strings_add(&c->changes, from->changes.v[i]);
	c->layouts = from->layouts;
	if (c->layouts != NULL)
		conf_layouts_ref(c->layouts);
	if (from->trials != NULL)
		c->trials = conf_trials_ref(from->trials);
	c->deps = x_calloc(from->n_deps, sizeof(c->deps[0]));
	for (i = 0; i < from->n_deps; i++)
		c->deps[c->n_deps++] = deps_ref(from->deps[i]);
	return c;
}

static void
conf_digest_variants(struct conf *c)
{
	size_t i, k;

	for (i = 0; i < c->n_tables; i++)
		for (k = 0; k < c->tables[i].n_variants; k++)
			conf_variant_digest(&c->tables[i].variants[k]);
}

static struct conf *
conf_build(const struct conf_source *from, struct conf_diag *d)
{
	struct conf_parse p = { .path = from->name, .diag = d };
	size_t i;

	d->n = 0;
	p.root = conf_read_tree(&p, from->text, from->len);
	if (p.root != NULL) {
		p.conf = conf_new(from);
		for (i = 0; i < from->changes.n; i += 2)
			conf_tree_set(p.root, from->changes.v[i],
			    from->changes.v[i + 1]);
		conf_take_settings(&p);
		conf_take_log(&p);
		conf_take_backends(&p);
		conf_take_databases(&p);
		conf_take_tables(&p);
		conf_take_rules(&p);
		conf_take_writes(&p);
		conf_take_experiments(&p);
		conf_take_checks(&p);
		conf_take_peers(&p);
		conf_take_users(&p);
		conf_take_user_map(&p);
		conf_check_replicas(&p);
		conf_settle_log(p.conf);
		conf_tree_free(p.root);
	}
	conf_diag_sort(&p);
	if (d->n == 0) {
		CHECK(p.conf != NULL);
		conf_use_layouts(p.conf);
		conf_digest_variants(p.conf);
		conf_use_trials(p.conf);
		conf_make_views(p.conf);
		conf_use_deps(p.conf);
		if (!from->bare)
			p.conf->generation =
			    atomic_fetch_add(&conf_generations, 1) + 1;
		p.conf->lineage = from->lineage != 0 ? from->lineage :
		    p.conf->generation;
		return p.conf;
	}
	if (p.conf != NULL)
		conf_free(p.conf);
	return NULL;
}

struct conf *
conf_load_buffer(const char *name, const char *text, size_t len,
    struct conf_diag *d)
{
	const struct conf_source from = { .name = name, .text = text,
		.len = len };

	return conf_build(&from, d);
}

struct conf *
conf_change(const struct conf *from, const char *name, const char *value,
    struct conf_diag *d)
{
	struct conf_strings changes = { .n = 0 };
	struct conf_source source;
	struct conf *c;
	size_t i;

	for (i = 0; i < from->changes.n; i += 2)
		if (strcmp(from->changes.v[i], name) != 0) {
			conf_strings_add(&changes, from->changes.v[i]);
			conf_strings_add(&changes, from->changes.v[i + 1]);
		}
	conf_strings_add(&changes, name);
	conf_strings_add(&changes, value);
	source = (struct conf_source){ from->path, from->text, from->text_len,
		changes, from->trials, from->layouts, from->deps, from->n_deps, false, 0 };
	c = conf_build(&source, d);
	conf_strings_fini(&changes);
	return c;
}

struct conf *
conf_with_layouts(const struct conf *from, struct conf_layouts *l,
    struct conf_diag *d)
{
	const struct conf_source source = { from->path, from->text,
		from->text_len, from->changes, from->trials, l, from->deps, from->n_deps,
		false, 0 };

	return conf_build(&source, d);
}

struct conf *
conf_with_deps(const struct conf *from, struct deps *const *v, size_t n,
    struct conf_diag *d)
{
	const struct conf_source source = { from->path, from->text,
		from->text_len, from->changes, from->trials, from->layouts, v,
		n, false,
		from->lineage };

	return conf_build(&source, d);
}

struct conf *
conf_with_trials(const struct conf *from, struct conf_trials *t,
    struct conf_diag *d)
{
	const struct conf_source source = { from->path, from->text,
		from->text_len, from->changes, t, from->layouts, from->deps,
		from->n_deps, false, 0 };

	return conf_build(&source, d);
}

struct conf *
conf_bare(const struct conf *from, struct conf_diag *d)
{
	const struct conf_source source = { from->path, from->text,
		from->text_len, from->changes, from->trials, NULL, NULL, 0, true,
		0 };

	return conf_build(&source, d);
}

/* The whole file, malloc'ed, *len counted up from 0; NULL with errno. Never
 * waits, nor opens what is not a file. */
static char *
conf_read_file(const char *path, size_t *len)
{
	char *text;
	ssize_t got;
	struct stat st;
	int fd, err;

	if (stat(path, &st) != 0)
		return NULL;
	if (!S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		return NULL;
	}
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	/* One byte over the cap is enough to be refused for it. */
	text = x_malloc(CONF_TEXT_MAX + 1);
	do {
		got = read(fd, text + *len, CONF_TEXT_MAX + 1 - *len);
		if (got > 0)
			*len += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	err = errno;
	(void)close(fd);
	if (got == 0)
		return text;
	free(text);
	errno = err;
	return NULL;
}

struct conf *
conf_load(const char *path, struct conf_diag *d)
{
	return conf_reload(path, NULL, d);
}

struct conf *
conf_reload(const char *path, const struct conf *old, struct conf_diag *d)
{
	struct conf_source from = { .name = path };
	struct conf_parse p = { .path = path, .diag = d };
	struct conf *c;
	size_t len = 0;
	char *text;

	d->n = 0;
	text = conf_read_file(path, &len);
	if (text == NULL) {
		conf_complain(&p, 1, "cannot read it: %s, "
		    "expected a configuration file", strerror(errno));
		return NULL;
	}
	from.text = text;
	from.len = len;
	if (old != NULL) {
		from.trials = old->trials;
		from.layouts = old->layouts;
		from.deps = old->deps;
		from.n_deps = old->n_deps;
	}
	c = conf_build(&from, d);
	explicit_bzero(text, len);
	free(text);
	return c;
}

/* ---- share ---- */

void
conf_ref(struct conf *c)
{
	unsigned before;

	CHECK_MAGIC(c, CONF_MAGIC);
	before = atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	CHECK(before > 0);
}

void
conf_unref(struct conf **cp)
{
	struct conf *c = *cp;
	unsigned before;

	*cp = NULL;
	if (c == NULL)
		return;
	CHECK_MAGIC(c, CONF_MAGIC);
	before = atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel);
	CHECK(before > 0);
	if (before == 1)
		conf_free(c);
}

/* ---- find ---- */

struct conf_database *
conf_find_database(const struct conf *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->n_databases; i++)
		if (strcmp(c->databases[i].name, name) == 0)
			return &c->databases[i];
	return NULL;
}

struct conf_backend *
conf_find_backend(const struct conf *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->n_backends; i++)
		if (strcmp(c->backends[i].name, name) == 0)
			return &c->backends[i];
	return NULL;
}

const struct conf_user *
conf_find_user(const struct conf *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->n_users; i++)
		if (strcmp(c->users[i].name, name) == 0)
			return &c->users[i];
	return &c->everyone;
}

/* It is b, or a replica of it. */
static bool
conf_backend_reaches(const struct conf_backend *b, const char *backend)
{
	size_t i;

	if (strcmp(b->name, backend) == 0)
		return true;
	for (i = 0; i < b->n_replicas; i++)
		if (strcmp(b->replicas[i]->name, backend) == 0)
			return true;
	return false;
}

static bool
conf_variant_reaches(const struct conf_variant *v, const char *backend)
{
	size_t i;

	if (conf_backend_reaches(v->backend, backend))
		return true;
	for (i = 0; i < v->n_shards; i++)
		if (conf_backend_reaches(v->shards[i].backend, backend))
			return true;
	for (i = 0; i < v->n_spans; i++)
		if (conf_backend_reaches(v->spans[i].backend, backend))
			return true;
	return false;
}

bool
conf_database_reaches(const struct conf_database *d, const char *backend)
{
	size_t i, k;

	if (conf_backend_reaches(d->backend, backend))
		return true;
	for (i = 0; i < d->n_tables; i++)
		for (k = 0; k < d->tables[i]->n_variants; k++)
			if (conf_variant_reaches(&d->tables[i]->variants[k],
			    backend))
				return true;
	return false;
}

const char *
conf_backend_user(const struct conf *c, const struct conf_backend *b,
    const char *client_user)
{
	size_t i;

	if (b->user != NULL)
		return b->user;
	for (i = 0; i < c->n_user_map; i++)
		if (strcmp(c->user_map[i].from, client_user) == 0)
			return c->user_map[i].to;
	return client_user;
}
