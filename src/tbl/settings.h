/* SPDX-License-Identifier: PostgreSQL
 *
 * Every top-level setting, once: struct conf, the parser, SHOW CONFIG and
 * doc/configuration.md come from here.
 *
 * SETTING_x(name, default, [low, high | type, words], reloadable, doc)
 * TIME is given in the file as "250ms", "30s", "5min", "1h", "7d", or "0"; SIZE as
 * "64kB", "64MB", "1GB"; bounds and defaults below are in ns and bytes, ENUM words are
 * separated by '|' in the order of the enum's values.
 */
#ifndef SETTING_BOOL
#define SETTING_BOOL(name, def, reload, doc)
#endif
#ifndef SETTING_INT
#define SETTING_INT(name, def, lo, hi, reload, doc)
#endif
#ifndef SETTING_SIZE
#define SETTING_SIZE(name, def, lo, hi, reload, doc)
#endif
#ifndef SETTING_TIME
#define SETTING_TIME(name, def, lo, hi, reload, doc)
#endif
#ifndef SETTING_STR
#define SETTING_STR(name, def, reload, doc)
#endif
#ifndef SETTING_ENUM
#define SETTING_ENUM(name, type, def, words, reload, doc)
#endif
#ifndef SETTING_LIST
#define SETTING_LIST(name, def, reload, doc)
#endif

#define S_ NSEC_PER_SEC
#define KB_ 1024ll
#define MB_ (1024ll * 1024)
#define GB_ (1024ll * 1024 * 1024)

/* where we listen */
SETTING_LIST(listen, "127.0.0.1:6432", false, "Addresses for PostgreSQL clients, host:port or [v6]:port. Names are resolved once, at start.")
SETTING_STR(unix_socket_dir, "", false, "Directory for a unix socket .s.PGSQL.PORT (port of the first listen address); empty: none.")
SETTING_INT(unix_socket_mode, 0777, 0, 0777, false, "Permission bits of the unix socket.")
SETTING_STR(http_listen, "", false, "Address for /metrics, /healthz, /readyz, the dashboard and its JSON API; empty: none.")
SETTING_ENUM(http_dashboard, enum conf_http_dashboard, HTTP_DASHBOARD_LOOPBACK, "loopback|everybody|token|off", true, "Who may look at the dashboard and read the JSON API, where names of users and texts of statements stand. loopback: who connects from this machine; everybody: who reaches the port; token: who has that of http_token_file; off: nobody. /metrics is for all.")
SETTING_LIST(http_hosts, "", true, "Names, besides localhost and addresses, under which browsers reach the dashboard: those of a proxy before it.")
SETTING_STR(http_token_file, "", true, "File whose first line, of at least 16 bytes, is the token for actions on the dashboard and the JSON API; who has it may what admin_users may but SHUTDOWN and SET. Empty: there are none.")
SETTING_TIME(takeover_timeout, 30 * S_, 0, 86400 * S_, true, "After another process has taken over (SIGUSR2, TAKEOVER on the console): how long clients that cannot be moved to it may stay; then they are closed when their transaction ends.")
SETTING_INT(workers, 0, 0, 256, false, "Worker threads; 0: one per CPU.")
SETTING_ENUM(log_level, int, 2, "error|warn|info|debug", true, "Least severe level that is logged.")

/* what is told of single statements */
SETTING_STR(log_min_duration_statement, "-1", true, "Statements that take at least this long are logged, a line each; 0: all; -1: none. Per database and user too.")
SETTING_STR(log_statement_sample_rate, "0", true, "Share of all statements that are logged however short they are, such as \"0.1%\"; 0: none.")
SETTING_ENUM(log_statement_text, enum conf_log_text, LOG_TEXT_SHAPE, "shape|full", true, "What these lines hold of a statement's text. shape: its words, without literals and comments; full: as the client sent it, with them, unless the word password is in it. Values of parameters are never logged.")
SETTING_BOOL(trace_exemplars, false, true, "The buckets of pgsluice_query_duration_seconds carry trace_id and span_id of a statement that said in a comment (sqlcommenter's traceparent) that its trace is kept; where the reader asks for OpenMetrics.")
SETTING_BOOL(track_shapes, false, true, "Calls, rows, times and outcomes of the cache are counted for each statement shape, for SHOW SHAPES.")
SETTING_INT(track_shapes_max, 1000, 10, 20000, true, "Shapes that each worker counts, about 3 kB each; of more, those met long ago and seldom are forgotten.")

/* who may come in */
SETTING_ENUM(auth, enum conf_auth, CONF_AUTH_SCRAM, "scram-sha-256|trust|md5|password|cert|peer|hba", true, "How clients prove who they are; hba: as auth_hba_file says. password is taken over TLS and the unix socket only, unless a rule of auth_hba_file says otherwise.")
SETTING_STR(auth_hba_file, "", true, "Rules in the format of pg_hba.conf: who may connect from where to which database, and by which method. Needs auth = \"hba\".")
SETTING_STR(auth_ident_file, "", true, "User name maps in the format of pg_ident.conf, for map= in auth_hba_file.")
SETTING_STR(users_file, "", true, "File of \"user\" \"secret\" lines; a secret is a SCRAM-SHA-256 verifier or an md5 hash as in pg_authid, or a plain password.")
SETTING_STR(auth_user, "", true, "Role that looks up users who are not in users_file, with auth_query; its password comes from users_file or a conninfo. Empty: only users_file counts.")
SETTING_STR(auth_query, "SELECT rolname::pg_catalog.text, CASE WHEN rolvaliduntil OPERATOR(pg_catalog.<) pg_catalog.now() THEN NULL ELSE rolpassword END FROM pg_catalog.pg_authid WHERE rolname OPERATOR(pg_catalog.=) $1 AND rolcanlogin AND (rolsuper OR rolconnlimit OPERATOR(pg_catalog.<>) 0)", true, "Query for one user, $1; gives name and secret, or no row. search_path is empty: qualify all names.")
SETTING_STR(auth_dbname, "", true, "Database (of this file) in which auth_query runs; empty: the one the client asks for.")
SETTING_TIME(auth_cache_ttl, 10 * S_, 0, 3600 * S_, true, "How long answers of auth_query are remembered, so that changed passwords and roles that may no longer log in count at the latest; 0: not at all.")
SETTING_ENUM(tls_mode, enum conf_tls_mode, TLS_MODE_DISABLE, "disable|allow|prefer|require|verify-ca|verify-full", true, "TLS for clients. allow and prefer: if they ask for it; require: no other, the unix socket excepted; verify-ca and verify-full: and only with a certificate that tls_ca_file vouches for (whom it is made out to is for the authentication rules).")
SETTING_STR(tls_cert_file, "", true, "Server certificate chain, PEM.")
SETTING_STR(tls_key_file, "", true, "Its private key, PEM, not readable by others, without a passphrase.")
SETTING_STR(tls_ca_file, "", true, "CA that signs client certificates; empty: none are asked for. One is demanded on every TLS connection, but with auth = \"hba\" only where tls_mode or a rule says so.")
SETTING_ENUM(tls_min_version, enum conf_tls_version, 0, "TLSv1.2|TLSv1.3", true, "Oldest version of TLS spoken with clients.")
SETTING_STR(tls_ciphers, "", true, "Ciphers for TLS 1.2, in OpenSSL's format; empty: the library's.")
SETTING_STR(tls13_ciphers, "", true, "Cipher suites for TLS 1.3; empty: the library's.")
SETTING_ENUM(server_tls_sslmode, enum conf_server_tls, SERVER_TLS_PREFER, "disable|allow|prefer|require|verify-ca|verify-full", true, "TLS to backends, as libpq's sslmode. This and the other server_tls_ settings count for backends whose conninfo does not say it.")
SETTING_STR(server_tls_ca_file, "", true, "CA that signs the certificates of backends (sslrootcert).")
SETTING_STR(server_tls_cert_file, "", true, "Certificate that backends are shown (sslcert).")
SETTING_STR(server_tls_key_file, "", true, "Its private key, PEM, not readable by others (sslkey).")
SETTING_ENUM(server_tls_min_version, enum conf_tls_version, 0, "TLSv1.2|TLSv1.3", true, "Oldest version of TLS spoken with backends.")
SETTING_LIST(admin_users, "", true, "Users who may run every console command.")
SETTING_LIST(operator_users, "", true, "Users who may look and steer traffic on the console: PAUSE, RESUME, RECONNECT, KILL, FLUSH and the like; neither settings nor SHUTDOWN.")
SETTING_LIST(stats_users, "", true, "Users who may only look (SHOW) on the console.")

/* limits */
SETTING_INT(max_client_conn, 1000, 1, 1000000, true, "Client connections in all.")
SETTING_INT(max_db_client_connections, 0, 0, 1000000, true, "Client connections of one database; 0: no limit of its own. Per database too.")
SETTING_INT(max_user_client_connections, 0, 0, 1000000, true, "Client connections of one user; 0: no limit of its own. Per user too.")
SETTING_INT(max_address_client_connections, 0, 0, 1000000, true, "Client connections from one IP address; 0: no limit of its own. The unix socket has none.")
SETTING_SIZE(max_message_size, GB_, 64 * KB_, GB_, true, "Largest single message taken from a client. Long ones stream: this is no limit on memory.")
SETTING_SIZE(max_statement_size, MB_, KB_, 64 * MB_, true, "Longer statements are passed on unparsed: never cached, never routed by key.")
SETTING_SIZE(max_prepared_bytes, 16 * MB_, 64 * KB_, GB_, true, "Memory for one session's prepared statements.")
SETTING_TIME(client_login_timeout, 60 * S_, S_, 3600 * S_, true, "A client that has not logged in by then is closed.")
SETTING_TIME(client_idle_timeout, 0, 0, 30 * 86400 * S_, true, "Idle clients are closed after this; 0: never. Per user too.")
SETTING_TIME(message_timeout, 60 * S_, S_, 86400 * S_, true, "A client that sent part of a message and went silent is closed after this.")
SETTING_TIME(idle_transaction_timeout, 0, 0, 30 * 86400 * S_, true, "A client idle inside a transaction is closed after this; 0: never. Per user too.")
SETTING_TIME(transaction_timeout, 0, 0, 30 * 86400 * S_, true, "A client whose transaction, idle or not, lasts longer is closed; 0: never. Per user too.")
SETTING_TIME(query_timeout, 0, 0, 30 * 86400 * S_, true, "A statement running longer is cancelled and its client closed; 0: never. Per user too.")
SETTING_BOOL(tcp_keepalive, true, true, "Keepalive probes on connections of clients, which notice peers that are gone without a word.")
SETTING_TIME(tcp_keepidle, 0, 0, 32767 * S_, true, "Silence before the first probe, in whole seconds; 0: the system's.")
SETTING_TIME(tcp_keepintvl, 0, 0, 32767 * S_, true, "Time between probes, in whole seconds; 0: the system's.")
SETTING_INT(tcp_keepcnt, 0, 0, 127, true, "Probes without an answer that end a connection; 0: the system's.")
SETTING_TIME(tcp_user_timeout, 0, 0, 86400 * S_, true, "How long bytes sent to a client may stay unacknowledged; 0: the system's.")

/* several processes that serve the same clients */
SETTING_INT(node, 0, 0, 255, true, "Number of this process among several that serve the same clients, each another; it is part of the cancel keys that clients get from then on, see block peer. 0: it has none.")

/* numbers */
SETTING_TIME(stats_period, 60 * S_, S_, 86400 * S_, true, "The averages of SHOW STATS are over the last whole period of this length.")

/* pools */
SETTING_ENUM(pool_mode, enum conf_pool_mode, POOL_MODE_TRANSACTION, "transaction|session", true, "When a server goes back to its pool; per database too.")
SETTING_INT(pool_size, 20, 1, 10000, true, "Servers per (backend, user), process-wide.")
SETTING_INT(max_db_connections, 0, 0, 1000000, true, "Servers of one backend over all its pools; 0: no maximum. Per backend too.")
SETTING_INT(max_user_connections, 0, 0, 1000000, true, "Servers logged in as one user over all pools; 0: no maximum. Per user too.")
SETTING_INT(min_pool_size, 0, 0, 10000, true, "Servers kept open per used pool.")
SETTING_INT(reserve_pool_size, 0, 0, 10000, true, "Servers that a pool may have over its size when a statement has waited for reserve_pool_timeout; per backend too.")
SETTING_TIME(reserve_pool_timeout, 5 * S_, 0, 86400 * S_, true, "How long that is; 0: there is no reserve.")
SETTING_TIME(query_wait_timeout, 120 * S_, 0, 86400 * S_, true, "How long a statement may wait for a server (SQLSTATE 53300 after it); 0: for ever.")
SETTING_TIME(server_idle_timeout, 600 * S_, 0, 86400 * S_, true, "Idle servers over min_pool_size are closed after this; 0: never.")
SETTING_TIME(server_lifetime, 3600 * S_, 0, 30 * 86400 * S_, true, "Servers older than this are closed when idle; 0: never.")
SETTING_TIME(server_connect_timeout, 15 * S_, S_, 3600 * S_, true, "Time for one connection attempt to a backend, login included.")
SETTING_TIME(server_login_retry, S_, 0, 3600 * S_, true, "After a failed attempt the next one waits this long, doubling up to 15 times it.")
SETTING_INT(max_server_prepared, 500, 10, 100000, true, "Prepared statements kept per server; the least recently used is closed.")
SETTING_BOOL(shared_listen, true, true, "In transaction pooling, LISTEN is done by one server for all sessions of a backend and user; off: it pins the session to a server of its own.")
SETTING_SIZE(max_notification_bytes, 4 * MB_, 64 * KB_, GB_, true, "Notifications kept for one session that is in a transaction or does not read; over it the session is closed.")
SETTING_INT(prepare_unnamed_after, 5, 0, 1000000, true, "Outside of transaction blocks, an unnamed statement that is sent again with each use runs as a prepared one after this many uses; 0: never.")
SETTING_SIZE(max_gather_bytes, 4 * MB_, 64 * KB_, GB_, true, "Rows kept of one statement whose answer is put together from several shards; over it the coordinator is asked.")
SETTING_LIST(readonly_functions, "", true, "Functions of yours that only read: calling them writes nothing and leaves no session state.")
SETTING_LIST(stateless_functions, "", true, "Functions of yours that may write but leave no session state: calling them does not pin.")

/* layouts of sharded and monthly tables */
SETTING_TIME(layout_interval, 60 * S_, 0, 86400 * S_, true, "How often the catalogs of sharded and monthly variants are read again; 0: only at start, at RELOAD, on CHECK LAYOUTS, and when a statement fails as if partitions had moved.")
SETTING_STR(layout_user, "", true, "Role that reads them, and those of cached tables (revocation_bound), on backends whose conninfo names no user; its password comes from users_file or a conninfo. Empty: auth_user.")

/* replicas */
SETTING_TIME(replica_interval, 100 * NSEC_PER_MSEC, 10 * NSEC_PER_MSEC, 60 * S_, true, "How often backends with replicas, and these, are asked how far they have come. What a session has written or seen is known to be on a replica only when both have been asked after it.")
SETTING_TIME(replica_timeout, S_, 10 * NSEC_PER_MSEC, 60 * S_, true, "One that has not answered by then, or cannot be connected to, takes no reads. It is asked by the user that layouts are read as.")

/* cache */
SETTING_SIZE(cache_memory, 64 * MB_, 0, 1024 * GB_, true, "Bytes for L1, overhead included; 0: no L1.")
SETTING_SIZE(cache_max_object, MB_, KB_, 64 * MB_, true, "Larger results are not cached.")
SETTING_TIME(revocation_bound, 5 * S_, 0, 3600 * S_, true, "Privileges, policies, roles and what tables have to do with one another are looked at twice in this time on every backend of databases with cache rules, as layout_user; what has changed counts for hits within it, and nothing is cached where it could not be seen for so long. 0: not at all, and rules take statements at their word.")
SETTING_INT(cache_tenant_share, 100, 1, 100, true, "Percent of cache_memory that results of one tenant may take; of more, its own oldest go. A tenant is a value of a routed table's key, else of the first of the rule's keys that leaves one value, else the rule. 100: no limit.")
SETTING_BOOL(cache_governor, true, true, "Statements of a shape are no longer stored while caching them costs more than it saves, see SHOW CACHE SHAPES; a sample of one key in 16 still is. false: whatever a rule covers is stored.")
SETTING_STR(verify, "0", true, "Share of hits that are asked for again of the backend, after the client has its answer, and compared, such as \"0.1%\"; 0: none. Per rule too.")
SETTING_TIME(cache_fill_wait, 10 * S_, 0, 600 * S_, true, "How long others wait for one fill before they ask the backend themselves.")
SETTING_STR(redis_host, "", false, "Redis for L2; empty: L2 off.")
SETTING_INT(redis_port, 6379, 1, 65535, false, "Its port.")
SETTING_STR(redis_unix_socket, "", false, "Its unix socket, instead of host and port.")
SETTING_LIST(redis_sentinels, "", false, "Sentinels, host:port each, that tell where Redis is, instead of host and port.")
SETTING_STR(redis_sentinel_master, "mymaster", false, "The name under which they know it.")
SETTING_STR(redis_user, "", false, "ACL user; empty: the default user.")
SETTING_STR(redis_password_file, "", false, "File whose first line is the Redis password.")
SETTING_ENUM(redis_tls, enum conf_redis_tls, REDIS_TLS_DISABLE, "disable|require|verify-ca|verify-full", false, "TLS to Redis. require: whoever it is; verify-ca: with a certificate that redis_tls_ca_file vouches for; verify-full: that is also made out to redis_host.")
SETTING_STR(redis_tls_ca_file, "", true, "CA that signs the certificate of Redis.")
SETTING_STR(redis_tls_cert_file, "", true, "Certificate that Redis is shown.")
SETTING_STR(redis_tls_key_file, "", true, "Its private key, PEM, not readable by others.")
SETTING_STR(redis_key_file, "", true, "Keys that seal entries, a line of 64 hexadecimal digits each; the first one seals, all open. Empty: entries are in clear.")
SETTING_INT(redis_database, 0, 0, 1023, false, "Redis database number.")
SETTING_STR(redis_prefix, "pgsluice", false, "First part of every key.")
SETTING_BOOL(redis_tracking, true, false, "Redis tells this process of every change to its entries and tokens (CLIENT TRACKING, Redis 6 or newer), on a connection more: results in memory then end as soon as their entry in Redis is deleted, overwritten or expires, or another process writes. false: they live for l1_ttl.")
SETTING_TIME(redis_timeout, 5 * NSEC_PER_MSEC, NSEC_PER_MSEC, 10 * S_, true, "Budget for one Redis answer; the connection is closed when it is overdue.")
SETTING_TIME(redis_retry, S_, 100 * NSEC_PER_MSEC, 600 * S_, true, "Pause of the circuit breaker before Redis is tried again.")

/* the feed: what servers write, from their log */
SETTING_STR(feed_publication, "pgsluice", true, "Publication that feeds follow; it must hold all tables of cache rules and publish insert, update, delete and truncate. pgsluice does not create it.")
SETTING_STR(feed_user, "", true, "Role that feeds log in as, on backends whose conninfo names no user; needs REPLICATION. Its password comes from users_file or a conninfo. Empty: layout_user, else auth_user.")
SETTING_TIME(max_feed_lag, 5 * S_, 200 * NSEC_PER_MSEC, 3600 * S_, true, "What strong rules promise: when a feed has not proven for so long that it has seen everything, the cache is bypassed. Feeds beat, which is one small commit on the backend, five times in it, but at most every 40 ms and at least every second.")
SETTING_SIZE(feed_max_backlog, GB_, MB_, 1024 * GB_, true, "When a feed is behind by so much of the server's log, it gives up its slot, which keeps that log, and begins anew.")

/* experiments */
SETTING_STR(experiment_file, "", false, "File in which experiments, and what was measured of them, survive a restart; empty: they do not. Its folder must be writable.")

#undef S_
#undef KB_
#undef MB_
#undef GB_
#undef SETTING_BOOL
#undef SETTING_INT
#undef SETTING_SIZE
#undef SETTING_TIME
#undef SETTING_STR
#undef SETTING_ENUM
#undef SETTING_LIST
