/* SPDX-License-Identifier: PostgreSQL
 *
 * The layout thread: takes jobs from a queue and asks servers.
 *
 * The queue is guarded by one lock, which is not held while a server is asked.
 */
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/ident.h"
#include "layout/ask.h"
#include "layout/job.h"

#define DOUBT_EVERY NSEC_PER_SEC

static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	STAILQ_HEAD(, layout_job) queue; /* under lock */
	bool started;
	atomic_bool stopping;
	void (*on_doubt)(void);
	_Atomic nsec_t doubted;
} layout = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.more = PTHREAD_COND_INITIALIZER };

/* ------------------------------------------------------------ asking */

static void
job_wipe(char **v)
{
	size_t i;

	for (i = 0; v != NULL && v[i] != NULL; i++) {
		OPENSSL_cleanse(v[i], strlen(v[i]));
		free(v[i]);
	}
	free(v);
}

/* false: a->error says why, or there is nobody to log in as (*nobody). */
static bool
job_open(struct layout_job *j, struct ask *a, const char *conninfo,
    bool *nobody)
{
	char **keywords = NULL, **values = NULL;
	bool ok;

	*a = (struct ask){ .stopping = &layout.stopping,
		.timeout = j->conf->server_connect_timeout };
	*nobody = !j->login(j, conninfo, &keywords, &values);
	if (*nobody) {
		snprintf(a->error, sizeof(a->error), "nobody to log in as: "
		    "expected a user in conninfo, layout_user or auth_user");
		return false;
	}
	ok = ask_open(a, (const char *const *)keywords,
	    (const char *const *)values);
	job_wipe(keywords);
	job_wipe(values);
	return ok;
}

/* ------------------------------------------------------------ rows */

static bool
job_list(struct buf *b, const char *name, const char *type)
{
	return (buf_len(b) == 0 || buf_append(b, ", ", 2)) &&
	    buf_append(b, name, strlen(name)) && buf_append(b, " ", 1) &&
	    buf_append(b, type, strlen(type));
}

/* Whether each row's key has the remainder is asked of the shard itself: of a
 * table that is divided like the whole one and holds nothing. */
static char *
job_rows_query(const struct survey *s, const struct survey_place *p)
{
	const struct fact *top = s->hashed;
	const struct layout *l = &s->layout;
	char *name, *type, *sql;
	struct buf keys, columns;
	bool ok = true;
	size_t i, size;

	buf_init(&keys, 65536);
	buf_init(&columns, 65536);
	for (i = 0; i < l->n_keys; i++) {
		name = ident_name_sql(l->keys[i].column);
		type = facts_line(top->key_types, i);
		ok = ok && job_list(&keys, name, "") &&
		    job_list(&columns, name, type);
		free(name);
		free(type);
	}
	ok = ok && buf_append(&keys, "", 1) && buf_append(&columns, "", 1);
	CHECK(ok); /* names of PostgreSQL are short */
	size = buf_len(&columns) + 2 * buf_len(&keys) + strlen(p->relation) +
	    512;
	sql = x_malloc(size);
	snprintf(sql, size, "BEGIN; CREATE TEMP TABLE pgsluice_check (%s) "
	    "PARTITION BY HASH (%s) ON COMMIT DROP; SELECT count(*) FROM %s "
	    "WHERE NOT satisfies_hash_partition("
	    "'pg_temp.pgsluice_check'::regclass, %u, %u, %s)",
	    buf_head(&columns), buf_head(&keys), p->relation, p->modulus,
	    p->remainder, buf_head(&keys));
	buf_reset(&keys);
	buf_reset(&columns);
	return sql;
}

static void
job_check_rows(struct layout_result *r, size_t place, struct ask *a)
{
	struct survey_place *p = &r->s.places[place];
	char *sql;

	if (p->modulus == 0 || r->s.layout.n_keys == 0) /* of no hash */
		return;
	sql = job_rows_query(&r->s, p);
	a->timeout = 3600 * NSEC_PER_SEC;
	if (!ask_number(a, sql, &r->misplaced[place]))
		survey_note(&r->s, "%s on backend \"%s\": its rows cannot be "
		    "checked: %s", p->relation, p->backend, a->error);
	free(sql);
}

/* ------------------------------------------------------------ surveys */

static const char *
job_conninfo(const struct layout_job *j, const struct survey_place *p,
    char **made)
{
	*made = NULL;
	if (p->conninfo == NULL)
		return conf_find_backend(j->conf, p->backend)->conninfo;
	*made = conf_whole_conninfo(j->conf, p->conninfo);
	return *made;
}

static void
job_ask_place(struct layout_job *j, struct layout_result *r, size_t i)
{
	struct survey_place *p = &r->s.places[i];
	const char *conninfo, *why = NULL;
	struct ask a;
	char *made;
	bool nobody;

	conninfo = job_conninfo(j, p, &made);
	if (!job_open(j, &a, conninfo, &nobody) ||
	    !ask_facts(&a, p->relation, &p->found))
		why = a.error;
	survey_found(&r->s, i, why);
	if (j->check_rows && why == NULL && p->found.n > 0)
		job_check_rows(r, i, &a);
	ask_close(&a);
	free(made);
}

static void
job_ask_places(struct layout_job *j, struct layout_result *r, struct ask *home)
{
	size_t i;

	r->misplaced = x_calloc(r->s.n_places, sizeof(*r->misplaced));
	for (i = 0; i < r->s.n_places; i++) {
		r->misplaced[i] = -1;
		if (!r->s.places[i].local)
			job_ask_place(j, r, i);
		else if (j->check_rows)
			job_check_rows(r, i, home);
	}
}

static void
job_survey(struct layout_job *j, struct layout_result *r)
{
	struct survey *s = &r->s;
	char *relation = survey_relation(s);
	struct ask a;

	if (!job_open(j, &a, s->variant->backend->conninfo, &r->not_asked) ||
	    !ask_facts(&a, relation, &s->facts))
		survey_error(s, "backend \"%s\": cannot be asked: %s",
		    s->variant->backend->name, a.error);
	else if (survey_places(s))
		job_ask_places(j, r, &a);
	ask_close(&a);
	free(relation);
	r->good = survey_end(s);
}

static void
job_run(struct layout_job *j)
{
	const struct conf *c = j->conf;
	const struct conf_table *t;
	size_t i, n = 0;

	for (t = c->tables; t < c->tables + c->n_tables; t++)
		n += t->n_variants;
	j->results = x_calloc(n, sizeof(*j->results));
	for (t = c->tables; t < c->tables + c->n_tables; t++)
		for (i = 0; i < t->n_variants; i++) {
			if (t->variants[i].kind == VARIANT_PLAIN)
				continue;
			survey_begin(&j->results[j->n_results].s, c, t,
			    &t->variants[i]);
			job_survey(j, &j->results[j->n_results++]);
		}
	j->done(j);
}

void
layout_results_free(struct layout_job *j)
{
	size_t i;

	for (i = 0; i < j->n_results; i++) {
		survey_fini(&j->results[i].s);
		free(j->results[i].misplaced);
	}
	free(j->results);
	j->results = NULL;
	j->n_results = 0;
}

/* ------------------------------------------------------------ the thread */

static void *
layout_run(void *arg PG_UNUSED)
{
	struct layout_job *j;

	pthread_mutex_lock(&layout.lock);
	for (;;) {
		j = STAILQ_FIRST(&layout.queue);
		if (j == NULL && atomic_load(&layout.stopping))
			break;
		if (j == NULL) {
			pthread_cond_wait(&layout.more, &layout.lock);
			continue;
		}
		STAILQ_REMOVE_HEAD(&layout.queue, next);
		pthread_mutex_unlock(&layout.lock);
		job_run(j);
		pthread_mutex_lock(&layout.lock);
	}
	pthread_mutex_unlock(&layout.lock);
	return NULL;
}

void
layout_start(void)
{
	STAILQ_INIT(&layout.queue);
	atomic_store(&layout.stopping, false);
	CHECK(pthread_create(&layout.thread, NULL, layout_run, NULL) == 0);
	layout.started = true;
}

void
layout_stop(void)
{
	if (!layout.started)
		return;
	pthread_mutex_lock(&layout.lock);
	atomic_store(&layout.stopping, true);
	pthread_cond_signal(&layout.more);
	pthread_mutex_unlock(&layout.lock);
	CHECK(pthread_join(layout.thread, NULL) == 0);
	layout.started = false;
}

bool
layout_submit(struct layout_job *j)
{
	bool taken;

	pthread_mutex_lock(&layout.lock);
	taken = !atomic_load(&layout.stopping);
	if (taken) {
		STAILQ_INSERT_TAIL(&layout.queue, j, next);
		pthread_cond_signal(&layout.more);
	}
	pthread_mutex_unlock(&layout.lock);
	return taken;
}

/* ------------------------------------------------------------ doubts */

void
layout_on_doubt(void (*fn)(void))
{
	layout.on_doubt = fn;
}

void
layout_doubt(void)
{
	nsec_t now = clock_mono(), last = atomic_load(&layout.doubted);

	if (layout.on_doubt == NULL || (last != 0 && now - last < DOUBT_EVERY))
		return;
	if (atomic_compare_exchange_strong(&layout.doubted, &last, now))
		layout.on_doubt();
}
