# SPDX-License-Identifier: PostgreSQL
"""The promises of the cache: a hit is the server's own answer, to the same
question of the same user under the same settings, and not after a write."""

import threading
import time

import psycopg
import pytest

import rawpg
from harness import Deadline, bound, until, whole

CONF = """
auth = "trust"
admin_users = {"app"}
pool_size = $SIZE
cache_max_object = "1MB"
cache_fill_wait = "20s"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" cache = true }
database "uncached" { backend = "main" cache = false }
cache "items" { tables = {"item"} ttl = "$TTL" grace = "$GRACE" l2 = false }
cache "policies" { tables = {"secret"} ttl = "60s" l2 = false }
cache "stable" { tables = {"log"} ttl = "60s" allow_stable = true l2 = false }
"""

SCHEMA = """
SET ROLE app;
CREATE TABLE item (id int PRIMARY KEY, name text, at timestamptz);
INSERT INTO item SELECT n, 'name ' || n, '2026-01-01 12:00+00'
  FROM generate_series(1, 100) n;
CREATE TABLE log (id int PRIMARY KEY, at timestamptz);
INSERT INTO log VALUES (1, now());
CREATE TABLE other (id int);
CREATE TABLE secret (owner text, word text);
INSERT INTO secret VALUES ('alice', 'of alice'), ('bob', 'of bob');
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secret USING (owner = current_user);
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public
  TO alice, bob;
"""

COUNT = "SELECT count(*) FROM item"
NAMES = "SELECT id, name FROM item WHERE id < 4 ORDER BY id"


@pytest.fixture
def make(pg, db, pgsluice):
    def start(size=4, ttl="60s", grace="0", conf=CONF, **holes):
        return pgsluice(conf, SIZE=size, TTL=ttl, GRACE=grace, **holes)
    pg.psql(SCHEMA, db)
    return start


@pytest.fixture
def sluice(make):
    return make()


@pytest.fixture
def behind(pg, db):
    """Past the proxy: it cannot see these writes."""
    with pg.connect(db) as conn:
        yield conn


def hit(sluice, sql, expected=None, **kw):
    """Ask once; the answer has to come from L1."""
    with sluice.counting(cache_hits_l1=1):
        rows = sluice.query(sql, **kw)
    assert expected is None or rows == expected
    return rows


# -- C1: the bytes ------------------------------------------------------------

def forms():
    sql = "SELECT id, name, at FROM item WHERE id < $1 ORDER BY id"
    four = [b"4"]
    return {
        "simple": rawpg.query(NAMES),
        "extended": whole(sql, four),
        "binary": whole(sql, [b"\0\0\0\4"], formats=[1], result_formats=[1]),
        "mixed": whole(sql, four, result_formats=[1, 0, 1]),
        "no describe": rawpg.parse("", sql) + bound("", four),
        "describe statement": rawpg.parse("", sql) + rawpg.describe("S") +
        bound("", four),
        "typed": rawpg.parse("", sql, [20]) + rawpg.bind("", "", four) +
        rawpg.describe("P") + rawpg.execute() + rawpg.sync(),
        "no rows": whole(sql, [b"-1"]),
    }


FORMS = ["simple", "extended", "binary", "mixed", "no describe",
         "describe statement", "typed", "no rows"]


@pytest.mark.parametrize("form", FORMS)
def test_a_hit_is_the_misses_bytes(sluice, pg, db, form):
    from harness import wire
    message = forms()[form]
    with wire.Wire("127.0.0.1", pg.port, db, "app") as direct:
        straight = direct.ask(message)[1].checked().data
    # Who asks for the statement's description may be passed on.
    hits = 0 if form == "describe statement" else 3
    with sluice.wire() as w:
        with sluice.counting(cache_misses=min(hits, 1), cache_hits_l1=0):
            assert w.ask(message)[1].data == straight
        with sluice.counting(cache_misses=0, cache_hits_l1=hits):
            for _ in range(3):
                assert w.ask(message)[1].data == straight
    with sluice.wire() as w:
        assert w.ask(message)[1].data == straight


def test_forms_do_not_mix(sluice):
    """Each form of the same question gets its own kind of answer, whichever
    was asked first."""
    all_forms = forms()
    first = {}
    with sluice.wire() as w:
        for _ in range(3):
            for name, message in all_forms.items():
                data = w.ask(message)[1].checked().data
                assert first.setdefault(name, data) == data
    assert len(set(first.values())) == len({
        n for n in first if n != "typed"})


def test_prepared_statement_hits(sluice):
    with sluice.wire() as w:
        w.ask(rawpg.parse("s", "SELECT name FROM item WHERE id = $1") +
              rawpg.sync())
        for n in (1, 2, 1, 2, 1, 2):
            _, a = w.ask(bound("s", [b"%d" % n]))
            assert a.rows == [(b"name %d" % n,)]
    assert sluice.count("cache_hits_l1") == 4


def test_a_simple_hit_ends_the_unnamed_statement(sluice):
    """As a query at the server does."""
    sluice.query(NAMES)
    hit(sluice, NAMES)
    with rawpg.RawConn("127.0.0.1", sluice.port, "app", "app") as c:
        c.send(rawpg.parse("", "SELECT 1") + rawpg.sync())
        c.read_until_ready()
        with sluice.counting(cache_hits_l1=1):
            assert len(c.ask_rows(NAMES)) == 3
        c.send(bound())
        assert rawpg.sqlstates(c.read_until_ready()) == ["26000"]


def test_parameters_tell_answers_apart(sluice):
    with sluice.connect() as conn:
        for _ in range(2):
            for n in range(1, 30):
                assert conn.execute("SELECT name FROM item WHERE id = %s",
                                    (n,)).fetchone() == (f"name {n}",)
    assert sluice.count("cache_hits_l1") == 29


def test_hits_in_a_pipeline_keep_their_place(sluice):
    sluice.query(COUNT)
    with sluice.connect() as conn, conn.pipeline():
        out = []
        for n in range(50):
            out.append((n, conn.execute("SELECT %s::int", (n,))))
            out.append((100, conn.execute(COUNT)))
        for expected, cur in out:
            assert cur.fetchone() == (expected,)


def test_hits_while_a_slow_statement_runs_ahead(sluice):
    with sluice.wire() as w:
        w.ask(whole(COUNT))
        _, a = w.ask(whole(COUNT))
        w.sock.sendall(whole("SELECT 'first', pg_sleep(0.3)") +
                       whole(COUNT))
        data = w.rest(w.sock.recv(65536))
        while data.count(b"Z\0\0\0\5I") < 2:
            data += w.sock.recv(65536)
        assert data.endswith(a.data) and data.index(b"first") < len(data) / 2


# -- C2, C3: writes -----------------------------------------------------------

WRITES = {
    "insert": "INSERT INTO item VALUES (1001)",
    "insert in another schema's spelling":
        "INSERT INTO public.item VALUES (1001)",
    "quoted": 'INSERT INTO "item" VALUES (1001)',
    "returning": "INSERT INTO item VALUES (1001) RETURNING id",
    "cte": "WITH x AS (INSERT INTO item VALUES (1001) RETURNING id) "
           "SELECT * FROM x",
    "insert select": "INSERT INTO item SELECT 1001",
    "merge": "MERGE INTO item USING (SELECT 1001 AS id) s ON item.id = s.id "
             "WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)",
    "do": "DO $$ BEGIN INSERT INTO item VALUES (1001); END $$",
    "function": "SELECT add_item(1001)",
    "two statements": "SELECT 1; INSERT INTO item VALUES (1001)",
    "explain analyze": "EXPLAIN ANALYZE INSERT INTO item VALUES (1001)",
    "sql prepare": "PREPARE w AS INSERT INTO item VALUES (1001); EXECUTE w",
    "block": "BEGIN; INSERT INTO item VALUES (1001); COMMIT",
}


@pytest.mark.parametrize("sql", WRITES.values(), ids=WRITES.keys())
def test_a_write_is_seen_at_once(sluice, pg, db, sql):
    pg.psql("CREATE FUNCTION add_item(int) RETURNS void LANGUAGE sql AS "
            "'INSERT INTO item VALUES ($1)'; "
            "GRANT ALL ON item TO PUBLIC", db)
    assert sluice.query(COUNT) == [(100,)]
    hit(sluice, COUNT, [(100,)])
    with sluice.connect() as writer:
        writer.execute(sql)
        assert sluice.query(COUNT) == [(101,)]
        assert writer.execute(COUNT).fetchone() == (101,)


@pytest.mark.parametrize("sql,expected", [
    ("UPDATE item SET name = 'new' WHERE id = 1", "new"),
    ("DELETE FROM item WHERE id = 1", None),
    ("TRUNCATE item", None)])
def test_changes_and_deletions(sluice, sql, expected):
    ask = "SELECT name FROM item WHERE id = 1"
    assert sluice.query(ask) == [("name 1",)]
    hit(sluice, ask)
    sluice.query(sql)
    assert sluice.query(ask) == ([(expected,)] if expected else [])


def test_copy_is_a_write(sluice):
    sluice.query(COUNT)
    hit(sluice, COUNT)
    with sluice.connect() as conn:
        with conn.cursor().copy("COPY item (id) FROM STDIN") as copy:
            copy.write(b"1001\n1002\n")
        assert sluice.query(COUNT) == [(102,)]


def test_extended_and_pipelined_writes(sluice):
    sluice.query(COUNT)
    hit(sluice, COUNT)
    with sluice.connect() as conn:
        conn.execute("INSERT INTO item VALUES (%s)", (1001,))
        assert sluice.query(COUNT) == [(101,)]
        with conn.pipeline():
            conn.execute("INSERT INTO item VALUES (%s)", (1002,))
            conn.execute("INSERT INTO item VALUES (%s)", (1003,))
        assert sluice.query(COUNT) == [(103,)]
        conn.execute("INSERT INTO item VALUES (%s)", (1004,), prepare=True)
        assert sluice.query(COUNT) == [(104,)]


def test_ddl_changes_the_shape(sluice):
    ask = "SELECT * FROM item WHERE id = 1"
    assert len(sluice.query(ask)[0]) == 3
    hit(sluice, ask)
    sluice.query("ALTER TABLE item ADD extra int DEFAULT 7")
    row = sluice.query(ask)[0]
    assert len(row) == 4 and row[3] == 7


def test_uncommitted_data_is_seen_by_nobody_else(sluice):
    with sluice.connect(autocommit=False) as writer:
        writer.execute("INSERT INTO item VALUES (1001)")
        assert writer.execute(COUNT).fetchone() == (101,)
        for _ in range(3):
            assert sluice.query(COUNT) == [(100,)]
        writer.rollback()
        assert writer.execute(COUNT).fetchone() == (100,)
        writer.rollback()
        writer.execute("INSERT INTO item VALUES (1001)")
        writer.commit()
    assert sluice.query(COUNT) == [(101,)]


def test_rollback_invalidates_nothing(sluice):
    sluice.query(COUNT)
    hit(sluice, COUNT)
    with sluice.connect(autocommit=False) as writer:
        writer.execute("DELETE FROM item")
        writer.rollback()
    hit(sluice, COUNT, [(100,)])


def test_a_write_elsewhere_leaves_the_entry(sluice):
    sluice.query(COUNT)
    sluice.query("INSERT INTO other VALUES (1)")
    hit(sluice, COUNT, [(100,)])


def test_read_your_writes_under_load(sluice):
    """Writers and readers at once: who has written reads it, whoever reads
    never goes back."""
    stop = time.monotonic() + 5
    problems = []

    def writer(n):
        with sluice.connect() as conn:
            k = 0
            while time.monotonic() < stop:
                k += 1
                conn.execute(f"UPDATE item SET name = '{k}' WHERE id = {n}")
                row = conn.execute("SELECT name FROM item WHERE id = "
                                   f"{n}").fetchone()
                if row != (str(k),):
                    problems.append(f"item {n}: wrote {k}, read {row}")

    def reader():
        seen = {}
        with sluice.connect() as conn:
            while time.monotonic() < stop:
                for n in range(1, 5):
                    (name,) = conn.execute("SELECT name FROM item WHERE id = "
                                           f"{n}").fetchone()
                    value = int(name.replace("name ", "-"))
                    if value < seen.get(n, -100):
                        problems.append(f"item {n}: {value} after {seen[n]}")
                    seen[n] = value
    threads = [threading.Thread(target=writer, args=(n,))
               for n in range(1, 5)]
    threads += [threading.Thread(target=reader) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert not problems, problems[:5]
    assert sluice.count("cache_hits_l1") > 100
    assert sluice.count("cache_bumps") > 100


def test_a_fill_that_a_write_overtakes_is_not_kept(make):
    """The reader's snapshot is taken, its answer still on the way when the
    write commits."""
    sluice = make(conf=CONF.replace('"1MB"', '"64MB"'))
    big = "SELECT id, name, repeat('x', 300000) FROM item ORDER BY id"
    with sluice.wire() as reader:
        reader.sock.sendall(reader.query_message(big))
        first = reader.sock.recv(100000)
        sluice.query("UPDATE item SET name = 'changed'")
        old = reader.rest(first)
    assert b"name 100" in old and b"changed" not in old
    with sluice.wire() as reader:
        assert b"changed" in reader.query(big).data


# -- C5: time -----------------------------------------------------------------

def test_ttl(make, behind):
    sluice = make(ttl="2s")
    began = time.monotonic()
    assert sluice.query(COUNT) == [(100,)]
    behind.execute("INSERT INTO item VALUES (1001)")
    # Not seen, so it was a hit; and not for long.
    hit(sluice, COUNT, [(100,)])
    until(lambda: sluice.query(COUNT) == [(101,)])
    assert 1 < time.monotonic() - began < 4


def test_grace_serves_the_old_one_during_one_fill(make, behind, pg, db):
    sluice = make(ttl="1s", grace="60s")
    assert sluice.query(COUNT) == [(100,)]
    with behind.transaction():
        behind.execute("INSERT INTO item VALUES (1001)")
        behind.execute("LOCK TABLE item IN ACCESS EXCLUSIVE MODE")
        # Past its TTL someone's question becomes the fill and has to wait.
        waiting = []

        def ask():
            waiting.append(sluice.query(COUNT))
        threads = []

        def blocked():
            t = threading.Thread(target=ask)
            t.start()
            threads.append(t)
            t.join(0.2)
            return pg.pids(datname=db, usename="app", wait_event_type="Lock")
        until(blocked)
        with Deadline(5):
            for _ in range(5):
                assert sluice.query(COUNT) == [(100,)]
        assert len(pg.pids(datname=db, usename="app",
                           wait_event_type="Lock")) == 1
    for t in threads:
        t.join(30)
    until(lambda: sluice.query(COUNT) == [(101,)])


def test_one_fill_for_many(make, behind, pg, db):
    sluice = make(size=20)
    answers = []

    def ask():
        answers.append(sluice.query(COUNT))
    threads = [threading.Thread(target=ask) for _ in range(12)]
    with behind.transaction():
        behind.execute("LOCK TABLE item IN ACCESS EXCLUSIVE MODE")
        for t in threads:
            t.start()
        until(lambda: sluice.count("cache_waits") == 11)
        assert len(pg.pids(datname=db, usename="app",
                           wait_event_type="Lock")) == 1
    for t in threads:
        t.join(30)
    assert answers == [[(100,)]] * 12
    assert sluice.count("cache_misses") == 1


def test_the_fills_death_wakes_the_waiters(make, behind, pg, db):
    sluice = make(size=20)
    answers = []

    def ask():
        try:
            answers.append(sluice.query(COUNT))
        except psycopg.Error as e:
            answers.append(e.sqlstate)
    threads = [threading.Thread(target=ask) for _ in range(4)]
    with behind.transaction():
        behind.execute("LOCK TABLE item IN ACCESS EXCLUSIVE MODE")
        for t in threads:
            t.start()
        until(lambda: sluice.count("cache_waits") == 3)
        (pid,) = pg.pids(datname=db, usename="app", wait_event_type="Lock")
        pg.psql(f"SELECT pg_terminate_backend({pid})")
        until(lambda: pg.pids(datname=db, usename="app",
                              wait_event_type="Lock") not in ([], [pid]))
    for t in threads:
        t.join(30)
    assert answers.count([(100,)]) == 3 and len(answers) == 4


# -- what is not cached -------------------------------------------------------

BYPASSES = [
    ("SELECT * FROM other", "no_rule"),
    ("SELECT * FROM item, other", "no_rule"),
    ("SELECT 1", "no_table"),
    ("SELECT * FROM item WHERE id = 1 FOR UPDATE", "locking"),
    ("SELECT count(*), random() FROM item", "volatile"),
    ("SELECT count(*), now() FROM item", "stable"),
    ("SELECT count(*), current_date FROM item", "stable"),
    ("SELECT count(*), own(1) FROM item", "unknown_function"),
    ("SELECT count(*) FROM item, pg_class", "catalog"),
    ("SELECT count(*) FROM item TABLESAMPLE SYSTEM (100)", "volatile"),
]


@pytest.mark.parametrize("sql,reason", BYPASSES)
def test_bypass(sluice, pg, db, sql, reason):
    pg.psql("CREATE FUNCTION own(int) RETURNS int LANGUAGE sql AS "
            "'SELECT $1'", db)
    said = " ".join(r[0] for r in sluice.query("EXPLAIN (ROUTE) " + sql))
    assert reason in said
    before = bypassed(sluice, reason)
    with sluice.counting(cache_hits_l1=0, cache_stores=0):
        for _ in range(3):
            sluice.query(sql)
    until(lambda: bypassed(sluice, reason) == before + 3)


def bypassed(sluice, reason):
    return sluice.metrics().get(
        f'pgsluice_cache_bypass_total{{reason="{reason}"}}', 0)


def test_allow_stable(sluice):
    ask = "SELECT count(*) FROM log WHERE at <= now()"
    sluice.query(ask)
    hit(sluice, ask, [(1,)])


def test_database_without_cache(sluice):
    with sluice.counting(cache_hits_l1=0, cache_stores=0):
        for _ in range(3):
            assert sluice.query(COUNT, dbname="uncached") == [(100,)]


def test_errors_are_not_kept(sluice, behind):
    ask = "SELECT 100 / (count(*) - 100) FROM item"
    for _ in range(2):
        with pytest.raises(psycopg.errors.DivisionByZero):
            sluice.query(ask)
    behind.execute("INSERT INTO item VALUES (1001)")
    assert sluice.query(ask) == [(100,)]


def test_large_results_are_not_kept_but_complete(sluice):
    ask = "SELECT id, repeat(name, 4000) FROM item"
    for _ in range(3):
        with sluice.counting(cache_hits_l1=0, cache_stores=0):
            assert len(sluice.query(ask)) == 100


def test_partial_portals_are_not_kept(sluice):
    with sluice.wire() as w:
        w.query("BEGIN")
        for _ in range(3):
            _, a = w.ask(rawpg.parse("", NAMES) + rawpg.bind("", "") +
                         rawpg.describe("P") + rawpg.execute(max_rows=1) +
                         rawpg.sync())
            assert a.rows == [(b"1", b"name 1")]
        w.query("COMMIT")
    assert len(sluice.query(NAMES)) == 3


# -- C7: whose answer ---------------------------------------------------------

def test_users_get_their_own_rows(sluice):
    ask = "SELECT word FROM secret"
    for _ in range(3):
        for user in ("alice", "bob"):
            assert sluice.query(ask, user=user) == [(f"of {user}",)]


def test_role_inside_a_session(sluice, pg, db):
    pg.psql("GRANT alice, bob TO app", db)
    ask = "SELECT word FROM secret"
    with sluice.connect() as conn:
        for _ in range(2):
            for user in ("alice", "bob"):
                conn.execute(f"SET ROLE {user}")
                assert conn.execute(ask).fetchall() == [(f"of {user}",)]
            conn.execute("RESET ROLE")
    assert sluice.query(ask, user="bob") == [("of bob",)]


def test_privileges_are_not_bought_by_somebody_elses_answer(sluice, pg, db):
    pg.psql("REVOKE ALL ON item FROM alice", db)
    sluice.query(COUNT)
    hit(sluice, COUNT)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        sluice.query(COUNT, user="alice")


def test_search_path(sluice, pg, db):
    pg.psql("CREATE SCHEMA b; CREATE TABLE b.item (id int); "
            "GRANT USAGE ON SCHEMA b TO app; GRANT SELECT ON b.item TO app",
            db)
    for _ in range(3):
        assert sluice.query(COUNT) == [(100,)]
        assert sluice.query(COUNT, options="-c search_path=b") == [(0,)]
        with sluice.connect() as conn:
            conn.execute("SET search_path = b")
            assert conn.execute(COUNT).fetchone() == (0,)


@pytest.mark.parametrize("setting,values,ask", [
    ("TimeZone", ["UTC", "Asia/Tokyo"], "SELECT at::text FROM item LIMIT 1"),
    ("DateStyle", ["ISO", "German"], "SELECT at::text FROM item LIMIT 1"),
    ("bytea_output", ["hex", "escape"],
     "SELECT convert_to(name, 'UTF8')::text FROM item WHERE id = 1"),
    ("extra_float_digits", ["1", "-5"],
     "SELECT (id / 3.0::float8)::text FROM item WHERE id = 1"),
    ("IntervalStyle", ["postgres", "iso_8601"],
     "SELECT (id * interval '1 day 1 hour')::text FROM item WHERE id = 1"),
])
def test_output_settings(sluice, pg, db, setting, values, ask):
    expected = {}
    for v in values:
        with pg.connect(db, options=f"-c {setting}={v}") as conn:
            expected[v] = conn.execute(ask).fetchall()
    assert len({str(e) for e in expected.values()}) == 2
    for _ in range(3):
        for v in values:
            assert sluice.query(ask, options=f"-c {setting}={v}") == \
                expected[v]
            with sluice.connect() as conn:
                conn.execute(f"SET {setting} = '{v}'")
                assert conn.execute(ask).fetchall() == expected[v]


def test_temporary_table_hides_the_cached_one(sluice):
    sluice.query(COUNT)
    with sluice.connect() as conn:
        conn.execute("CREATE TEMP TABLE item (id int)")
        assert conn.execute(COUNT).fetchone() == (0,)
    assert sluice.query(COUNT) == [(100,)]


# -- transactions -------------------------------------------------------------

def test_hits_in_a_transaction_need_no_server(make):
    sluice = make(size=1)
    sluice.query(COUNT)
    with sluice.connect() as holder, sluice.connect(autocommit=False) as conn:
        holder.execute("BEGIN")
        holder.execute("SELECT 1")
        for end in (conn.rollback, conn.commit):
            with Deadline(5), sluice.counting(cache_hits_l1=2, held_begins=1):
                assert conn.execute(COUNT).fetchone() == (100,)
                assert conn.execute(COUNT).fetchone() == (100,)
                assert conn.info.transaction_status == 2
                end()
        holder.execute("COMMIT")


def test_a_transaction_reads_its_own_writes(sluice):
    sluice.query(COUNT)
    with sluice.connect(autocommit=False) as conn:
        assert conn.execute(COUNT).fetchone() == (100,)
        conn.execute("INSERT INTO item VALUES (1001)")
        with sluice.counting(cache_hits_l1=0):
            assert conn.execute(COUNT).fetchone() == (101,)
        hit(sluice, COUNT, [(100,)])
        conn.rollback()


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_snapshots_are_the_servers(sluice, level):
    sluice.query(COUNT)
    with sluice.connect() as conn, sluice.counting(cache_hits_l1=0):
        conn.execute(f"BEGIN ISOLATION LEVEL {level}")
        assert conn.execute(COUNT).fetchone() == (100,)
        assert conn.execute("SHOW transaction_isolation").fetchone() == \
            (level.lower(),)
        sluice.query("INSERT INTO item VALUES (1001)")
        assert conn.execute(COUNT).fetchone() == (100,)
        conn.execute("COMMIT")
    assert sluice.query(COUNT) == [(101,)]


# -- L2 -----------------------------------------------------------------------

L2 = CONF.replace("l2 = false", 'l2 = true l1_ttl = "$L1"') + """
redis_host = "127.0.0.1"
redis_port = $REDIS
redis_timeout = "$BUDGET"
redis_retry = "200ms"
"""


@pytest.fixture
def make2(make, redis):
    """Redis is waited for: until it is connected there is no L2."""
    def start(l1="0", budget="500ms", **kw):
        return make(conf=L2, L1=l1, BUDGET=budget, **kw)
    return start


def l2_works(sluice):
    if not sluice.on_redis():
        return False
    before = sluice.count("cache_hits_l2")
    sluice.query(COUNT)
    sluice.query(COUNT)
    return sluice.count("cache_hits_l2") > before


def test_l2_hit_is_the_same(make2):
    sluice = make2()
    until(lambda: l2_works(sluice))
    for name, message in forms().items():
        if name == "describe statement":
            continue
        with sluice.wire() as w:
            first = w.ask(message)[1].checked().data
            # A fill reaches Redis a moment after its answer.
            before = sluice.count("cache_hits_l2")
            until(lambda: w.ask(message)[1].data == first and
                  sluice.count("cache_hits_l2") > before)
            with sluice.counting(cache_hits_l2=3, cache_hits_l1=0):
                for _ in range(3):
                    assert w.ask(message)[1].data == first, name


def test_l2_is_shared(make2, behind):
    one, two = make2(), make2()
    until(lambda: l2_works(one))
    until(lambda: l2_works(two))
    behind.execute("INSERT INTO item VALUES (1001)")
    # What one has stored the other one finds.
    with two.counting(cache_hits_l2=1):
        assert two.query(COUNT) == [(100,)]
    # A write through one is no longer found by the other.
    one.query("INSERT INTO item VALUES (1002)")
    assert one.query(COUNT) == [(102,)]
    assert two.query(COUNT) == [(102,)]


def test_l2_fills_l1_without_a_new_life(make2, behind):
    """The TTL counts from the fill, not from the move to L1."""
    one, two = make2(ttl="3s"), make2(l1="60s", ttl="3s")
    for sluice in (one, two):
        until(sluice.on_redis)
    # The first fill may only prepare the ground in Redis.
    while not one.metric("pgsluice_l2_puts_total"):
        began = time.monotonic()
        assert one.query(COUNT) == [(100,)]
    behind.execute("INSERT INTO item VALUES (1001)")
    until(lambda: time.monotonic() - began > 1.5)
    # From L2 now, from its own L1 afterwards, until three seconds are over.
    with two.counting(cache_hits_l2=1, cache_hits_l1=1):
        assert two.query(COUNT) == [(100,)]
        assert two.query(COUNT) == [(100,)]
    until(lambda: two.query(COUNT) == [(101,)])
    assert 2 < time.monotonic() - began < 4.4


def test_l2_does_not_lead_back(make2, redis, behind):
    """An entry older than what this process has answered with is passed over,
    as one may be that another process stored late."""
    sluice = make2(l1="100ms", ttl="60s")
    until(sluice.on_redis)
    until(lambda: sluice.query(COUNT) and redis.cli("KEYS", "*:app:*"))
    key = redis.cli("KEYS", "*:app:*").strip()
    assert redis.cli("COPY", key, "aside") == "1"
    behind.execute("INSERT INTO item VALUES (1001)")
    redis.cli("DEL", key)
    until(lambda: sluice.query(COUNT) == [(101,)])
    until(lambda: redis.cli("EXISTS", key) == "1")
    assert redis.cli("COPY", "aside", key, "REPLACE") == "1"
    for _ in range(10):
        time.sleep(0.03)
        assert sluice.query(COUNT) == [(101,)]
    assert sluice.count("cache_outdated") >= 1


def test_redis_absent(make2, redis):
    redis.stop()
    sluice = make2()
    for _ in range(5):
        with Deadline(2):
            assert sluice.query(COUNT) == [(100,)]
    redis.start()
    until(lambda: l2_works(sluice), 20)


def test_redis_dies_and_comes_back(make2, redis):
    sluice = make2()
    until(lambda: l2_works(sluice))
    redis.kill()
    for n in range(20):
        with Deadline(2):
            assert sluice.query(COUNT) == [(100 + n // 2,)]
        if n % 2:
            sluice.query(f"INSERT INTO item VALUES ({2000 + n})")
    redis.start()
    until(lambda: l2_works(sluice), 20)
    assert sluice.query(COUNT) == [(110,)]


def test_redis_hangs(make2, redis):
    """A frozen Redis costs its budget once, then the circuit is open; what
    it says after it has woken up is said to nobody."""
    sluice = make2(budget="100ms")
    until(lambda: l2_works(sluice))
    redis.freeze()
    try:
        with sluice.connect() as conn:
            for n in range(1, 40):
                with Deadline(1.5):
                    assert conn.execute(
                        f"SELECT name FROM item WHERE id = {n}"
                    ).fetchone() == (f"name {n}",)
    finally:
        redis.thaw()
    for n in range(1, 40):
        assert sluice.query(f"SELECT name FROM item WHERE id = {n}") == \
            [(f"name {n}",)]
    until(lambda: l2_works(sluice), 20)


def test_redis_is_emptied(make2, redis):
    sluice = make2()
    until(lambda: l2_works(sluice))
    redis.cli("FLUSHALL")
    assert sluice.query(COUNT) == [(100,)]
    until(lambda: l2_works(sluice))


def redis_client(redis):
    import redis as client
    return client.Redis(host="127.0.0.1", port=redis.port)


def test_corrupt_entries_are_misses(make2, redis):
    """Every byte of every entry, a bit flipped: never another answer."""
    sluice = make2()
    until(lambda: l2_works(sluice))
    r = redis_client(redis)
    entries = {k: r.get(k) for k in r.keys("*")}
    entry = max(entries, key=lambda k: len(entries[k]))
    value = entries[entry]
    with sluice.connect() as conn:
        for n in range(0, len(value), max(1, len(value) // 200)):
            bad = bytearray(value)
            bad[n] ^= 1 << (n % 8)
            r.set(entry, bytes(bad))
            assert conn.execute(COUNT).fetchone() == (100,)
        for bad in (b"", b"x", value[:-1], value + b"x", value[:20]):
            r.set(entry, bad)
            assert conn.execute(COUNT).fetchone() == (100,)
        # An entry under another one's name.
        conn.execute(NAMES)
        for k in r.keys("*"):
            if k != entry and len(r.get(k) or b"") > 40:
                r.set(k, value)
        assert len(conn.execute(NAMES).fetchall()) == 3
