# SPDX-License-Identifier: PostgreSQL
"""The configuration: checked as a whole, refused with file and line, and
replaced only by a good one."""

import os
import subprocess

import psycopg
import pytest

from harness import DEFAULT_CONF, binary, until


def check(path):
    r = subprocess.run([binary(), "--check", path], capture_output=True,
                       text=True, timeout=30, check=False)
    return r.returncode, r.stdout + r.stderr


@pytest.fixture
def checked(lab):
    """check(text): status and output of --check on a file of its own."""
    path = os.path.join(lab.work, "checked.conf")

    def run(text):
        with open(path, "w") as f:
            f.write(text)
        status, out = check(path)
        return status, out, path
    return run


BASE = """listen = {"127.0.0.1:1"}
auth = "trust"
backend "main" { conninfo = "host=127.0.0.1 dbname=app" }
database "app" { backend = "main" }
"""
SHARDED = BASE + """table "app.events" {
    key_column = "tenant_id"
    key_type = "uuid"
    variant "s" { kind = "sharded" backend = "main" relation = "app.s"
        shard_relation = "app.e" shards = {"main"} }
}
"""
MONTHLY = BASE + """table "app.events" {
    time_column = "at"
    variant "m" { kind = "monthly" backend = "main" relation = "app.e"
        span "hot" { backend = "main" from = "2026-01" }
        span "old" { backend = "main" until = "2026-01" } }
}
"""


@pytest.mark.parametrize("text", [BASE, SHARDED, MONTHLY])
def test_good_file(checked, text):
    status, out, path = checked(text)
    assert (status, out.strip()) == (0, f"{path}: ok")


# text, line of the diagnostic, words that have to be in it
BAD = {
    "unknown setting": (BASE + "no_such_thing = 1\n", 5, ["no_such_thing"]),
    "wrong type": (BASE + 'max_client_conn = "many"\n', 5,
                   ["max_client_conn"]),
    "out of range": (BASE + "max_client_conn = 0\n", 5,
                     ["max_client_conn", "1"]),
    "bad time": (BASE + 'query_timeout = "5 apples"\n', 5, ["query_timeout"]),
    "bad size": (BASE + 'cache_memory = "64XB"\n', 5, ["cache_memory"]),
    "bad word": (BASE + 'pool_mode = "statement"\n', 5,
                 ["pool_mode", "transaction"]),
    "unknown backend": (BASE + 'database "b" { backend = "nowhere" }\n', 5,
                        ["nowhere"]),
    "twice the same database": (BASE + 'database "app" { backend = "main" }\n',
                                5, ["app"]),
    "reserved name": (BASE + 'database "pgsluice" { backend = "main" }\n', 5,
                      ["pgsluice"]),
    "bad conninfo": (BASE + 'backend "b" { conninfo = "host=" = 1" }\n', 5,
                     []),
    "conninfo that libpq refuses":
        (BASE + 'backend "b" { conninfo = "nosuchoption=1" }\n', 5,
         ["nosuchoption"]),
    "missing file": (BASE + 'users_file = "/nonexistent/users"\n', 5,
                     ["/nonexistent/users"]),
    "tls without certificate": (BASE + 'tls_mode = "require"\n', 5, ["tls"]),
    "shards without key": (SHARDED.replace('    key_column = "tenant_id"\n',
                                           ""), None, ["key_column"]),
    "key without type": (SHARDED.replace('    key_type = "uuid"\n', ""),
                         None, ["key_type"]),
    "no shards": (SHARDED.replace(' shards = {"main"}', ""), None,
                  ["shards"]),
    "no shard relation": (SHARDED.replace('shard_relation = "app.e" ', ""),
                          None, ["shard_relation"]),
    "spans overlap": (MONTHLY.replace('until = "2026-01"',
                                      'until = "2026-03"'), None, ["span"]),
    "gap between spans": (MONTHLY.replace(
        'until = "2026-01"', 'until = "2025-11"'), None, ["span"]),
    "spans without time column":
        (MONTHLY.replace('    time_column = "at"\n', ""), None,
         ["time_column"]),
    "bad month": (MONTHLY.replace("2026-01", "2026-13"), None, ["2026-13"]),
    "rule without ttl": (BASE + 'cache "c" { tables = {"t"} }\n', 5, ["ttl"]),
    "rule without tables": (BASE + 'cache "c" { ttl = "1s" }\n', 5,
                            ["tables"]),
    "rule for an unknown database":
        (BASE + 'cache "c" { databases = {"x"} tables = {"t"} ttl = "1s" }\n',
         5, ["x"]),
    "unclosed": (BASE + 'backend "b" {\n', None, []),
}


@pytest.mark.parametrize("text,line,words", BAD.values(), ids=BAD.keys())
def test_bad_file(checked, text, line, words):
    status, out, path = checked(text)
    assert status == 1
    lines = [n for n in out.splitlines() if n.startswith(f"{path}:")]
    assert lines, out
    assert all(n[len(path) + 1:].split(":")[0].isdigit() for n in lines), out
    if line is not None:
        assert any(n.startswith(f"{path}:{line}:") for n in lines), out
    for word in words:
        assert word in out


def test_all_that_is_wrong_is_said_at_once(checked):
    status, out, path = checked(
        BASE + "max_client_conn = 0\n" 'pool_mode = "never"\n'
        'database "x" { backend = "nowhere" }\n')
    assert status == 1
    for line in (5, 6, 7):
        assert f"{path}:{line}:" in out


def test_no_backend_no_database(checked):
    status, out, _ = checked('listen = {"127.0.0.1:1"}\n')
    assert status == 1 and "backend" in out and "database" in out


def test_missing_file():
    status, out = check("/nonexistent/pgsluice.conf")
    assert status == 1 and "/nonexistent/pgsluice.conf" in out


def test_a_bad_file_does_not_start(lab, pgsluice):
    sluice = pgsluice(DEFAULT_CONF + "no_such_thing = 1\n", start=False,
                      PG=1, DB="x")
    sluice.spawn()
    assert sluice.proc.wait(20) == 1
    assert f"{sluice.conf}:" in sluice.log and "no_such_thing" in sluice.log
    sluice.proc = None


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_options(option):
    r = subprocess.run([binary(), option], capture_output=True, text=True,
                       timeout=30, check=False)
    assert r.returncode == 0 and "pgsluice" in r.stdout


def test_unknown_option():
    r = subprocess.run([binary(), "--frobnicate"], capture_output=True,
                       text=True, timeout=30, check=False)
    assert r.returncode != 0 and r.stderr


# -- reload -------------------------------------------------------------------

def knows(sluice, dbname):
    try:
        sluice.connect(dbname=dbname).close()
        return True
    except psycopg.OperationalError:
        return False


MORE = DEFAULT_CONF + 'database "second" { backend = "main" }\n'


@pytest.mark.parametrize("how", ["console", "signal"])
def test_reload(sluice, how):
    with sluice.connect() as conn:
        conn.execute("BEGIN")
        conn.execute("CREATE TABLE t (a int)")
        assert not knows(sluice, "second")
        sluice.rewrite(MORE)
        if how == "console":
            sluice.reload()
            assert knows(sluice, "second")
        else:
            sluice.hangup()
            until(lambda: knows(sluice, "second"))
        # Who was there goes on, in the middle of a transaction.
        conn.execute("INSERT INTO t VALUES (1)")
        conn.execute("COMMIT")
        assert conn.execute("SELECT * FROM t").fetchone() == (1,)


BAD_RELOADS = {
    "unknown setting": MORE + "no_such_thing = 1\n",
    "half a file": MORE[:-3],
    "empty": "",
    "no backend": 'database "second" { backend = "main" }\n',
}


@pytest.mark.parametrize("text", BAD_RELOADS.values(), ids=BAD_RELOADS.keys())
def test_a_bad_reload_changes_nothing(sluice, text):
    with sluice.connect() as conn:
        sluice.rewrite(text)
        with pytest.raises(Exception) as e:
            sluice.reload()
        assert sluice.conf in str(e.value) + sluice.log
        assert conn.execute("SELECT 1").fetchone() == (1,)
        assert not knows(sluice, "second") and knows(sluice, "app")
        # And the next good one is taken.
        sluice.rewrite(MORE)
        sluice.reload()
        assert knows(sluice, "second")


def test_a_reload_without_the_file_changes_nothing(sluice):
    os.unlink(sluice.conf)
    with pytest.raises(Exception):
        sluice.reload()
    assert knows(sluice, "app")


def test_many_reloads_under_load(sluice):
    with sluice.connect() as conn:
        for n in range(100):
            sluice.rewrite(MORE if n % 2 else DEFAULT_CONF)
            sluice.reload()
            assert conn.execute("SELECT %s::int", (n,)).fetchone() == (n,)


def test_a_backend_that_moves(sluice, pg, db):
    """Newcomers go to the new address; who is inside is not thrown out."""
    pg.psql(f"CREATE DATABASE {db}_new OWNER app")
    ask = "SELECT current_database()"
    try:
        with sluice.connect() as conn:
            assert conn.execute(ask).fetchone() == (db,)
            sluice.rewrite(DEFAULT_CONF.replace("$DB", "${DB}_new"))
            sluice.reload()
            for _ in range(5):
                assert sluice.query(ask) == [(f"{db}_new",)]
            assert conn.execute(ask).fetchone()[0] in (db, f"{db}_new")
    finally:
        sluice.stop()
        pg.psql(f"DROP DATABASE {db}_new WITH (FORCE)")
