/* SPDX-License-Identifier: PostgreSQL
 *
 * L2 against a real redis-server of our own, on a unix socket and a TCP port.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "cache/l2_post.h"
#include "l2_util.h"

static char dir[] = "/tmp/pgsluice-l2-XXXXXX", sock[64], port[8];
static pid_t redis;
static redisContext *admin; /* blocking: another client of the same Redis */

/* --- the server --- */

static void
pick_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	snprintf(port, sizeof(port), "%u", ntohs(a.sin_port));
	close(fd);
}

static void
redis_start(void)
{
	unsigned i;

	redis = fork();
	assert_true(redis >= 0);
	if (redis == 0) {
		int null = open("/dev/null", O_RDWR);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(null, 1);
		execlp("redis-server", "redis-server", "--port", port,
		    "--bind", "127.0.0.1", "--unixsocket", sock, "--save", "",
		    "--appendonly", "no", "--dir", dir, "--databases", "16",
		    (char *)NULL);
		fprintf(stderr, "cannot run redis-server: install the package "
		    "redis-server\n");
		_exit(127);
	}
	for (i = 0; i < 500; i++) {
		int status;

		if (waitpid(redis, &status, WNOHANG) == redis) {
			redis = 0;
			fail_msg("redis-server did not start: is it "
			    "installed?");
		}
		admin = redisConnectUnix(sock);
		if (admin != NULL && admin->err == 0)
			return;
		redisFree(admin);
		usleep(10000);
	}
	fail_msg("redis-server does not listen");
}

static void
redis_stop(void)
{
	redisFree(admin);
	kill(redis, SIGKILL);
	waitpid(redis, NULL, 0);
	unlink(sock);
}

static void
command(const char *line)
{
	redisReply *r = redisCommand(admin, line);

	if (r == NULL || r->type == REDIS_REPLY_ERROR)
		fail_msg("%s: %s", line, r != NULL ? r->str : admin->errstr);
	freeReplyObject(r);
}

static int
suite_start(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	hash_init();
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(sock, sizeof(sock), "%s/redis.sock", dir);
	pick_port();
	redis_start();
	base = event_base_new();
	return 0;
}

static int
suite_end(void **state)
{
	(void)state;
	redis_stop();
	event_base_free(base);
	return rmdir(dir); /* Redis was told to save nothing */
}

static const struct l2_options plain = { .unix_socket = sock,
	.prefix = "test", .timeout = 500 * NSEC_PER_MSEC,
	.retry = 20 * NSEC_PER_MSEC };

static struct l2 *
start(const struct l2_options *o)
{
	struct l2 *l = l2_new(base, o);

	RUN_UNTIL(usable(l, 0));
	return l;
}

static int
flush_redis(void **state)
{
	(void)state;
	command("FLUSHALL");
	return 0;
}

/* Look up until there are tokens, then store. */
static void
warm(struct l2 *l, const char *sql, tag_t tag, struct slice data)
{
	uint64_t puts = stats_of(l).puts;
	struct ask a;

	if (!ask_wait(&a, l, sql, tag) && !a.tokens.valid)
		assert_false(ask_wait(&a, l, sql, tag));
	assert_true(a.tokens.valid);
	ask_fill(&a, l, data);
	RUN_UNTIL(stats_of(l).puts > puts);
}

/* --- lookups and stores --- */

static void
what_is_stored_is_found(void **state)
{
	struct l2 *l = start(&plain), *other = start(&plain);
	nsec_t before = clock_wall();
	struct ask a;

	(void)state;
	assert_false(ask_wait(&a, l, "q", 5));
	assert_false(a.tokens.valid); /* they did not exist */
	assert_false(ask_wait(&a, l, "q", 5));
	assert_true(a.tokens.valid);
	assert_true(a.tokens.token[0] != a.tokens.token[1]);
	ask_fill(&a, l, UTIL_DATA);
	RUN_UNTIL(stats_of(l).puts == 1);
	assert_true(ask_wait(&a, other, "q", 5));
	assert_true(slice_eq(slice_make(a.data, a.data_n), UTIL_DATA));
	assert_true(a.fetched_wall >= before &&
	    a.fetched_wall <= clock_wall());
	assert_false(ask_wait(&a, other, "q2", 5));
	assert_int_equal(stats_of(l).gets, 2);
	assert_int_equal(stats_of(l).misses, 2);
	assert_int_equal(stats_of(other).hits, 1);
	assert_int_equal(stats_of(other).corrupt, 0);
	l2_free(&l);
	l2_free(&other);
	assert_null(l);
}

static void
ages_and_lives_are_bounded(void **state)
{
	struct l2 *l = start(&plain);
	redisReply *names, *r;
	struct ask a;
	size_t i;

	(void)state;
	warm(l, "q", 5, UTIL_DATA);
	run_for(5 * NSEC_PER_MSEC);
	ask_start(&a, l, "q", 5, NSEC_PER_MSEC);
	RUN_UNTIL(a.answers > 0);
	assert_false(a.found);
	assert_true(a.tokens.valid);
	assert_true(ask_wait(&a, l, "q", 5));
	names = redisCommand(admin, "KEYS *");
	assert_int_equal(names->elements, 3);
	for (i = 0; i < 3; i++) {
		const char *name = names->element[i]->str;
		long long most = strncmp(name, "test:tag:", 9) == 0 ?
		    7 * 24 * 3600 * 1000LL : 30000;

		r = redisCommand(admin, "PTTL %s", name);
		assert_true(r->integer > most - 10000 && r->integer <= most);
		freeReplyObject(r);
	}
	freeReplyObject(names);
	l2_free(&l);
}

static void
misfits_are_not_stored(void **state)
{
	struct l2 *l = start(&plain);
	struct object *o;
	struct ask a;
	static char big[1024 * 1024 + 1];

	(void)state;
	ask_wait(&a, l, "q", 5);
	ask_fill(&a, l, UTIL_DATA); /* without tokens */
	ask_wait(&a, l, "q", 5);
	ask_fill(&a, l, slice_make(big, sizeof(big)));
	o = util_object(&a.key, UTIL_DATA, 5, 1);
	o->fetched_wall -= o->ttl; /* no life left */
	l2_put(l, o, SCOPE, "shop", &a.tokens);
	object_unref(&o);
	tag_bump(5);
	ask_fill(&a, l, UTIL_DATA); /* overtaken by a write */
	assert_false(ask_wait(&a, l, "q", 5));
	assert_true(a.tokens.valid);
	assert_int_equal(stats_of(l).puts, 0);
	l2_free(&l);
}

static void
damaged_entries_are_misses(void **state)
{
	struct l2 *l = start(&plain);
	redisReply *names, *r, *set;
	unsigned i;
	struct ask a;

	(void)state;
	warm(l, "q", 5, UTIL_DATA);
	names = redisCommand(admin, "KEYS test:shop:rule:*");
	assert_int_equal(names->elements, 1);
	r = redisCommand(admin, "GET %s", names->element[0]->str);
	assert_int_equal(r->type, REDIS_REPLY_STRING);
	for (i = 0; i < 500; i++) {
		size_t bit = (size_t)random() % (r->len * 8);

		r->str[bit / 8] ^= (char)(1 << bit % 8);
		set = redisCommand(admin, "SET %s %b",
		    names->element[0]->str, r->str, r->len - (i % 5 == 0));
		freeReplyObject(set);
		assert_false(ask_wait(&a, l, "q", 5));
		r->str[bit / 8] ^= (char)(1 << bit % 8);
	}
	assert_int_equal(stats_of(l).corrupt, 500);
	set = redisCommand(admin, "SET %s %b", names->element[0]->str, r->str,
	    r->len);
	freeReplyObject(set);
	assert_true(ask_wait(&a, l, "q", 5));
	freeReplyObject(r);
	freeReplyObject(names);
	l2_free(&l);
}

static void
cancelled_lookups_stay_silent(void **state)
{
	struct l2 *l = start(&plain);
	struct ask a, b;

	(void)state;
	ask_start(&a, l, "q", 5, NSEC_PER_SEC);
	ask_start(&b, l, "q", 5, NSEC_PER_SEC);
	l2_cancel(a.req);
	RUN_UNTIL(b.answers > 0);
	assert_int_equal(a.answers, 0);
	ask_start(&a, l, "q", 5, NSEC_PER_SEC);
	ask_start(&b, l, "q", 5, NSEC_PER_SEC);
	l2_cancel(b.req);
	l2_free(&l); /* ends what is under way */
	assert_int_equal(a.answers, 1);
	assert_false(a.found || a.tokens.valid);
	assert_int_equal(b.answers, 0);
}

/* --- bumps --- */

static void
a_bump_ends_entries_of_its_tag(void **state)
{
	struct l2 *l = start(&plain), *other = start(&plain);
	const tag_t five = 5, all = TAG_ALL;
	struct ask a;

	(void)state;
	warm(l, "q5", 5, UTIL_DATA);
	warm(l, "q6", 6, UTIL_DATA);
	l2_bump(l, &five, 1);
	assert_false(usable(l, 5));
	assert_false(usable(other, 5)); /* the same process */
	assert_true(usable(other, 6));
	RUN_UNTIL(usable(l, 5));
	assert_false(ask_wait(&a, other, "q5", 5));
	assert_true(a.tokens.valid);
	assert_true(ask_wait(&a, other, "q6", 6));
	warm(l, "q5", 5, UTIL_DATA);
	l2_bump(other, &all, 1);
	assert_false(usable(l, 5) || usable(l, 6) || usable(l, 0));
	RUN_UNTIL(usable(l, 0));
	assert_false(ask_wait(&a, l, "q5", 5));
	assert_false(ask_wait(&a, l, "q6", 6));
	assert_int_equal(stats_of(l).corrupt, 0);
	l2_free(&l);
	l2_free(&other);
}

static void
a_fill_overtaken_elsewhere_is_stale(void **state)
{
	struct l2 *l = start(&plain);
	struct ask a;

	(void)state;
	ask_wait(&a, l, "q", 5);
	ask_wait(&a, l, "q", 5);
	assert_true(a.tokens.valid);
	command("SET test:tag:5 0123456789abcdef"); /* another process */
	ask_fill(&a, l, UTIL_DATA);
	RUN_UNTIL(stats_of(l).puts == 1);
	assert_false(ask_wait(&a, l, "q", 5));
	assert_true(a.tokens.token[1] == 0x0123456789abcdef);
	ask_fill(&a, l, UTIL_DATA);
	assert_true(ask_wait(&a, l, "q", 5));
	l2_free(&l);
}

static void
a_write_during_a_lookup_is_a_miss(void **state)
{
	struct l2 *l = start(&plain);
	struct ask a;
	tag_t five = 5;

	(void)state;
	warm(l, "q", 5, UTIL_DATA);
	ask_start(&a, l, "q", 5, NSEC_PER_SEC);
	tag_bump(5);
	RUN_UNTIL(a.answers > 0);
	assert_false(a.found || a.tokens.valid);
	ask_start(&a, l, "q", 5, NSEC_PER_SEC);
	l2_bump(l, &five, 1); /* on its way when the answer comes */
	RUN_UNTIL(a.answers > 0);
	assert_false(a.found || a.tokens.valid);
	RUN_UNTIL(usable(l, 5));
	l2_free(&l);
}

static void
broken_tokens_heal(void **state)
{
	struct l2 *l = start(&plain);
	struct ask a;

	(void)state;
	warm(l, "q", 5, UTIL_DATA);
	command("SET test:tag:5 nonsense");
	assert_false(ask_wait(&a, l, "q", 5));
	assert_false(a.tokens.valid);
	assert_false(ask_wait(&a, l, "q", 5));
	assert_true(a.tokens.valid);
	command("FLUSHALL");
	assert_false(ask_wait(&a, l, "q", 5));
	assert_false(a.tokens.valid);
	warm(l, "q", 5, UTIL_DATA);
	assert_true(ask_wait(&a, l, "q", 5));
	l2_free(&l);
}

/* --- trouble --- */

static void
refused_bumps_are_replayed(void **state)
{
	static const char *const trouble[][2] = {
		{ "REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE" },
		{ "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0" },
	};
	struct l2 *l = start(&plain);
	const tag_t five = 5;
	struct ask a;
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(trouble); i++) {
		uint64_t errors;

		warm(l, "q", 5, UTIL_DATA);
		command(trouble[i][0]);
		/* Reading serves, storing fails, nobody is bothered. */
		errors = stats_of(l).errors;
		assert_true(ask_wait(&a, l, "q", 5));
		ask_fill(&a, l, UTIL_DATA);
		RUN_UNTIL(stats_of(l).errors == errors + 1);
		/* But a replica is left, and looked for again. */
		assert_int_equal(usable(l, 5), i > 0);
		RUN_UNTIL(usable(l, 5));
		l2_bump(l, &five, 1);
		run_for(100 * NSEC_PER_MSEC); /* several attempts */
		assert_true(stats_of(l).errors >= errors + 3);
		assert_false(usable(l, 5));
		command(trouble[i][1]);
		RUN_UNTIL(usable(l, 5));
		assert_false(ask_wait(&a, l, "q", 5));
	}
	l2_free(&l);
}

static void
bumps_outlive_a_dead_server(void **state)
{
	struct l2 *l = start(&plain);
	const tag_t tags[] = { 5, 6 };
	struct ask a;

	(void)state;
	warm(l, "q", 5, UTIL_DATA);
	redis_stop();
	ask_start(&a, l, "q", 5, NSEC_PER_SEC);
	if (a.req != NULL)
		RUN_UNTIL(a.answers > 0);
	assert_false(a.found);
	l2_bump(l, tags, 2);
	RUN_UNTIL(!usable(l, 0));
	assert_false(stats_of(l).connected);
	assert_int_equal(stats_of(l).breaker_opens, 1);
	l2_bump(l, tags, 1);
	redis_start();
	RUN_UNTIL(usable(l, 0));
	assert_true(usable(l, 5) && usable(l, 6));
	command("EXISTS test:tag:5");
	assert_false(ask_wait(&a, l, "q", 5));
	warm(l, "q", 5, UTIL_DATA);
	assert_true(ask_wait(&a, l, "q", 5));
	l2_free(&l);
}

static void
posts_wake(void *arg)
{
	++*(unsigned *)arg;
}

static void
what_is_posted_ends_entries(void **state)
{
	struct l2 *l = start(&plain), *other = start(&plain);
	const tag_t five = 5;
	unsigned woken = 0;
	struct ask a;

	(void)state;
	warm(l, "q", 5, UTIL_DATA);
	warm(l, "r", 6, UTIL_DATA);
	l2_post_to(posts_wake, &woken);
	ask_start(&a, other, "q", 5, 60 * NSEC_PER_SEC);
	l2_post(&five, 1); /* while another worker asks */
	tag_bump(5);
	assert_int_equal(woken, 1);
	assert_false(usable(l, 5) || usable(other, 5));
	assert_true(usable(l, 6) && usable(other, 6));
	RUN_UNTIL(a.answers == 1);
	assert_true(!a.found && !a.tokens.valid);
	l2_take_posts(l);
	assert_false(usable(other, 5));
	RUN_UNTIL(usable(other, 5));
	assert_int_equal(stats_of(l).bumps, 1);
	assert_false(ask_wait(&a, other, "q", 5));
	assert_true(ask_wait(&a, other, "r", 6));
	/* Not acknowledged in time, it is replayed. */
	warm(l, "q", 5, UTIL_DATA);
	kill(redis, SIGSTOP);
	l2_post(&five, 1);
	l2_take_posts(l);
	RUN_UNTIL(stats_of(l).breaker_opens > 0);
	assert_false(usable(other, 5));
	kill(redis, SIGCONT);
	RUN_UNTIL(usable(other, 5));
	assert_false(ask_wait(&a, other, "q", 5));
	l2_post_to(NULL, NULL);
	l2_free(&l);
	l2_free(&other);
}

static void
a_bump_without_heir_closes_l2(void **state)
{
	struct l2 *l = start(&plain), *other = start(&plain);
	const tag_t five = 5;
	struct ask a;

	(void)state;
	warm(l, "q", 5, UTIL_DATA);
	l2_bump(l, &five, 1);
	l2_free(&l); /* before the bump was sent */
	run_for(10 * NSEC_PER_MSEC);
	assert_true(stats_of(other).connected);
	assert_false(usable(other, 6));
	l = start(&plain); /* inherits it */
	assert_true(usable(other, 5));
	assert_false(ask_wait(&a, other, "q", 5));
	l2_free(&l);
	l2_free(&other);
}

static void
a_slow_server_never_answers_another(void **state)
{
	struct l2_options o = plain;
	char sql[40][16], data[40][32];
	struct ask a[40];
	unsigned i, round, hits = 0, answers = 0, asked = 0;
	struct l2 *l;

	(void)state;
	o.timeout = 10 * NSEC_PER_MSEC;
	o.retry = 5 * NSEC_PER_MSEC;
	l = start(&plain);
	for (i = 0; i < 40; i++) {
		snprintf(sql[i], sizeof(sql[i]), "q%u", i);
		memset(data[i], 0, sizeof(data[i]));
		snprintf(data[i], 15, "D%c%c%cSELECT %02u", 1, 2, 3, i);
		/* CommandComplete with the number of the question */
		memcpy(data[i], "C\0\0\0\x0e", 5);
		snprintf(data[i] + 5, 11, "SELECT %02u", i);
		warm(l, sql[i], 5 + i % 3, slice_make(data[i], 15));
	}
	l2_free(&l);
	l = start(&o);
	for (round = 0; round < 600; round++) {
		if (round % 20 == 0)
			command("CLIENT PAUSE 15 ALL");
		for (i = 0; i < 40; i++) {
			ask_start(&a[i], l, sql[i], 5 + i % 3, NSEC_PER_SEC *
			    100);
			asked += a[i].req != NULL;
			if (a[i].req != NULL && (i + round) % 7 == 0) {
				l2_cancel(a[i].req);
				a[i].req = NULL;
				asked--;
			}
		}
		run_for(200 * NSEC_PER_USEC + (round % 10) * NSEC_PER_MSEC);
		for (i = 0; i < 40; i++) {
			if (a[i].req != NULL)
				RUN_UNTIL(a[i].answers > 0);
			assert_int_equal(a[i].answers, a[i].req != NULL);
			answers += a[i].answers;
			if (!a[i].found)
				continue;
			hits++;
			assert_int_equal(a[i].data_n, 15);
			assert_memory_equal(a[i].data, data[i], 15);
		}
	}
	assert_int_equal(answers, asked);
	assert_true(hits > 1000);
	assert_true(stats_of(l).timeouts >= 5);
	assert_int_equal(stats_of(l).corrupt, 0);
	RUN_UNTIL(usable(l, 0));
	l2_free(&l);
}

/* --- ways to get there --- */

static void
tcp_and_names_work(void **state)
{
	struct l2_options o = plain;
	struct ask a;
	struct l2 *l;

	(void)state;
	o.unix_socket = "";
	o.host = "localhost"; /* Redis listens on one of its addresses */
	o.port = atoi(port);
	l = start(&o);
	warm(l, "q", 5, UTIL_DATA);
	assert_true(ask_wait(&a, l, "q", 5));
	l2_free(&l);
}

static void
passwords_and_databases_work(void **state)
{
	struct l2_options o = plain;
	redisReply *r;
	struct l2 *l;

	(void)state;
	o.password = "secret";
	o.database = 3;
	command("CONFIG SET requirepass secret");
	l = start(&o);
	warm(l, "q", 5, UTIL_DATA);
	l2_free(&l);
	command("SELECT 3");
	r = redisCommand(admin, "DBSIZE");
	assert_int_equal(r->integer, 3);
	freeReplyObject(r);
	command("SELECT 0");
	command("ACL SETUSER sluice on >other ~test:* +@all");
	o.user = "sluice";
	o.password = "other";
	l = start(&o);
	l2_free(&l);
	o.password = "wrong";
	l = l2_new(base, &o);
	run_for(100 * NSEC_PER_MSEC);
	assert_false(usable(l, 0));
	assert_false(stats_of(l).connected);
	l2_free(&l);
	command("CONFIG SET requirepass \"\"");
}

/* --- another server ------------------------------------------------------ */

static void
a_replica_that_takes_over_begins_anew(void **state)
{
	struct l2 *one = start(&plain), *two = start(&plain);
	uint64_t losses = stats_of(two).breaker_opens;
	struct ask a;

	(void)state;
	warm(one, "q", 5, UTIL_DATA);
	assert_true(ask_wait(&a, two, "q", 5));
	/* It has all the data, but who knows whether it has the last. */
	command("REPLICAOF 127.0.0.1 1");
	command("REPLICAOF NO ONE");
	assert_true(ask_wait(&a, two, "q", 5)); /* has not noticed */
	l2_free(&one);
	one = start(&plain);
	RUN_UNTIL(usable(one, 5));
	assert_false(ask_wait(&a, one, "q", 5));
	/* The other worker does not use what it is connected to any more. */
	assert_false(usable(two, 5));
	RUN_UNTIL(stats_of(two).breaker_opens == losses + 1);
	RUN_UNTIL(usable(two, 5));
	assert_false(ask_wait(&a, two, "q", 5));
	warm(two, "q", 5, UTIL_DATA);
	assert_true(ask_wait(&a, one, "q", 5));
	l2_free(&one);
	l2_free(&two);
}

/* --- leases ------------------------------------------------------------- */

#define LIFE (5 * NSEC_PER_SEC)

static void
lease_start(struct ask *a, struct l2 *l, nsec_t life)
{
	*a = (struct ask){ .key = util_key("q") };
	tagset_init(&a->tags);
	tagset_add(&a->tags, 5);
	tagset_record(&a->tags);
	a->req = l2_get(l, &a->key, SCOPE, "shop", &a->tags,
	    60 * NSEC_PER_SEC, life, ask_answered, a);
	assert_non_null(a->req);
	assert_int_equal(a->answers, 0);
}

static void
lease_take(struct ask *a, struct l2 *l, nsec_t life)
{
	lease_start(a, l, life);
	RUN_UNTIL(a->answers > 0);
	assert_false(a->found);
	assert_non_null(a->lease);
	/* What others wait for can be stored, though no tag had a token. */
	assert_true(a->tokens.valid);
}

static uint64_t
leases(const struct l2 *l, enum lease_outcome o)
{
	return stats_of(l).leases[o];
}

static void
one_fills_for_all(void **state)
{
	struct l2 *one = start(&plain), *two = start(&plain);
	struct ask a, b, c;
	redisReply *r;

	(void)state;
	lease_take(&a, one, LIFE);
	assert_int_equal(leases(one, LEASE_TAKEN), 1);
	lease_start(&b, two, LIFE);
	lease_start(&c, two, LIFE);
	run_for(100 * NSEC_PER_MSEC);
	assert_int_equal(b.answers + c.answers, 0);
	ask_fill(&a, one, UTIL_DATA);
	l2_release(one, &a.lease);
	assert_null(a.lease);
	RUN_UNTIL(b.answers > 0 && c.answers > 0);
	assert_true(b.found && c.found);
	assert_null(b.lease);
	assert_int_equal(leases(two, LEASE_WAITED), 2);
	/* A hit takes none, and leaves none behind. */
	lease_start(&b, two, LIFE);
	RUN_UNTIL(b.answers > 0);
	assert_true(b.found);
	assert_null(b.lease);
	run_for(20 * NSEC_PER_MSEC);
	r = redisCommand(admin, "KEYS test:lease:*");
	assert_int_equal(r->elements, 0);
	freeReplyObject(r);
	l2_free(&one);
	l2_free(&two);
}

static void
leases_are_taken_over(void **state)
{
	struct l2 *one = start(&plain), *two = start(&plain);
	struct ask a, b;

	(void)state;
	/* Given up, */
	lease_take(&a, one, LIFE);
	lease_start(&b, two, LIFE);
	run_for(20 * NSEC_PER_MSEC);
	l2_release(one, &a.lease);
	RUN_UNTIL(b.answers > 0);
	assert_non_null(b.lease);
	assert_int_equal(leases(two, LEASE_TAKEN_OVER), 1);
	l2_release(two, &b.lease);
	/* or run out: then its first holder does not end the second one's. */
	lease_take(&a, one, 50 * NSEC_PER_MSEC);
	lease_start(&b, two, LIFE);
	RUN_UNTIL(b.answers > 0);
	assert_non_null(b.lease);
	assert_int_equal(leases(two, LEASE_TAKEN_OVER), 2);
	l2_release(one, &a.lease);
	lease_start(&a, one, LIFE);
	run_for(100 * NSEC_PER_MSEC);
	assert_int_equal(a.answers, 0);
	l2_release(two, &b.lease);
	RUN_UNTIL(a.answers > 0);
	l2_release(one, &a.lease);
	l2_free(&one);
	l2_free(&two);
}

static void
patience_ends(void **state)
{
	struct l2 *one = start(&plain), *two = start(&plain);
	nsec_t began;
	struct ask a, b;

	(void)state;
	lease_take(&a, one, LIFE);
	began = clock_mono();
	lease_start(&b, two, 50 * NSEC_PER_MSEC);
	RUN_UNTIL(b.answers > 0);
	assert_true(clock_mono() - began >= 100 * NSEC_PER_MSEC);
	assert_false(b.found);
	assert_null(b.lease);
	assert_true(b.tokens.valid);
	assert_int_equal(leases(two, LEASE_GAVE_UP), 1);
	l2_release(one, &a.lease);
	l2_free(&one);
	l2_free(&two);
}

static void
nobody_waits_for_what_cannot_come(void **state)
{
	struct l2 *one = start(&plain), *two = start(&plain);
	const tag_t five = 5;
	struct ask a, b;

	(void)state;
	lease_take(&a, one, LIFE);
	/* A table was written. */
	lease_start(&b, two, LIFE);
	run_for(20 * NSEC_PER_MSEC);
	tag_bump(5);
	l2_bump(two, &five, 1);
	RUN_UNTIL(b.answers > 0);
	assert_false(b.found || b.tokens.valid);
	assert_int_equal(leases(two, LEASE_LOST), 1);
	/* Redis is gone. */
	RUN_UNTIL(usable(two, 5));
	lease_start(&b, two, LIFE);
	run_for(20 * NSEC_PER_MSEC);
	assert_int_equal(b.answers, 0);
	command("CLIENT KILL TYPE normal SKIPME yes");
	RUN_UNTIL(b.answers > 0);
	assert_int_equal(leases(two, LEASE_LOST), 2);
	/* It refuses. */
	RUN_UNTIL(usable(two, 5) && usable(one, 5));
	command("CONFIG SET maxmemory 1");
	lease_start(&b, two, LIFE);
	RUN_UNTIL(b.answers > 0);
	command("CONFIG SET maxmemory 0");
	assert_int_equal(leases(two, LEASE_LOST), 3);
	l2_release(one, &a.lease);
	l2_free(&one);
	l2_free(&two);
}

static unsigned
leases_in_redis(void)
{
	redisReply *r = redisCommand(admin, "KEYS test:lease:*");
	unsigned n = (unsigned)r->elements;

	freeReplyObject(r);
	return n;
}

/* Redis gives leases and does not take them back. */
static void
no_lease_that_cannot_be_released(void **state)
{
	static const char *const may[] = { "-eval", "+eval -del" };
	struct l2_options o = plain;
	char line[100];
	struct l2 *l;
	struct ask a;
	unsigned i;

	(void)state;
	o.user = "web";
	o.password = "secret";
	for (i = 0; i < ARRAY_SIZE(may); i++) {
		snprintf(line, sizeof(line), "ACL SETUSER web on >secret "
		    "~* +@all %s", may[i]);
		command(line);
		l = start(&o);
		lease_take(&a, l, LIFE);
		l2_release(l, &a.lease);
		RUN_UNTIL(stats_of(l).errors > 0);
		assert_int_equal(leases_in_redis(), 1);
		/* Nobody waits for that one, and there is no other. */
		lease_start(&a, l, 3600 * NSEC_PER_SEC);
		RUN_UNTIL(a.answers > 0);
		assert_null(a.lease);
		command("FLUSHALL");
		lease_start(&a, l, LIFE);
		RUN_UNTIL(a.answers > 0);
		assert_null(a.lease);
		assert_int_equal(leases_in_redis(), 0);
		/* The next connection tries again. */
		command("ACL SETUSER web +@all");
		command("CLIENT KILL TYPE normal SKIPME yes");
		RUN_UNTIL(!usable(l, 5));
		RUN_UNTIL(usable(l, 5));
		lease_take(&a, l, LIFE);
		l2_release(l, &a.lease);
		RUN_UNTIL(leases_in_redis() == 0);
		l2_free(&l);
	}
	command("ACL DELUSER web");
}

static void
the_cancelled_hold_no_lease(void **state)
{
	struct l2 *one = start(&plain), *two = start(&plain);
	struct ask a, b;

	(void)state;
	/* Cancelled while it is being taken, */
	lease_start(&a, one, LIFE);
	l2_cancel(a.req);
	run_for(20 * NSEC_PER_MSEC);
	lease_start(&b, two, LIFE);
	RUN_UNTIL(b.answers > 0);
	assert_non_null(b.lease);
	/* while it is waited for, */
	lease_start(&a, one, LIFE);
	run_for(20 * NSEC_PER_MSEC);
	l2_cancel(a.req);
	l2_release(two, &b.lease);
	run_for(50 * NSEC_PER_MSEC);
	assert_int_equal(a.answers, 0);
	/* and at the end. */
	lease_take(&b, two, LIFE);
	lease_start(&a, one, LIFE);
	run_for(20 * NSEC_PER_MSEC);
	l2_free(&one);
	assert_int_equal(a.answers, 1);
	assert_null(a.lease);
	l2_release(two, &b.lease);
	l2_free(&two);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup(f, flush_redis)
	const struct CMUnitTest tests[] = {
		T(what_is_stored_is_found),
		T(ages_and_lives_are_bounded),
		T(misfits_are_not_stored),
		T(damaged_entries_are_misses),
		T(cancelled_lookups_stay_silent),
		T(a_bump_ends_entries_of_its_tag),
		T(a_fill_overtaken_elsewhere_is_stale),
		T(a_write_during_a_lookup_is_a_miss),
		T(broken_tokens_heal),
		T(refused_bumps_are_replayed),
		T(bumps_outlive_a_dead_server),
		T(what_is_posted_ends_entries),
		T(a_bump_without_heir_closes_l2),
		T(a_slow_server_never_answers_another),
		T(a_replica_that_takes_over_begins_anew),
		T(one_fills_for_all),
		T(leases_are_taken_over),
		T(patience_ends),
		T(nobody_waits_for_what_cannot_come),
		T(the_cancelled_hold_no_lease),
		T(no_lease_that_cannot_be_released),
		T(tcp_and_names_work),
		T(passwords_and_databases_work),
	};

	return cmocka_run_group_tests(tests, suite_start, suite_end);
}
