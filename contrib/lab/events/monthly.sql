-- SPDX-License-Identifier: PostgreSQL
-- Variant "monthly": RANGE partitions by month of occurred_at, in UTC.
CREATE SCHEMA app AUTHORIZATION app;
SET ROLE app;
CREATE TABLE app.events (
	id          uuid NOT NULL,
	tenant_id   uuid NOT NULL,
	occurred_at timestamptz NOT NULL,
	payload     jsonb NOT NULL DEFAULT '{}'
) PARTITION BY RANGE (occurred_at);

CREATE TABLE app.events_default PARTITION OF app.events DEFAULT;

-- Make the partition of the month that a day is in, unless it is there.
-- Returns its name, or NULL when there was nothing to do.
CREATE FUNCTION app.create_month_partition(day date) RETURNS text
LANGUAGE plpgsql
SET timezone = 'UTC'
AS $$
DECLARE
	first date := date_trunc('month', day)::date;
	part  text := 'events_' || to_char(day, 'YYYY_MM');
BEGIN
	IF to_regclass(format('app.%I', part)) IS NOT NULL THEN
		RETURN NULL;
	END IF;
	EXECUTE format(
		'CREATE TABLE app.%I PARTITION OF app.events '
		'FOR VALUES FROM (%L) TO (%L)', part,
		first::timestamptz, (first + interval '1 month')::timestamptz);
	RETURN part;
END
$$;

-- Drop a month's partition if it is there. Returns its name, or NULL.
CREATE FUNCTION app.drop_month_partition(day date) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
	part text := 'events_' || to_char(day, 'YYYY_MM');
BEGIN
	IF to_regclass(format('app.%I', part)) IS NULL THEN
		RETURN NULL;
	END IF;
	EXECUTE format('DROP TABLE app.%I', part);
	RETURN part;
END
$$;

SELECT app.create_month_partition(
	(date_trunc('month', now() AT TIME ZONE 'UTC')
	    + n * interval '1 month')::date)
  FROM generate_series(-30, 6) n;
-- after load
SET ROLE app;
ALTER TABLE app.events ADD PRIMARY KEY (id, occurred_at);
CREATE INDEX ON app.events (occurred_at);
CREATE INDEX ON app.events (tenant_id);
CREATE INDEX ON app.events (tenant_id, occurred_at);
