# SPDX-License-Identifier: PostgreSQL
"""A temporary table hides the routed one of its name from its session, as it
hides a plain one in PostgreSQL: from the router and from the cache."""

import psycopg
import pytest

from rawpg import RawConn, bind, execute, parse, query, rows, sqlstates, sync
from harness import whole

CONF = """
auth = "trust"
admin_users = {"app"}
pool_size = 2
cache_memory = "8MB"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
backend "other" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" pool_mode = "$MODE" }
table "orders" {
    databases = {"app"}
    use = "plain"
    variant "plain" { kind = "plain" backend = "other" relation = "public.orders_p" }
}
table "near" {
    databases = {"app"}
    use = "plain"
    variant "plain" { kind = "plain" backend = "main" relation = "public.near_p" }
}
cache "all" { tables = {"orders"} ttl = "1h" }
"""

SCHEMA = """
CREATE TABLE orders_p AS SELECT 1 AS a;
CREATE TABLE near_p AS SELECT 2 AS a;
GRANT ALL ON orders_p, near_p TO app;
"""

MAKE = ["CREATE TEMP TABLE orders AS SELECT 7 AS a",
        "CREATE TABLE pg_temp.orders AS SELECT 7 AS a",
        "SELECT 7 AS a INTO TEMP orders", "SELECT 7 AS a INTO pg_temp.orders",
        "CREATE TEMP VIEW orders AS SELECT 7 AS a",
        "CREATE TEMP TABLE orders (a int DEFAULT 7);"
        "INSERT INTO pg_temp.orders DEFAULT VALUES",
        "SELECT 1; CREATE TEMP TABLE orders AS SELECT 7 AS a"]


@pytest.fixture
def make(pg, db, pgsluice):
    pg.psql(SCHEMA, db)
    return lambda mode="transaction": pgsluice(CONF, MODE=mode)


@pytest.fixture
def sluice(make):
    return make()


def one(conn, sql, params=None):
    return conn.execute(sql, params).fetchone()[0]


def drop(sql):
    return f"DROP {'VIEW' if 'VIEW' in sql else 'TABLE'} orders"


@pytest.mark.parametrize("sql", MAKE)
@pytest.mark.parametrize("prepare", [False, True])
def test_it_is_hidden_while_it_is_there(sluice, sql, prepare):
    look = "SELECT a FROM orders"
    with sluice.connect(prepare_threshold=0 if prepare else None) as a, \
            sluice.connect(prepare_threshold=0 if prepare else None) as b:
        for _ in range(2):
            assert one(a, look) == one(b, look) == 1
            # Without parameters several statements go in one message.
            a.execute(sql, prepare=False)
            assert one(a, look) == 7
            assert one(b, look) == 1
            assert one(a, "SELECT a FROM public.orders_p") == 1
            a.execute(drop(sql), prepare=False)
        assert one(a, look) == 1


@pytest.mark.parametrize("prepare", [False, True])
def test_in_a_transaction(sluice, prepare):
    with sluice.connect(prepare_threshold=0 if prepare else None) as a:
        for end in ("ROLLBACK", "COMMIT"):
            a.execute("BEGIN")
            a.execute("CREATE TEMP TABLE orders ON COMMIT DROP AS "
                      "SELECT 7 AS a")
            assert one(a, "SELECT a FROM orders WHERE a > %s", (1,)) == 7
            a.execute("UPDATE orders SET a = a + 1")
            assert one(a, "SELECT a FROM orders") == 8
            a.execute(end)
            assert one(a, "SELECT a FROM orders") == 1


@pytest.mark.parametrize("name", ["orders", "near"])
def test_in_one_message(sluice, name):
    with RawConn("127.0.0.1", sluice.port, "app", "app") as c:
        c.send(query(f"CREATE TEMP TABLE {name} AS SELECT 7 AS a;"
                     f"SELECT a FROM {name}"))
        assert rows(c.read_until_ready()) == [(b"7",)]
        c.send(query(f"SELECT a FROM {name}; DROP TABLE {name}"))
        assert rows(c.read_until_ready()) == [(b"7",)]
        c.send(query(f"SELECT a < 3 FROM {name}"))
        assert rows(c.read_until_ready()) == [(b"t",)]


def test_without_sync(sluice):
    with RawConn("127.0.0.1", sluice.port, "app", "app") as c:
        c.send(parse("", "CREATE TEMP TABLE near AS SELECT 7 AS a") +
               bind("", "") + execute() + parse("", "SELECT a FROM near") +
               bind("", "") + execute() + sync())
        assert rows(c.read_until_ready()) == [(b"7",)]


def test_session_pooling(make):
    sluice = make("session")
    with sluice.connect() as a:
        a.execute(MAKE[0])
        assert one(a, "SELECT a FROM orders") == 7
        a.execute("DISCARD ALL")
        assert sluice.query("SELECT a FROM orders_p") == [(1,)]


def test_writes_go_to_it(sluice, pg, db):
    with sluice.connect() as a:
        a.execute("CREATE TEMP TABLE orders (a int)")
        a.execute("INSERT INTO orders VALUES (8)")
        a.execute("INSERT INTO orders VALUES (%s)", (9,))
        with a.cursor().copy("COPY orders FROM STDIN") as copy:
            copy.write("10\n")
        assert a.execute("SELECT a FROM orders ORDER BY 1").fetchall() == [
            (8,), (9,), (10,)]
        a.execute("CREATE INDEX ON orders (a)")
        a.execute("TRUNCATE orders")
    assert pg.psql("SELECT a FROM orders_p", db) == "1"


def test_tables_of_both_sorts(sluice):
    with sluice.connect() as a:
        a.execute(MAKE[0])
        join = "SELECT orders.a * 10 + near.a FROM orders, near"
        assert one(a, join) == 72
        assert one(a, join + " WHERE near.a > %s", (0,)) == 72
        assert one(a, "SELECT a FROM near") == 2
        a.execute("DROP TABLE orders")
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            a.execute(join)


def test_a_name_with_a_schema_is_not_hidden(sluice):
    with sluice.connect() as a:
        a.execute("CREATE TEMP TABLE near AS SELECT 7 AS a")
        assert one(a, "SELECT a FROM public.near") == 2
        assert one(a, "SELECT a FROM near") == 7
        assert one(a, "SELECT a FROM pg_temp.near") == 7


def test_of_its_own_name(sluice):
    with sluice.connect() as a:
        a.execute("CREATE TEMP TABLE tmp AS SELECT 7 AS a")
        assert one(a, "SELECT a FROM near") == 2
        # From here on no name is certain.
        a.execute("ALTER TABLE tmp RENAME TO near")
        assert one(a, "SELECT a FROM near") == 7
        a.execute("DROP TABLE near")
        assert one(a, "SELECT a FROM near") == 2


def test_the_cache_knows_nothing_of_it(sluice):
    look = "SELECT a FROM orders"
    with sluice.connect() as a, sluice.connect() as b:
        assert one(a, look) == 1
        with sluice.counting(cache_hits_l1=1):
            assert one(b, look) == 1
        for how in ({"prepare": False}, {"prepare": True}):
            a.execute("CREATE TEMP TABLE orders AS SELECT 7 AS a")
            with sluice.counting(cache_hits_l1=0):
                assert a.execute(look, **how).fetchone() == (7,)
            assert b.execute(look, **how).fetchone() == (1,)
            a.execute("DROP TABLE orders")
            assert a.execute(look, **how).fetchone() == (1,)
        with a.transaction():
            a.execute("CREATE TEMP TABLE orders ON COMMIT DROP AS "
                      "SELECT 7 AS a")
            assert one(a, look) == 7
        assert one(b, look) == 1


def test_pipelines(sluice):
    with RawConn("127.0.0.1", sluice.port, "app", "app") as c:
        for build in (query, whole):
            c.send(build(MAKE[0]) + build("SELECT a FROM orders") +
                   build("SELECT a + 0 FROM orders"))
            assert sqlstates(c.read_until_ready()) == []
            for _ in range(2):
                assert rows(c.read_until_ready()) == [(b"7",)]
            c.send(build("DROP TABLE orders"))
            c.read_until_ready()
            c.send(build("SELECT a FROM orders"))
            assert rows(c.read_until_ready()) == [(b"1",)]
        # In one group: what Parse meets is decided before it is sent.
        c.send(parse("", MAKE[0]) + bind("", "") + execute() + sync() +
               parse("", "SELECT a FROM orders") + bind("", "") + execute() +
               sync())
        c.read_until_ready()
        assert rows(c.read_until_ready()) == [(b"7",)]


def test_explain_route(sluice):
    with sluice.connect() as a:
        a.execute(MAKE[0])
        said = "\n".join(r[0] for r in a.execute(
            "EXPLAIN (ROUTE) SELECT a FROM orders"))
        assert "temporary table" in said and "main" in said
