# SPDX-License-Identifier: PostgreSQL
"""Experiments in shadow mode: the control answers, arms are asked on the side,
and what they say is compared."""

import threading

import psycopg
import pytest

from harness import until

SCHEMA = """
SET ROLE app;
CREATE TABLE one (id int PRIMARY KEY, tenant int, name text, at timestamptz,
                  f float8);
INSERT INTO one SELECT g, g % 50, 'name ' || g, '2026-01-01', g / 3.0
FROM generate_series(1, 500) g;
CREATE TABLE two AS SELECT * FROM one ORDER BY id DESC;
"""

CONF = """
auth = "trust"
admin_users = {"app"}
workers = 2
pool_size = $SIZE
query_wait_timeout = "3s"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
backend "side" { conninfo = "host=127.0.0.1 port=$SIDE dbname=$DB" }
backend "third" { conninfo = "host=127.0.0.1 port=$THIRD dbname=$DB" }
database "app" { backend = "main" pool_mode = "transaction" }
table "things" {
    key_column = "tenant" key_type = "int4"
    variant "one" { kind = "plain" backend = "main" relation = "one" }
    variant "two" { kind = "plain" backend = "$ARM" relation = "two" }
    variant "three" { kind = "plain" backend = "third" relation = "two" }
}
experiment "try" {
    table = "things" arms = {"one:50", $ARMS} mode = "shadow" $OPTIONS
}
"""


@pytest.fixture
def make(pgsluice, pg, db):
    pg.psql(SCHEMA, db)

    def made(options="", side=None, third=None, on="side", size=4,
             arms='"two:50"'):
        sluice = pgsluice(CONF, OPTIONS=options, SIDE=side or pg.port,
                          THIRD=third or pg.port, ARM=on, SIZE=size,
                          ARMS=arms)
        until(lambda: sluice.console("SHOW EXPERIMENTS")[0]["state"]
              == "running")
        return sluice
    return made


def connect(sluice, **kw):
    return psycopg.connect(host="127.0.0.1", port=sluice.port, dbname="app",
                           user="app", autocommit=True, **kw)


def arm(sluice, name="two"):
    return next(r for r in sluice.console("SHOW EXPERIMENT try")
                if r["arm"] == name and r["statement"] is None)


def settled(sluice, asked, **more):
    """Wait until so many answers were compared, and nothing is under way."""
    def there():
        r = arm(sluice)
        return r["compared"] + r["dropped"] >= asked and all(
            r[k] == v for k, v in more.items())
    until(there)
    return arm(sluice)


QUERIES = ["SELECT * FROM things WHERE id = 7",
           "SELECT id, name FROM things WHERE tenant = 3",
           "SELECT count(*), sum(f), max(at) FROM things",
           "SELECT name FROM things WHERE id > 100000",
           "SELECT tenant, count(*) FROM things GROUP BY 1",
           "SELECT repeat(name, 1000) FROM things"]


def test_equal_answers(make, pg, db):
    """In all protocols and formats; the order of rows is no matter."""
    sluice = make()
    with connect(sluice) as c:
        for q in QUERIES:
            want = c.execute(q).fetchall()
            assert sorted(want) == sorted(
                pg.connect(db).execute(q.replace("things", "one")).fetchall())
            c.execute(q, prepare=True, binary=True)
        for i in range(20):
            c.execute("SELECT name, f FROM things WHERE id = %s", (i,),
                      binary=bool(i % 2))
    with connect(sluice, cursor_factory=psycopg.ClientCursor) as c:
        for q in QUERIES:
            c.execute(q)
    n = 3 * len(QUERIES) + 20
    row = settled(sluice, n, compared=n)
    assert row["mismatches"] == row["inconclusive"] == row["dropped"] == 0
    control = arm(sluice, "one")
    assert control["statements"] == row["statements"] == n
    assert row["errors"] == 0


def test_a_wrong_row_is_found(make, pg, db):
    """One value, a row too many, a missing one; a column of another type, a
    table that is not there."""
    sluice = make()
    wrongs = [("UPDATE two SET name = 'wrong' WHERE id = 7", "rows"),
              ("INSERT INTO two SELECT * FROM two WHERE id = 7",
               "number of rows"),
              ("DELETE FROM two WHERE id = 7", "number of rows"),
              ("ALTER TABLE two ALTER name TYPE varchar", "columns"),
              ("DROP TABLE two", "error")]
    with connect(sluice) as c:
        for n, (wrong, what) in enumerate(wrongs, 1):
            pg.psql(f"SET ROLE app; {wrong}", db)
            assert c.execute("SELECT name FROM things WHERE id = 7"
                             ).fetchall() == [("name 7",)]
            until(lambda n=n: arm(sluice)["mismatches"] == n)
            sample = sluice.console("SHOW MISMATCHES try")[0]
            assert sample["arm"] == "two" and sample["what"] == what
            assert "name" in sample["statement"]
    row = arm(sluice)
    assert row["inconclusive"] == 0 and row["errors"] == 1
    log = sluice.tail(40)
    assert "otherwise than the control" in log
    # No value of anybody's, neither there nor in the samples.
    assert "wrong" not in log
    assert "wrong" not in str(sluice.console("SHOW MISMATCHES try"))


def test_writes_meanwhile_are_no_mismatch(make, pg, db):
    """Both tables are written in one transaction: either answer is right at
    some time, and none is called wrong."""
    pg.psql("SET ROLE app; DROP TABLE two; CREATE TABLE both_ AS SELECT * "
            "FROM one; ALTER TABLE both_ ADD PRIMARY KEY (id); DROP TABLE "
            "one; CREATE VIEW one AS SELECT * FROM both_; "
            "CREATE VIEW two AS SELECT * FROM both_", db)
    sluice = make()
    over = threading.Event()

    def write():
        with pg.connect(db) as c:
            while not over.is_set():
                c.execute("UPDATE both_ SET f = f + 1 WHERE id = 7")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with connect(sluice) as c:
            for _ in range(300):
                c.execute("SELECT f FROM things WHERE id = 7")
    finally:
        over.set()
        writer.join()
    row = settled(sluice, 300)
    until(lambda: arm(sluice)["inconclusive"] > 0)
    assert arm(sluice)["mismatches"] == 0


def test_what_is_not_asked_again(make, pg, db):
    """Writes, locks, clocks, transactions and what is pinned."""
    sluice = make()
    with connect(sluice) as c:
        c.execute("UPDATE things SET f = 0 WHERE id = 1")
        c.execute("SELECT * FROM things WHERE id = 1 FOR UPDATE")
        c.execute("SELECT now() FROM things WHERE id = 1")
        c.execute("SELECT random() FROM things WHERE id = 1")
        with c.transaction():
            c.execute("SELECT * FROM things WHERE id = 1")
        with pytest.raises(psycopg.errors.DivisionByZero):
            c.execute("SELECT 1 / (id - 1) FROM things WHERE id = 1")
        c.execute("CREATE TEMP TABLE mine (x int)")
        c.execute("SELECT * FROM things WHERE id = 1")
    with connect(sluice) as c:
        c.execute("SELECT id FROM things WHERE id = 2")
    row = settled(sluice, 1)
    assert row["compared"] == 1 and row["mismatches"] == 0
    # What random() does is not told from what nextval() does.
    assert arm(sluice, "one")["writes"] == 3
    assert pg.psql("SELECT f FROM two WHERE id = 1", db) != "0"


def test_an_arm_that_is_down(make, lab):
    """The client does not notice."""
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        sluice = make(side=s.getsockname()[1])
        with connect(sluice) as c:
            for i in range(30):
                assert c.execute("SELECT id FROM things WHERE id = %s",
                                 (i + 1,)).fetchone() == (i + 1,)
        row = settled(sluice, 30)
        assert row["dropped"] == 30 and row["statements"] == 0


def test_an_arm_that_is_down_holds_up_no_other(make):
    """Each has a queue of its own."""
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        sluice = make(third=s.getsockname()[1], arms='"three:50", "two:50"',
                      options="shadow_queue = 10")
        with connect(sluice) as c:
            for n in range(1, 61):
                c.execute("SELECT id FROM things WHERE id = %s", (n,))
                until(lambda n=n: arm(sluice)["compared"] == n)
        until(lambda: arm(sluice, "three")["dropped"] == 60)
        assert arm(sluice)["dropped"] == 0


@pytest.mark.parametrize("size", [1, 2])
def test_clients_have_servers_left(make, pg, db, size):
    """An arm in the control's own pool, which is small; and slow."""
    pg.psql("SET ROLE app; ALTER TABLE two RENAME TO two_; CREATE VIEW two AS "
            "SELECT t.* FROM two_ t, (SELECT pg_sleep(5)) s", db)
    sluice = make(on="main", size=size)

    def over_or_asked():
        row = arm(sluice)
        return row["compared"] + row["dropped"] + int(pg.psql(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = "
            "'PgSleep' AND datname = current_database()", db))

    with connect(sluice) as c:
        for i in range(1, size + 2):
            assert c.execute("SELECT id FROM things WHERE id = %s", (i,)
                             ).fetchone() == (i,)
            until(lambda i=i: over_or_asked() >= i)


def test_the_log_does_not_run_over(make, pg, db):
    """A line for each shape; all are counted."""
    pg.psql("UPDATE two SET name = 'wrong', f = 0", db)
    sluice = make()
    with connect(sluice) as c:
        for i in range(20):
            c.execute("SELECT name FROM things WHERE id = %s", (i + 1,))
            c.execute("SELECT f FROM things WHERE id = %s", (i + 1,))
    until(lambda: arm(sluice)["mismatches"] == 40)
    assert sluice.tail(200).count("otherwise than the control") == 2


def test_a_queue_has_an_end(make, pg, db):
    """What is too much is dropped and counted; the client waits for none."""
    pg.psql("SET ROLE app; ALTER TABLE two RENAME TO two_; CREATE VIEW two AS "
            "SELECT t.* FROM two_ t, (SELECT pg_sleep(0.05)) s", db)
    sluice = make('shadow_queue = 3 shadow_running = 1')
    with connect(sluice) as c:
        for i in range(100):
            c.execute("SELECT id FROM things WHERE id = %s", (i + 1,))
    row = settled(sluice, 100)
    assert row["dropped"] >= 80 and row["compared"] >= 3
    assert row["mismatches"] == 0


def test_a_share_is_asked(make):
    sluice = make("shadow_share = 20 shadow_queue = 1000")
    with connect(sluice) as c:
        for i in range(400):
            c.execute("SELECT id FROM things WHERE id = %s", (i + 1,))
    row = settled(sluice, 40)
    until(lambda: arm(sluice)["compared"] + arm(sluice)["dropped"] > 40)
    assert 40 < row["compared"] + row["dropped"] < 130


def test_huge_answers(make):
    """Neither is kept: 64 MB each."""
    sluice = make()

    def highest():
        with open(f"/proc/{sluice.proc.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f
                        if line.startswith("VmHWM")) * 1024

    with connect(sluice) as c:
        c.execute("SELECT id FROM things WHERE id = 1")
        before = highest()
        for binary in (False, True):
            with c.cursor(binary=binary) as cur:
                for n, _ in enumerate(cur.stream(
                        "SELECT repeat(md5(name), 4096) FROM things "
                        "WHERE id <= 500"), 1):
                    pass
                assert n == 500
    row = settled(sluice, 3, compared=3)
    assert row["mismatches"] == row["inconclusive"] == 0
    # Sanitizers hold on to some of what was freed.
    assert highest() - before < 48 * 1024 * 1024


def test_long_rows_that_differ(make, pg, db):
    """By a byte at the end of a row that comes in many pieces."""
    pg.psql("SET ROLE app; UPDATE one SET name = repeat('x', 3000000) WHERE "
            "id = 1; UPDATE two SET name = repeat('x', 2999999) || 'y' "
            "WHERE id = 1", db)
    sluice = make()
    with connect(sluice) as c:
        for i in (1, 2):
            c.execute("SELECT name FROM things WHERE id = %s", (i,))
    until(lambda: arm(sluice)["mismatches"] == 1)
    assert arm(sluice)["compared"] == 2


@pytest.fixture
def slow(pg, db):
    """Arm two sleeps for a minute; returns how many do."""
    pg.psql("SET ROLE app; ALTER TABLE two RENAME TO two_; CREATE VIEW two AS "
            "SELECT t.* FROM two_ t, (SELECT pg_sleep(60)) s", db)
    mine = ("FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND "
            "datname = current_database()")
    yield (lambda: int(pg.psql(f"SELECT count(*) {mine}", db)),
           lambda: pg.psql(f"SELECT pg_terminate_backend(pid) {mine}", db))
    pg.psql(f"SELECT pg_terminate_backend(pid) {mine}", db)


def test_an_arm_whose_server_is_lost(request, make):
    sluice = make()
    sleeping, end = request.getfixturevalue("slow")
    with connect(sluice) as c:
        assert c.execute("SELECT id FROM things WHERE id = 1").fetchone()
        until(lambda: sleeping() == 1)
        end()
        until(lambda: arm(sluice)["dropped"] + arm(sluice)["errors"] > 0)
        assert c.execute("SELECT id FROM things WHERE id = 1").fetchone()
    assert arm(sluice)["mismatches"] == 0


def test_stop_and_reload_while_arms_are_asked(request, make):
    """What is under way belongs to a run that is over; a daemon that ends
    waits for none of it."""
    sluice = make()
    sleeping, end = request.getfixturevalue("slow")
    with connect(sluice) as c:
        c.execute("SELECT id FROM things WHERE id = 1")
        until(lambda: sleeping() == 1)
        sluice.console("STOP EXPERIMENT try")
        sluice.console("RELOAD")
        sluice.console("START EXPERIMENT try")
        end()
        until(lambda: sleeping() == 0)
        c.execute("SELECT id FROM things WHERE id = 2")
        until(lambda: sleeping() == 1)
        assert arm(sluice)["mismatches"] == 0
    sluice.stop()


def test_execute_in_sql(make):
    """Its values are not those of messages: it is not asked wrongly."""
    sluice = make()
    with connect(sluice) as c:
        c.execute("PREPARE p(int) AS SELECT name FROM things WHERE id = $1")
        for n in range(1, 4):
            assert c.execute(f"EXECUTE p({n})").fetchone() == (f"name {n}",)
            assert c.execute(f"EXECUTE p({n})", binary=True
                             ).fetchone() == (f"name {n}",)
    with connect(sluice) as c:
        c.execute("SELECT id FROM things WHERE id = 1")
    row = settled(sluice, 1)
    assert row["errors"] == row["inconclusive"] == row["mismatches"] == 0


def test_clients_that_go(make):
    """A check outlives its session; a session that ends in the middle of an
    answer leaves none."""
    sluice = make("shadow_queue = 1000")
    for i in range(30):
        c = connect(sluice)
        c.execute("SELECT repeat(name, 10000) FROM things WHERE id = %s",
                  (i + 1,))
        c.close()
    row = settled(sluice, 30, compared=30)
    assert row["mismatches"] == 0
