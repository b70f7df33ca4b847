/* SPDX-License-Identifier: PostgreSQL
 *
 * Messages with descriptors between two ends of a socket pair, and memory of
 * two processes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "run/channel.h"
#include "run/shared.h"

static int pair[2];

static int
setup(void **state PG_UNUSED)
{
	const struct timeval limit = { 0, 50 * 1000 };

	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 ||
	    setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &limit,
	    sizeof(limit)) != 0;
}

static int
teardown(void **state PG_UNUSED)
{
	close(pair[0]);
	close(pair[1]);
	return 0;
}

static void
test_head(void **state PG_UNUSED)
{
	const struct channel_head in = { 'S', true, 0x01020304 };
	char p[CHANNEL_HEAD];
	struct channel_head h;

	channel_print_head(&in, p);
	assert_true(channel_parse_head(p, &h));
	assert_int_equal(h.type, 'S');
	assert_true(h.has_fd);
	assert_int_equal(h.len, 0x01020304);
	p[0] = 's';
	assert_false(channel_parse_head(p, &h));
	p[0] = 'S';
	p[1] = 2;
	assert_false(channel_parse_head(p, &h));
	p[1] = 0;
	p[2] = '\177'; /* too long */
	assert_false(channel_parse_head(p, &h));
}

/* Each message gets its own descriptor, however they lie in the socket. */
static void
test_descriptors(void **state PG_UNUSED)
{
	struct channel_message m;
	const size_t sizes[] = { 3, 0, 5 };
	struct stat a, b;
	int fds[2], i;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_true(channel_send(pair[0], 'A', "one", 3, fds[0], true));
	assert_true(channel_send(pair[0], 'B', NULL, 0, -1, true));
	assert_true(channel_send(pair[0], 'C', "three", 5, fds[1], false));
	for (i = 0; i < 3; i++) {
		assert_int_equal(channel_recv(pair[1], &m), CHANNEL_GOT);
		assert_int_equal(m.type, 'A' + i);
		assert_int_equal(buf_len(&m.body), sizes[i]);
		if (i == 1) {
			assert_int_equal(m.fd, -1);
		} else {
			assert_int_equal(fstat(m.fd, &a), 0);
			assert_int_equal(fstat(fds[i / 2], &b), 0);
			assert_true(a.st_ino == b.st_ino);
			assert_true((fcntl(m.fd, F_GETFD) & FD_CLOEXEC) != 0);
		}
		channel_message_fini(&m);
	}
	assert_int_equal(channel_recv(pair[1], &m), CHANNEL_LATE);
	close(fds[0]);
	close(fds[1]);
	close(pair[0]);
	pair[0] = -1;
	assert_int_equal(channel_recv(pair[1], &m), CHANNEL_END);
}

static void
test_broken(void **state PG_UNUSED)
{
	struct channel_message m;
	const struct channel_head h = { 'A', true, 0 };
	char p[CHANNEL_HEAD];

	/* A descriptor is announced that does not come. */
	channel_print_head(&h, p);
	assert_int_equal(write(pair[0], p, sizeof(p)), sizeof(p));
	assert_int_equal(channel_recv(pair[1], &m), CHANNEL_BROKEN);
	/* Half a head, and half a body. */
	assert_int_equal(write(pair[0], p, 3), 3);
	assert_int_equal(channel_recv(pair[1], &m), CHANNEL_BROKEN);
	memcpy(p, "A\0\0\0\0\4", 6);
	assert_int_equal(write(pair[0], p, 6), 6);
	assert_int_equal(write(pair[0], "xy", 2), 2);
	assert_int_equal(channel_recv(pair[1], &m), CHANNEL_BROKEN);
}

#define LONG (4u << 20)

static void *
send_long(void *arg)
{
	char *p = calloc(1, LONG);

	*(bool *)arg = p != NULL && channel_send(pair[0], 'L', p, LONG,
	    STDIN_FILENO, true);
	free(p);
	return NULL;
}

static void
test_long(void **state PG_UNUSED)
{
	struct channel_message m;
	bool sent = false;
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, send_long, &sent), 0);
	while (channel_recv(pair[1], &m) == CHANNEL_LATE)
		;
	assert_int_equal(m.type, 'L');
	assert_int_equal(buf_len(&m.body), LONG);
	assert_true(m.fd >= 0);
	channel_message_fini(&m);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_true(sent);
	/* What does not fit at once is not sent without waiting. */
	assert_false(channel_send(pair[0], 'L', NULL, CHANNEL_BODY_MAX + 1u,
	    -1, false));
}

static _Alignas(SHARED_ALIGN) char one[SHARED_ALIGN], two[2 * SHARED_ALIGN];

static void
test_shared(void **state PG_UNUSED)
{
	const struct shared_region r[] = { { one, sizeof(one) },
		{ two, sizeof(two) } };
	int fd = shared_make(r, 2), small = shared_make(r, 1), status = 0;
	pid_t pid;

	assert_true(fd >= 0 && small >= 0);
	one[0] = 'x';
	assert_false(shared_use(r, 2, small));
	assert_false(shared_use(r, 2, STDIN_FILENO));
	assert_int_equal(one[0], 'x');
	assert_true(shared_use(r, 2, fd));
	assert_int_equal(one[0], 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		one[1] = 'a';
		two[sizeof(two) - 1] = 'b';
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(one[1], 'a');
	assert_int_equal(two[sizeof(two) - 1], 'b');
	/* Nobody can take it from under the other. */
	assert_int_equal(ftruncate(fd, 0), -1);
	close(fd);
	close(small);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head),
		cmocka_unit_test_setup_teardown(test_descriptors, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_broken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long, setup, teardown),
		cmocka_unit_test(test_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
