# SPDX-License-Identifier: PostgreSQL
"""max_db_connections and max_user_connections: servers over many pools.

Clients with different DateStyle settings have pools of their own.
"""

import threading
import time

import pytest

import rawpg
from harness import Deadline, until

CONF = """
auth = "trust"
admin_users = {"app"}
workers = 2
pool_size = 4
query_wait_timeout = "$WAIT"
$LIMIT
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" $OWN }
database "app" { backend = "main" }
"""
STYLES = ("ISO, MDY", "ISO, DMY", "ISO, YMD", "German", "SQL, DMY")
PID = "SELECT pg_backend_pid()"


@pytest.fixture
def make(pgsluice):
    def start(limit="", own="", wait="30s"):
        return pgsluice(CONF, LIMIT=limit, OWN=own, WAIT=wait)
    return start


def client(sluice, style=0, user="app"):
    return rawpg.RawConn("127.0.0.1", sluice.port, user, "app", timeout=20,
                         params={"DateStyle": STYLES[style]})


def pid(conn):
    [(number,)] = conn.ask_rows(PID)
    return int(number)


def peak_while(sluice, work):
    """The most servers that there were while work() ran.  PostgreSQL may see
    one more, which it has not yet heard to be closed."""
    over, most = threading.Event(), []

    def watch():
        while not over.is_set():
            [row] = sluice.console("SHOW DATABASES")[:1]
            most.append(int(row["current_connections"]))
            time.sleep(0.01)
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        work()
    finally:
        over.set()
        thread.join()
    return max(most)


@pytest.mark.parametrize("limit, own", [
    ("max_db_connections = 2", ""), ("", "max_db_connections = 2"),
    ("max_db_connections = 9", "max_db_connections = 2"),
    ("max_user_connections = 2", ""),
    ('user "app" { max_user_connections = 2 }', "")])
def test_all_pools_share_a_limit(make, pg, db, limit, own):
    """Idle servers of other pools make room; there are never more."""
    sluice = make(limit, own)

    def work():
        for k in range(3):
            for style in range(len(STYLES)):
                with client(sluice, style) as conn:
                    [(shown,)] = conn.ask_rows("SHOW DateStyle")
                    assert shown == STYLES[style].replace(
                        "German", "German, DMY"), k
    with Deadline(20):
        assert peak_while(sluice, work) <= 2
    until(lambda: len(pg.pids(datname=db)) <= 2)


def test_waiters_of_many_pools(make, pg, db):
    """Ten clients of five pools at a time over two servers: all are served."""
    sluice = make("max_db_connections = 2")
    done = []

    def work(style):
        with client(sluice, style) as conn:
            for _ in range(20):
                pid(conn)
            done.append(style)

    def together():
        threads = [threading.Thread(target=work, args=(n % len(STYLES),))
                   for n in range(10)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert peak_while(sluice, together) == 2
    assert sorted(done) == sorted(2 * list(range(len(STYLES))))


def test_a_busy_pool_yields(make, pg, db):
    """Two clients keep the only server busy; another pool's client gets its turn
    all the same."""
    sluice = make("max_db_connections = 1", wait="15s")
    over = threading.Event()

    def busy():
        with client(sluice, 0) as conn:
            while not over.is_set():
                pid(conn)
    threads = [threading.Thread(target=busy) for _ in range(2)]
    with client(sluice, 1) as other:
        for t in threads:
            t.start()
        try:
            for _ in range(2):
                assert pid(other) > 0
        finally:
            over.set()
            for t in threads:
                t.join()
    until(lambda: len(pg.pids(datname=db)) <= 1)


def test_no_room_is_a_wait(make, pg, db):
    """... that ends when a server of the other pool is free, or in time."""
    sluice = make("max_db_connections = 1", wait="700ms")
    with client(sluice, 0) as holder, client(sluice, 1) as other:
        for _ in range(2):
            holder.ask("BEGIN")
            held = pid(holder)
            other.send(rawpg.query(PID))
            assert rawpg.sqlstates(other.read_until_ready()) == ["53300"]
            holder.ask("COMMIT")
            assert pid(other) != held


def test_users_have_limits_of_their_own(make, pg, db):
    pg.psql("DROP ROLE IF EXISTS roomy; CREATE ROLE roomy LOGIN", db)
    sluice = make('max_user_connections = 1\n'
                  'user "roomy" { max_user_connections = 2 }')
    with client(sluice, 0, "roomy") as a, client(sluice, 1, "roomy") as b, \
            client(sluice) as c:
        for conn in a, b, c:
            conn.ask("BEGIN")
        assert len({pid(a), pid(b), pid(c)}) == 3


def test_a_reload_lowers_and_lifts(make, pg, db):
    sluice = make("max_db_connections = 3")
    conns = [client(sluice, n) for n in range(3)]
    try:
        for conn in conns:
            conn.ask("BEGIN")
        assert len({pid(conn) for conn in conns}) == 3
        sluice.rewrite(CONF.replace("$LIMIT", "max_db_connections = 1")
                       .replace("$OWN", "").replace("$WAIT", "30s"))
        sluice.reload()
        for conn in conns:
            assert pid(conn) > 0
            conn.ask("COMMIT")
        until(lambda: len(pg.pids(datname=db)) == 1)
        [row] = sluice.console("SHOW DATABASES")[:1]
        assert int(row["max_connections"]) == 1
        assert int(row["current_connections"]) == 1
        sluice.rewrite(CONF.replace("$LIMIT", "").replace("$OWN", "")
                       .replace("$WAIT", "30s"))
        sluice.reload()
        for conn in conns:
            conn.ask("BEGIN")
        assert len({pid(conn) for conn in conns}) == 3
    finally:
        for conn in conns:
            conn.close()


def test_failed_connections_give_their_room_back(make, pg, db):
    pg.psql("DROP ROLE IF EXISTS nobody", db)
    sluice = make("max_db_connections = 1")
    for _ in range(3):
        with pytest.raises(rawpg.ServerError):
            client(sluice, 0, "nobody")
    with client(sluice) as conn:
        assert pid(conn) > 0
