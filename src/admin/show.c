/* SPDX-License-Identifier: PostgreSQL
 *
 * SHOW commands about what happens now: clients, servers, pools, numbers.
 *
 * Columns have PgBouncer's names where they mean the same; doc/console.md
 * explains them.  Rows about sessions and servers are collected by a tour of
 * all workers; what is published anyway is read from here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/console.h"
#include "admin/pools.h"
#include "admin/tour.h"
#include "admin/view.h"

static void
show_reply(struct console_call *call, struct rows *r)
{
	rows_reply(r, call->w, call->session, "SHOW");
}

static void
show_tour(struct console_call *call,
    void (*visit)(struct tour *t, struct worker *w))
{
	struct tour *t = tour_new(call->w, call->session);

	rows_columns(&t->rows, call->line->command->columns);
	t->visit = visit;
	tour_start(t);
}

/* ------------------------------------------------------------ help */

void
console_show_help(struct console_call *call)
{
	struct row row = { .n = 0 };
	struct rows r;
	unsigned i;

	console_rows(call, &r);
	for (i = 0; i < n_commands; i++) {
		row_str(&row, commands[i].words);
		row_str(&row, command_permission_name(commands[i].permission));
		row_str(&row, commands[i].help);
		rows_add(&r, &row);
	}
	show_reply(call, &r);
}

/* ------------------------------------------------------------ numbers */

static struct metrics **
show_metrics(const struct console_call *call, unsigned *n)
{
	const struct control *c = call->control;
	struct metrics **all = x_calloc(c->n_workers, sizeof(struct metrics *));
	unsigned i;

	for (i = 0; i < c->n_workers; i++)
		all[i] = c->workers[i]->metrics;
	*n = c->n_workers;
	return all;
}

static void
show_counter(void *arg, const char *name, const char *help, uint64_t v)
{
	struct row row = { .n = 0 };

	row_str(&row, name);
	row_u64(&row, v);
	row_str(&row, help);
	rows_add(arg, &row);
}

void
console_show_counters(struct console_call *call)
{
	struct metrics **all;
	struct rows r;
	unsigned n;

	all = show_metrics(call, &n);
	console_rows(call, &r);
	metrics_sum_counters(all, n, show_counter, &r);
	free(all);
	show_reply(call, &r);
}

static void
show_series(struct rows *r, const struct series_name *s,
    const struct hist_view *v)
{
	struct row row = { .n = 0 };

	row_str(&row, s->route);
	row_str(&row, s->variant);
	row_str(&row, s->backend);
	row_str(&row, s->outcome);
	row_u64(&row, v->count);
	row_ms(&row, v->sum);
	row_ms(&row, v->sum / v->count);
	row_ms(&row, hist_quantile(v, 0.5));
	row_ms(&row, hist_quantile(v, 0.95));
	row_ms(&row, hist_quantile(v, 0.99));
	rows_add(r, &row);
}

void
console_show_latency(struct console_call *call)
{
	struct hist_view v;
	struct metrics **all;
	struct rows r;
	unsigned i, n, count = series_count();

	all = show_metrics(call, &n);
	console_rows(call, &r);
	for (i = 0; i < count; i++) {
		metrics_sum_series(all, n, i, &v);
		if (v.count > 0)
			show_series(&r, series_get(i), &v);
	}
	free(all);
	show_reply(call, &r);
}

/* ------------------------------------------------------------ clients */

struct show_client_arg {
	struct rows *r;
	unsigned worker;
};

static void
show_client(const struct session_info *i, void *arg)
{
	struct show_client_arg *a = arg;
	struct row row = { .n = 0 };
	char tx[2] = { i->tx, '\0' };

	row_u64(&row, i->id);
	row_u64(&row, a->worker);
	row_str(&row, i->user);
	row_str(&row, i->database);
	row_str(&row, i->state);
	row_str(&row, i->peer);
	row_str(&row, i->app_name);
	row_bool(&row, i->tls);
	row_str(&row, i->backend);
	row_i64(&row, i->server_pid);
	row_str(&row, i->pin);
	row_str(&row, tx);
	row_when(&row, i->connected_for);
	row_ms(&row, i->in_state_for);
	row_u64(&row, i->queries);
	row_u64(&row, i->prepared);
	row_u64(&row, i->prepared_bytes);
	rows_add(a->r, &row);
}

static void
show_clients_visit(struct tour *t, struct worker *w)
{
	struct show_client_arg arg = { &t->rows, w->id };

	session_each(w, show_client, &arg);
}

void
console_show_clients(struct console_call *call)
{
	show_tour(call, show_clients_visit);
}

/* ------------------------------------------------------------ servers */

static void
show_server(struct server *s, void *arg)
{
	struct row row = { .n = 0 };
	char tx[2] = { s->tx, '\0' };
	nsec_t now = clock_mono();

	row_str(&row, pool_user(s->pool));
	row_str(&row, pool_backend_name(s->pool));
	row_str(&row, server_state_name(s->state));
	row_i64(&row, s->pid);
	row_u64(&row, s->w->id);
	row_str(&row, s->app_name != NULL ? s->app_name : "");
	row_str(&row, tx);
	row_when(&row, now > s->born ? now - s->born : 0);
	row_u64(&row, s->leases);
	row_u64(&row, s->prepared.tab.count);
	row_u64(&row, s->owed.count);
	row_u64(&row, s->cancels);
	row_u64(&row, s->scope != NULL ? s->scope->id : 0);
	rows_add(arg, &row);
}

static void
show_servers_visit(struct tour *t, struct worker *w)
{
	server_each(w, show_server, &t->rows);
}

void
console_show_servers(struct console_call *call)
{
	show_tour(call, show_servers_visit);
}

/* ------------------------------------------------------------ workers */

static void
show_count_client(const struct session_info *i PG_UNUSED, void *arg)
{
	++*(uint64_t *)arg;
}

static void
show_count_server(struct server *s PG_UNUSED, void *arg)
{
	++*(uint64_t *)arg;
}

static void
show_workers_visit(struct tour *t, struct worker *w)
{
	const struct shape_table *shapes = session_shapes(w);
	uint64_t clients = 0, servers = 0;
	struct row row = { .n = 0 };

	session_each(w, show_count_client, &clients);
	server_each(w, show_count_server, &servers);
	row_u64(&row, w->id);
	row_u64(&row, clients);
	row_u64(&row, servers);
	row_u64(&row, session_conf(w)->generation);
	row_u64(&row, shapes->tab.count);
	row_u64(&row, shapes->parses);
	row_u64(&row, shapes->hits);
	row_u64(&row, shapes->evictions);
	rows_add(&t->rows, &row);
}

void
console_show_workers(struct console_call *call)
{
	show_tour(call, show_workers_visit);
}

/* ------------------------------------------------------------ pools */

void
console_show_pools(struct console_call *call)
{
	struct row row = { .n = 0 };
	const struct pools_row *v;
	struct pools all;
	struct rows r;
	size_t i;

	pools_gather(&all);
	console_rows(call, &r);
	for (i = 0; i < all.n; i++) {
		v = &all.v[i];
		row_str(&row, v->backend);
		row_str(&row, v->user);
		row_u64(&row, v->waiting);
		row_u64(&row, v->active);
		row_u64(&row, v->idle);
		row_u64(&row, v->connecting);
		row_i64(&row, v->limit);
		row_u64(&row, v->longest_wait / NSEC_PER_SEC);
		row_u64(&row, v->longest_wait % NSEC_PER_SEC / NSEC_PER_USEC);
		row_bool(&row, v->paused);
		row_str(&row, v->last_error);
		rows_add(&r, &row);
	}
	pools_free(&all);
	show_reply(call, &r);
}

/* Numbers of all pools of one backend. */
static void
show_backend(struct rows *r, const struct conf *c,
    const struct conf_backend *b, const struct pools *all)
{
	uint64_t idle = 0, active = 0, connecting = 0, waiting = 0;
	const char *error = "";
	struct row row = { .n = 0 };
	size_t i;

	for (i = 0; i < all->n; i++) {
		if (strcmp(all->v[i].backend, b->name) != 0)
			continue;
		idle += all->v[i].idle;
		active += all->v[i].active;
		connecting += all->v[i].connecting;
		waiting += all->v[i].waiting;
		if (all->v[i].last_error[0] != '\0')
			error = all->v[i].last_error;
	}
	row_str(&row, b->name);
	row_str(&row, pool_backend_ok(b->name) ? "ok" : "down");
	row_str(&row, b->user != NULL ? b->user : "");
	row_i64(&row, b->pool_size > 0 ? b->pool_size : c->pool_size);
	row_u64(&row, active);
	row_u64(&row, idle);
	row_u64(&row, connecting);
	row_u64(&row, waiting);
	row_str(&row, error);
	rows_add(r, &row);
}

void
console_show_backends(struct console_call *call)
{
	const struct conf *c = session_conf(call->w);
	struct pools all;
	struct rows r;
	size_t i;

	pools_gather(&all);
	console_rows(call, &r);
	for (i = 0; i < c->n_backends; i++)
		show_backend(&r, c, &c->backends[i], &all);
	pools_free(&all);
	show_reply(call, &r);
}

/* ------------------------------------------------------------ lists */

static void
show_list(struct rows *r, const char *name, uint64_t items)
{
	struct row row = { .n = 0 };

	row_str(&row, name);
	row_u64(&row, items);
	rows_add(r, &row);
}

void
console_show_lists(struct console_call *call)
{
	const struct conf *c = session_conf(call->w);
	uint64_t servers = 0, idle = 0;
	struct l1_stats l1;
	struct pools all;
	struct rows r;
	size_t i;

	pools_gather(&all);
	for (i = 0; i < all.n; i++) {
		servers += all.v[i].idle + all.v[i].active;
		idle += all.v[i].idle;
	}
	l1_stats(session_layer_l1(), &l1);
	console_rows(call, &r);
	show_list(&r, "databases", c->n_databases);
	show_list(&r, "backends", c->n_backends);
	show_list(&r, "tables", c->n_tables);
	show_list(&r, "rules", c->n_rules);
	show_list(&r, "workers", call->control->n_workers);
	show_list(&r, "clients", session_count());
	show_list(&r, "pools", all.n);
	show_list(&r, "servers", servers);
	show_list(&r, "idle_servers", idle);
	show_list(&r, "cached_objects", l1.objects);
	show_list(&r, "shapes", view_shapes());
	pools_free(&all);
	show_reply(call, &r);
}
