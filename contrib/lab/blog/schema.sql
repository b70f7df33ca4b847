-- SPDX-License-Identifier: PostgreSQL
-- What is written, normalised (tb_*), and what is read (tv_*): documents that
-- the application makes of it.  :rows posts of a tenth as many users, four
-- comments each; always the same.
SET ROLE app;
CREATE TABLE tb_user (id uuid PRIMARY KEY, name text, email text);
CREATE TABLE tb_post (
    id uuid PRIMARY KEY, author_id uuid REFERENCES tb_user, title text,
    body text, updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE tb_comment (
    id uuid PRIMARY KEY, post_id uuid REFERENCES tb_post,
    author_id uuid REFERENCES tb_user, body text);
CREATE INDEX ON tb_comment (post_id);
CREATE TABLE tv_user (id uuid PRIMARY KEY, data jsonb NOT NULL);
CREATE TABLE tv_post (id uuid PRIMARY KEY, data jsonb NOT NULL);
CREATE TABLE sync_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, documents int,
    ok boolean, started timestamptz, finished timestamptz);

INSERT INTO tb_user
SELECT ('00000000-0000-4000-8001-' || 100000000000 + g)::uuid, 'User ' || g,
    'user' || g || '@example.org' FROM generate_series(1, :rows / 10) g;
INSERT INTO tb_post
SELECT ('00000000-0000-4000-8002-' || 100000000000 + g)::uuid,
    ('00000000-0000-4000-8001-' || 100000000001 + g % (:rows / 10))::uuid,
    'Post ' || g, repeat('Words of post ' || g || '. ', 15), '2026-06-01'
FROM generate_series(1, :rows) g;
INSERT INTO tb_comment
SELECT ('00000000-0000-4000-8003-' || 100000000000 + g)::uuid,
    ('00000000-0000-4000-8002-' || 100000000001 + g % :rows)::uuid,
    ('00000000-0000-4000-8001-' || 100000000001 + g * 7 % (:rows / 10))::uuid,
    'Comment ' || g FROM generate_series(1, :rows * 4) g;

-- A post as it is read, with its author and comments.
CREATE VIEW post_document AS
SELECT p.id, p.updated_at, jsonb_build_object(
    'id', p.id, 'title', p.title, 'body', p.body, 'author_id', p.author_id,
    'updated_at', p.updated_at,
    'author', (SELECT jsonb_build_object('name', u.name, 'email', u.email)
               FROM tb_user u WHERE u.id = p.author_id),
    'comments', COALESCE((SELECT jsonb_agg(jsonb_build_object(
        'author', u.name, 'body', c.body) ORDER BY c.id)
        FROM tb_comment c JOIN tb_user u ON u.id = c.author_id
        WHERE c.post_id = p.id), '[]')) AS data
FROM tb_post p;
-- Posts whose document is missing or older.
CREATE VIEW post_behind AS
SELECT t.id, t.updated_at FROM tb_post t LEFT JOIN tv_post v USING (id)
WHERE COALESCE((v.data ->> 'updated_at')::timestamptz, '-infinity')
    < t.updated_at;

INSERT INTO tv_user SELECT id, jsonb_build_object('id', id, 'name', name,
    'email', email) FROM tb_user;
INSERT INTO tv_post SELECT id, data FROM post_document;
CREATE INDEX ON tv_post USING gin (data jsonb_path_ops);
RESET ROLE;
VACUUM ANALYZE;
