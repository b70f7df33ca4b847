/* SPDX-License-Identifier: PostgreSQL
 *
 * The blocks that say who and where: backend, database, user, user_map.
 *
 * No complaint here may show any part of a conninfo but a keyword.  Control
 * thread.
 */
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf_priv.h"

#define CONSOLE_DATABASE "pgsluice"

/* What libpq says may quote the password, so only its kind is passed on. */
static void
backend_bad_conninfo(struct conf_parse *p, const struct conf_opt *o,
    const char *why)
{
	static const char option[] = "invalid connection option \"";
	const char *what = "cannot be parsed";
	size_t len;

	if (why != NULL && strncmp(why, option, sizeof(option) - 1) == 0) {
		why += sizeof(option) - 1;
		len = strcspn(why, "\"");
		/* Words after an unquoted blank of a password come out as
		 * keywords, too. */
		if (strcasestr(o->values.v[0], "pass") == NULL) {
			conf_complain(p, o->line, "conninfo: libpq knows no "
			    "option '%.*s', expected its keywords",
			    (int)(len < 40 ? len : 40), why);
			return;
		}
		what = "holds a keyword libpq does not know";
	} else if (why != NULL && strstr(why, "missing \"=\"") != NULL) {
		what = "holds a word without =";
	} else if (why != NULL && strstr(why, "unterminated") != NULL) {
		what = "holds a quote that is never closed";
	}
	conf_complain(p, o->line, "conninfo: %s, expected libpq's "
	    "keyword=value pairs or a URI", what);
}

static void
backend_take_conninfo(struct conf_parse *p, const struct conf_sec *s,
    struct conf_backend *b)
{
	const struct conf_opt *o = conf_sec_opt(s, "conninfo");
	PQconninfoOption *opts, *c;
	char *why = NULL;

	conf_take_str(p, s, "conninfo", &b->written);
	if (o == NULL || b->written == NULL)
		return;
	opts = PQconninfoParse(b->written, &why);
	if (opts == NULL)
		backend_bad_conninfo(p, o, why);
	else
		b->conninfo = conf_whole_conninfo(p->conf, b->written);
	for (c = opts; c != NULL && c->keyword != NULL; c++)
		if (strcmp(c->keyword, "user") == 0 && c->val != NULL &&
		    c->val[0] != '\0')
			b->user = x_strdup(c->val);
	PQconninfoFree(opts);
	PQfreemem(why);
}

/* What a pool fetches from another server than the feed follows, nothing would
 * end. */
static void
backend_check_feed(struct conf_parse *p, const struct conf_sec *s,
    const struct conf_backend *b)
{
	static const char *const lists[] = { "host", "hostaddr" };
	char *attrs, *hosts;
	bool several = false;
	size_t i;

	if (!b->feed || b->conninfo == NULL)
		return;
	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		hosts = conf_backend_option(b, lists[i]);
		several |= hosts != NULL && strchr(hosts, ',') != NULL;
		free(hosts);
	}
	attrs = conf_backend_option(b, "target_session_attrs");
	if (several && (attrs == NULL || (strcmp(attrs, "primary") != 0 &&
	    strcmp(attrs, "read-write") != 0)))
		conf_complain(p, conf_sec_opt(s, "feed")->line, "feed: the "
		    "conninfo names several hosts, expected "
		    "target_session_attrs=primary or read-write in it, so "
		    "that pools and feed are on the same");
	free(attrs);
}

void
conf_take_backends(struct conf_parse *p)
{
	size_t n = conf_sec_count(p->root, BLOCK_BACKEND);
	const struct conf_sec *s = p->root->subs;
	struct conf_backend *b;

	if (n == 0)
		conf_complain(p, 1, "there is no backend, expected a block "
		    "backend \"name\" { conninfo = ... }");
	conf_check_titles(p, s, BLOCK_BACKEND);
	p->conf->backends = x_calloc(n + conf_layout_backends(p->conf),
	    sizeof(*b));
	for (s = conf_sec_next(s, BLOCK_BACKEND); s != NULL;
	     s = conf_sec_next(s->next, BLOCK_BACKEND)) {
		b = &p->conf->backends[p->conf->n_backends];
		b->id = (unsigned)p->conf->n_backends++;
		b->name = x_strdup(s->title);
		conf_check_sec(p, s);
		backend_take_conninfo(p, s, b);
		conf_take_int(p, s, "pool_size", &b->pool_size);
		b->reserve_pool_size = p->conf->reserve_pool_size;
		conf_take_int(p, s, "reserve_pool_size",
		    &b->reserve_pool_size);
		b->max_db_connections = p->conf->max_db_connections;
		conf_take_int(p, s, "max_db_connections",
		    &b->max_db_connections);
		conf_take_bool(p, s, "feed", &b->feed);
		backend_check_feed(p, s, b);
	}
}

void
conf_take_databases(struct conf_parse *p)
{
	size_t n = conf_sec_count(p->root, BLOCK_DATABASE);
	const struct conf_sec *s = p->root->subs;
	struct conf_database *db;
	int mode;

	if (n == 0)
		conf_complain(p, 1, "there is no database, expected a block "
		    "database \"name\" { backend = ... }");
	conf_check_titles(p, s, BLOCK_DATABASE);
	p->conf->databases = x_calloc(n, sizeof(*db));
	for (s = conf_sec_next(s, BLOCK_DATABASE); s != NULL;
	     s = conf_sec_next(s->next, BLOCK_DATABASE)) {
		db = &p->conf->databases[p->conf->n_databases];
		db->id = (unsigned)p->conf->n_databases++;
		db->name = x_strdup(s->title);
		conf_check_sec(p, s);
		if (strcmp(s->title, CONSOLE_DATABASE) == 0)
			conf_complain(p, s->line, "database \"%s\" is the "
			    "console's name, expected another", s->title);
		db->backend = conf_take_backend(p, s, "backend");
		mode = (int)p->conf->pool_mode;
		conf_take_word(p, s, "pool_mode", &mode);
		db->pool_mode = (enum conf_pool_mode)mode;
		conf_take_bool(p, s, "cache", &db->cache);
		db->max_db_client_connections =
		    p->conf->max_db_client_connections;
		conf_take_int(p, s, "max_db_client_connections",
		    &db->max_db_client_connections);
		db->log_after = p->conf->log_after;
		conf_take_log_after(p, s, &db->log_after);
		conf_take_replica_rule(p, s, &db->replicas);
	}
}

void
conf_take_users(struct conf_parse *p)
{
	size_t n = conf_sec_count(p->root, BLOCK_USER);
	const struct conf_sec *s = p->root->subs;
	struct conf *c = p->conf;
	struct conf_user *u;

	c->everyone = (struct conf_user){
		.max_user_client_connections = c->max_user_client_connections,
		.max_user_connections = c->max_user_connections,
		.client_idle_timeout = c->client_idle_timeout,
		.idle_transaction_timeout = c->idle_transaction_timeout,
		.transaction_timeout = c->transaction_timeout,
		.query_timeout = c->query_timeout,
		.log_after = LOG_INHERIT,
	};
	conf_check_titles(p, s, BLOCK_USER);
	c->users = x_calloc(n, sizeof(*u));
	for (s = conf_sec_next(s, BLOCK_USER); s != NULL;
	     s = conf_sec_next(s->next, BLOCK_USER)) {
		u = &c->users[c->n_users++];
		*u = c->everyone;
		u->name = x_strdup(s->title);
		conf_check_sec(p, s);
		conf_take_int(p, s, "max_user_client_connections",
		    &u->max_user_client_connections);
		conf_take_int(p, s, "max_user_connections",
		    &u->max_user_connections);
		conf_take_time(p, s, "client_idle_timeout",
		    &u->client_idle_timeout);
		conf_take_time(p, s, "idle_transaction_timeout",
		    &u->idle_transaction_timeout);
		conf_take_time(p, s, "transaction_timeout",
		    &u->transaction_timeout);
		conf_take_time(p, s, "query_timeout", &u->query_timeout);
		conf_take_log_after(p, s, &u->log_after);
	}
}

void
conf_take_user_map(struct conf_parse *p)
{
	size_t n = conf_sec_count(p->root, BLOCK_USER_MAP);
	const struct conf_sec *s = p->root->subs;
	struct conf_user_map *m;

	conf_check_titles(p, s, BLOCK_USER_MAP);
	p->conf->user_map = x_calloc(n, sizeof(*m));
	for (s = conf_sec_next(s, BLOCK_USER_MAP); s != NULL;
	     s = conf_sec_next(s->next, BLOCK_USER_MAP)) {
		m = &p->conf->user_map[p->conf->n_user_map++];
		m->from = x_strdup(s->title);
		conf_check_sec(p, s);
		conf_take_str(p, s, "to", &m->to);
	}
}
