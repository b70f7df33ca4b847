/* SPDX-License-Identifier: PostgreSQL
 *
 * What l2.c shares with its parts: the connection (l2_conn.c) to a place
 * (l2_place.c) over a wire (l2_wire.c) with its login (l2_login.c), entries
 * (l2_entry.c) and their seal (l2_seal.c), names (l2_name.c) and the bumps
 * that Redis has not acknowledged (l2_pending.c).
 */
#ifndef PGSLUICE_CACHE_L2_PRIV_H
#define PGSLUICE_CACHE_L2_PRIV_H

#include <event2/event_struct.h>
#include <hiredis/hiredis.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "cache/l2.h"
#include "cache/track.h"

/* --- l2_place.c: where Redis is ------------------------------------------ */

#define L2_ADDRS 16
#define L2_HOST_LEN 256

struct l2_addr {
	char ip[64]; /* or v6 */
	int port;
	char name[L2_HOST_LEN]; /* under which it is known, for TLS */
};

struct l2_place {
	char *host, *unix_socket; /* or */
	char **sentinels, *master; /* host:port each, and the name to ask for */
	unsigned n_sentinels;
	int port;
	struct l2_addr addr[L2_ADDRS]; /* the host's or sentinels', once resolved */
	unsigned n, next;
	struct l2_addr told; /* by a sentinel, to be dialled; port 0: nothing */
	struct l2_addr now;  /* dialled last, unless it is a unix socket */
	bool asking;         /* ... and that is a sentinel */
};

void l2_place_init(struct l2_place *p, const struct l2_options *o);
void l2_place_fini(struct l2_place *p);
/* Begin to connect to the next address. NULL with text in why. */
redisContext *l2_place_dial(struct l2_place *p, char *why,
    size_t why_size) PG_MUST_CHECK;
/* There is an address that was not tried yet since one served. */
bool l2_place_has_more(const struct l2_place *p);
void l2_place_served(struct l2_place *p);
/* What a sentinel says. false: it makes no sense. */
bool l2_place_told(struct l2_place *p, const char *host,
    const char *port) PG_MUST_CHECK;

/* --- l2_wire.c: bytes, in clear or through TLS ---------------------------- */

struct l2_wire {
	redisContext *ctx; /* NULL: closed */
	SSL *ssl;          /* NULL: in clear */
	char why[160];     /* of L2_IO_FAILED */
};

enum l2_io {
	L2_IO_DONE,
	L2_IO_AGAIN, /* when the socket is ready */
	L2_IO_FAILED
};

/* host: for SNI and, if verify_host, to be in the certificate. */
bool l2_wire_begin_tls(struct l2_wire *w, SSL_CTX *tls, const char *host,
    bool verify_host) PG_MUST_CHECK;
enum l2_io l2_wire_shake(struct l2_wire *w, bool *writing) PG_MUST_CHECK;
/* DONE: bytes came into the reader, there may be more. */
enum l2_io l2_wire_read(struct l2_wire *w) PG_MUST_CHECK;
/* DONE: the output buffer is empty. */
enum l2_io l2_wire_write(struct l2_wire *w) PG_MUST_CHECK;
void l2_wire_close(struct l2_wire *w);

/* --- l2_server.c: which server it is -------------------------------------- */

#define L2_SERVER_LEN 128

/* Out of an answer to INFO; "": it does not say. */
void l2_server_read(char out[L2_SERVER_LEN], const char *info);
/* A connection was made. true: to another server than the last one of this
 * process (or nobody knows, and it was made again): a pending count of TAG_ALL
 * is the caller's, who bumps it. */
bool l2_server_met(const char *server, bool again,
    unsigned *generation) PG_MUST_CHECK;
/* For who only looks on. false: it is another one than the last. */
bool l2_server_seen(const char *server, unsigned *generation) PG_MUST_CHECK;
/* Nobody has met another one since. */
bool l2_server_is_last(unsigned generation);

/* --- l2_conn.c: one connection with its circuit breaker ---------------- */

struct l2_conn;

struct l2_cmd { /* an answer that is owed; first member of its owner */
	STAILQ_ENTRY(l2_cmd) link;
	nsec_t deadline;
	bool wide; /* the answer may be that of SCAN */
	void *arg;
	/* Called exactly once, never from inside l2_conn_send(). NULL: the
	 * connection was lost. The reply is the connection's. */
	void (*done)(struct l2_cmd *cmd, const redisReply *reply);
};

struct l2_conn_stats {
	_Atomic uint64_t timeouts, losses, opens;
	atomic_bool open;
};

enum l2_phase { L2_PAUSE, L2_CONNECTING, L2_TLS, L2_LOGIN, L2_OPEN };

struct l2_conn {
	uint32_t magic;
#define L2_CONN_MAGIC 0x12c0e3a5u
	enum l2_phase phase;
	struct event_base *base;
	struct l2_wire wire;       /* closed in PAUSE */
	const redisReplyObjectFunctions *plain; /* hiredis' own */
	redisReplyObjectFunctions bounded;
	struct event read_ev, write_ev, timer;
	STAILQ_HEAD(l2_cmds, l2_cmd) owed;
	unsigned n_owed;
	nsec_t deadline;           /* of CONNECTING, TLS and LOGIN */
	struct l2_cmd login[4];
	bool turn;                 /* a sentinel has answered: dial that one */
	bool in_callback;
	nsec_t quiet_until;        /* no further log line about losses */
	char server[L2_SERVER_LEN]; /* while it logs in */
	unsigned generation;       /* of the server, while OPEN */
	bool is_cluster;           /* which we do not speak to */
	bool told;                 /* the log knows of the present outage */
	char fault[128];           /* why to close; "": no reason */

	struct l2_place place;
	SSL_CTX *tls;              /* NULL: in clear */
	bool tls_verify_host;
	char *user, *password;
	int database;
	nsec_t timeout, retry;
	size_t max_reply;

	void (*up)(void *arg);
	void (*other)(void *arg); /* or NULL */
	bool (*push)(void *arg, const redisReply *reply); /* or NULL */
	void (*lost)(void *arg); /* goes with push */
	void *up_arg;              /* of all of them */
	struct l2_conn_stats stats;
};

/* up: logged in; what it sends goes first. Replies with a string of more than
 * max_reply bytes, or not of the shape a lookup can have, end the connection. */
struct l2_conn *l2_conn_new(struct event_base *base,
    const struct l2_options *o, size_t max_reply, void (*up)(void *arg),
    void *arg) PG_MUST_CHECK;
/* Fails what is owed. Not from inside a callback. */
void l2_conn_free(struct l2_conn **c);
void l2_conn_set_times(struct l2_conn *c, nsec_t timeout, nsec_t retry);
void l2_conn_set_tls(struct l2_conn *c, SSL_CTX *tls);
/* Before up, when this process had to do with another server before, or may
 * have had: see l2_server_met(), whose count is the callee's. A connection
 * without this is made to the server only that others are connected to. */
void l2_conn_set_other(struct l2_conn *c, void (*other)(void *arg));
/* And to the server that this process met last; else it ends soon. */
bool l2_conn_is_open(struct l2_conn *c);
const struct l2_conn_stats *l2_conn_stats(const struct l2_conn *c);
/* false: not open, or too much is queued; cmd is still the caller's. */
bool l2_conn_send(struct l2_conn *c, struct l2_cmd *cmd, int argc,
    const char **argv, const size_t *len) PG_MUST_CHECK;
/* For the login. */
bool l2_conn_queue(struct l2_conn *c, struct l2_cmd *cmd, int argc,
    const char **argv, const size_t *len, nsec_t deadline) PG_MUST_CHECK;
void l2_conn_opened(struct l2_conn *c);
/* For done(): the reply was wrong; close once the callback has returned. */
void l2_conn_fail(struct l2_conn *c, const char *why);

/* --- l2_login.c: what is said first -------------------------------------- */

/* false: out of memory. Ends with l2_conn_opened(), l2_conn_fail(), or turn. */
bool l2_login_begin(struct l2_conn *c) PG_MUST_CHECK;

/* --- l2_entry.c: entries, pure ----------------------------------------- */

struct l2_sealer;

enum l2_verdict {
	L2_ENTRY_VALID,
	L2_ENTRY_STALE, /* sound, but a tag was bumped since */
	L2_ENTRY_BAD    /* damaged, foreign, or of another question */
};
/* To be freed. false: it cannot be stored. */
bool l2_entry_encode(const struct object *o, struct slice scope_text,
    const struct l2_tokens *tokens, struct l2_sealer *seal, char **out,
    size_t *n) PG_MUST_CHECK;
/* What is sealed is opened in place. seal: NULL: entries are not sealed. */
enum l2_verdict l2_entry_read(char *p, size_t n, const struct cache_key *k,
    struct slice scope_text, const struct tagset *tags,
    const struct l2_tokens *now, struct l2_sealer *seal,
    struct l2_found *found) PG_MUST_CHECK;

/* --- l2_seal.c: authenticated encryption -------------------------------- */

/* Bytes before and behind what is sealed. */
#define L2_SEAL_HEAD 24
#define L2_SEAL_TAIL 16

/* One worker's. Takes a reference. */
struct l2_sealer *l2_sealer_new(struct l2_keys *keys) PG_MUST_CHECK;
void l2_sealer_free(struct l2_sealer **s);
/* n bytes at at + L2_SEAL_HEAD, in place; opened only together with the same
 * bytes in `with`. */
bool l2_seal(struct l2_sealer *s, const struct slice *with, unsigned n_with,
    char *at, size_t n) PG_MUST_CHECK;
/* false: not sealed with a key of ours, not with these bytes, or changed
 * since; the n bytes mean nothing then. */
bool l2_unseal(struct l2_sealer *s, const struct slice *with, unsigned n_with,
    char *at, size_t n) PG_MUST_CHECK;

/* --- l2_name.c: names and tokens, pure --------------------------------- */

/* Room for prefix, database and key.name of at most this. */
#define L2_KEY_NAME_MAX 352
#define L2_DIGEST_LEN 32
#define L2_NAME_MAX (2 * 65 + L2_KEY_NAME_MAX + 1 + L2_DIGEST_LEN + 1)
size_t l2_name_entry(char out[L2_NAME_MAX], const char *prefix,
    const struct cache_key *k, struct slice scope_text, const char *db);
/* For SCAN: whatever may be called so, and more. out: room for L2_NAME_MAX and
 * the pattern. */
size_t l2_name_pattern(char *out, const char *prefix, const char *pattern);
/* It is the name of an entry that is called so. */
bool l2_name_fits(struct slice name, const char *prefix,
    struct slice pattern) PG_MUST_CHECK;
size_t l2_name_lease(char out[L2_NAME_MAX], const char *prefix,
    const char *entry, size_t n);
/* What all names begin with. */
size_t l2_name_prefix(char out[L2_NAME_MAX], const char *prefix);
size_t l2_name_tag(char out[L2_NAME_MAX], const char *prefix, tag_t t);

#define L2_TOKEN_LEN 16
void l2_token_format(char out[L2_TOKEN_LEN + 1], uint64_t token);
bool l2_token_parse(const char *p, size_t n, uint64_t *token) PG_MUST_CHECK;

/* What comes that nobody asked for: true: push has taken it. lost: an open
 * connection was. */
void l2_conn_set_push(struct l2_conn *c, bool (*push)(void *arg,
    const redisReply *reply), void (*lost)(void *arg));

/* --- l2_own.c: our own changes, where Redis tells of them --------------- */

struct l2_own;

/* Before name is set to value; tag: it is the token of this one. NULL: Redis
 * does not tell, or the change is told as anybody's; the others take NULL. */
struct l2_own *l2_own_new(struct l2_conn *c, struct slice name,
    struct slice value, const tag_t *tag) PG_MUST_CHECK;
/* It is set, or it is not, or that is not known: o is no longer the caller's. */
void l2_own_check(struct l2_own *o);
void l2_own_undone(struct l2_own *o);

/* --- l2_drop.c: entries dropped by name -------------------------------- */

bool l2_drop_start(struct l2_conn *c, const char *prefix, const char *pattern,
    l2_drop_cb cb, void *arg) PG_MUST_CHECK;

/* --- l2_pending.c: bumps without acknowledgement ----------------------- */

#define L2_REPLAY_MAX 64

struct l2_replay { /* to be sent again; each holds one pending count */
	unsigned n;
	tag_t tag[L2_REPLAY_MAX];
};

void l2_pending_add(tag_t t);
void l2_pending_remove(tag_t t);
bool l2_pending_any(const struct tagset *tags);
/* Takes over one pending count of t. */
void l2_replay_add(struct l2_replay *r, tag_t t);
/* The connection's owner ends: keep L2 closed until somebody adopts. */
void l2_replay_abandon(struct l2_replay *r);
void l2_replay_adopt(struct l2_replay *r);

/* --- l2.c: one worker's -------------------------------------------------- */

struct l2 {
	struct event_base *base;
	struct l2_conn *conn;
	char *prefix;
	size_t max_object;
	struct l2_sealer *seal; /* NULL: entries carry a checksum */
	struct l2_replay replay;
	unsigned replaying; /* sent again and not yet acknowledged */
	_Atomic uint64_t gets, hits, misses, errors, puts, bumps, corrupt;
	_Atomic uint64_t leases[LEASE_OUTCOMES];
	uint64_t keeps_leases; /* the connection, by its number, on which Redis
	                          does not release any; 0: none */
	LIST_HEAD(, l2_wait) sleeping;
};

struct l2_request { /* a lookup */
	struct l2_cmd cmd; /* first; arg: the l2 */
	l2_get_cb cb;      /* NULL: cancelled */
	void *arg;
	struct cache_key key; /* slices and scope point behind the struct */
	struct slice scope;
	struct tagset tags;
	struct track_mark mark;
	nsec_t max_age;
	struct l2_wait *wait; /* NULL: without a lease */
};

/* Of each tag a pending count is taken over. */
void l2_bump_pending(struct l2 *l, const tag_t *tags, unsigned n);
/* Ask anew for the entry, after a pause. */
void l2_request_again(struct l2 *l, struct l2_request *r);
/* Its callback has run or is not wanted. */
void l2_request_end(struct l2 *l, struct l2_request *r);

/* --- l2_lease.c: one fill per fleet --------------------------------------- */

struct l2_wait { /* a lookup that wants the lease, or another's entry */
	struct l2_request *r;
	struct l2_cmd cmd; /* SET NX */
	bool owed;         /* ... whose answer is to come */
	bool abandoned;    /* ... and nothing else */
	bool waited, sleeping;
	bool again;        /* asked a second time at once */
	enum { L2_WAIT_REFUSED, L2_WAIT_TAKEN, L2_WAIT_WON } state;
	struct l2_lease *lease; /* NULL: handed out */
	nsec_t life, until, pause;
	struct event timer;
	LIST_ENTRY(l2_wait) link; /* while it sleeps */
	size_t entry_n;
	char entry[L2_NAME_MAX];
};

/* On this connection, and takes them back: else none is to be taken. */
bool l2_gives_leases(const struct l2 *l) PG_MUST_CHECK;
struct l2_wait *l2_wait_new(struct l2_request *r, const char *prefix,
    const char *entry, size_t n, nsec_t life) PG_MUST_CHECK;
void l2_wait_free(struct l2_wait **w);
/* Try to take the lease; nothing is sent if it is ours. To be followed by MGET. */
bool l2_wait_send(struct l2 *l, struct l2_wait *w) PG_MUST_CHECK;
/* The entry is not there. false: there is nothing to wait for. */
bool l2_wait_sleep(struct l2 *l, struct l2_wait *w) PG_MUST_CHECK;
void l2_wait_stop(struct l2_wait *w);
/* What became of it; the lease, if the caller is to fill with it. */
struct l2_lease *l2_wait_result(struct l2 *l, struct l2_wait *w,
    bool found) PG_MUST_CHECK;

#endif
