/* SPDX-License-Identifier: PostgreSQL
 *
 * Takeover: a new process of the program goes on in the place of this one.
 *
 *   the process that serves            the one that it starts
 *   -----------------------            ----------------------
 *   SIGUSR2, TAKEOVER
 *   starts it, with a socket pair
 *     H: version, pid; memory     -->  shares the memory
 *     D, ...: listening sockets   -->
 *     G: go                       -->  configuration, doors
 *   goes on as ever               <--  F: text: it will not; it ends
 *   may leave its cache alone     <--  Y: by what it is about to serve
 *     W, ...: results in memory   -->
 *     O: whether both agree       -->  threads
 *                                 <--  R: it serves
 *   closes its doors, tells the service manager whose pid counts
 *     S, ...: a client            -->  goes on with it
 *     answers a cancel            <--  C: of a key that it does not know
 *     C                           -->
 *   after takeover_timeout closes clients that cannot be moved
 *     E: how many stayed, why     -->
 *   ends
 *
 * The process that serves starts the other one itself, so that it is in the
 * same service, sandbox and login, and so that nobody else can ask for
 * sockets: there is no path to connect to.  Until R the old process has given
 * away nothing but copies.  If the new one does not say R within a minute, or
 * ends, the old one goes on.  A new takeover is refused while the process
 * before has not ended.
 *
 * Both read what the other sends as they would a stranger's.  The version
 * counts how messages and shared memory look; another one is refused, and the
 * restart has to be the usual one.
 */
#ifndef PGSLUICE_ADMIN_TAKEOVER_H
#define PGSLUICE_ADMIN_TAKEOVER_H

#include "admin/control.h"

/* At most one process before and one after this one. */

/* ---- takeover.c: to be followed --------------------------------------------- */

/* Before threads start. path: of the configuration. memory: descriptor of
 * what is shared, taken over; -1: nothing is, and there are no takeovers. */
void takeover_init(const char *path, int memory);
/* Control thread: start the successor. w, session: who asked on the console and
 * gets the answer; NULL, 0: nobody. */
void takeover_start(struct control *c, struct worker *w, uint64_t session);
/* Control thread: why c may not be put in force now; NULL: it may. While two
 * processes live that agree (admin/accord.h), neither changes what a write
 * ends. */
const char *takeover_forbids(struct conf *c);
/* Control thread, when no session is left or none may stay: the successor is
 * told, and no more goes to it. */
void takeover_end(void);

#define TAKEOVER_WHY_MAX 600
struct takeover_info {
	bool under_way;
	uint64_t failures;
	char why[TAKEOVER_WHY_MAX]; /* of the last; or "" */
};
void takeover_info(struct takeover_info *i); /* any thread */

/* ---- succession.c: to follow ----------------------------------------------- */

/* Main thread, first of all: take what the process at the other end of sock
 * hands over. *memory: a descriptor. false with one line in why. */
bool succession_begin(int sock, struct given_doors *doors, int *memory,
    char *why, size_t why_size) PG_MUST_CHECK;
/* It will not be: the process before goes on. Nothing if there is none. */
void succession_fail(const char *why);
/* Main thread, before anything is served by c: the process before hears of it,
 * and leaves its cache alone if it goes by something else. false with one line
 * in why. */
bool succession_agree(struct conf *c, char *why, size_t why_size)
    PG_MUST_CHECK;
/* Control thread: what takeover_forbids() says because of the process before. */
const char *succession_forbids(struct conf *c);
/* Control thread: this process serves. */
void succession_serve(struct control *c);
/* The process before has not ended. */
bool succession_is_open(void);
/* Workers: see session_abroad.cancel. */
bool succession_cancel(uint64_t request, uint32_t pid, const char *key,
    size_t n);
/* Control thread, while workers run: nothing comes any more. */
void succession_end(void);

struct succession_info {
	int pid;             /* of the process before; 0: none */
	bool open;
	uint64_t came, refused;
	uint64_t results;    /* that came from its memory */
	uint64_t stayed[STAY_REASON_COUNT]; /* clients that it closed at last */
};
void succession_info(struct succession_info *i);

#endif
