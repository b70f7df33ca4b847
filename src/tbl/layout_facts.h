/* SPDX-License-Identifier: PostgreSQL
 *
 * FACT(name, sql): what the catalogs are asked about a relation and each of its
 * partitions, once: the query, the struct and the reader come from here.
 *
 * In scope: t (oid, parent, level: the tree), c (pg_class), n (pg_namespace),
 * p (pg_partitioned_table), f (pg_foreign_table), s (pg_foreign_server); what
 * is not there is NULL. search_path is empty, TimeZone UTC, DateStyle ISO.
 * Lists are lines that tell the same of equal things on any server; those
 * about roles are asked for the top alone, for there may be many.
 */

/* where it stands */
FACT(oid, "c.oid")
FACT(parent, "t.parent")
FACT(level, "t.level")
FACT(schema_name, "n.nspname")
FACT(rel_name, "c.relname")
FACT(kind, "c.relkind")
FACT(bound, "pg_get_expr(c.relpartbound, c.oid)")

/* how it is divided */
FACT(strategy, "p.partstrat")
FACT(n_keys, "p.partnatts")
FACT(key_columns, "(SELECT string_agg(a.attname, E'\\n' ORDER BY k.nth) FROM unnest(p.partattrs) WITH ORDINALITY k(num, nth) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.num WHERE k.num > 0)")
FACT(key_oids, "(SELECT string_agg(COALESCE(NULLIF(y.typbasetype, 0), y.oid)::text, E'\\n' ORDER BY k.nth) FROM unnest(p.partattrs) WITH ORDINALITY k(num, nth) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.num JOIN pg_type y ON y.oid = a.atttypid WHERE k.num > 0)")
FACT(key_types, "(SELECT string_agg(format_type(a.atttypid, a.atttypmod), E'\\n' ORDER BY k.nth) FROM unnest(p.partattrs) WITH ORDINALITY k(num, nth) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.num WHERE k.num > 0)")
FACT(key_default_opclass, "(SELECT bool_and(o.opcdefault) FROM unnest(p.partclass) k(oid) JOIN pg_opclass o ON o.oid = k.oid)")
FACT(key_deterministic, "(SELECT bool_and(o.collisdeterministic) FROM unnest(p.partcollation) k(oid) JOIN pg_collation o ON o.oid = k.oid)")

/* where a foreign one is */
FACT(wrapper, "(SELECT w.fdwname FROM pg_foreign_data_wrapper w WHERE w.oid = s.srvfdw)")
FACT(server, "s.srvname")
FACT(server_of_superuser, "(SELECT r.rolsuper FROM pg_roles r WHERE r.oid = s.srvowner)")
FACT(host, "(SELECT option_value FROM pg_options_to_table(s.srvoptions) WHERE option_name = 'host')")
FACT(hostaddr, "(SELECT option_value FROM pg_options_to_table(s.srvoptions) WHERE option_name = 'hostaddr')")
FACT(port, "(SELECT option_value FROM pg_options_to_table(s.srvoptions) WHERE option_name = 'port')")
FACT(dbname, "(SELECT option_value FROM pg_options_to_table(s.srvoptions) WHERE option_name = 'dbname')")
FACT(remote_schema, "(SELECT option_value FROM pg_options_to_table(f.ftoptions) WHERE option_name = 'schema_name')")
FACT(remote_name, "(SELECT option_value FROM pg_options_to_table(f.ftoptions) WHERE option_name = 'table_name')")
FACT(renamed, "(SELECT min(a.attname::text) FROM pg_attribute a, pg_options_to_table(a.attfdwoptions) o WHERE a.attrelid = c.oid AND o.option_name = 'column_name' AND o.option_value <> a.attname)")

/* what hangs on it */
FACT(owner, "pg_get_userbyid(c.relowner)")
FACT(acl, "(SELECT concat(c.relacl::text, string_agg(concat(E'\\n', a.attname, a.attacl::text), '' ORDER BY a.attname)) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL)")
FACT(grants, "CASE WHEN t.level = 0 THEN (SELECT string_agg(concat('role \"', r.rolname, '\" may ', concat_ws(', ', CASE WHEN has_table_privilege(r.oid, c.oid, 'SELECT') THEN 'SELECT' END, CASE WHEN has_table_privilege(r.oid, c.oid, 'INSERT') THEN 'INSERT' END, CASE WHEN has_table_privilege(r.oid, c.oid, 'UPDATE') THEN 'UPDATE' END, CASE WHEN has_table_privilege(r.oid, c.oid, 'DELETE') THEN 'DELETE' END)), E'\\n' ORDER BY r.rolname) FROM pg_roles r WHERE r.rolcanlogin AND NOT r.rolsuper AND has_schema_privilege(r.oid, n.oid, 'USAGE') AND has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE')) END")
FACT(column_grants, "CASE WHEN t.level = 0 THEN (SELECT string_agg(concat('grants on column \"', a.attname, '\": ', a.attacl::text), E'\\n' ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped) END")
FACT(policies, "(SELECT string_agg(l.line, E'\\n' ORDER BY l.line) FROM (SELECT 'row security is on' AS line WHERE c.relrowsecurity UNION ALL SELECT 'row security is forced on the owner' WHERE c.relforcerowsecurity UNION ALL SELECT concat('policy ', o.permissive, ' for ', o.cmd, ' to ', o.roles, ' using ', o.qual, ' check ', o.with_check) FROM pg_policies o WHERE c.relrowsecurity AND o.schemaname = n.nspname AND o.tablename = c.relname) l)")
FACT(rules, "(SELECT string_agg(concat('rule \"', r.rulename, '\"'), E'\\n' ORDER BY r.rulename) FROM pg_rewrite r WHERE r.ev_class = c.oid)")
FACT(triggers, "(SELECT string_agg(concat('trigger \"', g.tgname, '\"'), E'\\n' ORDER BY g.tgname) FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tgenabled <> 'D' AND (NOT g.tgisinternal OR (to_jsonb(g)->>'tgparentid') <> '0') AND g.tgconstraint = 0)")
FACT(columns, "(SELECT string_agg(concat('column \"', a.attname, '\" ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.atttypid >= 16384 THEN concat(' with OID ', a.atttypid) END, CASE WHEN a.attgenerated <> '' THEN concat(' generated ', (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d WHERE d.adrelid = c.oid AND d.adnum = a.attnum)) END, (SELECT concat(' collated ', o.collname, ' ', o.collprovider, ' ', o.collcollate, ' ', o.collversion) FROM pg_collation o WHERE o.oid = a.attcollation AND o.collprovider <> 'd')), E'\\n' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)")
FACT(defaults, "(SELECT string_agg(CASE WHEN a.attidentity <> '' THEN concat('column \"', a.attname, '\" counts by itself') ELSE concat('column \"', a.attname, '\" defaults to ', pg_get_expr(d.adbin, d.adrelid)) END, E'\\n' ORDER BY a.attname) FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND (a.attidentity <> '' OR d.adbin IS NOT NULL))")
FACT(constraints, "(SELECT string_agg(l.line, E'\\n' ORDER BY l.line) FROM (SELECT concat('column \"', a.attname, '\" is NOT NULL') AS line FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.attnotnull AND NOT a.attisdropped AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum] AND NOT k.convalidated) UNION ALL SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('c', 'f', 'p', 'u', 'x')) l)")

FACT(names, "(SELECT CASE WHEN NOT bool_or(strpos(a.attname, E'\\n') > 0) THEN string_agg(a.attname, E'\\n' ORDER BY a.attnum) END FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped)")

/* the server */
FACT(encoding, "getdatabaseencoding()")
FACT(locale, "(SELECT concat_ws(' ', d.datcollate, d.datctype, to_jsonb(d)->>'datlocprovider', to_jsonb(d)->>'daticulocale', to_jsonb(d)->>'datlocale', to_jsonb(d)->>'datcollversion') FROM pg_database d WHERE d.datname = current_database())")

/* how much there is */
FACT(n_rows, "CASE WHEN c.relkind NOT IN ('r', 'm') THEN NULL WHEN pg_relation_size(c.oid) = 0 THEN 0 WHEN c.reltuples >= 0 THEN c.reltuples ELSE NULLIF(pg_stat_get_live_tuples(c.oid), 0) END::bigint")
FACT(n_bytes, "CASE WHEN c.relkind IN ('r', 'm') THEN pg_total_relation_size(c.oid) END")
#undef FACT
