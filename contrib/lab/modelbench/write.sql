\set n random_zipfian(1, :rows, 1.1)
\set h random(1, 10)
INSERT INTO benchmark_results (model_id, hardware_id, framework_id, benchmark_date, p90_ms, tokens_per_s) VALUES (:n, :h, 1, '2026-07-05', 150, 40);
