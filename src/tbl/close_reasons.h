/* SPDX-License-Identifier: PostgreSQL
 *
 * CLOSE_REASON(symbol, counter, sqlstate, text): why a session ended. With a
 * SQLSTATE the client is told (FATAL) if the wire allows; counter: field of
 * struct counters to bump, or none. */
CLOSE_REASON(CLIENT_GONE, none, NULL, "client disconnected")
CLOSE_REASON(TERMINATE, none, NULL, "client said goodbye")
CLOSE_REASON(CANCEL_SENT, none, NULL, "cancel request handled")
CLOSE_REASON(PROTOCOL, client_protocol_errors, "08P01", "protocol violation")
CLOSE_REASON(STARTUP, client_protocol_errors, "08P01", "invalid startup packet")
CLOSE_REASON(VERSION, client_protocol_errors, "0A000", "unsupported frontend protocol")
CLOSE_REASON(TLS_FAILED, client_login_failures, NULL, "TLS handshake failed")
CLOSE_REASON(TLS_REQUIRED, client_login_failures, "28000", "this server accepts only TLS connections")
CLOSE_REASON(AUTH, client_login_failures, "28P01", "password authentication failed")
CLOSE_REASON(NO_DATABASE, client_login_failures, "3D000", "database does not exist")
CLOSE_REASON(NOT_ADMIN, client_login_failures, "42501", "not allowed to use the console")
CLOSE_REASON(REPLICATION, client_login_failures, "0A000", "replication connections are not supported")
CLOSE_REASON(TOO_MANY, client_refused, "53300", "too many client connections (max_client_conn)")
CLOSE_REASON(SHUTDOWN, client_refused, "57P01", "terminating connection because pgsluice is shutting down")
CLOSE_REASON(BACKEND_DOWN, client_login_failures, "08006", "no server can be reached")
CLOSE_REASON(SERVER_LOST, none, "08006", "the server connection was lost")
CLOSE_REASON(SERVER_CUT, none, NULL, "the server connection was lost in the middle of a row")
CLOSE_REASON(SERVER_FATAL, none, NULL, "the server ended the session")
CLOSE_REASON(LOGIN_TIMEOUT, client_timeouts, "08P01", "client_login_timeout")
CLOSE_REASON(IDLE_TIMEOUT, client_timeouts, "57P05", "terminating connection due to client_idle_timeout")
CLOSE_REASON(TX_TIMEOUT, client_timeouts, "25P03", "terminating connection due to idle_transaction_timeout")
CLOSE_REASON(QUERY_TIMEOUT, client_timeouts, "57014", "terminating connection due to query_timeout")
CLOSE_REASON(MESSAGE_TIMEOUT, client_timeouts, "08P01", "terminating connection due to message_timeout")
CLOSE_REASON(MESSAGE_SIZE, client_protocol_errors, "54000", "message is larger than max_message_size")
CLOSE_REASON(PREPARED_MEMORY, client_protocol_errors, "53200", "prepared statements need more than max_prepared_bytes")
CLOSE_REASON(MEMORY, none, "53200", "out of memory for this connection")
CLOSE_REASON(CONFIG, none, "57P01", "the database was removed from the configuration")
CLOSE_REASON(KILLED, none, "57P01", "terminating connection due to administrator command")
#undef CLOSE_REASON
