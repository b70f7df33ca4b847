# SPDX-License-Identifier: PostgreSQL
"""What other caches of query results got wrong, Pgpool-II's first of all: each
of their faults on record is asked of ours."""

import threading

import pytest

import rawpg
from harness import until, whole

CONF = """
auth = "trust"
admin_users = {"app"}
layout_user = "app"
pool_size = $SIZE
cache_max_object = "16kB"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" cache = true }
cache "items" { tables = {"item", "item_v"} ttl = "$TTL" l2 = false }
cache "others" { tables = {"other"} ttl = "60s" l2 = false }
"""

SCHEMA = """
SET ROLE app;
CREATE TABLE item (id int PRIMARY KEY, name text);
INSERT INTO item SELECT n, 'name ' || n FROM generate_series(1, 20) n;
CREATE TABLE other (id int PRIMARY KEY, name text);
INSERT INTO other SELECT n, 'other ' || n FROM generate_series(1, 20) n;
CREATE VIEW item_v AS SELECT id, name FROM item;
"""

ONE = "SELECT name FROM item WHERE id = 1"
BY_ID = "SELECT name FROM item WHERE id = $1"
WRITE = "UPDATE item SET name = name || '.' WHERE id = $1"


@pytest.fixture
def make(pg, db, pgsluice):
    def start(size=4, ttl="60s"):
        return pgsluice(CONF, SIZE=size, TTL=ttl)
    pg.psql(SCHEMA, db)
    return start


@pytest.fixture
def sluice(make):
    return make()


@pytest.fixture
def direct(pg, db):
    with rawpg.RawConn("127.0.0.1", pg.port, "app", db) as c:
        yield c


@pytest.fixture
def through(sluice):
    with rawpg.RawConn("127.0.0.1", sluice.port, "app", "app") as c:
        yield c


def ask(c, message, ready=1):
    """All of the answer, errors by SQLSTATE."""
    c.send(message)
    out = []
    for _ in range(ready):
        out += c.read_until_ready()
    return [(t, rawpg.sqlstates([(t, b)]) if t == "E" else b) for t, b in out]


def warm(sluice, sql=ONE):
    """It is in memory."""
    def hit():
        before = sluice.count("cache_hits_l1")
        sluice.query(sql)
        return sluice.count("cache_hits_l1") > before
    until(hit)


def name(sluice):
    return sluice.query(ONE)[0][0]


# -- writes that were not taken for such --------------------------------------

WRITES = {
    "EXPLAIN ANALYZE of a write":
        "EXPLAIN ANALYZE UPDATE item SET name = 'new' WHERE id = 1",
    "a WITH that writes":
        "WITH w AS (UPDATE item SET name = 'new' WHERE id = 1 RETURNING id) "
        "SELECT count(*) FROM w",
    "a WITH that writes, below another":
        "WITH a AS (SELECT 1), w AS (UPDATE item SET name = 'new' WHERE id = "
        "1 RETURNING id) SELECT * FROM a",
    "MERGE":
        "MERGE INTO item USING (VALUES (1)) v (id) ON item.id = v.id WHEN "
        "MATCHED THEN UPDATE SET name = 'new'",
    "UPDATE under an alias":
        "UPDATE item AS i SET name = 'new' WHERE i.id = 1",
    "UPDATE ONLY, quoted":
        'UPDATE ONLY "public"."item" SET name = \'new\' WHERE id = 1',
    "UPDATE FROM":
        "UPDATE item SET name = 'new' FROM other WHERE item.id = other.id "
        "AND item.id = 1",
    "INSERT ON CONFLICT":
        "INSERT INTO item VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET "
        "name = 'new'",
    "through a view": "UPDATE item_v SET name = 'new' WHERE id = 1",
    "behind a SELECT": "SELECT 1; UPDATE item SET name = 'new' WHERE id = 1",
    "behind a comment":
        "/* SELECT */ -- x\nUPDATE item SET name = 'new' WHERE id = 1",
    "DO": "DO $$BEGIN UPDATE item SET name = 'new' WHERE id = 1; END$$",
    "a function":
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$UPDATE item SET "
        "name = 'new' WHERE id = 1$$; SELECT f()",
    "PREPARE and EXECUTE":
        "PREPARE w AS UPDATE item SET name = 'new' WHERE id = 1; EXECUTE w",
    "a cursor": "BEGIN; DECLARE c CURSOR FOR SELECT * FROM item WHERE id = 1 "
                "FOR UPDATE; FETCH c; UPDATE item SET name = 'new' WHERE "
                "CURRENT OF c; COMMIT",
    "RENAME": "ALTER TABLE item RENAME TO was; ALTER TABLE other RENAME TO "
              "item; UPDATE was SET name = 'new' WHERE id = 1; ALTER TABLE "
              "item RENAME TO other; ALTER TABLE was RENAME TO item",
}


@pytest.mark.parametrize("how", WRITES)
def test_writes(sluice, how):
    warm(sluice)
    with sluice.connect() as conn:
        conn.execute(WRITES[how])
        assert name(sluice) == "new"


def test_a_statement_that_was_parsed_long_before(sluice, through):
    """Bind and Execute without Parse: 35a5a79d6."""
    ask(through, rawpg.parse("w", WRITE) + rawpg.sync())
    for n in range(3):
        warm(sluice)
        ask(through, rawpg.bind("", "w", [b"1"]) + rawpg.execute() +
            rawpg.sync())
        assert name(sluice) == "name 1" + "." * (n + 1)


def test_a_write_with_a_row_limit(sluice, through):
    """Execute with max_rows = 1, as a driver does: 3f36fe3a3."""
    warm(sluice)
    ask(through, rawpg.parse("", WRITE + " RETURNING id") +
        rawpg.bind("", "", [b"1"]) + rawpg.describe("P") +
        rawpg.execute(max_rows=1) + rawpg.sync())
    assert name(sluice) == "name 1."


def test_several_tables_in_one_transaction(sluice):
    """The first of which has nothing in memory: 2b4b83702."""
    two = "SELECT name FROM other WHERE id = 1"
    warm(sluice)
    with sluice.connect(autocommit=False) as conn:
        conn.execute("INSERT INTO other VALUES (99, 'x')")
        conn.execute("SAVEPOINT s")
        conn.execute("UPDATE item SET name = 'new' WHERE id = 1")
        conn.execute("RELEASE s")
        conn.commit()
    assert name(sluice) == "new"
    warm(sluice, two)
    warm(sluice)
    with sluice.connect(autocommit=False) as conn:
        conn.execute("UPDATE item SET name = 'newer' WHERE id = 1")
        conn.execute("UPDATE other SET name = 'newer' WHERE id = 1")
        conn.commit()
    assert (name(sluice), sluice.query(two)) == ("newer", [("newer",)])


# -- answers that must not be kept --------------------------------------------

FLEETING = [
    "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME",
    "LOCALTIMESTAMP", "CURRENT_USER", "SESSION_USER", "USER",
    "CURRENT_CATALOG", "CURRENT_SCHEMA", "now()", "clock_timestamp()",
    "'now'::timestamptz", "timestamptz 'today'", "date 'tomorrow'",
    "'yesterday'::date", "nextval('seq')", "random()", "pg_backend_pid()",
    "txid_current()", "current_setting('TimeZone')",
]


def test_what_is_another_each_time(sluice):
    sluice.psql("CREATE SEQUENCE seq")
    sluice.wait_watched()
    with sluice.counting(cache_stores=0, cache_hits_l1=0), \
            sluice.connect() as conn:
        for value in FLEETING * 3:
            assert conn.execute(f"SELECT {value}, name FROM item WHERE "
                                "id = 1").fetchone()[1] == "name 1"
    warm(sluice)


def test_times_with_a_zone(sluice, pg, db):
    """Of another zone is another answer: 859ca1734."""
    sql = "SELECT '2026-01-01 00:00'::timestamptz, name FROM item WHERE id = 1"
    for _ in range(3):
        for zone in ("UTC", "Asia/Tokyo"):
            told = []
            for port, base in ((pg.port, db), (sluice.port, "app")):
                with rawpg.RawConn("127.0.0.1", port, "app", base,
                                   params={"TimeZone": zone}) as c:
                    told.append(ask(c, rawpg.query(sql)))
            assert told[0] == told[1]


def test_a_failed_transaction(sluice, direct, through):
    """Its reads are errors: 7e553046c."""
    warm(sluice)
    for message in (rawpg.query("BEGIN"), rawpg.query("SELECT 1/0"),
                    rawpg.query(ONE), whole(ONE, []), rawpg.query("ROLLBACK"),
                    rawpg.query(ONE)):
        assert ask(through, message) == ask(direct, message)


def test_a_transaction_that_has_written(sluice):
    """Neither reads what is in memory nor leaves there what it reads:
    1333d2ae8."""
    warm(sluice)
    with sluice.connect(autocommit=False) as conn:
        conn.execute("SELECT 1")
        conn.execute("UPDATE item SET name = 'mine' WHERE id = 1")
        for _ in range(3):
            assert conn.execute(ONE).fetchone() == ("mine",)
            assert name(sluice) == "name 1"
        conn.rollback()
    assert name(sluice) == "name 1"


def test_half_a_result(sluice, direct, through):
    """What a row limit cut is not the whole: 39eb7efa3."""
    sql = "SELECT id FROM item ORDER BY id"
    part = (rawpg.parse("", sql) + rawpg.bind("", "") + rawpg.describe("P") +
            rawpg.execute(max_rows=3) + rawpg.sync())
    for _ in range(3):
        assert ask(through, part) == ask(direct, part)
        assert len(sluice.query(sql)) == 20


# -- answers in the wrong place -----------------------------------------------

def run(value, more=b"", portal=""):
    return (rawpg.parse("", BY_ID) + rawpg.bind(portal, "", [value]) +
            rawpg.describe("P", portal) + rawpg.execute(portal) + more)


MESSAGES = {
    "a portal that has ended, again: 39eb7efa3":
        run(b"1") + rawpg.execute() + rawpg.execute(max_rows=1) +
        rawpg.sync(),
    "Execute right behind Sync: c947114af":
        run(b"1") + rawpg.sync() + rawpg.execute() + rawpg.sync() +
        run(b"1") + rawpg.sync(),
    "Flush behind Execute: 57752e4ab":
        run(b"1", rawpg.flush()) + run(b"2", rawpg.flush()) + rawpg.sync(),
    "several Binds and Describes: 4dd7371c2":
        rawpg.parse("", BY_ID) + b"".join(
            rawpg.bind("", "", [v]) + rawpg.describe("P") + rawpg.execute()
            for v in (b"1", b"2", b"1")) + rawpg.sync(),
    "Close: a531e783c, 4725950d1":
        run(b"1") + rawpg.close("P") + rawpg.close("S") + rawpg.sync() +
        rawpg.close("P", "none") + rawpg.close("S", "none") + run(b"1") +
        rawpg.close("P") + rawpg.sync(),
    "a portal with a name":
        rawpg.query("BEGIN") + run(b"1", portal="p") +
        rawpg.execute("p") + rawpg.close("P", "p") + rawpg.sync() +
        rawpg.query("COMMIT"),
    "an error among them":
        run(b"1") + rawpg.parse("", "SELECT 1/0") + rawpg.bind("", "") +
        rawpg.execute() + run(b"1") + rawpg.sync() + run(b"1") + rawpg.sync(),
    "a parse error first":
        rawpg.parse("", "SELEC") + run(b"1") + rawpg.sync() + run(b"1") +
        rawpg.sync(),
    "only described":
        rawpg.parse("", BY_ID) + rawpg.bind("", "", [b"1"]) +
        rawpg.describe("P") + rawpg.sync(),
    "an empty query": rawpg.query("") + run(b"1") + rawpg.sync() +
        rawpg.query(";"),
    "many hits in a row": b"".join(run(b"%d" % (n % 3 + 1), rawpg.sync())
                                   for n in range(30)),
    "writes between": run(b"1") + rawpg.parse("", WRITE) +
        rawpg.bind("", "", [b"1"]) + rawpg.execute() + run(b"1") +
        rawpg.sync() + run(b"1") + rawpg.sync() + rawpg.query(
            "UPDATE item SET name = 'name 1' WHERE id = 1"),
    "two statements in one query": rawpg.query(f"{ONE}; {ONE}") +
        rawpg.query(ONE),
}


@pytest.mark.parametrize("what", MESSAGES)
def test_messages(sluice, direct, through, what):
    """Bytes in, bytes out: as PostgreSQL, thrice."""
    message = MESSAGES[what]
    ready = message.count(rawpg.sync()) + message.count(b"Q\0")
    for value in (b"1", b"2"):
        ask(through, run(value, rawpg.sync()))
    for _ in range(3):
        assert ask(through, message, ready) == ask(direct, message, ready)
    assert ask(through, rawpg.query(ONE)) == ask(direct, rawpg.query(ONE))
    assert sluice.count("server_surprises") == 0


@pytest.mark.parametrize("form", ["simple", "extended"])
def test_at_the_limits_of_size(sluice, direct, through, form):
    """One byte less than cache_max_object, exactly it, one more, and around
    it: complete each time, and kept up to some size only."""
    kept = []
    for size in range(16384 - 300, 16384 + 20, 20):
        sql = f"SELECT repeat('x', {size}) FROM item WHERE id = 1"
        message = rawpg.query(sql) if form == "simple" else whole(sql, [])
        before = sluice.count("cache_hits_l1")
        for _ in range(3):
            assert ask(through, message) == ask(direct, message)
        kept.append(sluice.count("cache_hits_l1") - before)
    assert set(kept) == {0, 2}
    assert kept == sorted(kept, reverse=True)


VALUES = [b"1", b"01", b" 1", None, b"2"]


def test_values_that_look_alike(sluice, direct, through):
    """1, 01, NULL and as other types are other questions."""
    sql = "SELECT $1, name FROM item WHERE id = 1"
    for _ in range(2):
        for oid in (23, 20, 25, 1700):
            for value in VALUES:
                message = (rawpg.parse("", sql, [oid]) +
                           rawpg.bind("", "", [value]) + rawpg.describe("P") +
                           rawpg.execute() + rawpg.sync())
                assert ask(through, message) == ask(direct, message)
        for text in ("1", "1.0", "'1'", "NULL", "''", "E'1'", "$$1$$",
                     "1::int8"):
            message = rawpg.query(f"SELECT {text}, name FROM item "
                                  "WHERE id = 1")
            assert ask(through, message) == ask(direct, message)


# -- shared entries -----------------------------------------------------------

def test_entries_that_end_while_many_ask(make):
    """One that is over is touched by many at once: a16d34b81."""
    sluice = make(size=8, ttl="20ms")
    wrong = []

    def reader(n):
        with rawpg.RawConn("127.0.0.1", sluice.port, "app", "app") as c:
            for turn in range(300):
                k = (n + turn) % 5 + 1
                found = rawpg.rows(c.ask(
                    f"SELECT name FROM item WHERE id = {k}"))
                if found != [(b"name %d" % k,)]:
                    wrong.append((k, found))
    threads = [threading.Thread(target=reader, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
    assert sluice.count("cache_hits_l1") > 0
    assert sluice.count("cache_stores") > 5
