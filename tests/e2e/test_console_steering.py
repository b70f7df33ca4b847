# SPDX-License-Identifier: PostgreSQL
"""Steering traffic from the console: PAUSE, RESUME, RECONNECT, WAIT_CLOSE,
DISABLE, ENABLE, KILL, of one database or of all."""

import contextlib
import signal
import threading

import psycopg
import psycopg2
import pytest

from harness import Deadline, until

CONF = """
auth = "trust"
admin_users = {"app"}
query_wait_timeout = "30s"
pool_size = 3
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
backend "apart" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
database "other" { backend = "main" }
database "apart" { backend = "apart" }
"""
PID = "SELECT pg_backend_pid()"


@pytest.fixture
def sluice(pg, db, pgsluice):  # pylint: disable=unused-argument
    return pgsluice(CONF)


class Asking(threading.Thread):
    """A call on a thread of its own; result() gives or raises its outcome."""

    def __init__(self, call, *args, **kw):
        super().__init__(daemon=True)
        self.call, self.args, self.kw = call, args, kw
        self.value = self.error = None
        self.start()

    def run(self):
        try:
            self.value = self.call(*self.args, **self.kw)
        except Exception as e:  # pylint: disable=broad-except
            self.error = e

    def result(self):
        self.join(20)
        assert not self.is_alive(), "still waiting"
        if self.error:
            raise self.error
        return self.value


def refused(sluice, command, code):
    with pytest.raises(psycopg2.Error) as e:
        sluice.console(command)
    assert e.value.pgcode == code


def database(sluice, name):
    (row,) = [r for r in sluice.console("SHOW DATABASES")
              if r["name"] == name]
    return row


def waiting(sluice):
    return sum(r["cl_waiting"] for r in sluice.console("SHOW POOLS"))


def servers(sluice):
    return [r["remote_pid"] for r in sluice.console("SHOW SERVERS")]


@contextlib.contextmanager
def transaction(sluice, **kw):
    with sluice.connect(**kw) as conn:
        conn.execute("BEGIN")
        conn.execute("SELECT 1")
        yield conn


def test_pause_of_one_database(sluice):
    """Its transaction ends first, its next statements wait, nobody else's
    do, though they share pool and server."""
    with transaction(sluice) as inside, sluice.connect() as late:
        pausing = Asking(sluice.console, "PAUSE app")
        until(lambda: database(sluice, "app")["paused"])
        assert not database(sluice, "other")["paused"]
        assert inside.execute("SELECT 2").fetchone() == (2,)
        asked = Asking(late.execute, "SELECT 3")
        until(lambda: waiting(sluice) == 1)
        assert sluice.query("SELECT 4", dbname="other") == [(4,)]
        assert pausing.is_alive()
        inside.execute("COMMIT")
        pausing.result()
        assert sluice.query("SELECT 5", dbname="other") == [(5,)]
        assert asked.is_alive()
        sluice.console("RESUME app")
        assert asked.result().fetchone() == (3,)
    refused(sluice, "RESUME app", "55000")


def test_those_who_waited_come_first(sluice):
    """When the pause is over, before those who came later."""
    with contextlib.ExitStack() as stack:
        conns = [stack.enter_context(sluice.connect()) for _ in range(8)]
        sluice.console("PAUSE app")
        asked = []
        for c in conns:
            asked.append(Asking(c.execute, "SELECT pg_sleep(0.01)"))
            until(lambda n=len(asked): waiting(sluice) == n)
        sluice.console("RESUME app")
        for a in asked:
            a.result()
    assert waiting(sluice) == 0


def test_pause_of_all_closes_every_server(sluice, pg):
    sluice.query("SELECT 1")
    sluice.query("SELECT 1", dbname="apart")
    assert len(servers(sluice)) == 2
    sluice.console("PAUSE")
    assert servers(sluice) == []
    refused(sluice, "PAUSE", "55000")
    asked = Asking(sluice.query, "SELECT 1")
    until(lambda: waiting(sluice) == 1)
    # What it is for: PostgreSQL may restart, and nobody notices.
    pg.restart()
    sluice.console("RESUME")
    assert asked.result() == [(1,)]
    refused(sluice, "RESUME", "55000")


def test_query_wait_timeout_runs_in_a_pause(pg, db, pgsluice):
    sluice = pgsluice(CONF.replace('"30s"', '"1s"'))
    with sluice.connect() as conn:
        conn.execute("SELECT 1")
        sluice.console("PAUSE app")
        with pytest.raises(psycopg.Error) as e:
            conn.execute("SELECT 1")
        assert e.value.sqlstate == "53300"
        sluice.console("RESUME app")
        assert conn.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("how", ["cancel", "gone"])
@pytest.mark.parametrize("command", ["PAUSE", "PAUSE app"])
def test_pause_that_nobody_waits_for(sluice, command, how):
    """Is taken back: it was never said to be in force."""
    with transaction(sluice) as inside:
        console = psycopg2.connect(sluice.dsn("pgsluice", "app"))
        console.autocommit = True
        pausing = Asking(console.cursor().execute, command)
        until(lambda: database(sluice, "app")["paused"])
        if how == "cancel":
            console.cancel()
            with pytest.raises(psycopg2.errors.QueryCanceled):
                pausing.result()
            console.cursor().execute("SHOW VERSION")
        else:
            rows = [r for r in sluice.console("SHOW CLIENTS")
                    if r["state"] == "console"]
            number = min(r["id"] for r in rows if r["state_ms"] ==
                         max(x["state_ms"] for x in rows))
            sluice.console(f"KILL_CLIENT {number}")
            with pytest.raises(psycopg2.Error):
                pausing.result()
        until(lambda: not database(sluice, "app")["paused"])
        assert sluice.query("SELECT 1") == [(1,)]
        inside.execute("COMMIT")
        console.close()


def test_pause_ended_by_another(sluice):
    with transaction(sluice) as inside:
        pausing = Asking(sluice.console, "PAUSE app")
        until(lambda: database(sluice, "app")["paused"])
        sluice.console("RESUME app")
        with pytest.raises(psycopg2.errors.QueryCanceled):
            pausing.result()
        inside.execute("COMMIT")
    assert sluice.query("SELECT 1") == [(1,)]


def test_new_clients_of_a_paused_database_wait(sluice):
    sluice.console("PAUSE app")
    coming = Asking(sluice.query, "SELECT 1")
    until(lambda: waiting(sluice) == 1)
    sluice.console("RESUME app")
    assert coming.result() == [(1,)]


def test_pause_under_load(sluice, pg, db):
    """Between the answer to PAUSE and RESUME nothing runs; nothing is lost."""
    pg.psql("CREATE TABLE beat (at timestamptz DEFAULT clock_timestamp());"
            "GRANT ALL ON beat TO PUBLIC", db)
    stop, done = threading.Event(), []

    def work():
        with sluice.connect() as conn:
            while not stop.is_set():
                conn.execute("INSERT INTO beat DEFAULT VALUES")
                done.append(1)
    workers = [Asking(work) for _ in range(6)]
    until(lambda: len(done) > 50)
    for name in ("", " app", "", " app"):
        sluice.console("PAUSE" + name)
        count = pg.psql("SELECT count(*) FROM beat", db)
        sluice.query("SELECT pg_sleep(0.2)", dbname="apart") if name else \
            pg.psql("SELECT pg_sleep(0.2)", db)
        assert pg.psql("SELECT count(*) FROM beat", db) == count
        before = len(done)
        sluice.console("RESUME" + name)
        until(lambda b=before: len(done) > b + 20)
    stop.set()
    for w in workers:
        w.result()
    assert pg.psql("SELECT count(*) FROM beat", db) == str(len(done))


def test_reconnect_and_wait_close_of_one_database(sluice):
    def pid(name):
        return sluice.query(PID, dbname=name)[0][0]
    first = pid("app"), pid("apart")
    with transaction(sluice) as inside:
        held = inside.execute(PID).fetchone()[0]
        sluice.console("RECONNECT app")
        closing = Asking(sluice.console, "WAIT_CLOSE app")
        sluice.console("WAIT_CLOSE apart")
        assert sluice.query(PID, dbname="app")[0][0] not in (held, first[0])
        assert closing.is_alive()
        inside.execute("COMMIT")
        closing.result()
    assert held not in servers(sluice)
    assert pid("apart") == first[1]
    sluice.console("WAIT_CLOSE")


def test_wait_close_can_be_cancelled(sluice):
    with transaction(sluice) as inside:
        sluice.console("RECONNECT")
        console = psycopg2.connect(sluice.dsn("pgsluice", "app"))
        console.autocommit = True
        closing = Asking(console.cursor().execute, "WAIT_CLOSE")
        until(lambda: [r for r in sluice.console("SHOW CLIENTS")
                       if r["state"] == "console" and r["state_ms"] > 50])
        console.cancel()
        with pytest.raises(psycopg2.errors.QueryCanceled):
            closing.result()
        inside.execute("COMMIT")
        console.close()


def test_disable_and_enable(sluice):
    with sluice.connect() as inside:
        sluice.console("DISABLE app")
        assert database(sluice, "app")["disabled"]
        with pytest.raises(psycopg.OperationalError, match="DISABLE"):
            sluice.connect()
        assert inside.execute("SELECT 1").fetchone() == (1,)
        assert sluice.query("SELECT 1", dbname="other") == [(1,)]
        sluice.console("ENABLE app")
        assert sluice.query("SELECT 1") == [(1,)]


def test_kill_of_one_database(sluice, pg, db):
    """Its clients are closed, what they run is cancelled, others live; new
    ones wait for RESUME."""
    with sluice.connect() as victim, sluice.connect(dbname="apart") as other:
        running = Asking(victim.execute, "SELECT pg_sleep(60)")
        until(lambda: pg.pids(datname=db, query="SELECT pg_sleep(60)"))
        sluice.console("KILL app")
        with pytest.raises(psycopg.OperationalError):
            running.result()
        until(lambda: not pg.pids(datname=db, query="SELECT pg_sleep(60)",
                                  state="active"))
        assert other.execute("SELECT 1").fetchone() == (1,)
    coming = Asking(sluice.query, "SELECT 1")
    until(lambda: waiting(sluice) == 1)
    sluice.console("RESUME app")
    assert coming.result() == [(1,)]


def test_kill_of_all(sluice):
    with sluice.connect() as a, sluice.connect(dbname="apart") as b:
        a.execute("SELECT 1")
        b.execute("SELECT 1")
        sluice.console("KILL")
        for conn in (a, b):
            with pytest.raises(psycopg.OperationalError):
                conn.execute("SELECT 1")
    sluice.console("RESUME")
    assert sluice.query("SELECT 1") == [(1,)]


@pytest.mark.parametrize("command", [
    "PAUSE", "RESUME", "RECONNECT", "WAIT_CLOSE", "DISABLE", "ENABLE",
    "KILL"])
def test_unknown_database(sluice, command):
    refused(sluice, f"{command} nowhere", "3D000")
    refused(sluice, f"{command} \"App\"", "3D000")
    if command in ("DISABLE", "ENABLE"):
        refused(sluice, command, "42601")


def test_stop_while_pausing(sluice):
    """A wait that is under way ends with the process."""
    inside = sluice.connect()
    inside.execute("BEGIN")
    inside.execute("SELECT 1")
    pausing = Asking(sluice.console, "PAUSE")
    until(lambda: database(sluice, "app")["paused"])
    with Deadline(20):
        sluice.stop([signal.SIGINT])
    with pytest.raises(psycopg2.Error):
        pausing.result()
    inside.close()
