# SPDX-License-Identifier: PostgreSQL
"""SQL's PREPARE, EXECUTE and DEALLOCATE under transaction pooling."""

import psycopg
import pytest

import rawpg
from harness import bound

CONF = """
auth = "trust"
admin_users = {"app"}
pool_size = 2
max_server_prepared = 10
stateless_functions = {"wipe"}
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
"""


@pytest.fixture
def sluice(pg, db, pgsluice):
    return pgsluice(CONF)


@pytest.fixture
def direct(pg, db):
    with pg.connect(db, user="app", autocommit=True) as conn:
        yield conn


def raw(sluice):
    return rawpg.RawConn("127.0.0.1", sluice.port, "app", "app")


def pins(sluice):
    return [r["pin"] for r in sluice.console("SHOW CLIENTS")
            if r["database"] == "app"]


def said(conn, sql):
    """What a client can see of a command: tag, rows, or the error."""
    try:
        cur = conn.execute(sql)
    except psycopg.Error as e:
        d = e.diag
        return (d.sqlstate, d.message_primary, d.statement_position)
    return (cur.statusmessage,
            cur.fetchall() if cur.description is not None else None)


SCRIPT = [
    "PREPARE p (int) AS SELECT $1 + 1 AS a",
    "EXECUTE p (1)",
    "execute P ( 41 ) ;",
    "EXECUTE p",
    "EXECUTE p (1, 2)",
    "EXECUTE p ('x')",
    "EXECUTE p (1/0)",
    "EXECUTE nobody (1)",
    "PREPARE p AS SELECT 1",
    "PREPARE bad AS SELECT * FROM nowhere WHERE a = 1",
    "EXECUTE bad",
    "PREPARE bad (notype) AS SELECT 1",
    "PREPARE bad (int) AS SELECT $1 || 1.5 + 'é'",
    "PREPARE \"Odd \"\"name\" AS SELECT 'odd'",
    "EXECUTE \"Odd \"\"name\"",
    "EXECUTE odd",
    "PREPARE typed (text, int) AS SELECT $1::text || $2::text",
    "EXECUTE typed ('a', 2)",
    "/* c /* d */ */ -- e\n EXECUTE typed ('b', length('xyz'))",
    "CREATE TABLE t (a int PRIMARY KEY, b text)",
    "PREPARE ins AS INSERT INTO t VALUES ($1, $2)",
    "EXECUTE ins (1, 'one')",
    "EXECUTE ins (1, 'one')",
    "PREPARE sel AS SELECT * FROM t ORDER BY a; ",
    "EXECUTE sel",
    "PREPARE upd AS UPDATE t SET b = $2 WHERE a = $1 RETURNING b",
    "EXECUTE upd (1, 'eins')",
    "EXECUTE upd (2, 'zwei')",
    # Not transactional, as in PostgreSQL.
    "BEGIN",
    "PREPARE intx AS SELECT 'kept'",
    "EXECUTE ins (2, 'two')",
    "EXECUTE sel",
    "ROLLBACK",
    "EXECUTE intx",
    "EXECUTE sel",
    "BEGIN",
    "EXECUTE nobody",
    "EXECUTE intx",
    "PREPARE never AS SELECT 1",
    "DEALLOCATE intx",
    "ROLLBACK",
    "EXECUTE never",
    "BEGIN",
    "PREPARE intx AS SELECT 2",
    "COMMIT",
    "EXECUTE intx",
    "DEALLOCATE intx",
    "EXECUTE intx",
    "DEALLOCATE intx",
    "DEALLOCATE PREPARE sel",
    "PREPARE sel AS VALUES (1), (2)",
    "EXECUTE sel",
    "DEALLOCATE ALL",
    "EXECUTE sel",
    "EXECUTE p (1)",
    "PREPARE p AS SELECT 'anew'",
    "EXECUTE p",
    "DISCARD PLANS",
    "EXECUTE p",
    "DISCARD ALL",
    "EXECUTE p",
    "PREPARE p AS SELECT 'again'",
    "EXECUTE p",
]


def test_as_postgresql_says_it(pg, db, sluice):
    """Tags, rows, SQLSTATEs, texts, positions, in and out of transactions."""
    def run(conn):
        conn.execute("DROP TABLE IF EXISTS t")
        return [(sql, said(conn, sql)) for sql in SCRIPT]
    with pg.connect(db, user="app", autocommit=True) as conn:
        want = run(conn)
    with sluice.connect(autocommit=True) as conn:
        assert run(conn) == want
    assert sluice.count("pins") == 0


def test_in_a_transaction_by_messages(sluice):
    """The values of EXECUTE stand in its text: Bind needs none."""
    with raw(sluice) as c:
        c.ask("PREPARE p (int) AS SELECT $1 + 1")
        c.ask("BEGIN")
        for n in range(3):
            c.send(rawpg.parse("", f"EXECUTE p ({n})") + bound())
            assert rawpg.text_rows(c.read_until_ready()) == [(str(n + 1),)]
        c.ask("ROLLBACK")


@pytest.mark.parametrize("mode", ["simple", "extended"])
def test_it_follows_to_every_server(sluice, mode):
    def ask(c, sql):
        if mode == "simple":
            c.send(rawpg.query(sql))
        else:
            c.send(rawpg.parse("", sql) + rawpg.bind("", "") +
                   rawpg.describe("P") + rawpg.execute() + rawpg.sync())
        m = c.read_until_ready()
        assert rawpg.errors(m) == []
        return m
    with raw(sluice) as c, raw(sluice) as other:
        m = ask(c, "PREPARE who (text) AS SELECT $1, pg_backend_pid()")
        assert rawpg.types(m) == ("CZ" if mode == "simple" else "12nCZ")
        seen = set()
        for n in range(8):
            if n % 2:
                other.ask("BEGIN")
                other.ask("SELECT 1")
            m = ask(c, f"EXECUTE who ('r{n}')")
            assert rawpg.types(m) == ("TDCZ" if mode == "simple" else
                                      "12TDCZ")
            assert rawpg.rows(m)[0][0] == b"r%d" % n
            seen.add(rawpg.rows(m)[0][1])
            if n % 2:
                other.ask("COMMIT")
        assert len(seen) == 2, "it never moved: nothing was tested"
        assert rawpg.tags(ask(c, "DEALLOCATE who")) == ["DEALLOCATE"]
    assert sluice.count("pins") == 0


def test_one_name_space_with_parse(sluice):
    with raw(sluice) as c:
        c.ask("PREPARE s (int) AS SELECT $1 * 2")
        c.send(rawpg.parse("s", "SELECT 1") + rawpg.sync())
        assert rawpg.sqlstates(c.read_until_ready()) == ["42P05"]
        # Bind finds what PREPARE made, and Describe does.
        c.send(bound("s", ["21"]))
        assert rawpg.rows(c.read_until_ready()) == [(b"42",)]
        c.send(rawpg.describe("S", "s") + rawpg.sync())
        assert rawpg.types(c.read_until_ready()) == "tTZ"
        c.send(rawpg.parse("q", "SELECT $1::int * 3") + rawpg.sync())
        c.read_until_ready()
        # And EXECUTE what Parse made.
        assert c.ask_rows("EXECUTE q (5)") == [("15",)]
        c.send(rawpg.query("PREPARE q AS SELECT 1"))
        assert rawpg.sqlstates(c.read_until_ready()) == ["42P05"]
        c.send(rawpg.close("S", "s") + rawpg.sync())
        c.read_until_ready()
        c.send(rawpg.query("EXECUTE s (1)"))
        assert rawpg.sqlstates(c.read_until_ready()) == ["26000"]
        c.ask("DEALLOCATE q")
        c.send(bound("q", ["1"]))
        assert rawpg.sqlstates(c.read_until_ready()) == ["26000"]
    assert sluice.count("pins") == 0


def test_bind_where_the_server_lacks_it(sluice):
    with raw(sluice) as c, raw(sluice) as other:
        c.ask("PREPARE s (int) AS SELECT $1, pg_backend_pid()")
        seen = set()
        for n in range(6):
            if n % 2:
                other.ask("BEGIN")
                other.ask("SELECT 1")
            c.send(rawpg.parse("", "SELECT 7") + bound("s", [str(n)]) +
                   bound())
            m = c.read_until_ready(2)
            assert rawpg.rows(m)[0][0] == b"%d" % n
            assert rawpg.rows(m)[1] == (b"7",)
            seen.add(rawpg.rows(m)[0][1])
            if n % 2:
                other.ask("COMMIT")
        assert len(seen) == 2


def test_same_name_other_content(sluice):
    clients = [raw(sluice) for _ in range(6)]
    for n, c in enumerate(clients):
        c.ask(f"PREPARE s AS SELECT 'mine is {n}'")
    for _ in range(10):
        for n, c in enumerate(clients):
            assert c.ask_rows("EXECUTE s") == [("mine is %d" % n,)]
    for c in clients:
        c.close()


def test_more_than_a_server_keeps(sluice):
    with raw(sluice) as c:
        for n in range(30):
            c.ask(f"PREPARE s{n} AS SELECT {n}")
        for _ in range(2):
            for n in range(30):
                assert c.ask_rows(f"EXECUTE s{n}") == [("%d" % n,)]
    for r in sluice.console("SHOW SERVERS"):
        assert int(r["prepared_statements"]) <= 10


def test_taken_away_and_changed(sluice, direct):
    direct.execute("""CREATE FUNCTION wipe() RETURNS void LANGUAGE plpgsql AS
        $$BEGIN EXECUTE 'DEALLOCATE ALL'; END$$;
        CREATE TABLE t (a int); INSERT INTO t VALUES (1)""")
    with raw(sluice) as c:
        c.ask("PREPARE s AS SELECT * FROM t")
        assert c.ask_rows("EXECUTE s") == [("1",)]
        c.ask("SELECT wipe()")
        assert c.ask_rows("EXECUTE s") == [("1",)]
        direct.execute("ALTER TABLE t ADD b int DEFAULT 2")
        assert c.ask_rows("EXECUTE s") == [("1", "2")]
    assert sluice.count("prepared_mended") >= 2


def test_ddl_in_a_transaction_that_is_rolled_back(sluice):
    with raw(sluice) as c:
        c.ask("BEGIN")
        c.ask("CREATE TABLE gone (a int)")
        c.ask("PREPARE s AS SELECT * FROM gone")
        assert c.ask_rows("EXECUTE s") == []
        c.ask("ROLLBACK")
        c.send(rawpg.query("EXECUTE s"))
        assert rawpg.sqlstates(c.read_until_ready()) == ["42P01"]
        c.ask("CREATE TABLE gone (a text)")
        c.send(rawpg.query("EXECUTE s"))
        assert rawpg.types(c.read_until_ready()) == "TCZ"


@pytest.mark.parametrize("how", [
    "PREPARE x AS SELECT 1; EXECUTE x",
    "EXPLAIN EXECUTE s (1)",
    "EXPLAIN CREATE TABLE tt AS EXECUTE s (1)",
    "CREATE TEMP TABLE tt AS EXECUTE s (1)",
    "EXECUTE s (pg_advisory_xact_lock(1)::text::int)",
    "EXECUTE s ((random() * 0)::int)",
])
def test_what_cannot_be_kept_pins(sluice, how):
    """The statements that the session has come with it."""
    with raw(sluice) as c:
        c.ask("PREPARE s (int) AS SELECT $1 + 5")
        c.ask("PREPARE \"S \"\"2\" AS SELECT 'two'")
        c.send(rawpg.query(how))
        m = c.read_until_ready()
        if "lock" not in how:
            assert rawpg.sqlstates(m) == []
        assert pins(sluice)[0].split(",")[0] == "prepare"
        assert c.ask_rows("EXECUTE s (2)") == [("7",)]
        assert c.ask_rows("EXECUTE \"S \"\"2\"") == [("two",)]
        assert c.ask_rows("SELECT name FROM pg_prepared_statements WHERE "
                          "name NOT LIKE 'pgsluice%' AND name <> 'x' "
                          "ORDER BY 1") == [("S \"2",), ("s",)]
        c.ask("DEALLOCATE ALL")
        c.ask("DISCARD ALL")
        assert pins(sluice) in ([""], [None])
        c.ask("PREPARE s AS SELECT 'new'")
        assert c.ask_rows("EXECUTE s") == [("new",)]
        assert pins(sluice) in ([""], [None])


@pytest.mark.parametrize("name", ["", "named"])
def test_execute_that_is_only_described(sluice, name):
    with raw(sluice) as c:
        c.ask("PREPARE s (int) AS SELECT $1 + 5 AS five, 'x' AS x")
        c.send(rawpg.parse(name, "EXECUTE s (1)") + rawpg.sync())
        assert rawpg.types(c.read_until_ready()) == "1Z"
        with raw(sluice) as other:
            other.ask("BEGIN")
            other.ask("SELECT 1")
            c.send(rawpg.describe("S", name) + rawpg.sync())
            assert rawpg.types(c.read_until_ready()) == "tTZ"
            assert c.ask_rows("EXECUTE s (2)") == [("7", "x")]
        assert pins(sluice)[0] == "prepare"


ROUTED = CONF + """
table "r" {
    variant "plain" { kind = "plain" backend = "main" relation = "s.other" }
}
"""


def test_routed_tables_of_long_texts(pg, db, pgsluice, direct):
    """Every name is put in its own place, literals in front of it or not."""
    direct.execute("CREATE SCHEMA s; CREATE TABLE s.other (a int, b int); "
                   "INSERT INTO s.other VALUES (1, 1), (2, 3)")
    with raw(pgsluice(ROUTED)) as c:
        c.ask("PREPARE p (bool) AS SELECT count(*) FROM r a LEFT JOIN r b ON "
              "(a.b = b.a AND EXISTS (SELECT 1 FROM r c WHERE c.b = b.a "
              "AND $1 AND 'x' <> 'yy'))")
        assert c.ask_rows("EXECUTE p (true)") == [("2",)]
        assert c.ask_rows("EXECUTE p (false)") == [("2",)]


def test_session_pooling_keeps_them_as_they_are(pg, db, pgsluice, direct):
    """Names, counts and errors are PostgreSQL's own."""
    sluice = pgsluice(CONF + 'pool_mode = "session"\n')

    def run(conn):
        return [said(conn, sql) for sql in (
            "CREATE TABLE t (a int)", "PREPARE p AS SELECT * FROM t",
            "SELECT name, statement, generic_plans "
            "FROM pg_prepared_statements", "EXECUTE p",
            "ALTER TABLE t ADD b int", "EXECUTE p", "PREPARE p AS SELECT 1",
            "DEALLOCATE p", "EXECUTE p", "DEALLOCATE p", "DEALLOCATE ALL",
            "PREPARE p AS SELECT 1", "EXECUTE p", "DROP TABLE t")]
    want = run(direct)
    assert ("0A000", "cached plan must not change result type",
            None) in want
    with sluice.connect(autocommit=True) as conn:
        assert run(conn) == want
    with raw(sluice) as c:
        c.ask("PREPARE s (int) AS SELECT $1 * 2")
        c.send(rawpg.parse("q", "SELECT $1::int * 3") + rawpg.sync())
        c.read_until_ready()
        c.send(rawpg.query("PREPARE q AS SELECT 1"))
        assert rawpg.sqlstates(c.read_until_ready()) == ["42P05"]
        assert c.ask_rows("EXECUTE q (5)") == [("15",)]
        c.send(bound("s", ["21"]))
        assert rawpg.rows(c.read_until_ready()) == [(b"42",)]
        c.ask("DEALLOCATE q")
        c.send(bound("q", ["1"]))
        assert rawpg.sqlstates(c.read_until_ready()) == ["26000"]


def test_writes_are_known_by_what_is_executed(sluice, direct):
    direct.execute("CREATE TABLE a (n int); CREATE TABLE b (n int)")
    with raw(sluice) as c:
        c.ask("PREPARE r AS SELECT * FROM a")
        before = sluice.count("cache_bumps")
        c.ask("EXECUTE r")
        assert sluice.count("cache_bumps") == before
        c.ask("PREPARE w AS INSERT INTO a VALUES (1)")
        assert sluice.count("cache_bumps") == before
        c.ask("EXECUTE w")
        assert sluice.count("cache_bumps") == before + 1


def test_memory_is_bounded(pg, db, pgsluice):
    sluice = pgsluice(CONF.replace("pool_size", "max_prepared_bytes = 64kB\n"
                                   "pool_size"))
    with raw(sluice) as c:
        with pytest.raises((rawpg.ServerError, rawpg.Closed)):
            for n in range(1000):
                c.ask(f"PREPARE s{n} AS SELECT '{'x' * 1000}{n}'")
        assert n > 20
