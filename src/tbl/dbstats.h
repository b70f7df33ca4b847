/* SPDX-License-Identifier: PostgreSQL
 *
 * DBSTAT(name): what is counted for each database; bytes, and times in ns. */
DBSTAT(transactions)     /* ended on servers */
DBSTAT(queries)          /* hits included */
DBSTAT(received)         /* bytes, from clients */
DBSTAT(sent)             /* bytes, to clients */
DBSTAT(transaction_time) /* on servers */
DBSTAT(query_time)       /* on servers */
DBSTAT(wait_time)        /* for servers */
#undef DBSTAT
