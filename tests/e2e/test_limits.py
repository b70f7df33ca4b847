# SPDX-License-Identifier: PostgreSQL
"""Time limits count from the right moment, and a drain closes whom nothing
holds."""

import signal
import time

import pytest

from harness import Deadline
from rawpg import (RawConn, bind, execute, flush, parse, query, sqlstates,
                   sync, text_rows, types)

CONF = """
auth = "trust"
admin_users = {"app"}
$LIMIT
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
"""


@pytest.fixture
def make(pg, db, pgsluice):
    return lambda limit="": pgsluice(CONF, LIMIT=limit)


def client(sluice):
    return RawConn("127.0.0.1", sluice.port, "app", "app")


def check_closed(c, sqlstate, seconds, at_least=0.0):
    """Told why, and closed, in time."""
    with Deadline(seconds) as took:
        assert sqlstates(c.recv_to_end()) == [sqlstate]
    assert took.elapsed >= at_least


# -- time limits --------------------------------------------------------------

@pytest.mark.parametrize("limit,begin,sqlstate", [
    ("client_idle_timeout", "SELECT 1", "57P05"),
    ("idle_transaction_timeout", "BEGIN", "25P03")])
def test_idle_since_the_last_answer(make, limit, begin, sqlstate):
    """A long statement is not idleness; silence behind it is."""
    sluice = make(f'{limit} = "1s"')
    with client(sluice) as c:
        c.ask(begin)
        c.ask("SELECT pg_sleep(1.5)")
        time.sleep(0.5)
        assert c.ask_rows("SELECT 2") == [("2",)]
        check_closed(c, sqlstate, 3, at_least=0.8)


def test_held_begin_is_an_idle_transaction(make):
    """BEGIN alone counts, although no server knows of it."""
    with client(make('idle_transaction_timeout = "1s"')) as c:
        c.ask("BEGIN")
        check_closed(c, "25P03", 3, at_least=0.8)


def test_idle_transaction_limit_is_for_transactions(make):
    """Outside of one a client may be silent."""
    with client(make('idle_transaction_timeout = "1s"')) as c:
        for sql in ("BEGIN", "SELECT 1", "COMMIT"):
            c.ask(sql)
        assert c.recv_nothing(1.6)
        assert c.ask_rows("SELECT 2") == [("2",)]


def test_query_timeout_starts_with_each_answer(make):
    """A pipeline that moves on goes on; its slow statement is ended."""
    with client(make('query_timeout = "1s"')) as c:
        c.send(query("SELECT pg_sleep(0.4)") * 4 +
               query("SELECT pg_sleep(10)"))
        assert types(c.read_until_ready(4)) == "TDCZ" * 4
        check_closed(c, "57014", 3, at_least=0.8)


def test_query_timeout_while_the_client_keeps_sending(make):
    """A client that is never without a statement under way lives on."""
    with client(make('query_timeout = "1s"')) as c:
        c.send(query("SELECT pg_sleep(0.05)") * 3)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            assert types(c.read_until_ready()) == "TDCZ"
            c.send(query("SELECT pg_sleep(0.05)"))
        assert types(c.read_until_ready(3)) == "TDCZ" * 3


def test_message_timeout_spares_whole_messages(make):
    """Silence behind a pipelined statement that we answer ourselves."""
    with client(make('message_timeout = "1s"')) as c:
        c.send(query("SELECT pg_sleep(0.3)") +
               query("EXPLAIN (ROUTE) SELECT 1"))
        c.read_until_ready(2)
        assert c.recv_nothing(1.6)
        assert c.ask_rows("SELECT 1") == [("1",)]


@pytest.mark.parametrize("begin", [b"", query("BEGIN") + query("SELECT 1")],
                         ids=["idle", "transaction"])
def test_message_timeout_starts_with_the_half_message(make, begin):
    """Not with what came before it."""
    with client(make('message_timeout = "1s"')) as c:
        c.send(begin)
        c.read_until_ready(2 if begin else 0)
        time.sleep(1.2)
        c.send(query("SELECT 1")[:-1])
        time.sleep(0.5)
        c.send(b"\0")
        assert text_rows(c.read_until_ready()) == [("1",)]
        c.send(query("SELECT 1")[:-1])
        check_closed(c, "08P01", 3, at_least=0.8)


def test_message_timeout_and_a_group_on_its_way(make):
    """Whole messages without Sync may wait longer than half a message."""
    with client(make('message_timeout = "1s"')) as c:
        c.send(parse("", "SELECT 1") + bind("", ""))
        time.sleep(1.6)
        c.send(execute() + sync())
        assert text_rows(c.read_until_ready()) == [("1",)]


# -- drain --------------------------------------------------------------------

def term(sluice):
    sluice.proc.send_signal(signal.SIGTERM)


def check_ended(sluice, seconds=5):
    with Deadline(seconds):
        assert sluice.proc.wait(seconds + 5) == 0


def test_drain_waits_for_a_held_begin(make):
    """It is a transaction until COMMIT, and then its client is closed."""
    sluice = make()
    with client(sluice) as c:
        c.ask("BEGIN")
        term(sluice)
        assert c.recv_nothing(0.5)
        assert types(c.ask("COMMIT")) == "CZ"
        check_closed(c, "57P01", 3)
        check_ended(sluice)


def test_drain_lets_a_held_begin_work(make):
    """The transaction gets its server while others are sent away."""
    sluice = make()
    with client(sluice) as c, client(sluice) as idle:
        c.ask("BEGIN")
        term(sluice)
        check_closed(idle, "57P01", 3)
        assert c.ask_rows("SELECT 1") == [("1",)]
        assert types(c.ask("COMMIT")) == "CZ"
        check_closed(c, "57P01", 3)
        check_ended(sluice)


@pytest.mark.parametrize("sql", ["SET work_mem = '8MB'",
                                 "CREATE TEMP TABLE t (a int)"])
def test_drain_closes_pinned_sessions(make, sql):
    """A server of its own is no reason to stay."""
    sluice = make()
    with client(sluice) as c:
        c.ask(sql)
        term(sluice)
        check_closed(c, "57P01", 3)
        check_ended(sluice)


def test_drain_lets_a_pinned_session_finish(make):
    """Its statement is answered first."""
    sluice = make()
    with client(sluice) as c:
        c.ask("SET work_mem = '8MB'")
        c.send(query("SELECT pg_sleep(0.8)"))
        time.sleep(0.2)
        term(sluice)
        assert types(c.read_until_ready()) == "TDCZ"
        check_closed(c, "57P01", 3)
        check_ended(sluice)


def test_drain_is_not_held_up_by_a_flush(make):
    """Flush behind a whole query leaves nothing open."""
    sluice = make()
    with client(sluice) as c:
        c.send(query("SELECT pg_sleep(0.2)") + flush())
        c.read_until_ready()
        term(sluice)
        check_closed(c, "57P01", 3)
        check_ended(sluice)
