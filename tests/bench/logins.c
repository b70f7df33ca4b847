/* SPDX-License-Identifier: PostgreSQL
 *
 * A storm of logins, and what those who are logged in notice of it.
 *
 *	logins HOST PORT OTHER_PORT DATABASE USER PASSWORD THREADS SECONDS
 *
 * Threads log in and out again, one connection at a time each, by SCRAM-SHA-256
 * or a password in clear, whatever is asked for; the salted password is
 * remembered, so that this side does no PBKDF2 and is not what limits.  Probes
 * are clients logged in before: each asks a millisecond after its last answer
 * for something that needs no server (BEGIN, then ROLLBACK), so an answer that
 * takes long is a worker that was busy with something else, or a machine that
 * was.  To tell the two apart, the storm goes over a second pgsluice first, at
 * OTHER_PORT: as much CPU time is taken then, but by another process.  The storm
 * runs at a lower priority than the probes, as if it came from another machine.
 * Prints logins a second and percentiles; exit status 1 if a login failed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "latency.h"
#include "wire.h"

#define PROBES 8
#define STORM_NICE 10
#define KEY 32

enum phase { CALM, ELSEWHERE, STORM, PHASES };

struct answers {
	struct latency times;
	uint64_t most;
};

static struct sockaddr_in server, other;
static const char *database, *user, *password;
static _Atomic enum phase phase;
static atomic_bool blowing, stopping;
static atomic_ulong failures;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct latency logins[PHASES];
static struct answers answers[PHASES];

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
die(const char *what)
{
	fprintf(stderr, "logins: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* ---- messages ---- */

static int
dial(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0)
		die("socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool
put(int fd, const char *p, size_t n)
{
	return send(fd, p, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* One message of at most 64 kB; its type, or 0: the connection ended. */
static char
get(int fd, char *body, uint32_t *n)
{
	char head[5];

	if (recv(fd, head, 5, MSG_WAITALL) != 5)
		return 0;
	*n = wire_get32(head + 1) - 4;
	if (*n > 65535 || (*n > 0 &&
	    recv(fd, body, *n, MSG_WAITALL) != (ssize_t)*n))
		return 0;
	body[*n] = '\0';
	return head[0];
}

static bool
put_message(int fd, char type, const char *body, size_t n)
{
	char m[2048];

	m[0] = type;
	wire_put32(m + 1, (uint32_t)n + 4);
	memcpy(m + 5, body, n);
	return put(fd, m, n + 5);
}

static bool
put_startup(int fd)
{
	char m[512], *p = wire_put32(m + 4, WIRE_VERSION);

	p = wire_put_string(wire_put_string(p, "user"), user);
	p = wire_put_string(wire_put_string(p, "database"), database);
	*p++ = '\0';
	wire_put32(m, (uint32_t)(p - m));
	return put(fd, m, (size_t)(p - m));
}

/* ---- SCRAM ---- */

/* The salted password of this salt; one for all, since there is one user. */
static void
salted(const char *salt64, int iterations, unsigned char out[KEY])
{
	static char known[128];
	static unsigned char value[KEY];
	unsigned char salt[128];
	int n;

	pthread_mutex_lock(&lock);
	if (strcmp(known, salt64) != 0) {
		n = EVP_DecodeBlock(salt, (const unsigned char *)salt64,
		    (int)strlen(salt64));
		for (const char *p = salt64 + strlen(salt64);
		    p > salt64 && p[-1] == '='; p--)
			n--;
		PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, n,
		    iterations, EVP_sha256(), KEY, value);
		snprintf(known, sizeof(known), "%s", salt64);
	}
	memcpy(out, value, KEY);
	pthread_mutex_unlock(&lock);
}

static void
hmac(const unsigned char key[KEY], const char *text, unsigned char out[KEY])
{
	unsigned n;

	HMAC(EVP_sha256(), key, KEY, (const unsigned char *)text,
	    strlen(text), out, &n);
}

static bool
scram_final(int fd, const char *bare, const char *first)
{
	unsigned char key[KEY], stored[KEY], mask[KEY], proof[KEY];
	char nonce[256], salt[128], without[300], auth[900], proof64[64];
	char out[512];
	unsigned n;
	int iterations;

	if (sscanf(first, "r=%255[^,],s=%127[^,],i=%d", nonce, salt,
	    &iterations) != 3)
		return false;
	snprintf(without, sizeof(without), "c=biws,r=%s", nonce);
	snprintf(auth, sizeof(auth), "%s,%.400s,%s", bare, first, without);
	salted(salt, iterations, proof);
	hmac(proof, "Client Key", key);
	EVP_Digest(key, KEY, stored, &n, EVP_sha256(), NULL);
	hmac(stored, auth, mask);
	for (n = 0; n < KEY; n++)
		proof[n] = key[n] ^ mask[n];
	EVP_EncodeBlock((unsigned char *)proof64, proof, KEY);
	n = (unsigned)snprintf(out, sizeof(out), "%s,p=%s", without, proof64);
	return put_message(fd, 'p', out, n);
}

static bool
scram_first(int fd, const char *bare)
{
	char out[512], *p = wire_put_string(out, "SCRAM-SHA-256");
	size_t n = strlen(bare) + 3;

	p = wire_put32(p, (uint32_t)n);
	p = wire_put(wire_put(p, "n,,", 3), bare, n - 3);
	return put_message(fd, 'p', out, (size_t)(p - out));
}

/* Log in: the connection, or -1. */
static int
login(const struct sockaddr_in *to)
{
	static atomic_ulong serial;
	char body[65536], bare[64];
	int fd = dial(to);
	bool ok = fd >= 0 && put_startup(fd);
	uint32_t n;
	char type;

	snprintf(bare, sizeof(bare), "n=,r=nonce%013lu",
	    atomic_fetch_add(&serial, 1));
	while (ok) {
		type = get(fd, body, &n);
		if (type == 'Z')
			return fd;
		if (type == 0 || type == 'E')
			break;
		if (type != 'R')
			continue;
		switch (wire_get32(body)) {
		case 3:
			ok = put_message(fd, 'p', password,
			    strlen(password) + 1);
			break;
		case 10:
			ok = scram_first(fd, bare);
			break;
		case 11:
			ok = scram_final(fd, bare, body + 4);
			break;
		default:
			break;
		}
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

/* ---- threads ---- */

static void *
storm_main(void *arg)
{
	const struct sockaddr_in *to = arg;
	struct latency mine = { 0 };
	struct latency *all = &logins[to == &server ? STORM : ELSEWHERE];
	uint64_t began;
	int fd;

	(void)!setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid),
	    getpriority(PRIO_PROCESS, 0) + STORM_NICE);
	while (atomic_load(&blowing)) {
		began = now_ns();
		fd = login(to);
		if (fd < 0) {
			atomic_fetch_add(&failures, 1);
			continue;
		}
		latency_add(&mine, now_ns() - began);
		(void)!put(fd, "X\0\0\0\4", 5);
		close(fd);
	}
	pthread_mutex_lock(&lock);
	all->n += mine.n;
	for (unsigned i = 0; i < LATENCY_CLASSES; i++)
		all->class[i] += mine.class[i];
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void
probe_ask(int fd, const char *sql)
{
	static const struct timespec pause = { 0, 1000000 };
	struct answers *a;
	char body[65536];
	uint64_t began, took;
	uint32_t n;
	char type;

	nanosleep(&pause, NULL);
	a = &answers[atomic_load(&phase)];
	began = now_ns();
	if (!put_message(fd, 'Q', sql, strlen(sql) + 1))
		die("probe");
	do
		type = get(fd, body, &n);
	while (type != 'Z' && type != 0);
	if (type == 0)
		die("probe");
	took = now_ns() - began;
	pthread_mutex_lock(&lock);
	latency_add(&a->times, took);
	a->most = took > a->most ? took : a->most;
	pthread_mutex_unlock(&lock);
}

static void *
probe_main(void *arg)
{
	int fd = *(int *)arg;

	while (!atomic_load(&stopping)) {
		probe_ask(fd, "BEGIN");
		probe_ask(fd, "ROLLBACK");
	}
	close(fd);
	return NULL;
}

/* Log in to one pgsluice for a while, as fast as that goes. */
static void
blow(const struct sockaddr_in *to, int threads, unsigned seconds)
{
	pthread_t *storms = calloc((size_t)threads, sizeof(*storms));

	if (storms == NULL)
		die("memory");
	atomic_store(&blowing, true);
	for (int i = 0; i < threads; i++)
		pthread_create(&storms[i], NULL, storm_main,
		    (void *)(uintptr_t)to);
	sleep(seconds);
	atomic_store(&blowing, false);
	for (int i = 0; i < threads; i++)
		pthread_join(storms[i], NULL);
	free(storms);
}

static void
report(const char *what, const struct latency *l, uint64_t most)
{
	printf("%-22s p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms", what,
	    latency_us(l, 0.5) / 1000, latency_us(l, 0.99) / 1000,
	    latency_us(l, 0.999) / 1000);
	if (most > 0)
		printf(", most %.2f ms of %lu", (double)most / 1e6,
		    (unsigned long)l->n);
	printf("\n");
}

static void
report_logins(const char *what, enum phase p, unsigned seconds)
{
	printf("%-22s %.0f a second\n", what, (double)logins[p].n / seconds);
	report("a login takes", &logins[p], 0);
}

static void
report_all(unsigned seconds)
{
	report("answers before", &answers[CALM].times, answers[CALM].most);
	report_logins("logins to the other", ELSEWHERE, seconds);
	report("answers meanwhile", &answers[ELSEWHERE].times,
	    answers[ELSEWHERE].most);
	report_logins("logins", STORM, seconds);
	report("answers in the storm", &answers[STORM].times,
	    answers[STORM].most);
	printf("%-22s %.2f ms of p99.9, %.2f ms of the longest\n",
	    "the storm's own share",
	    (latency_us(&answers[STORM].times, 0.999) -
	    latency_us(&answers[ELSEWHERE].times, 0.999)) / 1000,
	    ((double)answers[STORM].most -
	    (double)answers[ELSEWHERE].most) / 1e6);
	if (atomic_load(&failures) > 0)
		printf("%lu logins failed\n", atomic_load(&failures));
}

static void
address(struct sockaddr_in *a, const char *host, const char *port)
{
	a->sin_family = AF_INET;
	a->sin_port = htons((uint16_t)atoi(port));
	if (inet_pton(AF_INET, host, &a->sin_addr) != 1)
		die("address");
}

int
main(int argc, char **argv)
{
	pthread_t probes[PROBES];
	int fds[PROBES], threads;
	unsigned seconds;

	if (argc != 9) {
		fprintf(stderr, "usage: logins HOST PORT OTHER_PORT DATABASE "
		    "USER PASSWORD THREADS SECONDS\n");
		return 2;
	}
	address(&server, argv[1], argv[2]);
	address(&other, argv[1], argv[3]);
	database = argv[4];
	user = argv[5];
	password = argv[6];
	threads = atoi(argv[7]);
	seconds = (unsigned)atoi(argv[8]);
	for (int i = 0; i < PROBES; i++) {
		fds[i] = login(&server);
		if (fds[i] < 0)
			die("first login");
		pthread_create(&probes[i], NULL, probe_main, &fds[i]);
	}
	sleep(seconds);
	atomic_store(&phase, ELSEWHERE);
	blow(&other, threads, seconds);
	atomic_store(&phase, STORM);
	blow(&server, threads, seconds);
	atomic_store(&stopping, true);
	for (int i = 0; i < PROBES; i++)
		pthread_join(probes[i], NULL);
	report_all(seconds);
	return atomic_load(&failures) > 0 ? 1 : 0;
}
