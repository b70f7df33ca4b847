\set n random_zipfian(1, :rows, 1.1)
\set h random(1, 10)
SELECT framework_id, benchmark_date, p90_ms, tokens_per_s FROM benchmark_results WHERE model_id = :n AND hardware_id = :h ORDER BY benchmark_date DESC, id LIMIT 20;
