-- The recommendation database: models, where they were measured, what is said of
-- them to users, and the queue of measurements to come.  :rows models.
SET ROLE app;
CREATE TABLE models (
    id int PRIMARY KEY, name text, family text, parameters bigint,
    description text, updated_at timestamptz DEFAULT now());
CREATE TABLE model_versions (
    id int PRIMARY KEY, model_id int REFERENCES models, version text,
    released date);
CREATE TABLE hardware_configs (
    id int PRIMARY KEY, name text, memory_gb int, active boolean);
CREATE TABLE inference_frameworks (id int PRIMARY KEY, name text);
CREATE TABLE use_case_taxonomy (id int PRIMARY KEY, name text);
CREATE TABLE model_use_cases (
    model_id int REFERENCES models, use_case int REFERENCES use_case_taxonomy,
    recommended boolean, PRIMARY KEY (model_id, use_case));
CREATE INDEX ON model_use_cases (use_case) WHERE recommended;
CREATE TABLE benchmark_results (
    id bigint GENERATED ALWAYS AS IDENTITY, model_id int, hardware_id int,
    framework_id int, benchmark_date date, p90_ms float8, tokens_per_s float8,
    PRIMARY KEY (id, benchmark_date)) PARTITION BY RANGE (benchmark_date);
CREATE TABLE benchmark_results_2026_h1 PARTITION OF benchmark_results
    FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
CREATE TABLE benchmark_results_2026_h2 PARTITION OF benchmark_results
    FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
CREATE INDEX ON benchmark_results
    (model_id, hardware_id, framework_id, benchmark_date DESC);
CREATE INDEX ON benchmark_results (model_id) WHERE p90_ms < 300;
CREATE TABLE daily_model_stats (
    model_id int, day date, requests bigint, p50_ms float8,
    PRIMARY KEY (model_id, day));
CREATE TABLE model_rankings (
    user_id int, use_case int, rank int, model_id int, score float8,
    expires_at timestamptz, PRIMARY KEY (user_id, use_case, rank));
CREATE TABLE app_users (id int PRIMARY KEY, token text, role text);
CREATE TABLE benchmark_configs (
    id bigint PRIMARY KEY, model_id int, hardware_id int, framework_id int,
    workload int, batch_size int, sequence_length int,
    status text NOT NULL DEFAULT 'pending', worker int, claimed_at timestamptz,
    completions int NOT NULL DEFAULT 0);
CREATE INDEX ON benchmark_configs (id) WHERE status IN ('pending', 'running');
ALTER TABLE app_users REPLICA IDENTITY FULL;

INSERT INTO models SELECT g, 'model ' || g, 'family ' || g % 12, g * 1000000,
    repeat('About model ' || g || '. ', 20) FROM generate_series(1, :rows) g;
INSERT INTO model_versions SELECT m * 10 + v, m, 'v' || v, '2026-01-01'::date + v
FROM generate_series(1, :rows) m, generate_series(1, 3) v;
INSERT INTO hardware_configs SELECT g, 'hardware ' || g, 16 * g, g <= 8
FROM generate_series(1, 10) g;
INSERT INTO inference_frameworks SELECT g, 'framework ' || g
FROM generate_series(1, 3) g;
INSERT INTO use_case_taxonomy SELECT g, 'use case ' || g
FROM generate_series(1, 20) g;
INSERT INTO model_use_cases SELECT m, u, (m + u) % 3 = 0
FROM generate_series(1, :rows) m, generate_series(1, 20) u WHERE (m + u) % 4 = 0;
INSERT INTO benchmark_results (model_id, hardware_id, framework_id,
    benchmark_date, p90_ms, tokens_per_s)
SELECT m, h, 1 + (m + h + d) % 3, '2026-06-25'::date + d, 100 + (m * h + d) % 400,
    10 + (m + h * d) % 90
FROM generate_series(1, :rows) m, generate_series(1, 10) h,
    generate_series(0, 9) d;
INSERT INTO daily_model_stats SELECT m, '2026-06-01'::date + d, m * d, 50 + d
FROM generate_series(1, :rows) m, generate_series(0, 29) d;
-- Rankings end by themselves: some soon.
INSERT INTO model_rankings SELECT u, c, r, 1 + (u * c + r) % :rows, 1.0 / r,
    now() + CASE WHEN u % 10 = 0 THEN interval '3 seconds'
        ELSE interval '1 day' END
FROM generate_series(1, 200) u, generate_series(1, 5) c,
    generate_series(1, 10) r;
INSERT INTO app_users SELECT g, 'token 0', 'reader' FROM generate_series(1, 100) g;
CREATE PUBLICATION pgsluice FOR TABLE app_users;
RESET ROLE;
VACUUM ANALYZE;
