/* SPDX-License-Identifier: PostgreSQL
 *
 * The distinct units that one worker has met, with the arms that served them.
 *
 * Open addressing in a table of fixed size: when UNITSET_MAX units are in it, no
 * more are taken, and it says that it is full.  The test of shares (ratio.h)
 * stays valid, for which units come first does not depend on their arms, and a
 * test that holds at all times holds at that one.  One writer, any number of
 * readers (relaxed atomics).
 */
#ifndef PGSLUICE_EXPERIMENT_UNITSET_H
#define PGSLUICE_EXPERIMENT_UNITSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "experiment/assign.h"

#define UNITSET_MAX 49152

struct unitset;

struct unitset *unitset_new(void) PG_MUST_CHECK;
void unitset_free(struct unitset **s);
/* Its writer. unit: a hash of 64 bits, of which the low four do not count. */
void unitset_add(struct unitset *s, uint64_t unit, unsigned arm);
/* Readers. Of the sets together: distinct units by arm into n; of those met on
 * several arms, which count for none, the number into *moved. true: none of the
 * sets is full. */
bool unitset_count(struct unitset *const *sets, unsigned n_sets,
    uint64_t n[ARMS_MAX], uint64_t *moved);
/* The same units, as hashes that unitset_add() takes, with their arms in
 * UNITSET_ARM; a unit met on several arms is there several times. Their number;
 * *out is malloc'ed. */
#define UNITSET_ARM UINT64_C(7)
size_t unitset_list(struct unitset *const *sets, unsigned n_sets,
    uint64_t **out);

#endif
