# SPDX-License-Identifier: PostgreSQL
"""Several nodes serve the same clients: a cancel request finds its session by
way of any of them, and costs little where it finds none; and what is lost with
one of them, or with their Redis, is little, too (tests/checker/nodes.py alone
does that at full size)."""

import contextlib
import os
import socket
import struct
import sys
import tempfile

import psycopg2
import pytest

import harness
import rawpg
from harness import lablib, until

sys.path.append(os.path.join(os.path.dirname(harness.HERE), "checker"))

import nodes as checker  # noqa: E402

CONF = """
auth = "trust"
admin_users = {"app"}
unix_socket_dir = "$SOCKETS"
node = $NODE
$PEERS
$MORE
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" pool_mode = "$MODE" }
"""


def blocks(peers):
    return "\n".join(f'peer "{n}" {{ host = "{host}" port = {port} }}'
                     for n, (host, port) in peers.items())


@pytest.fixture(name="sockets")
def folder():
    with tempfile.TemporaryDirectory(prefix="pgs-peers.", dir="/tmp") as path:
        os.chmod(path, 0o755)
        yield path


@pytest.fixture(name="nodes")
def three(pg, db, pgsluice, sockets):
    """Nodes 1 to 3 of one list; peers of the second are reached by sockets."""
    def make(mode="transaction"):
        ports = {n: lablib.free_port() for n in (1, 2, 3)}
        return {n: pgsluice(
            CONF, NODE=n, PORT=ports[n], SOCKETS=sockets, MODE=mode, MORE="",
            PEERS=blocks({k: (sockets if n == 2 else "127.0.0.1", port)
                          for k, port in ports.items()}))
            for n in ports}
    return make


def raw(node, **kw):
    return rawpg.RawConn("127.0.0.1", node.port, "app", "app", timeout=30,
                         **kw)


def peer(node, number):
    rows = {r["peer_id"]: r for r in node.console("SHOW PEERS")}
    return rows[number]


def ask_to_cancel(node, key):
    """Send it and wait until it is through."""
    other = raw(node, startup=False)
    with contextlib.closing(other.sock):
        other.send(rawpg.cancel_request(*key))
        return other.recv_to_end()


def sleep(pg, db, conn):
    """A statement that runs, as its server says."""
    conn.send(rawpg.query("SELECT pg_sleep(60)"))
    until(lambda: pg.pids(datname=db, usename="app", state="active"))


@pytest.mark.parametrize("mode, version", [
    ("transaction", rawpg.PROTOCOL_3_0), ("transaction", rawpg.PROTOCOL_3_2),
    ("session", rawpg.PROTOCOL_3_0)])
def test_cancel_by_way_of_another_node(nodes, pg, db, mode, version):
    nodes = nodes(mode)
    for home, way in ((1, 2), (2, 3), (3, 1)):
        with raw(nodes[home], version=version) as conn:
            assert conn.key[0] >> 23 == home
            sleep(pg, db, conn)
            assert ask_to_cancel(nodes[way], conn.key) == []
            assert rawpg.sqlstates(conn.read_until_ready()) == ["57014"]
            # Nothing runs now, and a wrong secret is nobody's.
            ask_to_cancel(nodes[way], conn.key)
            wrong = bytes(b ^ 1 for b in conn.key[1])
            ask_to_cancel(nodes[way], (conn.key[0], wrong))
            assert not rawpg.errors(conn.ask("SELECT 1"))
        row = peer(nodes[way], home)
        assert (row["state"], row["passed"], row["failed"],
                row["dropped"], row["under_way"]) == ("up", 3, 0, 0, 0)
        assert peer(nodes[way], way)["state"] == "self"
        until(lambda home=home: nodes[home].count("cancels_came") == 3)
        assert nodes[home].count("cancels") == 1
        assert nodes[home].count("cancels_astray") == 0
        label = f'{{peer="{home}",outcome="passed"}}'
        assert nodes[way].metrics()[
            "pgsluice_peer_cancels_total" + label] == 3


def test_a_wrong_list_makes_no_loop(pg, db, pgsluice, sockets):
    """Each of two takes the other for node 3."""
    ports = {n: lablib.free_port() for n in (1, 2)}
    one, two = (pgsluice(CONF, NODE=n, PORT=ports[n], SOCKETS=sockets,
                         MODE="transaction", MORE="", PEERS=blocks(
                             {3: ("127.0.0.1", ports[3 - n])}))
                for n in ports)
    assert ask_to_cancel(one, (3 << 23 | 5, b"four")) == []
    until(lambda: two.count("cancels_astray") == 1)
    assert peer(one, 3)["passed"] == 1
    assert (one.count("cancels_came"), two.count("cancels_came")) == (0, 1)
    assert peer(two, 3)["passed"] == 0
    # No peer at all has this number; and a mark that nobody put there.
    for key in ((77 << 23 | 5, b"four"), (3 << 23 | 5, b"fourM"),
                (3 << 23 | 5, b"neither of the two")):
        assert ask_to_cancel(one, key) == []
    assert peer(one, 3)["passed"] == 1


def test_dead_and_silent_peers(pg, db, pgsluice, sockets):
    """They cost their own requests, and only so many at a time."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as silent:
        node = pgsluice(
            CONF, NODE=1, SOCKETS=sockets, MODE="transaction", MORE="",
            PEERS=blocks({8: ("127.0.0.1", lablib.free_port()),
                          9: ("127.0.0.1", silent.getsockname()[1])}))
        assert ask_to_cancel(node, (8 << 23 | 5, b"four")) == []
        row = peer(node, 8)
        assert (row["state"], row["failed"]) == ("down", 1)
        assert "refused" in row["error"] and row["last"]
        assert node.metrics()['pgsluice_peer_up{peer="8"}'] == 0
        until(lambda: "could not be passed on" in node.log)

        packet = struct.pack("!IIII", 16, 80877102, 9 << 23 | 5, 7)
        asked = [socket.create_connection(("127.0.0.1", node.port))
                 for _ in range(100)]
        for s in asked:
            s.settimeout(30)
            s.sendall(packet)
        # What is under way is given up after a while; all are answered alike.
        assert node.query("SELECT 1") == [(1,)]
        for s in asked:
            assert s.recv(1) == b""
            s.close()
        row = peer(node, 9)
        assert row["pool_size"] == 64 and row["under_way"] == 0
        assert row["failed"] + row["dropped"] == 100
        assert row["passed"] == 0 and row["failed"] >= 64
    assert node.query("SELECT 1") == [(1,)]


def test_numbers_and_peers_change_by_a_reload(pg, db, pgsluice, sockets):
    ports = {n: lablib.free_port() for n in (1, 2)}
    one = pgsluice(CONF, NODE=0, PORT=ports[1], SOCKETS=sockets,
                   MODE="session", MORE="", PEERS="")
    two = pgsluice(CONF, NODE=2, PORT=ports[2], SOCKETS=sockets,
                   MODE="transaction", MORE="", PEERS=blocks(
                       {1: ("127.0.0.1", ports[1])}))
    assert one.console("SHOW PEERS") == []
    with raw(one) as before:
        # A server's own pid, as long as there is one node.
        assert before.key[0] in pg.pids(datname=db, usename="app")
        one.holes.update(NODE=1, PEERS=blocks({2: ("127.0.0.1", ports[2])}))
        one.rewrite(CONF)
        one.reload()
        with raw(one) as after:
            assert after.key[0] >> 23 == 1
            for conn, way in ((before, one), (after, two), (after, one)):
                sleep(pg, db, conn)
                ask_to_cancel(way, conn.key)
                assert rawpg.sqlstates(conn.read_until_ready()) == ["57014"]
    with pytest.raises(psycopg2.Error, match="is not supported"):
        one.console("SHOW PEER_POOLS")


@pytest.fixture(scope="module")
def scene(lab, shared_pg, shared_redis):
    for service in shared_pg, shared_redis:
        if not service.running:
            service.start()
    shared_pg.psql("CREATE DATABASE nodes OWNER app")
    scene = checker.Scene(lab, shared_pg, shared_redis, "nodes")
    yield scene
    scene.stop()
    shared_pg.psql("DROP DATABASE nodes WITH (FORCE)")


@pytest.mark.parametrize("fault", checker.Scene.FAULTS)
def test_fault(scene, fault):
    figures = scene.play(fault, 1.2)
    print(figures)
    assert figures.good, (figures, figures.errors)
