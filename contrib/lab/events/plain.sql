-- SPDX-License-Identifier: PostgreSQL
-- Variant "plain": one table.  What stands below the marker is run after the
-- rows are in, because building an index is cheaper than growing it.
CREATE SCHEMA app AUTHORIZATION app;
SET ROLE app;
CREATE TABLE app.events_plain (
	id          uuid NOT NULL,
	tenant_id   uuid NOT NULL,
	occurred_at timestamptz NOT NULL,
	payload     jsonb NOT NULL DEFAULT '{}'
);
-- after load
SET ROLE app;
ALTER TABLE app.events_plain ADD PRIMARY KEY (id);
CREATE INDEX ON app.events_plain (occurred_at);
CREATE INDEX ON app.events_plain (tenant_id);
CREATE INDEX ON app.events_plain (tenant_id, occurred_at);
