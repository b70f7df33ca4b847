/* SPDX-License-Identifier: PostgreSQL
 *
 * REPLICA_REASON(symbol, name, doc): why a statement on a backend that lists
 * replicas goes to no replica. Up to CACHED: of its plan alone. */
REPLICA_REASON(OFF, "off", "replica_reads is off for a table it names, or for the database")
REPLICA_REASON(NOT_READ, "not_read", "it is not a single SELECT that locks and writes nothing")
REPLICA_REASON(NO_TABLE, "no_table", "it reads no table")
REPLICA_REASON(CATALOG, "catalog", "it reads system catalogs")
REPLICA_REASON(FUNCTION, "function", "it calls a function that is not immutable, or not known, or draws a sample")
REPLICA_REASON(CACHED, "cached", "a cache rule covers it: replicas fill no cache")
REPLICA_REASON(CLOCK, "clock", "a value like 'now' depends on the clock")
REPLICA_REASON(TRANSACTION, "transaction", "it is inside of a transaction block")
REPLICA_REASON(SESSION, "session", "the session keeps its server: session pooling, or a pin")
REPLICA_REASON(ISOLATION, "isolation", "default_transaction_isolation is not read committed")
REPLICA_REASON(MESSAGES, "messages", "it came in messages other than a Query or one unnamed Parse, Bind, Execute, Sync; or in more than 64 kB of them")
REPLICA_REASON(NONE_FIT, "none_fit", "no replica is fit for it")
REPLICA_REASON(FAILED, "failed", "a replica failed, and the primary is asked")
#undef REPLICA_REASON
