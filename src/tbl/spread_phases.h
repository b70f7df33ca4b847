/* SPDX-License-Identifier: PostgreSQL
 *
 * SPREAD_PHASE(symbol, doc): the course of a write over several shards. */
SPREAD_PHASE(COLUMNS, "the coordinator is asked for the table's columns")
SPREAD_PHASE(OPENING, "shards are leased and told to begin")
SPREAD_PHASE(COPYING, "rows are taken and dealt out")
SPREAD_PHASE(LOADING, "all rows are with the shards")
SPREAD_PHASE(COMMITTING, "all shards have all rows; they commit")
#undef SPREAD_PHASE
