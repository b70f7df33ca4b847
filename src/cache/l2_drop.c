/* SPDX-License-Identifier: PostgreSQL
 *
 * Entries dropped from Redis by name.
 *
 *   SCAN from 0 -> UNLINK what fits -> SCAN from where it was -> ... -> done
 *
 * One question at a time, each for a few hundred names, so that lookups on the
 * same connection do not wait.  Redis' pattern lets more pass than is meant;
 * l2_name.c decides.  What is stored while this runs may be left.  Runs on the
 * connection's worker.  Invariant: the callback runs once.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cache/l2_priv.h"

#define DROP_COUNT "500" /* names looked at by one SCAN */
#define DROP_CURSOR_MAX 32

struct l2_drop {
	struct l2_cmd cmd; /* first; arg: this */
	struct l2_conn *conn;
	char *prefix;
	char pattern[L2_PATTERN_MAX + 1];
	char match[L2_NAME_MAX + L2_PATTERN_MAX];
	char cursor[DROP_CURSOR_MAX];
	uint64_t dropped;
	l2_drop_cb cb;
	void *arg;
};

static void l2_drop_scan(struct l2_drop *d);

static void
l2_drop_end(struct l2_drop *d, bool whole)
{
	d->cb(d->arg, whole, d->dropped);
	free(d->prefix);
	free(d);
}

static void
l2_drop_fail(struct l2_drop *d, const redisReply *r, const char *why)
{
	if (r != NULL)
		l2_conn_fail(d->conn, r->type == REDIS_REPLY_ERROR ? r->str :
		    why);
	l2_drop_end(d, false);
}

static void
l2_drop_next(struct l2_drop *d)
{
	if (strcmp(d->cursor, "0") == 0)
		l2_drop_end(d, true);
	else
		l2_drop_scan(d);
}

static void
l2_drop_unlinked(struct l2_cmd *cmd, const redisReply *r)
{
	struct l2_drop *d = cmd->arg;

	if (r == NULL || r->type != REDIS_REPLY_INTEGER) {
		l2_drop_fail(d, r, "wrong reply to UNLINK");
		return;
	}
	d->dropped += (uint64_t)r->integer;
	l2_drop_next(d);
}

/* Send UNLINK for those of the names that fit; false: none does. */
static bool
l2_drop_unlink(struct l2_drop *d, const redisReply *names, bool *sent)
{
	const char **argv = x_calloc(names->elements + 1, sizeof(*argv));
	size_t *len = x_calloc(names->elements + 1, sizeof(*len)), i;
	int n = 1;

	argv[0] = "UNLINK";
	len[0] = strlen(argv[0]);
	for (i = 0; i < names->elements; i++) {
		const redisReply *e = names->element[i];

		if (e->type != REDIS_REPLY_STRING || !l2_name_fits(
		    slice_make(e->str, e->len), d->prefix,
		    slice_str(d->pattern)))
			continue;
		argv[n] = e->str;
		len[n++] = e->len;
	}
	d->cmd.done = l2_drop_unlinked;
	d->cmd.wide = false;
	*sent = n > 1 && l2_conn_send(d->conn, &d->cmd, n, argv, len);
	free(argv);
	free(len);
	return n > 1;
}

static void
l2_drop_scanned(struct l2_cmd *cmd, const redisReply *r)
{
	struct l2_drop *d = cmd->arg;
	bool sent;

	if (r == NULL || r->type != REDIS_REPLY_ARRAY || r->elements != 2 ||
	    r->element[0]->type != REDIS_REPLY_STRING ||
	    r->element[0]->len >= sizeof(d->cursor) ||
	    r->element[1]->type != REDIS_REPLY_ARRAY) {
		l2_drop_fail(d, r, "wrong reply to SCAN");
		return;
	}
	snprintf(d->cursor, sizeof(d->cursor), "%s", r->element[0]->str);
	if (!l2_drop_unlink(d, r->element[1], &sent))
		l2_drop_next(d);
	else if (!sent)
		l2_drop_end(d, false);
}

static void
l2_drop_scan(struct l2_drop *d)
{
	const char *argv[] = { "SCAN", d->cursor, "MATCH", d->match, "COUNT",
		DROP_COUNT };
	const size_t len[] = { 4, strlen(d->cursor), 5, strlen(d->match), 5,
		strlen(DROP_COUNT) };

	d->cmd.done = l2_drop_scanned;
	d->cmd.wide = true;
	if (!l2_conn_send(d->conn, &d->cmd, ARRAY_SIZE(argv), argv, len))
		l2_drop_end(d, false);
}

bool
l2_drop_start(struct l2_conn *c, const char *prefix, const char *pattern,
    l2_drop_cb cb, void *arg)
{
	struct l2_drop *d;

	if (!l2_conn_is_open(c) || strlen(pattern) > L2_PATTERN_MAX)
		return false;
	d = x_calloc(1, sizeof(*d));
	d->cmd.arg = d;
	d->conn = c;
	d->prefix = x_strdup(prefix);
	d->cb = cb;
	d->arg = arg;
	strcpy(d->pattern, pattern);
	(void)l2_name_pattern(d->match, prefix, pattern);
	strcpy(d->cursor, "0");
	l2_drop_scan(d);
	return true;
}
