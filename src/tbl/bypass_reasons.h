/* SPDX-License-Identifier: PostgreSQL
 * BYPASS_REASON(symbol, name, doc): why a statement was not answered from or
 * stored in the cache. */
BYPASS_REASON(NO_RULE, "no_rule", "no cache rule names all tables it reads")
BYPASS_REASON(DISABLED, "disabled", "the cache is off for this database")
BYPASS_REASON(NOT_SELECT, "not_select", "not a single plain SELECT")
BYPASS_REASON(NO_TABLE, "no_table", "reads no table")
BYPASS_REASON(LOCKING, "locking", "takes row or advisory locks")
BYPASS_REASON(VOLATILE, "volatile", "calls a volatile function")
BYPASS_REASON(STABLE, "stable", "calls a stable function and the rule does not say allow_stable")
BYPASS_REASON(UNKNOWN_FN, "unknown_function", "calls a function that is not known")
BYPASS_REASON(CATALOG, "catalog", "reads system catalogs")
BYPASS_REASON(UNPARSED, "unparsed", "cannot be parsed")
BYPASS_REASON(IN_TRANSACTION, "in_transaction", "inside a transaction that has written, locked, failed or is not READ COMMITTED")
BYPASS_REASON(SESSION_STATE, "session_state", "the session has state that is not in the key")
BYPASS_REASON(SETTINGS_DIFFER, "settings_differ", "this server's settings differ from the session's")
BYPASS_REASON(PIPELINED, "pipelined", "earlier statements of the pipeline are still running")
BYPASS_REASON(PROTOCOL, "protocol", "message sequence that is not one complete statement")
BYPASS_REASON(TOO_LARGE, "too_large", "result over cache_max_object, or no memory")
BYPASS_REASON(NOTICE, "notice", "the reply held a notice, warning or parameter change")
BYPASS_REASON(FAILED, "error", "the statement failed")
BYPASS_REASON(FILL_WAIT, "fill_wait", "waited too long for another session's fill")
BYPASS_REASON(INVALIDATED, "invalidated", "a table it depends on was written during the fill")
#undef BYPASS_REASON
