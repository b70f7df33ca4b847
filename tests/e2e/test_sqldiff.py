# SPDX-License-Identifier: PostgreSQL
"""Generated SQL over sharded and monthly tables answers as over plain ones.
The long run is tests/sqldiff/run.py."""

import os
import sys
from collections import Counter

import pytest

from harness import TOP

sys.path.insert(0, os.path.join(TOP, "tests"))

from sqldiff import dice, faults, game, queries, schema, writes  # noqa: E402
from sqldiff.sides import Answer, Statement, compare, rawpg  # noqa: E402


@pytest.fixture(scope="module")
def databases(shared_pg):
    game.create(shared_pg)
    yield shared_pg
    for name in schema.schemas(0):
        shared_pg.psql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed,cached", [(101, False), (102, True)],
                         ids=["uncached", "cached"])
def test_generated_statements(databases, pgsluice, seed, cached):
    sluice = pgsluice(schema.configuration(databases.port, cached,
                                           'max_gather_bytes = "64kB"'))
    sluice.console("CHECK LAYOUTS")
    played = game.Game(databases, sluice.port, game.SIDES, seed, stop=5,
                       flush=cached and (lambda: sluice.console(
                           "FLUSH CACHE")))
    played.play(300)
    assert played.found == []
    assert played.statements >= 300 and played.checks >= 3
    assert played.states["ok"] > 200 and len(played.states) > 4
    assert played.places["sharded"]["one shard"] > 20
    assert played.places["sharded"]["several shards"] > 20
    assert played.places["monthly"]["archive"] > 1
    assert sluice.count("gathers") > sluice.count("gathers_refused") > 0
    assert (sluice.count("cache_hits_l1") > 200) == cached
    assert sluice.count("server_surprises") == 0


def test_statements_are_repeatable():
    """A seed and a number name the same statement."""
    def made(seed):
        d = dice.Dice(seed)
        return game.draft(d, 1).show(), d.drawn
    for n in range(50):
        text, drawn = made(f"1 {n}")
        assert made(f"1 {n}") == (text, drawn)
        assert game.draft(dice.Dice(draws=drawn), 1).show() == text


def test_every_kind_is_generated():
    seen = Counter()
    for n in range(2000):
        seen[game.draft(dice.Dice(f"kinds {n}"), n).sql.split()[0]] += 1
    for word in ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE",
                 "COPY"):
        assert seen[word] > 10
    assert all(m.KINDS for m in (queries, writes, faults))


def answer(rows=((b"1", b"2.5"),), tag=b"SELECT 1", names=("a", "b")):
    head = len(names).to_bytes(2, "big") + b"".join(
        n.encode() + b"\0" + bytes(6) + (701).to_bytes(4, "big") + bytes(8)
        for n in names)
    body = [len(r).to_bytes(2, "big") + b"".join(
        len(v).to_bytes(4, "big") + v for v in r) for r in rows]
    return Answer([("T", head), *[("D", b) for b in body],
                   ("C", tag + b"\0"), ("Z", b"I")])


def statement(ordered=False, rough=()):
    query = queries.Query("SELECT", {}, None, ordered, rough)
    return Statement(0, query, [], "simple", [])


def test_a_difference_is_seen():
    a, b = (b"1", b"2.5"), (b"2", b"2.5")
    near, far = (b"1", b"2.5000000000001"), (b"1", b"2.51")
    failed = Answer([("E", b"SERROR\0C42601\0\0"), ("Z", b"I")])
    plain, ordered, rough = statement(), statement(True), statement(False, [1])
    assert compare(answer(), answer(), plain) is None
    assert compare(answer((a, b)), answer((b, a)), plain) is None
    assert compare(answer((a,)), answer((near,)), rough) is None
    assert compare(failed, failed, plain) is None
    for x, y, s in [(answer((a, b)), answer((b, a)), ordered),
                    (answer((a, a, b)), answer((a, b, b)), plain),
                    (answer(), answer(tag=b"SELECT 2"), plain),
                    (answer(), answer(names=("a", "c")), plain),
                    (answer(), answer(()), plain), (answer(), failed, plain),
                    (answer((a,)), answer((near,)), plain),
                    (answer((a,)), answer((far,)), rough),
                    (answer((a,)), answer((b,)), rough)]:
        assert compare(x, y, s) and compare(y, x, s)


def test_a_failing_statement_is_made_smaller():
    d = dice.Dice("some")
    for _ in range(40):
        d.below(100)
    less = dice.shrink(d.drawn, lambda draws: sum(draws) > 150)
    assert sum(less) > 150 and len(less) <= 4


def test_copy_of_keys_that_the_column_may_change(databases, pgsluice):
    """By the coordinator: scale and precision are the server's to apply."""
    sluice = pgsluice(schema.configuration(databases.port))
    sluice.console("CHECK LAYOUTS")
    played = game.Game(databases, sluice.port, ["sharded"], 1)
    before = sluice.count("spreads")
    for sql, data in (
            ("COPY app.by_num (num, id) FROM STDIN", b"1.50\t900\n2e1\t901\n"),
            ("COPY app.by_time (moment, id) FROM STDIN",
             b"2026-01-01 00:00:00.1234567+00\t900\nyesterday\t901\n")):
        query = queries.Query(sql, {})
        query.data = data
        asked = Statement(0, query, [], "copy", [])
        answer = played.plain.run(asked)
        assert answer.tags == ["COPY 2"]
        assert compare(answer, played.sides[0].run(asked), asked) is None
    assert played.misplaced() == [] and sluice.count("spreads") == before
    played.reset()


def test_the_refusal_of_another_key(databases, pgsluice):
    """PostgreSQL would leave the row on the shard of its old key."""
    sluice = pgsluice(schema.configuration(databases.port))
    sluice.console("CHECK LAYOUTS")
    with rawpg.RawConn("127.0.0.1", sluice.port, "app", "sharded") as c:
        for sql in ("UPDATE app.ev SET tenant = tenant WHERE id = 1",
                    "UPDATE app.ev SET tenant = tenant FROM app.kind",
                    "INSERT INTO app.it (shop, id, at) VALUES (1, 1, now()) "
                    "ON CONFLICT (shop, id, at) DO UPDATE SET shop = 2"):
            (error,) = rawpg.errors(c.ask(sql))
            assert error["C"] == "0A000" and "DELETE the row" in error["H"]
        c.ask_rows("UPDATE app.ev SET qty = 1 WHERE id = -5")
