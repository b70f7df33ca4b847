# SPDX-License-Identifier: PostgreSQL
"""SHOW CACHE CANDIDATES: what a rule would save, and the rule."""

import subprocess

import pytest

from harness import binary, until

CONF = """
auth = "trust"
admin_users = {"app"}
workers = $WORKERS
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
database "off" { backend = "main" cache = false }
cache "ruled" { tables = {"ruled"} ttl = "1h" l2 = false }
"""

SCHEMA = """
CREATE TABLE item AS SELECT n AS id, 'name ' || n AS name
  FROM generate_series(1, 50) n;
CREATE TABLE kind AS SELECT 1 AS id;
CREATE TABLE "odd name" AS SELECT 1 AS id;
CREATE TABLE ruled AS SELECT 1 AS id;
GRANT ALL ON ALL TABLES IN SCHEMA public TO public;
"""

SLOW = "SELECT count(*) FROM item a, item b, item c WHERE a.id > 1"


@pytest.fixture
def make(pg, db, pgsluice):
    pg.psql(SCHEMA, db)

    def start(workers=1):
        return pgsluice(CONF, WORKERS=workers)
    return start


def candidates(sluice):
    return sluice.console("SHOW CACHE CANDIDATES")


def the(sluice, text):
    found = [c for c in candidates(sluice) if c["query"] == text]
    assert len(found) < 2
    return found[0] if found else None


def numbers(row):
    return {k: row[k] for k in ("count", "hits", "written", "writes")}


def test_counts(make):
    sluice = make()
    with sluice.connect() as conn:
        for n in (1, 2, 1, 1, 3):
            conn.execute(f"SELECT name FROM item WHERE id = {n}")
        row = the(sluice, "SELECT name FROM item WHERE id = ?")
        assert numbers(row) == {"count": 5, "hits": 2, "written": 0,
                                "writes": 0}
        assert 0 < row["saved_ms"] < 5 * row["avg_ms"]
        assert 20 < row["avg_bytes"] < 200
        conn.execute("UPDATE item SET name = name WHERE id = 1")
        for _ in range(2):
            conn.execute("SELECT name FROM item WHERE id = 1")
        row = the(sluice, "SELECT name FROM item WHERE id = ?")
        assert numbers(row) == {"count": 7, "hits": 3, "written": 1,
                                "writes": 1}


def test_parameters_tell_executions_apart(make):
    sluice = make()
    with sluice.connect() as conn, conn.cursor(binary=True) as cur:
        for n in (1, 1, 2, 1):
            cur.execute("SELECT name FROM item WHERE id = %s", (n,))
    row = the(sluice, "SELECT name FROM item WHERE id = $1")
    assert numbers(row) == {"count": 4, "hits": 2, "written": 0, "writes": 0}


def test_what_a_rule_could_not_cache_is_none(make):
    sluice = make()
    with sluice.connect() as conn:
        for sql in ("SELECT * FROM item WHERE random() > 2",
                    "SELECT id, now() FROM item",
                    "SELECT * FROM item FOR UPDATE",
                    "SELECT 1",
                    "SELECT relname FROM pg_class LIMIT 1",
                    "/* pgsluice: nocache */ SELECT * FROM kind",
                    "SELECT * FROM ruled"):
            conn.execute(sql)
        conn.execute("BEGIN")
        conn.execute("UPDATE item SET name = name WHERE id = 1")
        conn.execute("SELECT id FROM item")
        conn.execute("COMMIT")
    with sluice.connect("off") as conn:
        conn.execute("SELECT id FROM item")
    assert not candidates(sluice)


def test_all_workers_are_added_up(make):
    sluice = make(workers=2)
    conns = [sluice.connect() for _ in range(6)]
    for conn in conns:
        for _ in range(3):
            conn.execute("SELECT name FROM item WHERE id = 1")
        conn.close()
    row = the(sluice, "SELECT name FROM item WHERE id = ?")
    assert row["count"] == 18
    # Each worker had to ask once.
    assert 16 <= row["hits"] <= 17


def test_the_rules_can_be_pasted(make, tmp_path):
    """They are accepted, and what was said to be hits are hits."""
    sluice = make()
    sqls = [SLOW, "SELECT name FROM item WHERE id = 1",
            "SELECT i.id FROM public.item i JOIN kind USING (id)",
            'SELECT * FROM "odd name"']
    with sluice.connect() as conn:
        for sql in sqls:
            for _ in range(3):
                conn.execute(sql)
    rows = candidates(sluice)
    assert rows[0]["query"] == SLOW.replace("1", "?")
    assert [row["hits"] for row in rows] == [2] * len(sqls)
    saved = [row["saved_ms"] for row in rows]
    assert saved == sorted(saved, reverse=True)
    # One for each set of tables, none where a name needs quotes.
    rules = [row["rule"] for row in rows if row["rule"]]
    assert len(rules) == 2
    text = open(sluice.conf, encoding="utf-8").read()
    text += "\n".join(rules) + "\n"
    path = tmp_path / "pasted.conf"
    path.write_text(text, encoding="utf-8")
    subprocess.run([binary(), "--check", str(path)], check=True)
    sluice.rewrite(text)
    sluice.reload()
    sluice.wait_watched()
    with sluice.connect() as conn:
        for sql in sqls[:3]:
            until(lambda sql=sql: conn.execute(sql) and
                  sluice.count("cache_stores") > 0)
            conn.execute(sql)
            with sluice.counting(cache_hits_l1=1):
                conn.execute(sql)
    assert not [c for c in candidates(sluice) if "odd" not in c["query"]]
