/* SPDX-License-Identifier: PostgreSQL
 *
 * Being followed: starting the successor, and what goes to it.
 *
 * A thread of its own does all that may block: starting the program, the wait
 * for it, sending.  The control thread begins and ends it; workers put parcels
 * and answers into its queue.  take.lock guards the queue and what is shown;
 * it is held for memory only.  What was in the queue when the channel broke is
 * closed: those clients see a lost connection, as when a process dies.
 */
#include "admin/takeover.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/accord.h"
#include "admin/admin.h"
#include "admin/kept.h"
#include "admin/takeover_priv.h"
#include "admin/tour.h"
#include "backend/pool.h"
#include "base/log.h"

#define START_TIME (60 * NSEC_PER_SEC)
#define LOOK_EVERY_MS 100
#define RESULTS_TIME 5 /* seconds that a message of results may take */
#define CHILD_FD 3 /* of the successor: its end of the channel */

struct parting { /* a message for the successor */
	STAILQ_ENTRY(parting) next;
	char type;
	int fd;
	struct buf body;
};
STAILQ_HEAD(partings, parting);

struct giving_door {
	int fd;
	enum door_kind kind;
};

static struct {
	pthread_mutex_t lock;
	char exe[PATH_MAX];
	const char *path;
	int memory;
	struct control *control;

	bool begun;            /* the thread is to be joined; control's */
	pthread_t thread;
	struct worker *w;      /* who asked; or NULL */
	uint64_t session;
	struct giving_door *doors; /* copies; the thread's */
	unsigned n_doors;
	bool short_of_files;
	int sock, wake_fd;
	pid_t pid;
	/* Control's until the thread begins: */
	bool told;             /* accord counts */
	struct accord accord;
	struct conf *conf;     /* in force then; our reference */
	atomic_uint acks;      /* of workers, see take_yield() */

	/* under lock */
	bool starting;         /* ... and has not said that it serves */
	bool open;             /* partings may be put in */
	bool over;             /* ... and no more will */
	struct partings queue;
	uint64_t failures;
	char why[TAKEOVER_WHY_MAX];     /* of the last failure */
} take = { .lock = PTHREAD_MUTEX_INITIALIZER, .memory = -1, .sock = -1,
	.wake_fd = -1 };

/* ------------------------------------------------------------ the queue */

static void
parting_free(struct parting *p)
{
	if (p->fd >= 0)
		close(p->fd);
	buf_wipe(&p->body);
	free(p);
}

static void
take_wake(void)
{
	static const uint64_t one = 1;

	CHECK(write(take.wake_fd, &one, sizeof(one)) == sizeof(one) ||
	    errno == EAGAIN);
}

/* Takes both over. false: nobody is there. */
static bool
take_put(char type, struct buf *body, int fd)
{
	struct parting *p = x_calloc(1, sizeof(*p));
	bool open;

	p->type = type;
	p->fd = fd;
	p->body = *body;
	buf_init(body, 0);
	pthread_mutex_lock(&take.lock);
	open = take.open;
	if (open)
		STAILQ_INSERT_TAIL(&take.queue, p, next);
	pthread_mutex_unlock(&take.lock);
	if (open)
		take_wake();
	else
		parting_free(p);
	return open;
}

static bool
take_session(struct buf *bytes, int fd)
{
	return take_put(TAKEOVER_SESSION, bytes, fd);
}

static void
take_cancelled(uint64_t request)
{
	struct buf b;
	char out[8];

	takeover_put(out, (uint32_t)(request >> 32));
	takeover_put(out + 4, (uint32_t)request);
	buf_init(&b, sizeof(out));
	CHECK(buf_append(&b, out, sizeof(out)));
	(void)!take_put(TAKEOVER_CANCEL, &b, -1);
}

/* ------------------------------------------------------------ the thread */

static void take_fail(const char *fmt, ...) PG_PRINTF(1, 2);

static void
take_fail(const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&take.lock);
	take.failures++;
	va_start(ap, fmt);
	vsnprintf(take.why, sizeof(take.why), fmt, ap);
	va_end(ap);
	pthread_mutex_unlock(&take.lock);
}

/* The service manager's watchdog and sockets were meant for our pid. */
static bool
take_is_ours(const char *variable)
{
	return strncmp(variable, "WATCHDOG_PID=", 13) == 0 ||
	    strncmp(variable, "LISTEN_", 7) == 0;
}

static char **
take_environment(void)
{
	size_t n = 0, out = 0, i;
	char **env;

	while (environ[n] != NULL)
		n++;
	env = x_calloc(n + 1, sizeof(*env));
	for (i = 0; i < n; i++)
		if (!take_is_ours(environ[i]))
			env[out++] = environ[i];
	return env;
}

static bool
take_spawn(int theirs)
{
	char number[16];
	char *argv[] = { take.exe, (char *)(uintptr_t)"--successor", number,
		(char *)(uintptr_t)"--", (char *)(uintptr_t)take.path, NULL };
	char **env = take_environment();
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int err;

	snprintf(number, sizeof(number), "%d", CHILD_FD);
	sigemptyset(&none);
	sigfillset(&all);
	CHECK(posix_spawn_file_actions_init(&files) == 0 &&
	    posix_spawn_file_actions_adddup2(&files, theirs, CHILD_FD) == 0 &&
	    posix_spawn_file_actions_addclosefrom_np(&files, CHILD_FD + 1) ==
	    0 && posix_spawnattr_init(&attr) == 0 &&
	    posix_spawnattr_setsigmask(&attr, &none) == 0 &&
	    posix_spawnattr_setsigdefault(&attr, &all) == 0 &&
	    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
	    POSIX_SPAWN_SETSIGDEF) == 0);
	err = posix_spawn(&take.pid, take.exe, &files, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	free(env);
	if (err != 0)
		take_fail("%s cannot be started: %s", take.exe, strerror(err));
	return err == 0;
}

static bool
take_give_doors(void)
{
	char out[8];
	unsigned i;

	takeover_put(out, TAKEOVER_VERSION);
	takeover_put(out + 4, (uint32_t)getpid());
	if (!channel_send(take.sock, TAKEOVER_HELLO, out, 8, take.memory,
	    true))
		return false;
	for (i = 0; i < take.n_doors; i++) {
		takeover_put(out, take.doors[i].kind);
		if (!channel_send(take.sock, TAKEOVER_DOOR, out, 4,
		    take.doors[i].fd, true))
			return false;
	}
	return channel_send(take.sock, TAKEOVER_GO, NULL, 0, -1, true);
}

static void
take_say_ended(void)
{
	int status = 0;

	/* It may take a moment to die. */
	if (waitpid(take.pid, &status, 0) != take.pid)
		take_fail("the new process has ended");
	else if (WIFEXITED(status))
		take_fail("the new process has ended with status %d; see its "
		    "lines in the log", WEXITSTATUS(status));
	else
		take_fail("the new process was ended by signal %d",
		    WTERMSIG(status));
}

static void
take_kill(void)
{
	kill(take.pid, SIGKILL);
	(void)waitpid(take.pid, NULL, 0);
}

static bool
take_is_over(void)
{
	bool over;

	pthread_mutex_lock(&take.lock);
	over = take.over && STAILQ_EMPTY(&take.queue);
	pthread_mutex_unlock(&take.lock);
	return over;
}

/* ---- the time before it serves ---- */

struct yield_message {
	struct message m;
	bool on;
};

static void
yield_run(struct worker *w, struct message *m)
{
	session_yield(w, ((struct yield_message *)(void *)m)->on);
	free(m);
	atomic_fetch_add(&take.acks, 1);
}

/* Returns when all workers do so. */
static void
take_yield(bool on)
{
	static const struct timespec pause = { 0, 1000 * 1000 };
	const struct control *c = take.control;
	struct yield_message *ym;
	unsigned i;

	atomic_store(&take.acks, 0);
	for (i = 0; i < c->n_workers; i++) {
		ym = x_calloc(1, sizeof(*ym));
		ym->m.run = yield_run;
		ym->on = on;
		worker_post(c->workers[i], &ym->m);
	}
	while (atomic_load(&take.acks) < c->n_workers)
		nanosleep(&pause, NULL);
}

/* Until it says something. false: it does not. */
static bool
take_wait(nsec_t until)
{
	struct pollfd p = { .fd = take.sock, .events = POLLIN };

	while (poll(&p, 1, LOOK_EVERY_MS) <= 0) {
		if (clock_mono() > until)
			take_fail("the new process was not ready within %u s",
			    (unsigned)(START_TIME / NSEC_PER_SEC));
		else if (take_is_over())
			take_fail("this process is stopping");
		else
			continue;
		take_kill();
		return false;
	}
	return true;
}

enum take_verdict { TAKE_READY, TAKE_ON, TAKE_FAILED };

static bool
take_send_results(void *arg PG_UNUSED, const struct buf *b)
{
	return channel_send(take.sock, TAKEOVER_RESULTS, buf_head(b),
	    buf_len(b), -1, true);
}

/* A process that reads nothing must not keep this one from stopping. */
static void
take_results(void)
{
	const struct timeval limit = { RESULTS_TIME, 0 }, forever = { 0, 0 };
	size_t n;

	(void)setsockopt(take.sock, SOL_SOCKET, SO_SNDTIMEO, &limit,
	    sizeof(limit));
	n = session_leave_results(take.conf, takeover_results_max(take.conf),
	    take_send_results, NULL);
	(void)setsockopt(take.sock, SOL_SOCKET, SO_SNDTIMEO, &forever,
	    sizeof(forever));
	log_info("takeover", "msg=\"results in memory are handed over\" "
	    "results=%zu", n);
}

/* It is about to serve. */
static bool
take_theirs(const struct channel_message *m, bool *yielded)
{
	struct accord theirs;
	struct msgread r;
	char agreed;

	msgread_init(&r, buf_head(&m->body), buf_len(&m->body));
	if (!accord_read(&r, &theirs)) {
		take_fail("the new process does not say what it goes by");
		take_kill();
		return false;
	}
	agreed = take.told && accord_eq(&take.accord, &theirs);
	if (!agreed) {
		*yielded = true;
		take_yield(true);
	}
	if (take.told && hash_eq(take.accord.conf, theirs.conf))
		take_results();
	/* If it does not get that, its end is next. */
	(void)!channel_send(take.sock, TAKEOVER_AGREED, &agreed, 1, -1, true);
	return true;
}

/* One word of it. */
static enum take_verdict
take_word(bool *yielded)
{
	struct channel_message m;
	enum channel_verdict v = channel_recv(take.sock, &m);
	enum take_verdict r = TAKE_FAILED;

	if (v == CHANNEL_END) {
		take_say_ended();
		return r;
	}
	if (v == CHANNEL_GOT && m.type == TAKEOVER_READY) {
		r = TAKE_READY;
	} else if (v == CHANNEL_GOT && m.type == TAKEOVER_OURS) {
		if (take_theirs(&m, yielded))
			r = TAKE_ON;
	} else if (v == CHANNEL_GOT && m.type == TAKEOVER_FAILED) {
		take_fail("the new process will not serve: %.*s",
		    (int)buf_len(&m.body), buf_head(&m.body));
		take_kill();
	} else {
		take_fail("the new process says what is not understood: is it "
		    "of another version?");
		take_kill();
	}
	if (v == CHANNEL_GOT)
		channel_message_fini(&m);
	return r;
}

/* false: it will not serve. */
static bool
take_is_ready(void)
{
	nsec_t until = clock_mono() + START_TIME;
	enum take_verdict v = TAKE_ON;
	bool yielded = false;

	while (v == TAKE_ON)
		v = take_wait(until) ? take_word(&yielded) : TAKE_FAILED;
	if (v == TAKE_FAILED && yielded)
		take_yield(false);
	return v == TAKE_READY;
}

/* ---- the time while it serves ---- */

/* A key that it does not know. */
static void
take_cancel(const struct channel_message *m)
{
	struct msgread r;
	struct slice key;
	uint64_t request;
	uint32_t pid;

	msgread_init(&r, buf_head(&m->body), buf_len(&m->body));
	request = takeover_get64(&r);
	pid = msgread_u32(&r);
	key = msgread_bytes(&r, msgread_left(&r));
	if (msgread_done(&r))
		session_cancel_for(request, pid, key.p, key.n);
}

/* false: the channel is of no more use. */
static bool
take_hear(void)
{
	struct channel_message m;

	if (channel_recv(take.sock, &m) != CHANNEL_GOT)
		return false;
	if (m.type == TAKEOVER_CANCEL)
		take_cancel(&m);
	channel_message_fini(&m);
	return true;
}

/* Send what is there. false: the channel is of no more use. */
static bool
take_send(void)
{
	struct partings todo = STAILQ_HEAD_INITIALIZER(todo);
	struct parting *p;
	bool ok = true;

	pthread_mutex_lock(&take.lock);
	STAILQ_CONCAT(&todo, &take.queue);
	pthread_mutex_unlock(&take.lock);
	while ((p = STAILQ_FIRST(&todo)) != NULL) {
		STAILQ_REMOVE_HEAD(&todo, next);
		ok = ok && channel_send(take.sock, p->type,
		    buf_head(&p->body), buf_len(&p->body), p->fd, true);
		parting_free(p);
	}
	return ok;
}

static void
take_serve(void)
{
	struct pollfd p[2] = { { .fd = take.sock, .events = POLLIN },
		{ .fd = take.wake_fd, .events = POLLIN } };
	uint64_t n;
	bool ok = true;

	while (ok && !take_is_over()) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents != 0 && read(take.wake_fd, &n, sizeof(n)) < 0)
			CHECK(errno == EAGAIN);
		ok = take_send() && (p[0].revents == 0 || take_hear());
	}
	pthread_mutex_lock(&take.lock);
	take.open = false;
	pthread_mutex_unlock(&take.lock);
	if (!ok)
		log_warn("takeover", "msg=\"the process that has taken over "
		    "cannot be reached, clients stay here\" pid=%d",
		    (int)take.pid);
	(void)take_send();
}

static void
take_answer(struct tour *t)
{
	if (t->text == NULL)
		rows_reply(&t->rows, t->origin, t->session, "TAKEOVER");
	else
		rows_error(t->origin, t->session, "55000",
		    "there was no takeover", t->text,
		    "This process goes on as before.");
}

/* Answer who asked; w NULL: nobody did. */
static void
take_tell(struct worker *w, uint64_t session, const char *why)
{
	struct tour *t;

	if (w == NULL)
		return;
	t = tour_new(w, session);
	t->text = why != NULL ? x_strdup(why) : NULL;
	t->done = take_answer;
	tour_start(t);
}

static void
take_drop_doors(void)
{
	unsigned i;

	for (i = 0; i < take.n_doors; i++)
		close(take.doors[i].fd);
	free(take.doors);
	take.doors = NULL;
	take.n_doors = 0;
}

static void
take_join(void)
{
	CHECK(pthread_join(take.thread, NULL) == 0);
	take.begun = false;
	close(take.sock);
	close(take.wake_fd);
	take.sock = take.wake_fd = -1;
	conf_unref(&take.conf);
}

static void
take_failed_run(struct control *c PG_UNUSED, struct control_message *m)
{
	take_join();
	log_error("takeover", "msg=\"no takeover, this process goes on\" "
	    "error=%s", log_escs(take.why));
	take_tell(take.w, take.session, take.why);
	free(m);
}

static void
take_ready_run(struct control *c, struct control_message *m)
{
	free(m);
	log_info("takeover", "msg=\"another process has taken over\" pid=%d "
	    "clients=%u", (int)take.pid, session_count());
	take_tell(take.w, take.session, NULL);
	/* A stop that was asked for meanwhile goes on as it is. */
	if (c->state == CONTROL_SERVING)
		control_replaced(c, (int)take.pid);
}

static void
take_post(void (*run)(struct control *c, struct control_message *m))
{
	struct control_message *m = x_calloc(1, sizeof(*m));

	m->run = run;
	control_post(take.control, m);
}

static void *
take_thread(void *arg PG_UNUSED)
{
	int pair[2];
	bool ok = false;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
		take_fail("no socket pair: %s", strerror(errno));
	} else {
		take.sock = pair[0];
		ok = take_spawn(pair[1]);
		close(pair[1]);
		/* If it does not take them, it will say why. */
		if (ok && !take_give_doors())
			log_debug("takeover", "msg=\"sockets not taken\"");
		ok = ok && take_is_ready();
	}
	take_drop_doors();
	pthread_mutex_lock(&take.lock);
	take.starting = false;
	take.open = ok;
	pthread_mutex_unlock(&take.lock);
	if (!ok) {
		take_post(take_failed_run);
		return NULL;
	}
	take_post(take_ready_run);
	take_serve();
	return NULL;
}

/* ------------------------------------------------------------ life */

void
takeover_init(const char *path, int memory)
{
	static const struct session_abroad ops = { .move = take_session,
		.cancelled = take_cancelled, .cancel = succession_cancel };
	ssize_t n = readlink("/proc/self/exe", take.exe,
	    sizeof(take.exe) - 1);

	take.exe[n > 0 ? n : 0] = '\0';
	take.path = path;
	take.memory = memory;
	STAILQ_INIT(&take.queue);
	session_abroad_init(&ops);
}

static void
take_door(void *arg PG_UNUSED, int fd, enum door_kind kind)
{
	struct giving_door *v = x_malloc((take.n_doors + 1) * sizeof(*v));
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (take.n_doors > 0)
		memcpy(v, take.doors, take.n_doors * sizeof(*v));
	free(take.doors);
	take.doors = v;
	if (copy < 0)
		take.short_of_files = true;
	else
		v[take.n_doors++] = (struct giving_door){ copy, kind };
}

/* Other arms must get its writes in the order of their commits, which only one
 * process can tell. */
static bool
takeover_mirrors(const struct conf *c)
{
	size_t i;

	for (i = 0; i < c->n_experiments; i++)
		if (c->experiments[i].state == EXPERIMENT_RUNNING &&
		    c->experiments[i].writes == CONF_WRITES_ALL)
			return true;
	return false;
}

/* NULL: nothing is in the way. */
static const char *
takeover_obstacle(const struct control *c)
{
	if (c->state != CONTROL_SERVING)
		return "this process is stopping";
	if (take.begun)
		return "one is under way";
	if (succession_is_open())
		return "the process before this one has not ended";
	if (pool_paused())
		return "paused; RESUME first";
	if (takeover_mirrors(c->setup.conf))
		return "an experiment gives writes to all arms; STOP "
		    "EXPERIMENT first";
	if (take.memory < 0)
		return "there is no memory to be shared; see the log of the "
		    "start";
	if (take.exe[0] != '/')
		return "it is not known where the program is (/proc)";
	return NULL;
}

static bool
takeover_copy_doors(struct control *c)
{
	take.short_of_files = false;
	doors_each(c->doors, take_door, NULL);
	if (admin_http_fd() >= 0)
		take_door(NULL, admin_http_fd(), DOOR_HTTP);
	if (take.short_of_files)
		take_drop_doors();
	return !take.short_of_files;
}

void
takeover_start(struct control *c, struct worker *w, uint64_t session)
{
	const char *why = takeover_obstacle(c);

	if (why == NULL && !takeover_copy_doors(c))
		why = "there are no descriptors left";
	if (why != NULL) {
		log_warn("takeover", "msg=\"no takeover\" error=%s",
		    log_escs(why));
		take_tell(w, session, why);
		return;
	}
	take.control = c;
	take.w = w;
	take.session = session;
	take.told = accord_of(c->setup.conf, &take.accord);
	take.conf = c->setup.conf;
	conf_ref(take.conf);
	kept_now(c);
	take.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	CHECK(take.wake_fd >= 0);
	log_info("takeover", "msg=\"starting the process that takes over\" "
	    "program=%s file=%s sockets=%u", log_escs(take.exe),
	    log_escs(take.path), take.n_doors);
	take.begun = true;
	pthread_mutex_lock(&take.lock);
	take.starting = true;
	take.over = false;
	pthread_mutex_unlock(&take.lock);
	CHECK(pthread_create(&take.thread, NULL, take_thread, NULL) == 0);
}

const char *
takeover_forbids(struct conf *c)
{
	struct accord fresh;

	if (take.begun && !(take.told && accord_of(c, &fresh) &&
	    accord_eq(&take.accord, &fresh)))
		return "another process takes over, by the settings of now";
	return succession_forbids(c);
}

/* How many it has closed, and why they could not be moved. */
static void
take_put_end(const struct session_moves *n)
{
	char out[4 * STAY_REASON_COUNT];
	struct buf b;
	unsigned i;

	for (i = 0; i < STAY_REASON_COUNT; i++)
		takeover_put(out + 4 * i, (uint32_t)n->closed[i]);
	buf_init(&b, sizeof(out));
	CHECK(buf_append(&b, out, sizeof(out)));
	(void)!take_put(TAKEOVER_END, &b, -1);
}

void
takeover_end(void)
{
	struct session_moves n = session_moves();

	if (take.begun) {
		take_put_end(&n);
		pthread_mutex_lock(&take.lock);
		take.over = true;
		pthread_mutex_unlock(&take.lock);
		take_wake();
		take_join();
		log_info("takeover", "msg=\"handed over\" moved=%llu",
		    (unsigned long long)n.left);
	}
	if (take.memory >= 0)
		close(take.memory);
	take.memory = -1;
}

void
takeover_info(struct takeover_info *i)
{
	pthread_mutex_lock(&take.lock);
	i->under_way = take.starting || take.open;
	i->failures = take.failures;
	memcpy(i->why, take.why, sizeof(i->why));
	pthread_mutex_unlock(&take.lock);
}
