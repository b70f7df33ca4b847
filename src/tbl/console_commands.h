/* SPDX-License-Identifier: PostgreSQL
 *
 * COMMAND(words, permission, handler, columns, help): every console command,
 * once.
 *
 * words: in upper case, compared without regard to case; # stands for a
 * number, $ for a name, % for a setting of tbl/settings.h, & for a setting of
 * PostgreSQL that drivers set, = for itself or TO, + for a value of one or more
 * words, * for any further words. The first row that fits counts.
 * permission: the least role of tbl/console_roles.h that may; DENY: nobody.
 * columns: of the answer, each with :4 (int4), :8 (int8), :n (numeric) or
 * nothing (text); "": no rows. Those of PgBouncer's command come first.
 * Order is that of SHOW HELP.
 * ABSENT(words, permission, why): what PgBouncer has and we have not.
 */
#ifndef ABSENT
#define ABSENT(words, permission, why)
#endif

COMMAND("SHOW HELP", READ, console_show_help, "command permission description", "This list")
COMMAND("SHOW VERSION", READ, console_show_version, "version libevent openssl", "Version of pgsluice and of the libraries it runs with")
COMMAND("SHOW STATS", READ, console_show_stats, "database total_xact_count:n total_query_count:n total_received:n total_sent:n total_xact_time:n total_query_time:n total_wait_time:n avg_xact_count:n avg_query_count:n avg_recv:n avg_sent:n avg_xact_time:n avg_query_time:n avg_wait_time:n", "Totals and averages of each database")
COMMAND("SHOW STATS_TOTALS", READ, console_show_stats_totals, "database xact_count:n query_count:n bytes_received:n bytes_sent:n xact_time:n query_time:n wait_time:n", "The totals alone")
COMMAND("SHOW STATS_AVERAGES", READ, console_show_stats_averages, "database xact_count:n query_count:n bytes_received:n bytes_sent:n xact_time:n query_time:n wait_time:n", "The averages alone")
COMMAND("SHOW TOTALS", READ, console_show_totals, "name value:n", "The same, all databases together")
COMMAND("SHOW COUNTERS", READ, console_show_counters, "name value:8 description", "Counters since the start, the same as in /metrics")
COMMAND("SHOW LATENCY", READ, console_show_latency, "route variant backend outcome count:8 total_ms:n avg_ms:n p50_ms:n p95_ms:n p99_ms:n", "Number and latency of statements, by route, variant, backend and outcome")
COMMAND("SHOW SHAPES", READ, console_show_shapes, "shape database route calls:8 errors:8 rows:8 bytes:8 hits:8 misses:8 bypasses:8 total_ms:n mean_ms:n p50_ms:n p95_ms:n p99_ms:n max_ms:n query", "What statements cost, by shape, the most expensive first (track_shapes)")
COMMAND("SHOW CLIENTS", READ, console_show_clients, "type user database state addr port:4 local_addr local_port:4 connect_time request_time wait:4 wait_us:4 close_needed:4 ptr link remote_pid:4 tls application_name id:8 worker:4 backend server_pid:4 pin tx state_ms:n queries:8 prepared_statements:4 prepared_bytes:8", "Client connections")
COMMAND("SHOW SERVERS", READ, console_show_servers, "type user database state addr port:4 local_addr local_port:4 connect_time request_time wait:4 wait_us:4 close_needed:4 ptr link remote_pid:4 tls application_name worker:4 backend tx leases:8 prepared_statements:4 replies_owed:4 cancels:4 scope:8", "Connections to backends")
COMMAND("SHOW SOCKETS", READ, console_show_sockets, "type user database state addr port:4 local_addr local_port:4 connect_time request_time wait:4 wait_us:4 close_needed:4 ptr link remote_pid:4 tls application_name recv_pos:4 pkt_pos:4 pkt_remain:4 send_pos:4 send_remain:4 pkt_avail:4 send_avail:4", "Connections of both sides")
COMMAND("SHOW ACTIVE_SOCKETS", READ, console_show_active_sockets, "type user database state addr port:4 local_addr local_port:4 connect_time request_time wait:4 wait_us:4 close_needed:4 ptr link remote_pid:4 tls application_name recv_pos:4 pkt_pos:4 pkt_remain:4 send_pos:4 send_remain:4 pkt_avail:4 send_avail:4", "Those of them that are at work")
COMMAND("SHOW POOLS", READ, console_show_pools, "database user cl_active:4 cl_waiting:4 cl_active_cancel_req:4 cl_waiting_cancel_req:4 sv_active:4 sv_active_cancel:4 sv_being_canceled:4 sv_idle:4 sv_used:4 sv_tested:4 sv_login:4 maxwait:4 maxwait_us:4 pool_mode backend pool_size:4 paused last_error", "Pools: servers and waiting clients by backend and user")
COMMAND("SHOW LISTENERS", READ, console_show_listeners, "backend user state remote_pid:4 worker:4 channels:8 subscriptions:8 notifications:8", "Servers that LISTEN for many clients")
COMMAND("SHOW BACKENDS", READ, console_show_backends, "name state force_user pool_size:4 sv_active:4 sv_idle:4 sv_login:4 cl_waiting:4 last_error", "Configured PostgreSQL servers and whether they can be reached")
COMMAND("SHOW DATABASES", READ, console_show_databases, "name host port:4 database force_user pool_size:4 min_pool_size:4 reserve_pool:4 pool_mode max_connections:4 current_connections:4 paused:4 disabled:4 backend cache tables:4 rules:4", "Databases that clients can connect to")
COMMAND("SHOW USERS", READ, console_show_users, "name pool_mode role", "Users of the users file and of the console")
COMMAND("SHOW PREPARED_STATEMENTS", OPERATE, console_show_prepared, "worker:4 hash references:4 bytes:8 query", "Texts that clients have prepared")
COMMAND("SHOW ROUTES", READ, console_show_routes, "table databases key_column key_type time_column variant in_use kind backend relation shard_relation parts", "Routed tables and their variants")
COMMAND("SHOW REPLICAS", READ, console_show_replicas, "backend replica state replayed lag_bytes:8 age_ms:n timeline:8 reason error", "Replicas of backends: whether they take reads, how far behind they are, and why not")
COMMAND("SHOW LAYOUTS", READ, console_show_layouts, "table variant backend state read_at kind text", "What the catalogs say of sharded and monthly variants: whether it is in force, errors, notes")
COMMAND("SHOW SHARDS", READ, console_show_shards, "table variant remainder:4 modulus:4 backend relation rows:8 bytes:8 skew:n direct difference prepared:8", "Hash partitions: where they are, how large, and whether they are asked directly")
COMMAND("SHOW PARTITIONS", READ, console_show_partitions, "table variant backend schema partition bound lower upper is_default rows:8 bytes:8 months_left:8", "All tables that hold rows, with months until the partitions of their backend run out")
COMMAND("SHOW CACHE", READ, console_show_cache, "section name value:8 note", "Cache: memory, Redis, lookups, bypass reasons, rules")
COMMAND("SHOW CACHE CANDIDATES", READ, console_show_cache_candidates, "database saved_ms:n count:8 hits:8 written:8 avg_ms:n avg_bytes:8 writes:8 seconds:8 query rule", "Statements that no cache rule names, by the time that one would save, with the rule")
COMMAND("SHOW CACHE KEYS", READ, console_show_cache_keys, "table column by type state text", "Columns by whose values cached results are told apart, and why some are not in use")
COMMAND("SHOW FEEDS", READ, console_show_feeds, "backend state state_ms:n proven_ms_ago:n lag_bytes:8 received last_commit unsettled:8 commits:8 changes:8 bumps:8 beats:8 reconnects:8 rules:8 rules_open:8 system timeline reason", "Feeds: what is followed on backends, and up to when it is known that nothing was missed")
COMMAND("SHOW CACHE SHAPES", READ, console_show_cache_shapes, "worker:4 rule state hit_ratio:n break_even:n origin_us:n hit_us:n added_us:n lookups:8 hits:8 passed:8 statement", "Whether caching pays: ratios of the last window, what answers take, and the decision, by statement shape and worker")
COMMAND("SHOW CACHE TABLES", READ, console_show_cache_tables, "backend schema table kind cached depends_on changed_by", "What the catalogs say of the tables of cache rules")
COMMAND("SHOW WATCHES", READ, console_show_watches, "backend state vouched_ms:n looked_at digest_ms:n looks:8 moves:8 reads:8 relations:8 error auto_off", "Connections that look at the catalogs of backends with cached tables")
COMMAND("SHOW EXPERIMENTS", READ, console_show_experiments, "name table state serves mode unit arms since reason", "Experiments: whether they run, since when and why")
COMMAND("SHOW CONFIG", READ, console_show_config, "key value default changeable", "Settings in force")
COMMAND("SHOW WORKERS", READ, console_show_workers, "worker:4 clients:4 servers:4 config_generation:8 shapes:8 shape_parses:8 shape_hits:8 shape_evictions:8", "Worker threads: clients, servers, statement shapes")
COMMAND("SHOW LISTS", READ, console_show_lists, "list items:4", "How many of each there are")
COMMAND("SHOW MEM", READ, console_show_mem, "name size:8 used:8 free:8 memtotal:8", "Memory: what is kept, and the allocator")
COMMAND("SHOW STATE", READ, console_show_state, "key value", "Whether traffic flows")
COMMAND("PAUSE", OPERATE, console_pause, "", "Lend no more servers, statements wait; answers when every server has been given back and closed")
COMMAND("PAUSE $", OPERATE, console_pause_database, "", "The same for one database; answers when its clients hold no server")
COMMAND("RESUME", OPERATE, console_resume, "", "End PAUSE or KILL of all")
COMMAND("RESUME $", OPERATE, console_resume_database, "", "End PAUSE or KILL of one database")
COMMAND("RECONNECT", OPERATE, console_reconnect, "", "Replace every server as it becomes idle")
COMMAND("RECONNECT $", OPERATE, console_reconnect_database, "", "The same for the servers of one database")
COMMAND("WAIT_CLOSE", OPERATE, console_wait_close, "", "Answer when every server that RECONNECT, PAUSE or RELOAD replaces has been closed")
COMMAND("WAIT_CLOSE $", OPERATE, console_wait_close_database, "", "The same for the servers of one database")
COMMAND("DISABLE $", OPERATE, console_disable, "", "Let no new clients into a database")
COMMAND("ENABLE $", OPERATE, console_enable, "", "End DISABLE")
COMMAND("KILL", OPERATE, console_kill, "", "Close all clients and servers; new ones wait for RESUME")
COMMAND("KILL $", OPERATE, console_kill_database, "", "The same for one database")
COMMAND("KILL_CLIENT #", OPERATE, console_kill_client, "", "Close the client with this id (see SHOW CLIENTS)")
COMMAND("FLUSH CACHE", OPERATE, console_flush, "", "Forget all cached results, in memory and in Redis")
COMMAND("INVALIDATE KEY $", OPERATE, console_invalidate_key, "where dropped:8 text", "Forget cached results by what they are called, in Redis and in the memory of this process: a pattern as Redis' SCAN has them; results of a rule without key are called as the rule")
COMMAND("INVALIDATE TABLE $", OPERATE, console_invalidate_table, "table ended", "End cached results that depend on a table, as a write of any of its rows does, in memory and in Redis")
COMMAND("INVALIDATE TABLE $ TENANT $", OPERATE, console_invalidate_tenant, "table ended", "The same of rows with this value in the column of the rules' keys that names the tenant")
COMMAND("INVALIDATE TABLE $ MONTH $", OPERATE, console_invalidate_month, "table ended", "The same of rows of a month, YYYY-MM, by a month of the rules' keys")
COMMAND("INVALIDATE TABLE $ TENANT $ MONTH $", OPERATE, console_invalidate_tenant_month, "table ended", "The same of rows of this tenant and month")
COMMAND("INVALIDATE ALL", OPERATE, console_invalidate_all, "", "The same as FLUSH CACHE")
COMMAND("START EXPERIMENT $", OPERATE, console_start_experiment, "", "Begin a run of an experiment, measuring anew")
COMMAND("STOP EXPERIMENT $", OPERATE, console_stop_experiment, "", "End it: the variant in use serves everybody; what was measured is kept")
COMMAND("PROMOTE EXPERIMENT $ $", OPERATE, console_promote_experiment, "", "End it, and let this arm serve everybody")
COMMAND("WEIGH EXPERIMENT $ $", OPERATE, console_weigh_experiment, "", "Give arms other weights, as 'plain:90, monthly:10'; if it is running, a new run begins")
COMMAND("RELOAD", ADMIN, console_reload, "", "Read the configuration file again; answers when all workers use it, with a NOTICE for every change")
COMMAND("CHECK LAYOUTS", OPERATE, console_check_layouts, "table variant backend state read_at kind text", "Read the catalogs of sharded and monthly variants and of the keys of cache rules again; answers as SHOW LAYOUTS when all workers use what was found")
COMMAND("CHECK SHARDS", OPERATE, console_check_shards, "table variant remainder:4 modulus:4 backend relation misplaced:8 text", "Count rows that are on a shard their key does not belong to, reading all rows of all shards")
COMMAND("CHECK CACHE", OPERATE, console_check_cache, "backend table relation kind published identity tells state checked_at text", "What the catalogs said last, at most five seconds ago, of the tables of cache rules on followed backends: published, and what their replica identity tells")
COMMAND("SHUTDOWN", ADMIN, console_shutdown, "", "Stop as SIGTERM does: clients may finish their transactions")
COMMAND("SHUTDOWN WAIT_FOR_SERVERS", ADMIN, console_shutdown_servers, "", "The same, however long transactions take")
COMMAND("SHUTDOWN WAIT_FOR_CLIENTS", ADMIN, console_shutdown_clients, "", "Let no new clients in and stop when the last one has gone")
COMMAND("SET % = +", ADMIN, console_set, "", "Change a setting until the next RELOAD or restart; values as in the file, lists as 'a, b'")
COMMAND("SET & *", READ, console_set_ignored, "", "Accepted and ignored: drivers send it")
COMMAND("BEGIN *", READ, console_begin, "", "Accepted and ignored: drivers send it")
COMMAND("START TRANSACTION *", READ, console_start, "", "Accepted and ignored: drivers send it")
COMMAND("COMMIT *", READ, console_commit, "", "Accepted and ignored: drivers send it")
COMMAND("ROLLBACK *", READ, console_rollback, "", "Accepted and ignored: drivers send it")
COMMAND("RESET SHAPES", OPERATE, console_reset_shapes, "", "Begin anew to count for SHOW SHAPES")
COMMAND("RESET *", READ, console_reset, "", "Accepted and ignored: drivers send it")
COMMAND("DISCARD *", READ, console_discard, "", "Accepted and ignored: drivers send it")
ABSENT("SUSPEND", OPERATE, "There is no takeover of sockets by a new process: PAUSE, restart, RESUME; or let systemd hold the sockets.")
ABSENT("SHOW FDS", READ, "It serves takeovers of sockets, which there are not. SHOW SOCKETS shows connections.")
ABSENT("SHOW DNS_HOSTS", READ, "Names are resolved by libpq when it connects, and not kept.")
ABSENT("SHOW DNS_ZONES", READ, "Names are resolved by libpq when it connects, and not kept.")
ABSENT("SHOW PEERS", READ, "There is no peering: processes share nothing but PostgreSQL and Redis.")
ABSENT("SHOW PEER_POOLS", READ, "There is no peering: processes share nothing but PostgreSQL and Redis.")
#undef COMMAND
#undef ABSENT
