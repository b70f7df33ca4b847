/* SPDX-License-Identifier: PostgreSQL
 *
 * What the files of the storm share; storm.c says what it is.
 *
 * Everything that a client has sent and that is to be answered stands in its
 * queue as one `want`, in order: statements, Syncs, what manages transactions.
 * The head of the queue is what the next message has to belong to.
 */
#ifndef STORM_H
#define STORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUT_MAX 16384
#define IN_MAX 65536
#define QUEUE_MAX 128
#define STATES_MAX 32
#define ROWS 1000

/* Those up to SLOW are statements that ask for a token. */
enum kind { TOKEN, ROW, FAIL, SLOW, SYNC, PREPARE, BEGIN, COMMIT, ROLLBACK,
	LOGIN };

struct want {
	enum kind kind;
	bool simple;       /* a Query: an error in it skips nothing */
	const char *owed;  /* rest of the reply types, in order */
	char token[40];
	bool over;          /* counted in one of the ways of struct sum */
	double sent;
};

struct client {
	int fd;
	unsigned serial;   /* of the connection */
	uint32_t pid, secret;
	bool prepared;     /* there is a statement "p" */
	char status;       /* of the transaction: I, T, E */
	int segments;      /* yet to be sent, each up to a Sync or one Query */
	int depth;         /* how many may be in flight */
	int flying;        /* how many are */
	bool failed;       /* an error came since the last ReadyForQuery */
	bool faulted;      /* and was a fault's */
	bool struck;       /* a fault hit it since it last owed nothing */
	double since;      /* when something was last sent or came */
	struct {
		int credit;   /* statements that may yet end by them */
		int open;     /* those that the pooler has not taken note of */
		double done;  /* when it last did */
	} cancel;
	struct want queue[QUEUE_MAX];
	unsigned head, count;
	size_t have;
	unsigned char in[IN_MAX];
};

struct options {
	const char *host, *user, *db, *pgdb;
	int port, pgport, clients;
	long statements, cuts, kills, cancels;
	double patience;
	bool rows;
};

/* Each statement that was asked ends in one of answered, errors (a fault's or
 * a cancel's), skipped (stood behind an error) and lost. */
struct sum {
	long asked, answered, errors, skipped, lost;
	long wrong, hung;
	long cut, killed, cancels;
	long cancelled;    /* statements that ended by 57014 */
	long struck;       /* times that a fault not our cut hit a client */
	long overlapped;   /* segments sent while another was in flight */
	long logins;
	struct { char code[6]; long n; } states[STATES_MAX];
};

extern struct options opt;
extern struct sum sum;
extern struct client *clients;
extern int ep;

/* storm.c */
double now(void);
uint64_t dice(uint64_t n);
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* message.c: bytes to and from the wire */
struct out {
	unsigned char b[OUT_MAX];
	size_t n;
};

uint32_t get32(const unsigned char *p);
void put_startup(struct out *o, const char *user, const char *db);
void put_cancel(struct out *o, uint32_t pid, uint32_t secret);
void put_query(struct out *o, const char *sql);
void put_parse(struct out *o, const char *name, const char *sql);
void put_bind(struct out *o, const char *name, const char *value);
void put_describe(struct out *o);
void put_execute(struct out *o);
void put_close(struct out *o, const char *name);
void put_bare(struct out *o, char type);
const char *sqlstate(const unsigned char *body, size_t n);
bool contains(const unsigned char *body, size_t n, const char *word);
int dial(const char *host, int port);

/* script.c: what is asked */
bool want_counts(const struct want *w);
void script_login(struct client *c, struct out *o);
void script_next(struct client *c, struct out *o);

/* check.c: whether what comes is what was asked for */
struct want *check_head(struct client *c);
void check_cancels(struct client *c);
void check_message(struct client *c, char type, const unsigned char *body,
    size_t n);
void check_wrong(struct client *c, const char *what, char type,
    const unsigned char *body, size_t n);

/* client.c: connections */
void client_open(struct client *c);
void client_send(struct client *c, const struct out *o, size_t n);
void client_lose(struct client *c);
void client_read(struct client *c);

/* faults.c: what is done to them */
void faults_start(void);
void faults(void);
void faults_look(void);

#endif
