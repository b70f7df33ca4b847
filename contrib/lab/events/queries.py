# SPDX-License-Identifier: PostgreSQL
"""What the application asks for in the scenario `events`.

A statement is written once, for the logical table; {rel} stands for the name
that the asked server knows it by.
"""

import datetime
import hashlib
import random
import uuid

from events import add_months

# Statements of one type differ in their constants, so that an answer given
# to the wrong question shows.
CHOICES = 4
ROWS = 10


class Query:
    """One type: its title, its statements, what routing is to make of it."""

    def __init__(self, name, title, statements, by_tenant=None):
        self.name = name
        self.title = title
        self.statements = statements
        # Tenants that the statements name, in their order; None when they
        # name none and all shards have to be asked.
        self.by_tenant = by_tenant

    def sql(self, choice, rel):
        return self.statements[choice].format(rel=rel)


def utc(day):
    return f"{day.isoformat()} 00:00:00+00"


def reads(events):
    """The four read types, with constants taken from the data."""
    pg = events.pg["plain"]
    tenants = pg.psql("SELECT id FROM lab.tenants ORDER BY k LIMIT "
                      f"{CHOICES}", "app").split()
    ids = pg.psql("SELECT id FROM app.events_plain ORDER BY md5(id::text) "
                  f"LIMIT {CHOICES}", "app").split()
    month = events.this_month
    return [
        Query("point", "point lookup by id", [
            "SELECT id, tenant_id, occurred_at, payload FROM {rel} "
            f"WHERE id = '{i}'" for i in ids]),
        Query("month", "count(*) of last month, now()", [
            "SELECT count(*) FROM {rel} WHERE occurred_at >= "
            "date_trunc('month', now()) - interval '1 month' "
            "AND occurred_at < date_trunc('month', now())"]),
        Query("tenant", "count of one tenant, 3 months", [
            f"SELECT count(*) FROM {{rel}} WHERE tenant_id = '{t}' "
            f"AND occurred_at >= '{utc(add_months(month, -2))}' "
            f"AND occurred_at < '{utc(add_months(month, 1))}'"
            for t in tenants], by_tenant=tenants),
        Query("rollup", "GROUP BY month, two years", [
            "SELECT date_trunc('month', occurred_at) AS month, count(*) "
            f"FROM {{rel}} WHERE occurred_at >= '{utc(add_months(month, -23))}'"
            f" AND occurred_at < '{utc(add_months(month, 1))}' "
            "GROUP BY 1 ORDER BY 1"]),
    ]


class Insert:
    """Ten new rows in one statement; every call makes others."""

    def __init__(self, name, title, tenants, this_month):
        self.name = name
        self.title = title
        self.tenants = tenants
        self.start = add_months(this_month, -2)
        self.serial = 0

    def rows(self):
        self.serial += 1
        rng = random.Random(f"{self.name} {self.serial}")
        start = datetime.datetime(self.start.year, self.start.month, 1,
                                  tzinfo=datetime.timezone.utc)
        out = []
        for n in range(ROWS):
            digest = hashlib.md5(f"{self.name} {self.serial} {n}".encode())
            when = start + datetime.timedelta(
                seconds=rng.randrange(85 * 86400))
            out.append((str(uuid.UUID(digest.hexdigest())),
                        self.tenants[n % len(self.tenants)], when,
                        {"type": "insert", "n": n, "ok": True}))
        return out

    @staticmethod
    def sql(rows, rel):
        values = ", ".join(
            f"('{i}', '{t}', '{w.isoformat()}', "
            f"'{{\"type\": \"insert\", \"n\": {p['n']}, \"ok\": true}}')"
            for i, t, w, p in rows)
        return (f"INSERT INTO {rel} (id, tenant_id, occurred_at, payload) "
                f"VALUES {values}")


def inserts(events):
    tenants = events.pg["plain"].psql(
        f"SELECT id FROM lab.tenants ORDER BY k DESC LIMIT {ROWS}",
        "app").split()
    if len({events.shard_of(t) for t in tenants}) < 2:
        raise ValueError("all tenants of the inserts are on one shard")
    return [
        Insert("insert", "insert of 10 rows, mixed tenants", tenants,
               events.this_month),
        Insert("insert1", "insert of 10 rows, one tenant", tenants[:1],
               events.this_month),
    ]
