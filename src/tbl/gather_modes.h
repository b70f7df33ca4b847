/* SPDX-License-Identifier: PostgreSQL
 *
 * GATHER_MODE(symbol, name, doc): how the answers of many shards become one. */
GATHER_MODE(ROWS, "rows", "all shards at once, rows as they come")
GATHER_MODE(SORT, "sort", "all shards at once; DISTINCT, ORDER BY and LIMIT done again over their rows")
GATHER_MODE(GROUP, "group", "all shards at once; their parts of the aggregates added up")
#undef GATHER_MODE
