/* SPDX-License-Identifier: PostgreSQL
 *
 * SHOW commands about pools: POOLS, BACKENDS, USERS, LISTS.
 *
 * A pool belongs to a backend and its user; the column database names the
 * databases whose default backend that is.  Reads what is published, but for
 * clients that log in.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/console.h"
#include "admin/names.h"
#include "admin/pools.h"
#include "admin/tour.h"
#include "admin/view.h"

static void
pools_cells(struct row *row, const struct pools_row *v,
    const struct conf *c, struct buf *databases)
{
	const struct conf_database *d = names_first(c, v->backend);
	enum conf_pool_mode mode = d != NULL ? d->pool_mode : c->pool_mode;

	row_str(row, names_of_databases(c, v->backend, databases));
	row_str(row, v->user);
	row_u64(row, v->clients > v->waiting ? v->clients - v->waiting : 0);
	row_u64(row, v->waiting);
	row_u64(row, 0); /* a client that cancels is answered at once */
	row_u64(row, 0);
	row_u64(row, v->active);
	row_u64(row, 0); /* and needs no server of the pool */
	row_u64(row, v->draining);
	row_u64(row, v->idle);
	row_u64(row, 0);
	row_u64(row, v->cleaning);
	row_u64(row, v->connecting);
	row_u64(row, v->longest_wait / NSEC_PER_SEC);
	row_u64(row, v->longest_wait % NSEC_PER_SEC / NSEC_PER_USEC);
	row_str(row, mode == POOL_MODE_SESSION ? "session" : "transaction");
	row_str(row, v->backend);
	row_i64(row, v->limit);
	row_bool(row, v->paused);
	row_str(row, v->last_error);
}

void
console_show_pools(struct console_call *call)
{
	struct row row = { .n = 0 };
	struct pools all;
	struct rows r;
	struct buf b;
	size_t i;

	pools_gather(&all);
	console_rows(call, &r);
	for (i = 0; i < all.n; i++) {
		buf_init(&b, NAMES_MAX);
		pools_cells(&row, &all.v[i], session_conf(call->w), &b);
		rows_add(&r, &row);
		buf_reset(&b);
	}
	pools_free(&all);
	rows_reply(&r, call->w, call->session, "SHOW");
}

/* ------------------------------------------------------------ backends */

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
	rows_reply(&r, call->w, call->session, "SHOW");
}

/* ------------------------------------------------------------ users */

static bool
users_has(const struct conf_strings *l, const char *name)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (strcmp(l->v[i], name) == 0)
			return true;
	return false;
}

static const char *
users_role(const struct conf *c, const char *name)
{
	const char *role = "";

#define CONSOLE_ROLE(sym, label, setting, doc) \
	if (users_has(&c->setting, name)) \
		role = label;
#include "tbl/console_roles.h"
	return role;
}

struct users_arg {
	struct rows *r;
	const struct conf *c;
};

static void
users_row(const struct users_arg *a, const char *name)
{
	struct row row = { .n = 0 };

	row_str(&row, name);
	row_str(&row, NULL); /* it is the database's */
	row_str(&row, users_role(a->c, name));
	rows_add(a->r, &row);
}

static void
users_entry(const struct userdb_entry *e, void *arg)
{
	users_row(arg, e->name);
}

/* Those of a list who stand neither in the file nor in an earlier list. */
static void
users_list(const struct users_arg *a, const struct userdb *file,
    const struct conf_strings *l, const char *role)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (userdb_find(file, l->v[i]) == NULL &&
		    strcmp(users_role(a->c, l->v[i]), role) == 0)
			users_row(a, l->v[i]);
}

void
console_show_users(struct console_call *call)
{
	const struct userdb *file = session_users(call->w);
	struct rows r;
	struct users_arg a = { &r, session_conf(call->w) };

	console_rows(call, &r);
	userdb_each(file, users_entry, &a);
#define CONSOLE_ROLE(sym, label, setting, doc) \
	users_list(&a, file, &a.c->setting, label);
#include "tbl/console_roles.h"
	rows_reply(&r, call->w, call->session, "SHOW");
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

static void
lists_count_login(const struct session_info *i, void *arg)
{
	*(uint64_t *)arg += i->login;
}

static void
lists_visit(struct tour *t, struct worker *w)
{
	session_each(w, lists_count_login, &t->found);
}

/* Those of PgBouncer first. */
static void
lists_done(struct tour *t)
{
	const struct conf *c = session_conf(t->origin);
	const struct control *control = t->data;
	uint64_t idle = 0, busy = 0;
	struct rows *r = &t->rows;
	struct l1_stats l1;
	struct pools all;
	size_t i;

	pools_gather(&all);
	for (i = 0; i < all.n; i++) {
		idle += all.v[i].idle;
		busy += all.v[i].active + all.v[i].cleaning +
		    all.v[i].draining;
	}
	l1_stats(session_layer_l1(), &l1);
	show_list(r, "databases", c->n_databases);
	show_list(r, "users", userdb_count(session_users(t->origin)));
	show_list(r, "pools", all.n);
	show_list(r, "free_clients", 0);
	show_list(r, "used_clients", session_count() - t->found);
	show_list(r, "login_clients", t->found);
	show_list(r, "free_servers", idle);
	show_list(r, "used_servers", busy);
	show_list(r, "dns_names", 0);
	show_list(r, "dns_zones", 0);
	show_list(r, "dns_queries", 0);
	show_list(r, "dns_pending", 0);
	show_list(r, "backends", c->n_backends);
	show_list(r, "tables", c->n_tables);
	show_list(r, "rules", c->n_rules);
	show_list(r, "workers", control->n_workers);
	show_list(r, "cached_objects", l1.objects);
	show_list(r, "shapes", view_shapes());
	pools_free(&all);
	rows_reply(r, t->origin, t->session, "SHOW");
}

void
console_show_lists(struct console_call *call)
{
	struct tour *t = tour_new(call->w, call->session);

	rows_columns(&t->rows, call->line->command->columns);
	t->data = call->control;
	t->visit = lists_visit;
	t->done = lists_done;
	tour_start(t);
}
