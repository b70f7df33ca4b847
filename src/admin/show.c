/* SPDX-License-Identifier: PostgreSQL
 *
 * SHOW commands about the process: help, state, memory, workers, statements.
 *
 * Columns have PgBouncer's names where they mean the same; doc/console.md
 * explains them.  What only a worker knows is collected by a tour of all of
 * them; what is published anyway is read from here.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/console.h"
#include "admin/tour.h"
#include "admin/view.h"
#include "backend/hub.h"
#include "backend/pool.h"
#include "backend/server.h"

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

/* ------------------------------------------------------------ listeners */

struct show_listener_arg {
	struct rows *r;
	unsigned worker;
};

static void
show_listener(const struct hub_info *i, void *arg)
{
	struct show_listener_arg *a = arg;
	struct row row = { .n = 0 };

	row_str(&row, i->backend);
	row_str(&row, i->user);
	row_str(&row, i->state);
	row_i64(&row, i->server_pid);
	row_u64(&row, a->worker);
	row_u64(&row, i->channels);
	row_u64(&row, i->subscriptions);
	row_u64(&row, i->notifications);
	rows_add(a->r, &row);
}

static void
show_listeners_visit(struct tour *t, struct worker *w)
{
	struct show_listener_arg arg = { &t->rows, w->id };

	hub_each(w, show_listener, &arg);
}

void
console_show_listeners(struct console_call *call)
{
	show_tour(call, show_listeners_visit);
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

/* ------------------------------------------------------------ statements */

static void
show_statement(const struct statement_info *i, void *arg)
{
	struct tour *t = arg;
	char hash[40], *sql = x_strndup(i->sql.p, i->sql.n);
	struct row row = { .n = 0 };

	snprintf(hash, sizeof(hash), "%016llx%016llx",
	    (unsigned long long)i->hash.hi, (unsigned long long)i->hash.lo);
	row_u64(&row, t->next);
	row_str(&row, hash);
	row_u64(&row, i->refs);
	row_u64(&row, i->bytes);
	row_str(&row, sql);
	rows_add(&t->rows, &row);
	free(sql);
}

static void
show_statements_visit(struct tour *t, struct worker *w)
{
	session_each_statement(w, show_statement, t);
}

void
console_show_prepared(struct console_call *call)
{
	show_tour(call, show_statements_visit);
}

/* ------------------------------------------------------------ memory */

static void
show_memory(struct rows *r, const char *name, uint64_t size, uint64_t used,
    uint64_t left, uint64_t total)
{
	struct row row = { .n = 0 };

	row_str(&row, name);
	row_u64(&row, size);
	row_u64(&row, used);
	row_u64(&row, left);
	row_u64(&row, total);
	rows_add(r, &row);
}

void
console_show_mem(struct console_call *call)
{
	struct mallinfo2 m = mallinfo2();
	struct l1_stats l1;
	struct rows r;

	l1_stats(session_layer_l1(), &l1);
	console_rows(call, &r);
	show_memory(&r, "l1_objects", l1.objects > 0 ? l1.bytes / l1.objects :
	    0, l1.objects, 0, l1.bytes);
	show_memory(&r, "malloc_bytes", 1, m.uordblks + m.hblkhd, m.fordblks,
	    m.arena + m.hblkhd);
	rows_reply(&r, call->w, call->session, "SHOW");
}

/* ------------------------------------------------------------ state */

static void
show_key(struct rows *r, const char *key, bool value)
{
	struct row row = { .n = 0 };

	row_str(&row, key);
	row_bool(&row, value);
	rows_add(r, &row);
}

void
console_show_state(struct console_call *call)
{
	struct rows r;

	console_rows(call, &r);
	show_key(&r, "active", !pool_paused());
	show_key(&r, "paused", pool_paused());
	show_key(&r, "suspended", false);
	rows_reply(&r, call->w, call->session, "SHOW");
}
