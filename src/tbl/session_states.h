/* SPDX-License-Identifier: PostgreSQL
 *
 * SESSION_STATE(symbol, name, messages, server, doc)
 * messages: client message types that are acted on in this state; NULL: bytes
 * are kept until the state changes; "": none is legal.
 * server: 'n' holds none, 'y' holds one, '?' either. */
SESSION_STATE(STARTUP, "startup", "", 'n', "waiting for the startup packet")
SESSION_STATE(TLS, "tls", "", 'n', "TLS handshake")
SESSION_STATE(AUTH, "auth", "pX", 'n', "authentication exchange")
SESSION_STATE(AUTH_WAIT, "auth_wait", NULL, 'n', "a password is being checked, or a user looked up")
SESSION_STATE(WELCOME, "login", NULL, 'n', "waiting for a first server, to keep it or to learn what to tell the client")
SESSION_STATE(IDLE, "idle", "QPBDECSHFXdcf", '?', "waiting for a statement; holds a server if pinned, in a transaction, or by session pooling")
SESSION_STATE(LOOKUP, "lookup", NULL, '?', "asking L2")
SESSION_STATE(FILL_WAIT, "fill_wait", NULL, '?', "waiting for another session's fill")
SESSION_STATE(SERVER_WAIT, "server_wait", NULL, 'n', "waiting for a server")
SESSION_STATE(LISTEN_WAIT, "listen_wait", NULL, '?', "waiting until the listening server has confirmed LISTEN")
SESSION_STATE(CANCEL_WAIT, "cancel_wait", NULL, '?', "waiting until a cancel request is through, before the next statement follows it")
SESSION_STATE(GATHER, "gather", NULL, 'n', "several shards are asked at once")
SESSION_STATE(SPREAD_WAIT, "spread_wait", NULL, 'n', "a COPY over several shards begins or ends")
SESSION_STATE(SPREAD_COPY, "spread_copy", "dcfHSX", 'n', "rows of a COPY are dealt out to shards")
SESSION_STATE(RELAY, "active", "QPBDECSHFXdcf", 'y', "replies are owed by a server")
SESSION_STATE(CONSOLE, "console", NULL, 'n', "a console command is being gathered")
SESSION_STATE(CLOSED, "closed", "", 'n', "closed, to be freed at the end of the turn")
#undef SESSION_STATE
