# SPDX-License-Identifier: PostgreSQL
"""The tables, in all their forms, and what is in them.

Routed are `ev` (events of tenants, key uuid), `acct` (accounts of the same
tenants, so that rows of one tenant are together), `it` (items of shops, key
int8), and small ones with keys of the other types, by_NAME.  `kind` is not.
Of these there are three sides:

    plain      one database, as an application knows it
    sharded    coordinator with three shards by postgres_fdw, through pgsluice
    monthly    partitions by month, through pgsluice; the oldest ones are
               foreign, in an archive of their own

Primary keys hold the key column and the time, since partitions by either ask
for it.  Databases of one cluster play the servers: nothing depends on where
they run.
"""

import datetime
import hashlib
import random
import uuid

SHARDS = 3
FIRST = datetime.date(2026, 1, 1)
MONTHS = 10
ARCHIVED = 3
ROWS = {"ev": 420, "acct": 40, "it": 200}
SMALL = 60

# column -> type, in the order of the table
COLUMNS = {
    "ev": {"tenant": "uuid", "id": "int8", "at": "timestamptz",
           "qty": "int4", "amount": "numeric", "big": "int8",
           "score": "float8", "noise": "float8", "note": "text", "ok": "bool",
           "doc": "jsonb", "tags": "text[]", "span": "interval",
           "day": "date"},
    "acct": {"tenant": "uuid", "code": "text", "rate": "numeric",
             "active": "bool", "since": "date"},
    "it": {"shop": "int8", "id": "int8", "at": "timestamptz", "qty": "int4",
           "amount": "numeric", "label": "text", "ok": "bool",
           "score": "float8"},
    "kind": {"id": "int4", "name": "text", "weight": "int4"},
}
KEY = {"ev": ["tenant"], "acct": ["tenant"], "it": ["shop"]}
TIME = {"ev": "at", "it": "at"}
PRIMARY = {"ev": ["tenant", "id", "at"], "acct": ["tenant", "code"],
           "it": ["shop", "id", "at"], "kind": ["id"]}
BY = {"by_pair": {"region": "text", "day": "date"},
      "by_num": {"num": "numeric"}, "by_flag": {"flag": "bool", "k": "int2"},
      "by_time": {"moment": "timestamptz"}, "by_word": {"word": "varchar"},
      "by_code": {"k": "int4", "code": "bpchar"}}
for _name, _key in BY.items():
    COLUMNS[_name] = {**_key, "id": "int8", "n": "int4", "label": "text",
                      "ok": "bool"}
    KEY[_name] = list(_key)
    PRIMARY[_name] = [*_key, "id"]
DECLARED = {("ev", "amount"): "numeric(12,2)", ("it", "amount"):
            "numeric(12,2)", ("acct", "rate"): "numeric(12,2)",
            ("by_word", "word"): "varchar(12)", ("by_code", "code"): "char(6)"}
DEFAULTS = {("ev", "doc"): "'{}'", ("ev", "ok"): "true", ("it", "qty"): "1"}
CHECKS = {"ev": "CHECK (qty > -1000)", "it": "CHECK (amount < 100000)"}

TENANTS = [str(uuid.UUID(hashlib.md5(b"tenant %d" % n).hexdigest()))
           for n in range(14)]
SHOPS = [str(n) for n in (0, 1, 2, 3, 7, 11, -1, 42, 100, 2**31, -2**40,
                          2**53 + 1)]
# What keys are made of; no two spellings of one value.
KEYS = {"uuid": TENANTS, "int8": SHOPS, "int4": ["0", "1", "-5", "70000"],
        "int2": ["0", "1", "-3", "300"], "bool": ["true", "false"],
        "text": ["", "a", "Ab", "ab", "it's", "élan", "日本", "trail ",
                 "trail"],
        "varchar": ["", "a", "Ab", "ab", "50%", "élan", "日本", "b ", "b"],
        "bpchar": ["", "a", "Ab", "it's", "日本"],
        "numeric": ["0", "1", "10.5", "-7.25", "10000000000", "0.001",
                    "NaN"],
        "date": ["2026-01-01", "2026-02-28", "1999-12-31", "2026-11-30"],
        "timestamptz": ["2026-01-01T00:00:00+00:00",
                        "2026-05-01T05:00:00.000001+00:00",
                        "1999-12-31T23:59:59+00:00",
                        "2026-07-31T22:00:00+00:00"]}
WORDS = ["", "a", "Ab", "ab", "abc", "B", "b_c", "50%", "it's", 'say "x"',
         "Zebra", "zebra", "Élan", "élan", "ñandú", "日本", "tab\tbed",
         "back\\slash", " lead", "trail ", "100", "9"]
DOCS = ["{}", '{"k": 1}', '{"k": 2, "s": "x"}', '{"s": "x", "l": [1, 2]}',
        "null", '[1, "a", null]', '{"k": null}', '"text"', "7"]
TAGS = ["{}", "{a}", "{a,b}", "{b,a}", '{"x y",NULL}', '{"it''s"}']
SPANS = ["00:00:01", "1 day", "2 days 03:00:00", "1 mon", "1 year 2 mons",
         "-1 days", "-00:30:00"]


def body(table, more=""):
    """What stands in the parentheses of CREATE TABLE."""
    parts = []
    for column, kind in COLUMNS[table].items():
        text = f"{column} {DECLARED.get((table, column), kind)}"
        if column in PRIMARY[table]:
            text += " NOT NULL"
        if (table, column) in DEFAULTS:
            text += f" DEFAULT {DEFAULTS[table, column]}"
        parts.append(text)
    parts += [CHECKS[table]] if table in CHECKS else []
    parts += [f"PRIMARY KEY ({', '.join(PRIMARY[table])})"] if more else []
    return ", ".join(parts)


def create(name, table):
    return f"CREATE TABLE {name} ({body(table, 'with its key')});"


def month(n):
    years, rest = divmod(FIRST.month - 1 + n, 12)
    return datetime.date(FIRST.year + years, rest + 1, 1)


# -- databases ---------------------------------------------------------

def foreign_server(name, port, database):
    return f"""
CREATE SERVER {name} FOREIGN DATA WRAPPER postgres_fdw
    OPTIONS (host '127.0.0.1', port '{port}', dbname '{database}');
GRANT USAGE ON FOREIGN SERVER {name} TO app;
CREATE USER MAPPING FOR app SERVER {name}
    OPTIONS (user 'app', password_required 'false');"""


def sharded(name, table):
    """A table over the shards, by this name."""
    out = [f"CREATE TABLE {name} ({body(table)}) "
           f"PARTITION BY HASH ({', '.join(KEY[table])});"]
    for n in range(SHARDS):
        out.append(
            f"CREATE FOREIGN TABLE {name}_{n} PARTITION OF {name} "
            f"FOR VALUES WITH (MODULUS {SHARDS}, REMAINDER {n}) "
            f"SERVER shard{n} OPTIONS (schema_name 'app', "
            f"table_name '{table}_part');")
    return "\n".join(out)


def monthly(name, table):
    key = ", ".join(PRIMARY[table])
    out = [f"CREATE TABLE {name} ({body(table)}) "
           f"PARTITION BY RANGE ({TIME[table]});"]
    for n in range(-1, MONTHS + 1):
        bounds = (f"FOR VALUES FROM ('{month(n)} 00:00+00') "
                  f"TO ('{month(n + 1)} 00:00+00')")
        if n < ARCHIVED:
            out.append(f"CREATE FOREIGN TABLE {name}_m{n + 1} PARTITION OF "
                       f"{name} {bounds} SERVER archive OPTIONS "
                       f"(schema_name 'app', table_name '{table}_m{n + 1}');")
        else:
            out.append(f"CREATE TABLE {name}_m{n + 1} PARTITION OF {name} "
                       f"(PRIMARY KEY ({key})) {bounds};")
    return "\n".join(out)


def archive(table):
    """The oldest months, each by its name and all of them."""
    key = ", ".join(PRIMARY[table])
    out = [f"CREATE TABLE app.{table} ({body(table)}, PRIMARY KEY ({key}))"
           f" PARTITION BY RANGE ({TIME[table]});"]
    out += [f"CREATE TABLE app.{table}_m{n + 1} PARTITION OF app.{table} "
            f"FOR VALUES FROM ('{month(n)} 00:00+00') "
            f"TO ('{month(n + 1)} 00:00+00');" for n in range(-1, ARCHIVED)]
    return "\n".join(out)


def schemas(port):
    """database -> SQL by a superuser"""
    plain = {t: create(f"app.{t}", t) for t in COLUMNS}
    extension = "CREATE EXTENSION postgres_fdw;"
    links = extension + "".join(
        foreign_server(f"shard{n}", port, f"shard{n}") for n in range(SHARDS))
    app = "CREATE SCHEMA app AUTHORIZATION app; SET ROLE app;\n"
    out = {"plain": app + "\n".join(plain.values())}
    for n in range(SHARDS):
        out[f"shard{n}"] = app + "\n".join(
            create(f"app.{t}_part", t) for t in KEY)
    out["coordinator"] = links + app + plain["kind"] + "\n".join(
        sharded(f"app.{t}_sharded", t) for t in KEY)
    # The same under the names that an application uses, for a look at what
    # the coordinator itself says.
    out["straight"] = links + app + plain["kind"] + "\n".join(
        sharded(f"app.{t}", t) for t in KEY)
    out["archive"] = app + "\n".join(archive(t) for t in TIME)
    out["monthly"] = extension + foreign_server("archive", port, "archive") + \
        app + "\n".join(monthly(f"app.{t}", t) if t in TIME else text
                         for t, text in plain.items())
    return out


# -- pgsluice ----------------------------------------------------------

def configuration(port, cached=False, more=""):
    """cached: every result of the sides is kept, until FLUSH CACHE."""
    databases = ["coordinator", "monthly", "archive"] + \
        [f"shard{n}" for n in range(SHARDS)]
    lines = ['auth = "trust"', 'admin_users = {"app"}', "pool_size = 4", more]
    lines += [f'backend "{d}" {{ conninfo = "host=127.0.0.1 port={port} '
              f'dbname={d} user=app" }}' for d in databases]
    lines += ['database "sharded" { backend = "coordinator" }',
              'database "monthly" { backend = "monthly" }']
    parts = ", ".join(f'"shard{n}"' for n in range(SHARDS))
    # The others' are found in the catalogs: CHECK LAYOUTS waits for that.
    by_hand = 'shard_relation = "app.{table}_part" shards = {{' + parts + "}}"
    for table, keys in KEY.items():
        columns = ", ".join(f'"{k}"' for k in keys)
        kinds = ", ".join(f'"{COLUMNS[table][k]}"' for k in keys)
        lines.append(f'''
table "app.{table}" {{
    databases = {{"sharded"}}
    key_column = {{{columns}}} key_type = {{{kinds}}}
    split_inserts = {"false" if table == "ev" else "true"}
    {f'time_column = "{TIME[table]}"' if table in TIME else ""}
    variant "sharded" {{ kind = "sharded" backend = "coordinator"
        relation = "app.{table}_sharded"
        {by_hand.format(table=table) if table == "ev" else ""} }}
}}''')
    split = month(ARCHIVED).strftime("%Y-%m")
    for table, column in TIME.items():
        lines.append(f'''
table "app.{table}" {{
    databases = {{"monthly"}}
    time_column = "{column}"
    variant "monthly" {{ kind = "monthly" backend = "monthly"
        relation = "app.{table}"
        span "hot" {{ backend = "monthly" from = "{split}" }}
        span "cold" {{ backend = "archive" until = "{split}" }} }}
}}''')
    if cached:
        names = ", ".join(f'"app.{t}"' for t in COLUMNS)
        lines.append(f'cache "all" {{ tables = {{{names}}} ttl = "1h" '
                     'allow_stable = true l2 = false }')
    return "\n".join(lines) + "\n"


# -- rows --------------------------------------------------------------

def quoted(text):
    return "NULL" if text is None else "'" + str(text).replace("'", "''") + "'"


def moment(rng):
    """Many at the edges of months."""
    start = datetime.datetime.combine(month(rng.randrange(MONTHS)),
                                      datetime.time(),
                                      datetime.timezone.utc)
    kind = rng.randrange(10)
    if kind == 0:
        return start
    if kind == 1:
        return start - datetime.timedelta(microseconds=1)
    if kind == 2:
        return start + datetime.timedelta(hours=rng.randrange(-14, 15))
    return start + datetime.timedelta(seconds=rng.randrange(27 * 86400),
                                      microseconds=rng.randrange(10**6))


def value(rng, kind, column):
    """One for a column, as text or None."""
    if column == "noise":
        return repr(rng.uniform(-1000, 1000))
    return {
        "int4": lambda: rng.choice([0, 1, -1, rng.randrange(-20, 60)]),
        "int8": lambda: rng.choice([0, rng.randrange(-10**12, 10**12)]),
        "numeric": lambda: f"{rng.randrange(-9999, 99999) / 100:.2f}",
        # Sums of these are exact in any order.
        "float8": lambda: rng.randrange(-400, 4000) / 4 + 0.25,
        "text": lambda: rng.choice(WORDS),
        "bool": lambda: rng.choice(["t", "f"]),
        "jsonb": lambda: rng.choice(DOCS),
        "text[]": lambda: rng.choice(TAGS),
        "interval": lambda: rng.choice(SPANS),
        "date": lambda: FIRST + datetime.timedelta(rng.randrange(300)),
        "timestamptz": lambda: moment(rng).isoformat(),
    }[kind]()


def row(rng, table, n):
    out = []
    for column, kind in COLUMNS[table].items():
        if column in KEY[table] and column not in ("tenant", "shop"):
            out.append(rng.choice(KEYS[kind]))
        elif column == "tenant":
            # A few have most of them; the last two have none.
            at = rng.choice([0, 1, 2, rng.randrange(len(TENANTS) - 2)])
            if table == "acct":
                at = n % (len(TENANTS) - 1)
            out.append(TENANTS[at])
        elif column == "shop":
            out.append(rng.choice(SHOPS))
        elif column == "id":
            out.append(n)
        elif column == "code":
            out.append(f"{rng.choice('ABCab')}{n % 5}-{n}")
        elif column in PRIMARY[table] or rng.random() > 0.15:
            out.append(value(rng, kind, column))
        else:
            out.append(None)
    return out


def rows(table, seed=7):
    if table == "kind":
        return [(n, WORDS[n % len(WORDS)], n * 3 % 10) for n in range(-1, 24)]
    rng = random.Random(f"{table} {seed}")
    return [row(rng, table, n) for n in range(ROWS.get(table, SMALL))]


def fill(name, table):
    """TRUNCATE is not for foreign partitions' parents on all versions."""
    values = ", ".join("(" + ", ".join(map(quoted, r)) + ")"
                       for r in rows(table))
    return f"DELETE FROM {name}; INSERT INTO {name} VALUES {values};"
