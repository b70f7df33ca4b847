# SPDX-License-Identifier: PostgreSQL
"""What is sent before the answers to what came earlier are there: writes, ends
of transactions and names of statements count from where they stand."""

import pytest

import rawpg
from harness import Deadline, bound, until
from rawpg import (RawConn, bind, close, describe, execute, parse, query,
                   sqlstates, sync, text_rows, types)

CONF = """
auth = "trust"
admin_users = {"app"}
pool_size = $SIZE
cache_fill_wait = "20s"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" cache = true }
cache "items" { tables = {"item"} ttl = "60s" grace = "0" l2 = false }
"""

SCHEMA = """
SET ROLE app;
CREATE TABLE item (id int PRIMARY KEY, name text);
INSERT INTO item SELECT n, 'old' FROM generate_series(1, 10) n;
CREATE TABLE log (id int);
CREATE SCHEMA other;
CREATE TABLE other.item (id int, name text);
INSERT INTO other.item VALUES (1, 'of another table');
"""

NAME = "SELECT name FROM item WHERE id = 1"
CHANGE = "UPDATE item SET name = 'new' WHERE id = 1"
SLOW = query("SELECT pg_sleep(0.1)")
OLD, NEW = [("old",)], [("new",)]
NAMED = parse("s", "SELECT 41") + sync()


@pytest.fixture
def make(pg, db, pgsluice):
    pg.psql(SCHEMA, db)
    return lambda size=4: pgsluice(CONF, SIZE=size)


def client(sluice):
    return RawConn("127.0.0.1", sluice.port, "app", "app")


def exchange(c, data, count=1):
    c.send(data)
    return c.read_until_ready(count)


def waits(sluice, action):
    """action(), and it waits for a server."""
    before = sluice.count("waits")
    action()
    until(lambda: sluice.count("waits") > before)


# -- transactions -------------------------------------------------------------

def test_uncommitted_write_stays_private(make):
    """A transaction begun behind a running statement fills nothing."""
    sluice = make()
    with client(sluice) as a, client(sluice) as b:
        exchange(a, SLOW + query("BEGIN") + query(CHANGE), 3)
        assert a.ask_rows(NAME) == NEW
        assert b.ask_rows(NAME) == OLD
        a.ask("ROLLBACK")
        assert b.ask_rows(NAME) == OLD


def test_own_write_is_read(make):
    """Inside a transaction begun behind a running statement, no hit."""
    with client(make()) as a:
        assert a.ask_rows(NAME) == OLD
        exchange(a, SLOW + query("BEGIN") + query(CHANGE), 3)
        assert a.ask_rows(NAME) == NEW


@pytest.mark.parametrize("setting,ask", [
    ("search_path = other", NAME),
    ("DateStyle = SQL", "SELECT date '2026-01-02', name FROM item "
     "WHERE id = 1")])
def test_set_local_stays_private(make, setting, ask):
    """What SET LOCAL changes is in nobody else's answer."""
    sluice = make()
    with client(sluice) as a, client(sluice) as b:
        exchange(a, SLOW + query("BEGIN") + query(f"SET LOCAL {setting}"), 3)
        mine = a.ask_rows(ask)
        others = b.ask_rows(ask)
        assert mine != others and others[0][-1] == "old"


def test_old_snapshot_is_not_kept(make):
    """What REPEATABLE READ still sees is no answer for others."""
    sluice = make()
    with client(sluice) as a, client(sluice) as b:
        exchange(a, SLOW + query("BEGIN ISOLATION LEVEL REPEATABLE READ") +
                 query("SELECT 1"), 3)
        a.ask("SELECT count(*) FROM log")
        b.ask(CHANGE)
        assert a.ask_rows(NAME) == OLD
        assert b.ask_rows(NAME) == NEW


def test_write_behind_a_write(make):
    """Each write counts when its own answer is there."""
    sluice = make()
    with client(sluice) as a, client(sluice) as b:
        exchange(a, query("UPDATE log SET id = 1") +
                 query(CHANGE + " AND pg_sleep(0.6) IS NOT NULL"))
        assert b.ask_rows(NAME) == OLD
        a.read_until_ready()
        assert b.ask_rows(NAME) == NEW


def test_write_behind_a_rollback(make):
    """A rollback forgets the writes before it, not those behind it."""
    sluice = make()
    with client(sluice) as a, client(sluice) as b:
        a.ask("BEGIN")
        a.ask("UPDATE log SET id = 1")
        assert b.ask_rows(NAME) == OLD
        exchange(a, query("ROLLBACK") + query(CHANGE), 2)
        assert b.ask_rows(NAME) == NEW


def test_many_writes_of_one_table_leave_the_others(make):
    """A transaction of many writes touches the tables it names."""
    sluice = make()
    with client(sluice) as a, client(sluice) as b:
        assert b.ask_rows(NAME) == OLD
        a.ask("BEGIN")
        for _ in range(17):
            a.ask("UPDATE log SET id = 1")
        a.ask("COMMIT")
        with sluice.counting(cache_hits_l1=1):
            assert b.ask_rows(NAME) == OLD


def test_a_fill_does_not_wait_for_what_is_behind_it(make):
    """Who waits for an answer gets it when it is there."""
    sluice = make()
    with client(sluice) as a, client(sluice) as b:
        exchange(a, query(NAME) + query("SELECT pg_sleep(3)"))
        with Deadline(2):
            assert b.ask_rows(NAME) == OLD


def test_own_error_fails_the_transaction(make, pg, db):
    """Behind an error of pgsluice's own nothing runs up to ROLLBACK."""
    with client(make()) as c:
        c.ask("BEGIN")
        m = c.ask("EXPLAIN (ROUTE, FOO) SELECT 1")
        assert (sqlstates(m), c.status) == (["0A000"], "E")
        m = exchange(c, parse("", "INSERT INTO log VALUES (1)") +
                     describe("S") + bind("", "") + execute() + sync())
        assert (sqlstates(m), c.status) == (["25P02"], "E")
        # Nothing at all is no command, and is not refused.
        assert [t for t, _ in c.ask(" ;")] == ["I", "Z"]
        m = exchange(c, parse("", "") + bind("", "") + execute() + sync())
        assert ([t for t, _ in m], sqlstates(m)) == (["1", "E", "Z"],
                                                     ["25P02"])
        c.ask("COMMIT")
        assert c.status == "I"
    assert pg.psql("SELECT count(*) FROM log", db) == "0"


def test_broken_text_in_a_transaction_that_failed_here(make):
    """What is wrong with the text counts before the transaction's state; no
    server has seen that yet."""
    with client(make()) as c:
        for broken in ("SELECT 'open", "SELEC 1", "SELECT 1 FROM"):
            c.ask("BEGIN")
            assert sqlstates(c.ask("EXECUTE nothing")) == ["26000"]
            m = c.ask(broken)
            assert (sqlstates(m), c.status) == (["42601"], "E")
            m = exchange(c, parse("", broken) + sync())
            assert (sqlstates(m), c.status) == (["42601"], "E")
            assert sqlstates(c.ask("SELECT 1")) == ["25P02"]
            c.ask("ROLLBACK")
            assert c.status == "I"


# -- names --------------------------------------------------------------------

def test_known_statement_is_described(make):
    """Parse and Describe of what another client has prepared before."""
    sluice = make()
    message = (parse("s", "SELECT 41 + $1::int") + describe("S", "s") +
               sync())
    for _ in range(2):
        with client(sluice) as c:
            assert types(exchange(c, message)) == "1tTZ"


def test_known_and_new_statement_in_one_group(make):
    """Each Parse has its answer, and both names work."""
    sluice = make()
    with client(sluice) as a, client(sluice) as b:
        exchange(a, NAMED)
        assert types(exchange(b, parse("s", "SELECT 41") +
                              parse("t", "SELECT 42") + sync())) == "11Z"
        assert text_rows(exchange(b, bound("s"))) == [("41",)]
        assert text_rows(exchange(b, bound("t"))) == [("42",)]


@pytest.mark.parametrize("bad", ["selec", "SELECT nope"])
def test_failed_group_defines_nothing(make, bad):
    """Neither the name that failed nor those skipped are taken."""
    with client(make()) as c:
        assert types(exchange(c, parse("s", bad) + parse("t", "SELECT 2") +
                              sync())) == "EZ"
        for name in "st":
            assert types(exchange(c, parse(name, "SELECT 1") +
                                  sync())) == "1Z"


@pytest.fixture
def refused(make):
    """refused(data): the client, after pgsluice itself has refused the first
    unit of data, which waited for a server."""
    sluice = make(1)
    holder, c = client(sluice), client(sluice)

    def refuse(data):
        holder.ask("BEGIN")
        holder.ask("SELECT 1")
        waits(sluice, lambda: c.send(data))
        c.cancel()
        m = c.read_until_ready()
        holder.ask("COMMIT")
        assert sqlstates(m) == ["57014"]
        return m
    with holder, c:
        refuse.client = c
        yield refuse


@pytest.mark.parametrize("behind", [
    parse("", "SELECT 1") + bind("", "") + execute() + sync(),
    bind("", "s") + execute() + sync(),
    query("SELECT 1") + bind("", "s") + execute() + sync(),
    rawpg.flush() + parse("t", "SELECT 1") + sync()],
    ids=["parse", "bind", "query", "flush"])
def test_refused_group_is_skipped_up_to_its_sync(refused, behind):
    """Nothing behind an error of pgsluice's own is answered, however the
    group was cut into units."""
    c = refused.client
    exchange(c, NAMED)
    first = parse("", "SELECT 2") + bind("", "") + execute() + rawpg.flush()
    assert types(refused(first + behind)) == "EZ"
    assert text_rows(exchange(c, bound("s"))) == [("41",)]
    assert types(exchange(c, parse("t", "SELECT 2") + sync())) == "1Z"


def test_refused_group_defines_nothing(refused):
    """Whose Parse got an error may send it again; and what had no name is
    gone."""
    c = refused.client
    assert types(refused(NAMED)) == "EZ"
    assert types(exchange(c, parse("s", "SELECT 42") + sync())) == "1Z"
    assert types(refused(close("S", "s") + NAMED)) == "EZ"
    assert text_rows(exchange(c, bound("s"))) == [("42",)]
    exchange(c, parse("", "SELECT 43") + sync())
    assert types(refused(parse("", "SELECT 44") + bound(""))) == "EZ"
    assert sqlstates(exchange(c, bound(""))) == ["26000"]


def test_defined_used_and_closed_in_one_group(make):
    """The name is good for its group, and free behind it."""
    with client(make()) as c:
        for value in ("5", "6"):
            m = exchange(c, parse("s", f"SELECT {value}") + bind("", "s") +
                         execute() + close("S", "s") + sync())
            assert types(m) == "12DC3Z" and text_rows(m) == [(value,)]
        assert sqlstates(exchange(c, bound("s"))) == ["26000"]


def test_closed_in_a_group_that_waits(make):
    """The statement is there for the Bind in front of its Close."""
    sluice = make(1)
    with client(sluice) as a, client(sluice) as b:
        exchange(b, NAMED)
        a.ask("BEGIN")
        a.ask("SELECT 1")
        waits(sluice, lambda: b.send(bind("", "s") + execute() +
                                     close("S", "s") + sync()))
        a.ask("COMMIT")
        m = b.read_until_ready()
        assert types(m) == "2DC3Z" and text_rows(m) == [("41",)]
        assert sqlstates(exchange(b, bound("s"))) == ["26000"]


def test_statements_of_another_fate(make):
    """One that can no longer be prepared takes no other with it."""
    sluice = make()
    with client(sluice) as c:
        c.ask("CREATE TABLE gone (id int)")
        exchange(c, parse("x", "SELECT * FROM gone") + sync())
        exchange(c, parse("s", "SELECT 7") + sync())
        c.ask("DROP TABLE gone")
        sluice.console("RECONNECT")
        assert sqlstates(exchange(c, bound("x"))) == ["42P01"]
        assert text_rows(exchange(c, bound("s"))) == [("7",)]


# -- DISCARD and DEALLOCATE ---------------------------------------------------

def used(c):
    exchange(c, NAMED)
    assert types(exchange(c, bound("s"))) == "2DCZ"


def test_discard_all_among_statements(make):
    """It cannot run there, and the names of others stay good."""
    sluice = make(1)
    with client(sluice) as a, client(sluice) as b:
        used(a)
        assert sqlstates(b.ask("SELECT 1; DISCARD ALL")) == ["25001"]
        for _ in range(3):
            assert types(exchange(a, bound("s"))) == "2DCZ"


def test_discard_all_behind_commit(make):
    """The statements of others are prepared anew on that server."""
    sluice = make(1)
    with client(sluice) as a, client(sluice) as b:
        used(a)
        b.ask("BEGIN")
        b.ask("SELECT 1")
        m = exchange(b, query("COMMIT") + query("DISCARD ALL"), 2)
        assert rawpg.tags(m) == ["COMMIT", "DISCARD ALL"]
        for _ in range(3):
            assert types(exchange(a, bound("s"))) == "2DCZ"


def test_set_behind_discard_all_pins(make):
    """DISCARD ALL does not undo what stands behind it."""
    sluice = make(2)
    with client(sluice) as a, client(sluice) as b:
        exchange(a, query("DISCARD ALL") + query("SET search_path = other"),
                 2)
        for _ in range(3):
            assert a.ask_rows("SHOW search_path") == [("other",)]
            assert a.ask_rows(NAME) == [("of another table",)]
            assert b.ask_rows("SHOW search_path") != [("other",)]
            assert b.ask_rows(NAME) == OLD


def test_deallocate_of_sql_leaves_the_protocols(make):
    """DEALLOCATE of one name, be it called like ALL, is of that name."""
    with client(make(1)) as c:
        for name in ("x", "get_all", '"all"'):
            c.ask(f"PREPARE {name} AS SELECT 1")
        used(c)
        for name in ("x", "get_all", '"all"'):
            assert rawpg.tags(c.ask(f"DEALLOCATE {name}")) == ["DEALLOCATE"]
            assert types(exchange(c, bound("s"))) == "2DCZ"


@pytest.mark.parametrize("sql", ["DEALLOCATE s", "DEALLOCATE ALL"])
def test_deallocated_name_is_free(make, sql):
    """It is unknown then, and may be taken for something else."""
    with client(make()) as c:
        used(c)
        assert not sqlstates(c.ask(sql))
        assert sqlstates(exchange(c, bound("s"))) == ["26000"]
        m = exchange(c, parse("s", "SELECT 42") + bound("s"))
        assert text_rows(m) == [("42",)]


def test_bind_of_an_sql_prepared_write(make):
    """A write prepared by SQL counts when the protocol runs it."""
    sluice = make()
    with client(sluice) as a, client(sluice) as b:
        a.ask("PREPARE w AS " + CHANGE)
        assert b.ask_rows(NAME) == OLD
        assert rawpg.tags(exchange(a, bound("w"))) == ["UPDATE 1"]
        assert b.ask_rows(NAME) == NEW


def test_a_name_is_free_behind_the_parse_that_failed(make):
    """In the next group, sent before the first one is answered."""
    with client(make()) as c:
        for n in range(20):
            m = exchange(c, parse("s", f"SELECT 'open {n}") + sync() +
                         parse("s", f"SELECT {n}, 'closed'") + sync(), 2)
            assert [t for t, _ in m] == ["E", "Z", "1", "Z"]
            m = exchange(c, parse("s", f"SELECT {n}, 2") + sync() +
                         parse("s", f"SELECT {n}, 3") + sync(), 2)
            assert sqlstates(m) == ["42P05", "42P05"]
            c.ask("DEALLOCATE s")
