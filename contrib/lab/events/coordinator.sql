-- SPDX-License-Identifier: PostgreSQL
-- Coordinator of variant "sharded": HASH (tenant_id) over foreign partitions.
-- psql variables: port0 and port1, where the shards listen.
CREATE EXTENSION postgres_fdw;
CREATE SERVER shard0 FOREIGN DATA WRAPPER postgres_fdw
	OPTIONS (host '127.0.0.1', port :'port0', dbname 'app');
CREATE SERVER shard1 FOREIGN DATA WRAPPER postgres_fdw
	OPTIONS (host '127.0.0.1', port :'port1', dbname 'app');
GRANT USAGE ON FOREIGN SERVER shard0, shard1 TO app;
CREATE USER MAPPING FOR app SERVER shard0
	OPTIONS (user 'app', password 'app');
CREATE USER MAPPING FOR app SERVER shard1
	OPTIONS (user 'app', password 'app');

CREATE SCHEMA app AUTHORIZATION app;
SET ROLE app;
CREATE TABLE app.events_sharded (
	id          uuid NOT NULL,
	tenant_id   uuid NOT NULL,
	occurred_at timestamptz NOT NULL,
	payload     jsonb NOT NULL DEFAULT '{}'
) PARTITION BY HASH (tenant_id);
CREATE FOREIGN TABLE app.events_mod2_r0 PARTITION OF app.events_sharded
	FOR VALUES WITH (MODULUS 2, REMAINDER 0)
	SERVER shard0 OPTIONS (schema_name 'app', table_name 'events_shard');
CREATE FOREIGN TABLE app.events_mod2_r1 PARTITION OF app.events_sharded
	FOR VALUES WITH (MODULUS 2, REMAINDER 1)
	SERVER shard1 OPTIONS (schema_name 'app', table_name 'events_shard');
