/* SPDX-License-Identifier: PostgreSQL
 *
 * SHOW commands about what is configured: databases, routes, cache, settings.
 *
 * Reads the configuration that the session's worker uses.  Passwords do not
 * get here: conf_each_setting() hides them, and no connection string is shown
 * otherwise.
 */
#include <event2/event.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/console.h"
#include "admin/view.h"
#include "backend/pool.h"
#include "base/buf.h"
#include "cache/l2_track.h"
#include "conf/units.h"
#include "route/route.h"
#include "session/dbstate.h"

#define CELL_MAX (1024 * 1024)

static void
show_conf_reply(struct console_call *call, struct rows *r)
{
	rows_reply(r, call->w, call->session, "SHOW");
}

/* ------------------------------------------------------------ cells */

/* A growing text for one cell. What does not fit is left out. */
static void
cell_add(struct buf *b, const char *s)
{
	if (!buf_append(b, s, strlen(s)))
		b->cap = b->size; /* and so is all that follows */
}

static void
cell_item(struct buf *b, const char *s)
{
	if (buf_len(b) > 0)
		cell_add(b, ", ");
	cell_add(b, s);
}

/* End the text and make it a cell; valid until the buffer changes. */
static void
row_cell(struct row *row, struct buf *b)
{
	row_str(row, buf_append(b, "", 1) ? buf_head(b) : "...");
}

static void
cell_databases(struct buf *b, struct conf_database *const *v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		cell_item(b, v[i]->name);
}

/* ------------------------------------------------------------ version */

void
console_show_version(struct console_call *call)
{
	struct row row = { .n = 0 };
	struct rows r;

	console_rows(call, &r);
	row_str(&row, "pgsluice " PACKAGE_VERSION);
	row_str(&row, event_get_version());
	row_str(&row, OpenSSL_version(OPENSSL_VERSION_STRING));
	rows_add(&r, &row);
	show_conf_reply(call, &r);
}

/* ------------------------------------------------------------ databases */

struct show_servers {
	const char *backend;
	uint64_t n;
};

static void
show_add_servers(const struct pool_info *i, void *arg)
{
	struct show_servers *a = arg;

	if (strcmp(i->backend, a->backend) == 0)
		a->n += i->total;
}

static void
show_database(struct rows *r, const struct conf *c,
    const struct conf_database *d)
{
	char *host = conf_backend_option(d->backend, "host");
	char *port = conf_backend_option(d->backend, "port");
	char *dbname = conf_backend_option(d->backend, "dbname");
	const struct dbstate *state = dbstate_get(d->name);
	struct show_servers servers = { d->backend->name, 0 };
	struct row row = { .n = 0 };

	pool_each(show_add_servers, &servers);
	row_str(&row, d->name);
	row_str(&row, host);
	row_i64(&row, port != NULL ? strtol(port, NULL, 10) : 5432);
	row_str(&row, dbname);
	row_str(&row, d->backend->user);
	row_i64(&row, d->backend->pool_size > 0 ? d->backend->pool_size :
	    c->pool_size);
	row_i64(&row, c->min_pool_size);
	row_i64(&row, d->backend->reserve_pool_size);
	row_str(&row, d->pool_mode == POOL_MODE_SESSION ? "session" :
	    "transaction");
	row_i64(&row, d->backend->max_db_connections);
	row_u64(&row, servers.n);
	row_u64(&row, atomic_load(&state->paused) || pool_paused());
	row_u64(&row, atomic_load(&state->disabled));
	row_str(&row, d->backend->name);
	row_bool(&row, d->cache);
	row_u64(&row, d->n_tables);
	row_u64(&row, d->n_rules);
	rows_add(r, &row);
	free(host);
	free(port);
	free(dbname);
}

void
console_show_databases(struct console_call *call)
{
	const struct conf *c = session_conf(call->w);
	struct rows r;
	size_t i;

	console_rows(call, &r);
	for (i = 0; i < c->n_databases; i++)
		show_database(&r, c, &c->databases[i]);
	show_conf_reply(call, &r);
}

/* ------------------------------------------------------------ routes */

static void
cell_spans(struct buf *b, const struct conf_variant *v)
{
	char month[UNITS_TEXT];
	size_t i;

	for (i = 0; i < v->n_spans; i++) {
		cell_item(b, v->spans[i].backend->name);
		cell_add(b, " [");
		if (v->spans[i].from != INT64_MIN)
			cell_add(b, units_print_month(month,
			    v->spans[i].from));
		cell_add(b, "..");
		if (v->spans[i].until != INT64_MAX)
			cell_add(b, units_print_month(month,
			    v->spans[i].until));
		cell_add(b, ")");
	}
}

static void
show_variant(struct rows *r, const struct conf_table *t,
    const struct conf_variant *v)
{
	static const char *const kinds[] = { "plain", "monthly", "sharded" };
	struct buf databases, parts, columns, types;
	struct row row = { .n = 0 };
	size_t i;

	buf_init(&databases, CELL_MAX);
	buf_init(&parts, CELL_MAX);
	buf_init(&columns, CELL_MAX);
	buf_init(&types, CELL_MAX);
	cell_databases(&databases, t->databases, t->n_databases);
	for (i = 0; i < v->n_shards; i++)
		cell_item(&parts, v->shards[i].backend->name);
	cell_spans(&parts, v);
	for (i = 0; i < t->n_keys; i++) {
		cell_item(&columns, t->keys[i].column);
		cell_item(&types, conf_key_type_name(t->keys[i].type));
	}
	row_str(&row, t->name);
	row_cell(&row, &databases);
	row_cell(&row, &columns);
	row_cell(&row, &types);
	row_str(&row, t->time_column != NULL ? t->time_column : "");
	row_str(&row, v->name);
	row_bool(&row, v == t->use);
	row_str(&row, kinds[v->kind]);
	row_str(&row, v->backend->name);
	row_str(&row, v->relations[0].name);
	row_str(&row, v->shard_relation != NULL ? v->shard_relation : "");
	row_cell(&row, &parts);
	rows_add(r, &row);
	buf_reset(&databases);
	buf_reset(&parts);
	buf_reset(&columns);
	buf_reset(&types);
}

void
console_show_routes(struct console_call *call)
{
	const struct conf *c = session_conf(call->w);
	struct rows r;
	size_t i, k;

	console_rows(call, &r);
	for (i = 0; i < c->n_tables; i++)
		for (k = 0; k < c->tables[i].n_variants; k++)
			show_variant(&r, &c->tables[i],
			    &c->tables[i].variants[k]);
	show_conf_reply(call, &r);
}

/* ------------------------------------------------------------ cache */

static void
show_number(struct rows *r, const char *section, const char *name, uint64_t v,
    const char *note)
{
	struct row row = { .n = 0 };

	row_str(&row, section);
	row_str(&row, name);
	row_u64(&row, v);
	row_str(&row, note);
	rows_add(r, &row);
}

static void
show_l1(struct rows *r, const struct conf *c)
{
	struct l1_stats s;

	l1_stats(session_layer_l1(), &s);
	show_number(r, "l1", "objects", s.objects, "results in memory");
	show_number(r, "l1", "bytes", s.bytes, "memory they take");
	show_number(r, "l1", "limit", (uint64_t)c->cache_memory,
	    "cache_memory");
	show_number(r, "l1", "filling", s.busy, "fills under way");
	show_number(r, "l1", "inserts", s.inserts, "");
	show_number(r, "l1", "evictions", s.evictions, "for want of room");
	show_number(r, "l1", "tenant_evictions", s.tenant_evictions,
	    "... over cache_tenant_share");
	show_number(r, "l1", "expired", s.expired, "dropped: too old");
	show_number(r, "l1", "stale", s.stale,
	    "dropped: a table was written");
}

static void
show_tracking(struct rows *r)
{
	struct l2_track_stats t;
	char note[200];

	l2_track_stats(&t);
	snprintf(note, sizeof(note), "%s%s", t.on ?
	    "Redis tells of changed names" : !t.wanted ?
	    "redis_tracking = false" : t.refused ? "Redis refuses: " :
	    "not connected", t.on ? "" : t.why);
	show_number(r, "l2", "tracking", t.on, note);
	show_number(r, "l2", "told", t.told, "names told of");
	show_number(r, "l2", "dropped", t.dropped,
	    "that may have ended results in memory");
	show_number(r, "l2", "epochs", t.epochs,
	    "times all that may be in Redis ended in memory");
}

static void
show_l2(struct rows *r)
{
	struct l2_stats s;
	unsigned connected, o;
	char name[32];

	if (!view_l2(&s, &connected)) {
		show_number(r, "l2", "connected", 0, "no Redis configured");
		return;
	}
	show_number(r, "l2", "connected", connected, "workers connected");
	show_number(r, "l2", "gets", s.gets, "lookups sent");
	show_number(r, "l2", "hits", s.hits, "");
	show_number(r, "l2", "misses", s.misses, "");
	show_number(r, "l2", "timeouts", s.timeouts, "no answer in time");
	show_number(r, "l2", "errors", s.errors, "");
	show_number(r, "l2", "puts", s.puts, "entries sent");
	show_number(r, "l2", "bumps", s.bumps, "invalidations sent");
	show_number(r, "l2", "corrupt", s.corrupt, "entries refused");
	show_number(r, "l2", "breaker_opens", s.breaker_opens, "");
	for (o = 0; o < LEASE_OUTCOMES; o++) {
		snprintf(name, sizeof(name), "lease_%s",
		    l2_lease_outcome((enum lease_outcome)o));
		show_number(r, "l2", name, s.leases[o], "");
	}
	show_tracking(r);
}

static uint64_t
show_sum(const struct control *c, size_t offset)
{
	const _Atomic uint64_t *cell;
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < c->n_workers; i++) {
		cell = (const _Atomic uint64_t *)(const void *)
		    ((const char *)c->workers[i]->metrics + offset);
		sum += atomic_load_explicit(cell, memory_order_relaxed);
	}
	return sum;
}

/* The oldest hit that verify found to be stale. */
static uint64_t
show_stalest(const struct control *c)
{
	struct hist_view v = { .count = 0 };
	unsigned i;

	for (i = 0; i < c->n_workers; i++)
		hist_merge(&v, &c->workers[i]->metrics->staleness);
	return hist_quantile(&v, 1) / NSEC_PER_MSEC;
}

static void
show_lookups(struct rows *r, const struct control *c)
{
#define SUM(name) show_sum(c, offsetof(struct metrics, c.name))
	show_number(r, "lookup", "hits_l1", SUM(cache_hits_l1), "");
	show_number(r, "lookup", "hits_l2", SUM(cache_hits_l2), "");
	show_number(r, "lookup", "misses", SUM(cache_misses), "");
	show_number(r, "lookup", "waits", SUM(cache_waits),
	    "waited for another session's fill");
	show_number(r, "lookup", "stores", SUM(cache_stores), "");
	show_number(r, "lookup", "bumps", SUM(cache_bumps),
	    "writes seen");
	show_number(r, "verify", "samples", SUM(verify_samples),
	    "hits compared with the backend");
	show_number(r, "verify", "same", SUM(verify_same), "");
	show_number(r, "verify", "reordered", SUM(verify_reordered),
	    "the same rows in another order");
	show_number(r, "verify", "stale", SUM(verify_stale),
	    "different, as old as their rule allows");
	show_number(r, "verify", "stale_ms_max", show_stalest(c), "");
	show_number(r, "verify", "mismatches", SUM(verify_mismatches),
	    "different and must not be");
	show_number(r, "verify", "inconclusive", SUM(verify_inconclusive),
	    "written meanwhile");
	show_number(r, "verify", "failed", SUM(verify_failed), "");
	show_number(r, "verify", "dropped", SUM(verify_dropped), "");
#undef SUM
}

static void
show_bypass(struct rows *r, const struct control *c)
{
	unsigned i;

	for (i = BYPASS_NONE + 1; i < BYPASS_REASON_COUNT; i++)
		show_number(r, "bypass",
		    bypass_reason_name((enum bypass_reason)i),
		    show_sum(c, offsetof(struct metrics, bypass) +
		    i * sizeof(_Atomic uint64_t)),
		    bypass_reason_doc((enum bypass_reason)i));
}

static void
cell_time(struct buf *b, const char *name, nsec_t v)
{
	char text[UNITS_TEXT];

	cell_add(b, " ");
	cell_add(b, name);
	cell_add(b, "=");
	cell_add(b, units_print_time(text, v));
}

/* Nothing if it is 0. */
static void
cell_percent(struct buf *b, const char *name, int64_t v)
{
	char text[32];

	if (v == 0)
		return;
	snprintf(text, sizeof(text), " %s=%lld%%", name, (long long)v);
	cell_add(b, text);
}

static void
show_rule(struct rows *r, const struct conf_rule *rule)
{
	struct row row = { .n = 0 };
	struct buf b;
	size_t i;

	buf_init(&b, CELL_MAX);
	for (i = 0; i < rule->tables.n; i++)
		cell_item(&b, rule->tables.v[i]);
	cell_add(&b, " in ");
	for (i = 0; i < rule->n_databases; i++) {
		cell_add(&b, i > 0 ? "," : "");
		cell_add(&b, rule->databases[i]->name);
	}
	cell_time(&b, "ttl", rule->ttl);
	cell_time(&b, "l1_ttl", rule->l1_ttl);
	cell_time(&b, "grace", rule->grace);
	cell_time(&b, "ttl_closed_month", rule->ttl_closed_month);
	if (rule->stale_if_error > 0)
		cell_time(&b, "stale_if_error", rule->stale_if_error);
	if (rule->empty_differs)
		cell_time(&b, "ttl_empty", rule->ttl_empty);
	cell_percent(&b, "ttl_jitter", rule->ttl_jitter);
	cell_percent(&b, "refresh_ahead", rule->refresh_ahead);
	cell_add(&b, rule->allow_stable ? " allow_stable" : "");
	cell_add(&b, rule->l2 ? " l2" : "");
	row_str(&row, "rule");
	row_str(&row, rule->name);
	row_str(&row, NULL);
	row_cell(&row, &b);
	rows_add(r, &row);
	buf_reset(&b);
}

void
console_show_cache(struct console_call *call)
{
	const struct conf *c = session_conf(call->w);
	struct rows r;
	size_t i;

	console_rows(call, &r);
	show_l1(&r, c);
	show_l2(&r);
	show_lookups(&r, call->control);
	show_bypass(&r, call->control);
	for (i = 0; i < c->n_rules; i++)
		show_rule(&r, &c->rules[i]);
	show_conf_reply(call, &r);
}

/* ------------------------------------------------------------ config */

static void
show_setting(void *arg, const char *name, const char *value, const char *def,
    bool reloadable, const char *doc PG_UNUSED)
{
	struct row row = { .n = 0 };

	row_str(&row, name);
	row_str(&row, value);
	row_str(&row, def);
	row_bool(&row, reloadable);
	rows_add(arg, &row);
}

void
console_show_config(struct console_call *call)
{
	struct rows r;

	console_rows(call, &r);
	conf_each_setting(session_conf(call->w), show_setting, &r);
	show_conf_reply(call, &r);
}
