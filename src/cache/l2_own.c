/* SPDX-License-Identifier: PostgreSQL
 *
 * Our own changes in Redis, of which it tells us as of anybody's.
 *
 *   begin, SET -> OK -> read back -> as written, and nothing told meanwhile:
 *                           ^               the end
 *                           +---- else, a few times
 *
 * Redis puts what happens to a name in one turn of its loop into one word, so
 * that words cannot be counted: somebody may have deleted the entry in the same
 * turn.  What is there after the turn is what tells.  The word about the SET
 * may come later than its answer; after OWN_TRIES questions it is no longer
 * waited for, which costs a needless miss.  Runs on the connection's worker.
 */
#include <stdlib.h>

#include "cache/l2_priv.h"

#define OWN_HEAD 16 /* bytes that are read back: a token, or an entry up to its
                       time */
#define OWN_TRIES 4

struct l2_own {
	struct l2_cmd cmd; /* first; arg: this */
	struct l2_conn *conn;
	struct track_own own;
	bool is_tag;
	tag_t tag;
	bool told;         /* Redis has told of it at all */
	unsigned tries;
	size_t n_head, n_name;
	char head[OWN_HEAD];
	char name[];
};

struct l2_own *
l2_own_new(struct l2_conn *c, struct slice name, struct slice value,
    const tag_t *tag)
{
	struct track_own own;
	struct l2_own *o;

	if (!track_own_begin(&own, name))
		return NULL;
	o = x_calloc(1, sizeof(*o) + name.n);
	o->cmd.arg = o;
	o->conn = c;
	o->own = own;
	o->is_tag = tag != NULL;
	o->tag = tag != NULL ? *tag : 0;
	o->n_head = value.n < OWN_HEAD ? value.n : OWN_HEAD;
	memcpy(o->head, value.p, o->n_head);
	o->n_name = name.n;
	memcpy(o->name, name.p, name.n);
	return o;
}

static void
l2_own_changed(struct l2_own *o)
{
	if (o->is_tag)
		tag_bump(o->tag);
	free(o);
}

void
l2_own_undone(struct l2_own *o)
{
	if (o == NULL)
		return;
	if (track_own_end(&o->own))
		free(o);
	else
		l2_own_changed(o);
}

static void
l2_own_give_up(struct l2_own *o)
{
	track_own_lost(&o->own);
	l2_own_changed(o);
}

static void l2_own_answered(struct l2_cmd *cmd, const redisReply *r);

void
l2_own_check(struct l2_own *o)
{
	static const char last[] = "15"; /* OWN_HEAD - 1 */
	const char *argv[] = { "GETRANGE", NULL, "0", last };
	const size_t len[] = { 8, o != NULL ? o->n_name : 0, 1, 2 };

	if (o == NULL)
		return;
	argv[1] = o->name;
	o->cmd.done = l2_own_answered;
	o->told = o->told || track_own_told(&o->own);
	track_own_read(&o->own);
	if (!l2_conn_send(o->conn, &o->cmd, ARRAY_SIZE(argv), argv, len))
		l2_own_give_up(o);
}

static void
l2_own_answered(struct l2_cmd *cmd, const redisReply *r)
{
	struct l2_own *o = cmd->arg;
	bool more = ++o->tries < OWN_TRIES;

	if (r == NULL || r->type != REDIS_REPLY_STRING ||
	    !slice_eq(slice_make(r->str, r->len),
	    slice_make(o->head, o->n_head))) {
		l2_own_give_up(o);
		return;
	}
	/* The word may be about the SET, or about what came behind it. */
	if (more && (!o->told || track_own_told(&o->own)))
		l2_own_check(o);
	else if (track_own_end(&o->own))
		free(o);
	else
		l2_own_changed(o);
}
