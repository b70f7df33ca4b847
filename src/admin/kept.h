/* SPDX-License-Identifier: PostgreSQL
 *
 * Experiments in the file experiment_file, so that they survive a restart.
 *
 * Written when something becomes of one, every KEPT_EVERY while one runs, and at
 * the end; by a thread that lives for one writing, since disks take their time.
 * The new file takes the old one's place when it is whole and on the disk.  Control
 * thread.
 */
#ifndef PGSLUICE_ADMIN_KEPT_H
#define PGSLUICE_ADMIN_KEPT_H

#include "admin/control.h"

#define KEPT_EVERY (10 * NSEC_PER_SEC)

/* Put in force what the file says, if there is one. One that cannot be believed
 * is logged and set aside. */
void kept_load(struct control *c);
/* Write, soon. */
void kept_save(struct control *c);
/* Often. */
void kept_tick(struct control *c, nsec_t now);
/* Write now, and wait for it: another process is about to read it. */
void kept_now(struct control *c);
/* The file is another process' from now on. */
void kept_leave(void);
/* Workers have ended: write for the last time, and wait for it. */
void kept_fini(struct control *c);

/* What a file says, for a program that is not the daemon: one reference, or NULL
 * if there is no experiment in it. false: why says what is wrong. */
bool kept_peek(const char *path, struct conf_trials **out, char *why,
    size_t size) PG_MUST_CHECK;

#endif
