# SPDX-License-Identifier: PostgreSQL
"""Servers are shared, bounded, waited for in turn, and never handed on with
somebody's state in them."""

import concurrent.futures
import threading
import time

import psycopg
import pytest

from harness import Deadline, until

POOL = """
auth = "trust"
admin_users = {"app"}
workers = $WORKERS
pool_size = $SIZE
query_wait_timeout = "$WAIT"
server_idle_timeout = "$IDLE"
server_lifetime = "$LIFE"
min_pool_size = $MIN
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" pool_mode = "$MODE" }
"""


@pytest.fixture
def pooled(pg, db, pgsluice):
    def make(size, mode="transaction", wait="30s", idle="10min", life="1h",
             minimum=0, workers=2):
        return pgsluice(POOL, SIZE=size, MODE=mode, WAIT=wait, IDLE=idle,
                        LIFE=life, MIN=minimum, WORKERS=workers)
    return make


def in_threads(count, work):
    """work(n) in threads; the first exception is raised here."""
    failed = []

    def guard(n):
        try:
            work(n)
        except BaseException as e:
            failed.append(e)
    threads = [threading.Thread(target=guard, args=(n,))
               for n in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failed:
        raise failed[0]


def test_32_clients_share_2_servers(pooled, pg, db):
    sluice = pooled(2)
    pids = set()
    together = threading.Barrier(32)

    def client(n):
        with sluice.connect() as conn:
            together.wait(30)
            for k in range(50):
                token = f"{n}-{k}"
                row = conn.execute("SELECT %s, pg_backend_pid()",
                                   (token,)).fetchone()
                assert row[0] == token
                pids.add(row[1])
            with conn.transaction():
                first = conn.execute("SELECT pg_backend_pid()").fetchone()
                again = conn.execute("SELECT pg_backend_pid()").fetchone()
                assert first == again
    in_threads(32, client)
    assert 1 <= len(pids) <= 2
    assert len(pg.pids(datname=db, usename="app")) <= 2
    assert sluice.count("waits") > 0


def test_one_server_serves_all_workers(pooled):
    """The limit is the process's, and an idle server goes where it is
    waited for."""
    sluice = pooled(1, workers=4)
    pids = set()

    def client(_):
        with sluice.connect() as conn:
            for _ in range(20):
                pids.add(conn.execute("SELECT pg_backend_pid()").fetchone())
    with Deadline(30):
        in_threads(12, client)
    assert len(pids) == 1


def test_wait_timeout(pooled):
    sluice = pooled(1, wait="300ms")
    with sluice.connect() as holder, sluice.connect() as waiter:
        holder.execute("BEGIN")
        holder.execute("SELECT 1")
        for _ in range(2):
            with Deadline(5) as took, sluice.counting(wait_timeouts=1), \
                    pytest.raises(psycopg.Error) as e:
                waiter.execute("SELECT 2")
            assert e.value.sqlstate == "53300"
            assert took.elapsed >= 0.25
        holder.execute("COMMIT")
        # The waiter's connection is as good as before.
        assert waiter.execute("SELECT 3").fetchone() == (3,)


def test_wait_timeout_in_a_pipeline_shifts_nothing(pooled):
    """Everything up to Sync fails with it; what follows gets its own
    answers."""
    sluice = pooled(1, wait="200ms")
    # psycopg 3.1 takes a statement for prepared that stood behind an error.
    with sluice.connect() as holder, \
            sluice.connect(prepare_threshold=None) as waiter:
        holder.execute("BEGIN")
        holder.execute("SELECT 1")
        with pytest.raises(psycopg.Error) as e, waiter.pipeline():
            for n in range(10):
                waiter.execute("SELECT %s::int", (n,))
        assert e.value.sqlstate in ("53300", "57P05")
        holder.execute("COMMIT")
        with waiter.pipeline():
            answers = [waiter.execute("SELECT %s::int", (n,))
                       for n in range(100, 110)]
            assert [a.fetchone()[0] for a in answers] == \
                list(range(100, 110))


def test_waiters_are_served_in_turn(pooled):
    sluice = pooled(1)
    sluice.query("CREATE TABLE turns (at serial, client int)")
    clients = [sluice.connect() for _ in range(8)]
    threads = []
    with sluice.connect() as holder:
        holder.execute("BEGIN")
        holder.execute("SELECT 1")
        for n, conn in enumerate(clients):
            with sluice.counting(waits=1):
                threads.append(threading.Thread(target=conn.execute, args=(
                    f"INSERT INTO turns (client) VALUES ({n})",)))
                threads[-1].start()
        holder.execute("COMMIT")
        for t in threads:
            t.join(30)
    # On one server the serial numbers are in the order of execution.
    assert sluice.query("SELECT client FROM turns ORDER BY at") == \
        [(n,) for n in range(8)]
    for c in clients:
        c.close()


def test_a_waiting_client_that_leaves_is_forgotten(pooled):
    sluice = pooled(1)
    with sluice.connect() as holder:
        holder.execute("BEGIN")
        holder.execute("SELECT 1")
        with sluice.counting(waits=1):
            gone = sluice.connect()
            gone.pgconn.send_query(b"SELECT 'never'")
        gone.pgconn.finish()
        holder.execute("COMMIT")
    assert sluice.query("SELECT 1") == [(1,)]


PINS = [
    ("SET temp_buffers = '9MB'", "setting"),
    ("PREPARE p AS SELECT 1; EXECUTE p", "prepare"),
    ("SELECT 1; LISTEN news", "listen"),
    ("CREATE TEMP TABLE t (a int)", "temp_table"),
    ("SELECT 1 AS a INTO TEMP t", "temp_table"),
    ("DECLARE c CURSOR WITH HOLD FOR SELECT generate_series(1, 10)",
     "cursor_with_hold"),
    ("SELECT pg_advisory_lock(1)", "advisory_lock"),
    ("DO $$ BEGIN PERFORM 1; END $$", "code"),
    ("SELECT unheard_of(1)", "function"),
]


def pins_of(sluice):
    """What SHOW CLIENTS says, all columns of all clients in one text."""
    return " ".join(str(v) for row in sluice.console("SHOW CLIENTS")
                    for v in row.values())


@pytest.mark.parametrize("sql,reason", PINS)
def test_what_leaves_state_pins(pooled, pg, db, sql, reason):
    pg.psql("CREATE FUNCTION unheard_of(int) RETURNS int LANGUAGE sql AS "
            "'SELECT 1'", db)
    sluice = pooled(2)
    with sluice.connect() as conn, sluice.connect() as other:
        conn.execute(sql)
        pids = {conn.execute("SELECT pg_backend_pid()").fetchone()
                for _ in range(5)}
        assert len(pids) == 1
        assert reason in pins_of(sluice)
        # Its server is its own now; the other one is for everybody else.
        for _ in range(5):
            assert other.execute(
                "SELECT pg_backend_pid()").fetchone() not in pids


@pytest.mark.parametrize("sql", [
    "SELECT 1", "SELECT now(), random(), lower('A')",
    "SET work_mem = '8MB'", "SET ROLE app", "RESET ALL",
    "SELECT set_config('work_mem', '8MB', false)",
    "BEGIN; SET LOCAL work_mem = '8MB'; COMMIT",
    "CREATE TABLE t (a int)",
    "BEGIN; DECLARE c CURSOR FOR SELECT 1; FETCH c; COMMIT",
    "SELECT pg_advisory_xact_lock(1)"])
def test_what_leaves_no_state_does_not_pin(pooled, sql):
    sluice = pooled(1, wait="5s")
    with sluice.connect() as conn:
        conn.execute(sql)
        assert sluice.query("SELECT 1") == [(1,)]


def test_state_of_a_pinned_session_dies_with_it(pooled, pg):
    sluice = pooled(1)
    with sluice.connect() as conn:
        conn.execute("SET work_mem = '8MB'")
        conn.execute("CREATE TEMP TABLE secret (a int)")
        conn.execute("SELECT pg_advisory_lock(4711)")
        conn.execute("LISTEN news")
        conn.execute("PREPARE p AS SELECT 1")
        assert conn.execute("SHOW work_mem").fetchone() == ("8MB",)
    with sluice.connect() as conn:
        assert conn.execute("SHOW work_mem").fetchone() != ("8MB",)
        with pytest.raises(psycopg.errors.UndefinedTable):
            conn.execute("SELECT * FROM secret")
        with pytest.raises(psycopg.errors.InvalidSqlStatementName):
            conn.execute("EXECUTE p")
        assert conn.execute("SELECT * FROM pg_listening_channels()"
                            ).fetchall() == []
    assert pg.psql("SELECT count(*) FROM pg_locks "
                   "WHERE locktype = 'advisory'") == "0"


def test_state_hidden_in_a_function_is_not_handed_on(pooled, pg, db):
    pg.psql("CREATE FUNCTION hidden() RETURNS int LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM set_config('work_mem', '9MB', false); "
            "RETURN 1; END $$", db)
    sluice = pooled(1)
    with sluice.connect() as conn:
        conn.execute("SELECT hidden()")
        assert conn.execute("SHOW work_mem").fetchone() == ("9MB",)
    with sluice.connect() as conn:
        assert conn.execute("SHOW work_mem").fetchone() != ("9MB",)


def test_an_open_transaction_of_a_lost_client_is_rolled_back(pooled, pg, db):
    sluice = pooled(1)
    sluice.query("CREATE TABLE t (a int)")
    conn = sluice.connect()
    conn.execute("BEGIN")
    conn.execute("INSERT INTO t VALUES (1)")
    conn.pgconn.finish()
    assert sluice.query("SELECT count(*) FROM t") == [(0,)]
    until(lambda: not pg.pids(datname=db, state="idle in transaction"))


def test_session_pooling(pooled):
    sluice = pooled(2, mode="session")
    with sluice.connect() as one, sluice.connect() as two:
        pid1 = one.execute("SELECT pg_backend_pid()").fetchone()[0]
        pid2 = two.execute("SELECT pg_backend_pid()").fetchone()[0]
        assert pid1 != pid2
        one.execute("SET work_mem = '8MB'")
        one.execute("CREATE TEMP TABLE t (a int)")
        for _ in range(10):
            assert one.execute("SHOW work_mem").fetchone() == ("8MB",)
            assert two.execute("SHOW work_mem").fetchone() != ("8MB",)
            assert one.execute("SELECT pg_backend_pid()"
                               ).fetchone()[0] == pid1
    with sluice.connect() as conn:
        assert conn.execute("SHOW work_mem").fetchone() != ("8MB",)
        with pytest.raises(psycopg.errors.UndefinedTable):
            conn.execute("SELECT * FROM t")


def test_session_pooling_tells_the_servers_own_pid(pooled, pg):
    sluice = pooled(2, mode="session")
    with sluice.connect() as one, sluice.connect() as two:
        for conn in (one, two):
            pid = conn.execute("SELECT pg_backend_pid()").fetchone()[0]
            assert conn.info.backend_pid == pid
        # It is the key to cancel by, too, and to that session alone.
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            sleeps = [pool.submit(c.execute, f"SELECT pg_sleep({n})")
                      for c, n in ((one, 60), (two, 1))]
            until(lambda: len(pg.pids(wait_event="PgSleep")) == 2)
            one.cancel()
            with pytest.raises(psycopg.errors.QueryCanceled):
                sleeps[0].result()
            assert sleeps[1].result().fetchone() == ("",)
        # Who comes next waits for a server, and is told the one it gets.
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            late = pool.submit(sluice.connect)
            until(lambda: any(r["state"] == "login" for r in
                              sluice.console("SHOW CLIENTS")))
            freed = one.info.backend_pid
            one.close()
            with late.result() as conn:
                assert conn.info.backend_pid == freed
                assert conn.execute("SELECT pg_backend_pid()"
                                    ).fetchone() == (freed,)


def test_idle_servers_are_closed(pooled, pg, db):
    sluice = pooled(5, idle="1s")
    clients = [sluice.connect() for _ in range(5)]
    for c in clients:
        c.execute("BEGIN")
        c.execute("SELECT 1")
    assert len(pg.pids(datname=db, usename="app")) == 5
    for c in clients:
        c.execute("COMMIT")
    until(lambda: not pg.pids(datname=db, usename="app"), 15)
    # The clients have noticed nothing.
    for c in clients:
        assert c.execute("SELECT 1").fetchone() == (1,)
        c.close()


def test_min_pool_size_stays(pooled, pg, db):
    sluice = pooled(5, idle="1s", minimum=2)
    with sluice.connect() as a, sluice.connect() as b, \
            sluice.connect() as c:
        for conn in (a, b, c):
            conn.execute("BEGIN")
            conn.execute("SELECT 1")
        for conn in (a, b, c):
            conn.execute("COMMIT")
        until(lambda: len(pg.pids(datname=db, usename="app")) == 2, 15)


def test_old_servers_are_replaced(pooled):
    sluice = pooled(1, life="1s")
    first = sluice.query("SELECT pg_backend_pid()")

    def another():
        time.sleep(0.1)
        return sluice.query("SELECT pg_backend_pid()") != first
    until(another, 15)


def test_max_client_conn(pg, db, pgsluice):
    sluice = pgsluice("""
        auth = "trust"
        admin_users = {"app"}
        max_client_conn = 5
        backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
        database "app" { backend = "main" }
    """)
    clients = [sluice.connect() for _ in range(5)]
    with pytest.raises(psycopg.OperationalError) as e:
        sluice.connect()
    assert "53300" in str(e.value) or "too many" in str(e.value) or \
        "max_client_conn" in str(e.value)
    assert clients[0].execute("SELECT 1").fetchone() == (1,)
    clients.pop().close()
    until(lambda: connects(sluice))
    for c in clients:
        c.close()


def connects(sluice):
    try:
        sluice.connect().close()
        return True
    except psycopg.OperationalError:
        return False
