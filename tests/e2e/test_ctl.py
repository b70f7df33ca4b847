# SPDX-License-Identifier: PostgreSQL
"""pgsluicectl: what it says offline and of a running pgsluice."""

import os
import subprocess

import pytest

from ctl import at, program, run
from harness import binary, until

CONF = """
auth = "trust"
admin_users = {"app"}
workers = 2
track_shapes = true
$CATALOGS
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
backend "s0" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
backend "s1" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
table "ev" {
    use = "sharded"
    key_column = "tenant"
    key_type = "int4"
    variant "plain" { kind = "plain" backend = "main" relation = "ev_plain" }
    variant "sharded" {
        kind = "sharded"
        backend = "main"
        relation = "ev"
        shard_relation = "ev_part"
        shards = {"s0", "s1"}
    }
}
cache "t" { tables = {"t"} ttl = 60s $RULE }
"""


@pytest.fixture
def town(pg, db, pgsluice):
    with pg.connect(db, user="app") as conn:
        conn.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
        conn.execute("INSERT INTO t SELECT g, 'v' || g "
                     "FROM generate_series(1, 100) g")
        conn.execute("CREATE TABLE u (id int PRIMARY KEY)")
        conn.execute("CREATE TABLE ev (tenant int, n int) "
                     "PARTITION BY HASH (tenant)")
        conn.execute("CREATE TABLE ev_plain (tenant int, n int)")
        for i in (0, 1):
            conn.execute(f"CREATE TABLE ev_p{i} PARTITION OF ev FOR VALUES "
                         f"WITH (MODULUS 2, REMAINDER {i})")

    def make(catalogs='layout_user = "app"', rule="", start=True):
        return pgsluice(CONF, CATALOGS=catalogs, RULE=rule, start=start)
    return make


# -- a configuration ----------------------------------------------------------

def test_check_and_report_are_the_daemons(town, lab):
    town = town(start=False)
    good = run("check", town.conf)
    assert (good.returncode, good.stdout, good.stderr) == \
        (0, f"{town.conf}: ok\n", "")
    bad = os.path.join(lab.work, "bad.conf")
    with open(bad, "w", encoding="utf-8") as f:
        f.write('frob = 1\nbackend "b" { conninfo = "port=x" }\n')
    said = run("check", bad)
    own = subprocess.run([binary(), "--check", bad], text=True, timeout=60,
                         capture_output=True, check=False)
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr == own.stderr and "bad.conf:1" in said.stderr
    for option, how in (("--report", ()), ("--report-markdown",
                                           ("--markdown",))):
        said = run("report", *how, town.conf)
        own = subprocess.run([binary(), option, town.conf], text=True,
                             timeout=60, capture_output=True, check=False)
        assert said.returncode == own.returncode
        assert said.stdout == own.stdout
        assert said.stderr == own.stderr.replace("pgsluice:", "pgsluicectl:")


@pytest.mark.parametrize("command", [
    "", "check", "report", "explain", "capture", "diff", "top"])
def test_help_and_what_is_not_known(command):
    words = [command] if command else []
    said = run(*words, "--help")
    assert said.returncode == 0 and not said.stderr
    assert said.stdout.splitlines()[0 if command else 2].startswith("usage:")
    said = run(*words, "--frob")
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr == ("pgsluicectl: unknown option: --frob; see "
                           "pgsluicectl --help\n")


# -- explain ------------------------------------------------------------------

STATEMENTS = {
    "plain": "SELECT * FROM u WHERE id = 1",
    "one shard": "SELECT n FROM ev WHERE tenant = 5",
    "all shards": "SELECT count(*) FROM ev",
    "sharded write": "UPDATE ev SET n = 1 WHERE tenant IN (5, 7)",
    "cached": "SELECT v FROM t WHERE id = 1",
    "with a hint": "SELECT v /* pgsluice: ttl=5s */ FROM t WHERE id = 1",
    "volatile": "SELECT random(), v FROM t",
}


def explained(said):
    assert said.returncode == 0, said.stderr
    lines = said.stdout.splitlines()
    return ([l for l in lines if not l.startswith("unknown: ") and
             not l.startswith("cache now: ")],
            [l for l in lines if l.startswith("unknown: ")])


def compare(town, what):
    """Lines of both; those of the daemon must be what was foretold."""
    sql = STATEMENTS[what]
    offline, open_ = explained(run("explain", "--conf", town.conf, sql))
    live, _ = explained(run("explain", "--live", *at(town), "-d", "app", sql))
    assert offline == live, what
    return open_


def test_explain_offline_is_what_the_daemon_says(town):
    """Where nobody reads catalogs, which contradict the shards."""
    town = town("revocation_bound = 0")
    for what, sql in STATEMENTS.items():
        open_ = compare(town, what)
        assert open_ == ([
            "unknown: whether the catalogs of backend main bear out the parts "
            "of table ev (variant sharded)"] if " ev " in f"{sql} " else []), \
            what
    one, _ = explained(run("explain", "-f", town.conf, STATEMENTS["one shard"]))
    assert "variant: sharded (sharded) of table ev" in one
    assert any(line.startswith("backend: s") for line in one)
    cached, _ = explained(run("explain", "-f", town.conf, "--database", "app",
                              "EXPLAIN (ROUTE) " + STATEMENTS["cached"]))
    assert "cache: cacheable by rule t, ttl 60s, l1_ttl 60s" in cached
    broken, _ = explained(run("explain", "-f", town.conf, "SELEKT 1"))
    assert broken[0] == "statement: unparsed" and "backend: main" in broken


def test_explain_says_what_catalogs_may_add(town):
    town = town()
    for what in ("plain", "cached", "with a hint"):
        open_ = compare(town, what)
        assert any("row level security" in line for line in open_) == \
            (what in ("cached", "with a hint")), what
    _, open_ = explained(run("explain", "--conf", town.conf,
                             "DELETE FROM u"))
    assert len(open_) == 1 and "foreign keys" in open_[0]


def test_explain_guesses_nothing(town):
    """Parts that catalogs alone can tell, and what becomes of experiments."""
    town = town(start=False)
    with open(town.conf, encoding="utf-8") as f:
        text = f.read()
    for line in ('shard_relation = "ev_part"', 'shards = {"s0", "s1"}'):
        assert line in text
        text = text.replace(line, "")
    town.write_conf(text + 'experiment "e" { table = "ev" '
                    'arms = {"sharded:50", "plain:50"} unit = "session" }\n')
    sql = STATEMENTS["one shard"]
    lines, open_ = explained(run("explain", "-f", town.conf, "--user", "bob",
                                 sql))
    assert "backend: unknown" in lines and "sql: unknown" in lines
    assert not any("s0" in line or "bob" in line for line in lines)
    assert len(open_) == 2
    assert "where the parts of table ev (variant sharded) are" in open_[0]
    assert "whether experiment e is running" in open_[1]
    lines, open_ = explained(run("explain", "-f", town.conf, "--user", "bob",
                                 "SELECT 1 FROM u"))
    assert not open_ and "user: bob, on backend main bob" in lines


def test_explain_says_what_is_wrong(town, lab):
    town = town()
    sql = "SELECT 1"
    said = run("explain", "-f", town.conf, "--database", "none", sql)
    assert said.returncode == 2
    assert said.stderr == \
        f"pgsluicectl: {town.conf}: there is no database none\n"
    bad = os.path.join(lab.work, "bad.conf")
    with open(bad, "w", encoding="utf-8") as f:
        f.write("frob = 1\n")
    said = run("explain", "-f", bad, sql)
    assert said.returncode == 2 and "bad.conf:1" in said.stderr
    for sql in ("SELECT 1; SELECT 2", "", "/* none */ ;"):
        for where in (("--live", *at(town), "-d", "app"), ("-f", town.conf)):
            said = run("explain", *where, "--", sql)
            assert (said.returncode, said.stdout) == (2, ""), sql
            assert "takes one statement" in said.stderr
            assert said.stderr.count("\n") == 1


def test_what_a_server_says_is_one_line(town):
    town = town()
    said = run("explain", "--live", *at(town), "-d", "app", "SELEKT 1")
    assert (said.returncode, said.stdout, said.stderr) == (
        2, "", 'pgsluicectl: ERROR: syntax error at or near "SELEKT"\n')
    said = run("explain", "--live", *at(town), "-d", "pgsluice", "SELECT 1")
    assert said.returncode == 2 and said.stderr.count("\n") == 1
    assert ": it knows commands, not SQL; SHOW HELP lists" in said.stderr
    said = run("explain", "--live", *at(town), "-p", str(town.holes["PG"]),
               "-d", town.holes["DB"], "SELECT 1")
    assert (said.returncode, said.stdout) == (2, "")
    assert "this is no pgsluice" in said.stderr


def test_output_that_cannot_be_written(town):
    town = town(start=False)
    for words in (("check", town.conf), ("explain", "-f", town.conf, "SELECT"),
                  ("--help",), ("--version",)):
        with open("/dev/full", "w", encoding="utf-8") as full:
            r = subprocess.run([program(), *words], stdout=full, text=True,
                               stderr=subprocess.PIPE, timeout=60, check=False)
        assert r.returncode == 2, words
        assert r.stderr.endswith("cannot be written: No space left on "
                                 "device\n")


# -- capture and diff ---------------------------------------------------------

ASKED = {
    "SELECT v FROM t WHERE id = ?": 5,
    "SELECT n FROM ev WHERE tenant = ?": 3,
    "SELECT id FROM u WHERE id IN (?, ?) LIMIT ?": 2,
    "INSERT INTO u VALUES (?) ON CONFLICT DO NOTHING": 1,
}


@pytest.fixture
def captured(town, lab):
    """(daemon, file of what was asked of it)."""
    town = town()
    with town.wire() as wire:
        for shape, calls in ASKED.items():
            for i in range(calls):
                wire.query(shape.replace("?", str(1 + i % 2)))
        wire.query("SELECT 1 AS " + "x" * 600)
    until(lambda: sum(r["calls"] for r in town.console("SHOW SHAPES")) >=
          sum(ASKED.values()) + 1)
    said = run("capture", *at(town))
    assert said.returncode == 0, said.stderr
    path = os.path.join(lab.work, "shapes.txt")
    with open(path, "w", encoding="utf-8") as f:
        f.write(said.stdout)
    return town, path


def lines_of(path):
    with open(path, encoding="utf-8") as f:
        return [line.rstrip("\n") for line in f if not line.startswith("#")]


def changed(lab, town, old, new):
    with open(town.conf, encoding="utf-8") as f:
        text = f.read()
    assert text.count(old) == 1
    path = os.path.join(lab.work, "new.conf")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace(old, new))
    return path


def test_capture_is_what_was_asked(captured):
    town, path = captured
    lines = lines_of(path)
    found = {}
    for line in lines:
        database, calls, mean, text = line.split(" ", 3)
        assert database == "app" and float(mean) >= 0
        found[text] = int(calls)
    cut = [text for text in found if text.endswith(" ...")]
    assert len(cut) == 1 and found.pop(cut[0]) == 1
    assert found == ASKED
    assert list(found.values()) == sorted(ASKED.values(), reverse=True)
    town.console("SET track_shapes = false")
    said = run("capture", *at(town))
    assert (said.returncode, said.stdout) == (2, "")
    assert "shapes are not counted" in said.stderr


def test_capture_writes_lines_whatever_names_hold(town):
    town = town()
    with town.wire() as wire:
        wire.query('SELECT 1 AS "a\nb\x1b[31m"')
    until(lambda: town.console("SHOW SHAPES"))
    said = run("capture", *at(town))
    line, = [l for l in said.stdout.splitlines() if not l.startswith("#")]
    assert line.startswith("app 1 ")
    assert line.endswith(' SELECT ? AS "a b.[31m" ...')


@pytest.mark.parametrize("command", ["capture", "top"])
def test_what_is_no_console(town, command):
    town = town()
    for where in (("-d", "app"), ("-d", "postgres", "-p", town.holes["PG"])):
        said = run(command, *at(town), *map(str, where))
        assert (said.returncode, said.stdout) == (2, "")
        assert "expected the database pgsluice\n" in said.stderr
        assert said.stderr.count("\n") == 1
    said = run(command, *at(town, "alice"))
    assert (said.returncode, said.stdout) == (2, "")
    assert "not allowed to use the console" in said.stderr


def test_diff_of_the_same(captured):
    town, path = captured
    said = run("diff", town.conf, town.conf, "--shapes", path)
    assert (said.returncode, said.stderr) == (0, "")
    same, cut = said.stdout.splitlines()
    assert same == "4 of 5 shapes, 91.7 % of calls, are the same"
    assert cut.startswith("1 shape, 8.3 % of calls, was not compared")


def test_diff_of_a_ttl(captured, lab):
    town, path = captured
    new = changed(lab, town, "ttl = 60s", "ttl = 30s")
    said = run("diff", town.conf, new, "--shapes", path)
    assert said.returncode == 1 and not said.stderr
    assert said.stdout.splitlines()[:6] == [
        "settings:",
        '  cache "t" ttl: 1min -> 30s',
        '  cache "t" l1_ttl: 1min -> 30s',
        "ways:",
        *[line for line in said.stdout.splitlines()
          if line.startswith("  app: 5 calls (41.7 %), mean ") and
          line.endswith(": SELECT v FROM t WHERE id = ?")],
        "    times: ttl 1min, l1_ttl 1min -> ttl 30s, l1_ttl 30s"]
    assert "3 of 5 shapes, 50.0 % of calls, are the same" in said.stdout


def test_diff_of_a_database(captured, lab):
    town, path = captured
    new = changed(lab, town, 'database "app"', 'database "new"')
    for name, first in (("app", "    database app: removed"),
                        ("new", "there are no shapes of database new")):
        said = run("diff", town.conf, new, "--shapes", path, "--routes",
                   "--database", name)
        assert not said.stderr and first in said.stdout.splitlines()
        assert said.returncode == (name == "app")
    said = run("diff", town.conf, new, "--shapes", path, "--database", "none")
    assert (said.returncode, said.stdout) == (2, "")
    assert "there is no database none" in said.stderr


def test_diff_of_no_shapes(captured, lab):
    town, path = captured
    with open(path, "w", encoding="utf-8") as f:
        f.write("# none\n")
    said = run("diff", town.conf, town.conf, "--shapes", path)
    assert (said.returncode, said.stdout) == (0, "there are no shapes\n")
    with open(path, "w", encoding="utf-8") as f:
        f.write("nobody 2 - SELECT 1\n")
    said = run("diff", town.conf, town.conf, "--shapes", path)
    assert said.stdout.splitlines()[1].startswith(
        "1 shape, 100.0 % of calls, was not compared: it was cut, ")


def test_diff_of_a_route(captured, lab):
    town, path = captured
    new = changed(lab, town, 'use = "sharded"', 'use = "plain"')
    said = run("diff", "--routes", town.conf, new, "--shapes", path)
    assert said.returncode == 1 and not said.stderr
    lines = said.stdout.splitlines()
    assert lines[0] == "ways:" and "app: 3 calls" in lines[1]
    assert "    variant: sharded (sharded) -> plain (plain)" in lines
    assert "    backend: a shard, by the tenant's value -> main" in lines
    assert "    sql: SELECT n FROM ev WHERE tenant = $1 -> " \
        "SELECT n FROM ev_plain AS ev WHERE tenant = $1" in lines
    assert "3 of 5 shapes, 66.7 % of calls, are the same" in lines
    # Where a shard is, too, though no value proves it.
    new = changed(lab, town, '{"s0", "s1"}', '{"s1", "s0"}')
    said = run("diff", "--routes", town.conf, new, "--shapes", path)
    assert said.returncode == 1
    assert "s0 ev_part, s1 ev_part -> " in said.stdout


def test_diff_in_trouble(captured, lab):
    town, path = captured
    new = changed(lab, town, "ttl = 60s", "ttl = none")
    said = run("diff", town.conf, new, "--shapes", path)
    assert (said.returncode, said.stdout) == (2, "")
    assert "new.conf:" in said.stderr
    with open(path, "a", encoding="utf-8") as f:
        f.write("app many - SELECT 1\n")
    said = run("diff", town.conf, town.conf, "--shapes", path)
    assert (said.returncode, said.stdout) == (2, "")
    assert f"{path}:{len(lines_of(path)) + 2}: expected a number of calls" \
        in said.stderr
    said = run("diff", town.conf, town.conf)
    assert said.returncode == 2 and "--shapes" in said.stderr


# -- connections --------------------------------------------------------------

def test_wrong_password_and_nobody_there(town, users_file):
    town = town()
    with open(town.conf, encoding="utf-8") as f:
        text = f.read()
    town.write_conf(text.replace('auth = "trust"', 'auth = "scram-sha-256"\n'
                                 f'users_file = "{users_file}"'))
    town.reload()
    ask = ("explain", "--live", *at(town, "bob"), "-d", "app", "SELECT 1")
    assert run(*ask, PGPASSWORD="bob-password").returncode == 0
    said = run(*ask, PGPASSWORD="wrong")
    assert (said.returncode, said.stdout) == (2, "")
    assert "password authentication failed" in said.stderr
    town.stop()
    said = run(*ask)
    assert said.returncode == 2 and "refused" in said.stderr
    assert said.stderr.count("\n") == 1
