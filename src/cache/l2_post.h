/* SPDX-License-Identifier: PostgreSQL
 *
 * Bumps in Redis by threads that have no connection to it: the feed's.
 *
 * Such a thread posts tags, and one worker sends them.  From before l2_post()
 * returns until Redis has acknowledged a tag's new token, no worker of this
 * process uses L2 for it; so who posts before it bumps the tag's generation in
 * this process may rely on what l2_bump() gives a worker.
 *
 * Why that is enough for a strong rule, whose results must show what was
 * committed max_feed_lag ago, by whomever, though any process may have stored
 * them and no two processes have seen the same of the log:
 *
 *  1. Of each commit that the feed of this process has delivered, and proven
 *     by that the gate is open, its tags have been bumped here twice, the
 *     second time after a snapshot had shown the commit on the server.  When a
 *     gate opens, be it for the first time or after a gap, the tags of all its
 *     tables have been.
 *  2. A lookup notes its tags' generations, then asks Redis.  When the answer
 *     has come it looks whether the gate is open, and after that whether the
 *     generations are those noted.  If so, no bump of 1 began after they were
 *     noted; and each that began before had been acknowledged when Redis was
 *     asked, for else a tag was pending.  On which connection does not matter.
 *  3. So the tokens in the answer are those of our last bumps, or of others'
 *     later ones.  An entry with these tokens was filled by somebody who read
 *     them before his query ran, hence after our second bump: the query saw the
 *     commit, whatever the filler's own feed knew.
 *  4. What the gate does not vouch for was committed less than max_feed_lag
 *     ago.
 *
 * A token that Redis has lost is made anew at random, and entries under the
 * old one are void; another server begins with a bump of everything
 * (l2_server.c), whatever had been acknowledged by the former one.
 */
#ifndef PGSLUICE_CACHE_L2_POST_H
#define PGSLUICE_CACHE_L2_POST_H

#include <stddef.h>

#include "cache/tags.h"

struct l2;

/* wake is called by l2_post(), on any thread, when there is something for
 * l2_take_posts(). NULL, as at first: there is no Redis, and posts are nothing.
 * Before any thread posts, or after all have ended. */
void l2_post_to(void (*wake)(void *arg), void *arg);
/* Any thread; before tag_bump(). However many are posted before they are
 * taken, what is kept is bounded. */
void l2_post(const tag_t *tags, size_t n);
/* Send what was posted. */
void l2_take_posts(struct l2 *l);

#endif
