# SPDX-License-Identifier: PostgreSQL
"""Many clients on few servers while a shard comes and goes: no answer is
wrong, and no write that was acknowledged is lost or done twice.

PGSLUICE_SHARD_STORM: seconds (12), PGSLUICE_SHARD_CLIENTS: clients (24)."""

import os
import random
import sys
import threading
import time
import uuid

import psycopg
import pytest

from harness import TOP, binary, lablib, sanitizer_options

sys.path.insert(0, os.path.join(TOP, "contrib", "lab", "events"))

from events import Events  # noqa: E402

SECONDS = float(os.environ.get("PGSLUICE_SHARD_STORM", "12"))
CLIENTS = int(os.environ.get("PGSLUICE_SHARD_CLIENTS", "24"))
POOL = 4


class Small(Events):
    def configuration(self):
        return super().configuration().replace("pool_size = 10",
                                               f"pool_size = {POOL}")


@pytest.fixture(scope="module")
def events():
    os.environ.update(sanitizer_options())
    with lablib.Lab() as lab:
        made = Small(lab, per_month=40, tenants=20, months=4,
                     shared_buffers="16MB").start()
        for shard in ("shard0", "shard1"):
            # What is acknowledged outlives the process.
            made.pg[shard].psql("ALTER SYSTEM SET synchronous_commit = on")
            made.pg[shard].reload()
        made.start_pgsluice(binary())
        yield made
        assert made.sluice.stop() == 0


class Client(threading.Thread):
    """Writes rows of its own, and asks for them."""

    def __init__(self, events, number, end):
        super().__init__()
        self.events = events
        self.dice = random.Random(number)
        self.number = number
        self.end = end
        self.tenants = sorted(events.remainder)
        self.sure, self.unsure = {}, {}  # id -> (tenant, token)
        self.wrong, self.errors = [], {}
        self.answers = self.serial = 0

    def run(self):
        while time.monotonic() < self.end:
            try:
                with psycopg.connect(
                        host="127.0.0.1", port=self.events.sluice.port,
                        dbname="sharded", user="app", password="app",
                        autocommit=True) as conn:
                    while time.monotonic() < self.end and not conn.broken:
                        self.step(conn)
            except psycopg.OperationalError:
                time.sleep(0.05)
            except Exception as e:  # pylint: disable=broad-except
                self.wrong.append(repr(e))
                return

    def step(self, conn):
        act = self.dice.choice([self.insert, self.insert, self.block,
                                self.mine, self.mine, self.all_of_mine])
        try:
            act(conn)
            self.answers += 1
        except psycopg.Error as e:
            self.errors[e.sqlstate] = self.errors.get(e.sqlstate, 0) + 1

    def new(self, tenant=None):
        """A row that may come to be."""
        self.serial += 1
        row = uuid.UUID(int=self.number << 64 | self.serial)
        tenant = tenant or self.dice.choice(self.tenants)
        token = f"{self.number}-{self.dice.random()}"
        self.unsure[row] = (tenant, token)
        return row, tenant, token

    def put(self, conn, row, tenant, token):
        conn.execute(
            "INSERT INTO app.events (id, tenant_id, occurred_at, payload) "
            f"VALUES (%s, '{tenant}', now(), jsonb_build_object('token', "
            "%s::text, 'by', %s::int))", (row, token, self.number))

    def certain(self, *rows):
        for row in rows:
            self.sure[row] = self.unsure.pop(row)

    def insert(self, conn):
        row, tenant, token = self.new()
        self.put(conn, row, tenant, token)
        self.certain(row)

    def block(self, conn):
        """Two rows of one tenant, or none of them."""
        first = self.new()
        second = self.new(first[1])
        with conn.transaction():
            self.put(conn, *first)
            self.put(conn, *second)
        self.certain(first[0], second[0])

    def mine(self, conn):
        if not self.sure:
            return
        row = self.dice.choice(list(self.sure))
        tenant, token = self.sure[row]
        found = conn.execute("SELECT payload ->> 'token' FROM app.events "
                             f"WHERE tenant_id = '{tenant}' AND id = %s",
                             (row,)).fetchall()
        if found != [(token,)]:
            self.wrong.append(f"{row}: {found}, not {token}")

    def all_of_mine(self, conn):
        """From all shards at once."""
        (found,) = conn.execute("SELECT count(*) FROM app.events WHERE "
                                "payload ->> 'by' = %s",
                                (str(self.number),)).fetchone()
        if not len(self.sure) <= found <= len(self.sure) + len(self.unsure):
            self.wrong.append(f"{found} rows, of which {len(self.sure)} are "
                              f"certain and {len(self.unsure)} not")


def rows_there(events):
    out = []
    for shard in ("shard0", "shard1"):
        with events.pg[shard].connect("app", autocommit=True) as conn:
            out += conn.execute("SELECT id, tenant_id::text, payload ->> "
                                "'token' FROM app.events_shard WHERE payload "
                                "? 'token'").fetchall()
    return out


def test_a_shard_that_comes_and_goes(events):
    end = time.monotonic() + SECONDS
    clients = [Client(events, n, end) for n in range(1, CLIENTS + 1)]
    for client in clients:
        client.start()
    shard, turns = events.pg["shard1"], 0
    goes = [shard.crash, shard.kill, shard.stop]
    while time.monotonic() < end - 3:
        time.sleep(SECONDS / 6)
        goes[turns % 3]()
        time.sleep(0.5)
        shard.start()
        turns += 1
    for client in clients:
        client.join(60)
        assert not client.is_alive()
    assert [w for c in clients for w in c.wrong] == []
    sure = {r: v for c in clients for r, v in c.sure.items()}
    unsure = {r: v for c in clients for r, v in c.unsure.items()}
    there = rows_there(events)
    found = {row: (tenant, token) for row, tenant, token in there}
    assert len(found) == len(there), "a row is there twice"
    assert [r for r in sure if found.get(r) != sure[r]] == []
    tried = {**unsure, **sure}
    assert [r for r in found if found[r] != tried.get(r)] == []
    assert turns >= 2 and len(sure) > 200
    # Work went on, on both shards, and something did fail.
    assert sum(c.answers for c in clients) > 1000
    assert {events.shard_of(t) for t, _ in sure.values()} == {
        "shard0", "shard1"}
    assert sum(n for c in clients for n in c.errors.values()) > 0
