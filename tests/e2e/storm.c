/* SPDX-License-Identifier: PostgreSQL
 *
 * Unique-token storm: many clients ask a pooler for a token each, a new one
 * with every statement, while clients are cut off and servers terminated.
 * A reply that is not exactly the asked one is "wrong", one that does not
 * come in time is "hung"; both must be zero.  Prints one line of JSON.
 *
 * One thread, epoll, one statement in flight per client, trust logins.  A
 * connection to PostgreSQL itself terminates the servers.
 *
 * usage: storm -p PORT -d DB -u USER [-h HOST] [-c clients] [-n statements]
 *              [-k clients to cut] [-s servers to terminate -P pgport -D pgdb]
 *              [-t hung after seconds] [-r seed] [-x]
 * -x: also read rows "row N" of a table storm(id int, token text), id 1..1000,
 * which the pooler may answer from a cache.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define OUT_MAX 2048
#define IN_MAX 65536
#define STATES_MAX 32
#define ROWS 1000

/* What a statement looks like on the wire. */
enum kind { SIMPLE, EXTENDED, PREPARED, ERROR_SIMPLE, ERROR_EXTENDED, SLOW,
	TRANSACTION, ROW_SIMPLE, ROW_EXTENDED, KINDS };

/* What is on its way: the reply types that are owed, in order. */
enum step { LOGIN, IDLE, PREPARE, BEGIN, ASK, COMMIT, ROLLBACK };

struct client {
	int fd;
	enum step step;
	enum kind kind;
	bool prepared;
	const char *owed;  /* rest of the reply types */
	char token[40];
	double since;      /* when the current message was sent */
	bool failed;       /* an error came that faults explain */
	size_t have;
	unsigned char in[IN_MAX];
};

static struct {
	const char *host, *user, *db, *pgdb;
	int port, pgport, clients;
	long statements, cuts, kills;
	double patience;
	bool rows;
} opt = { "127.0.0.1", "app", "app", "postgres", 6432, 0, 64, 100000, 0, 0,
	30, false };

static struct {
	long asked, answered, errors, lost, wrong, hung, cut, killed, logins;
	struct { char code[6]; long n; } states[STATES_MAX];
} sum;

static uint64_t rng = 1;
static int ep, admin = -1;
static struct client *clients;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t
dice(uint64_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng % n;
}

static void
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "storm: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	exit(2);
}

static uint32_t
get32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return ntohl(v);
}

/* ---------------------------------------------------------------- messages */

struct out {
	unsigned char b[OUT_MAX];
	size_t n;
};

static void
put(struct out *o, const void *p, size_t n)
{
	if (n > sizeof(o->b) - o->n)
		die("message too long");
	memcpy(o->b + o->n, p, n);
	o->n += n;
}

static void
put_str(struct out *o, const char *s)
{
	put(o, s, strlen(s) + 1);
}

static void
put16(struct out *o, unsigned v)
{
	uint16_t w = htons((uint16_t)v);

	put(o, &w, 2);
}

static void
put32(struct out *o, uint32_t v)
{
	v = htonl(v);
	put(o, &v, 4);
}

/* type 0: a startup packet, which has none. Returns where the length is. */
static size_t
put_begin(struct out *o, char type)
{
	if (type != 0)
		put(o, &type, 1);
	put32(o, 0);
	return o->n - 4;
}

static void
put_end(struct out *o, size_t at)
{
	uint32_t n = htonl((uint32_t)(o->n - at));

	memcpy(o->b + at, &n, 4);
}

static void
put_query(struct out *o, const char *sql)
{
	size_t at = put_begin(o, 'Q');

	put_str(o, sql);
	put_end(o, at);
}

static void
put_parse(struct out *o, const char *name, const char *sql)
{
	size_t at = put_begin(o, 'P');

	put_str(o, name);
	put_str(o, sql);
	put16(o, 0);
	put_end(o, at);
}

static void
put_bind(struct out *o, const char *name, const char *value)
{
	size_t at = put_begin(o, 'B');

	put_str(o, "");
	put_str(o, name);
	put16(o, 0);
	put16(o, 1);
	put32(o, (uint32_t)strlen(value));
	put(o, value, strlen(value));
	put16(o, 0);
	put_end(o, at);
}

static void
put_execute(struct out *o, bool describe)
{
	size_t at;

	if (describe) {
		at = put_begin(o, 'D');
		put_str(o, "P");
		put_end(o, at);
	}
	at = put_begin(o, 'E');
	put_str(o, "");
	put32(o, 0);
	put_end(o, at);
	at = put_begin(o, 'S');
	put_end(o, at);
}

/* ------------------------------------------------------------- connections */

static int
dial(const char *host, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
		die("not an address: %s", host);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		die("cannot connect to %s:%d: %s", host, port,
		    strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void
put_startup(struct out *o, const char *user, const char *db)
{
	size_t at = put_begin(o, 0);

	put32(o, 196608);
	put_str(o, "user");
	put_str(o, user);
	put_str(o, "database");
	put_str(o, db);
	put(o, "", 1);
	put_end(o, at);
}

/* Messages are small and one is in flight, so they fit the socket buffer; a
 * peer that is gone shows at the next read. */
static void
client_send(struct client *c, const struct out *o, size_t n,
    enum step step, const char *owed)
{
	if (n > o->n)
		n = o->n;
	c->step = step;
	c->owed = owed;
	c->since = now();
	if (send(c->fd, o->b, n, MSG_NOSIGNAL) < 0 && errno != EPIPE &&
	    errno != ECONNRESET)
		die("send: %s", strerror(errno));
}

static void
client_open(struct client *c)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	struct out o = { .n = 0 };

	c->fd = dial(opt.host, opt.port);
	c->have = 0;
	c->prepared = false;
	c->failed = false;
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) != 0)
		die("epoll: %s", strerror(errno));
	put_startup(&o, opt.user, opt.db);
	client_send(c, &o, o.n, LOGIN, "");
	sum.logins++;
}

/* The statement in flight, if any, gets no answer any more. */
static void
client_reopen(struct client *c)
{
	if (c->step == ASK || c->step == PREPARE || c->step == BEGIN)
		sum.lost++;
	close(c->fd);
	client_open(c);
}

/* ----------------------------------------------------------------- asking */

static enum kind
kind_choose(void)
{
	uint64_t n = dice(256);

	if (n < 4)
		return SLOW;
	if (n < 12)
		return ERROR_SIMPLE;
	if (n < 20)
		return ERROR_EXTENDED;
	if (n < 40)
		return TRANSACTION;
	if (n < 100)
		return SIMPLE;
	if (n < 160)
		return EXTENDED;
	if (n < 210 || !opt.rows)
		return PREPARED;
	return n < 235 ? ROW_SIMPLE : ROW_EXTENDED;
}

static const char *
kind_message(struct client *c, struct out *o)
{
	char sql[160], id[16];

	switch (c->kind) {
	case SIMPLE:
	case TRANSACTION:
		snprintf(sql, sizeof(sql), "SELECT '%s'", c->token);
		put_query(o, sql);
		return "TDCZ";
	case SLOW:
		snprintf(sql, sizeof(sql), "SELECT '%s', pg_sleep(0.005)",
		    c->token);
		put_query(o, sql);
		return "TDCZ";
	case ERROR_SIMPLE:
		snprintf(sql, sizeof(sql), "SELECT '%s'::int", c->token);
		put_query(o, sql);
		return "EZ";
	case ERROR_EXTENDED:
		put_parse(o, "", "SELECT $1::text::int");
		put_bind(o, "", c->token);
		put_execute(o, true);
		return "12TEZ";
	case EXTENDED:
		put_parse(o, "", "SELECT $1::text");
		put_bind(o, "", c->token);
		put_execute(o, true);
		return "12TDCZ";
	case PREPARED:
		put_bind(o, "p", c->token);
		put_execute(o, false);
		return "2DCZ";
	case ROW_SIMPLE:
		snprintf(sql, sizeof(sql),
		    "SELECT token FROM storm WHERE id = %s", c->token + 4);
		put_query(o, sql);
		return "TDCZ";
	case ROW_EXTENDED:
		snprintf(id, sizeof(id), "%s", c->token + 4);
		put_parse(o, "", "SELECT token FROM storm WHERE id = $1::int");
		put_bind(o, "", id);
		put_execute(o, true);
		return "12TDCZ";
	case KINDS:
		break;
	}
	die("no such kind");
	return "";
}

static void
client_ask(struct client *c)
{
	struct out o = { .n = 0 };
	const char *owed = kind_message(c, &o);

	client_send(c, &o, o.n, ASK, owed);
}

/* The next statement, or what has to go before it. */
static void
client_next(struct client *c)
{
	struct out o = { .n = 0 };

	c->step = IDLE;
	c->failed = false;
	if (sum.asked >= opt.statements)
		return;
	sum.asked++;
	c->kind = kind_choose();
	if (c->kind == ROW_SIMPLE || c->kind == ROW_EXTENDED)
		snprintf(c->token, sizeof(c->token), "row %d",
		    1 + (int)dice(ROWS));
	else
		snprintf(c->token, sizeof(c->token), "token-%ld-%08x",
		    sum.asked, (unsigned)dice(UINT32_MAX));
	if (c->kind == TRANSACTION) {
		put_query(&o, "BEGIN");
		client_send(c, &o, o.n, BEGIN, "CZ");
	} else if (c->kind == PREPARED && !c->prepared) {
		size_t at;

		put_parse(&o, "p", "SELECT $1::text");
		at = put_begin(&o, 'S');
		put_end(&o, at);
		client_send(c, &o, o.n, PREPARE, "1Z");
	} else {
		client_ask(c);
	}
}

/* -------------------------------------------------------------- answering */

static void
client_wrong(struct client *c, const char *what, char type,
    const unsigned char *body, size_t n)
{
	sum.wrong++;
	if (sum.wrong > 10)
		return;
	fprintf(stderr, "storm: wrong: %s: message %c, owed \"%s\", kind %d, "
	    "step %d, token %s, body:", what, type, c->owed, c->kind, c->step,
	    c->token);
	for (size_t i = 0; i < n && i < 200; i++)
		fputc(body[i] >= ' ' && body[i] < 127 ? body[i] : '.', stderr);
	fputc('\n', stderr);
}

static bool
contains(const unsigned char *body, size_t n, const char *word)
{
	return memmem(body, n, word, strlen(word)) != NULL;
}

static const char *
sqlstate(const unsigned char *body, size_t n)
{
	static char code[6];

	for (size_t i = 0; i < n && body[i] != 0;) {
		size_t len = strnlen((const char *)body + i, n - i);

		if (body[i] == 'C' && len == 6) {
			memcpy(code, body + i + 1, 5);
			return code;
		}
		i += len + 1;
	}
	return "";
}

static void
count_state(const char *code)
{
	for (int i = 0; i < STATES_MAX; i++) {
		if (sum.states[i].n == 0)
			snprintf(sum.states[i].code,
			    sizeof(sum.states[i].code), "%s", code);
		if (strcmp(sum.states[i].code, code) == 0) {
			sum.states[i].n++;
			return;
		}
	}
}

/* An error nobody asked for must be one that the faults explain: the server
 * was terminated, could not be had, or the pooler could not wait longer. */
static void
client_error(struct client *c, const unsigned char *body, size_t n)
{
	const char *code = sqlstate(body, n);
	bool asked = c->step == ASK &&
	    (c->kind == ERROR_SIMPLE || c->kind == ERROR_EXTENDED);

	/* At Bind or at Execute, as the plan has it. */
	if (asked && strchr(c->owed, 'E') != NULL &&
	    strcmp(code, "22P02") == 0) {
		if (!contains(body, n, c->token))
			client_wrong(c, "another's error", 'E', body, n);
		c->owed = "Z";
		return;
	}
	count_state(code);
	if (strncmp(code, "08", 2) != 0 && strncmp(code, "57P", 3) != 0 &&
	    strncmp(code, "53", 2) != 0)
		client_wrong(c, "error without a cause", 'E', body, n);
	c->failed = true;
	c->owed = "Z";
}

static void
client_row(struct client *c, const unsigned char *body, size_t n)
{
	size_t len = strlen(c->token);

	if (n < 6 || get32(body + 2) != len || n - 6 < len ||
	    memcmp(body + 6, c->token, len) != 0)
		client_wrong(c, "another's row", 'D', body, n);
}

/* ReadyForQuery: the step is over. */
static void
client_ready(struct client *c, char status)
{
	struct out o = { .n = 0 };
	enum step step = c->step;
	bool block = step == BEGIN || (step == ASK && c->kind == TRANSACTION);

	if (!c->failed && status != (block ? 'T' : 'I'))
		client_wrong(c, "transaction status", status, NULL, 0);
	if (step == ASK || (c->failed && (step == PREPARE || step == BEGIN)))
		c->failed ? sum.errors++ : sum.answered++;
	if (c->failed || step == LOGIN) {
		if (status == 'I') {
			client_next(c);
			return;
		}
		put_query(&o, "ROLLBACK");
		c->failed = false;
		client_send(c, &o, o.n, ROLLBACK, "CZ");
	} else if (step == PREPARE) {
		c->prepared = true;
		client_ask(c);
	} else if (step == BEGIN) {
		client_ask(c);
	} else if (step == ASK && c->kind == TRANSACTION) {
		put_query(&o, "COMMIT");
		client_send(c, &o, o.n, COMMIT, "CZ");
	} else {
		client_next(c);
	}
}

static void
client_message(struct client *c, char type, const unsigned char *body,
    size_t n)
{
	if (type == 'N' || type == 'S' || type == 'A')
		return;
	if (type == 'E') {
		client_error(c, body, n);
		return;
	}
	if (c->step == LOGIN) {
		if (type == 'R' && get32(body) != 0)
			die("only trust logins are supported");
		if (type == 'Z')
			client_ready(c, (char)body[0]);
		return;
	}
	if (*c->owed != type) {
		client_wrong(c, "not owed", type, body, n);
		return;
	}
	c->owed++;
	if (type == 'D')
		client_row(c, body, n);
	if (type == 'Z')
		client_ready(c, (char)body[0]);
}

static void
client_read(struct client *c)
{
	size_t pos = 0;
	ssize_t got = read(c->fd, c->in + c->have, IN_MAX - c->have);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0) {
		/* The pooler may close a client whose server was lost. */
		client_reopen(c);
		return;
	}
	c->have += (size_t)got;
	while (c->have - pos >= 5) {
		uint32_t len = get32(c->in + pos + 1);

		if (len < 4 || len > IN_MAX - 1) {
			client_wrong(c, "broken frame", (char)c->in[pos],
			    c->in + pos, c->have - pos);
			client_reopen(c);
			return;
		}
		if (len >= c->have - pos)
			break;
		client_message(c, (char)c->in[pos], c->in + pos + 5, len - 4);
		pos += 1 + len;
	}
	memmove(c->in, c->in + pos, c->have - pos);
	c->have -= pos;
}

/* ----------------------------------------------------------------- faults */

/* Cut a client off: in the middle of its statement, or of a message. */
static void
fault_cut(void)
{
	struct linger hard = { 1, 0 };
	struct client *c = NULL;

	for (int i = 0; i < opt.clients * 4; i++) {
		c = &clients[dice((uint64_t)opt.clients)];
		if (c->step == ASK || c->step == COMMIT)
			break;
	}
	if (c->step == LOGIN)
		return;
	if (dice(2) == 0)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	if (dice(3) == 0) {
		struct out o = { .n = 0 };

		put_query(&o, "SELECT 'half a message'");
		client_send(c, &o, 1 + dice(o.n - 1), c->step, c->owed);
	}
	sum.cut++;
	client_reopen(c);
}

static void
admin_message(const struct out *o)
{
	unsigned char h[5], body[4096];
	size_t got;

	if (send(admin, o->b, o->n, MSG_NOSIGNAL) != (ssize_t)o->n)
		die("the connection to PostgreSQL is gone");
	do {
		uint32_t n;

		if (recv(admin, h, 5, MSG_WAITALL) != 5)
			die("the connection to PostgreSQL is gone");
		n = get32(h + 1) - 4;
		if (n > sizeof(body))
			die("PostgreSQL said too much");
		for (got = 0; got < n;) {
			ssize_t r = recv(admin, body + got, n - got, 0);

			if (r <= 0)
				die("the connection to PostgreSQL is gone");
			got += (size_t)r;
		}
		if (h[0] == 'E')
			die("PostgreSQL: %.*s", (int)n, (char *)body);
		if (h[0] == 'D' && n >= 7)
			sum.killed += body[6] - '0';
	} while (h[0] != 'Z');
}

static void
fault_kill(void)
{
	struct out o = { .n = 0 };
	char sql[400];

	snprintf(sql, sizeof(sql),
	    "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM "
	    "pg_stat_activity WHERE datname = '%s' AND usename = '%s' AND "
	    "pid <> pg_backend_pid() ORDER BY random() LIMIT 1) s",
	    opt.pgdb, opt.user);
	put_query(&o, sql);
	admin_message(&o);
}

static void
faults(void)
{
	/* Spread evenly over the run, the last ones before its end. */
	long due_cuts = sum.asked * (opt.cuts + 1) / opt.statements;
	long due_kills = sum.asked * (opt.kills + 1) / opt.statements;

	if (sum.asked >= opt.statements)
		return;
	if (sum.cut < due_cuts && sum.cut < opt.cuts)
		fault_cut();
	if (sum.killed < due_kills && sum.killed < opt.kills)
		fault_kill();
}

/* ------------------------------------------------------------------- main */

static int
check_hung(void)
{
	double t = now();
	int busy = 0;

	for (int i = 0; i < opt.clients; i++) {
		struct client *c = &clients[i];

		if (c->step == IDLE)
			continue;
		busy++;
		if (t - c->since <= opt.patience)
			continue;
		sum.hung++;
		fprintf(stderr, "storm: hung: step %d, kind %d, owed \"%s\", "
		    "token %s\n", c->step, c->kind, c->owed, c->token);
		client_reopen(c);
	}
	return busy;
}

static void
run(void)
{
	struct epoll_event ev[64];
	double checked = now();
	int busy = 1;

	for (int i = 0; i < opt.clients; i++)
		client_open(&clients[i]);
	while (busy > 0) {
		int n = epoll_wait(ep, ev, 64, 100);

		for (int i = 0; i < n; i++)
			client_read(ev[i].data.ptr);
		faults();
		if (sum.asked >= opt.statements || now() - checked > 1) {
			busy = check_hung();
			checked = now();
		}
	}
}

static void
print(double seconds)
{
	printf("{\"asked\": %ld, \"answered\": %ld, \"errors\": %ld, "
	    "\"lost\": %ld, \"wrong\": %ld, \"hung\": %ld, \"cut\": %ld, "
	    "\"killed\": %ld, \"logins\": %ld, \"seconds\": %.2f, "
	    "\"sqlstates\": {",
	    sum.asked, sum.answered, sum.errors, sum.lost, sum.wrong,
	    sum.hung, sum.cut, sum.killed, sum.logins, seconds);
	for (int i = 0; i < STATES_MAX && sum.states[i].n > 0; i++)
		printf("%s\"%s\": %ld", i > 0 ? ", " : "",
		    sum.states[i].code, sum.states[i].n);
	printf("}}\n");
}

static void
options(int argc, char **argv)
{
	int o;

	while ((o = getopt(argc, argv, "h:p:d:u:c:n:k:s:P:D:t:r:x")) != -1) {
		switch (o) {
		case 'h': opt.host = optarg; break;
		case 'p': opt.port = atoi(optarg); break;
		case 'd': opt.db = optarg; break;
		case 'u': opt.user = optarg; break;
		case 'c': opt.clients = atoi(optarg); break;
		case 'n': opt.statements = atol(optarg); break;
		case 'k': opt.cuts = atol(optarg); break;
		case 's': opt.kills = atol(optarg); break;
		case 'P': opt.pgport = atoi(optarg); break;
		case 'D': opt.pgdb = optarg; break;
		case 't': opt.patience = atof(optarg); break;
		case 'r': rng = strtoull(optarg, NULL, 10) * 2 + 1; break;
		case 'x': opt.rows = true; break;
		default: die("see the head of storm.c for its options");
		}
	}
	if (opt.clients < 1 || opt.statements < 1)
		die("at least one client and one statement");
	if (opt.kills > 0 && opt.pgport == 0)
		die("-s needs -P");
}

int
main(int argc, char **argv)
{
	struct out o = { .n = 0 };
	double began;

	options(argc, argv);
	clients = calloc((size_t)opt.clients, sizeof(*clients));
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (clients == NULL || ep < 0)
		die("no memory");
	if (opt.kills > 0) {
		admin = dial(opt.host, opt.pgport);
		put_startup(&o, "postgres", opt.pgdb);
		admin_message(&o);
	}
	began = now();
	run();
	print(now() - began);
	return sum.wrong == 0 && sum.hung == 0 ? 0 : 1;
}
