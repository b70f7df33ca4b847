/* SPDX-License-Identifier: PostgreSQL
 *
 * From names in the file to pointers inside struct conf.
 *
 * Works on what earlier steps have put into p->conf: backends before
 * databases, databases before tables and rules.  Control thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf_priv.h"

#define NAMES_SHOWN 8

/* "unknown KIND 'x', expected one of a, b": the near name alone if there is
 * one. */
static void
names_unknown(struct conf_parse *p, const struct conf_opt *o,
    const char *kind, const char *name, const char *const *names, size_t n)
{
	const char *near = conf_nearest(name, names, n);
	char list[320];
	size_t at = 0, i;
	int wrote;

	if (near != NULL) {
		conf_complain(p, o->line,
		    "%s: unknown %s '%.64s', expected '%s' perhaps", o->name,
		    kind, name, near);
		return;
	}
	list[0] = '\0';
	for (i = 0; i < n && i < NAMES_SHOWN; i++) {
		wrote = snprintf(list + at, sizeof(list) - at, "%s%.32s",
		    i > 0 ? ", " : "", names[i]);
		if (wrote < 0 || (size_t)wrote >= sizeof(list) - at)
			break;
		at += (size_t)wrote;
	}
	conf_complain(p, o->line, "%s: unknown %s '%.64s', expected %s%s%s",
	    o->name, kind, name, n > 0 ? "one of " : "a block of that title",
	    list, n > NAMES_SHOWN ? ", ..." : "");
}

static struct conf_backend *
names_backend(struct conf_parse *p, const struct conf_opt *o, const char *name)
{
	struct conf_backend *b = conf_find_backend(p->conf, name);
	const char **names;
	size_t i;

	if (b != NULL)
		return b;
	names = x_calloc(p->conf->n_backends, sizeof(*names));
	for (i = 0; i < p->conf->n_backends; i++)
		names[i] = p->conf->backends[i].name;
	names_unknown(p, o, "backend", name, names, p->conf->n_backends);
	free(names);
	return NULL;
}

static struct conf_database *
names_database(struct conf_parse *p, const struct conf_opt *o,
    const char *name)
{
	struct conf_database *db = conf_find_database(p->conf, name);
	const char **names;
	size_t i;

	if (db != NULL)
		return db;
	names = x_calloc(p->conf->n_databases, sizeof(*names));
	for (i = 0; i < p->conf->n_databases; i++)
		names[i] = p->conf->databases[i].name;
	names_unknown(p, o, "database", name, names, p->conf->n_databases);
	free(names);
	return NULL;
}

struct conf_backend *
conf_take_backend(struct conf_parse *p, const struct conf_sec *s,
    const char *option)
{
	const struct conf_opt *o = conf_sec_opt(s, option);

	if (o == NULL)
		return NULL;
	return names_backend(p, o, o->values.v[0]);
}

struct conf_backend **
conf_take_backend_list(struct conf_parse *p, const struct conf_sec *s,
    const char *option, size_t *n)
{
	const struct conf_opt *o = conf_sec_opt(s, option);
	struct conf_backend **v, *b;
	size_t i, k;

	*n = 0;
	if (o == NULL)
		return NULL;
	v = x_calloc(o->values.n, sizeof(*v));
	for (i = 0; i < o->values.n; i++) {
		b = names_backend(p, o, o->values.v[i]);
		if (b == NULL)
			continue;
		for (k = 0; k < *n; k++)
			if (v[k] == b)
				conf_complain(p, o->line, "%s: backend '%s' is "
				    "named twice, expected once", option,
				    b->name);
		v[(*n)++] = b;
	}
	return v;
}

struct conf_database **
conf_take_databases_of(struct conf_parse *p, const struct conf_sec *s,
    size_t *n)
{
	const struct conf_opt *o = conf_sec_opt(s, "databases");
	struct conf_database **v, *db;
	size_t i, k;

	*n = 0;
	v = x_calloc(o != NULL ? o->values.n : p->conf->n_databases,
	    sizeof(*v));
	if (o == NULL) {
		for (; *n < p->conf->n_databases; (*n)++)
			v[*n] = &p->conf->databases[*n];
		return v;
	}
	for (i = 0; i < o->values.n; i++) {
		db = names_database(p, o, o->values.v[i]);
		if (db == NULL)
			continue;
		for (k = 0; k < *n && v[k] != db; k++)
			;
		if (k < *n)
			conf_complain(p, o->line, "databases: '%s' is named "
			    "twice, expected once", db->name);
		else
			v[(*n)++] = db;
	}
	return v;
}

void
conf_check_titles(struct conf_parse *p, const struct conf_sec *first,
    enum conf_block b)
{
	const struct conf_sec *s, *e;

	for (s = conf_sec_next(first, b); s != NULL;
	     s = conf_sec_next(s->next, b)) {
		for (e = conf_sec_next(first, b); e != s;
		     e = conf_sec_next(e->next, b))
			if (strcmp(e->title, s->title) == 0)
				break;
		if (e != s)
			conf_complain(p, s->line, "%s \"%s\" is defined twice, "
			    "expected once (first on line %d)",
			    conf_block_name(b), s->title, e->line);
	}
}
