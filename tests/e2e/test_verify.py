# SPDX-License-Identifier: PostgreSQL
"""verify: hits are asked for again of the backend, and what differs is found
and told from what is only stale."""

import threading

import pytest

import rawpg
from harness import until, whole

CONF = """
auth = "trust"
admin_users = {"app"}
workers = 1
pool_size = $SIZE
redis_host = "$REDIS_HOST"
redis_port = $REDIS
redis_timeout = "5s"
verify = "$SHARE"
$MORE
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
cache "items" { tables = {"item"} ttl = "1h" l2 = $L2 $RULE }
"""

SQL = "SELECT id, name FROM item WHERE id < 4 ORDER BY id"


@pytest.fixture
def make(pg, db, pgsluice):
    pg.psql("CREATE TABLE item AS SELECT n AS id, 'name ' || n AS name "
            "FROM generate_series(1, 9) n; "
            "ALTER TABLE item ADD PRIMARY KEY (id); "
            "GRANT ALL ON item TO public", db)

    def start(share="100%", size=4, rule="", l2="false", host="", redis=1,
              more=""):
        return pgsluice(CONF, SHARE=share, SIZE=size, RULE=rule, L2=l2,
                        REDIS_HOST=host, REDIS=redis, MORE=more)
    return start


def found(sluice):
    return {k: int(sluice.count("verify_" + k)) for k in (
        "samples", "same", "reordered", "stale", "mismatches",
        "inconclusive", "failed", "dropped")}


def expect(sluice, **numbers):
    """These, all others 0, in the end; a sample is counted before its
    outcome."""
    want = dict.fromkeys(found(sluice), 0)
    want.update(numbers)
    until(lambda: found(sluice) == want, 20)


def test_all_is_well(make):
    sluice = make()
    with sluice.connect() as conn, conn.cursor(binary=True) as cur:
        for n in range(4):
            conn.execute(SQL)
            expect(sluice, samples=n, same=n)
        for n in range(4, 7):
            cur.execute("SELECT name FROM item WHERE id = %s", (n % 2,))
            cur.execute("SELECT name FROM item WHERE id = %s", (n % 2,))
            until(lambda: found(sluice)["same"] == found(sluice)["samples"])
    with sluice.wire() as w:
        sql = "SELECT id FROM item WHERE id < $1 ORDER BY id"
        for message in (whole(sql, [b"\0\0\0\4"], formats=[1]),
                        rawpg.parse("s", sql) + rawpg.sync(),
                        rawpg.bind("", "s", [b"4"]) + rawpg.execute() +
                        rawpg.sync()):
            for _ in range(2):
                w.ask(message)
    until(lambda: found(sluice)["same"] == found(sluice)["samples"])
    assert found(sluice)["samples"] >= 7


def test_settings_and_roles_of_the_session(make, pg, db):
    """What is asked again is asked as the session."""
    pg.psql("ALTER TABLE item ADD at timestamptz DEFAULT "
            "'2026-01-01 12:00+00'", db)
    sluice = make()
    sql = "SELECT at FROM item WHERE id = 1"
    with sluice.connect() as conn, sluice.connect(user="alice") as alice:
        conn.execute("SET TimeZone = 'Asia/Tokyo'")
        for c in (conn, alice, conn, alice):
            c.execute(sql)
            until(lambda: found(sluice)["same"] == found(sluice)["samples"])
    expect(sluice, samples=2, same=2)


def test_rows_in_another_order(make, pg, db):
    sluice = make()
    sql = "SELECT name FROM item WHERE id < 3"
    with sluice.connect() as conn:
        conn.execute(sql)
        pg.psql("UPDATE item SET name = name WHERE id = 1", db)
        pg.psql("VACUUM FULL item", db)
        before = pg.psql(sql, db)
        conn.execute(sql)
        expect(sluice, samples=1, same=int("1\nname 2" in str(before)),
               reordered=int("2\nname 1" in str(before)))


def test_a_change_behind_our_back(make, pg, db):
    sluice = make()
    with sluice.connect() as conn:
        conn.execute(SQL)
        pg.psql("UPDATE item SET name = 'changed' WHERE id = 1", db)
        conn.execute(SQL)
        expect(sluice, samples=1, stale=1)
    assert sluice.metric("pgsluice_cache_staleness_seconds_count") == 1
    assert sluice.metric("pgsluice_cache_staleness_seconds_sum") > 0
    told = {(row["section"], row["name"]): row["value"]
            for row in sluice.console("SHOW CACHE")}
    assert told["verify", "stale"] == 1
    sluice.wait_log("hit was stale")
    assert "name" not in sluice.log.split("hit was stale")[1].split("\n")[0]


def test_writes_through_us_say_nothing(make):
    """The sample waits for its server while the table is written."""
    sluice = make(size=1)
    with sluice.connect() as conn, sluice.connect() as other:
        conn.execute(SQL)
        with other.transaction():
            other.execute("UPDATE item SET name = 'new' WHERE id = 1")
            conn.execute(SQL)
        expect(sluice, samples=1, inconclusive=1)


def test_under_writes(make):
    """No false alarm."""
    sluice = make()
    done = threading.Event()

    def write():
        with sluice.connect() as conn:
            n = 0
            while not done.is_set():
                n += 1
                conn.execute("UPDATE item SET name = %s WHERE id = 1",
                             (f"name {n}",))
    thread = threading.Thread(target=write)
    thread.start()
    try:
        with sluice.connect() as conn:
            for _ in range(500):
                conn.execute(SQL)
            until(lambda: sum(found(sluice).values()) > 20)
    finally:
        done.set()
        thread.join()
    until(lambda: sum(v for k, v in found(sluice).items() if k != "samples")
          == found(sluice)["samples"], 20)
    assert found(sluice)["mismatches"] == found(sluice)["stale"] == 0
    assert found(sluice)["failed"] == 0


def test_hits_in_redis(make, redis, pg, db):
    sluice = make(l2="true", rule='l1_ttl = "0"', host="127.0.0.1",
                  redis=redis.port)
    with sluice.connect() as conn:
        until(lambda: conn.execute(SQL) and sluice.count("cache_hits_l2"))
        until(lambda: found(sluice)["same"] == found(sluice)["samples"] > 0)
        pg.psql("UPDATE item SET name = 'changed' WHERE id = 1", db)
        with sluice.counting(cache_hits_l2=1):
            conn.execute(SQL)
    until(lambda: found(sluice)["stale"] == 1, 20)


def test_no_server_to_spare(make):
    """Clients come first; what cannot be asked soon is given up."""
    sluice = make(size=1)
    with sluice.connect(prepare_threshold=None) as conn, \
            sluice.connect() as other:
        conn.execute(SQL)
        with other.transaction():
            other.execute("SELECT 1")
            for _ in range(40):
                conn.execute(SQL)
            until(lambda: found(sluice)["dropped"] == 40, 20)
        other.execute("SELECT 1")
    expect(sluice, samples=40, dropped=40)


@pytest.mark.parametrize("share,rule", [("0", ""), ("100%", 'verify = "0"')])
def test_none(make, share, rule):
    sluice = make(share=share, rule=rule)
    with sluice.connect() as conn:
        for _ in range(5):
            conn.execute(SQL)
    assert found(sluice)["samples"] == 0


def test_a_share(make):
    sluice = make(share="0", rule='verify = "10%"')
    with sluice.connect() as conn:
        for _ in range(2001):
            conn.execute(SQL)
    # Six deviations off at most, which is one in half a billion.
    assert 120 < found(sluice)["samples"] < 280


def test_a_configuration_that_changes_under_a_sample(make, pg):
    """Only the sample's server is told, and told once."""
    sluice = make(size=1, more='revocation_bound = "0"')
    pid = sluice.query("SELECT pg_backend_pid()")
    sluice.query(SQL)
    try:
        pg.psql("ALTER SYSTEM SET DateStyle = 'German'")
        pg.psql("SELECT pg_reload_conf()")
        until(lambda: pg.psql("SHOW DateStyle").startswith("German"))
        sluice.query(SQL)
        expect(sluice, samples=1, failed=1)
        assert sluice.query("SELECT pg_backend_pid()") != pid
    finally:
        pg.psql("ALTER SYSTEM RESET DateStyle")
        pg.psql("SELECT pg_reload_conf()")
