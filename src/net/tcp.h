/* SPDX-License-Identifier: PostgreSQL
 *
 * How the kernel finds out that the peer of a TCP connection is gone.
 */
#ifndef PGSLUICE_NET_TCP_H
#define PGSLUICE_NET_TCP_H

#include <stdbool.h>

#include "base/clock.h"

/* Zeros leave the system's values. */
struct tcp_tuning {
	bool keepalive;
	nsec_t idle, interval; /* rounded up to whole seconds */
	int probes;
	nsec_t user_timeout;   /* ... to milliseconds */
};

/* fd: a connected TCP socket. What the system refuses stays as it is. */
void tcp_tune(int fd, const struct tcp_tuning *t);

#endif
