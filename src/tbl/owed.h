/* SPDX-License-Identifier: PostgreSQL
 * OWED(symbol, name): kinds of replies a server can owe. */
OWED(QUERY, "query")
OWED(FUNCTION, "function call")
OWED(PARSE, "parse")
OWED(BIND, "bind")
OWED(DESCRIBE_S, "describe statement")
OWED(DESCRIBE_P, "describe portal")
OWED(EXECUTE, "execute")
OWED(CLOSE, "close")
OWED(SYNC, "sync")
OWED(SYNTH, "reply of our own")
#undef OWED
