# SPDX-License-Identifier: PostgreSQL
"""Whose answer is it? Sessions that differ in anything that counts are asked
the same, one beside the other, and each must get what PostgreSQL tells it."""

import contextlib
import os
import random
import re

import psycopg
import pytest

import rawpg
from harness import TOP, whole

CONF = """
auth = "trust"
admin_users = {"app"}
pool_size = 20
layout_user = "app"
revocation_bound = "2s"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" cache = true }
cache "all" {
    tables = {"sample", "secret", "ledger", "plain", "secret_v", "invoker_v"}
    ttl = "60s" l2 = false allow_stable = true allow_rls = true
}
"""

SCHEMA = """
SET ROLE app;
CREATE TABLE sample (id int PRIMARY KEY, name text, at timestamptz,
  span interval, bits bytea, third float8, flags bool[], price numeric);
INSERT INTO sample VALUES (1, U&'caf\\00e9 dogs', '2026-02-03 04:05+00',
  '1 day 2 hours', '\\x00ff5c', 1.0::float8 / 3, '{t,f}', 1234.5);
CREATE TABLE plain (id int, name text);
INSERT INTO plain VALUES (1, 'of public');
CREATE SCHEMA north; CREATE SCHEMA south;
GRANT USAGE ON SCHEMA north, south TO PUBLIC;
CREATE TABLE north.plain (id int, name text);
INSERT INTO north.plain VALUES (1, 'of north');
CREATE TABLE south.plain (id int, name text);
INSERT INTO south.plain VALUES (1, 'of south');
CREATE TABLE secret (owner text, word text);
INSERT INTO secret VALUES ('alice', 'of alice'), ('bob', 'of bob'),
  ('app', 'of app');
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secret USING (owner = current_user);
CREATE TABLE ledger (tenant text, amount int);
INSERT INTO ledger VALUES ('a', 1), ('b', 2);
ALTER TABLE ledger ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON ledger
  USING (tenant = current_setting('app.tenant', true));
CREATE VIEW secret_v AS SELECT word FROM secret;
CREATE VIEW invoker_v WITH (security_invoker) AS SELECT word FROM secret;
GRANT SELECT ON ALL TABLES IN SCHEMA public, north, south TO alice, bob;
RESET ROLE;
GRANT alice, bob TO app;
"""


def told(kind, body):
    """Errors and notices by SQLSTATE: some tell whether the server has ever
    had temporary tables. OIDs of these are of one counter."""
    if kind in "EN":
        return rawpg.error_fields(body)["C"]
    if kind == "T":
        return [c._replace(table=0) for c in rawpg.columns(body)]
    return body


def ask(c, message):
    c.send(message)
    return [(t, told(t, b)) for t, b in c.read_until_ready() if t != "S"]


@pytest.fixture
def sluice(pg, db, pgsluice):
    pg.psql(SCHEMA, db)
    yield pgsluice(CONF)
    pg.psql("REVOKE alice, bob FROM app; REVOKE bob FROM alice; "
            "ALTER ROLE alice NOBYPASSRLS")


@pytest.fixture
def pair(pg, db, sluice):
    """Connections to PostgreSQL and through pgsluice that begin alike."""
    opened = []

    def make(user="app", **params):
        two = [rawpg.RawConn("127.0.0.1", port, user, name, params=params)
               for port, name in ((pg.port, db), (sluice.port, "app"))]
        opened.extend(two)
        return two
    yield make
    for c in opened:
        c.close()


# -- settings -----------------------------------------------------------------

# Two values of each, and what is asked; superusers' are set for a role.
SETTINGS = {
    "DateStyle": ("ISO", "German", "at"),
    "IntervalStyle": ("postgres", "iso_8601", "span"),
    "TimeZone": ("UTC", "Asia/Tokyo", "at"),
    "array_nulls": ("on", "off", "('{NULL}'::text[])[1] IS NULL"),
    "backslash_quote": ("on", "off", "E'a\\'b'"),
    "bytea_output": ("hex", "escape", "bits"),
    "client_encoding": ("UTF8", "LATIN1", "name"),
    "default_text_search_config": ("simple", "english", "to_tsvector(name)"),
    "default_transaction_deferrable": ("on", "off", "id"),
    "default_transaction_isolation": ("serializable", "read committed", "id"),
    "default_transaction_read_only": ("on", "off", "id"),
    "extra_float_digits": ("1", "-5", "third"),
    "lc_messages": ("C", "POSIX", "id"),
    "lc_monetary": ("C", "POSIX", "price::money"),
    "lc_numeric": ("C", "POSIX", "to_char(price, '9G999D9')"),
    "lc_time": ("C", "POSIX", "to_char(at, 'TMMonth')"),
    "quote_all_identifiers": ("on", "off", "quote_ident(name)"),
    "row_security": ("on", "off", "(SELECT count(*) FROM public.secret)"),
    "search_path": ("north", "south,public",
                    "(SELECT max(p.name) FROM plain p)"),
    "standard_conforming_strings": ("on", "off", "'a\\\\b'"),
    "timezone_abbreviations": ("Default", "Australia",
                               "'2026-01-01 EST'::timestamptz"),
    "transform_null_equals": ("on", "off", "name = NULL"),
    "xmlbinary": ("base64", "hex", "xmlelement(name a, bits)"),
    "xmloption": ("content", "document", "xml '<a/>'"),
}
FOR_SUPERUSERS = {"lc_messages"}


def test_every_output_setting_is_tried():
    """But for that of a database, which is in the key itself."""
    path = os.path.join(TOP, "src", "tbl", "output_settings.h")
    with open(path, encoding="utf-8") as f:
        names = set(re.findall(r"^OUTPUT_SETTING\((\w+)\)", f.read(), re.M))
    assert names - set(SETTINGS) == {"server_encoding"}
    assert set(SETTINGS) <= names


def questions(setting, expression):
    """As text and in binary, in one message and in several."""
    sql = f"SELECT current_setting('{setting}'), {expression} " \
          "FROM public.sample"
    return [rawpg.query(sql), whole(sql, []),
            whole(sql, [], result_formats=[1])]


def assignment(setting, value):
    if setting == "search_path":  # a list
        return f"{setting} = {value}"
    return f"{setting} = '{value}'"


def compared(pairs, setting, expression):
    """All get what PostgreSQL says, three times; how many answers."""
    answers = set()
    for _ in range(3):
        for direct, through in pairs:
            for message in questions(setting, expression):
                straight = ask(direct, message)
                assert ask(through, message) == straight, setting
                answers.add(str(straight))
    return len(answers)


def test_settings_of_a_session(pair, sluice):
    """At startup and by SET."""
    for setting, (one, other, expression) in SETTINGS.items():
        if setting in FOR_SUPERUSERS:
            continue
        pairs = [pair(**{setting: value}) for value in (one, other)]
        for value in (one, other):
            pairs.append(pair())
            for c in pairs[-1]:
                answer = c.ask("SET " + assignment(setting, value))
                assert not rawpg.sqlstates(answer), setting
        assert compared(pairs, setting, expression) >= 4, setting
        for c in sum(pairs, []):
            c.close()
    # Those that were set at startup are answered from memory.
    assert sluice.count("cache_hits_l1") > 100


def test_settings_of_roles(pair, pg, sluice):
    for role, n in (("alice", 0), ("bob", 1)):
        pg.psql("".join(
            f"ALTER ROLE {role} SET {assignment(setting, values[n])};"
            for setting, values in SETTINGS.items()))
    try:
        sluice.console("RECONNECT")
        pairs = [pair("alice"), pair("bob")]
        for setting, (_, _, expression) in SETTINGS.items():
            assert compared(pairs, setting, expression) >= 4, setting
    finally:
        pg.psql("ALTER ROLE alice RESET ALL; ALTER ROLE bob RESET ALL")
    assert sluice.count("cache_hits_l1") > 100


# -- a walk through everything ------------------------------------------------

READS = [
    "SELECT word FROM secret ORDER BY word",
    "SELECT count(*) FROM secret",
    "SELECT word FROM secret_v ORDER BY word",
    "SELECT word FROM invoker_v ORDER BY word",
    "SELECT tenant, amount FROM ledger ORDER BY tenant",
    "SELECT name FROM plain",
    "SELECT name, at, third FROM sample",
    "SELECT current_user, session_user, id FROM sample",
]

OWN = [  # what a session does to itself
    "SET ROLE alice", "SET ROLE bob", "SET ROLE none", "RESET ROLE",
    "SET SESSION AUTHORIZATION alice", "RESET SESSION AUTHORIZATION",
    "SET LOCAL ROLE bob", "SELECT set_config('role', 'alice', false)",
    "SET search_path = north, public", "SET search_path = south, public",
    "RESET search_path", "SET LOCAL search_path = south",
    "SELECT set_config('search_path', 'north', true)",
    "SET app.tenant = 'a'", "SET app.tenant = 'b'", "RESET app.tenant",
    "SET LOCAL app.tenant = 'b'", "SET row_security = off",
    "RESET row_security", "SET TimeZone = 'Asia/Tokyo'", "RESET TimeZone",
    "CREATE TEMP TABLE plain AS SELECT 7 AS id, 'temporary'::text AS name",
    "DROP TABLE IF EXISTS pg_temp.plain", "DISCARD ALL", "DISCARD TEMP",
    "RESET ALL", "BEGIN", "BEGIN", "COMMIT", "COMMIT", "ROLLBACK", "COMMIT",
    "SAVEPOINT s", "ROLLBACK TO s", "SELECT 1/0",
]

OTHERS = [  # what somebody with the power to does to all
    "REVOKE SELECT ON secret FROM alice", "GRANT SELECT ON secret TO alice",
    "REVOKE SELECT ON sample FROM PUBLIC, bob",
    "GRANT SELECT ON sample TO bob",
    "GRANT SELECT (name) ON sample TO bob",
    "REVOKE USAGE ON SCHEMA north FROM PUBLIC",
    "GRANT USAGE ON SCHEMA north TO PUBLIC",
    "ALTER TABLE secret DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE secret ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE secret FORCE ROW LEVEL SECURITY",
    "ALTER TABLE secret NO FORCE ROW LEVEL SECURITY",
    "ALTER POLICY own ON secret USING (owner = current_user)",
    "ALTER POLICY own ON secret USING (owner <> current_user)",
    "ALTER ROLE alice BYPASSRLS", "ALTER ROLE alice NOBYPASSRLS",
    "GRANT bob TO alice", "REVOKE bob FROM alice",
    "ALTER VIEW secret_v SET (security_invoker = true)",
    "ALTER VIEW secret_v RESET (security_invoker)",
    "UPDATE plain SET name = name || '.'",
    "INSERT INTO secret VALUES ('alice', 'more of alice')",
    "DELETE FROM secret WHERE word = 'more of alice'",
]


@pytest.mark.parametrize("seed", range(4))
def test_a_walk(pair, sluice, seed):
    """Sessions change who they are, others what they may see; whatever is
    read is what PostgreSQL tells a session that has done the same."""
    rng = random.Random(seed)
    walkers = [pair(user) for user in ("app", "alice", "bob", "postgres")]
    # They stay who they are, so theirs are the hits.
    sitters = [pair(user) for user in ("app", "alice", "bob", "alice")]
    admin = sluice.connect(user="postgres")
    admin.execute("SET lock_timeout = '50ms'")
    reads = 0
    with admin:
        for _ in range(1500):
            what = rng.random()
            direct, through = rng.choice(
                sitters if what < 0.5 else walkers)
            if what < 0.85:
                sql = rng.choice(READS)
                message = rng.choice((
                    rawpg.query(sql), whole(sql, []),
                    whole(sql, [], result_formats=[1])))
                straight = ask(direct, message)
                assert ask(through, message) == straight, sql
                reads += 1
            elif what < 0.97:
                sql = rng.choice(OWN)
                message = rawpg.query(sql)
                straight = ask(direct, message)
                assert ask(through, message) == straight, sql
            else:
                with contextlib.suppress(psycopg.errors.LockNotAvailable):
                    admin.execute(rng.choice(OTHERS))
                if rng.random() < 0.5:
                    sluice.wait_watched()
    assert reads > 1000
    assert sluice.count("cache_hits_l1") > 40
    assert sluice.count("server_surprises") == 0
