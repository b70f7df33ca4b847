# SPDX-License-Identifier: PostgreSQL
"""pgsluicectl top, and what it is made from."""

import contextlib
import re
import signal
import threading

import pytest

from ctl import Piped, Screen, at, run
from harness import until

CONF = """
auth = "trust"
admin_users = {"app", "bob"}
workers = 2
track_shapes = true
layout_user = "app"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
cache "t" { tables = {"t"} ttl = 60s }
"""
LEFT = "\x1b[?7h\x1b[?25h\x1b[?1049l"


@pytest.fixture
def town(pg, db, pgsluice):
    with pg.connect(db, user="app") as conn:
        conn.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
        conn.execute("INSERT INTO t VALUES (1, 'v1')")
        conn.execute("CREATE TABLE u (id int PRIMARY KEY)")
    return pgsluice(CONF)


@contextlib.contextmanager
def traffic(town):
    """Hits and bypasses, until the block ends; a first miss is over."""
    over = threading.Event()

    def ask():
        with town.wire() as wire:
            while not over.wait(0.002):
                wire.query("SELECT v FROM t WHERE id = 1")
                wire.query("SELECT id FROM u LIMIT 1")
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        until(lambda: any(r["outcome"] == "l1" for r in
                          town.console("SHOW LATENCY")))
        yield
    finally:
        over.set()
        thread.join()


def ask_for_passwords(town, users_file):
    with open(town.conf, encoding="utf-8") as f:
        text = f.read()
    town.write_conf(text.replace('auth = "trust"', 'auth = "scram-sha-256"\n'
                                 f'users_file = "{users_file}"'))
    town.reload()


def number(lines, name):
    return float(re.search(name + r" ([0-9.]+)", "\n".join(lines))[1])


def has(what):
    return lambda lines: any(what in line for line in lines)


# -- the console --------------------------------------------------------------

def test_buckets_are_the_latency_shown(town):
    """SHOW LATENCY BUCKETS: the same statements, one row a bucket."""
    for _ in range(3):
        town.query("SELECT v FROM t WHERE id = 1")
    town.query("SELECT pg_sleep(0.03)")

    def told():
        by, highest = {}, {}
        for r in town.console("SHOW LATENCY BUCKETS"):
            key = (r["route"], r["variant"], r["backend"], r["outcome"])
            by[key] = by.get(key, 0) + r["count"]
            assert r["count"] > 0 and r["bucket"] >= 0
            highest[key] = float(r["upto_ms"])
        return by, highest

    def shown():
        return {(r["route"], r["variant"], r["backend"], r["outcome"]):
                r["count"] for r in town.console("SHOW LATENCY")}
    slept = ("default", "", "main", "bypass")
    until(lambda: told()[0].get(slept) == 1 and
          told()[0].get(("t", "", "main", "l1")) == 2)
    by, highest = told()
    assert by == shown()
    assert highest[slept] >= 30


# -- a pipe -------------------------------------------------------------------

def test_blocks_for_a_pipe(town):
    def busy(lines):
        """All of the traffic is within the interval."""
        by = {line.split()[0]: line.split() for line in lines if line}
        return ("t" in by and "default" in by and
                has("app: SELECT id FROM u LIMIT ?")(lines) and
                all(number(lines, name) > 0 for name in (
                    "statements/s", "transactions/s", "sent", "received")))
    with Piped("top", *at(town), "-i", "0.1") as top:
        with traffic(town):
            top.block(busy)
            lines = top.block(busy)
        by = {line.split()[0]: line.split() for line in lines if line}
        assert lines[0].startswith(f"pgsluice at {town.host} port {town.port}")
        assert "\x1b" not in "".join(lines) and "q: quit" not in lines[0]
        assert number(lines, "L1") > 0 and number(lines, "bypass") > 0
        # Statements/s, p50 and p99, hits: since the first miss, all.
        assert float(by["t"][1]) > 0 and float(by["t"][4]) == 100
        assert float(by["default"][4]) == 0
        assert 0 < float(by["default"][2]) <= float(by["default"][3])
        assert has("main app ")(lines) and by["main"][-1] == "ok"
        # What was before is not told again.
        lines = top.block(has("no statements"))
        assert number(lines, "statements/s") == 0
        town.console("SET track_shapes = false")
        top.block(has("shapes are not counted: the setting track_shapes "
                      "switches it on"))


def test_so_many_blocks(town):
    said = run("top", *at(town), "--interval", "0.1", "--count", "2",
               "--sort", "p99")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.count("pgsluice at ") == 2
    assert said.stdout.count("statements/s ") >= 2


def test_away_and_back(town):
    with Piped("top", *at(town), "-i", "0.1") as top:
        top.line("statements/s")
        town.stop()
        assert "trying again every 0.1 s" in top.line("away: ")
        assert "refused" in top.line("away: ")
        town.start()
        # It began anew, and that is no difference.
        lines = top.block(has("statements/s"))
        assert number(lines, "statements/s") == 0
    with Piped("top", *at(town), "-i", "0.1", "-n", "20") as top:
        top.line("statements/s")
        top.proc.send_signal(signal.SIGSTOP)
        town.stop()
        top.proc.send_signal(signal.SIGCONT)
        assert top.ended() == 2


# -- a terminal ---------------------------------------------------------------

def test_at_a_terminal(town):
    with traffic(town), Screen("top", *at(town), "-i", "0.1", "--sort",
                               "calls") as screen:
        page = screen.page(has("app: SELECT v FROM t"))
        assert page[0].startswith("pgsluice at ") and "q: quit" in page[0]
        assert len(page) <= 40 and 50 < max(map(len, page)) <= 100
        for columns, lines in ((50, 12), (20, 5), (1, 1), (80, 24)):
            screen.size(columns, lines)
            page = screen.page(lambda page, most=columns:
                               max(map(len, page)) <= most)
            assert len(page) <= lines
        screen.page(has("app: SELECT v FROM t"))
        screen.keys("xq")
        status, errors, last = screen.ended()
        assert (status, errors) == (0, "") and last.endswith(LEFT)


def test_a_resize_is_shown_at_once(town):
    """Not only after the interval, in which nobody would wait."""
    with Screen("top", *at(town), "-i", "3600") as screen:
        screen.page(has("looking"))
        screen.size(9, 3)
        screen.page(lambda page: max(map(len, page)) <= 9)
        screen.keys("\x03")
        status, errors, last = screen.ended()
        assert (status, errors) == (0, "") and last.endswith(LEFT)


def test_a_terminal_that_cannot_be_drawn_over(town):
    with Screen("top", *at(town), "-i", "0.1", "-n", "1",
                TERM="dumb") as screen:
        status, errors, text = screen.ended()
        assert (status, errors) == (0, "")
        assert "\x1b" not in text and "statements/s" in text


def test_a_password_is_asked_for_once(town, users_file):
    ask_for_passwords(town, users_file)
    asks = ("top", *at(town, "bob"), "-i", "0.1")
    with Screen(*asks) as screen:
        screen.wait("Password for user bob: ")
        screen.keys("wrong\n")
        status, errors, last = screen.ended()
        assert status == 2 and "password authentication failed" in errors
        assert errors.count("\n") == 1 and "\x1b" not in last
    with Screen(*asks) as screen:
        screen.wait("Password for user bob: ")
        screen.keys("bob-password\n")
        screen.page(has("statements/s"))
        town.stop()
        screen.page(has("away: "))
        town.start()
        screen.page(has("statements/s"))
        screen.keys("q")
        status, errors, last = screen.ended()
        assert (status, errors) == (0, "")
        assert "bob-password" not in last and last.endswith(LEFT)


def test_leaving_at_the_password(town, users_file):
    """The terminal shows again what is typed."""
    ask_for_passwords(town, users_file)
    with Screen("top", *at(town, "bob")) as screen:
        screen.wait("Password for user bob: ")
        screen.keys("\x03")
        assert screen.ended()[0] == -signal.SIGINT


def test_quits_while_nobody_answers(town):
    with Screen("top", *at(town), "-i", "0.1") as screen:
        screen.page(has("statements/s"))
        town.proc.send_signal(signal.SIGSTOP)
        try:
            screen.keys("q")
            assert screen.ended()[:2] == (0, "")
        finally:
            town.proc.send_signal(signal.SIGCONT)


# -- trouble ------------------------------------------------------------------

def test_refuses(town):
    said = run("top", "--sort", "size")
    assert said.returncode == 2 and "expected time, calls or p99" in said.stderr
    for words in (("-i", "0"), ("-i", "1x"), ("-i", "0x1"), ("-n", "0"), ("-n", "x")):
        said = run("top", *words)
        assert said.returncode == 2 and ", expected " in said.stderr
    town.stop()
    said = run("top", *at(town))
    assert (said.returncode, said.stdout) == (2, "")
    assert "refused" in said.stderr and said.stderr.count("\n") == 1
