/* SPDX-License-Identifier: PostgreSQL
 *
 * The control thread: signals, reload, drain, heartbeats.
 *
 *   STARTING --> SERVING --> DRAINING --> (the loop ends)
 *
 * One struct control for the process, on the main thread.  Others reach it by
 * control_post() only.
 */
#ifndef PGSLUICE_ADMIN_CONTROL_H
#define PGSLUICE_ADMIN_CONTROL_H

#include <event2/event.h>

#include "admin/doors.h"
#include "session/layer.h"

enum control_state { CONTROL_STARTING, CONTROL_SERVING, CONTROL_DRAINING };

enum control_stop {
	STOP_CLIENTS, /* when all clients have gone by themselves */
	STOP_SERVERS, /* when transactions have ended, however long they take */
	STOP_DRAIN,   /* the same, within 30 seconds */
	STOP_FAST     /* without waiting for transactions */
};

struct control;

/* As struct message, for the control thread. */
struct control_message {
	STAILQ_ENTRY(control_message) next;
	void (*run)(struct control *c, struct control_message *m);
};
STAILQ_HEAD(control_messages, control_message);

/* What the layer above does when something happens; none may be NULL. */
struct control_hooks {
	void (*serving)(void);   /* ready, or a reload is over */
	void (*reloading)(void);
	void (*stopping)(void);
	void (*replaced)(int pid); /* by this process, which serves */
	void (*alive)(void);     /* every worker has moved since the last call */
	nsec_t alive_every;      /* 0: do not call it */
};

struct pulse { /* of one worker */
	uint64_t beats;   /* as last seen */
	uint64_t told;    /* as of the last hooks.alive() */
	nsec_t since;     /* when they last changed */
};

struct control {
	uint32_t magic;
#define CONTROL_MAGIC 0xc0274019u
	struct event_base *base;
	struct worker *const *workers;
	unsigned n_workers;
	const char *path;           /* of the configuration */
	struct session_setup setup; /* in force; references of our own */
	bool last_reload_ok;
	nsec_t started;             /* monotonic */
	enum control_state state;
	struct doors *doors;        /* borrowed */
	struct control_hooks hooks;

	/* private to control.c */
	struct event *on_term, *on_int, *on_hup, *on_usr2, *on_wake, *on_look,
	    *on_drain;
	int wake_fd;
	pthread_mutex_t lock;
	struct control_messages inbox; /* under lock */
	struct pulse *pulses;
	nsec_t alive_at;            /* next hooks.alive() */
	enum control_stop stop;     /* while DRAINING */
	nsec_t drain_began, fast_began;
	bool replaced;              /* DRAINING, as another process serves */
};

/* setup: taken over. The signals must be blocked in every thread. */
struct control *control_new(const char *path,
    const struct session_setup *setup, struct worker *const *workers,
    unsigned n_workers, const struct control_hooks *hooks) PG_MUST_CHECK;
/* Serve until a stop has been asked for and clients are gone. Unblocks the
 * signals. */
void control_run(struct control *c, struct doors *doors);
/* After the workers have ended. */
void control_free(struct control **c);

/* Block the signals that control_run() handles, in this thread and those it
 * makes. SIGPIPE is ignored. */
void control_block_signals(void);

/* Any thread. */
void control_post(struct control *c, struct control_message *m);

/* The rest: control thread. */

/* Told of every change, one line each. */
typedef void control_change_cb(void *arg, const char *line);
/* false: the old configuration stays, whole; diagnostics in *d, which is set
 * up in both cases. fn may be NULL. */
bool control_reload(struct control *c, struct conf_diag *d,
    control_change_cb *fn, void *arg) PG_MUST_CHECK;
/* The same for one setting, until the next reload. */
bool control_set(struct control *c, const char *name, const char *value,
    struct conf_diag *d, control_change_cb *fn, void *arg) PG_MUST_CHECK;

/* Put another setup in force, which is taken over. */
void control_use(struct control *c, struct session_setup *fresh);

/* A later call may only be more urgent. */
void control_stop(struct control *c, enum control_stop how);
/* Another process, of this pid, serves in our place: its are the doors, and
 * clients as they can be moved. The rest is closed after takeover_timeout, as
 * transactions end. */
void control_replaced(struct control *c, int pid);
/* Number of a worker whose loop has not moved for some seconds, or -1. */
int control_stalled(struct control *c);

#endif
