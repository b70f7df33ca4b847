/* SPDX-License-Identifier: PostgreSQL
 *
 * Between watches and the configuration in force.
 *
 * Runs on the control thread; what watches call runs on theirs, with a setup
 * of their own.  What they have found is handed over under a lock.
 */
#include "admin/watches.h"

#include <stdlib.h>
#include <string.h>

#include "admin/layouts.h"
#include "admin/setup.h"
#include "backend/pool.h"
#include "base/log.h"
#include "cache/tags.h"
#include "layout/watch.h"

/* No statement of it is to be taken for an application's, nor to hang. */
static const char watches_startup[] =
    "application_name\0pgsluice watch\0client_encoding\0UTF8\0"
    "DateStyle\0ISO\0TimeZone\0UTC\0search_path\0";

struct watches_setup {
	struct watch_setup base;
	struct session_setup setup;
};

static struct {
	struct control *c;
	struct conf *followed;   /* by the watches; our reference */
	pthread_mutex_t lock;
	struct deps **found;     /* under lock: by backend, the last ones */
	size_t n;
	bool posted;             /* under lock */
} watches = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ------------------------------------------------------------ for watches */

static bool
watches_login(const struct watch_setup *base, const char *conninfo,
    char ***keywords, char ***values)
{
	const struct watches_setup *s =
	    (const struct watches_setup *)(const void *)base;

	return setup_login(&s->setup, conninfo, watches_startup,
	    sizeof(watches_startup), keywords, values);
}

static bool
watches_fits(const char *backend, void *arg)
{
	return strcmp(backend, arg) == 0;
}

static void
watches_moved(const char *backend, bool settings)
{
	char *name = x_strdup(backend);

	tag_bump(TAG_ALL);
	if (settings)
		pool_reconnect(watches_fits, name);
	log_info("watch", "msg=\"%s\" backend=%s", settings ?
	    "settings of roles or databases have changed, servers are "
	    "replaced" : "catalogs have changed or were out of sight, "
	    "results end", log_escs(name));
	free(name);
}

static void watches_run(struct control *c, struct control_message *m);

static void
watches_found(struct deps *d)
{
	struct control_message *m = NULL;
	struct deps *old = NULL;
	size_t i;

	pthread_mutex_lock(&watches.lock);
	for (i = 0; i < watches.n && strcmp(watches.found[i]->backend,
	    d->backend) != 0; i++)
		;
	if (i == watches.n) {
		watches.found = realloc(watches.found,
		    ++watches.n * sizeof(watches.found[0]));
		CHECK(watches.found != NULL);
	} else {
		old = watches.found[i];
	}
	watches.found[i] = d;
	if (!watches.posted) {
		m = x_calloc(1, sizeof(*m));
		m->run = watches_run;
		watches.posted = true;
	}
	pthread_mutex_unlock(&watches.lock);
	deps_unref(&old);
	if (m != NULL)
		control_post(watches.c, m);
}

static void
watches_release(struct watch_setup *base)
{
	struct watches_setup *s = (struct watches_setup *)(void *)base;

	setup_release(&s->setup);
	free(s);
}

/* ------------------------------------------------------------ in force */

/* References to what was found of backends that are watched. */
static size_t
watches_collect(const struct conf *c, struct deps ***out)
{
	size_t n = 0, i;

	pthread_mutex_lock(&watches.lock);
	*out = x_calloc(watches.n, sizeof(**out));
	for (i = 0; i < watches.n; i++)
		if (conf_find_watch(c, watches.found[i]->backend) != NULL)
			(*out)[n++] = deps_ref(watches.found[i]);
	watches.posted = false;
	pthread_mutex_unlock(&watches.lock);
	return n;
}

/* Something that was found answers what the configuration asks and is not
 * part of it. */
static bool
watches_is_news(const struct conf *c, struct deps *const *v, size_t n)
{
	const struct conf_watch *w;
	size_t i;

	for (i = 0; i < n; i++) {
		w = conf_find_watch(c, v[i]->backend);
		if (w->deps != v[i] && hash_eq(v[i]->question,
		    conf_deps_question(c, w->backend)))
			return true;
	}
	return false;
}

static void
watches_publish(void)
{
	struct control *c = watches.c;
	struct session_setup fresh;
	struct conf_diag d = { .n = 0 };
	struct deps **v;
	struct conf *conf;
	size_t n = watches_collect(c->setup.conf, &v), i;

	if (watches_is_news(c->setup.conf, v, n)) {
		conf = conf_with_deps(c->setup.conf, v, n, &d);
		if (conf != NULL) {
			setup_with(&c->setup, conf, &fresh);
			control_use(c, &fresh);
		} else {
			log_error("watch", "msg=\"what catalogs say cannot be "
			    "put in force\" error=%s", log_escs(d.msg[0]));
		}
		conf_diag_fini(&d);
	}
	for (i = 0; i < n; i++)
		deps_unref(&v[i]);
	free(v);
}

static void
watches_run(struct control *c, struct control_message *m)
{
	free(m);
	if (c->state == CONTROL_SERVING) {
		watches_publish();
		layouts_read(); /* they come from the same catalogs */
	}
}

void
watches_follow(void)
{
	struct conf *now = watches.c->setup.conf;
	struct watches_setup *s;

	if (watches.followed == now || (now->n_watches == 0 &&
	    watches.followed == NULL))
		return;
	s = x_calloc(1, sizeof(*s));
	setup_copy(&s->setup, &watches.c->setup);
	s->base = (struct watch_setup){ .conf = s->setup.conf,
		.login = watches_login, .moved = watches_moved,
		.found = watches_found, .release = watches_release };
	atomic_init(&s->base.refs, 1);
	conf_unref(&watches.followed);
	watches.followed = now;
	conf_ref(now);
	watch_use(&s->base);
}

void
watches_tick(void)
{
	watches_publish();
	watches_follow();
}

/* ------------------------------------------------------------ life */

void
watches_init(struct control *c)
{
	watches.c = c;
	watch_init();
}

void
watches_fini(void)
{
	size_t i;

	for (i = 0; i < watches.n; i++)
		deps_unref(&watches.found[i]);
	free(watches.found);
	watches.found = NULL;
	watches.n = 0;
	conf_unref(&watches.followed);
}
