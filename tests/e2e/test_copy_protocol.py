# SPDX-License-Identifier: PostgreSQL
"""COPY IN as the protocol allows it: data ahead of its invitation, Sync ahead
of the data, and clients that leave in the middle."""

import pytest

from harness import Deadline
from rawpg import (RawConn, bind, copy_data, copy_done, copy_fail, execute,
                   flush, parse, query, sqlstates, sync, tags, terminate,
                   types)

CONF = """
auth = "trust"
pool_size = 1
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
"""

COPY = "COPY t FROM STDIN"
EXTENDED = parse("", COPY) + bind("", "") + execute()


@pytest.fixture
def sluice(pg, db, pgsluice):
    pg.psql("SET ROLE app; CREATE TABLE t (a int)", db)
    return pgsluice(CONF)


def client(sluice):
    return RawConn("127.0.0.1", sluice.port, "app", "app")


def check_table(sluice, c, rows):
    """For the one that copied, and for another one on the same server."""
    with client(sluice) as other:
        for who in (c, other):
            assert who.ask_rows("SELECT count(*) FROM t") == [(str(rows),)]


@pytest.mark.parametrize("data", [b"", copy_data(b"1\n"),
                                  copy_data(b"1\n") * 1000],
                         ids=["none", "a row", "many rows"])
@pytest.mark.parametrize("begin", [query(COPY), EXTENDED + flush(),
                                   EXTENDED + sync()],
                         ids=["simple", "flushed", "synced"])
def test_terminate_inside_frees_the_server(sluice, begin, data):
    """Terminate instead of CopyDone: nothing is stored, others go on."""
    c = client(sluice)
    c.send(begin)
    c.recv_until("G")
    c.send(data + terminate())
    c.abort()
    with client(sluice) as other, Deadline(8):
        assert other.ask_rows("SELECT count(*) FROM t") == [("0",)]


@pytest.mark.parametrize("begin,end,expected", [
    (query(COPY), copy_done(), "GCZ"),
    (EXTENDED, copy_done() + sync(), "12GCZ"),
    (EXTENDED + sync(), copy_done() + sync(), "12GCZ"),
], ids=["simple", "extended", "synced"])
def test_data_ahead_of_the_invitation(sluice, begin, end, expected):
    """Everything in one piece, CopyInResponse unseen."""
    with client(sluice) as c:
        for round_ in (1, 2):
            c.send(begin + copy_data(b"1\n") + end)
            m = c.read_until_ready()
            assert (types(m), tags(m)) == (expected, ["COPY 1"])
            assert c.recv_nothing()
            check_table(sluice, c, round_)


def test_sync_ahead_of_the_data(sluice):
    """The server ignores that Sync; the one behind the data is answered."""
    with client(sluice) as c:
        for round_ in (1, 2):
            c.send(EXTENDED + sync())
            assert types(c.recv_until("G")) == "12G"
            c.send(copy_data(b"1\n") + copy_done() + sync())
            m = c.read_until_ready()
            assert (types(m), tags(m)) == ("CZ", ["COPY 1"])
            assert c.recv_nothing()
            check_table(sluice, c, round_)


def test_sync_ahead_of_a_failure(sluice):
    """CopyFail, its error, and one ReadyForQuery."""
    with client(sluice) as c:
        c.send(EXTENDED + sync())
        c.recv_until("G")
        c.send(copy_data(b"1\n") + copy_fail("no more") + sync())
        m = c.read_until_ready()
        assert (types(m), sqlstates(m)) == ("EZ", ["57014"])
        assert c.recv_nothing()
        check_table(sluice, c, 0)


@pytest.mark.parametrize("begin,end", [(query("COPY nowhere FROM STDIN"), b""),
                                       (parse("", "COPY nowhere FROM STDIN") +
                                        bind("", "") + execute(), sync())],
                         ids=["simple", "extended"])
def test_data_without_an_invitation(sluice, begin, end):
    """A COPY that fails at once: its data is dropped, nothing shifts."""
    with client(sluice) as c:
        c.send(begin + copy_data(b"1\n") * 3 + copy_done() + end)
        assert sqlstates(c.read_until_ready()) == ["42P01"]
        check_table(sluice, c, 0)


def test_sync_amid_data_of_a_copy_that_works(sluice):
    """Ignored, as the server ignores it."""
    with client(sluice) as c:
        c.send(EXTENDED + flush())
        c.recv_until("G")
        c.send(copy_data(b"1\n") + sync() + copy_data(b"2\n") + sync() +
               copy_done() + sync())
        m = c.read_until_ready()
        assert (types(m), tags(m)) == ("CZ", ["COPY 2"])
        assert c.recv_nothing()
        check_table(sluice, c, 2)


def test_data_behind_the_end_of_a_copy(sluice):
    """They wait for nothing: the reply comes for the Sync behind them."""
    with client(sluice) as c:
        c.send(EXTENDED + flush())
        c.recv_until("G")
        c.send(copy_data(b"1\n") + sync() + copy_done())
        assert c.recv_nothing()
        c.send(copy_data(b"2\n") + copy_done() + sync())
        m = c.read_until_ready()
        assert (types(m), tags(m)) == ("CZ", ["COPY 1"])
        check_table(sluice, c, 1)


def test_sync_amid_data_of_a_copy_that_fails(sluice):
    """Nobody can tell whether it is answered: the error, and the end."""
    c = client(sluice)
    c.send(query(COPY))
    c.recv_until("G")
    c.send(copy_data(b"no number\n") + sync() + copy_done())
    m = c.recv_to_end()
    assert sqlstates(m) == ["22P02", "08006"]
    with client(sluice) as other:
        check_table(sluice, other, 0)
