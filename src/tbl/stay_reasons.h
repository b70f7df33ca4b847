/* SPDX-License-Identifier: PostgreSQL
 *
 * STAY_REASON(symbol, name, doc): why a client cannot be moved to another
 * process, the first that is true counts. */
STAY_REASON(LOGIN, "login", "it is logging in")
STAY_REASON(CONSOLE, "console", "it is on the console")
STAY_REASON(TLS, "tls", "its connection's keys are in this process")
STAY_REASON(TRANSACTION, "transaction", "it is in a transaction, or waits for an answer")
STAY_REASON(LISTEN, "listen", "it has listened to notifications")
STAY_REASON(SERVER, "server", "it holds a server: it is pinned, or pools by session")
STAY_REASON(UNREAD, "unread", "it has not taken what it was sent")
STAY_REASON(STATEMENTS, "statements", "it has prepared statements from before a change of tables")
STAY_REASON(REDIS, "redis", "Redis has not acknowledged what was written here")
STAY_REASON(FILES, "files", "there are no descriptors left")
STAY_REASON(CHANNEL, "channel", "the other process takes no more")
#undef STAY_REASON
