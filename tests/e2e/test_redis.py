# SPDX-License-Identifier: PostgreSQL
"""Redis between several pgsluice: sealed entries."""

import os

import psycopg2
import pytest
import redis as client

from harness import private_file, until

CONF = """
auth = "trust"
admin_users = {"app"}
workers = 1
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
cache "items" { tables = {"item"} ttl = "60s" l1_ttl = "0" }
redis_host = "127.0.0.1"
redis_port = $REDIS
redis_timeout = "2s"
redis_retry = "200ms"
"""

COUNT = "SELECT count(*), 'a word in clear' FROM item"
ROWS = [(100, "a word in clear")]


@pytest.fixture
def table(pg, db):
    pg.psql("SET ROLE app; CREATE TABLE item (id int PRIMARY KEY);"
            "INSERT INTO item SELECT generate_series(1, 100)", db)


@pytest.fixture
def raw(redis):
    """Redis as everyone sees it."""
    with client.Redis(host="127.0.0.1", port=redis.port) as r:
        yield r


def connected(sluice):
    return sluice.metric("pgsluice_l2_connected") == \
        sluice.metric("pgsluice_workers")


def hits(sluice):
    """How many of one question Redis answers; the question's rows."""
    before = sluice.count("cache_hits_l2")
    assert sluice.query(COUNT) == ROWS
    return sluice.count("cache_hits_l2") - before


def fill(sluice):
    """Until the entry is there: the first question may only prepare."""
    until(lambda: connected(sluice))
    until(lambda: hits(sluice))


def entry(raw):
    name, = (k for k in raw.keys("*") if b":tag:" not in k)
    return name, raw.get(name)


# -- sealed entries -----------------------------------------------------------

@pytest.fixture
def sealing(table, lab, pgsluice, redis):
    """Factory: a pgsluice with these keys, each told by a digit."""
    def make(keys):
        sluice = pgsluice(CONF + f'redis_key_file = "{path(keys)}"\n'
                          if keys else CONF)
        until(lambda: connected(sluice))
        return sluice

    def path(keys):
        names.append(os.path.join(lab.work, f"keys{len(names)}"))
        return write(names[-1], keys)

    def write(name, keys):
        return private_file(name, "".join(k * 64 + "\n" for k in keys))

    names = []
    make.write = write
    make.path = lambda: names[-1]
    yield make
    for name in names:
        os.unlink(name)


def corrupt(sluice):
    return sluice.metric("pgsluice_l2_corrupt_total")


def test_sealed_for_those_who_have_the_key(sealing, raw):
    one, two, other, none = map(sealing, ("1", "1", "2", ""))
    fill(one)
    assert hits(two) == 1
    for word in (b"a word in clear", b"SELECT", b"search_path"):
        assert word not in entry(raw)[1]
    # Who cannot open it replaces it, and the others that one.
    for sluice in (other, none, one):
        assert hits(sluice) == 0 and corrupt(sluice) == 1
        until(lambda: hits(sluice))
    assert b"a word in clear" not in entry(raw)[1]


def test_keys_are_changed_by_reload(sealing, raw):
    one, two = sealing("1"), sealing("1")
    fill(two)
    sealing.write(sealing.path(), "21")
    two.reload()
    assert hits(two) == 1
    raw.delete(entry(raw)[0])
    fill(two)
    assert hits(one) == 0 and corrupt(one) == 1
    fill(two)
    private_file(sealing.path(), "no key\n")
    with pytest.raises(psycopg2.Error, match="not reloaded"):
        two.reload()
    # What was in force still is.
    assert hits(two) == 1


def test_sealed_entries_that_are_not_what_they_were(sealing, raw):
    sluice = sealing("1")
    fill(sluice)
    name, value = entry(raw)
    with sluice.connect() as conn:
        conn.prepare_threshold = None  # one form of the question
        for n in range(0, len(value), 3):
            bad = bytearray(value)
            bad[n] ^= 1 << (n % 8)
            raw.set(name, bytes(bad))
            before = corrupt(sluice)
            assert conn.execute(COUNT).fetchall() == ROWS
            assert corrupt(sluice) == before + 1, n
        # Another question's answer under this name.
        conn.execute("SELECT 1 FROM item")
        until(lambda: len(raw.keys("*:items:*")) == 2)
        other, = (k for k in raw.keys("*:items:*") if k != name)
        raw.set(other, value)
        assert conn.execute("SELECT 1 FROM item").fetchall() == [(1,)] * 100
        raw.set(name, value)
    assert hits(sluice) == 1
