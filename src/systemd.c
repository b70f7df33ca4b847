/* SPDX-License-Identifier: PostgreSQL
 *
 * Readiness, reload, watchdog and inherited sockets by libsystemd.
 *
 * The only file that knows whether libsystemd is there.  Nothing here can
 * fail the daemon: a service manager that does not listen is no reason to
 * stop serving.  Control thread only.
 */
#include "systemd.h"

#ifdef HAVE_SYSTEMD

#include <systemd/sd-daemon.h>

#include "base/log.h"

void
systemd_ready(void)
{
	sd_notify(0, "READY=1\nSTATUS=serving");
}

void
systemd_reloading(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu\n"
	    "STATUS=reading the configuration",
	    (unsigned long long)(clock_mono() / NSEC_PER_USEC));
}

void
systemd_stopping(void)
{
	sd_notify(0, "STOPPING=1\nSTATUS=waiting for clients to finish");
}

void
systemd_replaced(int pid)
{
	sd_notifyf(0, "MAINPID=%d\nSTATUS=handed over", pid);
}

nsec_t
systemd_watchdog_interval(void)
{
	uint64_t usec = 0;

	if (sd_watchdog_enabled(0, &usec) <= 0)
		return 0;
	return usec * NSEC_PER_USEC / 2;
}

void
systemd_watchdog_ping(void)
{
	sd_notify(0, "WATCHDOG=1");
}

int
systemd_listen_fds(int *first)
{
	int n = sd_listen_fds(1);

	*first = SD_LISTEN_FDS_START;
	if (n < 0) {
		log_warn("systemd", "msg=\"inherited sockets unusable\" "
		    "error=%s", log_escs(strerror(-n)));
		return 0;
	}
	return n;
}

#else

void
systemd_ready(void)
{
}

void
systemd_reloading(void)
{
}

void
systemd_stopping(void)
{
}

void
systemd_replaced(int pid)
{
	(void)pid;
}

nsec_t
systemd_watchdog_interval(void)
{
	return 0;
}

void
systemd_watchdog_ping(void)
{
}

int
systemd_listen_fds(int *first)
{
	*first = -1;
	return 0;
}

#endif
