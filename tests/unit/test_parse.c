/* SPDX-License-Identifier: PostgreSQL
 *
 * What the analysis says of statements of every kind, told by sql_describe():
 * kind FLAGS; pin; params; tables as use:name@text (r read, w written,
 * t target, A has an alias, a takes one); refs; predicates; columns set.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pg_query/pg_query.pb-c.h>

#include "sql/parse_priv.h"
#include "sql_util.h"

static const struct {
	const char *sql, *expect;
} rows[] = {
	{ "SELECT abalance FROM pgbench_accounts WHERE aid = 12345;",
	    "select; ra:pgbench_accounts@pgbench_accounts; 0.aid ="
	    " 12345" },
	{ "SELECT * FROM app.events e WHERE e.tenant_id ="
	    " '5f0c0000-0000-0000-0000-000000000001'::uuid AND"
	    " created_at >= '2024-01-01' AND created_at < $2",
	    "select PARAMS; params 2; rAa:app.events@app.events;"
	    " 0.tenant_id ="
	    " '5f0c0000-0000-0000-0000-000000000001'::uuid;"
	    " 0.created_at >= '2024-01-01'; 0.created_at < $2" },
	{ "SELECT count(*) FROM events WHERE 5 = tenant AND 7 >= x"
	    " AND x BETWEEN -3 AND - - 4 AND y IN (1, -2, $3) AND z ="
	    " ANY(ARRAY['a','b'])",
	    "select PARAMS; params 3; ra:events@events; 0.tenant = 5;"
	    " 0.x <= 7; 0.x >= -3; 0.x <= 4; 0.y in 1 -2 $3; 0.z in 'a'"
	    " 'b'; agg" },
	{ "SELECT * FROM events WHERE a = 1 OR b = 2",
	    "select; ra:events@events; any of next 4; all of next 1; 0.a ="
	    " 1; all of next 1; 0.b = 2" },
	{ "SELECT * FROM events WHERE (a = 1 AND (b = 'x''y' AND c ="
	    " NULL)) AND NOT d = 1",
	    "select; ra:events@events; 0.a = 1; 0.b = 'x''y'; 0.c ="
	    " NULL" },
	{ "SELECT * FROM events AS t(x, y) WHERE x = 1",
	    "select; rAa:events@events" },
	{ "SELECT * FROM events WHERE date_trunc('month', ts) ="
	    " '2024-01-01' AND date_trunc('day', ts) = $1",
	    "select PARAMS; params 1; ra:events@events; 0.ts month"
	    " '2024-01-01'; 0.ts month $1 (not)" },
	{ "SELECT * FROM events WHERE ts >= date_trunc('month',"
	    " now()) - interval '1 month' AND ts < now() AND d ="
	    " current_date - 1 AND e > clock_timestamp()",
	    "select STABLE VOLATILE; ra:events@events; 0.ts >= NOW;"
	    " 0.ts < NOW; 0.d = NOW" },
	{ "SELECT app.events.id, app.events.* FROM app.events WHERE"
	    " app.events.id = 3",
	    "select; ra:app.events@app.events; ref 0 app.events; ref 0"
	    " app.events; ref 0 app.events; 0.id = 3" },
	{ "SELECT \"App\" . events . id FROM \"App\" /* c */ . events,"
	    " other",
	    "select SUBLINK; ra:App.events@\"App\" /* c */ . events"
	    " ra:other@other; ref 0 \"App\" . events" },
	{ "WITH x AS (SELECT * FROM x) SELECT * FROM x JOIN y ON x.id"
	    " = y.id",
	    "select SUBLINK; ra:x@x ra:y@y; 1.id = 0.id" },
	{ "WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT n+1 FROM x,"
	    " z) SELECT * FROM x",
	    "select SUBLINK; ra:z@z" },
	{ "WITH d AS (DELETE FROM q WHERE id = 1 RETURNING *) INSERT"
	    " INTO r SELECT * FROM d",
	    "insert WRITES SUBLINK; wta:q@q wta:r@r; 0.id = 1" },
	{ "SELECT * FROM a UNION SELECT * FROM b",
	    "select SUBLINK; ra:a@a ra:b@b" },
	{ "TABLE foo",
	    "select; r:foo@foo" },
	{ "SELECT * FROM ONLY (foo)",
	    "select; r:foo@foo" },
	{ "SELECT * FROM ONLY foo",
	    "select; ra:foo@foo" },
	{ "SELECT * FROM foo *",
	    "select; ra:foo@foo *" },
	{ "SELECT * FROM (SELECT 1 FROM ONLY foo) q",
	    "select SUBLINK; ra:foo@foo" },
	{ "SELECT * FROM foo TABLESAMPLE system (1)",
	    "select VOLATILE TABLESAMPLE; ra:foo@foo" },
	{ "SELECT 1 FROM pg_class",
	    "select CATALOG; ra:pg_class@pg_class" },
	{ "SELECT 1 FROM information_schema.tables",
	    "select CATALOG;"
	    " ra:information_schema.tables@information_schema.tables" },
	{ "SELECT * FROM t FOR UPDATE OF t SKIP LOCKED",
	    "select LOCKING; ra:t@t" },
	{ "SELECT my_fn(1)",
	    "select WRITES_ALL UNKNOWN_FN; pin function; agg" },
	{ "SELECT my_ro(1), ro2()",
	    "select WRITES_ALL UNKNOWN_FN READONLY_FN; pin function; agg" },
	{ "SELECT my_ro(1), app.ro2()",
	    "select READONLY_FN; agg" },
	{ "SELECT my_st(1)",
	    "select WRITES_ALL VOLATILE; agg" },
	{ "SELECT public.lower('x')",
	    "select WRITES_ALL UNKNOWN_FN; pin function; agg" },
	{ "SELECT pg_catalog.lower('x')",
	    "select" },
	{ "SELECT set_config('a','b',false)",
	    "select VOLATILE; sets 'a'" },
	{ "SELECT set_config($1, $2, true), pg_catalog.set_config('a', 'b',"
	    " $3)",
	    "select VOLATILE PARAMS SET_LOCAL; sets 'a'; params 3" },
	{ "SELECT set_config(name, 'b', false), pg_advisory_lock(1) FROM t",
	    "select LOCKING VOLATILE; pin setting,advisory_lock; ra:t@t" },
	{ "SELECT set_config(new_value := 'b', setting_name := 'a',"
	    " is_local := false)",
	    "select VOLATILE; pin setting" },
	{ "SELECT pg_advisory_lock(1)",
	    "select LOCKING VOLATILE; pin advisory_lock" },
	{ "SELECT pg_try_advisory_lock_shared(1, 2)",
	    "select LOCKING VOLATILE; pin advisory_lock; ends advisory_lock" },
	{ "SELECT pg_advisory_unlock(id) FROM t",
	    "select LOCKING VOLATILE; ends advisory_lock; ra:t@t" },
	{ "SELECT pg_catalog.pg_advisory_unlock_all()",
	    "select LOCKING VOLATILE; ends advisory_lock" },
	{ "SELECT pg_advisory_xact_lock(1)",
	    "select LOCKING VOLATILE" },
	{ "SELECT nextval('s')",
	    "select WRITES VOLATILE" },
	{ "SELECT lastval()",
	    "select VOLATILE; pin sequence_state" },
	{ "SELECT random(), now(), gen_random_uuid()",
	    "select STABLE VOLATILE" },
	{ "SELECT date_trunc('day', ts), count(*) FROM t GROUP BY 1",
	    "select; ra:t@t; agg" },
	{ "SELECT 'now'::timestamptz, $1::date, x::date,"
	    " '10:00'::timetz FROM t",
	    "select STABLE PARAMS DATETIME_LITERAL; params 1; ra:t@t" },
	{ "SELECT x <=> y, a OPERATOR(pg_catalog.+) b, c"
	    " OPERATOR(my.+) d FROM t",
	    "select UNKNOWN_FN; ra:t@t" },
	{ "SELECT query_to_xml('x', true, true, '')",
	    "select WRITES_ALL VOLATILE UNKNOWN_FN; pin function" },
	{ "INSERT INTO app.events (tenant_id, ts, n) VALUES ($1,"
	    " now(), -1), ('a', DEFAULT, random())",
	    "insert WRITES STABLE VOLATILE PARAMS; params 1;"
	    " wta:app.events@app.events; 0.tenant_id rows $1 'a'; 0.ts"
	    " rows NOW ?; 0.n rows -1 ?; rows" },
	{ "INSERT INTO events VALUES (1,2)",
	    "insert WRITES; wta:events@events" },
	{ "INSERT INTO events AS e (a, b) VALUES (1, 2) ON CONFLICT"
	    " (a) DO UPDATE SET b = excluded.b, c = 4 WHERE e.a = 1"
	    " RETURNING *",
	    "insert WRITES; wtAa:events@events; 0.a rows 1; 0.b rows 2;"
	    " set b,c; rows" },
	{ "INSERT INTO events (a) SELECT x FROM src",
	    "insert WRITES SUBLINK; wta:events@events ra:src@src; 0.a from"
	    " 1.x" },
	{ "INSERT INTO events DEFAULT VALUES",
	    "insert WRITES; wta:events@events" },
	{ "INSERT INTO events (a[1]) VALUES (1)",
	    "insert WRITES; wta:events@events" },
	{ "INSERT INTO events (a) VALUES ((SELECT 1 FROM b))",
	    "insert WRITES SUBLINK; wta:events@events ra:b@b; 0.a rows"
	    " ?; rows" },
	{ "UPDATE events SET a = 1, (b, c) = (2, 3) WHERE id = 5",
	    "update WRITES; wta:events@events; 0.id = 5; set a,b,c" },
	{ "UPDATE events e SET a = s.a FROM src s WHERE e.id = 5",
	    "update WRITES SUBLINK; wtAa:events@events rAa:src@src; 0.id ="
	    " 5; set a" },
	{ "DELETE FROM app.events WHERE id = $1 AND ts <"
	    " '2024-01-01'::timestamptz",
	    "delete WRITES PARAMS DATETIME_LITERAL; params 1;"
	    " wta:app.events@app.events; 0.id = $1; 0.ts <"
	    " '2024-01-01'::timestamptz" },
	{ "DELETE FROM events USING x WHERE events.id = x.id",
	    "delete WRITES SUBLINK; wta:events@events ra:x@x; 0.id = 1.id;"
	    " 1.id = 0.id" },
	{ "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN"
	    " UPDATE SET a = 1 WHEN NOT MATCHED THEN INSERT VALUES (1)",
	    "merge WRITES SUBLINK; wta:t@t ra:s@s; any of next 3; all of"
	    " next 1; 0.id = 1.id; all of next 0; set a" },
	{ "COPY t FROM STDIN",
	    "copy-in WRITES; wt:t@t" },
	{ "COPY app.t (a, b) TO STDOUT",
	    "copy-out; rt:app.t@app.t" },
	{ "COPY (SELECT * FROM t) TO STDOUT",
	    "copy-out; ra:t@t" },
	{ "COPY (DELETE FROM t RETURNING *) TO STDOUT",
	    "copy-out WRITES; wta:t@t" },
	{ "COPY t FROM PROGRAM 'x'",
	    "copy-in WRITES WRITES_ALL; wt:t@t" },
	{ "COPY t FROM '/x'",
	    "copy-in WRITES WRITES_ALL; wt:t@t" },
	{ "TRUNCATE a, app.b",
	    "truncate WRITES; wt:a@a wt:app.b@app.b" },
	{ "TRUNCATE a CASCADE",
	    "truncate WRITES WRITES_ALL; wt:a@a" },
	{ "LOCK TABLE a IN SHARE MODE",
	    "lock LOCKING; :a@a" },
	{ "BEGIN",
	    "transaction TX_BEGIN TX_PLAIN" },
	{ "START TRANSACTION ISOLATION LEVEL READ COMMITTED",
	    "transaction TX_BEGIN TX_PLAIN" },
	{ "BEGIN ISOLATION LEVEL SERIALIZABLE",
	    "transaction TX_BEGIN SET_ISOLATION" },
	{ "BEGIN READ ONLY",
	    "transaction TX_BEGIN SET_ISOLATION" },
	{ "COMMIT",
	    "transaction TX_END TX_PLAIN" },
	{ "END",
	    "transaction TX_END TX_PLAIN" },
	{ "COMMIT AND CHAIN",
	    "transaction TX_END TX_CHAIN" },
	{ "ABORT",
	    "transaction TX_END TX_PLAIN" },
	{ "ROLLBACK TO SAVEPOINT x",
	    "transaction SAVEPOINT" },
	{ "SAVEPOINT x",
	    "transaction SAVEPOINT" },
	{ "RELEASE x",
	    "transaction SAVEPOINT" },
	{ "PREPARE TRANSACTION 'x'",
	    "transaction TX_END" },
	{ "COMMIT PREPARED 'x'",
	    "transaction WRITES_ALL" },
	{ "SET x.Y = 'z'",
	    "set; sets x.y" },
	{ "SET transaction_isolation = 'serializable'",
	    "set SET_ISOLATION" },
	{ "SET a = 1; SELECT 1; RESET \"B\"",
	    "set MULTI; sets a; reset b" },
	{ "SET LOCAL work_mem = '1MB'",
	    "set SET_LOCAL" },
	{ "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
	    "set SET_ISOLATION" },
	{ "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
	    "set SET_ISOLATION; sets default_transaction_isolation;"
	    " sets default_transaction_read_only;"
	    " sets default_transaction_deferrable" },
	{ "SET TRANSACTION SNAPSHOT 'x'",
	    "set SET_ISOLATION" },
	{ "SET ROLE x",
	    "set; sets role" },
	{ "SET LOCAL ROLE x",
	    "set SET_LOCAL" },
	{ "SET SESSION AUTHORIZATION x",
	    "set; sets session_authorization; sets role" },
	{ "RESET SESSION AUTHORIZATION",
	    "set; reset session_authorization; reset role" },
	{ "RESET ROLE",
	    "set; reset role" },
	{ "RESET ALL",
	    "set RESET_ALL" },
	{ "RESET work_mem",
	    "set; reset work_mem" },
	{ "SET default_transaction_isolation = 'serializable'",
	    "set SET_ISOLATION; sets default_transaction_isolation" },
	{ "SET TIME ZONE 'UTC'",
	    "set; sets timezone" },
	{ "SET CONSTRAINTS ALL DEFERRED",
	    "other" },
	{ "SHOW work_mem",
	    "show" },
	{ "PREPARE p AS SELECT 1",
	    "prepare; pin prepare" },
	{ "EXECUTE p(1)",
	    "prepare WRITES_ALL; pin prepare" },
	{ "DEALLOCATE ALL",
	    "prepare; pin prepare" },
	{ "DECLARE c CURSOR FOR SELECT * FROM t",
	    "cursor; ra:t@t" },
	{ "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM t",
	    "cursor; pin cursor_with_hold; ra:t@t" },
	{ "FETCH 5 FROM c",
	    "cursor" },
	{ "MOVE c",
	    "cursor" },
	{ "CLOSE c",
	    "cursor; ends cursor_with_hold" },
	{ "LISTEN Abc",
	    "listen; pin listen; listen abc" },
	{ "UNLISTEN *",
	    "listen; ends listen; unlisten *" },
	{ "LISTEN \"A\"\"b c\"; UNLISTEN d",
	    "listen MULTI; pin listen; ends listen; listen A\"b c;"
	    " unlisten d" },
	{ "LISTEN x123456789012345678901234567890123456789012345678901234567890123456789",
	    "listen; pin listen; listen "
	    "x12345678901234567890123456789012345678901234567890123456789012" },
	{ "SELECT 1; UNLISTEN *; LISTEN a",
	    "listen MULTI; pin listen; ends listen; unlisten *; listen a"
	    " and more" },
	{ "NOTIFY x, 'y'",
	    "notify" },
	{ "DISCARD ALL",
	    "discard DISCARD_ALL; ends listen,temp_table,cursor_with_hold,"
	    "advisory_lock" },
	{ "DISCARD TEMP",
	    "discard; ends temp_table" },
	{ "DISCARD PLANS",
	    "discard" },
	{ "EXPLAIN SELECT * FROM t WHERE id = 5",
	    "explain; ra:t@t; 0.id = 5" },
	{ "EXPLAIN DELETE FROM t WHERE id = 5",
	    "explain; rta:t@t; 0.id = 5" },
	{ "EXPLAIN (ANALYZE) DELETE FROM t WHERE id = 5",
	    "explain WRITES; wta:t@t; 0.id = 5" },
	{ "EXPLAIN ANALYZE SELECT nextval('x')",
	    "explain WRITES VOLATILE" },
	{ "EXPLAIN (ANALYZE false) SELECT nextval('x')",
	    "explain WRITES VOLATILE" },
	{ "EXPLAIN EXECUTE p",
	    "explain WRITES_ALL; pin prepare" },
	{ "EXPLAIN CREATE TABLE t AS EXECUTE p",
	    "explain; pin prepare; r:t@t" },
	{ "EXPLAIN (ROUTE) SELECT * FROM t WHERE id = 5",
	    "select EXPLAIN_ROUTE; ra:t@t; 0.id = 5" },
	{ "EXPLAIN (ROUTE, ANALYZE) SELECT 1",
	    "select EXPLAIN_ROUTE EXPLAIN_ANALYZE" },
	{ "EXPLAIN (analyse ON, /* , */ \"route\") SELECT 1",
	    "select EXPLAIN_ROUTE EXPLAIN_ANALYZE" },
	{ "EXPLAIN (ANALYZE 1,ROUTE) SELECT 1",
	    "select EXPLAIN_ROUTE EXPLAIN_ANALYZE" },
	{ "EXPLAIN (ANALYZE off, ROUTE) SELECT 1", "select EXPLAIN_ROUTE" },
	{ "EXPLAIN (ROUTE, ANALYZE perhaps) SELECT 1",
	    "select EXPLAIN_ROUTE EXPLAIN_UNSUPPORTED EXPLAIN_ANALYZE" },
	{ "EXPLAIN (ROUTE, ANALYZE true true) SELECT 1",
	    "select EXPLAIN_ROUTE EXPLAIN_UNSUPPORTED EXPLAIN_ANALYZE" },
	{ "EXPLAIN (ROUTE, VERBOSE) SELECT 1",
	    "select EXPLAIN_ROUTE EXPLAIN_UNSUPPORTED" },
	{ "EXPLAIN (ROUTE,) SELECT 1",
	    "select EXPLAIN_ROUTE EXPLAIN_UNSUPPORTED" },
	{ "EXPLAIN (ROUTE true) SELECT 1",
	    "select EXPLAIN_ROUTE EXPLAIN_UNSUPPORTED" },
	{ "EXPLAIN (ROUTE) SELECT 1; DELETE FROM t",
	    "delete WRITES MULTI EXPLAIN_ROUTE EXPLAIN_UNSUPPORTED;"
	    " wta:t@t" },
	{ "EXPLAIN (ROUTE)",
	    "empty EXPLAIN_ROUTE EXPLAIN_UNSUPPORTED" },
	{ "EXPLAIN (ROUTE) TRUNCATE foo",
	    "truncate WRITES EXPLAIN_ROUTE; wt:foo@foo" },
	{ "/* x */ explain -- y\n ( /* z */ Route ) DELETE FROM t"
	    " WHERE id = 7",
	    "delete WRITES EXPLAIN_ROUTE; wta:t@t; 0.id = 7" },
	{ "SELECT 1; EXPLAIN (ROUTE) SELECT 2",
	    "explain MULTI" },
	{ "CALL p(1)",
	    "call WRITES_ALL UNKNOWN_FN; pin function,code; agg" },
	{ "DO 'x'",
	    "call WRITES_ALL; pin code" },
	{ "LOAD 'x'",
	    "other WRITES_ALL; pin load" },
	{ "VACUUM t",
	    "other WRITES_ALL; w:t@t" },
	{ "ANALYZE t",
	    "other WRITES_ALL; w:t@t" },
	{ "REINDEX TABLE t",
	    "other WRITES_ALL; w:t@t" },
	{ "CREATE TABLE t (a int DEFAULT 1)",
	    "ddl WRITES_ALL; w:t@t" },
	{ "CREATE TEMP TABLE t (a int)",
	    "ddl WRITES_ALL; pin temp_table; wT:t@t" },
	{ "CREATE TABLE pg_temp.t (a int)",
	    "ddl WRITES_ALL; pin temp_table; wT:pg_temp.t@pg_temp.t" },
	{ "CREATE TABLE t AS SELECT * FROM s",
	    "ddl WRITES_ALL; ra:s@s w:t@t" },
	{ "CREATE TEMP TABLE t (a int) ON COMMIT DROP",
	    "ddl WRITES_ALL; pin temp_table; ends temp_table; wT:t@t" },
	{ "CREATE TEMP TABLE t ON COMMIT DROP AS SELECT 1",
	    "ddl WRITES_ALL; pin temp_table; ends temp_table; wT:t@t" },
	{ "CREATE TEMP TABLE t AS SELECT * FROM s",
	    "ddl WRITES_ALL; pin temp_table; ra:s@s wT:t@t" },
	{ "CREATE TEMP VIEW v AS SELECT * FROM s",
	    "ddl WRITES_ALL; pin temp_table; wT:v@v ra:s@s" },
	{ "CREATE TEMP SEQUENCE s",
	    "ddl WRITES_ALL; pin temp_table; wT:s@s" },
	{ "CREATE VIEW v AS SELECT * FROM s",
	    "ddl WRITES_ALL; w:v@v ra:s@s" },
	{ "SELECT * INTO TEMP x FROM y",
	    "ddl WRITES_ALL; pin temp_table; wT:x@x ra:y@y" },
	{ "SELECT * INTO x FROM y",
	    "ddl WRITES_ALL; w:x@x ra:y@y" },
	{ "DROP TABLE app.events, foo",
	    "ddl WRITES_ALL; ends temp_table; w:app.events@ w:foo@" },
	{ "DROP TABLE pg_temp.foo",
	    "ddl WRITES_ALL; pin temp_table; ends temp_table; w:pg_temp.foo@" },
	{ "ALTER TABLE t RENAME TO u",
	    "ddl WRITES_ALL RENAMES; w:t@t" },
	{ "DROP FUNCTION f(int)",
	    "ddl WRITES_ALL; ends temp_table" },
	{ "DROP OWNED BY u CASCADE",
	    "ddl WRITES_ALL; ends temp_table" },
	{ "ALTER TABLE app.events ADD COLUMN x int",
	    "ddl WRITES_ALL; w:app.events@app.events" },
	{ "CREATE INDEX i ON app.events (lower(x))",
	    "ddl WRITES_ALL; w:app.events@app.events" },
	{ "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS"
	    " 'select 1'",
	    "ddl WRITES_ALL; pin temp_table" },
	{ "SELECT * FROM pg_temp.foo",
	    "select; pin temp_table; ra:pg_temp.foo@pg_temp.foo" },
	{ "SELECT 'x'::pg_temp.foo",
	    "select; pin temp_table" },
	{ "GRANT SELECT ON t TO u",
	    "ddl WRITES_ALL; w:t@t" },
	{ "REFRESH MATERIALIZED VIEW v",
	    "ddl WRITES_ALL; w:v@v" },
	{ "SELECT 1; SELECT * FROM a WHERE id = 1; UPDATE b SET x ="
	    " 1; SET y = 1",
	    "update WRITES MULTI; sets y; ra:a@a wta:b@b; set x" },
	{ "BEGIN; ALTER TABLE t ADD x int; COMMIT",
	    "transaction WRITES_ALL TX_BEGIN TX_END TX_PLAIN MULTI DDL; w:t@t" },
	{ ";;",
	    "empty" },
	{ "-- just a comment",
	    "empty" },
	{ "SELECT FROM FROM",
	    "unparsed WRITES_ALL; pin unparsed" },
	{ "SELECT * FROM f(1) x, LATERAL (SELECT 1) y",
	    "select WRITES_ALL UNKNOWN_FN SUBLINK; pin function; agg" },
	{ "SELECT x FROM t WHERE id = -5::int AND b = 007::text AND c"
	    " = 5.5::int AND d = '5'::int8 AND e = 5::int8",
	    "select; ra:t@t; 0.id = -5::int4; 0.b = 007::other; 0.c ="
	    " 5.5::other; 0.d = '5'::int8; 0.e = 5::int8" },
	{ "SELECT EXISTS (SELECT 1 FROM t WHERE a = 1)",
	    "select SUBLINK; ra:t@t; 0.a = 1" },
	{ "SELECT * FROM t WHERE id = 5 LIMIT 1",
	    "select; ra:t@t; 0.id = 5; agg" },
	{ "SELECT DISTINCT a FROM t",
	    "select; ra:t@t; agg" },
	{ "SELECT \"Weird \"\"Name\".a FROM \"Weird \"\"Name\" WHERE \"Weird"
	    " \"\"Name\".a = E'x'",
	    "select; ra:Weird \"Name@\"Weird \"\"Name\"; 0.a = E'x'" },
	{ "SELECT * FROM db.app.events",
	    "select; ra:app.events@db.app.events" },
	{ "SELECT * FROM t WHERE id = $1::uuid AND k = CAST($2 AS"
	    " uuid) AND x = uuid 'abc'",
	    "select PARAMS; params 2; ra:t@t; 0.id = $1::uuid; 0.k ="
	    " $2::uuid; 0.x = 'abc'::uuid" },
	{ "SELECT * FROM t WHERE a IS NULL AND b <> 5 AND c LIKE 'x%'"
	    " AND d = true AND e = f AND g = ANY($1)",
	    "select PARAMS; params 1; ra:t@t; 0.d = true; 0.g in array $1" },
	{ "SELECT current_user, current_timestamp",
	    "select STABLE" },
	{ "VALUES (1), (2)",
	    "select" },
	{ "SELECT xmlserialize(content x as text), extract(year from"
	    " d), overlay(a placing b from 1), x at time zone 'UTC',"
	    " position('a' in b), trim(a) FROM t",
	    "select STABLE; ra:t@t" },
	{ "SELECT sum(x) OVER (PARTITION BY y) FROM t",
	    "select; ra:t@t; agg" },
	{ "SELECT * FROM t WHERE id = 5 AND 1 < id AND t.a = 3 AND"
	    " u.b = 4",
	    "select; ra:t@t; 0.id = 5; 0.id > 1; 0.a = 3" },
	{ "CREATE RULE r AS ON INSERT TO t DO ALSO NOTIFY x",
	    "ddl WRITES_ALL; w:t@t" },
	{ "ALTER SYSTEM SET x = 1",
	    "ddl WRITES_ALL" },
	{ "IMPORT FOREIGN SCHEMA a FROM SERVER b INTO c",
	    "ddl WRITES_ALL" },
	{ "ALTER ROLE x SET work_mem = '1MB'",
	    "ddl WRITES_ALL" },
	{ "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET work_mem"
	    " = '1MB' AS 'x'",
	    "ddl WRITES_ALL" },
	{ "SELECT $70000",
	    "unparsed WRITES_ALL; pin unparsed" },
	{ "SELECT a FROM t WHERE k = 1 AND ts BETWEEN SYMMETRIC 1 AND"
	    " 2 AND (a, b) IN ((1, 2)) AND k NOT IN (3)",
	    "select; ra:t@t; 0.k = 1; any of next 3; all of next 2; 0.a ="
	    " 1; 0.b = 2" },
	{ "SELECT * FROM t, u WHERE t.k = 1",
	    "select SUBLINK; ra:t@t ra:u@u; 0.k = 1" },
	{ "SELECT * FROM t WHERE k = (SELECT 1)",
	    "select SUBLINK; ra:t@t" },
	{ "WITH c AS (SELECT 1) SELECT * FROM t WHERE k = 1",
	    "select SUBLINK; ra:t@t; 0.k = 1" },
	{ "UPDATE app.t SET k = 5 WHERE k IN ('a', NULL)",
	    "update WRITES; wta:app.t@app.t; 0.k in 'a' NULL; set k" },
	{ "SELECT * FROM t WHERE k = - /* 9 */ 5",
	    "select; ra:t@t; 0.k = -5" },
	{ "SELECT * FROM t WHERE ts >= localtimestamp AND ts < now()"
	    " + $1",
	    "select STABLE PARAMS; params 1; ra:t@t; 0.ts >= NOW; 0.ts"
	    " < NOW" },
	{ "SELECT * FROM t WHERE ts >= (now() AT TIME ZONE"
	    " 'UTC')::date",
	    "select STABLE; ra:t@t; 0.ts >= NOW" },
	{ "SELECT 1 FROM a.t AS x JOIN b.t AS y ON a.t.id = b.t.id",
	    "select SUBLINK; rAa:a.t@a.t rAa:b.t@b.t" },
	{ "INSERT INTO t (a, b) VALUES (1, 2), (3)",
	    "insert WRITES; wta:t@t" },
	{ "INSERT INTO t (a) VALUES (1) RETURNING nextval('x')",
	    "insert WRITES VOLATILE; wta:t@t; 0.a rows 1; rows" },
	{ "UPDATE t SET (a, b, c) = (SELECT app.u.x, f, $1 FROM app.u)",
	    "update WRITES PARAMS SUBLINK; params 1; wta:t@t"
	    " ra:app.u@app.u; ref 1 app.u; set a,b,c" },
	/* Conditions: what each says, and of which relation */
	{ "SELECT 1 FROM t WHERE (k = 1 AND a = 2 OR k IN (3, 4) OR (k = 5"
	    " OR k = 6)) AND b = 7",
	    "select; ra:t@t; any of next 11; all of next 2; 0.k = 1; 0.a ="
	    " 2; all of next 1; 0.k in 3 4; all of next 5; any of next 4;"
	    " all of next 1; 0.k = 5; all of next 1; 0.k = 6; 0.b = 7" },
	{ "SELECT 1 FROM t WHERE k = 1 OR f(k) = 2 OR NOT k = 3",
	    "select WRITES_ALL UNKNOWN_FN; pin function; ra:t@t; agg" },
	{ "SELECT 1 FROM t WHERE k = ANY('{1,2}') AND k = ANY($1::int[]) AND"
	    " k = ANY(ARRAY[1, '2']::int8[]) AND k = ANY(ARRAY[1::int2]::int8[])"
	    " AND k = ANY($2::text) AND k <> ANY('{1}') AND k = ALL('{1}')",
	    "select PARAMS; params 2; ra:t@t; 0.k in array '{1,2}'; 0.k in"
	    " array $1::int4; 0.k in 1::int8 '2'::int8; 0.k in 1::other" },
	{ "SELECT 1 FROM t WHERE (k, a) = (1, $1) AND (k, a) IN ((1, 2), (3,"
	    " 4)) AND (k, a) IN ((1, 2), (x, y))",
	    "select PARAMS; params 1; ra:t@t; 0.k = 1; 0.a = $1; any of"
	    " next 6; all of next 2; 0.k = 1; 0.a = 2; all of next 2; 0.k ="
	    " 3; 0.a = 4" },
	{ "SELECT 1 FROM a JOIN b ON a.k = b.k AND b.x = 1 AND a.y = 2 WHERE"
	    " a.k = 3 AND z = 4",
	    "select SUBLINK; ra:a@a ra:b@b; 0.k = 1.k; 1.k = 0.k; 1.x = 1;"
	    " 0.y = 2; 0.k = 3" },
	{ "SELECT 1 FROM a LEFT JOIN b ON a.k = b.k AND b.x = 1 AND a.y = 2"
	    " WHERE b.k = 3",
	    "select SUBLINK; ra:a@a ra:b@b; 1.k = 0.k; 1.x = 1; 1.k = 3" },
	{ "SELECT 1 FROM a RIGHT JOIN b ON a.k = b.k AND b.x = 1",
	    "select SUBLINK; ra:a@a ra:b@b; 0.k = 1.k" },
	{ "SELECT 1 FROM a FULL JOIN b ON a.k = b.k AND b.x = 1 WHERE a.k ="
	    " 1",
	    "select SUBLINK; ra:a@a ra:b@b; 0.k = 1" },
	{ "SELECT 1 FROM a JOIN b USING (k) LEFT JOIN c USING (k) WHERE k ="
	    " 1",
	    "select SUBLINK; ra:a@a ra:b@b ra:c@c; 0.k = 1.k; 1.k = 0.k;"
	    " 2.k = 0.k; 0.k = 1" },
	{ "SELECT 1 FROM a FULL JOIN b USING (k) WHERE k = 1",
	    "select SUBLINK; ra:a@a ra:b@b" },
	{ "SELECT 1 FROM a NATURAL JOIN b WHERE k = 1",
	    "select SUBLINK; ra:a@a ra:b@b" },
	{ "SELECT 1 FROM a JOIN (b JOIN c ON b.k = c.k) AS j ON j.k = a.k"
	    " WHERE b.k = 1",
	    "select SUBLINK; ra:a@a ra:b@b ra:c@c; 1.k = 2.k; 2.k = 1.k" },
	{ "SELECT 1 FROM x.t, y.t WHERE t.k = 1 AND x.t.k = 2",
	    "select SUBLINK; ra:x.t@x.t ra:y.t@y.t; ref 0 x.t; 0.k = 2" },
	{ "SELECT 1 FROM t JOIN u ON s.k = t.k JOIN s ON s.k = 1",
	    "select SUBLINK; ra:t@t ra:u@u ra:s@s; 2.k = 1" },
	/* Subqueries */
	{ "SELECT 1 FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.k = a.k AND"
	    " b.x = 1)",
	    "select SUBLINK; ra:a@a ra:b@b; 1.k = 0.k; 1.x = 1" },
	{ "SELECT 1 FROM a WHERE EXISTS (SELECT 1 FROM b AS a WHERE a.k ="
	    " a.k AND a.k = 1)",
	    "select SUBLINK; ra:a@a rAa:b@b; 1.k = 1" },
	{ "SELECT 1 FROM a, f() WHERE EXISTS (SELECT 1 FROM b, g() WHERE b.k"
	    " = a.k)",
	    "select WRITES_ALL UNKNOWN_FN SUBLINK; pin function; ra:a@a"
	    " ra:b@b; agg" },
	{ "SELECT 1 FROM a, LATERAL (SELECT 1 FROM b WHERE b.k = a.k) s",
	    "select SUBLINK; ra:a@a ra:b@b; 1.k = 0.k" },
	{ "SELECT (SELECT max(x) FROM b WHERE k = a.k) FROM a WHERE a.k = 1",
	    "select SUBLINK; ra:b@b ra:a@a; 1.k = 1; 0.k = 1.k; agg" },
	{ "SELECT 1 FROM a JOIN (SELECT * FROM b WHERE k = 1) s ON s.k = a.k",
	    "select SUBLINK; ra:a@a ra:b@b; 1.k = 1; 1.k = 0.k; 0.k = 1.k" },
	{ "SELECT 1 FROM a JOIN (SELECT k AS q, x AS k, lower(y) FROM b) s ON"
	    " s.q = a.k AND s.k = a.k AND s.lower = a.k",
	    "select SUBLINK; ra:a@a ra:b@b; 1.k = 0.k; 0.k = 1.k; 1.x ="
	    " 0.k; 0.k = 1.x" },
	{ "SELECT 1 FROM a JOIN (SELECT k, x FROM b) s (q, k) ON s.q = a.k",
	    "select SUBLINK; ra:a@a ra:b@b; 1.k = 0.k; 0.k = 1.k" },
	{ "SELECT 1 FROM a JOIN (SELECT f.*, k FROM f(), b) s (q) ON s.q ="
	    " a.k",
	    "select WRITES_ALL UNKNOWN_FN SUBLINK; pin function; ra:a@a"
	    " ra:b@b; agg" },
	{ "SELECT 1 FROM a JOIN (SELECT k FROM b UNION SELECT k FROM c WHERE"
	    " k = 1) s ON s.k = a.k",
	    "select SUBLINK; ra:a@a ra:b@b ra:c@c; 2.k = 1" },
	{ "SELECT 1 FROM a JOIN (VALUES (1, 2), (3, $1)) v (x, k) ON v.k ="
	    " a.k",
	    "select PARAMS SUBLINK; params 1; ra:a@a; 0.k in 2 $1" },
	{ "SELECT 1 FROM a JOIN (SELECT 1::int8 AS k) v USING (k)",
	    "select SUBLINK; ra:a@a; 0.k = 1::int8" },
	{ "WITH c AS (SELECT k FROM b WHERE k = 1) SELECT 1 FROM a JOIN c AS"
	    " d ON d.k = a.k",
	    "select SUBLINK; ra:b@b ra:a@a; 0.k = 1; 1.k = 0.k" },
	{ "WITH c AS (SELECT k FROM b) SELECT 1 FROM (WITH RECURSIVE d AS"
	    " (SELECT 1 FROM a JOIN c ON c.k = a.k), c AS (SELECT 1 AS k)"
	    " SELECT 1 FROM d) s",
	    "select SUBLINK; ra:b@b ra:a@a" },
	{ "WITH d AS (DELETE FROM a WHERE k = 1 RETURNING k, x AS y) INSERT"
	    " INTO b (k, x) SELECT k, y FROM d",
	    "insert WRITES SUBLINK; wta:a@a wta:b@b; 0.k = 1; 1.k from 0.k;"
	    " 1.x from 0.x" },
	{ "WITH d AS (SELECT 1) UPDATE a SET x = 1 WHERE k = 1",
	    "update WRITES SUBLINK; wta:a@a; 0.k = 1; set x" },
	{ "SELECT 1 FROM a WHERE k = 1 UNION ALL SELECT 1 FROM b WHERE k = 2",
	    "select SUBLINK; ra:a@a ra:b@b; 0.k = 1; 1.k = 2" },
	/* Statements */
	{ "INSERT INTO a (k, x) SELECT b.k, 1 FROM b WHERE b.k = 2",
	    "insert WRITES SUBLINK; wta:a@a ra:b@b; 1.k = 2; 0.k from 1.k;"
	    " 0.x rows 1" },
	{ "INSERT INTO a (k, x) SELECT * FROM b WHERE b.k = 2",
	    "insert WRITES SUBLINK; wta:a@a ra:b@b; 1.k = 2" },
	{ "INSERT INTO a (k, x) SELECT f.*, b.k FROM f(), b",
	    "insert WRITES WRITES_ALL UNKNOWN_FN SUBLINK; pin function;"
	    " wta:a@a ra:b@b; agg" },
	{ "INSERT INTO a (k, x) VALUES (1, (SELECT x FROM b WHERE k = 2))",
	    "insert WRITES SUBLINK; wta:a@a ra:b@b; 0.k rows 1; 0.x rows ?;"
	    " 1.k = 2; rows" },
	{ "INSERT INTO a (k) VALUES (1) ON CONFLICT (k) DO UPDATE SET x ="
	    " (SELECT x FROM b WHERE b.k = a.k)",
	    "insert WRITES SUBLINK; wta:a@a ra:b@b; 0.k rows 1; set x; rows" },
	{ "UPDATE a SET x = b.x FROM b WHERE a.k = b.k AND b.k = $1",
	    "update WRITES PARAMS SUBLINK; params 1; wta:a@a ra:b@b; 0.k ="
	    " 1.k; 1.k = 0.k; 1.k = $1; set x" },
	{ "UPDATE a SET x = (SELECT 1 FROM b WHERE b.k = a.k) WHERE k = 1",
	    "update WRITES SUBLINK; wta:a@a ra:b@b; 0.k = 1; 1.k = 0.k; set"
	    " x" },
	{ "DELETE FROM a USING b LEFT JOIN c ON b.k = c.k WHERE a.k = c.k",
	    "delete WRITES SUBLINK; wta:a@a ra:b@b ra:c@c; 2.k = 1.k; 0.k ="
	    " 2.k; 2.k = 0.k" },
	{ "MERGE INTO a USING (VALUES (1, 2)) v (k, x) ON a.k = v.k WHEN"
	    " MATCHED THEN UPDATE SET x = v.x WHEN NOT MATCHED THEN INSERT (k,"
	    " x) VALUES (v.k, 3)",
	    "merge WRITES SUBLINK; wta:a@a; any of next 5; all of next 1;"
	    " 0.k in 1; all of next 2; 0.k rows 1; 0.x rows 3; set x" },
	{ "MERGE INTO a USING b ON a.k = b.k AND b.k = 1 WHEN MATCHED THEN"
	    " DELETE",
	    "merge WRITES SUBLINK; wta:a@a ra:b@b; any of next 2; all of"
	    " next 1; 0.k = 1.k" },
	{ "MERGE INTO a USING b ON a.k = b.k WHEN NOT MATCHED THEN INSERT"
	    " DEFAULT VALUES WHEN MATCHED THEN UPDATE SET k = 1",
	    "merge WRITES SUBLINK; wta:a@a ra:b@b; any of next 3; all of"
	    " next 1; 0.k = 1.k; all of next 0; set k" },
	{ "EXPLAIN SELECT 1 FROM a WHERE k = 1",
	    "explain; ra:a@a; 0.k = 1" },
	{ "DECLARE c CURSOR FOR SELECT 1 FROM a WHERE k = 1",
	    "cursor; ra:a@a; 0.k = 1" },
	{ "SELECT 1 FROM a WHERE k IN (SELECT k FROM b WHERE k = 1) AND (k, x)"
	    " = ANY (SELECT k, y FROM c)",
	    "select SUBLINK; ra:a@a ra:b@b ra:c@c; 1.k = 1; 0.k = 1.k; 1.k ="
	    " inner 0.k; 0.k = 2.k; 2.k = inner 0.k; 0.x = 2.y; 2.y = inner"
	    " 0.x" },
	{ "SELECT 1 FROM a WHERE k NOT IN (SELECT k FROM b WHERE k = 1) AND k"
	    " > ANY (SELECT k FROM c) AND k = ALL (SELECT k FROM d)",
	    "select SUBLINK; ra:a@a ra:b@b ra:c@c ra:d@d; 1.k = 1" },
	{ "SELECT 1 FROM a WHERE k IN (SELECT * FROM b) OR k IN (SELECT k FROM"
	    " c)",
	    "select SUBLINK; ra:a@a ra:b@b ra:c@c" },
	{ "SELECT 1 FROM a JOIN b ON a.k IN (SELECT k FROM c WHERE c.k ="
	    " a.k)",
	    "select SUBLINK; ra:a@a ra:b@b ra:c@c; 0.k = 2.k; 2.k = inner"
	    " 0.k" },
	{ "COPY (SELECT x FROM a WHERE k = 1) TO STDOUT",
	    "copy-out; ra:a@a; 0.k = 1" },
	{ "COPY (SELECT x FROM a WHERE k = 1) TO '/tmp/x'",
	    "copy-out WRITES_ALL; ra:a@a; 0.k = 1" },
	{ "SELECT * FROM t WHERE \"K\" = 'x' AND é = 'y'",
	    "select; ra:t@t; 0.K = 'x'; 0.é = 'y'" },
};

static struct lexer lx;

static struct analysis *
analyse(const char *sql)
{
	static const char *const readonly[] = { "my_ro", "app.ro2" };
	static const char *const stateless[] = { "my_st" };
	static const struct an_functions fns = { readonly, 2, stateless, 1 };

	assert_int_equal(lex_statement(&lx, slice_str(sql), true, 1u << 20),
	    LEX_OK);
	return analysis_new(slice_str(sql), &lx, &fns);
}

static void
test_rows(void **state)
{
	struct analysis *a;
	char *text;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		a = analyse(rows[i].sql);
		text = sql_describe(slice_str(rows[i].sql), &lx, a);
		assert_string_equal(text, rows[i].expect);
		free(text);
		analysis_free(&a);
		assert_null(a);
	}
}

/* Every kind of statement is in the table above. */
static void
test_every_kind(void **state)
{
	bool seen[STMT_KIND_COUNT] = { false };
	struct analysis *a;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		a = analyse(rows[i].sql);
		seen[a->kind] = true;
		analysis_free(&a);
	}
	for (i = 0; i < STMT_KIND_COUNT; i++)
		assert_true(seen[i]);
}

/* The walk takes a field's number for its node case. */
static void
test_node_table(void **state)
{
	const ProtobufCMessageDescriptor *d = &pg_query__node__descriptor;
	unsigned i;

	(void)state;
	for (i = 0; i < d->n_fields; i++) {
		assert_int_equal(d->fields[i].type, PROTOBUF_C_TYPE_MESSAGE);
		assert_int_equal(d->fields[i].offset,
		    offsetof(PgQuery__Node, select_stmt));
		(void)parse_node_row(
		    (PgQuery__Node__NodeCase)d->fields[i].id);
	}
	assert_int_equal(parse_node_row(PG_QUERY__NODE__NODE__NOT_SET)->verdict,
	    PV_NEVER);
	assert_int_equal(parse_node_row((PgQuery__Node__NodeCase)9999)->verdict,
	    PV_NEVER);
}

/* A node that only later stages make is not understood. */
static void
test_unknown_node(void **state)
{
	PgQuery__Node n = PG_QUERY__NODE__INIT;
	PgQuery__OpExpr op = PG_QUERY__OP_EXPR__INIT;
	struct parse p = { .lx = &lx };

	(void)state;
	p.an = x_calloc(1, sizeof(*p.an));
	n.node_case = PG_QUERY__NODE__NODE_OP_EXPR;
	n.op_expr = &op;
	parse_walk_node(&p, &n);
	assert_int_equal(p.an->flags, AN_WRITES_ALL | AN_VOLATILE |
	    AN_UNKNOWN_FN);
	assert_int_equal(p.an->pins, PIN_BIT(PIN_UNPARSED));
	analysis_free(&p.an);
	p.an = x_calloc(1, sizeof(*p.an));
	parse_statement(&p, &n, true);
	assert_int_equal(p.an->kind, STMT_OTHER);
	assert_true(p.an->flags & AN_WRITES_ALL);
	analysis_free(&p.an);
}

/* One analysis serves every text of its shape. */
static void
test_other_text(void **state)
{
	static const char first[] = "SELECT app.t.a FROM /* x */ app.t WHERE "
	    "date_trunc('month', ts) = '2024-01-01' AND app.t.k = - 0";
	static const char other[] = "SELECT app.t.a FROM /* longer */ app.t "
	    "WHERE date_trunc('day', ts) = '' AND app.t.k = - 123456";
	struct analysis *a = analyse(first);
	char *text;

	(void)state;
	assert_int_equal(lex_statement(&lx, slice_str(other), true, 999),
	    LEX_OK);
	text = sql_describe(slice_str(other), &lx, a);
	assert_string_equal(text, "select; ra:app.t@app.t; ref 0 app.t; "
	    "ref 0 app.t; 0.ts month '' (not); 0.k = -123456");
	free(text);
	analysis_free(&a);
}

static void
test_explain_inner(void **state)
{
	static const struct {
		const char *sql, *inner;
	} cases[] = {
		{ "explain (route) select 1", " select 1" },
		{ "EXPLAIN(ROUTE)x", "x" },
		{ "explain (verbose, route, format 'x)') y", " y" },
		{ "explain (\"route\") y", " y" },
		{ "explain (routes) x", NULL }, { "explain (a route) x", NULL },
		{ "explain select 1", NULL }, { "explain (route", NULL },
		{ "explain (route 'x", NULL }, { "", NULL }, { "(route)", NULL },
		{ "explain", NULL }, { "explain (", NULL },
	};
	struct slice inner;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		inner = analysis_explain_inner(slice_str(cases[i].sql));
		if (cases[i].inner == NULL)
			assert_null(inner.p);
		else
			assert_true(slice_eq_str(inner, cases[i].inner));
	}
}

/* Over the caps of the analysis: told as unparsed, not cut short. */
static void
test_too_many_tables(void **state)
{
	size_t size = 16 + 5000 * 2, i;
	char *sql = x_malloc(size + 1), *p = stpcpy(sql, "TRUNCATE t");
	struct analysis *a;

	(void)state;
	for (i = 0; i < 5000; i++)
		p = stpcpy(p, ",t");
	a = analyse(sql);
	assert_int_equal(a->kind, STMT_UNPARSED);
	assert_int_equal(a->pins, PIN_BIT(PIN_UNPARSED));
	analysis_free(&a);
	free(sql);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_every_kind),
		cmocka_unit_test(test_node_table),
		cmocka_unit_test(test_unknown_node),
		cmocka_unit_test(test_other_text),
		cmocka_unit_test(test_explain_inner),
		cmocka_unit_test(test_too_many_tables),
	};
	int failed;

	hash_init();
	lexer_init(&lx);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	lexer_fini(&lx);
	return failed;
}
