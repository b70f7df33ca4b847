\set n 100000000000 + random(1, :rows)
UPDATE usermonolith SET last_active = '2026-07-01 00:00:00Z' WHERE uid = '00000000-0000-4000-8000-:n';
