/* SPDX-License-Identifier: PostgreSQL
 *
 * The console asked for everything that top shows; see look.h.
 *
 * Every column that is read here is one of those that console_ask() has seen to be
 * there.
 */
#include "ctl/look.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/console.h"

static char *
look_text(const PGresult *r, int row, const char *column)
{
	return x_strdup(dial_cell(r, row, column));
}

static uint64_t
look_count(const PGresult *r, int row, const char *column)
{
	return strtoull(dial_cell(r, row, column), NULL, 10);
}

static long
look_long(const PGresult *r, int row, const char *column)
{
	return strtol(dial_cell(r, row, column), NULL, 10);
}

/* ---- what is asked ---------------------------------------------------------- */

static bool
look_totals(struct look *k, struct dial *l)
{
	PGresult *r = console_ask(l, "SHOW STATS_TOTALS", "database xact_count "
	    "query_count bytes_received bytes_sent");
	int i;

	if (r == NULL)
		return false;
	for (i = 0; i < PQntuples(r); i++) {
		if (strcmp(dial_cell(r, i, "database"), CONSOLE_DATABASE) == 0)
			continue;
		k->transactions += look_count(r, i, "xact_count");
		k->statements += look_count(r, i, "query_count");
		k->received += look_count(r, i, "bytes_received");
		k->sent += look_count(r, i, "bytes_sent");
	}
	PQclear(r);
	return true;
}

static struct look_series *
look_series_of(struct look *k, const char *route, const char *variant,
    const char *outcome)
{
	struct look_series *s;

	/* Rows of one series stand together. */
	for (s = k->series + k->n_series; s > k->series; s--)
		if (strcmp(s[-1].route, route) == 0 &&
		    strcmp(s[-1].variant, variant) == 0 &&
		    strcmp(s[-1].outcome, outcome) == 0)
			return &s[-1];
	s = &k->series[k->n_series++];
	s->route = x_strdup(route);
	s->variant = x_strdup(variant);
	s->outcome = x_strdup(outcome);
	return s;
}

static bool
look_latency(struct look *k, struct dial *l)
{
	PGresult *r = console_ask(l, "SHOW LATENCY BUCKETS",
	    "route variant outcome bucket count");
	uint64_t count, bucket;
	struct look_series *s;
	int i;

	if (r == NULL)
		return false;
	k->series = x_calloc((size_t)PQntuples(r), sizeof(*k->series));
	for (i = 0; i < PQntuples(r); i++) {
		bucket = look_count(r, i, "bucket");
		count = look_count(r, i, "count");
		s = look_series_of(k, dial_cell(r, i, "route"),
		    dial_cell(r, i, "variant"), dial_cell(r, i, "outcome"));
		if (bucket >= HIST_BUCKETS)
			continue;
		s->time.bucket[bucket] += count;
		s->time.count += count;
	}
	PQclear(r);
	return true;
}

static bool
look_pools(struct look *k, struct dial *l)
{
	PGresult *r = console_ask(l, "SHOW POOLS", "backend user sv_active "
	    "sv_idle sv_login cl_waiting pool_size last_error");
	int i;

	if (r == NULL)
		return false;
	k->n_pools = (size_t)PQntuples(r);
	k->pools = x_calloc(k->n_pools, sizeof(*k->pools));
	for (i = 0; i < PQntuples(r); i++)
		k->pools[i] = (struct look_pool){
			.backend = look_text(r, i, "backend"),
			.user = look_text(r, i, "user"),
			.error = look_text(r, i, "last_error"),
			.busy = look_long(r, i, "sv_active"),
			.idle = look_long(r, i, "sv_idle"),
			.login = look_long(r, i, "sv_login"),
			.waiting = look_long(r, i, "cl_waiting"),
			.size = look_long(r, i, "pool_size") };
	PQclear(r);
	return true;
}

static bool
look_backends(struct look *k, struct dial *l)
{
	PGresult *r = console_ask(l, "SHOW BACKENDS", "name state sv_active "
	    "sv_idle sv_login cl_waiting last_error");
	int i;

	if (r == NULL)
		return false;
	k->n_backends = (size_t)PQntuples(r);
	k->backends = x_calloc(k->n_backends, sizeof(*k->backends));
	for (i = 0; i < PQntuples(r); i++)
		k->backends[i] = (struct look_backend){
			.name = look_text(r, i, "name"),
			.state = look_text(r, i, "state"),
			.error = look_text(r, i, "last_error"),
			.busy = look_long(r, i, "sv_active"),
			.idle = look_long(r, i, "sv_idle"),
			.login = look_long(r, i, "sv_login"),
			.waiting = look_long(r, i, "cl_waiting") };
	PQclear(r);
	return true;
}

/* That shapes are not counted is told by SQLSTATE 55000, and no failure. */
static bool
look_shapes(struct look *k, struct dial *l)
{
	PGresult *r = console_ask(l, "SHOW SHAPES", "shape database calls "
	    "total_ms query");
	int i;

	if (r == NULL) {
		k->shapes_off = strcmp(l->sqlstate, "55000") == 0;
		return k->shapes_off;
	}
	k->n_shapes = (size_t)PQntuples(r);
	k->shapes = x_calloc(k->n_shapes, sizeof(*k->shapes));
	for (i = 0; i < PQntuples(r); i++)
		k->shapes[i] = (struct look_shape){
			.number = look_text(r, i, "shape"),
			.database = look_text(r, i, "database"),
			.text = look_text(r, i, "query"),
			.calls = look_count(r, i, "calls"),
			.total_ms = dial_number(r, i, "total_ms") };
	PQclear(r);
	return true;
}

/* ---- the whole ---------------------------------------------------------------- */

bool
look_take(struct look *k, struct dial *l)
{
	*k = (struct look){ .at = clock_mono() };
	if (look_totals(k, l) && look_latency(k, l) && look_pools(k, l) &&
	    look_backends(k, l) && look_shapes(k, l))
		return true;
	look_fini(k);
	return false;
}

void
look_fini(struct look *k)
{
	size_t i;

	for (i = 0; i < k->n_series; i++) {
		free(k->series[i].route);
		free(k->series[i].variant);
		free(k->series[i].outcome);
	}
	for (i = 0; i < k->n_pools; i++) {
		free(k->pools[i].backend);
		free(k->pools[i].user);
		free(k->pools[i].error);
	}
	for (i = 0; i < k->n_backends; i++) {
		free(k->backends[i].name);
		free(k->backends[i].state);
		free(k->backends[i].error);
	}
	for (i = 0; i < k->n_shapes; i++) {
		free(k->shapes[i].number);
		free(k->shapes[i].database);
		free(k->shapes[i].text);
	}
	free(k->series);
	free(k->pools);
	free(k->backends);
	free(k->shapes);
	*k = (struct look){ .at = 0 };
}
