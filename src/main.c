/* SPDX-License-Identifier: PostgreSQL
 *
 * Start order, stop order.
 *
 * Everything that can fail because of the configuration or the system does so
 * before the first worker runs, with one line on stderr that says what, where
 * and what to do, and status 1.  The main thread then becomes the control
 * thread (admin/control.c).  What is made is freed in reverse at the end, so
 * that a leak checker can tell what was lost.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "admin/admin.h"
#include "admin/ending.h"
#include "admin/feeds.h"
#include "admin/http.h"
#include "admin/importing.h"
#include "admin/offline.h"
#include "admin/options.h"
#include "admin/setup.h"
#include "admin/takeover.h"
#include "auth/lookup.h"
#include "auth/work.h"
#include "backend/connector.h"
#include "backend/pool.h"
#include "base/log.h"
#include "cache/tags.h"
#include "conf/vouch.h"
#include "feed/feed.h"
#include "layout/job.h"
#include "layout/standby.h"
#include "sql/lex.h"
#include "systemd.h"

#define CONNECTOR_THREADS 2
#define AUTH_THREADS 2
#define LOOKUP_THREADS 2
#define WORKER_STACK_MIN (1u << 20)
#define FDS_OURSELVES 64 /* loops, log, listeners, files */

struct program {
	struct session_setup setup; /* until control and sessions have it */
	struct worker **workers;
	unsigned n_workers;
	struct l1 *l1;
	struct given_doors given;
	struct doors *doors;
	struct control *control;
	int http;
};

/* ------------------------------------------------------------ modes */

static int
main_version(void)
{
	int pq = PQlibVersion();

	printf("pgsluice %s\nlibevent %s\n%s\nlibpq %d.%d\n",
	    PACKAGE_VERSION, event_get_version(),
	    OpenSSL_version(OPENSSL_VERSION), pq / 10000, pq % 10000);
	return 0;
}

/* Load; what is wrong goes to stderr, a line each. */
static bool
main_load(const char *path, struct session_setup *setup)
{
	struct conf_diag d;
	bool ok = setup_load(path, NULL, setup, &d);
	int i;

	for (i = 0; i < d.n; i++)
		fprintf(stderr, "%s\n", d.msg[i]);
	if (!ok && d.n > 0)
		succession_fail(d.msg[0]);
	conf_diag_fini(&d);
	return ok;
}

/* ------------------------------------------------------------ start */

static unsigned
main_worker_count(const struct conf *c)
{
	long n = c->workers > 0 ? (long)c->workers :
	    sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? (unsigned)n : 1;
}

/* The names of all backends, for the log. */
static char *
main_backends(const struct conf *c)
{
	size_t size = 1, i;
	char *text, *at;

	for (i = 0; i < c->n_backends; i++)
		size += strlen(c->backends[i].name) + 1;
	at = text = x_malloc(size);
	for (i = 0; i < c->n_backends; i++)
		at = stpcpy(stpcpy(at, i > 0 ? "," : ""),
		    c->backends[i].name);
	*at = '\0';
	return text;
}

static void
main_say_hello(const struct program *p)
{
	const struct conf *c = p->setup.conf;
	char *backends = main_backends(c);

	log_info("main", "msg=\"pgsluice starts\" version=%s pid=%d "
	    "listen=%s http=%s workers=%u backends=%s file=%s",
	    PACKAGE_VERSION, (int)getpid(), log_escs(doors_text(p->doors)),
	    log_escs(c->http_listen), p->n_workers, log_escs(backends),
	    log_escs(c->path));
	free(backends);
}

/* Descriptors in the worst case: every client, every server. */
static uint64_t
main_fds_wanted(const struct program *p)
{
	const struct conf *c = p->setup.conf;
	uint64_t n = FDS_OURSELVES + 8 * p->n_workers +
	    (uint64_t)c->max_client_conn;
	size_t i;

	for (i = 0; i < c->n_backends; i++)
		n += (uint64_t)((c->backends[i].pool_size > 0 ?
		    c->backends[i].pool_size : c->pool_size) +
		    c->backends[i].reserve_pool_size);
	return n;
}

static void
main_raise_limit(const struct program *p)
{
	uint64_t wanted = main_fds_wanted(p);
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) != 0)
		return;
	if (rl.rlim_cur < rl.rlim_max) {
		rlim_t soft = rl.rlim_cur;

		rl.rlim_cur = rl.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &rl) != 0)
			rl.rlim_cur = soft;
	}
	if (rl.rlim_cur < wanted)
		log_warn("main", "msg=\"the limit of open files is too low for "
		    "max_client_conn and pool_size\" limit=%llu wanted=%llu "
		    "hint=\"raise LimitNOFILE or ulimit -n, or lower "
		    "max_client_conn\"", (unsigned long long)rl.rlim_cur,
		    (unsigned long long)wanted);
}

static void
main_make_workers(struct program *p)
{
	unsigned i;

	p->n_workers = main_worker_count(p->setup.conf);
	p->workers = x_calloc(p->n_workers, sizeof(*p->workers));
	for (i = 0; i < p->n_workers; i++)
		p->workers[i] = worker_new(i);
}

static void
main_free_workers(struct program *p)
{
	unsigned i;

	for (i = 0; i < p->n_workers; i++)
		worker_free(&p->workers[i]);
	free(p->workers);
}

/* Everything that the outside can refuse. */
static bool
main_bind(struct program *p)
{
	const struct conf *c = p->setup.conf;
	char why[1024];
	int first = -1, n = systemd_listen_fds(&first);

	p->http = -1;
	p->doors = doors_open(c, p->workers, p->n_workers, first, n,
	    &p->given, session_accept, why, sizeof(why));
	if (p->doors != NULL && (c->http_listen[0] == '\0' ||
	    (p->http = http_bind(c, &p->given, why, sizeof(why))) >= 0) &&
	    succession_agree(p->setup.conf, why, sizeof(why))) {
		given_doors_end(&p->given);
		return true;
	}
	succession_fail(why);
	fprintf(stderr, "pgsluice: %s\n", why);
	given_doors_drop(&p->given);
	return false;
}

static void
main_start(struct program *p, const char *path)
{
	const struct control_hooks hooks = {
		.serving = systemd_ready, .reloading = systemd_reloading,
		.stopping = systemd_stopping, .replaced = systemd_replaced,
		.alive = systemd_watchdog_ping,
		.alive_every = systemd_watchdog_interval(),
	};
	const struct conf *c = p->setup.conf;
	struct session_setup own;
	size_t stack = SQL_STACK_MIN > WORKER_STACK_MIN ? SQL_STACK_MIN :
	    WORKER_STACK_MIN;
	unsigned i;

	setup_copy(&own, &p->setup);
	p->l1 = l1_new((size_t)c->cache_memory, (size_t)c->cache_max_object,
	    session_cache_wake, p->workers);
	l1_set_tenant_share(p->l1, (unsigned)c->cache_tenant_share);
	server_init(p->n_workers);
	session_layer_init(p->workers, p->n_workers, &p->setup, p->l1,
	    &admin_console_ops);
	pool_configure(p->setup.conf);
	connector_start(CONNECTOR_THREADS);
	auth_work_start(AUTH_THREADS);
	lookup_start(LOOKUP_THREADS);
	layout_start();
	feed_start();
	feeds_use(&own);
	p->control = control_new(path, &own, p->workers, p->n_workers, &hooks);
	admin_init(p->control, p->http);
	for (i = 0; i < p->n_workers; i++)
		worker_start(p->workers[i], stack, admin_tick);
}

/* ------------------------------------------------------------ stop */

static void
main_stop(struct program *p)
{
	admin_close();
	ending_run(p->workers, p->n_workers);
	doors_free(&p->doors);
	session_layer_fini();
	server_fini();
	l1_free(&p->l1);
	feed_fini();
	admin_fini();
	control_free(&p->control);
	main_free_workers(p);
	vouch_fini();
	log_info("main", "msg=\"pgsluice has stopped\"");
	log_stop();
	libevent_global_shutdown();
}

/* Counters that decide on cached results are shared with the process before, if
 * there is one, and the one after. Without that nothing is taken over. */
static bool
main_share(const char *path, int memory)
{
	const struct shared_region regions[] = { tags_region(),
		vouch_region(), standby_region() };
	const size_t n = ARRAY_SIZE(regions);
	bool given = memory >= 0;

	if (!given)
		memory = shared_make(regions, n);
	if (memory >= 0 && shared_use(regions, n, memory)) {
		takeover_init(path, memory);
		return true;
	}
	fprintf(stderr, "pgsluice: memory cannot be shared with the process "
	    "%s: %s%s\n", given ? "before" : "after", strerror(errno),
	    given ? "" : "; it runs, but there will be no takeover");
	if (memory >= 0)
		close(memory);
	takeover_init(path, -1);
	return !given;
}

/* sock: -1, or where the process before hands over. */
static int
main_run(const char *path, int sock)
{
	struct program p = { .http = -1 };
	char why[600];
	int memory = -1;

	control_block_signals();
	if (sock >= 0 && !succession_begin(sock, &p.given, &memory, why,
	    sizeof(why))) {
		succession_fail(why);
		fprintf(stderr, "pgsluice: %s\n", why);
		given_doors_drop(&p.given);
		return 1;
	}
	if (!main_share(path, memory)) {
		succession_fail("memory cannot be shared");
		return 1;
	}
	if (!main_load(path, &p.setup))
		return 1;
	log_threshold = (enum log_level)p.setup.conf->log_level;
	main_make_workers(&p);
	if (!main_bind(&p)) {
		doors_free(&p.doors);
		main_free_workers(&p);
		setup_release(&p.setup);
		return 1;
	}
	log_start();
	main_say_hello(&p);
	main_raise_limit(&p);
	main_start(&p, path);
	control_run(p.control, p.doors);
	main_stop(&p);
	return 0;
}

int
main(int argc, char **argv)
{
	struct options o;

	options_parse(&o, argc, argv);
	offline_init();
	switch (o.mode) {
	case OPTIONS_VERSION:
		return main_version();
	case OPTIONS_HELP:
		fputs(options_help, stdout);
		return 0;
	case OPTIONS_CHECK:
		return offline_check(o.path);
	case OPTIONS_REPORT:
		return offline_report("pgsluice", o.path, REPORT_HTML);
	case OPTIONS_REPORT_MARKDOWN:
		return offline_report("pgsluice", o.path, REPORT_MARKDOWN);
	case OPTIONS_IMPORT_PGBOUNCER:
		return importing_pgbouncer(o.path, o.users);
	case OPTIONS_WRONG:
		fprintf(stderr, "pgsluice: %s; see pgsluice --help\n",
		    o.wrong);
		return 1;
	case OPTIONS_RUN:
		break;
	}
	return main_run(o.path, o.successor);
}
