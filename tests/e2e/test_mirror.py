# SPDX-License-Identifier: PostgreSQL
"""Experiments with writes = all: what the control commits, the other arms get
behind it, in the same order; what they cannot get, or does something else
there, is counted."""

import os
import random
import threading

import psycopg
import psycopg2
import pytest

from harness import until

SCHEMA = """
SET ROLE app;
CREATE TABLE one (id int PRIMARY KEY, tenant int, n int DEFAULT 0, word text);
CREATE TABLE two (LIKE one INCLUDING ALL);
CREATE TABLE other (id int PRIMARY KEY);
CREATE TABLE part_0 (LIKE one INCLUDING ALL);
CREATE TABLE part_1 (LIKE one INCLUDING ALL);
INSERT INTO one SELECT g, g % 50, 0, 'w' FROM generate_series(1, 200) g;
INSERT INTO two SELECT * FROM one;
"""

CONF = """
auth = "trust"
admin_users = {"app"}
workers = 2
pool_size = 10
$SETTINGS
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
backend "side" { conninfo = "host=127.0.0.1 port=$SIDE dbname=$SIDEDB" }
database "app" { backend = "main" pool_mode = "$POOL" }
table "things" {
    key_column = "tenant" key_type = "int4"
    variant "one" { kind = "plain" backend = "main" relation = "one" }
    variant "two" { kind = "plain" backend = "side" relation = "two" }
}
experiment "try" {
    table = "things" arms = {"one:50", "two:50"} unit = "tenant"
    writes = "all" $OPTIONS
}
"""

COUNTS = ("diverged", "unmirrored", "unsure")


@pytest.fixture
def make(pgsluice, pg, db):
    pg.psql(SCHEMA, db)

    def made(options="", side=None, settings="", pool="transaction"):
        sluice = pgsluice(CONF, OPTIONS=options, SETTINGS=settings, POOL=pool,
                          SIDE=side or pg.port, SIDEDB=db)
        until(lambda: state(sluice)["state"] == "running")
        return sluice
    return made


def state(sluice):
    return sluice.console("SHOW EXPERIMENTS")[0]


def arm(sluice, name="two"):
    return next(r for r in sluice.console("SHOW EXPERIMENT try")
                if r["arm"] == name and r["statement"] is None)


def connect(sluice, **kw):
    kw.setdefault("autocommit", True)
    return psycopg.connect(host="127.0.0.1", port=sluice.port, dbname="app",
                           user="app", **kw)


def drained(sluice):
    until(lambda: arm(sluice)["waiting"] == 0)
    return arm(sluice)


def rows(pg, db, table):
    with pg.connect(db) as c:
        return c.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()


def alike(sluice, pg, db, **counts):
    """The arm has what the control has; everything else was counted."""
    row = drained(sluice)
    assert rows(pg, db, "one") == rows(pg, db, "two")
    assert {k: row[k] for k in COUNTS} == {
        **dict.fromkeys(COUNTS, 0), **counts}
    return row


def test_single_statements(make, pg, db):
    """In all protocols; the client sees what it would see without."""
    sluice = make()
    with connect(sluice) as c:
        assert c.execute("INSERT INTO things VALUES (1001, 1, 5, 'a')"
                         ).statusmessage == "INSERT 0 1"
        assert c.execute("UPDATE things SET n = n + 1 WHERE id = %s RETURNING "
                         "id, n", (1001,)).fetchall() == [(1001, 6)]
        for i in range(10):
            c.execute("INSERT INTO things VALUES (%s, %s, 0, 'p')",
                      (2000 + i, i), prepare=True)
        assert c.execute("DELETE FROM things WHERE id < %s", (5,)
                         ).rowcount == 4
        assert c.info.transaction_status.name == "IDLE"
        assert c.execute("SELECT count(*) FROM things WHERE id > 1000"
                         ).fetchone() == (11,)
    with connect(sluice, cursor_factory=psycopg.ClientCursor) as c:
        assert c.execute("UPDATE things SET word = %s WHERE tenant = %s "
                         "RETURNING id", ("it's", 7)).rowcount == 4 + 1
    old = psycopg2.connect(host="127.0.0.1", port=sluice.port, dbname="app",
                           user="app")
    old.autocommit = True
    with old.cursor() as c:
        c.execute("UPDATE things SET n = 3 WHERE id = 9")
        assert c.statusmessage == "UPDATE 1"
    old.close()
    assert alike(sluice, pg, db)["mirrored"] == 15


def test_errors_reach_nobody_else(make, pg, db):
    sluice = make()
    with connect(sluice) as c:
        with pytest.raises(psycopg.errors.UniqueViolation) as e:
            c.execute("INSERT INTO things VALUES (7, 1, 0, 'x')")
        assert e.value.diag.constraint_name == "one_pkey"
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            c.execute("UPDATE things SET n = %s WHERE id = 3", ("no number",))
        assert c.info.transaction_status.name == "IDLE"
        c.execute("UPDATE things SET n = 1 WHERE id = 3")
    assert alike(sluice, pg, db)["mirrored"] == 1


def test_a_commit_that_fails(make, pg, db):
    """Deferred constraints are checked behind the statement: its error is the
    answer, as without us."""
    pg.psql("SET ROLE app; ALTER TABLE one ADD CONSTRAINT few EXCLUDE (n WITH "
            "=) WHERE (n > 0) DEFERRABLE INITIALLY DEFERRED", db)
    sluice = make()
    for factory in (psycopg.Cursor, psycopg.ClientCursor):
        with connect(sluice, cursor_factory=factory) as c:
            with pytest.raises(psycopg.errors.ExclusionViolation):
                c.execute("UPDATE things SET n = 8 WHERE id IN (5, 6)")
            assert c.info.transaction_status.name == "IDLE"
            assert c.execute("SELECT 1").fetchone() == (1,)
    with sluice.wire() as w:
        answer = w.ask(w.query_message(
            "UPDATE things SET n = 8 WHERE id IN (5, 6)"))[1]
        assert [kind for kind, _ in answer.messages] == [b"E", b"Z"]
    with connect(sluice) as c:
        c.execute("UPDATE things SET n = 8 WHERE id = 5")
    assert alike(sluice, pg, db)["mirrored"] == 1


def test_transactions(make, pg, db):
    """All or nothing; of savepoints what was kept."""
    sluice = make()
    with connect(sluice, autocommit=False) as c:
        c.execute("INSERT INTO things VALUES (3000, 1, 0, 't')")
        c.execute("UPDATE things SET n = 9 WHERE tenant = 1")
        c.commit()
        c.execute("INSERT INTO things VALUES (3001, 1, 0, 't')")
        c.rollback()
        c.execute("INSERT INTO things VALUES (3002, 2, 0, 't')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            with c.transaction():
                c.execute("UPDATE things SET n = 1")
                c.execute("INSERT INTO things VALUES (3002, 2, 0, 't')")
        with c.transaction():
            c.execute("UPDATE things SET n = 2 WHERE id = 3002")
        c.commit()
        c.execute("INSERT INTO things VALUES (3003, 2, 0, 't')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            c.execute("INSERT INTO things VALUES (3003, 2, 0, 't')")
        c.commit()
    assert alike(sluice, pg, db)["mirrored"] == 2


def test_a_transaction_in_one_query(make, pg, db):
    """Its parts cannot be told apart."""
    sluice = make()
    with connect(sluice) as c:
        c.execute("BEGIN; UPDATE things SET n = 4 WHERE id = 1; COMMIT")
    row = drained(sluice)
    assert row["unmirrored"] == 1 and row["mirrored"] == 0
    assert rows(pg, db, "one")[0] != rows(pg, db, "two")[0]


def test_pipelines(make, pg, db):
    sluice = make()
    with connect(sluice) as c:
        with c.pipeline():
            for i in range(50):
                c.execute("INSERT INTO things VALUES (%s, %s, 0, 'q')",
                          (4000 + i, i))
        with c.pipeline():
            c.execute("SELECT 1")
            c.execute("UPDATE things SET n = 5 WHERE id = 4001")
            with c.transaction():
                c.execute("UPDATE things SET n = 6 WHERE id = 4002")
                c.execute("DELETE FROM things WHERE id = 4003")
        with c.cursor() as cur:
            cur.executemany("UPDATE things SET word = %s WHERE id = %s",
                            [(str(i), 4000 + i) for i in range(40)])
    row = drained(sluice)
    assert rows(pg, db, "one") == rows(pg, db, "two")
    assert row["diverged"] == row["unmirrored"] == 0


def test_what_cannot_be_mirrored_is_counted(make, pg, db):
    pg.psql("SET ROLE app; CREATE FUNCTION touch() RETURNS void LANGUAGE sql "
            "AS 'UPDATE one SET n = 77 WHERE id = 1'", db)
    sluice = make()
    with connect(sluice) as c:
        with c.cursor().copy("COPY things FROM STDIN") as copy:
            copy.write_row((5000, 1, 0, "c"))
        assert drained(sluice)["unmirrored"] == 1
        c.execute("DO $$ BEGIN PERFORM touch(); END $$")
        assert drained(sluice)["unmirrored"] == 2
        c.execute("WITH x AS (INSERT INTO other VALUES (1) RETURNING id) "
                  "UPDATE things SET n = 5 FROM x WHERE things.id = x.id")
        row = drained(sluice)
        assert row["unmirrored"] == 3 and row["mirrored"] == 0
        c.execute("PREPARE up AS UPDATE things SET n = 6 WHERE id = 2")
        known = drained(sluice)["unmirrored"]
        c.execute("EXECUTE up")
        assert drained(sluice)["unmirrored"] == known + 1
        c.execute("UPDATE things SET word = random()::text WHERE id = 9")
        row = drained(sluice)
        assert row["unsure"] == row["mirrored"] == 1
        assert row["unmirrored"] == known + 1


def test_a_prepared_transaction(make, pg, db):
    """Nobody knows what becomes of it."""
    sluice = make()
    with connect(sluice) as c:
        c.execute("BEGIN")
        c.execute("UPDATE things SET n = 1 WHERE id = 1")
        c.execute("PREPARE TRANSACTION 'x'")
        assert drained(sluice)["unmirrored"] == 1
        c.execute("ROLLBACK PREPARED 'x'")
    alike(sluice, pg, db, unmirrored=2)


def test_divergence_is_told(make, pg, db):
    """Other numbers of rows, and errors; the arm goes on."""
    pg.psql("DELETE FROM two WHERE id IN (10, 11); INSERT INTO two VALUES "
            "(6000, 0, 0, 'x')", db)
    sluice = make()
    with connect(sluice) as c:
        c.execute("UPDATE things SET n = 1 WHERE id IN (10, 11, 12)")
        c.execute("INSERT INTO things VALUES (6000, 0, 0, 'y')")
        with c.transaction():
            c.execute("INSERT INTO things VALUES (6001, 0, 0, 'y')")
            c.execute("UPDATE things SET n = 1 WHERE id = 10")
        c.execute("UPDATE things SET n = 2 WHERE id = 20")
    row = drained(sluice)
    assert row["diverged"] == 3 and row["mirrored"] == 1
    told = {(r["what"], r["control_rows"], r["rows"])
            for r in sluice.console("SHOW MISMATCHES try")}
    assert told >= {("rows", 3, 1), ("error", 1, 0)}
    assert rows(pg, db, "two")[-1][0] == 6001


def test_order_under_contention(make, pg, db):
    """Many sessions, few rows, statements and transactions that read what they
    change: the arm ends up with the control's rows."""
    sluice = make()
    failed = []

    def work(seed):
        rng = random.Random(seed)
        try:
            with connect(sluice) as c:
                for _ in range(80):
                    step(c, rng)
        except psycopg.Error as e:
            failed.append(e)

    def step(c, rng):
        a, b = sorted(rng.sample(range(1, 6), 2))
        kind = rng.randrange(4)
        if kind == 0:
            c.execute("UPDATE things SET n = n * 3 %% 10007 + %s WHERE "
                      "id = %s", (rng.randrange(100), a))
        elif kind == 1:
            c.execute(f"UPDATE things SET word = word || n % 10 || '.', "
                      f"n = n + 1 WHERE id = {a} AND length(word) < 2000")
        elif kind == 2:
            with c.transaction(force_rollback=rng.random() < 0.2):
                c.execute("UPDATE things SET n = n * 5 %% 9973 WHERE id = %s",
                          (a,))
                c.execute("UPDATE things SET n = n + 7 WHERE id = %s", (b,))
        else:
            c.execute("DELETE FROM things WHERE id = %s AND n %% 3 = 0",
                      (a,))
            c.execute("INSERT INTO things VALUES (%s, 1, %s, 'new') ON "
                      "CONFLICT (id) DO UPDATE SET n = things.n * 2 %% 997",
                      (a, rng.randrange(1000)))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed
    row = alike(sluice, pg, db)
    assert row["mirrored"] > 300  # of 640


@pytest.mark.parametrize("pool", ["transaction", "session"])
def test_a_session_reads_what_it_wrote(make, pg, db, pool):
    """... from the control, as long as the arm has not got it."""
    sluice = make(pool=pool)
    with connect(sluice) as c, pg.connect(db) as lock:
        lock.execute("BEGIN; LOCK TABLE two IN SHARE MODE")
        for i in range(1, 51):
            c.execute("UPDATE things SET n = %s WHERE tenant = %s", (i, i % 50))
            assert c.execute("SELECT DISTINCT n FROM things WHERE tenant = %s",
                             (i % 50,)).fetchall() == [(i,)]
        assert arm(sluice)["waiting"] == 50
        assert arm(sluice)["behind"] + arm(sluice, "one")["behind"] > 0 or \
            pool == "session"
        lock.rollback()
        drained(sluice)
        for i in range(1, 51):
            assert c.execute("SELECT DISTINCT n FROM things WHERE tenant = %s",
                             (i % 50,)).fetchall() == [(i,)]
    alike(sluice, pg, db)


def test_too_many_wait(make, pg, db):
    """The experiment stops, and says why; clients notice nothing."""
    sluice = make("mirror_queue = 20")
    with connect(sluice) as c, pg.connect(db) as lock:
        lock.execute("BEGIN; LOCK TABLE two IN SHARE MODE")
        for i in range(40):
            c.execute("UPDATE things SET n = 1 WHERE id = %s", (i,))
        until(lambda: state(sluice)["state"] == "stopped")
        assert "mirror_queue" in state(sluice)["reason"]
        c.execute("UPDATE things SET n = 2 WHERE id = 1")
        with pytest.raises(psycopg2.Error, match="wait for arm"):
            sluice.console("START EXPERIMENT try")
        lock.rollback()
        drained(sluice)
        sluice.console("START EXPERIMENT try")
        until(lambda: state(sluice)["state"] == "running")
        c.execute("UPDATE things SET n = 3 WHERE id = 5")
        drained(sluice)
    assert rows(pg, db, "two")[4][2] == 3


def test_an_arm_that_is_down(make, pg, db, lab):
    """It gets all when it is back; a promotion waits for that."""
    from harness import Cluster
    side = Cluster(lab, "side")
    side.start()
    try:
        side.psql(f'CREATE DATABASE "{db}"')
        side.psql(f'GRANT ALL ON DATABASE "{db}" TO PUBLIC; ', db)
        side.psql("GRANT ALL ON SCHEMA public TO PUBLIC", db)
        side.psql(SCHEMA, db)
        sluice = make(side=side.port)
        with connect(sluice) as c:
            c.execute("UPDATE things SET n = 1 WHERE id = 1")
            drained(sluice)
            side.stop()
            for i in range(1, 20):
                c.execute("UPDATE things SET n = %s WHERE id = 1", (i,))
            assert arm(sluice)["waiting"] >= 19
            with pytest.raises(psycopg2.Error, match="wait for arm"):
                sluice.console("PROMOTE EXPERIMENT try two")
            side.start()
            row = drained(sluice)
            assert row["diverged"] == 0
            sluice.console("PROMOTE EXPERIMENT try two")
            until(lambda: state(sluice)["state"] == "promoted")
            c.execute("UPDATE things SET n = n + 1 WHERE id = 1")
            assert c.execute("SELECT n FROM things WHERE id = 1"
                             ).fetchone() == (20,)
        with side.connect(db) as d:
            assert d.execute("SELECT n FROM two WHERE id = 1"
                             ).fetchone() == (20,)
    finally:
        side.stop()


def test_a_restart_stops_it(make, lab):
    """Nobody knows whether the arms have all."""
    path = os.path.join(lab.work, "mirrored.exp")
    sluice = make(settings=f'experiment_file = "{path}"')
    with connect(sluice) as c:
        c.execute("UPDATE things SET n = 1 WHERE id = 1")
    drained(sluice)
    sluice.stop()
    sluice.start()
    until(lambda: "mirrored" in state(sluice)["reason"])
    assert state(sluice)["state"] == "stopped"
    sluice.console("START EXPERIMENT try")
    until(lambda: state(sluice)["state"] == "running")


def test_a_killed_client(make, pg, db):
    """Behind its COMMIT nobody knows; before it nothing has happened."""
    sluice = make()
    c = connect(sluice, autocommit=False)
    c.execute("UPDATE things SET n = 1 WHERE id = 1")
    c.pgconn.finish()
    until(lambda: sluice.console("SHOW LISTS") and not [
        r for r in sluice.console("SHOW CLIENTS") if r["database"] == "app"])
    with connect(sluice) as c:
        c.execute("UPDATE things SET n = 2 WHERE id = 2")
    alike(sluice, pg, db)


def test_weights_change_nothing_about_it(make, pg, db):
    sluice = make()
    with connect(sluice) as c:
        for i in range(30):
            c.execute("UPDATE things SET n = %s WHERE id = 3", (i,))
            if i == 10:
                sluice.console("WEIGH EXPERIMENT try 'one:90, two:10'")
    alike(sluice, pg, db)
