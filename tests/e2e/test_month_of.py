# SPDX-License-Identifier: PostgreSQL
"""month_of: the month of a row from its UUIDv7, where CHECK constraints prove it."""

import datetime
import random
import uuid

import psycopg
import pytest

from harness import wait_for

CONF = """
auth = "trust"
admin_users = {"app"}
layout_user = "app"
backend "hot" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
backend "archive" { conninfo = "host=127.0.0.1 port=$PG dbname=${DB}_old" }
database "app" { backend = "hot" }
table "app.ev" {
    month_of = "uuidv7(id)"
    variant "monthly" { kind = "monthly" backend = "hot" relation = "app.ev"
        target_leaf = "true" }
}
"""

# The time in a UUIDv7, as any version can compute it.
TIME = ("to_timestamp(('x' || translate(left(id::text, 13), '-', ''))"
        "::bit(48)::bigint / 1000.0)")
CHECK = f"CHECK (date_trunc('milliseconds', at) = {TIME})"
WIDE = (f"CHECK (at >= {TIME} - interval '2 hours' AND "
        f"at < {TIME} + interval '30 minutes')")


def v7(at, us=0):
    """A UUIDv7 of that time, and the time with some microseconds."""
    at = datetime.datetime.fromisoformat(at + "+00:00")
    ms = round(at.timestamp() * 1000)
    bits = random.getrandbits(74)
    return (uuid.UUID(int=ms << 80 | 7 << 76 | (bits >> 62) << 64 |
                      2 << 62 | bits & (1 << 62) - 1),
            at + datetime.timedelta(microseconds=us))


class Table:
    def __init__(self, pg, db, pgsluice, request):
        self.pg, self.db, self.make = pg, db, pgsluice
        self.old = db + "_old"
        pg.psql(f"CREATE DATABASE {self.old} OWNER app")
        request.addfinalizer(lambda: pg.psql(
            f"DROP DATABASE IF EXISTS {self.old} WITH (FORCE)"))

    def whole(self, sql):
        return self.pg.psql(sql, self.db)

    def create(self, check, not_null="NOT NULL", there=None):
        """January is in another database, February and the rest are here."""
        columns = f"id uuid, at timestamptz {not_null}, v int"
        self.pg.psql(
            "SET ROLE app; CREATE SCHEMA app; CREATE TABLE app.jan "
            f"({columns}, CONSTRAINT c {there or check})", self.old)
        self.whole(f"""
            CREATE EXTENSION postgres_fdw;
            CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS
                (host '127.0.0.1', port '{self.pg.port}',
                 dbname '{self.old}');
            CREATE USER MAPPING FOR app SERVER s OPTIONS (user 'app',
                password_required 'false');
            GRANT USAGE ON FOREIGN SERVER s TO app;
            SET ROLE app;
            CREATE SCHEMA app;
            CREATE TABLE app.ev ({columns}, CONSTRAINT c {check})
                PARTITION BY RANGE (at);
            CREATE FOREIGN TABLE app.jan PARTITION OF app.ev FOR VALUES FROM
                ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00') SERVER s;
            CREATE TABLE app.feb PARTITION OF app.ev FOR VALUES FROM
                ('2026-02-01 00:00+00') TO ('2026-03-01 00:00+00');
            CREATE TABLE app.rest PARTITION OF app.ev DEFAULT;""")
        return self

    def start(self):
        self.sluice = self.make(CONF)
        wait_for("a layout", lambda: self.sluice.console("SHOW LAYOUTS"))
        return self

    def notes(self):
        return [r["text"] for r in self.sluice.console("CHECK LAYOUTS")
                if r["text"]]

    def route(self, sql, params=None):
        with self.sluice.connect() as conn:
            return dict(r[0].split(": ", 1) for r in conn.execute(
                "EXPLAIN (ROUTE) " + sql, params).fetchall()
                if ": " in r[0])


@pytest.fixture
def table(pg, db, pgsluice, request):
    return Table(pg, db, pgsluice, request)


BY_ID = "SELECT v FROM app.ev WHERE id = %s"


@pytest.mark.parametrize("check", [CHECK, WIDE])
def test_the_month_of_a_point_lookup(table, check):
    table.create(check).start()
    assert table.notes() == []
    rows = [v7("2026-01-10 12:00", 77), v7("2026-02-10 12:00", 999),
            v7("2026-05-10 12:00"), v7("2026-01-31 23:30")]
    for n, (key, at) in enumerate(rows):
        table.whole(f"SET ROLE app; INSERT INTO app.ev VALUES ('{key}', '{at}', {n})")
    where = [("archive", "app.jan"), ("hot", "app.feb"), ("hot", "app.rest"),
             ("archive", "app.jan") if check is CHECK else ("hot", "app.ev")]
    for n, (key, _) in enumerate(rows):
        for given in (key, str(key)):
            told = table.route(BY_ID, (given,))
            assert told["backend"] == where[n][0]
            assert f"FROM {where[n][1]} AS" in told["sql"] or \
                where[n][1] == "app.ev"
        assert table.sluice.query(BY_ID, (key,)) == [(n,)]
        assert table.sluice.query(
            f"SELECT v FROM app.ev WHERE id = '{key}'") == [(n,)]
    told = table.route("SELECT v FROM app.ev WHERE id IN (%s, %s)",
                       (rows[0][0], rows[3][0]))
    assert told["backend"] == where[3][0]
    # Months are those of all ids, or of none.
    told = table.route("SELECT v FROM app.ev WHERE id IN (%s, %s)",
                       (rows[0][0], uuid.uuid4()))
    assert told["months"] == "not confined"
    assert table.sluice.query(
        "UPDATE app.ev SET v = 50 WHERE id = %s RETURNING v",
        (rows[1][0],)) == [(50,)]
    assert table.whole("SELECT v FROM app.feb") == "50"
    # What agrees with nothing is not let in.
    with pytest.raises(psycopg.errors.CheckViolation):
        table.sluice.query("INSERT INTO app.ev (id, at) VALUES (%s, %s)",
                           (rows[0][0], rows[2][1]))


def test_random_rows(table):
    """The same rows by id through pgsluice and without."""
    table.create(WIDE).start()
    rnd = random.Random(7)
    keys = []
    for n in range(200):
        key, at = v7(f"2026-{rnd.randint(1, 4):02}-{rnd.randint(1, 28):02} "
                     f"{rnd.randint(0, 23):02}:{rnd.randint(0, 59):02}")
        at += datetime.timedelta(seconds=rnd.randint(-7200, 1799))
        table.whole(f"SET ROLE app; INSERT INTO app.ev VALUES ('{key}', '{at}', {n})")
        keys.append(key)
    leaves = 0
    with table.sluice.connect() as conn:
        for n, key in enumerate(keys):
            assert conn.execute(BY_ID, (key,)).fetchall() == [(n,)]
            leaves += "one partition" in table.route(BY_ID, (key,))["why"]
    assert leaves > 150


@pytest.mark.parametrize("check, not_null, there, why", [
    ("CHECK (v > 0)", "NOT NULL", None, "expected valid CHECK constraints"),
    (CHECK, "", None, "expected the time column to be NOT NULL"),
    (CHECK, "NOT NULL", "CHECK (v > 0)",
     "of jan: expected valid CHECK constraints"),
    (f"CHECK (at >= {TIME})", "NOT NULL", None,
     "expected valid CHECK constraints"),
    (f"CHECK ({CHECK[6:]} OR v = 1)", "NOT NULL", None,
     "expected valid CHECK constraints"),
    (f"CHECK (at > {TIME} - interval '1 month' AND at < {TIME} + "
     "interval '1 month')", "NOT NULL", None,
     "expected valid CHECK constraints"),
])
def test_not_proven(table, check, not_null, there, why):
    table.create(check, not_null, there).start()
    assert any(n.startswith("month_of: not proven of ") and why in n
               for n in table.notes())
    told = table.route(BY_ID, (v7("2026-01-10 12:00")[0],))
    assert told["months"] == "not confined" and told["backend"] == "hot"


def test_it_is_read_again(table):
    table.create(CHECK).start()
    key = v7("2026-01-10 12:00")[0]
    assert table.route(BY_ID, (key,))["backend"] == "archive"
    table.whole("ALTER TABLE app.ev DROP CONSTRAINT c")
    assert any("expected valid CHECK" in n for n in table.notes())
    assert table.route(BY_ID, (key,))["backend"] == "hot"
    table.whole(f"ALTER TABLE app.ev ADD CONSTRAINT c {CHECK} NOT VALID")
    assert any("expected valid CHECK" in n for n in table.notes())
    assert table.route(BY_ID, (key,))["backend"] == "hot"
    table.whole("ALTER TABLE app.ev VALIDATE CONSTRAINT c")
    assert table.notes() == []
    assert table.route(BY_ID, (key,))["backend"] == "archive"
