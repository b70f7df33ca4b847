# SPDX-License-Identifier: PostgreSQL
"""Drivers as applications use them: psycopg 3 with its pool's habits, asyncio,
and node-postgres (Debian's node-pg, or a module that NODE_PATH leads to)."""

import asyncio
import os
import subprocess

import psycopg
import pytest

from harness import HERE

CONF = """
auth = "trust"
pool_size = 4
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
"""


@pytest.fixture
def sluice(pg, db, pgsluice):
    return pgsluice(CONF)


def test_psycopg_session(sluice):
    """What an ORM does in a day."""
    with sluice.connect(autocommit=False) as conn:
        conn.execute("CREATE TABLE person (id serial PRIMARY KEY, name text, "
                     "tags text[], born date)")
        conn.commit()
        with conn.cursor() as cur:
            cur.executemany(
                "INSERT INTO person (name, tags, born) VALUES (%s, %s, %s)",
                [(f"name {n}", ["a", str(n)], "2000-01-01")
                 for n in range(500)])
        conn.commit()
        for n in range(30):
            row = conn.execute("SELECT name, tags FROM person WHERE id = %s",
                               (n + 1,)).fetchone()
            assert row == (f"name {n}", ["a", str(n)])
            conn.rollback()
        with conn.transaction(), conn.transaction():
            conn.execute("UPDATE person SET name = 'x' WHERE id = 1")
        with pytest.raises(psycopg.errors.UniqueViolation):
            with conn.transaction():
                conn.execute("INSERT INTO person (id) VALUES (1)")
        assert conn.execute("SELECT name FROM person WHERE id = 1"
                            ).fetchone() == ("x",)
        conn.rollback()


def test_psycopg_asyncio(sluice):
    async def client(n):
        conn = await psycopg.AsyncConnection.connect(
            sluice.dsn("app", "app"), autocommit=True)
        async with conn:
            for k in range(30):
                cur = await conn.execute("SELECT %s", (f"{n}-{k}",))
                assert await cur.fetchone() == (f"{n}-{k}",)

    async def main():
        await asyncio.gather(*(client(n) for n in range(30)))
    asyncio.run(main())


def test_two_phase(sluice):
    with sluice.connect(autocommit=False) as conn:
        conn.execute("CREATE TABLE t (a int)")
        conn.commit()
        xid = conn.xid(1, "gtrid", "bqual")
        conn.tpc_begin(xid)
        conn.execute("INSERT INTO t VALUES (1)")
        conn.tpc_prepare()
        conn.tpc_commit()
        assert conn.execute("SELECT * FROM t").fetchall() == [(1,)]
        conn.rollback()


def node_path(lab):
    """Where `require('pg')` finds node-postgres: NODE_PATH, the system, or
    Debian's packages unpacked here (they cannot be installed beside a nodejs
    that is not Debian's)."""
    path = os.pathsep.join(filter(None, [
        os.environ.get("NODE_PATH"), "/usr/share/nodejs"]))
    if node(path, "-e", "require('pg')").returncode == 0:
        return path
    folder = os.path.join(lab.work, "node")
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["apt-get", "-q", "download", "node-pg", "node-split2",
                    "node-xtend", "node-readable-stream", "node-inherits"],
                   cwd=folder, check=True, capture_output=True, timeout=120)
    for name in os.listdir(folder):
        subprocess.run(["dpkg", "-x", name, "root"], cwd=folder, check=True,
                       timeout=60)
    return os.path.join(folder, "root", "usr", "share", "nodejs")


def node(path, *args):
    return subprocess.run(["node", *args], capture_output=True, text=True,
                          timeout=60, env={**os.environ, "NODE_PATH": path},
                          check=False)


def test_node_postgres(sluice, lab):
    r = node(node_path(lab), os.path.join(HERE, "drivers.js"),
             str(sluice.port), "app", "app")
    assert r.returncode == 0 and r.stdout.strip() == "ok", r.stderr
