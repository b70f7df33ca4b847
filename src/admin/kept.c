/* SPDX-License-Identifier: PostgreSQL
 *
 * The file of experiments: reading, writing.
 *
 * The text is made on the control thread, from boards that workers go on
 * writing to: each number is one that was there at some time of the writing.
 */
#include "admin/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/experiments.h"
#include "admin/judge.h"
#include "base/log.h"
#include "experiment/keep.h"

#define KEPT_PATH 4096

struct kept_writing {
	char path[KEPT_PATH];
	struct buf text;
};

static struct {
	bool loaded;          /* the file may be replaced */
	bool wanted;          /* something has become of one */
	nsec_t due;           /* while one is running */
	bool begun;           /* thread is to be joined */
	pthread_t thread;
	atomic_bool over;     /* ... and has ended */
	char *said;           /* the last failure, or NULL; thread's until over */
} kept;

/* ---- writing ---- */

static bool
kept_write_all(int fd, const char *p, size_t n)
{
	ssize_t wrote;

	while (n > 0) {
		wrote = write(fd, p, n);
		if (wrote < 0 && errno != EINTR)
			return false;
		p += wrote > 0 ? wrote : 0;
		n -= wrote > 0 ? (size_t)wrote : 0;
	}
	return true;
}

/* What went wrong, or NULL; errno then. */
static const char *
kept_write(const struct kept_writing *w)
{
	char path[KEPT_PATH + 8];
	int fd, err;
	bool ok;

	snprintf(path, sizeof(path), "%s.new", w->path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
	    0600);
	if (fd < 0)
		return "cannot be made";
	ok = kept_write_all(fd, buf_head(&w->text), buf_len(&w->text)) &&
	    fsync(fd) == 0;
	err = errno;
	ok = close(fd) == 0 && ok;
	errno = err;
	if (!ok)
		return "cannot be written";
	return rename(path, w->path) == 0 ? NULL : "cannot be put in place";
}

/* A failure is logged once, until it is another one. */
static void
kept_say(const char *path, const char *what)
{
	char text[200] = "";

	if (what != NULL)
		snprintf(text, sizeof(text), "%s: %s", what, strerror(errno));
	if (what != NULL && (kept.said == NULL ||
	    strcmp(kept.said, text) != 0))
		log_error("experiment", "msg=\"experiment_file %s\" file=%s",
		    text, log_escs(path));
	free(kept.said);
	kept.said = what != NULL ? x_strdup(text) : NULL;
}

static void *
kept_thread(void *arg)
{
	struct kept_writing *w = arg;

	kept_say(w->path, kept_write(w));
	buf_reset(&w->text);
	free(w);
	atomic_store(&kept.over, true);
	return NULL;
}

/* ---- the text ---- */

static bool
kept_text(const struct conf *c, struct buf *out)
{
	struct keep_trial *all = x_calloc(CONF_EXPERIMENTS_MAX, sizeof(*all));
	const struct conf_experiment *e;
	const struct conf_trial *t;
	size_t n = 0;
	bool ok;

	for (e = c->experiments; e < c->experiments + c->n_experiments; e++) {
		t = conf_trial_find(c->trials, e);
		if (t == NULL)
			continue;
		all[n] = (struct keep_trial){ .name = t->name,
			.about = t->about, .reason = t->reason,
			.n_arms = e->n_arms, .promoted = t->promoted,
			.since = t->since, .board = judge_board(c, e) };
		snprintf(all[n].state, sizeof(all[n].state), "%s",
		    conf_experiment_state_name(t->state));
		memcpy(all[n].weights, t->weights, sizeof(all[n].weights));
		n++;
	}
	ok = keep_write(all, n, out);
	free(all);
	return ok;
}

static struct kept_writing *
kept_writing(const struct control *c)
{
	const struct conf *conf = c->setup.conf;
	struct kept_writing *w = x_calloc(1, sizeof(*w));

	snprintf(w->path, sizeof(w->path), "%s", conf->experiment_file);
	buf_init(&w->text, KEEP_MAX);
	if (kept_text(conf, &w->text))
		return w;
	log_error("experiment", "msg=\"experiments are too large to be kept\" "
	    "file=%s", log_escs(w->path));
	buf_reset(&w->text);
	free(w);
	return NULL;
}

static void
kept_join(void)
{
	if (kept.begun)
		CHECK(pthread_join(kept.thread, NULL) == 0);
	kept.begun = false;
}

static void
kept_begin(struct control *c)
{
	struct kept_writing *w = kept_writing(c);

	kept.wanted = false;
	if (w == NULL)
		return;
	kept_join();
	atomic_store(&kept.over, false);
	kept.begun = true;
	CHECK(pthread_create(&kept.thread, NULL, kept_thread, w) == 0);
}

static bool
kept_is_on(const struct control *c)
{
	return kept.loaded && c->setup.conf->experiment_file[0] != '\0';
}

void
kept_save(struct control *c)
{
	kept.wanted = true;
	kept_tick(c, clock_mono());
}

void
kept_tick(struct control *c, nsec_t now)
{
	const struct conf *conf = c->setup.conf;
	bool running = false;
	size_t i;

	if (!kept_is_on(c) || (kept.begun && !atomic_load(&kept.over)))
		return;
	for (i = 0; i < conf->n_experiments; i++)
		running |= conf->experiments[i].state == EXPERIMENT_RUNNING;
	if (!kept.wanted && (!running || now < kept.due))
		return;
	kept.due = now + KEPT_EVERY;
	kept_begin(c);
}

void
kept_now(struct control *c)
{
	if (!kept_is_on(c) || c->setup.conf->n_experiments == 0)
		return;
	kept_begin(c);
	kept_join();
}

void
kept_leave(void)
{
	kept_join();
	kept.loaded = false;
}

void
kept_fini(struct control *c)
{
	if (kept_is_on(c) && c->setup.conf->n_experiments > 0)
		kept_begin(c);
	kept_join();
	free(kept.said);
	kept.said = NULL;
}

/* ---- reading ---- */

static void
kept_free_board(void *arg)
{
	struct board *b = arg;

	board_free(&b);
}

static bool
kept_state(const char *word, enum conf_experiment_state *out)
{
	int s;

	for (s = EXPERIMENT_STOPPED; s <= EXPERIMENT_PROMOTED; s++)
		if (strcmp(word, conf_experiment_state_name(
		    (enum conf_experiment_state)s)) == 0) {
			*out = (enum conf_experiment_state)s;
			return true;
		}
	return false;
}

/* One that is running without a board has measured nothing yet. */
static void
kept_add(unsigned n_workers, struct keep_trial *k, struct conf_trials **set)
{
	struct conf_trial t = { .name = k->name, .about = k->about,
		.promoted = k->promoted, .reason = k->reason,
		.since = k->since };
	struct conf_trials *more;

	if (!kept_state(k->state, &t.state) || k->promoted >= k->n_arms)
		return;
	memcpy(t.weights, k->weights, sizeof(t.weights));
	if (k->board == NULL && t.state == EXPERIMENT_RUNNING)
		k->board = board_new(n_workers, k->n_arms);
	if (k->board != NULL)
		t.run = conf_run_new(k->board, kept_free_board);
	k->board = NULL;
	more = conf_trials_with(*set, &t);
	conf_run_unref(&t.run);
	conf_trials_unref(set);
	*set = more;
}

/* Of mirrored writes that were on their way arms have had some, or none. */
static void
kept_stop_mirrored(const struct conf *c, struct keep_trial *k)
{
	const struct conf_experiment *e = conf_find_experiment(c, k->name);

	if (e == NULL || e->writes != CONF_WRITES_ALL || strcmp(k->state,
	    conf_experiment_state_name(EXPERIMENT_RUNNING)) != 0)
		return;
	snprintf(k->state, sizeof(k->state), "%s",
	    conf_experiment_state_name(EXPERIMENT_STOPPED));
	free(k->reason);
	k->reason = x_strdup("the process was started again: whether arms have "
	    "all mirrored writes is not known");
}

static void
kept_use(struct control *c, struct keep *k)
{
	struct conf_trials *set = NULL;
	char why[EXPERIMENT_WHY_MAX];
	size_t i;

	for (i = 0; i < k->n; i++) {
		kept_stop_mirrored(c->setup.conf, &k->v[i]);
		kept_add(c->n_workers, &k->v[i], &set);
	}
	if (set != NULL && !experiments_use(c, set, why, sizeof(why)))
		log_error("experiment", "msg=\"kept experiments cannot be put "
		    "in force\" error=%s", log_escs(why));
	conf_trials_unref(&set);
}

static void
kept_set_aside(const char *path, const char *why)
{
	char aside[KEPT_PATH + 16];

	snprintf(aside, sizeof(aside), "%s.damaged", path);
	log_error("experiment", "msg=\"experiment_file cannot be believed, and "
	    "is set aside\" file=%s error=%s aside=%s%s", log_escs(path),
	    log_escs(why), log_escs(aside), rename(path, aside) == 0 ? "" :
	    " note=\"which failed\"");
}

/* The whole file; false with errno. */
static bool
kept_read(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char part[65536];
	ssize_t got = -1;
	int err;

	if (fd < 0)
		return false;
	while ((got = read(fd, part, sizeof(part))) > 0 || (got < 0 &&
	    errno == EINTR))
		if (got > 0 && !buf_append(out, part, (size_t)got)) {
			errno = EFBIG;
			got = -1;
			break;
		}
	err = errno;
	(void)close(fd);
	errno = err;
	return got == 0;
}

void
kept_load(struct control *c)
{
	const char *path = c->setup.conf->experiment_file;
	struct keep *k;
	struct buf text;
	char why[200];

	kept.loaded = true;
	if (path[0] == '\0')
		return;
	buf_init(&text, KEEP_MAX);
	k = x_calloc(1, sizeof(*k));
	if (!kept_read(path, &text)) {
		if (errno != ENOENT)
			kept_set_aside(path, strerror(errno));
	} else if (!keep_read(slice_make(buf_head(&text), buf_len(&text)),
	    c->n_workers, k, why, sizeof(why))) {
		kept_set_aside(path, why);
	} else {
		kept_use(c, k);
		keep_fini(k);
	}
	free(k);
	buf_reset(&text);
}

bool
kept_peek(const char *path, struct conf_trials **out, char *why, size_t size)
{
	struct keep *k = x_calloc(1, sizeof(*k));
	struct buf text;
	bool ok = false;
	size_t i;

	*out = NULL;
	buf_init(&text, KEEP_MAX);
	if (!kept_read(path, &text))
		snprintf(why, size, "%s", strerror(errno));
	else
		ok = keep_read(slice_make(buf_head(&text), buf_len(&text)), 1,
		    k, why, size);
	for (i = 0; i < k->n; i++)
		kept_add(1, &k->v[i], out);
	keep_fini(k);
	free(k);
	buf_reset(&text);
	return ok;
}
