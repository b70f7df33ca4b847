-- Communities in one wide table, and the same in three by how they are used.
-- :rows of them, always the same.
SET ROLE app;
CREATE TABLE clustermonolith (
    cid uuid PRIMARY KEY, name text, topic text, description text,
    owner_id uuid, created_at timestamptz, image_url text, is_private boolean,
    member_count int, post_count int, rules text, settings text);
CREATE INDEX ON clustermonolith (name);
CREATE INDEX ON clustermonolith (topic);
CREATE TABLE clustercore (
    cid uuid PRIMARY KEY, name text, topic text, image_url text,
    is_private boolean);
CREATE INDEX ON clustercore (name);
CREATE INDEX ON clustercore (topic);
CREATE TABLE clusterinfo (
    cid uuid PRIMARY KEY REFERENCES clustercore, description text,
    owner_id uuid, created_at timestamptz, rules text, settings text);
CREATE TABLE clusterstats (
    cid uuid PRIMARY KEY REFERENCES clustercore, member_count int,
    post_count int);

INSERT INTO clustermonolith
SELECT ('00000000-0000-4000-8000-' || 100000000000 + g)::uuid,
    'cluster ' || md5(g::text), 'topic ' || g % 40,
    repeat('about cluster ' || g || '. ', 40), md5('owner' || g)::uuid,
    '2026-01-01'::timestamptz + g * interval '1 minute',
    'https://img.example/' || md5('image' || g) || '.png', g % 10 = 0,
    g % 1000, g % 300, repeat('rule ' || g || '. ', 60),
    repeat('{"setting": ' || g || '}', 20)
FROM generate_series(1, :rows) g;
INSERT INTO clustercore
SELECT cid, name, topic, image_url, is_private FROM clustermonolith;
INSERT INTO clusterinfo
SELECT cid, description, owner_id, created_at, rules, settings
FROM clustermonolith;
INSERT INTO clusterstats
SELECT cid, member_count, post_count FROM clustermonolith;
RESET ROLE;
VACUUM ANALYZE;
