-- SPDX-License-Identifier: PostgreSQL
-- What to keep an eye on in app.events: sizes, days until the partitions run
-- out, rows that found no partition.
SELECT c.relname AS partition, pg_size_pretty(pg_total_relation_size(c.oid))
           AS size, greatest(c.reltuples, 0)::bigint AS rows
  FROM pg_catalog.pg_inherits i
  JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
 WHERE i.inhparent = 'app.events'::regclass
 ORDER BY 1;

SELECT max(to_date(substr(c.relname, 8), 'YYYY_MM') + interval '1 month')::date
           - current_date AS days_until_partitions_run_out
  FROM pg_catalog.pg_inherits i
  JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
 WHERE i.inhparent = 'app.events'::regclass
   AND c.relname ~ '^events_\d{4}_\d{2}$';

SELECT count(*) AS rows_in_default_partition FROM app.events_default;
