/* SPDX-License-Identifier: PostgreSQL
 *
 * A terminal as pgsluicectl top uses it: drawn over and over, with keys that are
 * read one by one, and signals told apart.
 *
 * From screen_open() until screen_close() the terminal is not as others expect it;
 * screen_close() must be reached.  One for a process; one thread.
 */
#ifndef PGSLUICE_CTL_SCREEN_H
#define PGSLUICE_CTL_SCREEN_H

#include "base/buf.h"

/* Both ends are a terminal that can be drawn over. */
bool screen_possible(void);
/* false: why says what is wrong, and the terminal is as it was. */
bool screen_open(char *why, size_t size) PG_MUST_CHECK;
void screen_close(void);

/* Readable when screen_look() has something to find. */
int screen_fd(void);
/* What has come: keys, signals. */
struct screen_news {
	bool quit;    /* q, ^C, the terminal's end, or SIGTERM */
	bool resized;
};
struct screen_news screen_look(void);

/* 80 and 24 if it does not say. */
void screen_size(unsigned *width, unsigned *lines);
/* These lines, and nothing else, no more than fit. false: it is gone. */
bool screen_draw(const struct buf *page) PG_MUST_CHECK;

#endif
