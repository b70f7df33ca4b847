/* SPDX-License-Identifier: PostgreSQL
 *
 * The threads of watches, and when they look.
 *
 * One lock guards the list, the setup and what is told of each watch; it is
 * not held while a server is asked.  A watch's look belongs to its thread.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "layout/watch_look.h"

#define WATCH_RETRY NSEC_PER_SEC         /* after a failure, at most */
#define WATCH_PAUSE (50 * NSEC_PER_MSEC) /* between looks, doubts or not */

struct watch {
	pthread_t thread;
	pthread_cond_t more;
	struct watch_look look;  /* its thread's */
	atomic_bool ending;
	/* under lock: */
	struct watch *next;
	bool over;               /* the thread has ended, or is about to */
	bool kicked;             /* look as soon as may be */
	nsec_t due, pause_until;
	char *said;              /* the log was told of this failure */
	struct watch_info info;
	char partial[200];
	char error[512];
};

static struct {
	pthread_mutex_t lock;
	struct watch *first;
	struct watch_setup *setup;
} watches = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ------------------------------------------------------------ setup */

static void
watch_setup_unref(struct watch_setup *s)
{
	if (s != NULL && atomic_fetch_sub(&s->refs, 1) == 1)
		s->release(s);
}

/* ------------------------------------------------------------ the thread */

static void
watch_say(struct watch *w, bool good)
{
	if (good && w->said != NULL)
		log_info("watch", "msg=\"catalogs can be read again\" "
		    "backend=%s", log_escs(w->look.vouch->backend));
	if (!good && (w->said == NULL || strcmp(w->said, w->look.a.error) !=
	    0))
		log_error("watch", "msg=\"catalogs cannot be read: nothing is "
		    "cached that depends on them\" backend=%s error=%s",
		    log_escs(w->look.vouch->backend),
		    log_escs(w->look.a.error));
	free(w->said);
	w->said = good ? NULL : x_strdup(w->look.a.error);
}

/* Under lock. */
static void
watch_tell(struct watch *w, bool good)
{
	struct watch_info *i = &w->info;

	i->good = good;
	i->looked_at = clock_wall();
	i->took = w->look.took;
	i->looks = w->look.looks;
	i->moves = w->look.moves;
	i->reads = w->look.reads;
	i->relations = w->look.relations;
	memcpy(w->partial, w->look.partial, sizeof(w->partial));
	i->partial = w->partial[0] != '\0' ? w->partial : NULL;
	memcpy(w->error, w->look.a.error, sizeof(w->error));
	i->error = good ? NULL : w->error;
}

static void
watch_wait(struct watch *w)
{
	struct timespec t;
	nsec_t until;

	for (;;) {
		until = w->kicked && w->pause_until < w->due ?
		    w->pause_until : w->due;
		if (atomic_load(&w->ending) || clock_mono() >= until)
			return;
		t.tv_sec = (time_t)(until / NSEC_PER_SEC);
		t.tv_nsec = (long)(until % NSEC_PER_SEC);
		(void)pthread_cond_timedwait(&w->more, &watches.lock, &t);
	}
}

static void *
watch_run(void *arg)
{
	struct watch *w = arg;
	struct watch_setup *s;
	nsec_t began, every;
	bool good;

	pthread_mutex_lock(&watches.lock);
	for (;;) {
		watch_wait(w);
		if (atomic_load(&w->ending))
			break;
		s = watches.setup;
		atomic_fetch_add(&s->refs, 1);
		w->kicked = false;
		pthread_mutex_unlock(&watches.lock);
		began = clock_mono();
		good = watch_look(&w->look, s);
		every = s->conf->revocation_bound / 2;
		watch_setup_unref(s);
		pthread_mutex_lock(&watches.lock);
		if (!atomic_load(&w->ending))
			watch_say(w, good);
		watch_tell(w, good);
		w->pause_until = clock_mono() + WATCH_PAUSE;
		w->due = good || every < WATCH_RETRY ? began + every :
		    began + WATCH_RETRY;
	}
	w->over = true;
	pthread_mutex_unlock(&watches.lock);
	return NULL;
}

/* ------------------------------------------------------------ life */

/* Under lock. */
static void
watch_new(struct vouch *v)
{
	struct watch *w = x_calloc(1, sizeof(*w));
	pthread_condattr_t attr;

	CHECK(pthread_condattr_init(&attr) == 0);
	CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	CHECK(pthread_cond_init(&w->more, &attr) == 0);
	pthread_condattr_destroy(&attr);
	watch_look_init(&w->look, v, &w->ending);
	w->info.backend = v->backend;
	w->next = watches.first;
	watches.first = w;
	CHECK(pthread_create(&w->thread, NULL, watch_run, w) == 0);
}

static void
watch_free(struct watch *w)
{
	CHECK(pthread_join(w->thread, NULL) == 0);
	watch_look_fini(&w->look);
	pthread_cond_destroy(&w->more);
	free(w->said);
	free(w);
}

static bool
watch_is_wanted(const struct watch *w, const struct conf *c)
{
	const struct conf_watch *at = conf_find_watch(c,
	    w->look.vouch->backend);

	return at != NULL && at->vouch == w->look.vouch &&
	    !atomic_load(&w->ending);
}

/* Those that have ended. */
static struct watch *
watch_take_over(void)
{
	struct watch **at, *w, *ended = NULL;

	for (at = &watches.first; (w = *at) != NULL;) {
		if (!w->over) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		w->next = ended;
		ended = w;
	}
	return ended;
}

static void
watch_free_all(struct watch *w)
{
	struct watch *next;

	for (; w != NULL; w = next) {
		next = w->next;
		watch_free(w);
	}
}

static bool
watch_has(const struct vouch *v)
{
	const struct watch *w;

	for (w = watches.first; w != NULL; w = w->next)
		if (w->look.vouch == v && !atomic_load(&w->ending))
			return true;
	return false;
}

/* Any thread: something has become doubtful. */
static void
watch_kick(void)
{
	struct watch *w;

	pthread_mutex_lock(&watches.lock);
	for (w = watches.first; w != NULL; w = w->next) {
		w->kicked = true;
		pthread_cond_signal(&w->more);
	}
	pthread_mutex_unlock(&watches.lock);
}

void
watch_init(void)
{
	vouch_on_doubt(watch_kick);
}

void
watch_use(struct watch_setup *s)
{
	struct watch_setup *old;
	struct watch *w, *ended;
	size_t i;

	pthread_mutex_lock(&watches.lock);
	old = watches.setup;
	watches.setup = s;
	for (w = watches.first; w != NULL; w = w->next) {
		if (!watch_is_wanted(w, s->conf))
			atomic_store(&w->ending, true);
		w->due = 0; /* it may be another question */
		pthread_cond_signal(&w->more);
	}
	for (i = 0; i < s->conf->n_watches; i++)
		if (!watch_has(s->conf->watches[i].vouch))
			watch_new(s->conf->watches[i].vouch);
	ended = watch_take_over();
	pthread_mutex_unlock(&watches.lock);
	watch_free_all(ended);
	watch_setup_unref(old);
}

void
watch_stop(void)
{
	struct watch_setup *s;
	struct watch *w, *all;

	pthread_mutex_lock(&watches.lock);
	for (w = watches.first; w != NULL; w = w->next) {
		atomic_store(&w->ending, true);
		pthread_cond_signal(&w->more);
	}
	all = watches.first;
	watches.first = NULL;
	s = watches.setup;
	watches.setup = NULL;
	pthread_mutex_unlock(&watches.lock);
	watch_free_all(all);
	watch_setup_unref(s);
}

void
watch_each(void (*fn)(const struct watch_info *i, void *arg), void *arg)
{
	nsec_t now = clock_mono(), until;
	struct watch_info i;
	struct watch *w;

	pthread_mutex_lock(&watches.lock);
	for (w = watches.first; w != NULL; w = w->next) {
		if (atomic_load(&w->ending))
			continue;
		i = w->info;
		until = atomic_load(&w->look.vouch->until);
		i.vouched = vouch_holds(w->look.vouch,
		    atomic_load(&w->look.vouch->version), now) &&
		    atomic_load(&w->look.vouch->version) != 0;
		i.left = until > now ? until - now : 0;
		fn(&i, arg);
	}
	pthread_mutex_unlock(&watches.lock);
}
