# SPDX-License-Identifier: PostgreSQL
"""What names of statements mean when an error has skipped messages, and that
nobody's unnamed statement is ever another session's."""

import pytest

import rawpg
from harness import bound
from rawpg import (bind, close, describe, execute, parse, query, sqlstates,
                   sync, text_rows, types)

CONF = """
auth = "trust"
pool_size = 1
prepare_unnamed_after = $PROMOTE
max_server_prepared = $KEPT
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
"""

NONE = execute("none")  # an error of no consequence
UNNAMED = bind("", "") + execute() + sync()


@pytest.fixture
def make(pg, db, pgsluice):
    return lambda promote=0, kept=100: pgsluice(CONF, PROMOTE=promote,
                                                KEPT=kept)


def client(sluice):
    return rawpg.RawConn("127.0.0.1", sluice.port, "app", "app")


def said(c, data, count=1):
    """(rows, SQLSTATEs) of the answer."""
    c.send(data)
    m = c.read_until_ready(count)
    return text_rows(m), sqlstates(m)


def test_a_skipped_parse_of_a_text_under_way(make):
    """The same text, unnamed and run under a name by us, is accepted while the
    client's own Parse of it is skipped: the client's name means nothing."""
    with client(make(promote=1)) as c:
        text = "SELECT 7"
        for _ in range(3):
            assert said(c, parse("", text + "0") + UNNAMED) == (
                [("70",)], [])
        said(c, parse("", text) + UNNAMED)
        # The statement is known by now, but not to a server that lost it.
        said(c, query("DEALLOCATE ALL; SELECT 1"))
        for round_ in range(3):
            assert said(c, parse("", text) + UNNAMED + NONE +
                        parse("s1", text) + sync(), 2) == (
                [("7",)], ["34000"])
            assert said(c, bound("s1")) == ([], ["26000"]), round_


def test_a_hidden_parse_skipped(make):
    """A statement that we would have given the server again, and an error
    skipped, is the session's still; another session does not find it."""
    sluice = make()
    with client(sluice) as a, client(sluice) as b:
        said(b, parse("", "SELECT 'mine'") + sync())
        said(a, parse("", "SELECT 'secret'") + UNNAMED)
        assert said(b, NONE + bind("", "") + execute() + sync()) == (
            [], ["34000"])
        assert said(b, UNNAMED) == ([("mine",)], [])


def test_nobody_finds_anothers_unnamed_statement(make):
    """A session without an unnamed statement is told so, whatever the server
    still has of others."""
    sluice = make()
    with client(sluice) as a, client(sluice) as b, client(sluice) as c:
        said(b, parse("", "SELECT 'mine'") + sync())
        said(a, parse("", "SELECT 'secret'") + UNNAMED)
        said(b, NONE + bind("", "") + execute() + sync())
        assert said(c, UNNAMED) == ([], ["26000"])
        said(a, parse("", "SELECT 'secret'") + UNNAMED)
        assert said(c, NONE + close("S") + sync() + UNNAMED, 2) == (
            [], ["34000", "26000"])


@pytest.mark.parametrize("together", [False, True])
def test_a_skipped_parse_of_the_unnamed_statement(make, together):
    """It leaves the one before it; a refused one leaves none."""
    sluice = make()
    with client(sluice) as c, client(sluice) as other:
        said(other, parse("", "SELECT 'secret'") + UNNAMED)
        parts = [
            (parse("", "SELECT 1") + sync(), ([], [])),
            (NONE + parse("", "SELECT 2") + sync(), ([], ["34000"])),
            (UNNAMED, ([("1",)], [])),
            (NONE + query("SELECT 3") + sync(), ([], ["34000"])),
            (UNNAMED, ([("1",)], [])),
            (NONE + close("S") + sync(), ([], ["34000"])),
            (UNNAMED, ([("1",)], [])),
            (parse("", "SELECT 4") + parse("", "SELEC") +
             parse("", "SELECT 5") + sync(), ([], ["42601"])),
            (UNNAMED, ([], ["26000"])),
        ]
        if together:
            rows = [r for _, (rows, _) in parts for r in rows]
            codes = [e for _, (_, codes) in parts for e in codes]
            assert said(c, b"".join(p for p, _ in parts), len(parts)) == (
                rows, codes)
            return
        for data, answer in parts:
            assert said(c, data) == answer, data


@pytest.mark.parametrize("how", ["bind", "describe", "parse"])
def test_a_statement_that_was_to_go_is_there(make, how):
    """A Close of ours that an error skipped: the server's 42P05 about a name
    that no client asked for is mended, whatever meets it."""
    sluice = make(kept=10)
    text = "SELECT 'a'"
    ask, answer = {
        "bind": (bound("a"), "2DCZ"),
        "describe": (describe("S", "a") + sync(), "tTZ"),
        "parse": (parse("b", text) + bound("b"), "12DCZ")}[how]
    with client(sluice) as c:
        said(c, parse("a", text) + sync())
        for n in range(9):
            said(c, parse(f"more{n}", f"SELECT {n}") + sync())
        # One too many, so the oldest has to go.
        assert said(c, NONE + parse("x", "SELECT 'x'") + sync()) == (
            [], ["34000"])
        with sluice.counting(prepared_mended=1):
            c.send(ask)
            assert types(c.read_until_ready()) == answer
        for name in "ab" if how == "parse" else "a":
            assert said(c, bound(name)) == ([("a",)], [])
