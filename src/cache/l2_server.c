/* SPDX-License-Identifier: PostgreSQL
 *
 * Which server Redis is: the process's memory of it, for all workers.
 *
 * A server that was restarted with data of a moment ago, or a replica that
 * took over, may not know the last bumps, though they were acknowledged: it
 * still has tokens and entries from before them.  So whoever finds another
 * server than the last one has everything bumped before anything is read, and
 * connections that others still have to the former one are of no use any more.
 *
 * Servers are told apart by run_id, which is new with each start, and
 * master_replid, which is new when a replica becomes a master.
 */
#include <pthread.h>
#include <stdio.h>

#include "cache/l2_priv.h"

static pthread_mutex_t l2_server_lock = PTHREAD_MUTEX_INITIALIZER;
static char l2_server_last[L2_SERVER_LEN]; /* under the lock; "": none yet */
static atomic_uint l2_server_generation;

static void
l2_server_field(const char *info, const char *name, char *out, size_t size)
{
	const char *p = strstr(info, name);
	size_t n;

	out[0] = '\0';
	if (p == NULL)
		return;
	p += strlen(name);
	n = strspn(p, "0123456789abcdef");
	if (n < size) {
		memcpy(out, p, n);
		out[n] = '\0';
	}
}

void
l2_server_read(char out[L2_SERVER_LEN], const char *info)
{
	char run[L2_SERVER_LEN / 2], repl[L2_SERVER_LEN / 2];

	l2_server_field(info, "run_id:", run, sizeof(run));
	l2_server_field(info, "master_replid:", repl, sizeof(repl));
	out[0] = '\0';
	if (run[0] != '\0')
		snprintf(out, L2_SERVER_LEN, "%s/%s", run, repl);
}

bool
l2_server_met(const char *server, bool again, unsigned *generation)
{
	bool other = again;

	pthread_mutex_lock(&l2_server_lock);
	if (server[0] != '\0') {
		other = l2_server_last[0] != '\0' &&
		    strcmp(l2_server_last, server) != 0;
		snprintf(l2_server_last, sizeof(l2_server_last), "%s", server);
	}
	/* First nobody may read, then the others' connections are old. */
	if (other)
		l2_pending_add(TAG_ALL);
	if (other && server[0] != '\0')
		atomic_fetch_add(&l2_server_generation, 1);
	*generation = atomic_load(&l2_server_generation);
	pthread_mutex_unlock(&l2_server_lock);
	return other;
}

bool
l2_server_seen(const char *server, unsigned *generation)
{
	bool same;

	pthread_mutex_lock(&l2_server_lock);
	same = server[0] == '\0' || l2_server_last[0] == '\0' ||
	    strcmp(l2_server_last, server) == 0;
	*generation = atomic_load(&l2_server_generation);
	pthread_mutex_unlock(&l2_server_lock);
	return same;
}

bool
l2_server_is_last(unsigned generation)
{
	return generation == atomic_load(&l2_server_generation);
}
