/* SPDX-License-Identifier: PostgreSQL
 *
 * From configuration to libpq's keyword and value arrays.
 *
 * Pure.  What a client asked for at startup reaches the server as startup
 * options, so that every server of a pool is born with it and nothing has to
 * be replayed or undone.
 */
#include "backend/connect_args.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "conf/wishes.h"

#define ARGS_MAX 80

struct args {
	char **k, **v;
	size_t n;
};

static void
args_set(struct args *a, const char *k, const char *v)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		if (strcmp(a->k[i], k) == 0) {
			free(a->v[i]);
			a->v[i] = x_strdup(v);
			return;
		}
	CHECK(a->n < ARGS_MAX - 1);
	a->k[a->n] = x_strdup(k);
	a->v[a->n++] = x_strdup(v);
}

static bool
args_has(const struct args *a, const char *k)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		if (strcmp(a->k[i], k) == 0)
			return true;
	return false;
}

static void
args_credentials(struct args *a, const struct credentials *c)
{
	if (c->password != NULL)
		args_set(a, "password", c->password);
	if (c->client_key == NULL || !credentials_keys_work())
		return;
	args_set(a, "scram_client_key", c->client_key);
	args_set(a, "scram_server_key", c->server_key);
}

static void
options_add(struct buf *b, const char *s)
{
	CHECK(buf_append(b, s, strlen(s)));
}

/* "-c name=value", white space and backslashes escaped as PostgreSQL's
 * startup options want it. */
static void
options_setting(struct buf *b, const char *name, const char *value)
{
	char pair[2] = { 0, 0 };

	options_add(b, buf_len(b) > 0 ? " -c " : "-c ");
	options_add(b, name);
	options_add(b, "=");
	for (; *value != '\0'; value++) {
		if (strchr(" \t\n\r\f\v\\", *value) != NULL)
			options_add(b, "\\");
		pair[0] = *value;
		options_add(b, pair);
	}
}

void
connect_args(const char *conninfo, const char *user,
    const struct credentials *with, const char *startup, size_t startup_len,
    char ***keywords, char ***values)
{
	struct args a = { x_calloc(ARGS_MAX, sizeof(char *)),
		x_calloc(ARGS_MAX, sizeof(char *)), 0 };
	PQconninfoOption *info = PQconninfoParse(conninfo, NULL), *o;
	const char *p = startup, *name;
	struct buf options;

	buf_init(&options, 1024 * 1024);
	for (o = info; o != NULL && o->keyword != NULL; o++) {
		if (o->val == NULL)
			continue;
		if (strcmp(o->keyword, "options") == 0)
			options_add(&options, o->val);
		else
			args_set(&a, o->keyword, o->val);
	}
	PQconninfoFree(info);
	/* A peer that is gone without a word is noticed in bounded time, by
	 * cancel requests too. */
	if (!args_has(&a, "tcp_user_timeout"))
		args_set(&a, "tcp_user_timeout", "10000");
	args_set(&a, "user", user);
	if (!with->clients_own || (!args_has(&a, "password") &&
	    !args_has(&a, "passfile")))
		args_credentials(&a, with);
	args_set(&a, "fallback_application_name", "pgsluice");
	while (p < startup + startup_len) {
		name = p;
		p += strlen(p) + 1;
		if (strcmp(name, "client_encoding") == 0 ||
		    strcmp(name, "application_name") == 0)
			args_set(&a, name, p);
		else
			options_setting(&options, name, p);
		p += strlen(p) + 1;
	}
	if (buf_len(&options) > 0) {
		CHECK(buf_append(&options, "", 1));
		args_set(&a, "options", buf_head(&options));
	}
	buf_reset(&options);
	*keywords = a.k;
	*values = a.v;
}

char *
connect_identity(const char *backend, const char *conninfo, const char *user,
    const char *startup, size_t startup_len)
{
	static const char *const keep[] = { "host", "hostaddr", "port",
		"dbname", "service", "options" };
	PQconninfoOption *info = PQconninfoParse(conninfo, NULL), *o;
	char *text = NULL, *next;
	const char *p = startup, *name;
	size_t i;

	CHECK(asprintf(&text, "backend=%s user=%s", backend, user) >= 0);
	for (o = info; o != NULL && o->keyword != NULL; o++)
		for (i = 0; i < ARRAY_SIZE(keep); i++)
			if (o->val != NULL &&
			    strcmp(o->keyword, keep[i]) == 0) {
				CHECK(asprintf(&next, "%s %s=%s", text,
				    o->keyword, o->val) >= 0);
				free(text);
				text = next;
			}
	PQconninfoFree(info);
	for (; p < startup + startup_len; p += strlen(p) + 1) {
		name = p;
		p += strlen(p) + 1;
		if (wish_find(name) < WISH_COUNT)
			continue;
		CHECK(asprintf(&next, "%s startup:%s=%s", text, name, p) >= 0);
		free(text);
		text = next;
	}
	return text;
}
