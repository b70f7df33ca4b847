# SPDX-License-Identifier: PostgreSQL
"""A rule for all tables: what is proven is cached without being named, and
nothing else."""

import subprocess

import pytest

from harness import binary, until

CONF = """
auth = "trust"
admin_users = {"app"}
workers = 2
revocation_bound = "1s"
layout_user = "postgres"
readonly_functions = {"only_reads"}
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
database "other" { backend = "main" }
cache "all" { tables = "*" databases = "app" ttl = "$TTL" l2 = false }
cache "named" { tables = {"named"} ttl = "2h" l2 = false }
"""

SCHEMA = """
SET ROLE app;
CREATE TABLE item (id int PRIMARY KEY, kind int, name text);
INSERT INTO item SELECT n, n % 3, 'name ' || n FROM generate_series(1, 9) n;
CREATE TABLE kind (id int PRIMARY KEY, word text);
INSERT INTO kind VALUES (0, 'zero'), (1, 'one'), (2, 'two');
CREATE TABLE named AS SELECT 1 AS id;
CREATE TABLE parted (id int, name text) PARTITION BY LIST (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
INSERT INTO parted VALUES (1, 'p');
CREATE VIEW both_v AS SELECT i.id, i.name, k.word FROM item i
  JOIN kind k ON k.id = i.kind;
CREATE VIEW clock_v AS SELECT id, clock_timestamp() AS at FROM item;
CREATE VIEW now_v AS SELECT id, now() AS at FROM item;
CREATE UNLOGGED TABLE unlogged AS SELECT 1 AS id;
CREATE TABLE secret AS SELECT current_user::text AS owner;
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secret USING (owner = current_user);
CREATE VIEW secret_v AS SELECT * FROM secret;
CREATE FUNCTION doubled(int) RETURNS int IMMUTABLE LANGUAGE sql
  AS 'SELECT $1 * 2';
CREATE FUNCTION only_reads() RETURNS int STABLE LANGUAGE sql
  AS 'SELECT 1';
GRANT ALL ON ALL TABLES IN SCHEMA public TO public;
"""

NAME = "SELECT name FROM item WHERE id = 1"


@pytest.fixture
def make(pg, db, pgsluice):
    def start(schema="", ttl="1h", conf=CONF):
        pg.psql(SCHEMA + schema, db)
        return pgsluice(conf, TTL=ttl)
    return start


def outcome(sluice, conn, sql):
    """hit, or why not."""
    def now():
        found = {k.split('"')[1]: v for k, v in sluice.metrics().items()
                 if k.startswith("pgsluice_cache_bypass_total{")}
        found["hit"] = sluice.count("cache_hits_l1")
        found["miss"] = sluice.count("cache_misses")
        return found
    until(sluice.watched)
    conn.execute(sql)
    before = now()
    conn.execute(sql)
    until(lambda: sum(now().values()) > sum(before.values()))
    after = now()
    return [k for k, v in after.items() if v > before.get(k, 0)]


HITS = [
    NAME,
    "SELECT id FROM public.item",
    "SELECT count(*) FROM item i JOIN kind k ON i.kind = k.id",
    "SELECT word FROM both_v WHERE id = 2",
    "SELECT name FROM parted WHERE id = 1",
    "SELECT name FROM parted_1",
    "WITH x AS (SELECT kind FROM item) SELECT upper(word) FROM kind "
    "WHERE id IN (SELECT kind FROM x)",
]

PASSES = {
    "SELECT at FROM clock_v WHERE id = 1": "volatile",
    "SELECT at FROM now_v WHERE id = 1": "stable",
    "SELECT id, now() FROM item": "stable",
    "SELECT random() FROM item": "volatile",
    "SELECT doubled(id) FROM item": "unknown_function",
    "SELECT only_reads() FROM item": "volatile",
    "SELECT * FROM unlogged": "unlogged",
    "SELECT * FROM secret": "rls",
    "SELECT * FROM secret_v": "rls",
    "SELECT relname FROM pg_class LIMIT 1": "catalog",
    "SELECT table_name FROM information_schema.tables LIMIT 1": "catalog",
    "SELECT * FROM item FOR SHARE": "locking",
    "SELECT 1": "no_table",
}


def test_what_is_cached(make):
    sluice = make()
    with sluice.connect() as conn:
        for sql in HITS:
            assert outcome(sluice, conn, sql) == ["hit"], sql
        for sql, why in PASSES.items():
            if "doubled" not in sql:
                assert outcome(sluice, conn, sql) == [why], sql
    with sluice.connect() as conn:  # it pins
        sql = "SELECT doubled(id) FROM item"
        assert "hit" not in outcome(sluice, conn, sql)
    with sluice.connect("other") as conn:
        assert outcome(sluice, conn, NAME) == ["no_rule"]


def test_a_rule_that_names_the_table_counts(make):
    sluice = make()
    with sluice.connect() as conn:
        def rule(sql):
            lines = [r[0] for r in conn.execute("EXPLAIN (ROUTE) " + sql)]
            return [x for x in lines if x.startswith("cache: ")][0]
        assert "by rule named, ttl 7200s" in rule("SELECT * FROM named")
        assert "by rule all, ttl 3600s" in rule(NAME)
        assert "by rule all, ttl 3600s" in rule("SELECT 1 FROM item, named")
        # Here a hint decides.
        assert "ttl 10800s, l1_ttl 10800s" in rule(
            "/* pgsluice: ttl=3h */ " + NAME)
        assert "ttl 7200s" in rule(
            "/* pgsluice: ttl=3h */ SELECT * FROM named")


WRITES = [
    ("UPDATE item SET name = 'x' WHERE id = 1", NAME),
    ("UPDATE kind SET word = 'x' WHERE id = 1",
     "SELECT word FROM both_v WHERE id = 1"),
    ("UPDATE parted_1 SET name = 'x'", "SELECT name FROM parted"),
    ("UPDATE parted SET name = 'y'", "SELECT name FROM parted_1"),
]


def test_writes_end_results(make):
    sluice = make()
    with sluice.connect() as conn, sluice.connect() as writer:
        for write, read in WRITES:
            until(lambda read=read: outcome(sluice, conn, read) == ["hit"])
            before = conn.execute(read).fetchall()
            writer.execute(write)
            assert conn.execute(read).fetchall() != before
        # And no others.
        until(lambda: outcome(sluice, conn, NAME) == ["hit"])
        writer.execute("UPDATE kind SET word = 'y' WHERE id = 2")
        with sluice.counting(cache_hits_l1=1):
            conn.execute(NAME)


# Functions and operators that hide behind what looks builtin.
HIDDEN = [
    ("CREATE FUNCTION abs(text) RETURNS text LANGUAGE sql VOLATILE AS "
     "$$SELECT random()::text || $1$$",
     "SELECT abs(name) FROM item"),
    ("CREATE SCHEMA s; CREATE FUNCTION s.Upper(text) RETURNS text LANGUAGE "
     "sql STABLE AS 'SELECT word FROM public.kind LIMIT 1'",
     "SELECT UPPER(name) FROM item"),
    ("CREATE FUNCTION label(item) RETURNS text LANGUAGE sql STABLE AS "
     "'SELECT word FROM kind WHERE id = $1.kind'",
     "SELECT item.label FROM item"),
    ("CREATE FUNCTION \"odd label\"(item) RETURNS text LANGUAGE sql STABLE "
     "AS 'SELECT word FROM kind WHERE id = $1.kind'",
     'SELECT i."odd label" FROM item i'),
    ("CREATE FUNCTION \"odd\"\"label\"(item) RETURNS text LANGUAGE sql "
     "STABLE AS 'SELECT word FROM kind WHERE id = $1.kind'",
     'SELECT i."odd""label" FROM item i'),
    ("CREATE FUNCTION differs(text, text) RETURNS bool LANGUAGE sql STABLE "
     "AS 'SELECT random() > 0.5'; CREATE OPERATOR # (LEFTARG = text, "
     "RIGHTARG = text, FUNCTION = differs)",
     "SELECT name # name FROM item"),
]


@pytest.mark.parametrize("schema,sql", HIDDEN)
def test_what_only_looks_builtin(make, schema, sql):
    sluice = make("SET ROLE postgres; " + schema)
    with sluice.connect() as conn:
        assert outcome(sluice, conn, sql) == ["unknown_function"]
        assert outcome(sluice, conn, NAME) == ["hit"]


ODD = ("CREATE FUNCTION same(text, int) RETURNS bool LANGUAGE sql STABLE AS "
       "'SELECT random() > 0.5'; CREATE OPERATOR = (LEFTARG = text, "
       "RIGHTARG = int, FUNCTION = same)")


def test_what_is_called_unseen_switches_it_off(make, pg, db):
    """Made later, behind our back, and taken away."""
    sluice = make()

    def reason():
        return sluice.console("SHOW WATCHES")[0]["auto_off"]
    with sluice.connect() as conn:
        assert outcome(sluice, conn, NAME) == ["hit"]
        pg.psql(ODD, db)
        until(lambda: reason() == "not immutable, and called unseen: =")
        until(lambda: outcome(sluice, conn, NAME) == ["auto_off"])
        assert outcome(sluice, conn, "SELECT * FROM named") == ["hit"]
        pg.psql("DROP OPERATOR = (text, int)", db)
        until(lambda: reason() is None)
        until(lambda: outcome(sluice, conn, NAME) == ["hit"])


MANY = """
SET ROLE postgres;
CREATE SCHEMA many;
DO $$ BEGIN FOR i IN 1..20001 LOOP
  EXECUTE 'CREATE FUNCTION many.f' || i || '() RETURNS int STABLE '
    'LANGUAGE internal AS ''pg_backend_pid''';
END LOOP; END $$
"""


def test_too_many_to_know(make):
    """It is off, and rules that name their tables are not."""
    sluice = make(MANY)
    with sluice.connect() as conn:
        until(lambda: outcome(sluice, conn, "SELECT * FROM named") == ["hit"])
        assert outcome(sluice, conn, NAME) == ["auto_off"]
    assert "too many" in sluice.console("SHOW WATCHES")[0]["auto_off"]


LONG = """
DO $$ BEGIN EXECUTE 'CREATE VIEW long_v AS SELECT ' || (
  SELECT string_agg(repeat('1', 200) || ' AS n' || n, ', ')
  FROM generate_series(1, 1200) n) || ', random() AS at FROM item';
END $$;
GRANT SELECT ON long_v TO public;
"""


def test_a_view_of_much_text(make):
    """What is behind the end of what is looked at is not missed."""
    sluice = make(LONG)
    with sluice.connect() as conn:
        assert outcome(sluice, conn, NAME) == ["hit"]
        assert "hit" not in outcome(sluice, conn, "SELECT at FROM long_v")


def test_revoked(make, pg, db):
    """What a role may no longer read is not told it."""
    sluice = make()
    pg.psql("GRANT USAGE ON SCHEMA public TO alice", db)
    with sluice.connect(user="alice") as conn:
        assert outcome(sluice, conn, NAME) == ["hit"]
        pg.psql("REVOKE ALL ON item FROM public", db)

        def refused():
            try:
                conn.execute(NAME)
            except Exception as e:
                return "permission denied" in str(e)
            return False
        until(refused)


def test_a_table_that_is_new(make, pg, db):
    sluice = make()
    with sluice.connect() as conn:
        conn.execute("CREATE TABLE fresh AS SELECT 1 AS id")
        until(lambda: outcome(sluice, conn, "SELECT * FROM fresh") == ["hit"])
        pg.psql("ALTER TABLE fresh ENABLE ROW LEVEL SECURITY", db)
        until(lambda: outcome(sluice, conn, "SELECT * FROM fresh") == ["rls"])


BAD = [
    ("allow_rls = true", "allow_rls"), ("allow_stable = true", "allow_stable"),
    ("allow_foreign = true", "allow_foreign"),
    ("allow_unlogged = true", "allow_unlogged"),
]


@pytest.mark.parametrize("option,word", BAD)
def test_what_such_a_rule_cannot_have(option, word, tmp_path):
    path = tmp_path / "bad.conf"
    text = CONF.replace('ttl = "$TTL" l2 = false', 'ttl = "1h" ' + option)
    path.write_text(text.replace("$PG", "1").replace("$DB", "x"),
                    encoding="utf-8")
    r = subprocess.run([binary(), "--check", str(path)], capture_output=True,
                       text=True, check=False)
    assert r.returncode != 0
    assert f"{word}: a rule for all tables cannot have it" in \
        r.stdout + r.stderr


def test_strong_needs_a_feed(tmp_path):
    path = tmp_path / "bad.conf"
    text = CONF.replace('ttl = "$TTL" l2 = false',
                        'ttl = "1h" consistency = "strong"')
    path.write_text(text.replace("$PG", "1").replace("$DB", "x"),
                    encoding="utf-8")
    r = subprocess.run([binary(), "--check", str(path)], capture_output=True,
                       text=True, check=False)
    assert r.returncode != 0
    assert "expected feed = true there" in r.stdout + r.stderr
