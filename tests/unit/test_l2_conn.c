/* SPDX-License-Identifier: PostgreSQL
 *
 * L2 against a scripted server that is silent, slow, broken or hostile.
 * The server runs on the same event loop: what it does is repeatable.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "l2_util.h"

#define TIMEOUT (30 * NSEC_PER_MSEC)
#define RETRY (20 * NSEC_PER_MSEC)

/* --- the server --- */

static char dir[] = "/tmp/pgsluice-fake-XXXXXX", sock[64];
static struct {
	int listen_fd, fd; /* one connection at a time */
	struct event *accept_ev, *read_ev;
	redisReader *reader;
	unsigned connections, mgets, sets, bumps;
	unsigned bumps_here; /* on the present connection */
	/* What to answer; NULL: nothing. */
	const char *login, *mget, *set, *info;
	size_t mget_n;
	unsigned flood; /* KiB of 'x' to send behind the answer to MGET */
	struct event *write_ev;
	struct evbuffer *out;
} fake;

static void
fake_hang_up(void)
{
	if (fake.fd < 0)
		return;
	event_free(fake.read_ev);
	event_free(fake.write_ev);
	evbuffer_free(fake.out);
	close(fake.fd);
	redisReaderFree(fake.reader);
	fake.fd = -1;
}

static void
fake_send(const char *p, size_t n)
{
	if (p == NULL || fake.fd < 0)
		return;
	assert_int_equal(evbuffer_add(fake.out, p, n), 0);
	event_add(fake.write_ev, NULL);
}

static void
fake_mget(unsigned tags)
{
	char reply[1024];
	unsigned i;
	size_t n;

	fake.mgets++;
	if (fake.mget == NULL) {
		return;
	} else if (strcmp(fake.mget, "tokens") == 0) {
		n = (size_t)snprintf(reply, sizeof(reply), "*%u\r\n$-1\r\n",
		    tags + 1);
		for (i = 0; i < tags; i++)
			n += (size_t)snprintf(reply + n, sizeof(reply) - n,
			    "$16\r\n%016x\r\n", i);
		fake_send(reply, n);
	} else if (strcmp(fake.mget, "hang up") == 0) {
		fake_hang_up();
	} else {
		fake_send(fake.mget, fake.mget_n);
	}
	if (fake.flood > 0)
		event_add(fake.write_ev, NULL);
}

static void
fake_write(evutil_socket_t fd, short what, void *arg)
{
	static const char block[1024] = "xxxxxxxx";

	(void)what;
	(void)arg;
	if (evbuffer_get_length(fake.out) == 0 && fake.flood > 0) {
		assert_int_equal(evbuffer_add(fake.out, block, 1024), 0);
		fake.flood--;
	}
	if (evbuffer_write(fake.out, fd) < 0 && errno != EAGAIN)
		fake.flood = 0;
	else if (evbuffer_get_length(fake.out) > 0 || fake.flood > 0)
		return;
	event_del(fake.write_ev);
}

static void
fake_command(const redisReply *r)
{
	const char *name = r->element[0]->str;
	const char *answer = fake.login;

	if (strcmp(name, "MGET") == 0) {
		fake_mget((unsigned)r->elements - 2);
		return;
	}
	if (strcmp(name, "SET") == 0) {
		fake.sets++;
		/* PX without NX, on a tag: a bump */
		if (r->elements == 5 &&
		    strncmp(r->element[1]->str, "test:tag:", 9) == 0) {
			fake.bumps++;
			fake.bumps_here++;
		}
		answer = fake.set;
	} else if (strcmp(name, "INFO") == 0 && answer == NULL) {
		answer = fake.info;
	} else if (answer == NULL) {
		answer = strcmp(name, "PING") == 0 ? "+PONG\r\n" : "+OK\r\n";
	}
	fake_send(answer, answer != NULL ? strlen(answer) : 0);
}

static void
fake_read(evutil_socket_t fd, short what, void *arg)
{
	char buf[65536];
	ssize_t n = read(fd, buf, sizeof(buf));
	void *reply;

	(void)what;
	(void)arg;
	if (n <= 0) {
		fake_hang_up();
		return;
	}
	assert_int_equal(redisReaderFeed(fake.reader, buf, (size_t)n), 0);
	while (fake.fd >= 0) {
		assert_int_equal(redisReaderGetReply(fake.reader, &reply), 0);
		if (reply == NULL)
			break;
		fake_command(reply);
		freeReplyObject(reply);
	}
}

static void
fake_accept(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	(void)arg;
	fake_hang_up();
	fake.fd = accept(fd, NULL, NULL);
	assert_true(fake.fd >= 0);
	evutil_make_socket_nonblocking(fake.fd);
	fake.connections++;
	fake.reader = redisReaderCreate();
	fake.read_ev = event_new(base, fake.fd, EV_READ | EV_PERSIST,
	    fake_read, NULL);
	event_add(fake.read_ev, NULL);
	fake.write_ev = event_new(base, fake.fd, EV_WRITE | EV_PERSIST,
	    fake_write, NULL);
	fake.out = evbuffer_new();
	fake.bumps_here = 0;
}

static int
setup(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	(void)state;
	base = event_base_new();
	memset(&fake, 0, sizeof(fake));
	fake.fd = -1;
	fake.mget = "tokens";
	fake.set = "+OK\r\n";
	fake.info = "$28\r\nrun_id:01ab\r\nmaster_replid:2\r\n";
	snprintf(sock, sizeof(sock), "%s/sock", dir);
	memcpy(a.sun_path, sock, strlen(sock));
	fake.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (bind(fake.listen_fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    listen(fake.listen_fd, 8) != 0)
		return -1;
	fake.accept_ev = event_new(base, fake.listen_fd, EV_READ | EV_PERSIST,
	    fake_accept, NULL);
	event_add(fake.accept_ev, NULL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fake_hang_up();
	event_free(fake.accept_ev);
	close(fake.listen_fd);
	unlink(sock);
	event_base_free(base);
	return 0;
}

static const struct l2_options options = { .unix_socket = sock,
	.prefix = "test", .timeout = TIMEOUT, .retry = RETRY,
	.max_object = 100000 };

static struct l2 *
start(void)
{
	struct l2 *l = l2_new(base, &options);

	RUN_UNTIL(usable(l, 0));
	return l;
}

/* The answer to MGET must be one miss, the connection must go, and the next
 * one must serve. */
static void
expect_closed(const char *mget, size_t n)
{
	struct l2 *l = start();
	unsigned connections = fake.connections;
	struct ask a;

	fake.mget = mget;
	fake.mget_n = n;
	assert_false(ask_wait(&a, l, "q", 5));
	assert_false(a.tokens.valid);
	RUN_UNTIL(!usable(l, 5));
	assert_int_equal(stats_of(l).breaker_opens, 1);
	fake.mget = "tokens";
	RUN_UNTIL(usable(l, 5));
	assert_int_equal(fake.connections, connections + 1);
	assert_int_equal(a.answers, 1);
	assert_false(ask_wait(&a, l, "q", 5));
	assert_true(a.tokens.valid);
	l2_free(&l);
}

/* --- answers --- */

static void
a_proper_answer_keeps_the_connection(void **state)
{
	struct l2 *l = start();
	struct ask a;

	(void)state;
	assert_false(ask_wait(&a, l, "q", 5));
	assert_true(a.tokens.valid);
	assert_int_equal(a.tokens.token[1], 1);
	run_for(2 * TIMEOUT);
	assert_int_equal(fake.connections, 1);
	l2_free(&l);
}

static void
wrong_answers_close_the_connection(void **state)
{
	static const struct slice answers[] = {
		SLICE_LIT("HTTP/1.1 400 Bad Request\r\n\r\n"),
		SLICE_LIT("\0\0\0\0\0\0\0\0\r\n"),
		SLICE_LIT("+OK\r\n"),
		SLICE_LIT(":3\r\n"),
		SLICE_LIT("$-1\r\n"),
		SLICE_LIT("*-1\r\n"),
		SLICE_LIT("*0\r\n"),
		SLICE_LIT("*2\r\n$-1\r\n$-1\r\n"),
		SLICE_LIT("*4\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n"),
		SLICE_LIT("*3\r\n*1\r\n$-1\r\n$-1\r\n$-1\r\n"),
		SLICE_LIT("*2147483647\r\n"),
		SLICE_LIT("*19\r\n"),
		SLICE_LIT("*99999999999999999999\r\n"),
		SLICE_LIT("*-5\r\n"),
		SLICE_LIT("$-5\r\n"),
		SLICE_LIT("$99999999999999999999\r\n"),
		SLICE_LIT("-ERR no\r\n"),
		SLICE_LIT("-\r\n"),
		SLICE_LIT("-NOAUTH Authentication required.\r\n"),
		SLICE_LIT("-LOADING\r\n"),
		SLICE_LIT("*3\r\n$-1\r\n$65\r\n"
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		    "xxxxxxxxx\r\n$-1\r\n"),
	};
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(answers); i++)
		expect_closed(answers[i].p, answers[i].n);
}

static void
silence_closes_the_connection(void **state)
{
	static const struct slice parts[] = {
		SLICE_LIT("*"), SLICE_LIT("*3\r\n"),
		SLICE_LIT("*3\r\n$1000\r\nabc"),
		SLICE_LIT("*3\r\n$-1\r\n$16\r\n0123456789abcdef\r\n$16\r\n01"),
	};
	unsigned i;

	(void)state;
	expect_closed(NULL, 0);
	expect_closed("hang up", 0);
	for (i = 0; i < ARRAY_SIZE(parts); i++)
		expect_closed(parts[i].p, parts[i].n);
}

/* Hundreds of megabytes are announced; the connection goes at the cap and not
 * when time is up. */
static void
expect_cut_off(const char *announce)
{
	struct l2_options o = options;
	struct ask a;
	struct l2 *l;

	o.timeout = 9 * NSEC_PER_SEC;
	l = l2_new(base, &o);
	RUN_UNTIL(usable(l, 0));
	fake.mget = announce;
	fake.mget_n = strlen(announce);
	fake.flood = 500000;
	assert_false(ask_wait(&a, l, "q", 5));
	assert_int_equal(stats_of(l).timeouts, 0);
	assert_int_equal(stats_of(l).breaker_opens, 1);
	assert_true(fake.flood > 499000);
	l2_free(&l);
}

static void
floods_are_cut_off(void **state)
{
	(void)state;
	expect_cut_off("*3\r\n$500000000\r\n");
	expect_cut_off("+");
	expect_cut_off("*3\r\n$-1\r\n$500000000\r\n");
}

static void
unasked_replies_close_the_connection(void **state)
{
	struct l2 *l = start();
	struct ask a;

	(void)state;
	fake_send("+OK\r\n", 5);
	RUN_UNTIL(!usable(l, 0));
	assert_int_equal(stats_of(l).breaker_opens, 1);
	RUN_UNTIL(usable(l, 0));
	/* Two answers to one question. */
	fake.mget = "*3\r\n$-1\r\n$-1\r\n$-1\r\n*3\r\n$-1\r\n$-1\r\n$-1\r\n";
	fake.mget_n = strlen(fake.mget);
	fake.set = NULL;
	assert_false(ask_wait(&a, l, "q", 5));
	RUN_UNTIL(!usable(l, 0));
	assert_int_equal(stats_of(l).breaker_opens, 2);
	l2_free(&l);
}

static void
a_late_answer_meets_nobody(void **state)
{
	struct l2 *l = start();
	struct ask a, b;
	int old_fd;

	(void)state;
	fake.mget = NULL;
	ask_start(&a, l, "q", 5, NSEC_PER_SEC);
	run_for(TIMEOUT / 2);
	ask_start(&b, l, "q2", 5, NSEC_PER_SEC);
	assert_int_equal(a.answers + b.answers, 0);
	old_fd = dup(fake.fd);
	RUN_UNTIL(a.answers > 0);
	assert_int_equal(b.answers, 1); /* with the connection */
	assert_int_equal(stats_of(l).timeouts, 1);
	assert_false(usable(l, 5));
	fake.mget = "tokens";
	RUN_UNTIL(usable(l, 5));
	/* Now the old connection gets its answer: nobody is there. */
	assert_true(send(old_fd, "*3\r\n$-1\r\n$-1\r\n$-1\r\n", 20,
	    MSG_NOSIGNAL) < 0);
	close(old_fd);
	assert_false(ask_wait(&a, l, "q", 5));
	assert_true(a.tokens.valid);
	assert_int_equal(a.answers, 1);
	l2_free(&l);
}

static void
our_own_lateness_is_no_timeout(void **state)
{
	struct l2 *l = start();
	struct ask a;

	(void)state;
	ask_start(&a, l, "q", 5, NSEC_PER_SEC);
	event_base_loop(base, EVLOOP_NONBLOCK); /* asked */
	event_base_loop(base, EVLOOP_NONBLOCK); /* answered */
	usleep(2 * TIMEOUT / NSEC_PER_USEC);    /* this loop stalls */
	RUN_UNTIL(a.answers > 0);
	assert_true(a.tokens.valid);
	assert_int_equal(stats_of(l).timeouts, 0);
	l2_free(&l);
}

static void
the_budget_is_kept(void **state)
{
	struct l2 *l = start();
	nsec_t asked;
	struct ask a;

	(void)state;
	fake.mget = NULL;
	asked = clock_mono();
	assert_false(ask_wait(&a, l, "q", 5));
	assert_in_range(clock_mono() - asked, TIMEOUT,
	    TIMEOUT + 20 * NSEC_PER_MSEC);
	/* The circuit is open: no waiting at all. */
	ask_start(&a, l, "q", 5, NSEC_PER_SEC);
	assert_null(a.req);
	l2_set_times(l, 5 * TIMEOUT, RETRY);
	RUN_UNTIL(usable(l, 5));
	asked = clock_mono();
	assert_false(ask_wait(&a, l, "q", 5));
	assert_true(clock_mono() - asked >= 5 * TIMEOUT);
	l2_free(&l);
}

/* --- logging in --- */

static void
failed_logins_are_repeated(void **state)
{
	static const char *const answers[] = { "-NOAUTH no\r\n", "+HELLO\r\n",
		":1\r\n", "*1\r\n+PONG\r\n", "-ERR max clients\r\n",
		"+PONG\r\n+PONG\r\n" };
	struct l2 *l;
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(answers); i++) {
		fake.connections = 0;
		fake.login = answers[i];
		l = l2_new(base, &options);
		RUN_UNTIL(fake.connections >= 3);
		fake.login = NULL;
		RUN_UNTIL(usable(l, 0));
		l2_free(&l);
	}
}

static void
a_missing_server_is_waited_for(void **state)
{
	struct l2_options o = options;
	char elsewhere[80];
	const tag_t five = 5;
	struct l2 *l;
	struct ask a;

	(void)state;
	snprintf(elsewhere, sizeof(elsewhere), "%s/later", dir);
	o.unix_socket = elsewhere;
	l = l2_new(base, &o);
	l2_bump(l, &five, 1);
	run_for(3 * RETRY);
	assert_false(usable(l, 0));
	ask_start(&a, l, "q", 5, NSEC_PER_SEC);
	assert_null(a.req);
	assert_int_equal(rename(sock, elsewhere), 0);
	RUN_UNTIL(usable(l, 5));
	assert_int_equal(fake.bumps, 1); /* the first thing it heard */
	l2_free(&l);
	unlink(elsewhere);
}

/* --- bumps --- */

static void
unanswered_bumps_are_replayed(void **state)
{
	static const char *const answers[] = { NULL, "-READONLY no\r\n",
		"$-1\r\n", "+QUEUED\r\n" };
	const tag_t tags[] = { 5, 6, 5 };
	struct l2 *l = start();
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(answers); i++) {
		fake.set = answers[i];
		fake.bumps = 0;
		l2_bump(l, tags, 3);
		assert_false(usable(l, 5) || usable(l, 6));
		assert_true(usable(l, 7));
		RUN_UNTIL(!usable(l, 7));
		RUN_UNTIL(fake.bumps >= 5);
		assert_false(usable(l, 7)); /* replaying: not yet for anybody */
		fake.set = "+OK\r\n";
		RUN_UNTIL(usable(l, 5) && usable(l, 6) && usable(l, 7));
	}
	l2_free(&l);
}

static void
a_storm_of_bumps_is_bounded(void **state)
{
	struct l2 *l = start();
	tag_t t;

	(void)state;
	fake.set = NULL;
	/* More than may be owed, of more tags than a replay set holds. */
	for (t = 1; t <= 12000; t++)
		l2_bump(l, &t, 1);
	assert_false(usable(l, 0));
	RUN_UNTIL(stats_of(l).breaker_opens == 1);
	fake.set = "+OK\r\n";
	RUN_UNTIL(usable(l, 77));
	assert_int_equal(fake.bumps_here, 1); /* "everything" */
	fake.bumps = 0;
	/* Without a loss, what found no room follows. */
	l2_set_times(l, 9 * NSEC_PER_SEC, RETRY);
	for (t = 1; t <= 12000; t++)
		l2_bump(l, &t, 1);
	RUN_UNTIL(usable(l, 77));
	assert_int_equal(stats_of(l).breaker_opens, 1);
	assert_in_range(fake.bumps, 1000, 10001);
	l2_free(&l);
}

static void
lookups_are_bounded(void **state)
{
	static struct ask a[10001];
	struct l2 *l = start();
	unsigned i;

	(void)state;
	fake.mget = NULL;
	/* By what waits to be written, */
	for (i = 0; i < ARRAY_SIZE(a); i++) {
		ask_start(&a[i], l, "q", 5, NSEC_PER_SEC);
		if (a[i].req == NULL)
			break;
	}
	assert_in_range(i, 100, 9000);
	RUN_UNTIL(a[i - 1].answers > 0);
	/* and by what is owed. */
	l2_set_times(l, 9 * NSEC_PER_SEC, RETRY);
	RUN_UNTIL(usable(l, 5));
	for (i = 0; i < ARRAY_SIZE(a); i++) {
		ask_start(&a[i], l, "q", 5, NSEC_PER_SEC);
		if (i % 500 == 0)
			turn();
	}
	for (i = 0; i < ARRAY_SIZE(a); i++)
		assert_int_equal(a[i].req != NULL, i < 10000);
	fake_hang_up();
	RUN_UNTIL(a[0].answers > 0);
	for (i = 0; i < ARRAY_SIZE(a); i++)
		assert_int_equal(a[i].answers, i < 10000);
	l2_free(&l);
}

/* --- servers of another kind --- */

static void
a_server_that_became_a_replica_is_left(void **state)
{
	struct l2 *l = start();
	struct ask a;

	(void)state;
	assert_false(ask_wait(&a, l, "q", 5));
	fake.set = "-READONLY You can't write against a read only replica.\r\n";
	ask_fill(&a, l, UTIL_DATA);
	RUN_UNTIL(stats_of(l).breaker_opens == 1);
	RUN_UNTIL(usable(l, 5));
	assert_int_equal(fake.connections, 2);
	/* Other errors are not worth a connection. */
	fake.set = "-OOM command not allowed\r\n";
	assert_false(ask_wait(&a, l, "q", 5));
	ask_fill(&a, l, UTIL_DATA);
	RUN_UNTIL(stats_of(l).errors == 2);
	run_for(2 * RETRY);
	assert_int_equal(fake.connections, 2);
	l2_free(&l);
}

static void
a_cluster_is_left_alone(void **state)
{
	static const char *const answers[] = { "-MOVED 1234 127.0.0.1:7\r\n",
		"-CROSSSLOT Keys in request don't hash to the same slot\r\n",
		"-CLUSTERDOWN Hash slot not served\r\n", "-ASK 1 ::1:7\r\n" };
	struct ask a;
	struct l2 *l;
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(answers); i++) {
		fake.mget = "tokens";
		l = start();
		fake.mget = answers[i];
		fake.mget_n = strlen(answers[i]);
		fake.connections = 0;
		assert_false(ask_wait(&a, l, "q", 5));
		run_for(5 * RETRY);
		assert_false(usable(l, 0));
		assert_int_equal(fake.connections, 0);
		l2_free(&l);
	}
}

static void
another_server_knows_nothing_of_our_bumps(void **state)
{
	static const char *const infos[] = {
		"$28\r\nrun_id:01ab\r\nmaster_replid:3\r\n",
		"$28\r\nrun_id:01ac\r\nmaster_replid:3\r\n",
		"-NOPERM no\r\n", "$0\r\n\r\n", "$7\r\nrun_id:\r\n" };
	struct l2 *l = start();
	unsigned i;

	(void)state;
	/* The same one: nothing is lost. */
	fake_hang_up();
	RUN_UNTIL(!usable(l, 0));
	RUN_UNTIL(usable(l, 0));
	assert_int_equal(fake.bumps, 0);
	for (i = 0; i < ARRAY_SIZE(infos); i++) {
		fake.info = infos[i];
		fake_hang_up();
		RUN_UNTIL(!usable(l, 0));
		RUN_UNTIL(usable(l, 0));
		assert_int_equal(fake.bumps, i + 1);
	}
	/* Not at first: nobody has bumped anything. */
	l2_free(&l);
	fake.connections = fake.bumps = 0;
	l = start();
	run_for(2 * RETRY);
	assert_int_equal(fake.bumps, 0);
	l2_free(&l);
}

static int
suite_start(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	hash_init();
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
suite_end(void **state)
{
	(void)state;
	return rmdir(dir);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_proper_answer_keeps_the_connection),
		T(wrong_answers_close_the_connection),
		T(silence_closes_the_connection),
		T(floods_are_cut_off),
		T(unasked_replies_close_the_connection),
		T(a_late_answer_meets_nobody),
		T(our_own_lateness_is_no_timeout),
		T(the_budget_is_kept),
		T(failed_logins_are_repeated),
		T(a_missing_server_is_waited_for),
		T(unanswered_bumps_are_replayed),
		T(a_storm_of_bumps_is_bounded),
		T(lookups_are_bounded),
		T(a_server_that_became_a_replica_is_left),
		T(a_cluster_is_left_alone),
		T(another_server_knows_nothing_of_our_bumps),
	};

	return cmocka_run_group_tests(tests, suite_start, suite_end);
}
