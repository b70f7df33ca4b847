# SPDX-License-Identifier: PostgreSQL
"""Sentinels tell where Redis is, also after it has moved."""

import os
import shutil

import pytest

from harness import lablib, until

CONF = """
auth = "trust"
admin_users = {"app"}
workers = 1
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
cache "items" { tables = {"item"} ttl = "60s" l1_ttl = "0" }
redis_sentinels = {"127.0.0.1:1", "localhost:$SENTINEL"}
redis_sentinel_master = "$MASTER"
redis_timeout = "2s"
redis_retry = "200ms"
"""

COUNT = "SELECT count(*) FROM item"
ROWS = [(100,)]


@pytest.fixture
def table(pg, db):
    pg.psql("SET ROLE app; CREATE TABLE item (id int PRIMARY KEY);"
            "INSERT INTO item SELECT generate_series(1, 100)", db)


def hits(sluice):
    """How many of one question Redis answers; the question's rows."""
    before = sluice.count("cache_hits_l2")
    assert sluice.query(COUNT) == ROWS
    return sluice.count("cache_hits_l2") - before


def fill(sluice):
    """Until the entry is there: the first question may only prepare."""
    until(sluice.on_redis)
    until(lambda: hits(sluice))


class Sentinel(lablib.Redis):
    """Watches a master that it will replace soon."""

    def __init__(self, lab, name, master):
        super().__init__(lab, name)
        place = os.path.join(lab.socket_dir(), name)
        os.mkdir(place, 0o777)
        os.chmod(place, 0o777)
        self.file = os.path.join(place, "conf")
        with open(self.file, "w", encoding="utf-8") as f:
            f.write(f"port {self.port}\nbind 127.0.0.1\ndir {place}\n"
                    f"sentinel monitor cache 127.0.0.1 {master} 1\n"
                    "sentinel down-after-milliseconds cache 300\n"
                    "sentinel failover-timeout cache 2000\n")
        os.chmod(self.file, 0o666)

    def command(self):
        return [lablib.program("redis-server"), self.file, "--sentinel"]

    def master(self):
        return int(self.cli("SENTINEL", "get-master-addr-by-name",
                            "cache").split()[1])


@pytest.fixture
def watched(lab):
    """(sentinel, master, replica)"""
    one = lablib.Redis(lab, "redis-one", arguments=(
        "--repl-diskless-sync-delay", "0")).start()
    two = lablib.Redis(lab, "redis-two", arguments=(
        "--replicaof", "127.0.0.1", str(one.port))).start()
    until(lambda: "state=online" in one.cli("INFO", "replication"), 20)
    sentinel = Sentinel(lab, "sentinel", one.port).start()
    until(lambda: str(two.port) in sentinel.cli("SENTINEL", "replicas",
                                                "cache"), 20)
    yield sentinel, one, two
    for server in sentinel, one, two:
        server.kill()
    shutil.rmtree(os.path.dirname(sentinel.file))


@pytest.mark.parametrize("demoted", [False, True], ids=["dies", "is demoted"])
def test_the_master(table, pgsluice, watched, demoted):
    sentinel, one, two = watched
    # Its first sentinel is down.
    sluice = pgsluice(CONF, SENTINEL=sentinel.port, MASTER="cache")
    fill(sluice)
    assert one.cli("KEYS", "*:items:*")
    if demoted:
        # Of a replica that it does not yet know well a sentinel makes none.
        until(lambda: b"OK" in sentinel.ask(b"SENTINEL FAILOVER cache\r\n"),
              30)
    else:
        one.kill()
    for _ in range(3):
        assert sluice.query(COUNT) == ROWS
    until(lambda: sentinel.master() == two.port, 30)
    # Who reads there is no replica's.
    until(lambda: hits(sluice) and "cmdstat_mget" in two.cli(
        "INFO", "commandstats"), 30)


def test_a_sentinel_that_knows_nothing(table, pgsluice, watched):
    sluice = pgsluice(CONF, SENTINEL=watched[0].port, MASTER="other")
    until(lambda: "the sentinel knows no master of this name" in sluice.log)
    assert sluice.query(COUNT) == ROWS
    assert not sluice.on_redis()
