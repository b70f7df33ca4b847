\set n 100000000000 + random(1, :rows)
SELECT uid, password_hash, role, is_verified FROM usermonolith WHERE email = 'user:n@example.org';
