/* SPDX-License-Identifier: PostgreSQL
 *
 * Doors: binding, ports in use, the unix socket, inherited sockets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "admin/doors.c"
#include "base/hash.h"

#define WORKERS 2
#define BASE "backend \"b\" { conninfo = \"host=127.0.0.1\" }\n" \
	"database \"d\" { backend = \"b\" }\nauth = \"trust\"\n"

static struct worker *workers[WORKERS];
static char dir[] = "/tmp/test_doors.XXXXXX";
static char why[512];
static int accepted[WORKERS];

static void
on_accept(struct worker *w, int fd, const char *peer)
{
	assert_non_null(peer);
	accepted[w->id]++;
	close(fd);
}

static struct conf *
conf_of(const char *fmt, ...) PG_PRINTF(1, 2);

static struct conf *
conf_of(const char *fmt, ...)
{
	char text[2048];
	struct conf_diag d;
	struct conf *c;
	va_list ap;
	int n = snprintf(text, sizeof(text), "%s", BASE);

	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	c = conf_load_buffer("test", text, strlen(text), &d);
	if (c == NULL)
		fail_msg("%s", d.msg[0]);
	conf_diag_fini(&d);
	return c;
}

static struct doors *
open_doors(const struct conf *c, int first, int n)
{
	why[0] = '\0';
	return doors_open(c, workers, WORKERS, first, n, NULL, on_accept, why,
	    sizeof(why));
}

static int
port_of(const struct doors *d)
{
	return atoi(strrchr(doors_text(d), ':') + 1);
}

static int
visit_tcp(int port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), rc;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	rc = connect(fd, (struct sockaddr *)&in, sizeof(in));
	close(fd);
	return rc;
}

static int
turn(void)
{
	int i, sum = 0;

	for (i = 0; i < WORKERS; i++) {
		event_base_loop(workers[i]->base, EVLOOP_NONBLOCK);
		sum += accepted[i];
		accepted[i] = 0;
	}
	return sum;
}

/* Each worker's own socket on one port that the system chose. */
static void
test_tcp(void **state PG_UNUSED)
{
	struct conf *c = conf_of("listen = \"127.0.0.1:0\"\n");
	struct doors *d = open_doors(c, -1, 0);
	int i, port;

	assert_non_null(d);
	port = port_of(d);
	assert_true(port > 0);
	for (i = 0; i < 40; i++)
		assert_int_equal(visit_tcp(port), 0);
	assert_int_equal(turn(), 40);
	doors_free(&d);
	assert_int_equal(visit_tcp(port), -1);
	conf_unref(&c);
}

/* Another server of the same user, with SO_REUSEPORT as we have it: still
 * refused, not shared. */
static void
test_port_in_use(void **state PG_UNUSED)
{
	struct conf *c = conf_of("listen = \"127.0.0.1:0\"\n"), *same;
	struct doors *d = open_doors(c, -1, 0);

	assert_non_null(d);
	same = conf_of("listen = \"127.0.0.1:%d\"\n", port_of(d));
	assert_null(open_doors(same, -1, 0));
	assert_non_null(strstr(why, "127.0.0.1:"));
	assert_non_null(strstr(why, "Address already in use"));
	assert_non_null(strstr(why, "listen"));
	assert_int_equal(visit_tcp(port_of(d)), 0);
	doors_free(&d);
	conf_unref(&same);
	conf_unref(&c);
}

static void
test_unix(void **state PG_UNUSED)
{
	struct conf *c = conf_of("listen = \"127.0.0.1:0\"\n"
	    "unix_socket_dir = \"%s\"\nunix_socket_mode = 0700\n", dir);
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct doors *d = open_doors(c, -1, 0);
	struct stat st;
	int i, fd;

	assert_non_null(d);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/.s.PGSQL.6432", dir);
	assert_non_null(strstr(doors_text(d), sun.sun_path));
	assert_int_equal(stat(sun.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	for (i = 0; i < 3; i++) {
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		assert_int_equal(connect(fd, (struct sockaddr *)&sun,
		    sizeof(sun)), 0);
		close(fd);
	}
	assert_int_equal(turn(), 3);
	doors_free(&d);
	assert_int_equal(stat(sun.sun_path, &st), -1);
	conf_unref(&c);
}

static void
test_unix_of_a_successor(void **state PG_UNUSED)
{
	struct conf *c = conf_of("listen = \"127.0.0.1:0\"\n"
	    "unix_socket_dir = \"%s\"\n", dir);
	struct doors *d = open_doors(c, -1, 0);
	char path[200];
	FILE *f;

	assert_non_null(d);
	snprintf(path, sizeof(path), "%s/.s.PGSQL.6432", dir);
	/* Keep the inode of ours in use, so that it cannot come again. */
	snprintf(why, sizeof(why), "%s.old", path);
	assert_int_equal(rename(path, why), 0);
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
	doors_free(&d);
	assert_int_equal(unlink(path), 0); /* it was left alone */
	assert_int_equal(unlink(why), 0);
	conf_unref(&c);
}

static void
test_inherited(void **state PG_UNUSED)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct conf *c = conf_of("listen = \"127.0.0.1:1\"\n");
	int plain, fd = socket(AF_INET, SOCK_STREAM, 0);
	struct doors *d;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 10), 0);
	d = open_doors(c, fd, 1); /* and port 1 is not bound */
	assert_non_null(d);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(visit_tcp(port_of(d)), 0);
	assert_int_equal(turn(), 1);
	doors_free(&d);
	plain = socket(AF_INET, SOCK_STREAM, 0);
	assert_null(open_doors(c, plain, 1));
	assert_non_null(strstr(why, "not a listening socket"));
	close(plain);
	conf_unref(&c);
}

static void
give(void *arg, int fd, enum door_kind kind)
{
	assert_true(given_doors_add(arg, fcntl(fd, F_DUPFD_CLOEXEC, 0),
	    kind));
}

static unsigned
unused(const struct given_doors *g)
{
	unsigned i, n = 0;

	for (i = 0; i < g->n; i++)
		n += !g->v[i].used;
	return n;
}

/* Connections that wait in the sockets of one process are taken by the next,
 * with more workers or fewer. */
static void
test_handed_over(void **state PG_UNUSED)
{
	struct conf *c = conf_of("listen = \"127.0.0.1:0\"\n"
	    "unix_socket_dir = \"%s\"\n", dir);
	struct given_doors g = { .n = 0 };
	struct doors *d = open_doors(c, -1, 0), *next;
	unsigned n_workers[] = { WORKERS, 1, WORKERS };
	char path[200];
	unsigned round;
	int i, port;

	assert_non_null(d);
	port = port_of(d);
	snprintf(path, sizeof(path), "%s/.s.PGSQL.6432", dir);
	for (round = 0; round < ARRAY_SIZE(n_workers); round++) {
		for (i = 0; i < 8; i++)
			assert_int_equal(visit_tcp(port), 0);
		doors_each(d, give, &g);
		doors_disown(d);
		doors_free(&d);
		next = doors_open(c, workers, n_workers[round], -1, 0, &g,
		    on_accept, why, sizeof(why));
		assert_non_null(next);
		assert_int_equal(unused(&g), 0);
		given_doors_end(&g);
		assert_int_equal(port_of(next), port);
		assert_int_equal(access(path, F_OK), 0);
		assert_int_equal(turn(), 8);
		d = next;
	}
	/* Those that are not wanted any more are closed. */
	doors_each(d, give, &g);
	doors_disown(d);
	doors_free(&d);
	given_doors_end(&g);
	assert_int_equal(visit_tcp(port), -1);
	assert_int_equal(access(path, F_OK), -1);
	conf_unref(&c);
}

static void
test_not_a_door(void **state PG_UNUSED)
{
	struct given_doors g = { .n = 0 };

	assert_false(given_doors_add(&g, socket(AF_INET, SOCK_STREAM, 0),
	    DOOR_BOUND));
	assert_false(given_doors_add(&g, open("/dev/null", O_RDONLY),
	    DOOR_HTTP));
	assert_int_equal(g.n, 0);
	given_doors_drop(&g);
}

static void
test_bad_directory(void **state PG_UNUSED)
{
	struct conf *c = conf_of("listen = \"127.0.0.1:0\"\n"
	    "unix_socket_dir = \"%s\"\n", dir);

	free(c->unix_socket_dir);
	c->unix_socket_dir = x_strdup("/nonexistent/here");
	assert_null(open_doors(c, -1, 0));
	assert_non_null(strstr(why, "/nonexistent/here/.s.PGSQL.6432"));
	assert_non_null(strstr(why, "unix_socket_dir"));
	conf_unref(&c);
}

static int
start(void **state PG_UNUSED)
{
	unsigned i;

	hash_init();
	for (i = 0; i < WORKERS; i++)
		workers[i] = worker_new(i);
	return mkdtemp(dir) == NULL;
}

static int
stop(void **state PG_UNUSED)
{
	unsigned i;

	for (i = 0; i < WORKERS; i++)
		worker_free(&workers[i]);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_port_in_use),
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_unix_of_a_successor),
		cmocka_unit_test(test_inherited),
		cmocka_unit_test(test_handed_over),
		cmocka_unit_test(test_not_a_door),
		cmocka_unit_test(test_bad_directory),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
