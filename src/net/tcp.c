/* SPDX-License-Identifier: PostgreSQL
 *
 * Keepalive and its like.  No state; any thread.
 */
#include "net/tcp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/check.h"

static void
tcp_set(int fd, int level, int option, int value)
{
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

static int
tcp_units(nsec_t t, nsec_t unit)
{
	return (int)((t + unit - 1) / unit);
}

void
tcp_tune(int fd, const struct tcp_tuning *t)
{
	tcp_set(fd, SOL_SOCKET, SO_KEEPALIVE, t->keepalive);
	if (t->keepalive && t->idle > 0)
		tcp_set(fd, IPPROTO_TCP, TCP_KEEPIDLE,
		    tcp_units(t->idle, NSEC_PER_SEC));
	if (t->keepalive && t->interval > 0)
		tcp_set(fd, IPPROTO_TCP, TCP_KEEPINTVL,
		    tcp_units(t->interval, NSEC_PER_SEC));
	if (t->keepalive && t->probes > 0)
		tcp_set(fd, IPPROTO_TCP, TCP_KEEPCNT, t->probes);
	if (t->user_timeout > 0)
		tcp_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
		    tcp_units(t->user_timeout, NSEC_PER_MSEC));
}
