\set n random_zipfian(1, :rows, 1.1)
SELECT sum(requests), avg(p50_ms), max(day) FROM daily_model_stats WHERE model_id = :n;
