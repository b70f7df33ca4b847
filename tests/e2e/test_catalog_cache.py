# SPDX-License-Identifier: PostgreSQL
"""What the catalogs say about cached tables: views, partitions, foreign keys,
triggers, rules; tables that are not cached; privileges and roles that others
change."""

import time

import psycopg
import pytest

from harness import until

CONF = """
auth = "trust"
admin_users = {"app"}
layout_user = "$WATCHER"
revocation_bound = "$BOUND"
server_connect_timeout = "1s"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
$RULES
"""

RULES = """
cache "all" {
    tables = {$TABLES} ttl = "60s" l2 = false $MORE
}
"""

SCHEMA = """
SET ROLE app;
CREATE TABLE base (id int PRIMARY KEY, n int);
CREATE TABLE other (id int PRIMARY KEY, n int);
CREATE VIEW inner_v AS SELECT b.id, b.n + o.n AS n FROM base b JOIN other o
  USING (id);
CREATE VIEW outer_v AS SELECT id, n * 10 AS n FROM inner_v;
CREATE VIEW clock_v AS SELECT id, now() AS at FROM base;
CREATE FUNCTION mine(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE VIEW function_v AS SELECT mine(n) AS n FROM base;
CREATE TABLE part (id int, k int, n int) PARTITION BY LIST (k);
CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part2 PARTITION OF part FOR VALUES IN (2)
  PARTITION BY LIST (id);
CREATE TABLE part2a PARTITION OF part2 DEFAULT;
CREATE TABLE child (id int PRIMARY KEY,
  base int REFERENCES base ON DELETE CASCADE);
CREATE TABLE grandchild (id int PRIMARY KEY,
  child int REFERENCES child ON DELETE CASCADE);
CREATE TABLE fired (id int PRIMARY KEY);
CREATE TABLE effect (id int);
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO effect VALUES (NEW.id); RETURN NEW; END';
CREATE TRIGGER fire AFTER INSERT ON fired FOR EACH ROW
  EXECUTE FUNCTION fire();
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN RETURN NEW; END';
CREATE TABLE stamped (id int);
CREATE TRIGGER stamp BEFORE INSERT ON stamped FOR EACH ROW
  EXECUTE FUNCTION stamp();
CREATE TABLE ruled (id int);
CREATE RULE copy AS ON INSERT TO ruled DO ALSO
  INSERT INTO effect VALUES (NEW.id + 100);
CREATE TABLE secret (owner text, word text);
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CREATE TABLE allowed (who text);
CREATE POLICY own ON secret USING (owner = current_user OR
  EXISTS (SELECT FROM allowed WHERE who = current_user));
CREATE VIEW secret_v AS SELECT word FROM secret;
CREATE UNLOGGED TABLE scratch (id int);
CREATE MATERIALIZED VIEW mat AS SELECT count(*) FROM base;
INSERT INTO base SELECT i, i FROM generate_series(1, 9) i;
INSERT INTO other SELECT i, i FROM generate_series(1, 9) i;
INSERT INTO part VALUES (1, 1, 1), (2, 2, 2);
INSERT INTO child VALUES (1, 1), (2, 2);
INSERT INTO grandchild VALUES (1, 1), (2, 2);
INSERT INTO secret VALUES ('alice', 'of alice'), ('bob', 'of bob');
GRANT SELECT ON ALL TABLES IN SCHEMA public TO alice, bob;
"""


@pytest.fixture
def make(pg, db, pgsluice):
    def start(*tables, more="", bound="5s", rules="", **holes):
        text = CONF.replace("$RULES", RULES + rules)
        return pgsluice(
            text, TABLES=", ".join(f'"{t}"' for t in tables), MORE=more,
            BOUND=bound, **{"WATCHER": "app", **holes})
    pg.psql(SCHEMA, db)
    return start


def hits(sluice):
    return sluice.count("cache_hits_l1")


def is_hit(sluice, sql, conn=None, **kw):
    """Whether it is answered from memory."""
    before = hits(sluice)
    if conn is not None:
        conn.execute(sql).fetchall()
    else:
        sluice.query(sql, **kw)
    return hits(sluice) > before


def fill(sluice, *sqls, **kw):
    for sql in sqls:
        sluice.query(sql, **kw)
        assert is_hit(sluice, sql, **kw), sql


def reason(sluice, sql, **kw):
    """The bypass reason that EXPLAIN (ROUTE) tells, or None."""
    for line, in sluice.query("EXPLAIN (ROUTE) " + sql, **kw):
        if "cache: bypass:" in line:
            return line.split("bypass: ")[1].split(" ")[0]
    return None


# -- dependencies --------------------------------------------------------------

def test_view_depends_on_what_it_reads(make):
    sluice = make("outer_v")
    sql = "SELECT n FROM outer_v WHERE id = 3"
    for write in ("UPDATE base SET n = 50 WHERE id = 3",
                  "UPDATE other SET n = 60 WHERE id = 3"):
        fill(sluice, sql)
        sluice.query(write)
        assert not is_hit(sluice, sql)
    assert sluice.query(sql) == [(1100,)]
    fill(sluice, sql)
    sluice.query("UPDATE part SET n = 1")
    assert is_hit(sluice, sql)


def test_view_is_written_through(make):
    sluice = make("base")
    sluice.psql("CREATE VIEW plain_v AS SELECT * FROM base")
    sluice.wait_watched()
    sql = "SELECT n FROM base WHERE id = 3"
    fill(sluice, sql)
    sluice.query("UPDATE plain_v SET n = 77 WHERE id = 3")
    assert sluice.query(sql) == [(77,)]


@pytest.mark.parametrize("table", ["part1", "part2", "part2a"])
def test_partition_written_directly(make, table):
    sluice = make("part")
    sql = "SELECT sum(n) FROM part"
    fill(sluice, sql)
    sluice.query(f"UPDATE {table} SET n = n + 10")
    assert not is_hit(sluice, sql)
    assert sluice.query(sql) == [(13,)]


@pytest.mark.parametrize("table", ["part1", "part2a"])
def test_parent_written(make, table):
    sluice = make(table)
    sql = f"SELECT sum(n) FROM {table}"
    fill(sluice, sql)
    sluice.query("UPDATE part SET n = n + 10")
    assert not is_hit(sluice, sql)


def test_foreign_key_cascades(make):
    sluice = make("grandchild")
    sql = "SELECT count(*) FROM grandchild"
    fill(sluice, sql)
    for harmless in ("INSERT INTO base VALUES (100, 1)",
                     "UPDATE base SET n = 3 WHERE id = 100"):
        sluice.query(harmless)
        assert is_hit(sluice, sql)
    sluice.query("DELETE FROM base WHERE id = 1")
    assert sluice.query(sql) == [(1,)]


# -- triggers and rules ----------------------------------------------------------

EFFECT = "SELECT count(*) FROM effect"
BASE = "SELECT count(*) FROM base"


def test_trigger_may_write_anything(make):
    sluice = make("effect", "base")
    fill(sluice, EFFECT, BASE)
    sluice.query("INSERT INTO fired VALUES (1)")
    assert sluice.query(EFFECT) == [(1,)]
    assert not is_hit(sluice, BASE)
    lines = [r[0] for r in sluice.query(
        "EXPLAIN (ROUTE) INSERT INTO fired VALUES (2)")]
    assert any("everything (trigger function public.fire on public.fired)"
               in line for line in lines)


def test_trigger_that_is_declared(make):
    sluice = make("effect", rules="""
        cache "base" { tables = {"base"} ttl = "60s" l2 = false }
        writes "fired" { also = {"effect"} }""")
    fill(sluice, EFFECT, BASE)
    sluice.query("INSERT INTO fired VALUES (1)")
    assert is_hit(sluice, BASE)
    assert sluice.query(EFFECT) == [(1,)]


def test_trigger_function_that_only_reads(make):
    sluice = make("base", rules='readonly_functions = {"stamp"}')
    fill(sluice, BASE)
    sluice.query("INSERT INTO stamped VALUES (1)")
    assert is_hit(sluice, BASE)


def test_rule(make):
    sluice = make("effect")
    fill(sluice, EFFECT)
    sluice.query("INSERT INTO ruled VALUES (1)")
    assert sluice.query(EFFECT) == [(1,)]


def test_trigger_made_here_counts_at_once(make):
    sluice = make("effect")
    fill(sluice, EFFECT)
    sluice.query("CREATE TRIGGER fire AFTER INSERT ON stamped FOR EACH ROW "
                 "EXECUTE FUNCTION fire()")
    sluice.query(EFFECT)
    sluice.query("INSERT INTO stamped VALUES (1)")
    assert sluice.query(EFFECT) == [(1,)]
    sluice.wait_watched()
    fill(sluice, EFFECT)
    sluice.query("INSERT INTO stamped VALUES (2)")
    assert sluice.query(EFFECT) == [(2,)]


def test_trigger_made_elsewhere(make, pg, db):
    sluice = make("effect", bound="1s")
    fill(sluice, EFFECT)
    pg.psql("CREATE TRIGGER fire AFTER INSERT ON stamped FOR EACH ROW "
            "EXECUTE FUNCTION fire()", db)
    time.sleep(1.2)
    until(lambda: is_hit(sluice, EFFECT))
    sluice.query("INSERT INTO stamped VALUES (1)")
    assert sluice.query(EFFECT) == [(1,)]


# -- what is not cached --------------------------------------------------------------

def test_not_cached(make):
    sluice = make("secret", "scratch", "clock_v", "function_v", "missing",
                  "secret_v")
    for table, why in (("secret", "rls"), ("scratch", "unlogged"),
                       ("clock_v", "stable"), ("secret_v", "rls"),
                       ("function_v", "unknown_function"),
                       ("missing", "unknown_table")):
        assert reason(sluice, f"SELECT * FROM {table}") == why


def test_permissions_of_the_rule(make):
    sluice = make("scratch", "clock_v", more="allow_unlogged = true "
                  "allow_stable = true")
    fill(sluice, "SELECT * FROM scratch", "SELECT * FROM clock_v")


def test_rls_by_permission(make):
    sluice = make("secret", more="allow_rls = true")
    sql = "SELECT word FROM secret ORDER BY 1"
    for user in ("alice", "bob"):
        fill(sluice, sql, user=user)
        assert sluice.query(sql, user=user) == [(f"of {user}",)]
    # What the policy reads counts, too.
    sluice.query("INSERT INTO allowed VALUES ('alice')")
    assert len(sluice.query(sql, user="alice")) == 2
    assert len(sluice.query(sql, user="bob")) == 1


def test_materialized_view(make, pg, db):
    sluice = make("mat")
    fill(sluice, "SELECT * FROM mat")
    sluice.query("INSERT INTO base VALUES (300, 1)")
    assert is_hit(sluice, "SELECT * FROM mat")
    sluice.query("REFRESH MATERIALIZED VIEW mat")
    assert sluice.query("SELECT * FROM mat") == [(10,)]


def test_same_name_elsewhere_is_a_miss_at_most(make, pg, db):
    pg.psql("CREATE SCHEMA x AUTHORIZATION app; SET ROLE app; "
            "CREATE UNLOGGED TABLE x.base (id int)", db)
    sluice = make("base")
    assert reason(sluice, "SELECT * FROM base") == "unlogged"
    assert reason(sluice, "SELECT * FROM public.base") is None


def test_show_cache_tables(make):
    sluice = make("outer_v", "part", "secret", "mat")
    rows = {r["table"]: r for r in sluice.console("SHOW CACHE TABLES")}
    assert set(rows) == {"outer_v", "part", "secret", "mat"}
    assert rows["outer_v"]["kind"] == "view"
    assert rows["outer_v"]["cached"] == "yes"
    assert set(rows["outer_v"]["depends_on"].split(", ")) == \
        {"outer_v", "inner_v", "base", "other"}
    assert "public.part2a" in rows["part"]["changed_by"]
    assert "public.fired (anything: trigger function public.fire on " \
        "public.fired)" in rows["part"]["changed_by"]
    assert rows["secret"]["cached"] == "row level security"
    assert rows["mat"]["cached"] == "yes, for ttl"
    watch, = sluice.console("SHOW WATCHES")
    assert watch["state"] == "vouched" and watch["error"] is None


# -- privileges and roles ------------------------------------------------------------

BOUND = 2.0


def refused_within(sluice, sql, user, seconds, grace=0.5):
    """The statement is refused at last this long from now on."""
    began = time.monotonic()
    with sluice.connect(user=user) as conn:
        while True:
            asked = time.monotonic()
            try:
                conn.execute(sql).fetchall()
            except (psycopg.errors.InsufficientPrivilege,
                    psycopg.errors.UndefinedTable):
                return time.monotonic() - began
            assert asked - began < seconds + grace, "still answered"
            time.sleep(0.02)


@pytest.mark.parametrize("revoke", [
    "REVOKE SELECT ON base FROM alice",
    "REVOKE SELECT ON base FROM readers",
    "REVOKE readers FROM alice",
    "REVOKE USAGE ON SCHEMA public FROM PUBLIC",
    "ALTER TABLE base OWNER TO postgres; REVOKE ALL ON base FROM alice, "
    "readers, app"])
def test_revoke_elsewhere(make, pg, db, revoke):
    sluice = make("base", bound=f"{BOUND:g}s")
    pg.psql("DROP ROLE IF EXISTS readers; CREATE ROLE readers; "
            "GRANT readers TO alice;" +
            ("REVOKE SELECT ON base FROM alice; GRANT SELECT ON base TO "
             "readers" if "readers" in revoke and "postgres" not in revoke
             else ""), db)
    try:
        until(lambda: is_hit(sluice, BASE, user="alice"))
        time.sleep(BOUND)
        fill(sluice, BASE, user="alice")
        pg.psql(revoke, db)
        refused_within(sluice, BASE, "alice", BOUND)
    finally:
        pg.psql("REASSIGN OWNED BY readers TO postgres; DROP OWNED BY "
                "readers; DROP ROLE readers", db)


def test_revoke_column_elsewhere(make, pg, db):
    sluice = make("outer_v", "base", bound=f"{BOUND:g}s")
    pg.psql("REVOKE SELECT ON base FROM alice; "
            "GRANT SELECT (id) ON base TO alice", db)
    time.sleep(BOUND)
    sql = "SELECT id FROM base"
    until(lambda: is_hit(sluice, sql, user="alice"))
    pg.psql("REVOKE SELECT (id) ON base FROM alice", db)
    refused_within(sluice, sql, "alice", BOUND)


def test_policy_made_elsewhere(make, pg, db):
    sluice = make("secret", more="allow_rls = true", bound="1s")
    sql = "SELECT word FROM secret"
    fill(sluice, sql, user="alice")
    pg.psql("CREATE POLICY none ON secret AS RESTRICTIVE USING (false)", db)
    time.sleep(1.2)
    assert sluice.query(sql, user="alice") == []


def test_row_level_security_switched_on_elsewhere(make, pg, db):
    sluice = make("base", bound="1s")
    fill(sluice, BASE, user="alice")
    pg.psql("ALTER TABLE base ENABLE ROW LEVEL SECURITY", db)
    time.sleep(1.2)
    assert sluice.query(BASE, user="alice") == [(0,)]
    until(lambda: reason(sluice, BASE, user="alice") == "rls")


def test_alter_role_set_elsewhere(make, pg, db):
    sluice = make("base", bound="1s")
    pg.psql("CREATE SCHEMA y AUTHORIZATION app; SET ROLE app; "
            "CREATE TABLE y.base (id int, n int); "
            "GRANT USAGE ON SCHEMA y TO alice; "
            "GRANT SELECT ON y.base TO alice", db)
    time.sleep(1.2)
    with sluice.connect(user="alice") as conn:
        until(lambda: is_hit(sluice, BASE, conn))
        assert conn.execute(BASE).fetchall() == [(9,)]
        pg.psql(f"ALTER ROLE alice IN DATABASE {db} SET search_path = y", db)
        time.sleep(1.2)
        assert conn.execute(BASE).fetchall() == [(0,)]
        until(lambda: is_hit(sluice, BASE, conn))
        assert conn.execute(BASE).fetchall() == [(0,)]


def test_session_that_keeps_its_server_keeps_its_settings(make, pg, db):
    """As on a connection of its own: ALTER ROLE counts for the next one."""
    sluice = make("base", bound="1s", rules='pool_mode = "session"')
    pg.psql("CREATE SCHEMA y AUTHORIZATION app; SET ROLE app; "
            "CREATE TABLE y.base (id int, n int); "
            "GRANT USAGE ON SCHEMA y TO alice; "
            "GRANT SELECT ON y.base TO alice", db)
    with sluice.connect(user="alice", prepare_threshold=None) as old:
        time.sleep(1.2)
        until(lambda: is_hit(sluice, BASE, old))
        pg.psql(f"ALTER ROLE alice IN DATABASE {db} SET search_path = y", db)
        time.sleep(1.2)
        with sluice.connect(user="alice") as new:
            until(lambda: is_hit(sluice, BASE, new))
            assert new.execute(BASE).fetchall() == [(0,)]
            for _ in range(3):
                assert old.execute(BASE).fetchall() == [(9,)]


def test_drop_role_elsewhere(make, pg, db):
    sluice = make("base", bound="1s")
    pg.psql("CREATE ROLE leaver LOGIN; GRANT SELECT ON base TO leaver", db)
    time.sleep(1.2)
    until(lambda: is_hit(sluice, BASE, user="leaver"))
    with sluice.connect(user="leaver") as conn:
        assert is_hit(sluice, BASE, conn)
        pg.psql("DROP OWNED BY leaver; DROP ROLE leaver", db)
        time.sleep(1.2)
        with pytest.raises(psycopg.Error):
            conn.execute(BASE).fetchall()


def test_nobody_looks(make, pg, db):
    """The watch cannot log in any more: hits end within the bound, and what
    was stored before is not served when it can again."""
    pg.psql("CREATE ROLE watcher LOGIN", db)
    sluice = make("base", bound="1s", WATCHER="watcher")
    try:
        fill(sluice, BASE)
        pg.psql("ALTER ROLE watcher NOLOGIN; SELECT pg_terminate_backend(pid)"
                " FROM pg_stat_activity WHERE usename = 'watcher'", db)
        time.sleep(1.1)
        assert not is_hit(sluice, BASE)
        assert sluice.metric("pgsluice_watch_vouched") == 0
        assert sluice.metrics()[
            'pgsluice_cache_bypass_total{reason="unwatched"}'] > 0
        watch, = sluice.console("SHOW WATCHES")
        assert watch["state"] == "failing"
        assert "not permitted to log in" in watch["error"]
        pg.psql("INSERT INTO base VALUES (400, 1); "
                "ALTER ROLE watcher LOGIN", db)
        sluice.wait_watched()
        assert sluice.query(BASE) == [(10,)]
        fill(sluice, BASE)
    finally:
        pg.psql("DROP ROLE watcher", db)


def test_nobody_to_log_in_as(pg, db, pgsluice):
    sluice = pgsluice(CONF.replace('layout_user = "$WATCHER"', "")
                      .replace("$RULES", RULES + "# layout_user"),
                      TABLES='"base"', MORE="", BOUND="5s", WATCHER="app")
    pg.psql(SCHEMA, db)
    assert not any(is_hit(sluice, BASE) for _ in range(3))
    sluice.wait_log("nobody to log in as")


def test_entries_in_redis(pg, db, redis, pgsluice):
    """What was put there before a REVOKE is not found after it, whoever looks
    and whenever it was running."""
    pg.psql(SCHEMA, db)
    text = 'redis_host = "127.0.0.1"\nredis_port = $REDIS\n' + \
        CONF.replace("$RULES", 'cache "l2" { tables = {"base"} ttl = "1h" '
                     'l1_ttl = "0" }')
    first, second = (pgsluice(text, BOUND="5s", WATCHER="app")
                     for _ in range(2))

    def is_found(sluice):
        before = sluice.count("cache_hits_l2")
        sluice.query(BASE, user="alice")
        return sluice.count("cache_hits_l2") > before
    until(lambda: is_found(first))
    until(lambda: is_found(second))
    second.stop()
    first.stop()
    pg.psql("REVOKE SELECT ON base FROM alice", db)
    second.start()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        second.query(BASE, user="alice")
    pg.psql("GRANT SELECT ON base TO alice", db)
    second.stop()
    second.start()
    until(lambda: is_found(second))


def test_routed_tables(pg, db, pgsluice):
    """They go by their logical name, also where a part is written by its own,
    and what their triggers do counts."""
    pg.psql(SCHEMA, db)
    sluice = pgsluice(CONF.replace("$RULES", """
        table "events" { variant "v" { kind = "plain" backend = "main"
                         relation = "public.part" } }
        table "sources" { variant "v" { kind = "plain" backend = "main"
                          relation = "public.fired" } }
        cache "events" { tables = {"events", "effect"} ttl = "60s"
                         l2 = false }"""), BOUND="5s", WATCHER="app")
    sql = "SELECT sum(n) FROM events"
    for write, result in (("UPDATE events SET n = n + 1", 5),
                          ("UPDATE part1 SET n = n + 1", 6),
                          ("UPDATE part SET n = n + 1", 8)):
        fill(sluice, sql)
        sluice.query(write)
        assert sluice.query(sql) == [(result,)]
    fill(sluice, EFFECT)
    sluice.query("INSERT INTO sources VALUES (1)")
    assert sluice.query(EFFECT) == [(1,)]


def test_switched_off(make):
    sluice = make("base", "secret", bound="0")
    fill(sluice, BASE, "SELECT * FROM secret")
    assert sluice.console("SHOW WATCHES") == []
