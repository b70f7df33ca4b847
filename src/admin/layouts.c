/* SPDX-License-Identifier: PostgreSQL
 *
 * Jobs for the layout thread, one at a time, and their results.
 *
 * Runs on the control thread; login runs on the layout thread, with
 * references of the job's own.  The last report is guarded by a lock of its
 * own.
 */
#include "admin/layouts.h"

#include <stdlib.h>
#include <string.h>

#include "admin/setup.h"
#include "base/log.h"

/* So often catalogs are read while prepared transactions wait for their end. */
#define LAYOUTS_SOON (10 * NSEC_PER_SEC)

static const char layouts_startup[] =
    "application_name\0pgsluice layout\0DateStyle\0ISO\0TimeZone\0UTC\0"
    "search_path\0";

struct layouts_waiter {
	STAILQ_ENTRY(layouts_waiter) next;
	void (*fn)(void *arg, struct layouts_report *r);
	void *arg;
};
STAILQ_HEAD(layouts_waiters, layouts_waiter);

struct layouts_job {
	struct layouts_report *report;
	struct session_setup setup;
	struct layouts_waiters waiters;
};

static struct {
	struct control *c;
	/* The configuration without layouts, and the one it was made from. */
	struct conf *bare, *whole;
	bool busy;
	bool again;      /* another one is wanted after this */
	bool check_rows; /* ... with that */
	struct layouts_waiters waiters; /* of that one */
	nsec_t ended;
	bool unsettled;  /* prepared transactions may be left, see LAYOUTS_SOON */
	char *said;      /* what the log was told last */
	pthread_mutex_t lock;
	struct layouts_report *report; /* under lock */
	struct layouts_job *finished;  /* under lock: for the control thread */
} layouts = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ------------------------------------------------------------ reports */

void
layouts_report_ref(struct layouts_report *r)
{
	atomic_fetch_add(&r->refs, 1);
}

void
layouts_report_unref(struct layouts_report **rp)
{
	struct layouts_report *r = *rp;

	*rp = NULL;
	if (r == NULL || atomic_fetch_sub(&r->refs, 1) > 1)
		return;
	layout_results_free(&r->job);
	conf_unref(&r->job.conf);
	free(r);
}

struct layouts_report *
layouts_report(void)
{
	struct layouts_report *r;

	pthread_mutex_lock(&layouts.lock);
	r = layouts.report;
	if (r != NULL)
		layouts_report_ref(r);
	pthread_mutex_unlock(&layouts.lock);
	return r;
}

static void
layouts_set_report(struct layouts_report *r)
{
	struct layouts_report *old;

	pthread_mutex_lock(&layouts.lock);
	old = layouts.report;
	layouts.report = r;
	pthread_mutex_unlock(&layouts.lock);
	layouts_report_unref(&old);
}

/* ------------------------------------------------------------ results */

/* What is to be in force of this result: new, or what is now. */
static const struct layout *
layouts_pick(const struct layout_result *r, const struct conf *now)
{
	if (r->good || r->s.layout.refuted)
		return &r->s.layout;
	return conf_layout_find(conf_layouts_of(now), r->s.layout.origin);
}

/* It says something that is not configured. */
static bool
layouts_is_news(const struct layout *l, const struct conf_table *by_hand)
{
	return l->refuted || l->n_shards > 0 ||
	    (l->n_keys > 0 && by_hand->n_keys == 0) ||
	    (l->time_column != NULL && by_hand->time_column == NULL);
}

/* Those that the catalogs vouch for, or did when they could be asked last. */
static void
layouts_collect_tag_keys(const struct layout_job *j, const struct conf *now,
    struct conf_layouts *l)
{
	const struct layout_tag_result *r;
	const struct layout_tag_key *old;
	struct layout_tag_key key;
	size_t i;

	for (i = 0; i < j->conf->n_tag_keys; i++) {
		r = &j->tag_results[i];
		key.origin = conf_tag_key_origin(j->conf,
		    &j->conf->tag_keys[i]);
		key.type = r->type;
		old = r->not_asked ? conf_tag_key_vouched(
		    conf_layouts_of(now), key.origin) : NULL;
		if (old != NULL)
			key = *old;
		if (r->good || old != NULL)
			l->tag_keys[l->n_tag_keys++] = key;
	}
}

static struct conf_layouts *
layouts_collect(const struct layout_job *j, const struct conf *now)
{
	struct conf_layouts *l = conf_layouts_new(j->n_results,
	    j->conf->n_tag_keys);
	const struct layout *from;
	size_t i, n = 0;

	for (i = 0; i < j->n_results; i++) {
		from = layouts_pick(&j->results[i], now);
		if (from != NULL && layouts_is_news(from,
		    j->results[i].s.table))
			layout_copy(&l->v[n++], from);
	}
	l->n = n;
	layouts_collect_tag_keys(j, now, l);
	return l;
}

static void
layouts_publish(const struct layout_job *j)
{
	const struct conf *now = layouts.c->setup.conf;
	struct conf_layouts *l = layouts_collect(j, now);
	struct session_setup fresh;
	struct conf_diag d = { .n = 0 };
	struct conf *conf;

	if (!conf_layouts_eq(l, conf_layouts_of(now))) {
		conf = conf_with_layouts(now, l, &d);
		if (conf != NULL) {
			setup_with(&layouts.c->setup, conf, &fresh);
			control_use(layouts.c, &fresh);
			log_info("layout", "msg=\"new layouts are in force\" "
			    "generation=%llu",
			    (unsigned long long)conf->generation);
		} else {
			log_error("layout", "msg=\"layouts cannot be put in "
			    "force\" error=%s", log_escs(d.msg[0]));
		}
		conf_diag_fini(&d);
	}
	conf_layouts_unref(&l);
}

/* ------------------------------------------------------------ jobs */

/* On the layout thread. */
static bool
layouts_login(struct layout_job *lj, const char *conninfo, char ***keywords,
    char ***values)
{
	const struct layouts_job *j = lj->arg;

	return setup_login(&j->setup, conninfo, layouts_startup,
	    sizeof(layouts_startup), keywords, values);
}

/* Whoever still waits is told of nothing. */
static void
layouts_answer(struct layouts_waiters *all, struct layouts_report *r)
{
	struct layouts_waiter *w;

	while ((w = STAILQ_FIRST(all)) != NULL) {
		STAILQ_REMOVE_HEAD(all, next);
		w->fn(w->arg, r);
		free(w);
	}
}

static void
layouts_job_free(struct layouts_job *j)
{
	layouts_answer(&j->waiters, NULL);
	layouts_report_unref(&j->report);
	setup_release(&j->setup);
	free(j);
}

static void layouts_submit(void);

static struct layouts_job *
layouts_finished(struct layouts_job *j)
{
	struct layouts_job *before;

	pthread_mutex_lock(&layouts.lock);
	before = layouts.finished;
	layouts.finished = j;
	pthread_mutex_unlock(&layouts.lock);
	return before;
}

/* Rows have come to be seen that results kept so far lack. */
static void
layouts_flush_run(struct worker *w, struct message *m)
{
	free(m);
	session_flush_cache(w);
}

static void
layouts_flush(struct control *c)
{
	struct message *m = x_calloc(1, sizeof(*m));

	m->run = layouts_flush_run;
	worker_post(c->workers[0], m);
}

static void
layouts_done_run(struct control *c, struct control_message *m)
{
	struct layouts_job *j = layouts_finished(NULL);
	struct layouts_report *r = j->report;

	free(m);
	layouts.busy = false;
	layouts.ended = clock_mono();
	/* A stop makes errors of what was under way. */
	if (c->state == CONTROL_SERVING) {
		r->read_at = clock_wall();
		layouts_log(&r->job, &layouts.said);
		layouts_publish(&r->job);
		if (r->job.committed > 0)
			layouts_flush(c);
		layouts.unsettled = r->job.unsettled;
		layouts_report_ref(r);
		layouts_set_report(r);
	}
	layouts_answer(&j->waiters, r);
	layouts_job_free(j);
	if (layouts.again)
		layouts_submit();
}

/* On the layout thread. The loop of the control thread may have ended. */
static void
layouts_done(struct layout_job *lj)
{
	struct control_message *m = x_calloc(1, sizeof(*m));

	CHECK(layouts_finished(lj->arg) == NULL);
	m->run = layouts_done_run;
	control_post(layouts.c, m);
}

/* The configuration in force without its layouts: what was written by hand. */
static struct conf *
layouts_bare(void)
{
	struct conf *now = layouts.c->setup.conf;
	struct conf_diag d;

	if (layouts.whole == now)
		return layouts.bare;
	conf_unref(&layouts.whole);
	conf_unref(&layouts.bare);
	layouts.bare = conf_bare(now, &d);
	if (layouts.bare == NULL)
		log_error("layout", "msg=\"the configuration cannot be read "
		    "again\" error=%s", log_escs(d.msg[0]));
	conf_diag_fini(&d);
	if (layouts.bare != NULL) {
		layouts.whole = now;
		conf_ref(now);
	}
	return layouts.bare;
}

static void
layouts_submit(void)
{
	struct conf *bare = layouts_bare();
	struct layouts_job *j;

	layouts.again = false;
	layouts.ended = clock_mono();
	if (bare == NULL)
		return;
	j = x_calloc(1, sizeof(*j));
	j->report = x_calloc(1, sizeof(*j->report));
	atomic_init(&j->report->refs, 1);
	setup_copy(&j->setup, &layouts.c->setup);
	j->report->job = (struct layout_job){ .conf = bare, .arg = j,
		.login = layouts_login, .done = layouts_done,
		.check_rows = layouts.check_rows };
	conf_ref(bare);
	STAILQ_INIT(&j->waiters);
	STAILQ_CONCAT(&j->waiters, &layouts.waiters);
	layouts.check_rows = false;
	layouts.busy = layout_submit(&j->report->job);
	if (!layouts.busy)
		layouts_job_free(j);
}

static bool
layouts_are_wanted(void)
{
	const struct conf *c = layouts.c->setup.conf;
	size_t i, k;

	for (i = 0; i < c->n_tables; i++)
		for (k = 0; k < c->tables[i].n_variants; k++)
			if (c->tables[i].variants[k].kind != VARIANT_PLAIN)
				return true;
	return c->n_tag_keys > 0;
}

void
layouts_read(void)
{
	if (!layouts_are_wanted())
		return;
	if (layouts.busy)
		layouts.again = true;
	else
		layouts_submit();
}

void
layouts_read_for(bool check_rows,
    void (*fn)(void *arg, struct layouts_report *r), void *arg)
{
	struct layouts_waiter *w = x_calloc(1, sizeof(*w));

	w->fn = fn;
	w->arg = arg;
	STAILQ_INSERT_TAIL(&layouts.waiters, w, next);
	layouts.check_rows |= check_rows;
	if (layouts.busy)
		layouts.again = true;
	else
		layouts_submit();
}

const struct conf *
layouts_conf(void)
{
	return layouts.c->setup.conf;
}

void
layouts_tick(nsec_t now)
{
	nsec_t every = layouts.c->setup.conf->layout_interval;

	if (layouts.unsettled && (every == 0 || every > LAYOUTS_SOON))
		every = LAYOUTS_SOON;
	if (every > 0 && !layouts.busy && now - layouts.ended >= every)
		layouts_read();
}

/* ------------------------------------------------------------ doubts */

static void
layouts_doubt_run(struct control *c, struct control_message *m)
{
	free(m);
	if (c->state == CONTROL_SERVING)
		layouts_read();
}

/* Any thread. */
static void
layouts_doubted(void)
{
	struct control_message *m = x_calloc(1, sizeof(*m));

	m->run = layouts_doubt_run;
	control_post(layouts.c, m);
}

/* ------------------------------------------------------------ life */

void
layouts_init(struct control *c)
{
	layouts.c = c;
	STAILQ_INIT(&layouts.waiters);
	layout_on_doubt(layouts_doubted);
}

void
layouts_fini(void)
{
	struct layouts_job *j = layouts_finished(NULL);

	layout_on_doubt(NULL);
	if (j != NULL)
		layouts_job_free(j);
	layouts_answer(&layouts.waiters, NULL);
	layouts_set_report(NULL);
	conf_unref(&layouts.bare);
	conf_unref(&layouts.whole);
	free(layouts.said);
	layouts.said = NULL;
}
