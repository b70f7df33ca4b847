\set n 100000000000 + random_zipfian(1, :rows, 1.2)
SELECT cid, name, topic, description, owner_id, created_at, image_url, is_private, member_count, post_count, rules, settings FROM clustermonolith WHERE cid = '00000000-0000-4000-8000-:n';
