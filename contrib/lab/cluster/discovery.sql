SELECT cid, name, topic, image_url, is_private FROM clustermonolith ORDER BY name LIMIT 100;
