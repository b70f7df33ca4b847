/* SPDX-License-Identifier: PostgreSQL
 * PIN_REASON(symbol, name, doc): why a session keeps its server. */
PIN_REASON(SETTING, "setting", "a setting was changed that cannot be followed")
PIN_REASON(PREPARE, "prepare", "PREPARE, EXECUTE or DEALLOCATE in a form that has to go to the server as it is")
PIN_REASON(LISTEN, "listen", "LISTEN, where it is not shared (shared_listen)")
PIN_REASON(TEMP, "temp_table", "temporary table, view or sequence")
PIN_REASON(CURSOR, "cursor_with_hold", "DECLARE ... WITH HOLD")
PIN_REASON(ADVISORY, "advisory_lock", "session advisory lock")
PIN_REASON(SEQUENCE, "sequence_state", "currval, lastval or setval")
PIN_REASON(FUNCTION, "function", "function that may leave session state")
PIN_REASON(CODE, "code", "DO or CALL")
PIN_REASON(LOAD, "load", "LOAD or other module state")
PIN_REASON(UNPARSED, "unparsed", "statement that our grammar does not know")
#undef PIN_REASON
