-- SPDX-License-Identifier: PostgreSQL
-- Deterministic rows.  A row is a function of its month and its number in that
-- month, so every run, every size and every variant agrees about it.
CREATE SCHEMA lab;

-- [0, 1) out of two numbers; the seed keeps the columns apart.
CREATE FUNCTION lab.fraction(month int, n bigint, seed int)
RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT (hashint8extended(month::bigint << 40 | n, seed)
	        & 9007199254740991) / 9007199254740992.0
$$;

CREATE FUNCTION lab.tenant(k int) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT md5('tenant ' || k)::uuid
$$;

CREATE TABLE lab.tenants (k int PRIMARY KEY, id uuid NOT NULL UNIQUE,
	remainder int);

-- The rows of one month, given by its first day.
CREATE FUNCTION lab.month_rows(first date, per_month bigint)
RETURNS TABLE (id uuid, tenant_id uuid, occurred_at timestamptz, payload jsonb)
LANGUAGE sql STABLE ROWS 20000 AS $$
	SELECT md5(m.number || ' event ' || n)::uuid, t.id,
	       m.start + (m.stop - m.start) * lab.fraction(m.number, n, 2),
	       ('{"type":"event","n":' || n || ',"ok":true}')::jsonb
	  FROM (SELECT extract(year FROM first)::int * 12
	               + extract(month FROM first)::int AS number,
	               first::timestamp AT TIME ZONE 'UTC' AS start,
	               (first + interval '1 month') AT TIME ZONE 'UTC' AS stop) m,
	       generate_series(1, per_month) n,
	       lab.tenants t
	 WHERE t.k = floor(lab.fraction(m.number, n, 1) *
	                   (SELECT count(*) FROM lab.tenants))
$$;
