/* SPDX-License-Identifier: PostgreSQL
 *
 * What the service manager is told, and what it hands over.
 *
 * Without libsystemd, or when not started by a service manager, every call
 * does nothing and nothing is inherited.  Control thread only.
 */
#ifndef PGSLUICE_SYSTEMD_H
#define PGSLUICE_SYSTEMD_H

#include "base/clock.h"

/* Listeners are bound and the configuration is in force; also the end of a
 * reload. */
void systemd_ready(void);
void systemd_reloading(void);
void systemd_stopping(void);
/* This process of the service is the one that counts from now on. Only the one
 * that counted so far is listened to. */
void systemd_replaced(int pid);

/* How often to call systemd_watchdog_ping(): half of what the manager allows;
 * 0: it does not watch. */
nsec_t systemd_watchdog_interval(void);
void systemd_watchdog_ping(void);

/* Number of inherited listening sockets; they are *first, *first + 1 ... and
 * close on exec.  The second call returns 0. */
int systemd_listen_fds(int *first);

#endif
