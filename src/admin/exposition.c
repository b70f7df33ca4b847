/* SPDX-License-Identifier: PostgreSQL
 *
 * What /metrics shows: counters, gauges, histograms.
 *
 * Families other than counters stand in tbl/metric_families.h.  Reads numbers
 * that others publish; waits for no worker.  A page is bounded by the number
 * of series (SERIES_MAX) and pools.  Control thread.
 */
#include "admin/exposition_priv.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "admin/pools.h"
#include "admin/view.h"
#include "base/log.h"
#include "cache/l2_track.h"
#include "route/route.h"

const struct metric_family families[FAMILY_COUNT] = {
#define FAMILY(sym, name, type, labels, help) { name, type, help },
#include "tbl/metric_families.h"
};

void
exposition_family(struct prom *p, enum family f)
{
	prom_family(p, families[f].name, families[f].type, families[f].help);
}

static void
exposition_number(struct prom *p, enum family f, uint64_t v)
{
	exposition_family(p, f);
	prom_number(p, families[f].name, NULL, 0, v);
}

/* ------------------------------------------------------------ counters */

#define NS_SUFFIX "_nanoseconds"
#define NS_HELP ", in ns"

static bool
exposition_cut(char *text, const char *suffix)
{
	size_t n = strlen(text), m = strlen(suffix);

	if (n < m || strcmp(text + n - m, suffix) != 0)
		return false;
	text[n - m] = '\0';
	return true;
}

/* Prometheus wants base units: what is counted in ns is shown in seconds. */
static void
exposition_counter(void *arg, const char *name, const char *help, uint64_t v)
{
	struct prom *p = arg;
	char base[80], full[128], text[200];
	bool ns;

	snprintf(base, sizeof(base), "%s", name);
	snprintf(text, sizeof(text), "%s", help);
	ns = exposition_cut(base, NS_SUFFIX);
	if (ns)
		exposition_cut(text, NS_HELP);
	snprintf(full, sizeof(full), "pgsluice_%s%s_total", base,
	    ns ? "_seconds" : "");
	prom_family(p, full, "counter", text);
	if (ns)
		prom_seconds(p, full, NULL, 0, v);
	else
		prom_number(p, full, NULL, 0, v);
}

/* ------------------------------------------------------------ process */

static uint64_t
exposition_rss(void)
{
	unsigned long long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f == NULL)
		return 0;
	if (fscanf(f, "%*u %llu", &pages) != 1)
		pages = 0;
	fclose(f);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t
exposition_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	uint64_t n = 0;

	if (d == NULL)
		return 0;
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			n++;
	closedir(d);
	return n - 1; /* the one we read by */
}

static nsec_t
exposition_cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return ((nsec_t)u.ru_utime.tv_sec + (nsec_t)u.ru_stime.tv_sec) *
	    NSEC_PER_SEC + ((nsec_t)u.ru_utime.tv_usec +
	    (nsec_t)u.ru_stime.tv_usec) * NSEC_PER_USEC;
}

static void
exposition_process(struct prom *p)
{
	struct rlimit rl;

	exposition_number(p, FAMILY_LOG_DROPPED, log_dropped());
	exposition_number(p, FAMILY_RSS, exposition_rss());
	exposition_family(p, FAMILY_CPU);
	prom_seconds(p, families[FAMILY_CPU].name, NULL, 0,
	    exposition_cpu());
	exposition_number(p, FAMILY_FDS, exposition_fds());
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0)
		exposition_number(p, FAMILY_FDS_MAX, rl.rlim_cur);
}

static void
exposition_general(struct prom *p, const struct control *c)
{
	static nsec_t started;
	const struct prom_label version = { "version", PACKAGE_VERSION };

	if (started == 0)
		started = clock_wall() - (clock_mono() - c->started);
	exposition_family(p, FAMILY_BUILD_INFO);
	prom_number(p, families[FAMILY_BUILD_INFO].name, &version, 1, 1);
	exposition_family(p, FAMILY_START_TIME);
	prom_seconds(p, families[FAMILY_START_TIME].name, NULL, 0, started);
	exposition_number(p, FAMILY_CONF_GENERATION,
	    c->setup.conf->generation);
	exposition_number(p, FAMILY_CONF_RELOAD_OK, c->last_reload_ok);
	exposition_number(p, FAMILY_WORKERS, c->n_workers);
	exposition_number(p, FAMILY_CLIENTS, session_count());
	exposition_number(p, FAMILY_CLIENTS_MAX,
	    (uint64_t)c->setup.conf->max_client_conn);
	exposition_number(p, FAMILY_SHAPES, view_shapes());
}

/* ------------------------------------------------------------ pools */

static void
exposition_pool_states(struct prom *p, const struct pools *all)
{
	const char *name = families[FAMILY_POOL_SERVERS].name;
	struct prom_label l[3] = { { "backend", "" }, { "user", "" },
		{ "state", "" } };
	size_t i;

	exposition_family(p, FAMILY_POOL_SERVERS);
	for (i = 0; i < all->n; i++) {
		l[0].value = all->v[i].backend;
		l[1].value = all->v[i].user;
		l[2].value = "idle";
		prom_number(p, name, l, 3, all->v[i].idle);
		l[2].value = "active";
		prom_number(p, name, l, 3, all->v[i].active);
		l[2].value = "connecting";
		prom_number(p, name, l, 3, all->v[i].connecting);
	}
}

static uint64_t
exposition_waiting(const struct pools_row *r)
{
	return r->waiting;
}

static uint64_t
exposition_limit(const struct pools_row *r)
{
	return (uint64_t)r->limit;
}

static uint64_t
exposition_longest(const struct pools_row *r)
{
	return r->longest_wait;
}

static void
exposition_pool_gauge(struct prom *p, const struct pools *all, enum family f,
    uint64_t (*value)(const struct pools_row *), bool seconds)
{
	struct prom_label l[2] = { { "backend", "" }, { "user", "" } };
	size_t i;

	exposition_family(p, f);
	for (i = 0; i < all->n; i++) {
		l[0].value = all->v[i].backend;
		l[1].value = all->v[i].user;
		if (seconds)
			prom_seconds(p, families[f].name, l, 2,
			    value(&all->v[i]));
		else
			prom_number(p, families[f].name, l, 2,
			    value(&all->v[i]));
	}
}

static void
exposition_pools(struct prom *p, const struct conf *c)
{
	struct prom_label l = { "backend", "" };
	struct pools all;
	bool paused = false;
	size_t i;

	exposition_family(p, FAMILY_BACKEND_UP);
	for (i = 0; i < c->n_backends; i++) {
		l.value = c->backends[i].name;
		prom_number(p, families[FAMILY_BACKEND_UP].name, &l, 1,
		    pool_backend_ok(l.value));
	}
	pools_gather(&all);
	exposition_pool_states(p, &all);
	exposition_pool_gauge(p, &all, FAMILY_POOL_WAITING,
	    exposition_waiting, false);
	exposition_pool_gauge(p, &all, FAMILY_POOL_LONGEST_WAIT,
	    exposition_longest, true);
	exposition_pool_gauge(p, &all, FAMILY_POOL_LIMIT, exposition_limit,
	    false);
	for (i = 0; i < all.n; i++)
		paused = paused || all.v[i].paused;
	exposition_number(p, FAMILY_PAUSED, paused);
	pools_free(&all);
}

/* ---------------------------------------------------------- clients */

static void
exposition_closes(struct prom *p, const struct control *c)
{
	struct prom_label l = { "reason", "" };
	const char *symbol;
	char name[32];
	uint64_t sum;
	unsigned r, i;

	exposition_family(p, FAMILY_CLIENT_CLOSES);
	for (r = 0; (symbol = session_close_reason(r)) != NULL; r++) {
		CHECK(r < CLOSE_SLOTS && strlen(symbol) < sizeof(name));
		sum = 0;
		for (i = 0; i < c->n_workers; i++)
			sum += atomic_load_explicit(
			    &c->workers[i]->metrics->closes[r],
			    memory_order_relaxed);
		for (i = 0; symbol[i] != '\0'; i++)
			name[i] = symbol[i] == '_' ? '_' :
			    (char)(symbol[i] | 0x20);
		name[i] = '\0';
		l.value = name;
		prom_number(p, families[FAMILY_CLIENT_CLOSES].name, &l, 1,
		    sum);
	}
}

/* ------------------------------------------------------------ cache */

static void
exposition_bypass(struct prom *p, const struct control *c)
{
	struct prom_label l = { "reason", "" };
	uint64_t sum;
	unsigned r, i;

	CHECK(BYPASS_REASON_COUNT <= BYPASS_SLOTS);
	exposition_family(p, FAMILY_CACHE_BYPASS);
	for (r = BYPASS_NONE + 1; r < BYPASS_REASON_COUNT; r++) {
		sum = 0;
		for (i = 0; i < c->n_workers; i++)
			sum += atomic_load_explicit(
			    &c->workers[i]->metrics->bypass[r],
			    memory_order_relaxed);
		l.value = bypass_reason_name((enum bypass_reason)r);
		prom_number(p, families[FAMILY_CACHE_BYPASS].name, &l, 1,
		    sum);
	}
}

static void
exposition_l2(struct prom *p)
{
	struct prom_label l = { "outcome", NULL };
	struct l2_stats s;
	struct l2_track_stats t;
	unsigned connected, o;

	if (!view_l2(&s, &connected))
		return;
	exposition_number(p, FAMILY_L2_CONNECTED, connected);
	exposition_number(p, FAMILY_L2_GETS, s.gets);
	exposition_number(p, FAMILY_L2_HITS, s.hits);
	exposition_number(p, FAMILY_L2_MISSES, s.misses);
	exposition_number(p, FAMILY_L2_TIMEOUTS, s.timeouts);
	exposition_number(p, FAMILY_L2_ERRORS, s.errors);
	exposition_number(p, FAMILY_L2_PUTS, s.puts);
	exposition_number(p, FAMILY_L2_BUMPS, s.bumps);
	exposition_number(p, FAMILY_L2_CORRUPT, s.corrupt);
	exposition_number(p, FAMILY_L2_BREAKER, s.breaker_opens);
	exposition_family(p, FAMILY_L2_LEASES);
	for (o = 0; o < LEASE_OUTCOMES; o++) {
		l.value = l2_lease_outcome((enum lease_outcome)o);
		prom_number(p, families[FAMILY_L2_LEASES].name, &l, 1,
		    s.leases[o]);
	}
	l2_track_stats(&t);
	exposition_number(p, FAMILY_L2_TRACKING, t.on);
	exposition_number(p, FAMILY_L2_TOLD, t.told);
	exposition_number(p, FAMILY_L2_DROPPED, t.dropped);
	exposition_number(p, FAMILY_L2_EPOCHS, t.epochs);
}

static void
exposition_cache(struct prom *p, const struct control *c)
{
	struct l1_stats s;

	l1_stats(session_layer_l1(), &s);
	exposition_number(p, FAMILY_CACHE_OBJECTS, s.objects);
	exposition_number(p, FAMILY_CACHE_BYTES, s.bytes);
	exposition_number(p, FAMILY_CACHE_LIMIT,
	    (uint64_t)c->setup.conf->cache_memory);
	exposition_number(p, FAMILY_CACHE_INSERTS, s.inserts);
	exposition_number(p, FAMILY_CACHE_EVICTIONS, s.evictions);
	exposition_number(p, FAMILY_CACHE_TENANT_EVICTIONS,
	    s.tenant_evictions);
	exposition_number(p, FAMILY_CACHE_EXPIRED, s.expired);
	exposition_number(p, FAMILY_CACHE_STALE, s.stale);
	exposition_number(p, FAMILY_CACHE_UNPROFITABLE, view_unprofitable());
	exposition_bypass(p, c);
	exposition_l2(p);
}

/* ------------------------------------------------------------ latency */

struct exposition_cell {
	struct metrics *const *all;
	unsigned n, series;
};

static bool
exposition_exemplar(const void *arg, nsec_t low, nsec_t high,
    struct exemplar *out)
{
	const struct exposition_cell *c = arg;

	return exemplar_find(c->all, c->n, c->series, low, high, out);
}

static void
exposition_series(struct prom *p, struct metrics *const *all, unsigned n)
{
	const char *name = families[FAMILY_QUERY_DURATION].name;
	const struct series_name *s;
	struct exposition_cell cell = { .all = all, .n = n };
	const struct prom_exemplars with = { exposition_exemplar, &cell };
	struct prom_label l[4];
	struct hist_view v;
	unsigned i, count = series_count();

	exposition_family(p, FAMILY_QUERY_DURATION);
	for (i = 0; i < count; i++) {
		metrics_sum_series(all, n, i, &v);
		if (v.count == 0)
			continue;
		s = series_get(i);
		l[0] = (struct prom_label){ "route", s->route };
		l[1] = (struct prom_label){ "variant", s->variant };
		l[2] = (struct prom_label){ "backend", s->backend };
		l[3] = (struct prom_label){ "outcome", s->outcome };
		cell.series = i;
		prom_histogram_with(p, name, l, 4, &v, &with);
	}
}

static void
exposition_metrics(struct prom *p, const struct control *c)
{
	struct metrics **all = x_calloc(c->n_workers, sizeof(struct metrics *));
	struct hist_view wait, lag, stale;
	unsigned i;

	memset(&wait, 0, sizeof(wait));
	memset(&lag, 0, sizeof(lag));
	memset(&stale, 0, sizeof(stale));
	for (i = 0; i < c->n_workers; i++) {
		all[i] = c->workers[i]->metrics;
		hist_merge(&wait, &all[i]->wait);
		hist_merge(&lag, &all[i]->lag);
		hist_merge(&stale, &all[i]->staleness);
	}
	metrics_sum_counters(all, c->n_workers, exposition_counter, p);
	exposition_closes(p, c);
	exposition_series(p, all, c->n_workers);
	exposition_family(p, FAMILY_SERVER_WAIT);
	prom_histogram(p, families[FAMILY_SERVER_WAIT].name, NULL, 0, &wait);
	exposition_family(p, FAMILY_WORKER_LAG);
	prom_histogram(p, families[FAMILY_WORKER_LAG].name, NULL, 0, &lag);
	exposition_family(p, FAMILY_CACHE_STALENESS);
	prom_histogram(p, families[FAMILY_CACHE_STALENESS].name, NULL, 0,
	    &stale);
	free(all);
}

bool
exposition_write(struct control *c, struct buf *out, bool open)
{
	struct prom p;

	prom_init(&p, out, open);
	exposition_general(&p, c);
	exposition_metrics(&p, c);
	exposition_pools(&p, c->setup.conf);
	exposition_cache(&p, c);
	exposition_layouts(&p);
	exposition_feeds(&p);
	exposition_watches(&p);
	exposition_experiments(&p, c->setup.conf);
	exposition_replicas(&p, c);
	exposition_checks(&p);
	exposition_peers(&p, c->setup.conf);
	exposition_process(&p);
	prom_end(&p);
	return !p.failed;
}
