/* SPDX-License-Identifier: PostgreSQL
 *
 * The layout thread: takes jobs from a queue and asks servers.
 *
 * The queue is guarded by one lock, which is not held while a server is asked.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/ident.h"
#include "layout/call.h"
#include "layout/job.h"
#include "layout/resolve.h"
#include "layout/tag_key.h"

#define DOUBT_EVERY NSEC_PER_SEC
#define CHECK_TIME (3600 * NSEC_PER_SEC) /* for the rows of one shard */

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
job_check_rows(struct layout_result *r, size_t place, struct call *c)
{
	struct survey_place *p = &r->s.places[place];
	nsec_t timeout = c->a.timeout;
	int64_t one;
	char *sql;

	if (p->modulus == 0 || r->s.layout.n_keys == 0) /* of no hash */
		return;
	sql = job_rows_query(&r->s, p);
	c->a.timeout = CHECK_TIME;
	if (!c->good || !ask_number(&c->a, sql, &r->misplaced[place]))
		survey_note(&r->s, "%s on backend \"%s\": its rows cannot be "
		    "checked: %s", p->relation, p->backend, c->a.error);
	c->a.timeout = timeout;
	c->good = c->good && ask_number(&c->a, "ROLLBACK; SELECT 1", &one);
	free(sql);
}

/* ------------------------------------------------------------ surveys */

static struct call *
job_call_place(struct calls *all, const struct survey_place *p)
{
	struct call *c;
	char *made;

	if (p->conninfo == NULL)
		return calls_to(all, conf_find_backend(all->job->conf,
		    p->backend)->conninfo);
	made = conf_whole_conninfo(all->job->conf, p->conninfo);
	c = calls_to(all, made);
	free(made);
	return c;
}

static void
job_ask_place(struct calls *all, struct layout_result *r, size_t i)
{
	struct survey_place *p = &r->s.places[i];
	struct call *c = job_call_place(all, p);

	if (!p->local)
		survey_found(&r->s, i, call_facts(c, p->relation, &p->found) ?
		    NULL : c->a.error);
	if (all->job->check_rows && (p->local || p->found.n > 0))
		job_check_rows(r, i, c);
}

static void
job_survey(struct calls *all, struct layout_result *r)
{
	struct survey *s = &r->s;
	char *relation = survey_relation(s);
	struct call *c = calls_to(all, s->variant->backend->conninfo);
	size_t i;

	r->not_asked = c->nobody;
	if (!call_facts(c, relation, &s->facts)) {
		survey_error(s, "backend \"%s\": cannot be asked: %s",
		    s->variant->backend->name, c->a.error);
	} else if (survey_places(s)) {
		r->misplaced = x_calloc(s->n_places, sizeof(*r->misplaced));
		for (i = 0; i < s->n_places; i++)
			r->misplaced[i] = s->places[i].prepared = -1;
		for (i = 0; i < s->n_places; i++)
			if (!s->places[i].local || all->job->check_rows)
				job_ask_place(all, r, i);
	}
	free(relation);
	r->good = survey_end(s);
}

static void
job_run(struct layout_job *j)
{
	const struct conf *c = j->conf;
	struct calls all = { .job = j, .stopping = &layout.stopping };
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
			job_survey(&all, &j->results[j->n_results++]);
		}
	j->tag_results = x_calloc(c->n_tag_keys, sizeof(*j->tag_results));
	for (i = 0; i < c->n_tag_keys; i++)
		tag_key_ask(&all, &c->tag_keys[i], &j->tag_results[i]);
	resolve_all(&all);
	calls_close(&all);
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
	for (i = 0; j->tag_results != NULL && i < j->conf->n_tag_keys; i++)
		free(j->tag_results[i].why);
	free(j->tag_results);
	j->tag_results = NULL;
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
layout_doubt(struct slice sqlstate)
{
	static const char *const moved[] = { "42P01", "3F000", "23514" };
	nsec_t now = clock_mono(), last = atomic_load(&layout.doubted);
	bool is = false;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(moved); i++)
		is |= slice_eq_str(sqlstate, moved[i]);
	if (!is || layout.on_doubt == NULL ||
	    (last != 0 && now - last < DOUBT_EVERY))
		return;
	if (atomic_compare_exchange_strong(&layout.doubted, &last, now))
		layout.on_doubt();
}

void
layout_left(void)
{
	if (layout.on_doubt != NULL)
		layout.on_doubt();
}
