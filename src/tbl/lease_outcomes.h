/* SPDX-License-Identifier: PostgreSQL
 * LEASE_OUTCOME(symbol, name, doc): what became of a lookup in Redis that found
 * nothing, under a rule with l2_lease. */
LEASE_OUTCOME(TAKEN, "taken", "nobody was filling the key: this process does, for all")
LEASE_OUTCOME(WAITED, "waited", "another process was, and its entry came")
LEASE_OUTCOME(TAKEN_OVER, "taken_over", "another process was, and died, failed or needed longer than l2_lease: this one does now")
LEASE_OUTCOME(GAVE_UP, "gave_up", "others were, for twice l2_lease: this process asks for itself")
LEASE_OUTCOME(LOST, "lost", "Redis was lost or refused the lease, or a table was written: this process asks for itself")
#undef LEASE_OUTCOME
