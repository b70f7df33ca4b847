/* SPDX-License-Identifier: PostgreSQL
 *
 * Every block of the configuration file and every option in it, once: the
 * parser, SHOW CONFIG and doc/configuration.md come from here.
 *
 * BLOCK(symbol, name, parent, doc)
 *	a block is written: name "title" { options }
 * BLOCK_OPTION(block, name, type, need, default, accepts, doc)
 *	type     STR LIST INT SIZE TIME BOOL WORD MONTH
 *	need     MUST or MAY be given
 *	default  as it would stand in the file; "" for none (doc tells then)
 *	accepts  INT, SIZE and TIME: "low..high"; WORD: "one|other"; else ""
 */
#ifndef BLOCK
#define BLOCK(sym, name, parent, doc)
#endif
#ifndef BLOCK_OPTION
#define BLOCK_OPTION(block, name, type, need, def, accepts, doc)
#endif

BLOCK(BACKEND, "backend", ROOT, "One PostgreSQL endpoint: host, port and database.")
BLOCK_OPTION(BACKEND, conninfo, STR, MUST, "", "", "libpq connection string, keywords or URI. A user in it is forced for every client; without one each client's own or mapped name is used.")
BLOCK_OPTION(BACKEND, pool_size, INT, MAY, "0", "0..10000", "Servers per user of this backend, process-wide; 0: the setting pool_size.")
BLOCK_OPTION(BACKEND, reserve_pool_size, INT, MAY, "", "0..10000", "More servers per user for statements that have waited long; default: the setting of this name.")
BLOCK_OPTION(BACKEND, max_db_connections, INT, MAY, "", "0..1000000", "Servers of all users of this backend; 0: no maximum; default: the setting of this name.")
BLOCK_OPTION(BACKEND, feed, BOOL, MAY, "false", "", "true: follow what is written there, by whomever, through logical replication: a temporary slot, and the publication named by feed_publication. Needed by strong cache rules.")
BLOCK_OPTION(BACKEND, replicas, LIST, MAY, "", "", "Backends that are streaming standbys of this one, each a server of its own. They are named nowhere else, and have the same dbname and user in their conninfo.")

BLOCK(DATABASE, "database", ROOT, "A database that clients can connect to. The name pgsluice is taken by the console.")
BLOCK_OPTION(DATABASE, backend, STR, MUST, "", "", "Backend for statements that are not routed elsewhere.")
BLOCK_OPTION(DATABASE, pool_mode, WORD, MAY, "", "transaction|session", "When a server goes back to its pool; default: the setting pool_mode.")
BLOCK_OPTION(DATABASE, cache, BOOL, MAY, "true", "", "false: no statement of this database is ever cached.")
BLOCK_OPTION(DATABASE, max_db_client_connections, INT, MAY, "", "0..1000000", "Client connections; 0: no limit of its own; default: the setting of this name.")
BLOCK_OPTION(DATABASE, log_min_duration_statement, STR, MAY, "", "", "Statements that take at least this long are logged; 0: all; -1: none; default: the setting of this name.")
BLOCK_OPTION(DATABASE, replica_reads, WORD, MAY, "off", "off|process|session", "Whether reads may go to replicas of their backend. process: where all is replayed that was written through this pgsluice. session: that its own session has written; others' writes may be missing for as long as the bounds allow. Neither goes back behind what the session has seen.")
BLOCK_OPTION(DATABASE, replica_max_age, TIME, MAY, "1s", "0..1d", "A replica that may show an older state than this has no reads; 0: no such bound.")
BLOCK_OPTION(DATABASE, replica_max_lag, SIZE, MAY, "1MB", "0..1TB", "A replica that is more bytes of WAL behind has no reads; 0: no such bound.")

BLOCK(TABLE, "table", ROOT, "A logical table, titled with the name applications use (schema.table, or table for any schema). A title may occur again as long as no database is named by two of its blocks.")
BLOCK_OPTION(TABLE, databases, LIST, MAY, "", "", "Databases it is routed in; default: all.")
BLOCK_OPTION(TABLE, key_column, LIST, MAY, "", "", "Column that names the tenant, or the columns of the partition key in its order; default: what the catalogs of the variant in use say. Needed with shards.")
BLOCK_OPTION(TABLE, key_type, LIST, MAY, "", "uuid|int4|int8|text|int2|varchar|bpchar|bool|date|timestamptz|numeric", "Types of these columns; needed when there are any.")
BLOCK_OPTION(TABLE, time_column, STR, MAY, "", "", "Column the months are taken from; default: what the catalogs say. Needed when a variant has spans.")
BLOCK_OPTION(TABLE, month_of, STR, MAY, "", "", "'uuidv7(column)': a condition on this column of UUIDv7 tells the months, too, where CHECK constraints prove that it agrees with the time column.")
BLOCK_OPTION(TABLE, transactions, WORD, MAY, "shard", "shard|coordinator", "Where transactions of a sharded table run. shard: where their first statement belongs; one that needs another shard fails. coordinator: all of them there, over as many tenants as they like.")
BLOCK_OPTION(TABLE, approximate_floats, BOOL, MAY, "false", "", "true: sums and averages of floats over several shards are put together from theirs, and may differ in the last digits from those of one table. false: the coordinator has them.")
BLOCK_OPTION(TABLE, split_inserts, BOOL, MAY, "false", "", "true: an INSERT ... VALUES outside of a transaction whose rows belong on several shards is sent to these, each its rows, and committed on all of them or none. false: the coordinator has it.")
BLOCK_OPTION(TABLE, two_phase_commit, BOOL, MAY, "false", "", "true: a COPY or INSERT that is dealt out to several shards is prepared on all of them (PREPARE TRANSACTION) before it is committed on any, and ends on all as it ends on one of them, whatever dies meanwhile. Needs max_prepared_transactions on the shards, and somebody to log in as (layout_user) who may end what is left. false: a shard that is lost between the commits leaves the write on some shards only.")
BLOCK_OPTION(TABLE, replica_reads, WORD, MAY, "", "off|process|session", "The same for statements that name the table; default: the database's. Of several tables the strictest counts.")
BLOCK_OPTION(TABLE, replica_max_age, TIME, MAY, "", "0..1d", "The same; default: the database's.")
BLOCK_OPTION(TABLE, replica_max_lag, SIZE, MAY, "", "0..1TB", "The same; default: the database's.")
BLOCK_OPTION(TABLE, use, STR, MAY, "", "", "Variant that serves the table; default: the first.")

BLOCK(VARIANT, "variant", TABLE, "One physical form of the table; at least one per table.")
BLOCK_OPTION(VARIANT, kind, WORD, MUST, "", "plain|monthly|sharded", "plain: one table. monthly: RANGE partitions by month. sharded: HASH partitions by tenant.")
BLOCK_OPTION(VARIANT, backend, STR, MUST, "", "", "Where it lives; monthly: the backend that sees all months; sharded: the coordinator.")
BLOCK_OPTION(VARIANT, relation, STR, MAY, "", "", "Its name there, with or without schema; needed without only_rewrites.")
BLOCK_OPTION(VARIANT, shard_relation, STR, MAY, "", "", "sharded, with shards: the name of the partition on every shard.")
BLOCK_OPTION(VARIANT, shards, LIST, MAY, "", "", "sharded: backends of the shards. The place in the list is the remainder, their number the modulus. Default: foreign servers and remainders of the partitions, as the coordinator's catalogs have them.")
BLOCK_OPTION(VARIANT, target_leaf, BOOL, MAY, "false", "", "monthly: statements whose rows all lie in one partition name that partition, which saves the server planning over all of them.")

BLOCK_OPTION(VARIANT, only_rewrites, BOOL, MAY, "false", "", "true: it serves the statements that its rewrite blocks are for, and no others. For the arm of an experiment.")

BLOCK(REWRITE, "rewrite", VARIANT, "A statement that this variant is asked in other words, by the first such block whose query it is. For arms of experiments, and for plain variants only.")
BLOCK_OPTION(REWRITE, query, STR, MUST, "", "", "The SELECT, INSERT, UPDATE or DELETE, as for a cache rule. It names the table. Names like :id stand for its values.")
BLOCK_OPTION(REWRITE, text, LIST, MUST, "", "", "What the variant's backend is asked instead, with the same names. Of several statements the last one answers; they are run as one (the others in its WITH), all or none of them.")

BLOCK(SPAN, "span", VARIANT, "monthly only: months that a backend of its own serves. Spans must follow one another without gap or overlap.")
BLOCK_OPTION(SPAN, backend, STR, MUST, "", "", "Backend that holds these months.")
BLOCK_OPTION(SPAN, from, MONTH, MAY, "", "", "First month, YYYY-MM; default: no lower end.")
BLOCK_OPTION(SPAN, until, MONTH, MAY, "", "", "First month that is no longer in it, YYYY-MM; default: no upper end.")

BLOCK(EXPERIMENT, "experiment", ROOT, "A comparison of variants of a table on live traffic.")
BLOCK_OPTION(EXPERIMENT, table, STR, MUST, "", "", "Title of the table. Statements that name it, and no table of another experiment, take part.")
BLOCK_OPTION(EXPERIMENT, databases, LIST, MAY, "", "", "Databases whose statements take part; default: those that the table is routed in. They have one block table of this title.")
BLOCK_OPTION(EXPERIMENT, arms, LIST, MUST, "", "", "\"variant:weight\", two to eight of them. The first is the control: the variant in use, and what all others are compared with. Weights are whole numbers up to 10000, 0: gets nothing.")
BLOCK_OPTION(EXPERIMENT, unit, WORD, MAY, "session", "session|user|tenant|statement", "What is given to an arm as a whole, and is stable: a session; a user or a tenant (by the table's key), in whatever session, process and after a restart; or each statement by chance. A transaction stays with the arm that it began with.")
BLOCK_OPTION(EXPERIMENT, mode, WORD, MAY, "split", "split|shadow", "split: each unit is served by its arm. shadow: the control serves all; others are asked the same on the side, and their answers compared.")
BLOCK_OPTION(EXPERIMENT, writes, WORD, MAY, "control", "control|arm|all", "Who has the statements that write. control: the control; something else brings the others what it has. arm: the unit's arm, for tables whose rows are divided as the units are; not in shadow mode. all: the control, and when it has committed, all others, see experiments.md.")
BLOCK_OPTION(EXPERIMENT, cache, BOOL, MAY, "true", "", "false: no statement that takes part is answered from the cache, or put into it, while the experiment runs.")
BLOCK_OPTION(EXPERIMENT, start, BOOL, MAY, "true", "", "true: it runs from the start of the configuration, unless it was stopped before. false: by START EXPERIMENT.")
BLOCK_OPTION(EXPERIMENT, alpha, INT, MAY, "5", "1..20", "Percent: the chance of any of its intervals to leave out the truth at any time.")
BLOCK_OPTION(EXPERIMENT, effect, INT, MAY, "10", "1..200", "Percent: the smallest difference of latencies that matters.")
BLOCK_OPTION(EXPERIMENT, stop_if_error_ratio, STR, MAY, "", "", "Stop it when an arm's share of errors is surely over so many times the control's, 1 to 1000.")
BLOCK_OPTION(EXPERIMENT, stop_if_p95_ratio, STR, MAY, "", "", "Stop it when an arm's p95 is surely over so many times the control's, 1 to 1000.")
BLOCK_OPTION(EXPERIMENT, shadow_share, INT, MAY, "100", "1..100", "Percent of the statements that others are asked, too.")
BLOCK_OPTION(EXPERIMENT, shadow_queue, INT, MAY, "64", "1..10000", "So many statements wait to be asked of an arm on the side by a worker; more are dropped.")
BLOCK_OPTION(EXPERIMENT, shadow_running, INT, MAY, "4", "1..100", "So many are asked of an arm at once by a worker.")
BLOCK_OPTION(EXPERIMENT, mirror_queue, INT, MAY, "10000", "1..1000000", "writes = all: so many transactions wait for the slowest arm; with one more the experiment is stopped. They have 256 MB at most.")

BLOCK(CHECK, "check", ROOT, "A question that a server answers with one number, asked over and over and told as a metric, for alerts on what pgsluice itself cannot know: how old a read model is, how long a queue.")
BLOCK_OPTION(CHECK, backend, STR, MUST, "", "", "Who is asked, as layout_user where its conninfo names no user, over a connection of its own, in read-only transactions.")
BLOCK_OPTION(CHECK, query, STR, MUST, "", "", "A statement that gives one row with one number.")
BLOCK_OPTION(CHECK, interval, TIME, MAY, "10s", "100ms..1d", "From an answer to the next question.")
BLOCK_OPTION(CHECK, timeout, TIME, MAY, "5s", "1ms..1h", "A question that is not answered in this time has failed.")

BLOCK(PEER, "peer", ROOT, "Another pgsluice that serves the same clients, titled with the number that its node has. A cancel request whose key is one of its clients' is passed on to it, wherever a load balancer has sent it. All may have the same list: who is named in it himself is no peer of his own.")
BLOCK_OPTION(PEER, host, STR, MUST, "", "", "Its IP address, or the folder of its unix socket. Names are not resolved.")
BLOCK_OPTION(PEER, port, INT, MAY, "6432", "1..65535", "Its port.")

BLOCK(CACHE, "cache", ROOT, "A cache rule. A SELECT is cached by the first rule whose tables contain every table it reads, and whose query it is where the rule has one.")
BLOCK_OPTION(CACHE, databases, LIST, MAY, "", "", "Databases it applies to; default: all. A title may occur again as long as no database is named by two of its blocks.")
BLOCK_OPTION(CACHE, tables, LIST, MAY, "", "", "The tables a statement may read to be cached by this rule; default: those of query. Needed without one. \"*\" alone: any, as far as the catalogs prove that it may be; rules that name their tables come first.")
BLOCK_OPTION(CACHE, query, STR, MAY, "", "", "The SELECT that this rule is for. A statement is one if it is the same but for blanks, comments, letter case of keywords, literals, parameters and casts around these. Names like :id stand for values that key has.")
BLOCK_OPTION(CACHE, key, STR, MAY, "", "", "What answers are called in Redis and for INVALIDATE KEY: letters, digits and . _ - : with values of the query as {id}.")
BLOCK_OPTION(CACHE, keys, LIST, MAY, "", "", "Columns by whose values answers are told apart, table.column, or month(table.column) for a timestamptz: an answer confined to some values lives on when rows with others are written.")
BLOCK_OPTION(CACHE, ttl, TIME, MUST, "", "1ms..30d", "Life of an answer.")
BLOCK_OPTION(CACHE, ttl_column, STR, MAY, "", "", "Column of answers, a timestamptz: an answer ends when the smallest value in it is over, and at the latest by ttl. Without the column, or with NULL in it, it is not stored.")
BLOCK_OPTION(CACHE, l1_ttl, TIME, MAY, "", "0..30d", "Life in this process's memory; default: ttl; 0: not kept there.")
BLOCK_OPTION(CACHE, consistency, WORD, MAY, "eventual", "eventual|strong", "strong: answers are stored and served only while the feeds of all backends that hold the tables are live; then they are never older than max_feed_lag, whoever writes. Without grace.")
BLOCK_OPTION(CACHE, grace, TIME, MAY, "0", "0..30d", "How long after its life an answer may be served while one session fetches a new one.")
BLOCK_OPTION(CACHE, stale_if_error, TIME, MAY, "0", "0..30d", "How long after its life an answer may be served when no server can be had for the statement; not for strong rules.")
BLOCK_OPTION(CACHE, ttl_empty, TIME, MAY, "", "0..30d", "Life of answers without rows; 0: not kept; default: as others.")
BLOCK_OPTION(CACHE, ttl_jitter, INT, MAY, "0", "0..90", "Percent of its life by which an answer's is shortened at most, by chance, so that answers that were fetched together do not end together.")
BLOCK_OPTION(CACHE, refresh_ahead, INT, MAY, "0", "0..90", "Percent of its life, the last, in which a statement that hits an answer that was hit before fetches it anew, while others go on hitting; 0: not. Not with an l1_ttl below ttl.")
BLOCK_OPTION(CACHE, ttl_closed_month, TIME, MAY, "0", "0..30d", "Life of answers confined to months that are over; 0: ttl.")
BLOCK_OPTION(CACHE, allow_stable, BOOL, MAY, "false", "", "true: statements that call now() and other stable functions may be cached.")
BLOCK_OPTION(CACHE, allow_rls, BOOL, MAY, "false", "", "true: tables with row level security may be cached; policies must look at the session's user and settings and at tables only.")
BLOCK_OPTION(CACHE, allow_unlogged, BOOL, MAY, "false", "", "true: unlogged tables may be cached; a crash of the server empties them unseen.")
BLOCK_OPTION(CACHE, allow_foreign, BOOL, MAY, "false", "", "true: foreign tables that are not routed may be cached; only writes through pgsluice and ttl end such results.")
BLOCK_OPTION(CACHE, verify, STR, MAY, "", "", "Share of its hits that are compared with the backend; default: the setting of this name.")
BLOCK_OPTION(CACHE, l2, BOOL, MAY, "true", "", "false: answers are not put into Redis.")
BLOCK_OPTION(CACHE, l2_lease, TIME, MAY, "0", "0..10min", "One process of those that share a Redis fills an entry, others wait for it: this long is it given, and twice as long they wait at most. For slow queries. 0: each process fills for itself.")

BLOCK(WRITES, "writes", ROOT, "What a write to the table it is titled with changes besides, by triggers and rules; and nothing else.")
BLOCK_OPTION(WRITES, databases, LIST, MAY, "", "", "Databases it applies to; default: all. A title may occur again as long as no database is named by two of its blocks.")
BLOCK_OPTION(WRITES, also, LIST, MAY, "", "", "The tables; default: none.")

BLOCK(USER, "user", ROOT, "Limits of one user, in place of the settings of the same names.")
BLOCK_OPTION(USER, max_user_client_connections, INT, MAY, "", "0..1000000", "Client connections; 0: no limit of its own.")
BLOCK_OPTION(USER, max_user_connections, INT, MAY, "", "0..1000000", "Servers logged in as this user, of all backends; 0: no maximum.")
BLOCK_OPTION(USER, client_idle_timeout, TIME, MAY, "", "0..30d", "Idle clients are closed after this; 0: never.")
BLOCK_OPTION(USER, idle_transaction_timeout, TIME, MAY, "", "0..30d", "A client idle inside a transaction is closed after this; 0: never.")
BLOCK_OPTION(USER, transaction_timeout, TIME, MAY, "", "0..30d", "A client whose transaction lasts longer is closed; 0: never.")
BLOCK_OPTION(USER, query_timeout, TIME, MAY, "", "0..30d", "A statement running longer is cancelled and its client closed; 0: never.")
BLOCK_OPTION(USER, log_min_duration_statement, STR, MAY, "", "", "Statements that take at least this long are logged; 0: all; -1: none; default: the database's.")

BLOCK(USER_MAP, "user_map", ROOT, "Which backend user a client user becomes, on backends whose conninfo forces none.")
BLOCK_OPTION(USER_MAP, to, STR, MUST, "", "", "The backend user.")

#undef BLOCK
#undef BLOCK_OPTION
