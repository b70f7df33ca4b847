/* SPDX-License-Identifier: PostgreSQL
 *
 * One fill per fleet: leases in Redis.
 *
 * A lookup with a lease sends SET NX in front of its MGET, in one write: if
 * neither finds anything, this process fills, and the lease tells others to
 * wait for its entry.  They ask again, with growing pauses, until the entry is
 * there, the lease has become theirs, or their patience ends.  Knows nothing of
 * what an entry is (l2.c).  Runs on one worker.
 *
 * The entry is stored before its lease is released, on one connection, and
 * SET NX is read before MGET: who gets a released lease sees the entry.  A
 * lease carries a random token and is released only by it, so that one that
 * ran out and was taken by another process is not ended by its first holder.
 *
 * Nothing here is needed for a right answer.  Redis may lose a lease, refuse
 * or forget it: then more than one process asks the backend.  Where it would
 * give leases but not release them, none is taken: others would wait for what
 * has ended.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cache/l2_priv.h"
#include "stats/metrics.h"

#define LEASE_FIRST_PAUSE (2 * NSEC_PER_MSEC)
#define LEASE_LAST_PAUSE (25 * NSEC_PER_MSEC)
/* One lease that runs out, and one more. */
#define LEASE_PATIENCE 2

struct l2_lease {
	uint64_t token;
	size_t n;
	char name[L2_NAME_MAX];
};

static void
l2_lease_count(struct l2 *l, enum lease_outcome o)
{
	stat_add(&l->leases[o], 1);
}

const char *
l2_lease_outcome(enum lease_outcome o)
{
	static const char *const names[] = {
#define LEASE_OUTCOME(sym, name, doc) name,
#include "tbl/lease_outcomes.h"
	};

	return names[o];
}

/* --- taking ------------------------------------------------------------ */

struct l2_wait *
l2_wait_new(struct l2_request *r, const char *prefix, const char *entry,
    size_t n, nsec_t life)
{
	struct l2_wait *w = x_calloc(1, sizeof(*w));
	nsec_t now = clock_mono();

	w->r = r;
	w->life = life;
	w->until = now + LEASE_PATIENCE * life;
	w->pause = LEASE_FIRST_PAUSE;
	memcpy(w->entry, entry, n);
	w->entry_n = n;
	w->lease = x_calloc(1, sizeof(*w->lease));
	hash_random(&w->lease->token, sizeof(w->lease->token));
	w->lease->n = l2_name_lease(w->lease->name, prefix, w->entry, n);
	return w;
}

void
l2_wait_free(struct l2_wait **wait)
{
	struct l2_wait *w = *wait;

	*wait = NULL;
	if (w == NULL)
		return;
	CHECK(!w->sleeping && !w->owed);
	free(w->lease);
	free(w);
}

static void
l2_wait_answered(struct l2_cmd *cmd, const redisReply *r)
{
	struct l2_wait *w = cmd->arg;
	struct l2 *l = w->r->cmd.arg;

	w->owed = false;
	if (r == NULL)
		w->state = L2_WAIT_REFUSED;
	else if (r->type == REDIS_REPLY_NIL)
		w->state = L2_WAIT_TAKEN;
	else if (r->type == REDIS_REPLY_STATUS && strcmp(r->str, "OK") == 0)
		w->state = L2_WAIT_WON;
	else if (r->type == REDIS_REPLY_ERROR) {
		w->state = L2_WAIT_REFUSED;
		stat_add(&l->errors, 1);
	} else {
		w->state = L2_WAIT_REFUSED;
		l2_conn_fail(l->conn, "wrong reply to SET NX");
	}
	if (w->abandoned)
		l2_request_end(l, w->r);
}

bool
l2_wait_send(struct l2 *l, struct l2_wait *w)
{
	char token[L2_TOKEN_LEN + 1], px[24];
	const char *argv[] = { "SET", w->lease->name, token, "PX", px, "NX" };
	size_t len[] = { 3, w->lease->n, L2_TOKEN_LEN, 2, 0, 2 };

	if (w->state == L2_WAIT_WON)
		return true;
	l2_token_format(token, w->lease->token);
	len[4] = (size_t)snprintf(px, sizeof(px), "%llu",
	    (unsigned long long)((w->life + NSEC_PER_MSEC - 1) /
	    NSEC_PER_MSEC));
	w->cmd.arg = w;
	w->cmd.done = l2_wait_answered;
	w->owed = l2_conn_send(l->conn, &w->cmd, ARRAY_SIZE(argv), argv, len);
	return w->owed;
}

/* --- waiting ----------------------------------------------------------- */

static void
l2_wait_wake(evutil_socket_t fd, short what, void *arg)
{
	struct l2_wait *w = arg;

	(void)fd;
	(void)what;
	l2_wait_stop(w);
	l2_request_again(w->r->cmd.arg, w->r);
}

bool
l2_wait_sleep(struct l2 *l, struct l2_wait *w)
{
	struct timeval tv = { .tv_usec = (suseconds_t)(w->pause /
	    NSEC_PER_USEC) };

	if (w->state != L2_WAIT_TAKEN || clock_mono() >= w->until)
		return false;
	if (!w->waited)
		evtimer_assign(&w->timer, l->base, l2_wait_wake, w);
	w->waited = w->sleeping = true;
	LIST_INSERT_HEAD(&l->sleeping, w, link);
	event_add(&w->timer, &tv);
	w->pause = w->pause * 2 < LEASE_LAST_PAUSE ? w->pause * 2 :
	    LEASE_LAST_PAUSE;
	return true;
}

void
l2_wait_stop(struct l2_wait *w)
{
	CHECK(w->sleeping);
	w->sleeping = false;
	LIST_REMOVE(w, link);
	event_del(&w->timer);
}

struct l2_lease *
l2_wait_result(struct l2 *l, struct l2_wait *w, bool found)
{
	struct l2_lease *lease = w->lease;

	if (found) {
		if (w->waited)
			l2_lease_count(l, LEASE_WAITED);
		if (w->state == L2_WAIT_WON)
			l2_release(l, &w->lease);
		return NULL;
	}
	switch (w->state) {
	case L2_WAIT_WON:
		l2_lease_count(l, w->waited ? LEASE_TAKEN_OVER : LEASE_TAKEN);
		w->lease = NULL;
		return lease;
	case L2_WAIT_TAKEN:
		l2_lease_count(l, clock_mono() >= w->until ? LEASE_GAVE_UP :
		    LEASE_LOST);
		break;
	case L2_WAIT_REFUSED:
		l2_lease_count(l, LEASE_LOST);
		break;
	}
	return NULL;
}

/* --- releasing --------------------------------------------------------- */

static uint64_t
l2_connection(const struct l2 *l)
{
	return atomic_load_explicit(&l2_conn_stats(l->conn)->opens,
	    memory_order_relaxed);
}

bool
l2_gives_leases(const struct l2 *l)
{
	return l->keeps_leases != l2_connection(l);
}

/* What ran into an error runs out.  Of these two the next one would, too: the
 * user may not, or there is no such command; the rest passes. */
static void
l2_release_failed(struct l2 *l, const char *error)
{
	static atomic_flag told = ATOMIC_FLAG_INIT;

	stat_add(&l->errors, 1);
	if (strncmp(error, "NOPERM ", 7) != 0 &&
	    strncmp(error, "ERR ", 4) != 0)
		return;
	l->keeps_leases = l2_connection(l);
	if (!atomic_flag_test_and_set(&told))
		log_warn("l2", "msg=\"redis does not release leases: none is "
		    "taken\" error=%s hint=\"l2_lease needs the commands "
		    "EVAL, GET and DEL\"", log_escs(error));
}

static void
l2_released(struct l2_cmd *cmd, const redisReply *r)
{
	struct l2 *l = cmd->arg;

	if (r != NULL && r->type == REDIS_REPLY_ERROR)
		l2_release_failed(l, r->str);
	else if (r != NULL && r->type != REDIS_REPLY_INTEGER)
		l2_conn_fail(l->conn, "wrong reply to EVAL");
	free(cmd);
}

void
l2_release(struct l2 *l, struct l2_lease **lease)
{
	static const char script[] = "if redis.call('get',KEYS[1])==ARGV[1] "
	    "then return redis.call('del',KEYS[1]) end return 0";
	struct l2_lease *old = *lease;
	char token[L2_TOKEN_LEN + 1];
	const char *argv[] = { "EVAL", script, "1", NULL, token };
	size_t len[] = { 4, sizeof(script) - 1, 1, 0, L2_TOKEN_LEN };
	struct l2_cmd *e;

	*lease = NULL;
	if (old == NULL)
		return;
	argv[3] = old->name;
	len[3] = old->n;
	l2_token_format(token, old->token);
	e = x_calloc(1, sizeof(*e));
	e->arg = l;
	e->done = l2_released;
	if (!l2_conn_send(l->conn, e, ARRAY_SIZE(argv), argv, len))
		free(e);
	free(old);
}
