-- SPDX-License-Identifier: PostgreSQL
-- One shard of variant "sharded": holds one remainder of HASH (tenant_id).
CREATE SCHEMA app AUTHORIZATION app;
SET ROLE app;
CREATE TABLE app.events_shard (
	id          uuid NOT NULL,
	tenant_id   uuid NOT NULL,
	occurred_at timestamptz NOT NULL,
	payload     jsonb NOT NULL DEFAULT '{}'
);
-- after load
SET ROLE app;
ALTER TABLE app.events_shard ADD PRIMARY KEY (id);
CREATE INDEX ON app.events_shard (occurred_at);
CREATE INDEX ON app.events_shard (tenant_id);
CREATE INDEX ON app.events_shard (tenant_id, occurred_at);
