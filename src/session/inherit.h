/* SPDX-License-Identifier: PostgreSQL
 *
 * What a process leaves to the one that takes over of the results it has in
 * memory, and what that one makes of them.
 *
 * Left are results that were hit and that catalogs vouch for; not those of
 * strong rules, whose feed begins anew, of rules that Redis has, too, nor of
 * databases with experiments.
 */
#ifndef PGSLUICE_SESSION_INHERIT_H
#define PGSLUICE_SESSION_INHERIT_H

#include "session/fill_priv.h"

/* Leads a fill: the object, with a reference, if the process before had it. */
struct object *inherit(const struct session *s, struct fill *f)
    PG_MUST_CHECK;

#endif
