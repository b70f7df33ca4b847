/* SPDX-License-Identifier: PostgreSQL
 *
 * Listening sockets: stale and live unix sockets, shared TCP ports, and
 * accepting on a worker's loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "net/listener.h"

static char dir[] = "/tmp/pgsluice-listener.XXXXXX";
static char path[64];
static char why[200];

static int
setup(void **state PG_UNUSED)
{
	log_threshold = LOG_L_ERROR;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	return 0;
}

static int
teardown(void **state PG_UNUSED)
{
	unlink(path);
	return rmdir(dir);
}

static int
bind_unix(const char *where)
{
	why[0] = '\0';
	return listener_bind_unix(where, 0640, why, sizeof(why));
}

static int
client_unix(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(sun.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)),
	    0);
	return fd;
}

/* ---- unix sockets ----------------------------------------------------------- */

static void
test_unix_socket(void **state PG_UNUSED)
{
	struct stat st;
	int fd = bind_unix(path);

	assert_true(fd >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	unlink(path);
}

/* Nobody listens behind the file any more. */
static void
test_stale_socket_is_replaced(void **state PG_UNUSED)
{
	int fd;

	close(bind_unix(path));
	assert_int_equal(access(path, F_OK), 0);
	fd = bind_unix(path);
	assert_true(fd >= 0);
	close(client_unix());
	close(fd);
	unlink(path);
}

static void
test_live_socket_is_refused(void **state PG_UNUSED)
{
	int fd = bind_unix(path);

	assert_int_equal(bind_unix(path), -1);
	assert_non_null(strstr(why, "another server listens"));
	/* And it is still the first one's. */
	close(client_unix());
	close(fd);
	unlink(path);
}

/* A file that is no socket is somebody's data. */
static void
test_other_file_is_left_alone(void **state PG_UNUSED)
{
	struct stat st;
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs("precious", f);
	fclose(f);
	assert_int_equal(bind_unix(path), -1);
	assert_int_not_equal(strlen(why), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_size, 8);
	unlink(path);
}

static void
test_unix_paths_that_cannot_be(void **state PG_UNUSED)
{
	char longer[200];

	memset(longer, 'x', sizeof(longer));
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(bind_unix(longer), -1);
	assert_non_null(strstr(why, "longer than"));
	assert_int_equal(bind_unix("/no such folder/socket"), -1);
	assert_non_null(strstr(why, "No such file"));
}

/* ---- TCP ---------------------------------------------------------------------- */

static int
bind_tcp(uint16_t port, bool shared)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	why[0] = '\0';
	return listener_bind_tcp((struct sockaddr *)&in, sizeof(in), shared,
	    why, sizeof(why));
}

static uint16_t
port_of(int fd)
{
	struct sockaddr_in in;
	socklen_t len = sizeof(in);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	return ntohs(in.sin_port);
}

static void
test_tcp_ports(void **state PG_UNUSED)
{
	int a = bind_tcp(0, true), b, c;
	uint16_t port;

	assert_true(a >= 0);
	port = port_of(a);
	/* One for each worker. */
	b = bind_tcp(port, true);
	assert_true(b >= 0);
	close(a);
	close(b);
	/* Without sharing it is taken. */
	a = bind_tcp(0, false);
	assert_true(a >= 0);
	c = bind_tcp(port_of(a), false);
	assert_int_equal(c, -1);
	assert_non_null(strstr(why, "in use"));
	close(a);
}

/* ---- accepting ------------------------------------------------------------------ */

static int accepted[200];
static unsigned n_accepted;
static char last_peer[ADDR_TEXT_MAX];

static void
accept_one(struct worker *w, int fd, const char *peer)
{
	assert_int_equal(w->id, 0);
	assert_true(n_accepted < ARRAY_SIZE(accepted));
	accepted[n_accepted++] = fd;
	snprintf(last_peer, sizeof(last_peer), "%s", peer);
}

static void
close_accepted(void)
{
	while (n_accepted > 0)
		close(accepted[--n_accepted]);
}

static int
client_tcp(uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	return fd;
}

/* The loop on this thread, until so many have come or it takes too long. */
static void
turn_until(struct worker *w, unsigned n)
{
	nsec_t end = clock_mono() + 10 * NSEC_PER_SEC;

	while (n_accepted < n && clock_mono() < end) {
		event_base_loop(w->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		usleep(1000);
	}
	assert_int_equal(n_accepted, n);
}

static void
test_accepts_all_that_wait(void **state PG_UNUSED)
{
	struct worker *w = worker_new(0);
	int fd = bind_tcp(0, false), clients[150];
	uint16_t port = port_of(fd);
	struct listener *l = listener_new(w, fd, accept_one);
	char expected[ADDR_TEXT_MAX];
	int one = 0;
	socklen_t len = sizeof(one);

	/* More than are taken in one turn. */
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		clients[i] = client_tcp(port);
	turn_until(w, ARRAY_SIZE(clients));
	snprintf(expected, sizeof(expected), "127.0.0.1:%u",
	    port_of(clients[ARRAY_SIZE(clients) - 1]));
	assert_string_equal(last_peer, expected);
	assert_true(fcntl(accepted[0], F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(accepted[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(getsockopt(accepted[0], IPPROTO_TCP, TCP_NODELAY,
	    &one, &len), 0);
	assert_int_equal(one, 1);
	assert_int_equal(getsockopt(accepted[0], SOL_SOCKET, SO_KEEPALIVE,
	    &one, &len), 0);
	assert_int_equal(one, 1);
	listener_free(&l);
	assert_null(l);
	listener_free(&l);
	close_accepted();
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		close(clients[i]);
	worker_free(&w);
}

static void
test_accepts_on_a_unix_socket(void **state PG_UNUSED)
{
	struct worker *w = worker_new(0);
	struct listener *l = listener_new(w, bind_unix(path), accept_one);
	int fd = client_unix();

	turn_until(w, 1);
	assert_string_equal(last_peer, "unix");
	close(fd);
	close_accepted();
	listener_free(&l);
	worker_free(&w);
	unlink(path);
}

/* Out of descriptors: no spinning, and on it goes when there are some. */
static void
test_out_of_descriptors(void **state PG_UNUSED)
{
	struct worker *w = worker_new(0);
	int lfd = bind_tcp(0, false), client;
	struct listener *l = listener_new(w, lfd, accept_one);
	struct rlimit before, low;
	int turns = 0;
	nsec_t end;

	client = client_tcp(port_of(lfd));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	end = clock_mono() + 300 * NSEC_PER_MSEC;
	while (clock_mono() < end) {
		event_base_loop(w->base, EVLOOP_ONCE);
		turns++;
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(n_accepted, 0);
	assert_true(turns < 20);
	turn_until(w, 1);
	close(client);
	close_accepted();
	listener_free(&l);
	worker_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unix_socket),
		cmocka_unit_test(test_stale_socket_is_replaced),
		cmocka_unit_test(test_live_socket_is_refused),
		cmocka_unit_test(test_other_file_is_left_alone),
		cmocka_unit_test(test_unix_paths_that_cannot_be),
		cmocka_unit_test(test_tcp_ports),
		cmocka_unit_test(test_accepts_all_that_wait),
		cmocka_unit_test(test_accepts_on_a_unix_socket),
		cmocka_unit_test(test_out_of_descriptors),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
