/* SPDX-License-Identifier: PostgreSQL
 *
 * SPREAD_PHASE(symbol, doc): the course of a write over several shards. */
SPREAD_PHASE(COLUMNS, "the coordinator is asked for the table's columns")
SPREAD_PHASE(OPENING, "shards are leased and told to begin")
SPREAD_PHASE(COPYING, "rows are taken and dealt out")
SPREAD_PHASE(LOADING, "all rows are with the shards")
SPREAD_PHASE(PREPARING, "all shards have all rows; with two_phase_commit they prepare, the first one first")
SPREAD_PHASE(DECIDING, "... and the first one commits")
SPREAD_PHASE(COMMITTING, "it is decided: all, or all others, commit")
#undef SPREAD_PHASE
