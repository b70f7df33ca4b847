\set n 100000000000 + random_zipfian(1, :rows, 1.2)
UPDATE clustermonolith SET member_count = member_count + 1 WHERE cid = '00000000-0000-4000-8000-:n';
