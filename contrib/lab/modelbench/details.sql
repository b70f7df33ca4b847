\set n random_zipfian(1, :rows, 1.1)
SELECT id, name, family, parameters, description FROM models WHERE id = :n;
