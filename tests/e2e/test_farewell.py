# SPDX-License-Identifier: PostgreSQL
"""A client that reads late gets what came before its session's end."""

import socket

import pytest

import rawpg
from harness import until

CONF = """
auth = "trust"
admin_users = {"app"}
max_client_conn = 20
unix_socket_dir = "$DIR"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" max_db_client_connections = 1 }
"""

ROWS = 400  # of 1000 bytes: more than a unix socket takes at once
ASK = rawpg.query(f"SELECT repeat('x', 1000) FROM generate_series(1, {ROWS})")


@pytest.fixture
def sluice(lab, pg, db, pgsluice):
    return pgsluice(CONF, DIR=lab.work)


def clients(sluice):
    return [r for r in sluice.console("SHOW CLIENTS")
            if r["database"] == "app"]


def slow_client(sluice, lab):
    """One that has not read the answer to ASK, all of which has been given."""
    c = rawpg.RawConn(str(lab.work), sluice.port, "app", "app")
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    c.send(rawpg.query("BEGIN") + ASK)
    until(lambda: clients(sluice)[0]["state"] == "idle" and
          sluice.count("client_bytes_out") > ROWS * 1000)
    return c


@pytest.mark.parametrize("end,state", [
    ("goodbye", None), ("terminated", "08006"), ("violation", "08P01")])
def test_nothing_is_lost(sluice, lab, pg, db, end, state):
    """However the session ends, its answers come first, then why."""
    with slow_client(sluice, lab) as c:
        if end == "goodbye":
            c.send(rawpg.terminate())
        elif end == "terminated":
            pg.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    f"WHERE datname = '{db}' AND state LIKE 'idle in%'",
                    "postgres")
        else:
            c.send(rawpg.message("y", b"x"))
        until(lambda: not clients(sluice))
        m = c.recv_to_end()
        assert rawpg.types(m).count("D") == ROWS
        assert rawpg.types(m)[-3:] == {
            "goodbye": "DCZ", "terminated": "CZE", "violation": "CZE"}[end]
        if end == "violation":
            assert rawpg.sqlstates(m) == [state]


def far_client(sluice, tls):
    """One whose kernel takes little of what it is sent and does not read."""
    c = rawpg.RawConn("127.0.0.1", sluice.port, startup=False, tls=tls)
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    c.send(rawpg.startup_message({"user": "app", "database": "app"}))
    c.login()
    return c


@pytest.mark.parametrize("tls", [False, True])
def test_nothing_is_lost_on_its_way(lab, pg, db, pgsluice, certificate, tls):
    """Of what pgsluice's kernel has taken, neither, though the client goes on
    sending when its session is over: its own messages would reset the
    connection."""
    sluice = pgsluice(CONF + f'tls_mode = "allow"\n'
                      f'tls_cert_file = "{certificate[0]}"\n'
                      f'tls_key_file = "{certificate[1]}"\n', DIR=lab.work)
    for n in (1, 60):
        with far_client(sluice, tls) as c:
            before = sluice.count("client_bytes_out")
            c.send(rawpg.query("SELECT repeat('x', 1000) FROM "
                               f"generate_series(1, {n})"))
            until(lambda: clients(sluice)[0]["state"] == "idle" and
                  sluice.count("client_bytes_out") > before + n * 1000)
            c.send(rawpg.message("y", b"x"))
            until(lambda: not clients(sluice))
            c.send(rawpg.query("SELECT 1"))
            m = c.recv_to_end()
            assert rawpg.types(m) == "T" + "D" * n + "CZE", n
        until(lambda: works(sluice, lab))
        # There is one place, and whoever has just used it may be on the way out.
        until(lambda: not clients(sluice))


def test_it_counts_until_then(sluice, lab):
    """Who does not read keeps its place, and what it says is not heard."""
    with slow_client(sluice, lab) as c:
        c.send(rawpg.terminate() + b"x" * 100000)
        until(lambda: not clients(sluice))
        with pytest.raises(rawpg.ServerError):
            rawpg.RawConn(str(lab.work), sluice.port, "app", "app").close()
        assert rawpg.types(c.recv_to_end())[-3:] == "DCZ"
    until(lambda: works(sluice, lab))


def works(sluice, lab):
    try:
        rawpg.RawConn(str(lab.work), sluice.port, "app", "app").close()
        return True
    except rawpg.ServerError:
        return False


def test_the_daemon_does_not_wait_for_it(sluice, lab):
    """It ends in time though a client does not read."""
    with slow_client(sluice, lab) as c:
        c.send(rawpg.terminate())
        until(lambda: not clients(sluice))
        sluice.stop()
