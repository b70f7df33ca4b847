/* SPDX-License-Identifier: PostgreSQL
 *
 * COMMAND(words, permission, handler, help): every console command, once.
 *
 * words: in upper case, compared without regard to case; # stands for a
 * number, * for any further words. permission: LOOK (admin_users and
 * stats_users) or ADMIN (admin_users). Order is that of SHOW HELP.
 */
COMMAND("SHOW HELP", LOOK, console_show_help, "This list")
COMMAND("SHOW VERSION", LOOK, console_show_version, "Version of pgsluice and of the libraries it runs with")
COMMAND("SHOW STATS", LOOK, console_show_stats, "Counters since the start")
COMMAND("SHOW LATENCY", LOOK, console_show_latency, "Number and latency of statements, by route, variant, backend and outcome")
COMMAND("SHOW CLIENTS", LOOK, console_show_clients, "Client connections")
COMMAND("SHOW SERVERS", LOOK, console_show_servers, "Connections to backends")
COMMAND("SHOW POOLS", LOOK, console_show_pools, "Pools: servers and waiting clients by backend and user")
COMMAND("SHOW BACKENDS", LOOK, console_show_backends, "Configured PostgreSQL servers and whether they can be reached")
COMMAND("SHOW DATABASES", LOOK, console_show_databases, "Databases that clients can connect to")
COMMAND("SHOW ROUTES", LOOK, console_show_routes, "Routed tables and their variants")
COMMAND("SHOW CACHE", LOOK, console_show_cache, "Cache: memory, Redis, lookups, bypass reasons, rules")
COMMAND("SHOW CONFIG", LOOK, console_show_config, "Settings in force")
COMMAND("SHOW WORKERS", LOOK, console_show_workers, "Worker threads: clients, servers, statement shapes")
COMMAND("SHOW LISTS", LOOK, console_show_lists, "How many of each there are")
COMMAND("RELOAD", ADMIN, console_reload, "Read the configuration file again; answers when all workers use it")
COMMAND("PAUSE", ADMIN, console_pause, "Lend no more servers; statements wait")
COMMAND("RESUME", ADMIN, console_resume, "End PAUSE")
COMMAND("RECONNECT", ADMIN, console_reconnect, "Replace every server as it becomes idle")
COMMAND("FLUSH CACHE", ADMIN, console_flush, "Forget all cached results, in memory and in Redis")
COMMAND("KILL_CLIENT #", ADMIN, console_kill, "Close the client with this id (see SHOW CLIENTS)")
COMMAND("SHUTDOWN", ADMIN, console_shutdown, "Stop as SIGTERM does: clients may finish their transactions")
COMMAND("SET *", LOOK, console_set, "Accepted and ignored: drivers send it")
COMMAND("BEGIN *", LOOK, console_begin, "Accepted and ignored: drivers send it")
COMMAND("COMMIT *", LOOK, console_commit, "Accepted and ignored: drivers send it")
COMMAND("ROLLBACK *", LOOK, console_rollback, "Accepted and ignored: drivers send it")
#undef COMMAND
