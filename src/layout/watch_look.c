/* SPDX-License-Identifier: PostgreSQL
 *
 * The questions of one look, and what their answers mean.
 *
 * What is found counts only if the digest is the same before and after it was
 * read.  A time counts from before its question was sent.
 */
#include "layout/watch_look.h"

#include <stdlib.h>
#include <string.h>

#include "layout/kin.h"

#define LOOK_READS_MAX 5 /* of catalogs that change while they are read */
#define LOOK_READ_TIME (30 * NSEC_PER_SEC)
#define LOOK_NAMES_MAX (16u * 1024 * 1024)

void
watch_look_init(struct watch_look *w, struct vouch *v,
    const atomic_bool *stopping)
{
	*w = (struct watch_look){ .vouch = v };
	w->a.stopping = stopping;
}

static void
look_close(struct watch_look *w)
{
	ask_close(&w->a);
	w->open = false;
}

void
watch_look_fini(struct watch_look *w)
{
	look_close(w);
	conf_deps_names_free(&w->names);
}

static bool
look_open(struct watch_look *w, const struct watch_setup *s)
{
	char **keywords = NULL, **values = NULL;
	bool got;

	if (w->open)
		return true;
	got = s->login(s, w->vouch->conninfo, &keywords, &values);
	w->a.timeout = s->conf->server_connect_timeout;
	w->open = ask_login(&w->a, got, keywords, values);
	if (!w->open)
		ask_close(&w->a);
	return w->open;
}

/* ------------------------------------------------------------ digests */

static bool
look_quote(struct buf *b, const char *name)
{
	bool ok = buf_append(b, "\"", 1);

	for (; ok && *name != '\0'; name++)
		ok = ((*name != '"' && *name != '\\') ||
		    buf_append(b, "\\", 1)) && buf_append(b, name, 1);
	return ok && buf_append(b, "\"", 1);
}

/* As text[] is written; malloc'ed. */
static char *
look_names(const struct conf_strings *names)
{
	struct buf b;
	bool ok;
	char *out;
	size_t i;

	buf_init(&b, LOOK_NAMES_MAX);
	ok = buf_append(&b, "{", 1);
	for (i = 0; ok && i < names->n; i++)
		ok = (i == 0 || buf_append(&b, ",", 1)) &&
		    look_quote(&b, names->v[i]);
	CHECK(ok && buf_append(&b, "}", 2)); /* as long as the configuration */
	out = x_strdup(buf_head(&b));
	buf_reset(&b);
	return out;
}

struct look_digest {
	char digest[40], settings[64];
	int64_t loaded;
};

static bool
look_digest(struct watch_look *w, nsec_t timeout, struct look_digest *out)
{
	char *names = look_names(&w->names);
	const char *const values[] = { names };
	PGresult *r;
	bool ok;

	w->a.timeout = timeout;
	r = ask_rows(&w->a, kin_digest_query, 1, values, 3);
	free(names);
	if (r == NULL)
		return false;
	ok = PQntuples(r) == 1 && PQgetlength(r, 0, 0) > 0 &&
	    PQgetlength(r, 0, 0) < (int)sizeof(out->digest) &&
	    PQgetlength(r, 0, 1) < (int)sizeof(out->settings);
	if (ok) {
		strcpy(out->digest, PQgetvalue(r, 0, 0));
		strcpy(out->settings, PQgetvalue(r, 0, 1));
		out->loaded = strtoll(PQgetvalue(r, 0, 2), NULL, 10);
	} else {
		snprintf(w->a.error, sizeof(w->a.error), "unexpected answer "
		    "about the catalogs");
	}
	PQclear(r);
	return ok;
}

/* ------------------------------------------------------------ reading */

static bool
look_take(struct watch_look *w, const PGresult *r, struct kin *out)
{
	const char *cells[KIN_COLUMNS];
	int i, k;

	for (i = 0; i < PQntuples(r); i++) {
		for (k = 0; k < KIN_COLUMNS; k++)
			cells[k] = PQgetisnull(r, i, k) ? NULL :
			    PQgetvalue(r, i, k);
		if (!kin_add(out, cells)) {
			snprintf(w->a.error, sizeof(w->a.error), "over %u "
			    "relations, or %u links of them, hang together "
			    "with the tables of cache rules", KIN_MAX,
			    KIN_EDGES_MAX);
			return false;
		}
	}
	return true;
}

/* NULL: see error; and full: it was too much. */
static struct deps *
look_relations_of(struct watch_look *w, const struct conf *c,
    const struct conf_backend *b, const struct conf_strings *asked, bool *full)
{
	struct kin found = { .all = conf_deps_names_all(asked) };
	char *names = look_names(asked);
	const char *const values[] = { names };
	struct deps *d = NULL;
	PGresult *r;

	w->a.timeout = LOOK_READ_TIME;
	r = ask_rows(&w->a, kin_query, 1, values, KIN_COLUMNS);
	free(names);
	if (r == NULL)
		return NULL;
	if (look_take(w, r, &found))
		d = kin_close(&found, c, b);
	*full = d == NULL;
	PQclear(r);
	kin_fini(&found);
	return d;
}

/* If all are too many, then those that rules name. */
static struct deps *
look_relations(struct watch_look *w, const struct conf *c,
    const struct conf_backend *b)
{
	struct conf_strings asked = { .n = 0 }, named = { .n = 0 };
	bool full = false;
	struct deps *d;
	size_t i;

	conf_deps_names(c, b, &asked);
	d = look_relations_of(w, c, b, &asked, &full);
	if (full && conf_deps_names_all(&asked)) {
		for (i = 0; i < asked.n; i++)
			if (strcmp(asked.v[i], "*") != 0)
				conf_deps_names_add(&named, asked.v[i]);
		d = look_relations_of(w, c, b, &named, &full);
		conf_deps_names_free(&named);
		if (d != NULL)
			d->partial = x_strdup("there are too many relations, "
			    "links, views or functions");
	}
	conf_deps_names_free(&asked);
	return d;
}

/* Of the tables that are read through those that rules name. false: they are
 * the same as before. */
static bool
look_rename(struct watch_look *w, const struct deps *d, bool all)
{
	struct conf_strings names = { .n = 0 };
	const struct deps_names *l;
	bool same;
	size_t i, k;

	if (all)
		conf_deps_names_add(&names, "*");
	for (i = 0; i < d->n && !all; i++)
		for (k = 0, l = &d->v[i].reads; k < l->n; k++)
			conf_deps_names_add(&names, l->v[k]);
	same = names.n == w->names.n;
	for (i = 0; i < names.n && same; i++)
		same = strcmp(names.v[i], w->names.v[i]) == 0;
	conf_deps_names_free(&w->names);
	w->names = names;
	return !same;
}

/* What is found, with the digest it was found under; NULL: see error. */
static struct deps *
look_read(struct watch_look *w, const struct conf *c,
    const struct conf_backend *b, nsec_t timeout, struct look_digest *out)
{
	struct conf_strings asked = { .n = 0 };
	struct look_digest before;
	struct deps *d;
	unsigned i;
	bool all;

	conf_deps_names(c, b, &asked);
	all = conf_deps_names_all(&asked);
	conf_deps_names_free(&asked);
	for (i = 0; i < LOOK_READS_MAX; i++) {
		if (!look_digest(w, timeout, &before))
			return NULL;
		d = look_relations(w, c, b);
		if (d == NULL)
			return NULL;
		w->reads++;
		if (!look_rename(w, d, all)) {
			if (!look_digest(w, timeout, out)) {
				deps_unref(&d);
				return NULL;
			}
			if (strcmp(before.digest, out->digest) == 0)
				return d;
		}
		deps_unref(&d);
	}
	snprintf(w->a.error, sizeof(w->a.error), "the catalogs change while "
	    "they are read");
	return NULL;
}

/* ------------------------------------------------------------ a look */

static bool
look_learn(struct watch_look *w, const struct watch_setup *s,
    const struct conf_backend *b, nsec_t timeout, struct hash128 question)
{
	struct look_digest now;
	struct deps *d = look_read(w, s->conf, b, timeout, &now);

	if (d == NULL)
		return false;
	w->question = question;
	w->version = d->version = vouch_version();
	memcpy(d->digest, now.digest, sizeof(d->digest));
	memcpy(w->digest, now.digest, sizeof(w->digest));
	w->relations = d->n;
	snprintf(w->partial, sizeof(w->partial), "%s", d->partial != NULL ?
	    d->partial : "");
	s->found(d);
	return true;
}

/* Settings that a server begins with are others, or may be. A connection's
 * own time of reading the configuration is never before the server's. */
static bool
look_settings_moved(const struct watch_look *w, const struct look_digest *now)
{
	return strcmp(w->settings, now->settings) != 0 ||
	    now->loaded > w->loaded;
}

static bool
look_ask(struct watch_look *w, const struct watch_setup *s,
    const struct conf_backend *b, nsec_t asked)
{
	nsec_t timeout = s->conf->revocation_bound / 2;
	struct hash128 question = conf_deps_question(s->conf, b);
	struct look_digest now;
	bool moved, settings;

	if (!look_open(w, s) || !look_digest(w, timeout, &now))
		return false;
	w->took = clock_mono() - asked;
	moved = !w->known || strcmp(w->digest, now.digest) != 0;
	settings = w->known && look_settings_moved(w, &now);
	/* What was written while nobody looked may have had other effects than
	 * those known. */
	if (w->known && (moved || settings ||
	    atomic_load(&w->vouch->until) <= asked)) {
		w->moves++;
		vouch_end(w->vouch);
		s->moved(b->name, settings);
	}
	memcpy(w->digest, now.digest, sizeof(w->digest));
	memcpy(w->settings, now.settings, sizeof(w->settings));
	if (!w->known || now.loaded > w->loaded)
		w->loaded = now.loaded;
	w->known = true;
	if (!moved && w->version != 0 && hash_eq(question, w->question))
		return true;
	w->version = 0;
	return look_learn(w, s, b, timeout, question);
}

bool
watch_look(struct watch_look *w, const struct watch_setup *s)
{
	const struct conf_backend *b = conf_find_backend(s->conf,
	    w->vouch->backend);
	uint64_t doubts = atomic_load(&vouch_doubts.count);
	nsec_t asked = clock_mono();

	if (b == NULL || strcmp(b->conninfo, w->vouch->conninfo) != 0) {
		snprintf(w->a.error, sizeof(w->a.error), "no longer "
		    "configured");
		return false;
	}
	w->looks++;
	if (look_ask(w, s, b, asked)) {
		vouch_give(w->vouch, w->version, doubts,
		    asked + s->conf->revocation_bound);
		return true;
	}
	look_close(w);
	return false;
}
