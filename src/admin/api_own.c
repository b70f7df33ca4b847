/* SPDX-License-Identifier: PostgreSQL
 *
 * The daemon's own parts of the JSON API: the process, counters, histograms.
 *
 * Reads what workers publish.  Control thread.
 */
#include "admin/api_own.h"

#include <stdlib.h>
#include <string.h>

#include "backend/pool.h"

/* ------------------------------------------------------------ process */

static const char *
own_state(const struct control *c)
{
	return c->state == CONTROL_DRAINING ? "stopping" :
	    pool_paused() ? "paused" : "serving";
}

void
api_process(const struct control *c, struct json *j)
{
	const struct conf *conf = c->setup.conf;

	json_open(j, '{');
	json_key(j, "version");
	json_str(j, PACKAGE_VERSION);
	json_key(j, "state");
	json_str(j, own_state(c));
	json_key(j, "uptime_seconds");
	json_seconds(j, clock_mono() - c->started);
	json_key(j, "clients");
	json_u64(j, session_count());
	json_key(j, "workers");
	json_u64(j, c->n_workers);
	json_key(j, "config_generation");
	json_u64(j, conf->generation);
	json_key(j, "last_reload_ok");
	json_bool(j, c->last_reload_ok);
	json_key(j, "actions");
	json_bool(j, c->setup.http_token != NULL);
	json_close(j, '}');
}

/* ------------------------------------------------------------ counters */

static struct metrics **
own_metrics(const struct control *c)
{
	struct metrics **all = x_calloc(c->n_workers, sizeof(struct metrics *));
	unsigned i;

	for (i = 0; i < c->n_workers; i++)
		all[i] = c->workers[i]->metrics;
	return all;
}

static void
own_counter(void *arg, const char *name, const char *help PG_UNUSED,
    uint64_t v)
{
	struct json *j = arg;
	size_t n = strlen(name);
	char *key;

	if (n <= 3 || strcmp(name + n - 3, "_ns") != 0) {
		json_key(j, name);
		json_u64(j, v);
		return;
	}
	key = x_malloc(n + sizeof("seconds"));
	memcpy(key, name, n - 2);
	strcpy(key + n - 2, "seconds");
	json_key(j, key);
	json_seconds(j, v);
	free(key);
}

void
api_counters(const struct control *c, struct json *j)
{
	struct metrics **all = own_metrics(c);

	json_open(j, '{');
	metrics_sum_counters(all, c->n_workers, own_counter, j);
	json_close(j, '}');
	free(all);
}

/* ------------------------------------------------------------ histograms */

static int
own_by_route(const void *a, const void *b)
{
	return strcmp(series_get(*(const unsigned *)a)->route,
	    series_get(*(const unsigned *)b)->route);
}

static void
own_quantile(struct json *j, const char *name, const struct hist_view *v,
    double q)
{
	json_key(j, name);
	json_seconds(j, hist_quantile(v, q));
}

static void
own_buckets(struct json *j, const struct hist_view *v)
{
	unsigned i;

	json_key(j, "buckets");
	json_open(j, '[');
	for (i = 0; i < HIST_BUCKETS; i++) {
		if (v->bucket[i] == 0)
			continue;
		json_open(j, '{');
		json_key(j, "le_seconds");
		json_seconds(j, hist_bucket_upper(i));
		json_key(j, "count");
		json_u64(j, v->bucket[i]);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void
own_histogram(struct json *j, const char *route, const struct hist_view *v)
{
	json_open(j, '{');
	json_key(j, "route");
	json_str(j, route);
	json_key(j, "count");
	json_u64(j, v->count);
	json_key(j, "sum_seconds");
	json_seconds(j, v->sum);
	own_quantile(j, "p50_seconds", v, 0.5);
	own_quantile(j, "p95_seconds", v, 0.95);
	own_quantile(j, "p99_seconds", v, 0.99);
	own_buckets(j, v);
	json_close(j, '}');
}

static void
own_add(struct hist_view *sum, const struct hist_view *v)
{
	unsigned i;

	sum->count += v->count;
	sum->sum += v->sum;
	for (i = 0; i < HIST_BUCKETS; i++)
		sum->bucket[i] += v->bucket[i];
}

/* Series of one route stand together once they are sorted. */
void
api_histograms(const struct control *c, struct json *j)
{
	unsigned i, n = series_count(), *ids = x_calloc(n + 1, sizeof(*ids));
	struct metrics **all = own_metrics(c);
	struct hist_view sum = { .count = 0 }, v;
	const char *route;

	for (i = 0; i < n; i++)
		ids[i] = i;
	qsort(ids, n, sizeof(*ids), own_by_route);
	json_open(j, '[');
	for (i = 0; i < n; i++) {
		route = series_get(ids[i])->route;
		metrics_sum_series(all, c->n_workers, ids[i], &v);
		own_add(&sum, &v);
		if (i + 1 < n && strcmp(series_get(ids[i + 1])->route,
		    route) == 0)
			continue;
		if (sum.count > 0)
			own_histogram(j, route, &sum);
		memset(&sum, 0, sizeof(sum));
	}
	json_close(j, ']');
	free(ids);
	free(all);
}
