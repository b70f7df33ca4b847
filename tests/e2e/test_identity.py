# SPDX-License-Identifier: PostgreSQL
"""Settings are part of the question: whoever has others gets another answer,
and what they say is data, whatever bytes it has."""

import pytest

from harness import until
from rawpg import RawConn, rows, sqlstates, tags

CONF = """
auth = "trust"
admin_users = {"app"}
pool_size = $SIZE
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" cache = true }
cache "items" { tables = {"item"} ttl = "60s" grace = "0" l2 = false }
"""

SCHEMA = """
SET ROLE app;
CREATE TABLE item (id int PRIMARY KEY, name text);
INSERT INTO item VALUES (1, U&'caf\\00e9');
CREATE SCHEMA other;
CREATE TABLE other.item (id int, name text);
INSERT INTO other.item VALUES (1, 'of another table');
"""

NAME = "SELECT name FROM item WHERE id = 1"
CAFE = "caf\u00e9"


@pytest.fixture
def make(pg, db, pgsluice):
    pg.psql(SCHEMA, db)
    return lambda size=4: pgsluice(CONF, SIZE=size)


def client(sluice, **params):
    return RawConn("127.0.0.1", sluice.port, "app", "app", params=params)


def value(c, sql):
    """The bytes of the only value."""
    m = c.ask(sql)
    assert not sqlstates(m), sqlstates(m)
    return rows(m)[0][0]


@pytest.mark.parametrize("params", [
    {"options": "-c search_path=other"}, {"search_path": "other"}])
def test_search_path_at_startup(make, params):
    """Each path has its own entry, and both are kept."""
    sluice = make()
    with client(sluice) as plain, client(sluice, **params) as other:
        for _ in range(2):
            assert value(plain, NAME) == CAFE.encode()
            assert value(other, NAME) == b"of another table"
    until(lambda: sluice.count("cache_hits_l1") == 2)


def test_search_path_by_set(make):
    """Before, beside and after a session that has another path."""
    sluice = make()
    with client(sluice) as plain, client(sluice) as other:
        assert value(plain, NAME) == CAFE.encode()
        other.ask("SET search_path = other")
        for _ in range(2):
            assert value(other, NAME) == b"of another table"
            assert value(plain, NAME) == CAFE.encode()
        other.ask("DISCARD ALL")
        assert value(other, NAME) == CAFE.encode()


# What a lexer makes of it depends on the setting: one string that ends in a
# comment, or a string, a write and a comment.
TRICK = "SELECT '\\'';DELETE FROM item;--'"


@pytest.mark.parametrize("how", ["startup", "set"])
def test_standard_conforming_strings_off(make, how):
    """A write that is one only without standard strings counts as a write."""
    sluice = make()
    at_startup = {"standard_conforming_strings": "off"} \
        if how == "startup" else {}
    with client(sluice, **at_startup) as c, client(sluice) as reader:
        if how == "set":
            c.ask("SET standard_conforming_strings = off")
        assert value(reader, NAME) == CAFE.encode()
        assert tags(c.ask(TRICK)) == ["SELECT 1", "DELETE 1"]
        assert reader.ask_rows(NAME) == []


def test_client_encoding(make):
    """The same name in the bytes that each client asked for."""
    sluice = make()
    with client(sluice, client_encoding="UTF8") as utf8, \
            client(sluice, client_encoding="LATIN1") as latin1, \
            client(sluice) as later:
        for _ in range(2):
            assert value(utf8, NAME) == CAFE.encode()
            assert value(latin1, NAME) == CAFE.encode("latin1")
        later.ask("SET client_encoding = LATIN1")
        assert value(later, NAME) == CAFE.encode("latin1")
        assert value(utf8, NAME) == CAFE.encode()


BYTES = [b"plain", b"back\\slash\\", b"it's", b"\"$$%s", b"", b"\xff", b"\xc3",
         b"caf\xe9", b"'; CREATE TABLE pwned (); --", b"x" * 200,
         b"\\'; CREATE TABLE pwned (); --",
         b"\x95\\'; CREATE TABLE pwned (); --"]
APPLICATION_NAMES = [(e, name) for e in ("UTF8", "LATIN1") for name in BYTES]
# There a backslash may be the second byte of a character.
APPLICATION_NAMES += [("SJIS", name) for name in (
    b"plain", b"back\\slash\\", b"\x95\\", b"\x95", b"\xff")]


@pytest.mark.parametrize("encoding,name", APPLICATION_NAMES, ids=ascii)
def test_application_name_is_data(make, pg, db, encoding, name):
    """Any bytes: the session works, and nothing of them is executed."""
    sluice = make(1)
    with client(sluice, client_encoding=encoding,
                application_name=name) as c:
        assert value(c, "SELECT 1") == b"1"
        shown = value(c, "SHOW application_name")
        if name.isascii():
            assert shown == name[:63]
        else:
            assert shown.isascii() or shown == name
    # And it is not the next one's.
    with client(sluice, application_name="next") as c:
        assert value(c, "SHOW application_name") == b"next"
    assert pg.psql("SELECT count(*) FROM pg_class WHERE relname = 'pwned'",
                   db) == "0"


def test_settings_changed_at_the_server(make, pg):
    """Who holds the server when its configuration changes is told."""
    sluice = make(1)
    try:
        with client(sluice) as c:
            c.ask("BEGIN")
            c.ask("SELECT 1")
            pg.psql("ALTER SYSTEM SET DateStyle = 'SQL, DMY'")
            pg.psql("SELECT pg_reload_conf()")
            until(lambda: c.ask_rows("SHOW DateStyle") == [("SQL, DMY",)])
            assert c.parameters["DateStyle"] == "SQL, DMY"
            c.ask("COMMIT")
    finally:
        pg.psql("ALTER SYSTEM RESET DateStyle")
        pg.psql("SELECT pg_reload_conf()")


# -- a database that is not UTF8 ----------------------------------------------

SHARDED = """
auth = "trust"
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$LATIN" }
backend "s0" { conninfo = "host=127.0.0.1 port=$PG dbname=$LATIN" }
backend "s1" { conninfo = "host=127.0.0.1 port=$PG dbname=$LATIN" }
database "app" { backend = "main" }
table "ev" {
	key_column = "k"
	key_type = "text"
	variant "sharded" {
		kind = "sharded"
		backend = "main"
		relation = "ev"
		shard_relation = "ev0"
		shards = {"s0", "s1"}
	}
}
"""


@pytest.fixture
def latin1(pg, db):
    name = f"{db}_latin1"
    pg.psql(f"CREATE DATABASE {name} OWNER app ENCODING 'LATIN1' "
            "LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    pg.psql("SET ROLE app; "
            "CREATE TABLE ev (k text, v int) PARTITION BY HASH (k); " +
            "".join(f"CREATE TABLE ev{n} PARTITION OF ev FOR VALUES WITH "
                    f"(MODULUS 2, REMAINDER {n}); " for n in (0, 1)), name)
    yield name
    pg.psql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("encoding", ["UTF8", "LATIN1"])
def test_text_keys_in_latin1(latin1, pgsluice, encoding):
    """To the shard on which the server itself puts the key, or to the
    coordinator."""
    sluice = pgsluice(SHARDED, LATIN=latin1)
    keys = [chr(n) * 3 for n in range(0xe0, 0xff)]
    keys += [f"tenant{n}" for n in range(10)]
    with sluice.connect(client_encoding=encoding) as conn:
        for key in keys:
            wanted = conn.execute(
                "SELECT satisfies_hash_partition('ev'::regclass, 2, 1, "
                "%s::text)", (key,)).fetchone()[0]
            plan = [r[0] for r in conn.execute(
                f"EXPLAIN (ROUTE) SELECT * FROM ev WHERE k = '{key}'")]
            (shard,) = [p for p in plan if p.startswith("shard:")]
            if "not proven" not in shard:
                assert shard == f"shard: {int(wanted)} of 2", key
