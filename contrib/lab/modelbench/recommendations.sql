\set u random_zipfian(1, 200, 1.1)
\set c random(1, 5)
SELECT rank, model_id, score, expires_at FROM model_rankings WHERE user_id = :u AND use_case = :c ORDER BY rank;
