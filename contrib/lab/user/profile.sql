\set n 100000000000 + random(1, :rows)
SELECT name, phone, location, bio, profile_image, created_at, last_active FROM usermonolith WHERE uid = '00000000-0000-4000-8000-:n';
