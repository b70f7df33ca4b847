-- Users in one table, and the same in two: what logging in needs, and the rest.
-- :rows of them, always the same.
SET ROLE app;
CREATE TYPE user_role AS ENUM ('GUEST', 'MEMBER', 'ADMIN');
CREATE TABLE usermonolith (
    uid uuid PRIMARY KEY, email text UNIQUE, password_hash text,
    role user_role, is_verified boolean, name text, phone text, location text,
    bio text, profile_image text, created_at timestamptz,
    last_active timestamptz);
CREATE TABLE userauth (
    uid uuid PRIMARY KEY, email text UNIQUE, password_hash text,
    role user_role, is_verified boolean);
CREATE TABLE userprofile (
    uid uuid PRIMARY KEY REFERENCES userauth, name text, phone text,
    location text, bio text, profile_image text, created_at timestamptz,
    last_active timestamptz);
ALTER TABLE usermonolith REPLICA IDENTITY FULL;
ALTER TABLE userauth REPLICA IDENTITY FULL;

INSERT INTO usermonolith
SELECT ('00000000-0000-4000-8000-' || 100000000000 + g)::uuid,
    'user' || 100000000000 + g || '@example.org', '$2b$12$' || md5(g::text) || ' 0',
    (enum_range(NULL::user_role))[1 + g % 3], g % 5 > 0, 'Name ' || g,
    '+49 30 ' || g, 'Town ' || g % 100, repeat('Bio of ' || g || '. ', 60),
    'https://img.example/' || md5('face' || g) || '.png',
    '2026-01-01'::timestamptz + g * interval '1 minute',
    '2026-06-01'::timestamptz
FROM generate_series(1, :rows) g;
INSERT INTO userauth
SELECT uid, email, password_hash, role, is_verified FROM usermonolith;
INSERT INTO userprofile
SELECT uid, name, phone, location, bio, profile_image, created_at, last_active
FROM usermonolith;
CREATE PUBLICATION pgsluice FOR TABLE usermonolith, userauth, userprofile;
RESET ROLE;
VACUUM ANALYZE;
