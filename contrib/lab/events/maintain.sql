-- SPDX-License-Identifier: PostgreSQL
-- Monthly upkeep of app.events, to be run by cron as the table's owner:
--
--   psql -v create_from=2026-12-01 -v create_to=2027-06-01 \
--        -v drop_before=2024-06-01 -f maintain.sql DSN
--
-- creates the months from create_from to create_to, both included, and drops
-- those that end at drop_before or earlier.  It may be run as often as wanted.
SELECT app.create_month_partition(m::date) AS created
  FROM generate_series(:'create_from'::timestamp, :'create_to'::timestamp,
                       interval '1 month') m;

SELECT app.drop_month_partition(
           to_date(substr(c.relname, 8), 'YYYY_MM')) AS dropped
  FROM pg_catalog.pg_inherits i
  JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
 WHERE i.inhparent = 'app.events'::regclass
   AND c.relname ~ '^events_\d{4}_\d{2}$'
   AND to_date(substr(c.relname, 8), 'YYYY_MM') + interval '1 month'
       <= :'drop_before'::date;
