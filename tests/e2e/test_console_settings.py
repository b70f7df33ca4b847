# SPDX-License-Identifier: PostgreSQL
"""Settings from the console: SET, RELOAD and what it tells; SHUTDOWN."""

import signal

import psycopg
import psycopg2
import pytest

from harness import until

CONF = """
auth = "trust"
admin_users = {"app"}
pool_size = 5
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
"""


@pytest.fixture
def sluice(pg, db, pgsluice):  # pylint: disable=unused-argument
    return pgsluice(CONF)


def notices(sluice, command):
    """What a command says beside its answer."""
    conn = psycopg2.connect(sluice.dsn("pgsluice", "app"))
    try:
        conn.autocommit = True
        conn.cursor().execute(command)
        return [n.removeprefix("NOTICE:  ").strip() for n in conn.notices]
    finally:
        conn.close()


def setting(sluice, key):
    (row,) = [r for r in sluice.console("SHOW CONFIG") if r["key"] == key]
    return row["value"]


def error(sluice, command):
    with pytest.raises(psycopg2.Error) as e:
        sluice.console(command)
    return e.value.pgcode, e.value.pgerror


def test_set_takes_effect_and_ends_with_reload(sluice):
    with sluice.connect() as conn:
        assert notices(sluice, "SET query_timeout = '1s'") == \
            ["query_timeout: 0 -> 1s"]
        assert setting(sluice, "query_timeout") == "1s"
        with pytest.raises(psycopg.OperationalError, match="query_timeout"):
            conn.execute("SELECT pg_sleep(30)")
    assert notices(sluice, "SET Pool_Size TO 7") == ["pool_size: 5 -> 7"]
    # One on top of the other.
    assert setting(sluice, "query_timeout") == "1s"
    assert sluice.generation == 3
    assert notices(sluice, "SET pool_size=7") == []
    said = notices(sluice, "RELOAD")
    assert sorted(said) == ["pool_size: 7 -> 5", "query_timeout: 1s -> 0"]
    assert setting(sluice, "query_timeout") == "0"


def test_set_of_a_list(sluice):
    with pytest.raises(psycopg2.OperationalError):
        sluice.console("SHOW VERSION", user="alice")
    sluice.console("SET stats_users = 'alice, bob'")
    assert sluice.console("SHOW VERSION", user="alice")
    sluice.console("SET stats_users = ''")
    with pytest.raises(psycopg2.OperationalError):
        sluice.console("SHOW VERSION", user="alice")


@pytest.mark.parametrize("command, code, words", [
    ("SET pool_size = 0", "22023", "out of range, expected 1 to 10000"),
    ("SET pool_size = many", "22023", "not a whole number"),
    ("SET query_timeout = 3", "22023", "not a duration"),
    ("SET pool_mode = statement", "22023", "expected one of transaction"),
    ("SET min_pool_size = 6", "22023", "more than pool_size"),
    ("SET workers = 3", "55P02", "cannot be changed without a restart"),
    ("SET nothing = 3", "42704", "unrecognized setting"),
    ("SET pool_size", "42601", "unknown console command"),
])
def test_set_refused(sluice, command, code, words):
    before = sluice.console("SHOW CONFIG")
    got = error(sluice, command)
    assert got[0] == code and words in got[1]
    assert sluice.console("SHOW CONFIG") == before


def test_reload_tells_what_changed(sluice):
    sluice.rewrite(CONF.replace("pool_size = 5", "pool_size = 6\n"
                                "workers = 3").replace(
        'database "app"', 'database "new" { backend = "main" }\n'
        'database "app"'))
    assert sorted(notices(sluice, "RELOAD")) == [
        'database "new": added', "pool_size: 5 -> 6",
        "workers: 0 -> 3 (takes effect after a restart)"]
    assert notices(sluice, "RELOAD") == []
    sluice.rewrite(CONF.replace("pool_size = 5", "pool_size = none"))
    code, text = error(sluice, "RELOAD")
    assert code == "F0000" and ".conf:" in text and "pool_size" in text
    assert setting(sluice, "pool_size") == "6"


def closed_to_others(sluice):
    try:
        sluice.connect(connect_timeout=2).close()
    except psycopg.OperationalError:
        return True
    return False


def test_shutdown_when_the_last_client_has_gone(sluice):
    """Idle ones may stay, and start new transactions."""
    conn = sluice.connect()
    conn.execute("SELECT 1")
    sluice.console("SHUTDOWN WAIT_FOR_CLIENTS")
    until(lambda: closed_to_others(sluice))
    for _ in range(20):
        assert conn.execute("SELECT 1").fetchone() == (1,)
    assert sluice.proc.poll() is None
    conn.close()
    assert sluice.proc.wait(20) == 0
    sluice.stop()


def test_shutdown_when_transactions_have_ended(sluice):
    idle, busy = sluice.connect(), sluice.connect()
    busy.execute("BEGIN")
    busy.execute("SELECT 1")
    idle.execute("SELECT 1")
    sluice.console("SHUTDOWN WAIT_FOR_SERVERS")
    until(lambda: closed_to_others(sluice))
    with pytest.raises(psycopg.OperationalError):
        idle.execute("SELECT 1")
    assert busy.execute("SELECT 2").fetchone() == (2,)
    busy.execute("COMMIT")
    assert sluice.proc.wait(20) == 0
    busy.close()
    sluice.stop()


def test_shutdown_can_become_more_urgent(sluice):
    conn = sluice.connect()
    conn.execute("BEGIN")
    conn.execute("SELECT 1")
    sluice.console("SHUTDOWN WAIT_FOR_CLIENTS")
    until(lambda: closed_to_others(sluice))
    sluice.proc.send_signal(signal.SIGINT)
    assert sluice.proc.wait(20) == 0
    conn.close()
    sluice.stop()
