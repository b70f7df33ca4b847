/* SPDX-License-Identifier: PostgreSQL
 *
 * What is said first on a connection: to Redis, who we are, and the question
 * who it is; to a sentinel, the question where Redis is.
 *
 * Part of the connection (l2_conn.c), on the same worker.
 */
#include <stdio.h>

#include "base/log.h"
#include "cache/l2_priv.h"

enum { LOGIN_AUTH, LOGIN_SELECT, LOGIN_INFO, LOGIN_PING };

/* Whoever may not ask for it does not know. */
static void
l2_login_info(struct l2_cmd *cmd, const redisReply *reply)
{
	struct l2_conn *c = cmd->arg;

	if (reply == NULL || reply->type == REDIS_REPLY_ERROR)
		return;
	if (reply->type != REDIS_REPLY_STRING)
		l2_conn_fail(c, "login: no INFO");
	else if (c->place.master != NULL &&
	    strstr(reply->str, "role:master") == NULL)
		l2_conn_fail(c, "the sentinel's master is none");
	else
		l2_server_read(c->server, reply->str);
}

static void
l2_login_done(struct l2_cmd *cmd, const redisReply *reply)
{
	struct l2_conn *c = cmd->arg;

	if (reply == NULL)
		return;
	if (reply->type != REDIS_REPLY_STATUS)
		l2_conn_fail(c, reply->type == REDIS_REPLY_ERROR ?
		    reply->str : "login: not a status");
	else if (cmd == &c->login[LOGIN_PING] &&
	    strcmp(reply->str, "PONG") != 0)
		l2_conn_fail(c, "login: no PONG");
	else if (cmd == &c->login[LOGIN_PING])
		l2_conn_opened(c);
}

static void
l2_login_told(struct l2_cmd *cmd, const redisReply *reply)
{
	struct l2_conn *c = cmd->arg;

	if (reply == NULL)
		return;
	if (reply->type == REDIS_REPLY_ERROR)
		l2_conn_fail(c, reply->str);
	else if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
	    reply->element[0]->type != REDIS_REPLY_STRING ||
	    reply->element[1]->type != REDIS_REPLY_STRING)
		l2_conn_fail(c, "the sentinel knows no master of this name");
	else if (!l2_place_told(&c->place, reply->element[0]->str,
	    reply->element[1]->str))
		l2_conn_fail(c, "the sentinel did not tell a numeric address "
		    "and a port");
	else
		c->turn = true;
}

static bool
l2_login_send(struct l2_conn *c, unsigned i,
    void (*done)(struct l2_cmd *cmd, const redisReply *reply), int argc,
    const char **argv)
{
	struct l2_cmd *cmd = &c->login[i];
	size_t len[3];
	int a;

	for (a = 0; a < argc; a++)
		len[a] = strlen(argv[a]);
	cmd->arg = c;
	cmd->done = done;
	return l2_conn_queue(c, cmd, argc, argv, len, c->deadline);
}

bool
l2_login_begin(struct l2_conn *c)
{
	const char *ask[] = { "SENTINEL", "get-master-addr-by-name",
		c->place.master };
	const char *auth[] = { "AUTH", c->user, c->password };
	const char *auth_old[] = { "AUTH", c->password };
	const char *select_db[] = { "SELECT", NULL };
	const char *info[] = { "INFO" };
	const char *ping[] = { "PING" };
	char database[16];
	bool ok = true;

	if (c->place.asking)
		return l2_login_send(c, 0, l2_login_told, 3, ask);
	if (c->password != NULL)
		ok = l2_login_send(c, LOGIN_AUTH, l2_login_done,
		    c->user != NULL ? 3 : 2, c->user != NULL ? auth : auth_old);
	snprintf(database, sizeof(database), "%d", c->database);
	select_db[1] = database;
	if (ok && c->database != 0)
		ok = l2_login_send(c, LOGIN_SELECT, l2_login_done, 2,
		    select_db);
	c->server[0] = '\0';
	return ok && l2_login_send(c, LOGIN_INFO, l2_login_info, 1, info) &&
	    l2_login_send(c, LOGIN_PING, l2_login_done, 1, ping);
}
