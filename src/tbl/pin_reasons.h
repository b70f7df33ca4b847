/* SPDX-License-Identifier: PostgreSQL
 *
 * PIN_REASON(symbol, name, doc, question): why a session keeps its server.
 * question: SQL that tells, between transactions, whether it still has to,
 * whatever the session's search_path is; NULL: PostgreSQL cannot tell. */
PIN_REASON(SETTING, "setting", "a setting was changed that cannot be followed", NULL)
PIN_REASON(PREPARE, "prepare", "PREPARE, EXECUTE or DEALLOCATE in a form that has to go to the server as it is", NULL)
PIN_REASON(LISTEN, "listen", "LISTEN, where it is not shared (shared_listen)", "EXISTS (SELECT FROM pg_catalog.pg_listening_channels())")
PIN_REASON(TEMP, "temp_table", "temporary table, view or sequence", "EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())")
PIN_REASON(CURSOR, "cursor_with_hold", "DECLARE ... WITH HOLD", "EXISTS (SELECT FROM pg_catalog.pg_cursors c WHERE c.is_holdable)")
PIN_REASON(ADVISORY, "advisory_lock", "session advisory lock", "EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' AND l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())")
PIN_REASON(SEQUENCE, "sequence_state", "currval, lastval or setval", NULL)
PIN_REASON(FUNCTION, "function", "function that may leave session state", NULL)
PIN_REASON(CODE, "code", "DO or CALL", NULL)
PIN_REASON(LOAD, "load", "LOAD or other module state", NULL)
PIN_REASON(UNPARSED, "unparsed", "statement that our grammar does not know", NULL)
#undef PIN_REASON
